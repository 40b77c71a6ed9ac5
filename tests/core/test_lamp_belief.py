"""What is believed of a lamp in doubt: every past and every state it may have, and never too many of them."""

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from controller.core.envelope import Authority, Limits, approve_light, needed_ms
from controller.core.lamp_belief import MOST_STATES, Belief, commanded, distinct, refused
from controller.core.lamp_model import LampModel, Turns, begun, colour_at, look_at, resting
from controller.core.light import Look, Mired, look_from_percent
from controller.core.units import lstar_from_percent

LIMITS = Limits()
COOL, WARM = Mired(200.0), Mired(450.0)


def moving(start: float, end: float, at_ms: int, over_ms: int, mired: float = 370.0) -> LampModel:
    """A lamp on its way between two percents."""
    first = resting(Look(lstar_from_percent(start), Mired(mired)), at_ms)
    return begun(first, Look(lstar_from_percent(end), Mired(mired)), over_ms, at_ms)


def test_a_lamp_that_may_have_gone_either_way_keeps_both_pasts() -> None:
    # Told to go down from 60 % in a second: taken (then it turns going up again) or not (then it never did).
    now = 10_000
    rose = Turns(1, 0.6, 0.6, 0, noted_ms=now)
    fell = Turns(-1, 0.41, 0.42, now + 1_000, noted_ms=now)
    lamp = resting(look_from_percent(50, 2700), now)
    states = distinct((replace(lamp, turns=(rose,)), replace(lamp, turns=(fell,))), LIMITS, now)
    assert len(states) == 1
    assert {turns.meaning for turns in states[0].turns} == {rose.meaning, fell.meaning}
    up = look_from_percent(55, 2700)
    assert approve_light(states[0], up, 0, Authority.THERAPIST, LIMITS, now).transition is None
    later = now + 1_100
    back = approve_light(states[0], up, 0, Authority.THERAPIST, LIMITS, later)
    assert back.transition is not None


def test_pasts_that_mean_the_same_are_one_with_the_later_guard() -> None:
    now = 10_000
    lamp = resting(look_from_percent(50, 2700), now)
    pasts = [Turns(1, low, 0.5, now + ms, noted_ms=now) for low, ms in ((0.1, 100), (0.3, 900), (0.4, 500))]
    states = distinct(tuple(replace(lamp, turns=(past,)) for past in pasts), LIMITS, now)
    assert [turns.guard_until_ms for turns in states[0].turns] == [now + 900]


def test_a_turn_in_a_merged_past_is_counted_when_it_came_last() -> None:
    # One state passed its line just now, the other long ago: the later one decides.
    now = 20_000
    slow, fast = moving(60, 45, now - 1_000, 1_000), moving(90, 45, now - 9_000, 2_000)
    rising = Turns(1, 0.6, 0.6, 0)
    states = (replace(slow, turns=(rising,)), replace(fast, turns=(replace(rising, high=0.9),)))
    (one,) = distinct(states, LIMITS, now)
    assert max(turns.guard_until_ms for turns in one.turns) > now + 1_000


percents = st.floats(0.4, 100.0)
ramps = st.builds(
    moving, percents, percents, st.integers(0, 5_000), st.integers(0, 60_000), st.floats(153, 500)
)


@settings(max_examples=200, deadline=None)
@given(st.lists(ramps, min_size=MOST_STATES + 1, max_size=24), percents, st.integers(5_000, 90_000))
def test_bounds_are_safe_for_every_state_they_stand_for(
    states: list[LampModel], percent: float, now_ms: int
) -> None:
    kept = distinct(tuple(states), LIMITS, 5_000)
    assert replace(kept[0], turns=()) == replace(states[0], turns=())
    assert len(kept) <= MOST_STATES
    wish = Look(lstar_from_percent(percent), WARM)
    approval = approve_light(kept[0], wish, 0, Authority.THERAPIST, LIMITS, now_ms, kept[1:])
    if approval.transition is None:
        return
    for state in states:
        least = needed_ms(state, approval.transition.look, Authority.THERAPIST, LIMITS, now_ms)
        assert least <= approval.transition.duration_ms + 1e-6, state


def test_bounds_can_be_waited_for() -> None:
    # Put together anew at every look, they must not forbid for ever what they forbid now.
    states = tuple(moving(5 * i + 2, 97 - 5 * i, 0, 1_000 + i) for i in range(MOST_STATES + 4))
    belief = Belief(states[0], states[1:])
    guards = [
        max(turns.guard_until_ms for state in distinct((belief.model, *belief.others), LIMITS, now)
            for turns in state.turns)
        for now in (2_000, 9_000)
    ]  # fmt: skip
    assert guards[1] <= max(guards[0], 9_000)


def test_a_dark_lamp_that_half_took_a_command_may_have_its_old_colour() -> None:
    lit = resting(Look(lstar_from_percent(0.4), COOL), 0)
    dark = begun(lit, Look(0.0, WARM), 0, 1_000)
    assert look_at(dark, 2_000) == Look(0.0, COOL), "it goes out with the colour it had"
    approval = approve_light(dark, look_from_percent(30, 2222), 0, Authority.THERAPIST, LIMITS, 2_000)
    belief = refused(commanded(Belief(dark), approval, LIMITS, 2_000), LIMITS, 2_100)
    on = {colour_at(state, 2_200) for state in (belief.model, *belief.others) if state.on}
    assert on == {COOL, Mired(450.0)}
