"""What the words of a profile mean: light, fades, silences and cues, worked out by hand."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.core.envelope import Limits
from controller.core.light import Mired, Xy, as_xy, look_from_percent
from controller.core.score import Audience, PlannedSilence
from profiles.compile import compile_score
from profiles.models import ProfileModel
from profiles.presets import PresetModel, ZoneLookModel, colour_of, xy_from_hex
from profiles.prompts import PromptModel, fill, part_of_day, words_of
from profiles.site import EnvelopeModel, RoomModel, SiteModel, limits_of

MUSIC = {"pool": "warm", "energy": 0.5, "level_dba": 50.0}
PROMPTS = {
    "feet": PromptModel(audience=Audience.CLIENT, text={"en": "Feet.", "de": "Füße."}),
    "bp": PromptModel(audience=Audience.THERAPIST, text={"en": "Blood pressure."}),
}


def room(*zones: str) -> RoomModel:
    return RoomModel.model_validate({"id": "r", "zones": [{"id": zone} for zone in zones]})


def profile(**phase: Any) -> ProfileModel:
    whole = {
        "id": "p",
        "minutes": 60.0,
        "light": {"brightness_percent": 40.0, "kelvin": 2500.0},
        "music": MUSIC,
    }
    return ProfileModel.model_validate({"profile": "x", "title": "X", "phases": [whole | phase]})


def compiled(model: ProfileModel, *zones: str, language: str = "en") -> Any:
    return compile_score(model, room(*(zones or ("bedside",))), {}, PROMPTS, language)


def light(model: ProfileModel, *zones: str) -> Any:
    return compiled(model, *zones).phases[0].light


def test_brightness_is_percent_of_luminance_and_a_zone_gets_its_share() -> None:
    model = profile().model_copy(update={"zone_factors": {"ceiling": 0.5, "attic": 0.1}})
    (step,) = light(model, "ceiling", "bedside", "window")
    assert step.looks == {
        "ceiling": look_from_percent(20.0, 2500.0),
        "bedside": look_from_percent(40.0, 2500.0),
        "window": look_from_percent(40.0, 2500.0),
    }


def test_a_phase_may_give_a_zone_another_share_or_its_own_look() -> None:
    zones = {
        "ceiling": {"factor": 0.0},
        "path": {"brightness_percent": 3.0, "kelvin": 2000.0},
        "desk": {"factor": 2.0},
    }
    model = profile(light={"brightness_percent": 60.0, "kelvin": 2500.0, "zones": zones})
    (step,) = light(model.model_copy(update={"zone_factors": {"ceiling": 0.5}}), "ceiling", "path", "desk")
    assert step.looks["ceiling"].lstar == 0.0
    assert step.looks["path"] == look_from_percent(3.0, 2000.0)
    assert step.looks["desk"].percent == pytest.approx(100.0)


@pytest.mark.parametrize(
    ("minutes", "fade_ms"), [(60.0, 600_000), (30.0, 600_000), (15.0, 300_000), (5.0, 100_000)]
)
def test_without_a_word_a_fade_takes_a_third_of_the_phase_at_most_ten_minutes(
    minutes: float, fade_ms: int
) -> None:
    assert light(profile(minutes=minutes))[0].fade_ms == fade_ms


def test_steps_fade_from_one_another_each_in_its_own_time() -> None:
    steps = [
        {"at_minute": 20.0, "brightness_percent": 10.0, "kelvin": 2200.0, "fade_minutes": 2.5},
        {"at_minute": 54.0, "brightness_percent": 5.0, "kelvin": 2000.0},
    ]
    model = profile(light={"brightness_percent": 40.0, "kelvin": 2500.0, "steps": steps})
    offsets = [(step.offset_ms, step.fade_ms) for step in light(model)]
    assert offsets == [(0, 400_000), (1_200_000, 150_000), (3_240_000, 120_000)]


def test_silences_are_laid_out_past_the_end_for_when_the_phase_is_extended() -> None:
    music = MUSIC | {"silences": [{"every_minutes": 30.0, "for_minutes": 10.0}]}
    silences = compiled(profile(music=music)).phases[0].music.silences
    assert [(s.from_ms // 60_000, s.to_ms // 60_000) for s in silences] == [
        (20, 30),
        (50, 60),
        (80, 90),
        (110, 120),
    ]
    music = MUSIC | {"silences": [{"every_minutes": 40.0, "for_minutes": 5.0, "from_minute": 0.0}]}
    silences = compiled(profile(music=music)).phases[0].music.silences
    assert [(s.from_ms // 60_000, s.to_ms // 60_000) for s in silences] == [(0, 5), (40, 45), (80, 85)]


def test_silences_that_touch_are_one() -> None:
    written = [{"from_minute": 20.0, "to_minute": 30.0}, {"from_minute": 5.0, "to_minute": 20.0}]
    silences = compiled(profile(music=MUSIC | {"silences": written})).phases[0].music.silences
    assert silences == (PlannedSilence(300_000, 1_800_000),)


def test_silence_by_plan_is_no_pool() -> None:
    assert compiled(profile(music={"pool": "silence"})).phases[0].music.pool is None


def test_cues_by_the_phase_clock_and_by_interval() -> None:
    cues = [
        {"prompt": "bp", "every_minutes": 30.0, "until_minute": 100.0},
        {"prompt": "feet", "at_minute": 0.5, "ttl_s": 60},
        {"prompt": "feet", "at_minute": 40.0, "audience": Audience.THERAPIST},
    ]
    found = compiled(profile(cues=cues), language="de").phases[0].cues
    assert [(c.cue_id, c.offset_ms // 1000, c.text, c.audience.value, c.ttl_s) for c in found] == [
        ("p.feet.0.5", 30, "Füße.", "client", 60),
        ("p.bp.30", 1800, "Blood pressure.", "therapist", 300),
        ("p.feet.40", 2400, "Füße.", "therapist", 300),
        ("p.bp.60", 3600, "Blood pressure.", "therapist", 300),
        ("p.bp.90", 5400, "Blood pressure.", "therapist", 300),
    ]


def test_presets_leave_out_zones_a_room_has_not_and_keep_those_not_named() -> None:
    look = ZoneLookModel(brightness_percent=6.0, kelvin=2000.0)
    preset = PresetModel(zones={"path": look, "attic": look}, fade_s=2.5, returns_after_minutes=0.5)
    score = compile_score(profile(), room("bedside", "path"), {"p": preset}, PROMPTS)
    scene = score.scenes["p"]
    assert scene.looks == {"path": look_from_percent(6.0, 2000.0)}
    assert (scene.fade_ms, scene.returns_after_ms) == (2_500, 30_000)


def test_colours_are_read_as_on_a_screen() -> None:
    assert colour_of(ZoneLookModel(brightness_percent=1.0)) == Mired(1e6 / 2700)
    assert colour_of(ZoneLookModel(brightness_percent=1.0, xy=(0.5, 0.4))) == Xy(0.5, 0.4)
    red, white = as_xy(xy_from_hex("#ff0000")), as_xy(xy_from_hex("#ffffff"))
    # The sRGB primaries and D65 of IEC 61966-2-1.
    assert [red.x, red.y, white.x, white.y] == pytest.approx([0.64, 0.33, 0.3127, 0.3290], abs=1e-3)
    assert as_xy(xy_from_hex("#800000")).x == pytest.approx(red.x)
    assert xy_from_hex("#000000") == Mired(1e6 / 2700)


@pytest.mark.parametrize(
    ("hour", "part"),
    [
        (4, "night"),
        (5, "morning"),
        (11, "morning"),
        (12, "afternoon"),
        (17, "afternoon"),
        (18, "evening"),
        (22, "night"),
    ],
)
def test_the_part_of_the_day(hour: int, part: str) -> None:
    assert part_of_day(hour) == part
    assert fill("It is {part_of_day}.", hour) == f"It is {part}."


def test_words_come_in_the_nearest_language() -> None:
    prompt = PromptModel(audience=Audience.CLIENT, text={"de-CH": "a", "en": "b"})
    assert [words_of(prompt, language) for language in ("de-CH", "de", "en-GB", "fr")] == ["a", "a", "b", "b"]


def test_a_site_envelope_is_only_ever_stricter() -> None:
    of_lamps = {"transition_step_ms", "transition_max_ms"}  # what lamps can be told; nothing of safety
    assert set(EnvelopeModel.model_fields) == set(Limits.__dataclass_fields__) - of_lamps
    assert Limits(**EnvelopeModel().model_dump()) == Limits()
    site = SiteModel.model_validate(
        {
            "site": "s",
            "rooms": [{"id": "r", "zones": [{"id": "z"}], "audio": {"ceiling_dba": 60.0}}],
            "envelope": {"ceiling_dba": 65.0, "help_fade_ms": 4000},
        }
    )
    limits = limits_of(site, site.rooms[0])
    assert (limits.ceiling_dba, limits.help_fade_ms) == (60.0, 4000)


LOOSER = {
    "help_fade_ms": -1,
    "reversal_window_ms": -1,
    "silence_fade_min_ms": -1,
    "silence_fade_ms": -1,
    "crossfade_min_ms": -1,
}


@pytest.mark.parametrize("name", sorted(EnvelopeModel.model_fields))
def test_no_number_of_the_envelope_can_be_made_looser(name: str) -> None:
    shipped = getattr(Limits(), name)
    with pytest.raises(ValueError, match=name):
        EnvelopeModel.model_validate({name: shipped + LOOSER.get(name, 1)})


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    st.lists(
        st.tuples(st.floats(0.5, 300), st.floats(0, 100), st.floats(1500, 6500)), min_size=1, max_size=8
    ),
    st.dictionaries(st.sampled_from(["a", "b", "c"]), st.floats(0, 2), max_size=3),
)
def test_every_zone_has_a_look_in_every_phase_and_fades_end_in_time(
    phases: list[tuple[float, float, float]], factors: dict[str, float]
) -> None:
    written = [
        {
            "id": f"p{i}",
            "minutes": m,
            "light": {"brightness_percent": b, "kelvin": k},
            "music": {"pool": "silence"},
        }
        for i, (m, b, k) in enumerate(phases)
    ]
    model = ProfileModel.model_validate(
        {"profile": "x", "title": "X", "phases": written, "zone_factors": factors}
    )
    score = compile_score(model, room("a", "b"), {}, {})
    assert set(score.resting) == {"a", "b"}
    assert score == compile_score(model, room("a", "b"), {}, {})
    for phase in score.phases:
        assert set(phase.light[0].looks) == {"a", "b"}
        assert 0 <= phase.light[0].fade_ms <= phase.length_ms
        assert all(0 <= look.lstar <= 100 for look in phase.light[0].looks.values())
