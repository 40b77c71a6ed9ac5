"""A lamp in doubt at the envelope: never thrown to full by help, never thrown far past a wish by a turn."""

from dataclasses import replace

from controller.core.envelope import Authority, Limits, approve_light
from controller.core.lamp_model import Turns, resting
from controller.core.light import look_from_percent
from controller.core.units import luminance_from_lstar

LIMITS = Limits()
NOW = 10_000


def test_help_ends_at_half_of_a_lamp_that_might_stand_at_full() -> None:
    dim, full = resting(look_from_percent(2, 2700), 0), resting(look_from_percent(100, 2700), 0)
    for lamps in ((dim, full), (full, dim)):
        approval = approve_light(
            lamps[0], look_from_percent(80, 2700), 0, Authority.HELP, LIMITS, NOW, lamps[1:]
        )
        assert approval.transition is not None
        assert approval.transition.look.percent < 50.5
        assert approval.transition.duration_ms >= LIMITS.help_fade_ms


def test_help_leaves_a_lamp_as_bright_as_it_is_and_never_dims() -> None:
    bright = resting(look_from_percent(70, 2700), 0)
    approval = approve_light(bright, look_from_percent(50, 2700), 0, Authority.HELP, LIMITS, NOW)
    assert approval.transition is not None
    assert approval.transition.look.percent >= 70.0 - 0.5


def test_what_keeps_one_state_steady_does_not_throw_another() -> None:
    # One state has just risen to 80 % and may not turn back; the other rests at 20 %. The wish is 20 %.
    risen = replace(
        resting(look_from_percent(80, 2700), 0), turns=(Turns(1, 0.8, 0.8, NOW + 1_000, noted_ms=NOW),)
    )
    low = resting(look_from_percent(20, 2700), 0)
    wish = look_from_percent(20, 2700)
    approval = approve_light(low, wish, 0, Authority.THERAPIST, LIMITS, NOW, (risen,))
    if approval.transition is not None:
        assert luminance_from_lstar(approval.transition.look.lstar) < 0.3
    else:
        assert approval.again_ms == NOW + 1_000
