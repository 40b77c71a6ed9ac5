"""The envelope for sound, and merging a site's own limits."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.core.envelope import Authority, Limits, LooserLimitError
from controller.core.gain_envelope import GainModel, approve_gain, clamp_crossfade, gain_at

LIMITS = Limits()
wishes = st.tuples(
    st.integers(0, 8_000),
    st.floats(-90.0, 30.0),
    st.one_of(st.just(0), st.integers(0, 20_000)),
    st.sampled_from(list(Authority)),
)


@settings(max_examples=200, deadline=None)
@given(st.floats(-60.0, 0.0), st.lists(wishes, max_size=30), st.floats(-20.0, 0.0))
def test_gain_rises_and_falls_no_faster_than_promised(
    start_db: float, requests: list[tuple[int, float, int, Authority]], ceiling_db: float
) -> None:
    start_db = min(start_db, ceiling_db)
    model, now = GainModel(0, start_db, start_db), 0
    for gap_ms, wanted_db, over_ms, authority in requests:
        now += gap_ms
        before = gain_at(model, now)
        model, ramp = approve_gain(model, wanted_db, over_ms, authority, LIMITS, now, ceiling_db)
        assert gain_at(model, now) == pytest.approx(before, abs=1e-9), "a jump"
        assert ramp.level_db <= ceiling_db + 1e-9
        assert ramp.level_db >= -60.0
        assert ramp.over_ms >= over_ms
        moved = (ramp.level_db - before) / max(ramp.over_ms, 1) * 1000
        fall = 6.0 if authority is Authority.SCORE else 20.0
        assert -fall * 1.001 <= moved <= 3.003 or abs(ramp.level_db - before) < 1e-6
        if ramp.level_db <= -60.0 < before:
            assert ramp.over_ms >= 3_000


def test_crossfades_stay_between_four_and_thirty_seconds() -> None:
    assert [clamp_crossfade(ms, LIMITS) for ms in (0, 4_000, 12_345, 90_000)] == [
        4_000,
        4_000,
        12_345,
        30_000,
    ]


def test_a_site_may_only_be_stricter() -> None:
    site = LIMITS.stricter({"therapist_lstar_per_s": 10, "silence_fade_min_ms": 8_000, "ceiling_dba": 60})
    assert (site.therapist_lstar_per_s, site.silence_fade_min_ms, site.ceiling_dba) == (10.0, 8_000, 60.0)
    assert site.silence_fade_ms == 8_000, "the usual silence is never shorter than the shortest"
    assert isinstance(site.silence_fade_min_ms, int)
    assert LIMITS.stricter({}) == LIMITS


def test_looser_unknown_and_senseless_limits_are_all_named_at_once() -> None:
    with pytest.raises(LooserLimitError) as caught:
        LIMITS.stricter(
            {
                "score_lstar_per_s": 3.0,
                "help_fade_ms": 1_000,
                "reversal_luminance": 0.0,
                "score_speed": 1.0,
                "crossfade_min_ms": float("nan"),
                "help_percent": 40.0,
            }
        )
    assert [key for key, _ in caught.value.problems] == [
        "score_lstar_per_s",
        "help_fade_ms",
        "reversal_luminance",
        "score_speed",
        "crossfade_min_ms",
    ]
    assert "at most 2 is allowed" in str(caught.value)
    with pytest.raises(LooserLimitError):
        LIMITS.stricter({"crossfade_min_ms": 20_000, "crossfade_max_ms": 10_000})


@given(st.sampled_from(["score_lstar_per_s", "gain_rise_db_per_s", "ceiling_dba"]), st.floats(0.01, 200))
def test_merging_never_loosens(key: str, value: float) -> None:
    try:
        merged = LIMITS.stricter({key: value})
    except LooserLimitError:
        return
    assert getattr(merged, key) <= getattr(LIMITS, key)
