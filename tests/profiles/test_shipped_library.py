"""The shipped profiles say what the practice table says, minute by minute. The table is typed anew here."""

import re
from collections import defaultdict

import pytest

from controller.core.light import Mired
from controller.core.score import Audience, Score
from profiles.catalogue import load_catalogue, load_site
from profiles.models import SILENCE
from profiles.validation import LIBRARY, validate_paths

# phase, minutes, percent@kelvin of the main light, pool/energy, dB(A). `-`: silence.
TABLE = {
    "psilocybin": """
        arrival 30 45@2700 warm/.25 48
        intention 30 35@2500 sparse/.15 42
        settle 25 25@2300 reassuring/.25 50
        onset 45 10@2200 steady/.35 55
        ascent 40 4@2000 building/.6 60
        peak 90 2@2000 vast/.75 62
        descent 90 4@2000 tender/.5 57
        return 70 15@2200 light/.35 52
        talk 60 35@2700 faint/.1 40""",
    "mdma": """
        arrival 30 45@2700 warm/.25 48
        intention 30 35@2500 sparse/.1 42
        settle 45 20@2300 gentle/.25 50
        onset 45 10@2200 opening/.45 56
        peak 60 6@2000 heartfelt/.6 58
        plateau 120 10@2200 spacious/.45 52
        descent 90 20@2300 soft/.3 48
        talk 60 35@2700 -""",
    "lsd": """
        arrival 30 45@2700 warm/.25 48
        intention 30 35@2500 sparse/.15 42
        settle 30 25@2300 calm/.25 50
        onset 60 12@2200 steady/.35 54
        ascent 90 6@2000 building/.55 59
        peak 90 3@2000 vast/.7 61
        descent 150 6@2000 tender/.5 56
        return 180 18@2200 playful/.35 50
        talk 60 35@2700 -""",
    "ketamine-im": """
        arrival 15 40@2700 warm/.2 46
        intention 10 30@2500 sparse/.1 42
        onset 7 8@2200 drone/.25 52
        ascent 8 3@2000 floating/.4 55
        peak 20 2@2000 wide/.4 56
        descent 20 4@2000 warm/.3 52
        return 20 15@2200 simple/.2 46
        talk 20 35@2700 -""",
    "ketamine-lozenge": """
        arrival 15 40@2700 warm/.2 46
        intention 15 30@2500 sparse/.1 42
        hold 15 20@2300 calm/.2 48
        onset 10 8@2200 floating/.3 52
        peak 40 4@2000 warm/.4 54
        descent 35 8@2000 tender/.3 50
        return 20 18@2200 simple/.2 46
        talk 30 35@2700 -""",
    "5-meo-dmt": """
        arrival 20 40@2700 warm/.2 45
        intention 15 25@2300 sparse/.1 42
        ready 5 8@2000 -
        onset 2 5@2000 drone/.2 45
        peak 13 5@2000 drone/.2 45
        descent 15 5@2000 drone/.2 45
        return 20 8@2000 soft/.2 44
        rest 10 12@2200 soft/.1 42
        talk 20 30@2700 -""",
    "breathwork": """
        arrival 20 45@2700 warm/.2 48
        opening 10 30@2500 -
        build 60 12@2200 drumming/.85 70
        breakthrough 60 8@2000 emotional/.75 68
        contemplative 60 6@2000 devotional/.3 54
        share 30 35@2700 faint/.1 42""",
    "quiet-room": """
        settle 5 30@2500 nature/.15 44
        breath 10 18@2200 drone/.15 42
        sit 20 12@2200 nature/* 38
        open 5 20@2300 nature/* 42
        close 5 35@2700 -""",
    "emdr-closing": """
        ground 10 40@2700 -
        sets 35 40@2700 -
        contain 10 40@2700 */* *
        close 5 40@2700 -""",
}
MINUTES = {
    "psilocybin": 480,
    "mdma": 480,
    "lsd": 720,
    "ketamine-im": 120,
    "ketamine-lozenge": 180,
    "5-meo-dmt": 120,
    "breathwork": 240,
    "quiet-room": 45,
    "emdr-closing": 60,
}
SITE = load_site(LIBRARY / "demo-site.yaml")
CATALOGUE = load_catalogue(SITE)


def score(profile: str) -> Score:
    return CATALOGUE.score(profile, SITE.room("garden"), "en")


def test_nine_profiles_ship_and_all_are_unreviewed() -> None:
    assert set(CATALOGUE.profiles) == set(TABLE)
    assert all(profile.status == "unreviewed" for profile in CATALOGUE.profiles.values())
    assert not any(score(profile).reviewed for profile in TABLE)


def test_everything_shipped_is_valid() -> None:
    drivers = ("simulated-hue",)
    assert validate_paths([LIBRARY], drivers=drivers) == ()
    assert CATALOGUE.problems == ()


@pytest.mark.parametrize("profile", TABLE)
def test_a_profile_says_what_the_table_says(profile: str) -> None:
    rows = [line.split() for line in TABLE[profile].strip().splitlines()]
    compiled = score(profile)
    assert [phase.phase_id for phase in compiled.phases] == [row[0] for row in rows]
    for phase, (_, minutes, light, music, *level) in zip(compiled.phases, rows, strict=True):
        percent, kelvin = map(float, light.split("@"))
        assert phase.length_ms == float(minutes) * 60_000
        assert len(phase.light) == 1
        step = phase.light[0]
        main = step.looks["bedside"]
        assert main.percent == pytest.approx(percent, abs=1e-9)
        assert isinstance(main.colour, Mired)
        assert 1e6 / main.colour.value == pytest.approx(kelvin)
        assert step.offset_ms == 0
        assert 0 < step.fade_ms <= phase.length_ms
        if music == "-":
            assert phase.music.pool is None
            continue
        pool, energy = music.split("/")
        assert pool in (phase.music.pool, "*")
        assert energy == "*" or phase.music.energy == pytest.approx(float(energy))
        assert level in (["*"], [f"{phase.music.level_dba:g}"])
    assert compiled.length_ms == MINUTES[profile] * 60_000


@pytest.mark.parametrize("profile", TABLE)
def test_ceiling_and_path_stay_below_the_main_light(profile: str) -> None:
    for phase in score(profile).phases:
        for step in phase.light:
            looks = step.looks
            assert set(looks) == {"ceiling", "bedside", "path"}
            assert 0 < looks["path"].percent < looks["ceiling"].percent < looks["bedside"].percent


def times(profile: str, prompt: str) -> list[float]:
    """Minutes from the expected dose at which anchored cards of a prompt are due."""
    return [cue.offset_ms / 60_000 for cue in score(profile).anchor_cues if cue.prompt == prompt]


def test_psilocybin_blood_pressure_minimum_and_prompts() -> None:
    assert times("psilocybin", "bp") == [-30, 30, 60, 90, 120, 240, 360]
    compiled = score("psilocybin")
    assert compiled.minimum_ms == 300 * 60_000
    assert compiled.anchors["dose"] == "settle"
    client: dict[str, list[str]] = defaultdict(list)
    for phase in compiled.phases:
        client[phase.phase_id] += [cue.prompt for cue in phase.cues if cue.audience is Audience.CLIENT]
    assert {phase: prompts for phase, prompts in client.items() if prompts} == {
        "settle": ["breath"],
        "ascent": ["trust"],
        "return": ["orient", "senses"],
    }


def test_the_mdma_supplement_moves_the_plan() -> None:
    compiled = score("mdma")
    assert times("mdma", "supplement-open") == [90]
    assert times("mdma", "supplement-closing") == [120]
    shifts = {(s.anchor, s.phase): s.delta_ms for s in compiled.anchor_shifts}
    assert shifts == {("supplement_given", "plateau"): 3_600_000, ("supplement_given", "descent"): 1_800_000}
    assert {"dose", "supplement_given", "supplement_declined"} == set(compiled.anchors)
    # The window's first card comes with the peak when the dose is on time.
    starts, at = {}, 0
    for phase in compiled.phases:
        starts[phase.phase_id] = at
        at += phase.length_ms
    assert starts["peak"] - starts["settle"] == 90 * 60_000


def test_the_mdma_plateau_has_ten_minutes_of_silence_in_each_thirty_also_when_longer() -> None:
    plateau = next(phase for phase in score("mdma").phases if phase.phase_id == "plateau")
    silences = [(s.from_ms / 60_000, s.to_ms / 60_000) for s in plateau.music.silences]
    assert silences[:6] == [(20, 30), (50, 60), (80, 90), (110, 120), (140, 150), (170, 180)]


def test_nothing_moves_and_nothing_speaks_in_5_meo_dmt_from_onset_to_descent() -> None:
    for phase in score("5-meo-dmt").phases[3:6]:
        assert phase.light_frozen
        assert phase.music.unbroken
        assert phase.cues == ()
        assert phase.client_prompts_suppressed


def test_no_prompt_reaches_a_client_at_a_peak() -> None:
    for profile in TABLE:
        for phase in score(profile).phases:
            if phase.phase_id in ("peak", "breakthrough", "sets"):
                assert phase.client_prompts_suppressed, (profile, phase.phase_id)


def test_the_prompts_are_the_practice_ones() -> None:
    words = score("quiet-room").prompts
    assert words == {
        "breath": "Let the out-breath be a little longer than the in-breath.",
        "feet": "Feel both feet meet the floor. Press, then soften.",
        "hand": "If you like, rest a hand on your chest and feel it rise.",
        "orient": "You are in the room with us. It is {part_of_day}. You are safe here.",
        "senses": "Five things you see, four you touch, three you hear, two you smell, one you taste.",
        "trust": "Trust it, let go, stay open. We are here.",
        "fear": "Can you turn toward it and get curious?",
        "slow": "Slow down. Is silence enough?",
        "touch": "Ask again before touch.",
        "water": "Offer water.",
        "bp": "Blood pressure.",
        "supplement-open": "Supplement window open.",
        "supplement-closing": "Supplement window closing.",
    }
    cards = {key for key, prompt in CATALOGUE.prompts.items() if prompt.audience is Audience.THERAPIST}
    assert cards == {"slow", "touch", "water", "bp", "supplement-open", "supplement-closing"}
    assert (
        CATALOGUE.spoken(words["orient"], 15)
        == "You are in the room with us. It is afternoon. You are safe here."
    )


def test_senses_only_on_the_return() -> None:
    for profile in TABLE:
        for phase in score(profile).phases:
            assert phase.phase_id == "return" or all(cue.prompt != "senses" for cue in phase.cues)


def test_path_and_help_are_as_written() -> None:
    scenes = score("quiet-room").scenes
    path, help_light = scenes["path"], scenes["help"]
    assert 5 <= path.looks["path"].percent <= 8
    assert path.looks["path"].colour == Mired(500.0)
    assert all(path.looks[zone].percent < path.looks["path"].percent for zone in ("ceiling", "bedside"))
    assert path.to_speakers
    assert path.returns_after_ms is not None
    assert {round(look.percent, 9) for look in help_light.looks.values()} == {50.0}
    assert (help_light.fade_ms, help_light.music_db, help_light.is_help) == (3_000, -20.0, True)
    assert [name for name, scene in scenes.items() if scene.is_help] == ["help"]


def test_the_list_of_pools_for_whoever_makes_the_music_is_complete() -> None:
    asked: dict[str, set[float | None]] = defaultdict(set)
    for profile in CATALOGUE.profiles.values():
        for phase in profile.phases:
            if phase.music.pool != SILENCE:
                asked[phase.music.pool].add(phase.music.energy)
    listed: dict[str, set[float | None]] = {}
    for line in (LIBRARY / "MOODS.md").read_text(encoding="utf-8").splitlines():
        if found := re.fullmatch(r"\| ([a-z-]+) \| ([0-9., ]+)(\(.*\))? \|", line):
            listed[found[1]] = {float(number) for number in found[2].split(",")}
    assert listed == asked


def test_cue_ids_are_unique_and_fit_the_wire() -> None:
    for profile in TABLE:
        compiled = score(profile)
        ids = [cue.cue_id for phase in compiled.phases for cue in phase.cues]
        ids += [cue.cue_id for cue in compiled.anchor_cues]
        assert len(set(ids)) == len(ids)
        assert all(re.fullmatch(r"[a-z0-9][a-z0-9_.:-]{0,60}", cue_id) for cue_id in ids)


def test_the_demo_site_is_six_lamps_in_three_zones_on_a_simulated_bridge() -> None:
    room = SITE.room("garden")
    zones = [fixture.zone for fixture in room.fixtures]
    assert {zone: zones.count(zone) for zone in zones} == {"ceiling": 2, "bedside": 2, "path": 2}
    assert [bridge.driver for bridge in room.bridges] == ["simulated-hue"]
    assert SITE.site.mqtt.host is None
