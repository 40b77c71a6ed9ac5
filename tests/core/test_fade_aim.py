"""Aiming: a goal between levels, at an odd instant, is passed as nearly as a lamp can be told."""

from hypothesis import assume, given
from hypothesis import strategies as st

from controller.core.envelope import Limits
from controller.core.fade_aim import BEYOND_LSTAR, aimed, in_steps
from controller.core.lamp_model import LampTraits
from controller.core.light import Look, Mired
from controller.core.units import lerp, lstar_from_luminance, luminance_from_lstar

LIMITS, HUE = Limits(), LampTraits(100 / 254, 254)
WHITE = Mired(400.0)

levels = st.floats(min_value=8.0, max_value=98.0)


@given(levels, levels, st.integers(1_000, 60_000))
def test_a_goal_is_passed_as_nearly_as_a_lamp_can_be_timed(start: float, end: float, length: int) -> None:
    assume(abs(end - start) > 0.5)
    found = aimed(Look(start, WHITE), Look(end, WHITE), length, HUE, LIMITS)
    assert found is not None
    look, duration, until = found
    assert until == length
    assert duration % LIMITS.transition_step_ms == 0
    first, goal = luminance_from_lstar(start), luminance_from_lstar(end)
    passed = lerp(first, luminance_from_lstar(look.lstar), min(length / duration, 1.0))
    half_a_step = LIMITS.transition_step_ms / 2.0 / (length - LIMITS.transition_step_ms)
    assert abs(passed - goal) <= abs(goal - first) * half_a_step * 1.5 + 1e-9


@given(levels, levels, st.integers(300, 60_000))
def test_it_never_aims_further_beyond_than_may_be_left(start: float, end: float, length: int) -> None:
    assume(abs(end - start) > 0.5)
    found = aimed(Look(start, WHITE), Look(end, WHITE), length, HUE, LIMITS)
    assert found is not None
    beyond = (found[0].lstar - end) * (1.0 if end > start else -1.0)
    assert -1e-3 <= beyond <= max(BEYOND_LSTAR, 2.0 * HUE.half_step_lstar(min(end, found[0].lstar))) + 1e-6


def test_a_fast_fade_is_timed_by_the_level_where_the_clock_of_a_lamp_is_too_coarse() -> None:
    # 6 L* in 430 ms: with one level to aim at, in 400 or 500 ms, it would be 0.4 L* off at the end.
    found = aimed(Look(60.0, WHITE), Look(66.0, WHITE), 430, HUE, LIMITS)
    assert found is not None
    look, duration, _ = found
    passed = lerp(luminance_from_lstar(60.0), luminance_from_lstar(look.lstar), 430 / duration)
    assert abs(lstar_from_luminance(passed) - 66.0) < 0.2


def test_without_steps_or_without_a_change_there_is_nothing_to_aim() -> None:
    smooth = LampTraits(0.1, None)
    assert aimed(Look(40.0, WHITE), Look(50.0, WHITE), 1_000, smooth, LIMITS) is None
    assert aimed(Look(40.0, WHITE), Look(40.0, Mired(300.0)), 1_000, HUE, LIMITS) is None


def test_a_colour_that_no_white_lies_beyond_is_not_had_too_late() -> None:
    found = aimed(Look(20.3, Mired(420.0)), Look(18.1, Mired(500.0)), 30_000, HUE, LIMITS)
    assert found is not None
    look, duration, until = found
    share = min(until / duration, 1.0)
    assert isinstance(look.colour, Mired)
    assert abs(lerp(420.0, look.colour.value, share) - lerp(420.0, 500.0, until / 30_000)) <= 2.0


def test_the_floor_and_full_are_not_passed() -> None:
    for start, end in ((20.0, HUE.floor_lstar), (90.0, 100.0)):
        found = aimed(Look(start, WHITE), Look(end, WHITE), 2_030, HUE, LIMITS)
        assert found is not None
        assert HUE.floor_lstar - 1e-6 <= found[0].lstar <= 100.0


def test_durations_are_whole_steps() -> None:
    assert in_steps(1, LIMITS) == 100
    assert in_steps(149, LIMITS) == 200
    assert in_steps(149, LIMITS, nearest=True) == 100
    assert in_steps(10**9, LIMITS) == LIMITS.transition_max_ms
