"""Bad files: every fault at once, each with its file, line, key and the nearest known name."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from controller.errors import InvalidFilesError, Problem
from profiles.catalogue import UnknownNameError, load_catalogue, load_site
from profiles.file_kinds import OWN_KINDS, FileKind
from profiles.validation import LIBRARY, validate_paths
from profiles.yaml_source import MAX_BYTES, parse_document, read_document

BAD_PROFILE = """\
profile: night
title: Night
status: unreviewd
minimum_minutes: 500
anchors: {dose: setle}
anchor_cues:
  - {anchor: doze, minutes: 5, prompt: bpp}
anchor_shifts:
  - {anchor: dose, phase: rest, minutes: 5}
zone_factors: {cieling: 0.5}
phases:
  - id: settle
    minutes: "10"
    light: {brightness_percent: 120, kelvn: 2500}
    music: {pool: wram, energy: 2, level_dba: 50}
    cues:
      - {prompt: breth, at_minute: 1}
  - id: settle
    minutes: 10
    light_frozen: true
    light:
      brightness_percent: 5
      kelvin: 2000
      steps:
        - {at_minute: 12, brightness_percent: 4, kelvin: 2000}
        - {at_minute: 5, brightness_percent: 3, kelvin: 2000}
    music: {pool: warm, energy: 0.5}
    suppress_client_prompts: true
    cues:
      - {prompt: feet, at_minute: 11}
      - {prompt: water}
"""


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def found(problems: tuple[Problem, ...]) -> list[tuple[int | None, str, str, str]]:
    return [(p.line, p.key, p.message, p.hint) for p in problems]


def test_every_fault_of_a_profile_at_once_with_line_key_and_nearest_name(tmp_path: Path) -> None:
    path = write(tmp_path, "night.yaml", BAD_PROFILE)
    problems = validate_paths([path], known_pools=["warm", "vast"])
    assert {p.file for p in problems} == {str(path)}
    assert found(problems) == [
        (3, "status", "expected 'unreviewed' or 'reviewed', found 'unreviewd'", "did you mean `unreviewed`?"),
        (5, "anchors.dose", "no phase `setle`", "did you mean `settle`?"),
        (7, "anchor_cues[0].anchor", "no anchor `doze`", "did you mean `dose`?"),
        (7, "anchor_cues[0].prompt", "no prompt `bpp`", "did you mean `bp`?"),
        (9, "anchor_shifts[0].phase", "no phase `rest`", "known: settle"),
        (10, "zone_factors.cieling", "no room has a zone `cieling`", "did you mean `ceiling`?"),
        (13, "phases[0].minutes", "expected a number, found '10'", ""),
        (14, "phases[0].light.brightness_percent", "expected at most 100, found 120", ""),
        (14, "phases[0].light.kelvin", "this key is missing", ""),
        (14, "phases[0].light.kelvn", "unknown key", "did you mean `kelvin`?"),
        (15, "phases[0].music.energy", "expected at most 1, found 2", ""),
        (15, "phases[0].music.pool", "no pool `wram`", "did you mean `warm`?"),
        (17, "phases[0].cues[0].prompt", "no prompt `breth`", "did you mean `breath`?"),
        (18, "phases[1].id", "phase `settle` is there already", "line 12"),
        (24, "phases[1].light.steps", "a phase with frozen light has one look only", ""),
        (25, "phases[1].light.steps[0].at_minute", "expected a minute inside the phase, which has 10", ""),
        (26, "phases[1].light.steps[1].at_minute", "expected a later minute than the step before", ""),
        (27, "phases[1].music.level_dba", "this key is missing", ""),
        (30, "phases[1].cues[0].at_minute", "expected a minute inside the phase, which has 10", ""),
        (30, "phases[1].cues[0].prompt", "this phase suppresses prompts to the client", ""),
        (31, "phases[1].cues[1]", "expected either `at_minute` or `every_minutes`", ""),
    ]


def test_a_problem_is_one_line_for_a_person(tmp_path: Path) -> None:
    path = write(tmp_path, "p.yaml", "profile: x\ntitel: y\n")
    lines = [str(problem) for problem in validate_paths([path])]
    assert f"{path}:2: titel: unknown key (did you mean `title`?)" in lines


def good(**phase: str) -> str:
    body = {
        "minutes": "60",
        "light": "{brightness_percent: 5, kelvin: 2000}",
        "music": "{pool: warm, energy: 0.5, level_dba: 50}",
    } | phase
    keys = "".join(f"    {key}: {value}\n" for key, value in body.items())
    return f"profile: x\ntitle: X\nphases:\n  - id: a\n{keys}"


@pytest.mark.parametrize(
    ("text", "key", "message"),
    [
        (
            good(music="{pool: w, energy: 0, level_dba: 50, silences: [{from_minute: 9}]}"),
            "silences[0]",
            "expected `from_",
        ),
        (
            good(music="{pool: w, energy: 0, level_dba: 50, silences: [{from_minute: 9, to_minute: 9}]}"),
            "to_minute",
            "later",
        ),
        (
            good(music="{pool: w, energy: 0, level_dba: 50, silences: [{from_minute: 70, to_minute: 90}]}"),
            "from_min",
            "inside",
        ),
        (
            good(music="{pool: w, energy: 0, level_dba: 50, silences: [{every_minutes: 9}]}"),
            "silences[0]",
            "expected both",
        ),
        (
            good(music="{pool: w, energy: 0, level_dba: 50, silences: [{every_minutes: 9, for_minutes: 9}]}"),
            "for_minutes",
            "less than `every",
        ),
        (
            good(music="{pool: silence, silences: [{from_minute: 1, to_minute: 2}]}"),
            "silences[0]",
            "silent already",
        ),
        (
            good(
                music="{pool: w, energy: 0, level_dba: 50, unbroken: true, "
                "silences: [{from_minute: 1, to_minute: 2}]}"
            ),
            "silences[0]",
            "unbroken",
        ),
        (
            good(light="{brightness_percent: 5, kelvin: 2000, fade_minutes: 61}"),
            "light.fade_minutes",
            "at most the 60",
        ),
        (
            good(
                light="{brightness_percent: 5, kelvin: 2000, "
                "zones: {path: {factor: 1, brightness_percent: 2}}}"
            ),
            "zones.path",
            "not both",
        ),
        (good(cues="[{prompt: water, at_minute: 1, every_minutes: 5}]"), "cues[0]", "expected either"),
        (good(cues="[{prompt: water, at_minute: 1, until_minute: 5}]"), "cues[0]", "go with"),
        (
            good(cues="[{prompt: water, every_minutes: 9, from_minute: 9, until_minute: 5}]"),
            "until_minute",
            "later",
        ),
        (good(cues="[{prompt: water, at_minute: 1}, {prompt: water, at_minute: 1}]"), "cues[1]", "twice"),
        (good() + "minimum_minutes: 61\n", "minimum_minutes", "at most the session's 60"),
        (good() + "status: reviewed\n", "reviewed_by", "names the roles"),
        (good() + "reviewed_by: [lead]\nstatus: unreviewed\n", "status", "names who signed"),
        (
            good() + "anchors: {d: a}\nanchor_shifts: [{anchor: d, phase: a, minutes: -60}]\n",
            "minutes",
            "leaves nothing",
        ),
        (
            good() + "anchors: {d: a}\nanchor_cues: [{anchor: d, minutes: 5, prompt: bp}, "
            "{anchor: d, minutes: 5, prompt: bp}]\n",
            "anchor_cues[1]",
            "twice",
        ),
        (good(minutes="0"), "minutes", "more than 0"),
        (good(minutes=".nan"), "minutes", "expected a number, found '.nan'"),
        (good(minutes="yes"), "minutes", "expected a number, found 'yes'"),
        (good(suppress_client_prompts="yes"), "suppress", "true or false"),
        ("profile: x\ntitle: X\nphases: []\n", "phases", "at least 1"),
        (
            "prompts: {a: {audience: client, text: {en: 'It is {hour}.'}}}\n",
            "prompts.a.text.en",
            "placeholder",
        ),
        ("prompts: {a: {audience: therapist, audio: a.wav, text: {en: A}}}\n", "prompts.a.audio", "silent"),
        ("prompts: {a: {audience: clint, text: {en: A}}}\n", "prompts.a.audience", "found 'clint'"),
        ("presets: {a: {title: A}}\n", "presets.a", "nothing to show"),
        ("presets: {help: {others: {brightness_percent: 50}}}\n", "presets.help.is_help", "must say"),
        (
            "presets: {a: {is_help: true, others: {brightness_percent: 50}}}\n",
            "presets.a.is_help",
            "only the preset",
        ),
        (
            "presets: {a: {others: {brightness_percent: 5, kelvin: 2000, colour: '#ffffff'}}}\n",
            "a.others",
            "one of `kelvin`",
        ),
        (
            "presets: {a: {others: {brightness_percent: 5, colour: red}}}\n",
            "others.colour",
            "expected text like",
        ),
        (
            "presets: {a: {music_db: 3, others: {brightness_percent: 5}}}\n",
            "music_db",
            "at most 0",
        ),
    ],
)
def test_what_makes_no_sense_is_said_at_its_key(tmp_path: Path, text: str, key: str, message: str) -> None:
    problems = validate_paths([write(tmp_path, "x.yaml", text)])
    assert any(key in p.key and message in p.message and p.line for p in problems), problems
    assert len(problems) == 1


def test_good_files_have_no_problems(tmp_path: Path) -> None:
    assert validate_paths([write(tmp_path, "x.yaml", good())]) == ()


SITE = """\
site: clinic
timezone: Europe/Zurich
rooms:
  - id: a
    bridges: [{id: hue, driver: hue, address: 10.0.0.2}]
    zones: [{id: ceiling}, {id: window}]
    fixtures:
      - {id: one, bridge: hue, address: 1, zone: ceiling}
      - {id: two, bridge: hue, address: "2", zone: window}
"""


def test_a_site_is_checked_across_its_parts(tmp_path: Path) -> None:
    assert validate_paths([write(tmp_path, "good.yaml", SITE)], drivers=["hue"]) == ()
    bad = (
        SITE.replace("Europe/Zurich", "Europe/Zurick")
        .replace(
            'id: two, bridge: hue, address: "2", zone: window',
            "id: one, bridge: heu, address: 1, zone: windw",
        )
        .replace("driver: hue", "driver: hew")
        + "      - {id: six, bridge: hue, address: '1', zone: window}\n"
        + "    resting: {zones: {wall: {brightness_percent: 5}}}\n"
        + "    presets: [none.yaml]\n"
        + "    audio: {ceiling_dba: 80}\n"
        + "  - {id: a, zones: [{id: x}]}\n"
        + "web: {cert_file: c.pem}\n"
        + "envelope: {score_lstar_per_s: 9, crossfade_min_ms: 20000, crossfade_max_ms: 10000}\n"
    )
    problems = validate_paths([write(tmp_path, "bad.yaml", bad)], drivers=["hue", "simulated-hue"])
    said = {(line, key): (message, hint) for line, key, message, hint in found(problems)}
    assert set(said) == {
        (2, "timezone"),
        (5, "rooms[0].bridges[0].driver"),
        (9, "rooms[0].fixtures[1].id"),
        (9, "rooms[0].fixtures[1].bridge"),
        (9, "rooms[0].fixtures[1].zone"),
        (10, "rooms[0].fixtures[2].address"),
        (11, "rooms[0].resting.zones.wall"),
        (12, "rooms[0].presets[0]"),
        (13, "rooms[0].audio.ceiling_dba"),
        (14, "rooms[1].id"),
        (15, "web"),
        (16, "envelope.score_lstar_per_s"),
        (16, "envelope.crossfade_max_ms"),
    }
    assert said[(9, "rooms[0].fixtures[1].zone")] == ("no zone `windw`", "did you mean `window`?")
    assert said[(9, "rooms[0].fixtures[1].bridge")] == ("no bridge `heu`", "did you mean `hue`?")
    assert said[(10, "rooms[0].fixtures[2].address")][0] == "fixture `one` has this address already"
    assert said[(12, "rooms[0].presets[0]")][0] == f"no such file: {tmp_path / 'none.yaml'}"


def test_a_site_brings_its_files_and_their_names_with_it(tmp_path: Path) -> None:
    site = write(tmp_path, "stillroom.yaml", SITE + "profiles: [own]\nprompts: [words.yaml]\nlanguage: de\n")
    write(tmp_path, "words.yaml", "prompts: {rest: {audience: client, text: {en: Rest.}}}\n")
    own = write(
        tmp_path,
        "own/night.yaml",
        good(cues="[{prompt: rest, at_minute: 1}]") + "zone_factors: {window: 1}\n",
    )
    (problem,) = validate_paths([site])
    assert (problem.key, problem.message) == ("prompts.rest.text", "has no words in the site's language `de`")
    write(tmp_path, "own/twice.yaml", good())
    write(
        tmp_path, "own/zone.yaml", good().replace("profile: x", "profile: y") + "zone_factors: {curtain: 1}\n"
    )
    problems = validate_paths([site, own])
    assert {(Path(p.file).name, p.key) for p in problems} == {
        ("words.yaml", "prompts.rest.text"),
        ("twice.yaml", "profile"),
        ("zone.yaml", "zone_factors.curtain"),
    }


@pytest.mark.parametrize(
    ("content", "line", "message"),
    [
        (b"profile: x\nphases: [\n", 3, "not YAML"),
        (b"profile: x\n\ttitle: y\n", 2, "not YAML"),
        (b"", None, "empty"),
        (b"# nothing\n", None, "empty"),
        (b"- 1\n- 2\n", 1, "not a file of ours"),
        (b"profil: x\n", 1, "not a file of ours"),
        (b"a: 1\n---\nb: 2\n", 2, "not YAML"),
        (b"profile: \xff\n", 1, "not UTF-8"),
        (b"profile: x\ntitle: a\ntitle: b\nphases: []\n", 3, "written twice"),
        (b"profile: !!python/object:os.system x\n", 1, "tags like"),
        (b"x: " + b"a" * MAX_BYTES, None, "larger than"),
        (
            b"a: &a [x,x,x,x,x,x,x,x,x,x]\n"
            + b"".join(
                b"%c: &%c [%s]\n" % (98 + i, 98 + i, b",".join([b"*%c" % (97 + i)] * 10)) for i in range(8)
            ),
            None,
            "far too deeply",
        ),
        (b"a: &a [*a]\n", None, "far too deeply"),
        (b"[" * 5000, None, "far too deeply"),
    ],
)
def test_what_is_no_yaml_of_ours_is_one_clear_problem(
    tmp_path: Path, content: bytes, line: int | None, message: str
) -> None:
    path = tmp_path / "x.yaml"
    path.write_bytes(content)
    problems = validate_paths([path])
    assert [p.line for p in problems if message in p.message] == [line], problems


def test_missing_files_and_empty_folders_are_said(tmp_path: Path) -> None:
    problems = validate_paths([tmp_path / "no.yaml", tmp_path])
    assert [p.message for p in problems] == ["no YAML files in this folder", "no such file"]


def test_a_kind_from_elsewhere_joins_in(tmp_path: Path) -> None:
    class PoolFile(BaseModel):
        pool: str
        mood: int

    asked: list[Path] = []

    def own(path: Path) -> tuple[Problem, ...]:
        asked.append(path)
        return (Problem(str(path), 1, "pool", "bad"),)

    pools = FileKind(
        "pool", "pool", PoolFile, pools_of=lambda d: [str(d.data["pool"])] if isinstance(d.data, dict) else []
    )
    write(tmp_path, "pool.yaml", "pool: mine\nmood: x\n")
    write(tmp_path, "p.yaml", good(music="{pool: min, energy: 0, level_dba: 50}"))
    problems = validate_paths([tmp_path], kinds=(*OWN_KINDS, pools))
    assert [(p.line, p.key, p.hint) for p in problems] == [
        (7, "phases[0].music.pool", "did you mean `mine`?"),
        (2, "mood", ""),
    ]
    validate_paths([tmp_path], kinds=(*OWN_KINDS, FileKind("pool", "pool", PoolFile, validator=own)))
    assert asked == [tmp_path / "pool.yaml"]


def test_the_catalogue_lays_the_clinics_files_over_the_shipped_ones(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "stillroom.yaml",
        SITE.replace("  - id: a\n", "  - id: a\n    presets: [room.yaml]\n")
        + "profiles: [p.yaml, broken.yaml]\nprompts: [words.yaml]\npresets: [site.yaml]\n",
    )
    write(tmp_path, "p.yaml", good(cues="[{prompt: feet, at_minute: 1}]"))
    write(tmp_path, "broken.yaml", good(cues="[{prompt: fet, at_minute: 1}]"))
    write(
        tmp_path,
        "words.yaml",
        "prompts: {feet: {audience: client, audio: feet.wav, text: {de: Füße.}}}\n"
        "parts_of_day: {de: {morning: Morgen, afternoon: Nachmittag, evening: Abend, night: Nacht}}\n",
    )
    write(tmp_path, "site.yaml", "presets: {calm: {others: {brightness_percent: 5}}}\n")
    write(tmp_path, "room.yaml", "presets: {calm: {others: {brightness_percent: 9}}}\n")
    site = load_site(path)
    catalogue = load_catalogue(site)
    assert [(Path(p.file).name, p.line, p.hint) for p in catalogue.problems] == [
        ("broken.yaml", 8, "did you mean `feet`?")
    ]
    assert "psilocybin" in catalogue.profiles
    score = catalogue.score("x", site.room("a"), "de")
    assert score.phases[0].cues[0].text == "Füße."
    assert score.scenes["calm"].looks["window"].percent == pytest.approx(9)
    assert "path" in score.scenes
    assert catalogue.recordings["feet"] == tmp_path / "feet.wav"
    assert catalogue.files["x"] == tmp_path / "p.yaml"
    assert catalogue.spoken("{part_of_day}!", 20, "de-CH") == "Abend!"
    assert catalogue.spoken("{part_of_day}!", 20, "fr") == "evening!"


def test_unknown_names_come_with_the_nearest() -> None:
    catalogue = load_catalogue()
    with pytest.raises(UnknownNameError, match="did you mean `psilocybin`"):
        catalogue.profile("psylocibin")
    site = load_site(LIBRARY / "demo-site.yaml")
    with pytest.raises(UnknownNameError, match="did you mean `garden`"):
        site.room("gardn")


def test_a_file_that_a_bridges_option_names_lies_beside_the_site_file(tmp_path: Path) -> None:
    def options(file: str) -> dict[str, object]:
        path = tmp_path / "stillroom.yaml"
        path.write_text(
            "site: s\nrooms:\n  - id: garden\n    bridges:\n"
            f"      - {{id: lamps, driver: mqtt, options: {{password_file: {file}, username: room}}}}\n"
            "    zones: [{id: path}]\n    fixtures: [{id: f, bridge: lamps, address: f, zone: path}]\n"
        )
        return dict(load_site(path).site.rooms[0].bridges[0].options)

    assert options("lamps.password") == {
        "password_file": str(tmp_path / "lamps.password"),
        "username": "room",
    }
    assert options("/etc/lamps.password")["password_file"] == "/etc/lamps.password"


def test_a_site_that_cannot_be_used_raises_with_every_problem(tmp_path: Path) -> None:
    path = write(tmp_path, "s.yaml", "site: s\nrooms: [{id: r, zones: [], colour: red}]\n")
    with pytest.raises(InvalidFilesError) as caught:
        load_site(path)
    assert {p.key for p in caught.value.problems} == {"rooms[0].zones", "rooms[0].colour"}


def test_every_key_path_has_its_line() -> None:
    document = parse_document("a: 1\nb:\n  - x\n  - {c: 2,\n     d: 3}\n", "f")
    lines = dict(document.lines)
    assert lines == {
        (): 1,
        ("a",): 1,
        ("b",): 2,
        ("b", 0): 3,
        ("b", 1): 4,
        ("b", 1, "c"): 4,
        ("b", 1, "d"): 5,
    }
    assert document.line_of(("b", 1, "e", "f")) == 4


@settings(max_examples=80, deadline=None, derandomize=True)
@given(
    st.text(max_size=60)
    | st.sampled_from(["profile: x\n", "rooms:\n", "presets:\n", "prompts: {"]).flatmap(
        lambda start: st.text(":-{}[]\"'&*!|>#%@,? \n\tabx01", max_size=40).map(lambda end: start + end)
    )
)
def test_no_text_whatever_makes_reading_raise(text: str) -> None:
    document = parse_document(text, "x")
    for kind in OWN_KINDS:
        problems: Any = kind.problems(document, __import__("profiles.references", fromlist=["Known"]).Known())
        assert document.data is not None or problems


def test_reading_a_folder_as_a_file_is_a_problem(tmp_path: Path) -> None:
    assert read_document(tmp_path).problems[0].message == "not a file"
