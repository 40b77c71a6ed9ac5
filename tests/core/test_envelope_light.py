"""The envelope for light: for any wish of anybody, an eye sees no lamp change faster than promised."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from light_world import EyeLamp, check_speeds, check_turns, turn_times

from controller.core.envelope import Authority, Limits, approve_light
from controller.core.lamp_model import LampModel, LampTraits, look_at, resting
from controller.core.light import Colour, Look, Mired, Xy, look_from_percent
from controller.core.units import lstar_from_percent

LIMITS = Limits()
DARK = Look(0.0, Mired(370.0))

colours: st.SearchStrategy[Colour] = st.one_of(
    st.floats(153, 500).map(Mired),
    st.tuples(st.floats(0.15, 0.65), st.floats(0.1, 0.4)).map(lambda p: Xy(*p)),
)
lstars = st.one_of(st.just(0.0), st.just(100.0), st.floats(0.5, 100.0))
looks = st.builds(Look, lstars, colours)
wishes = st.tuples(
    st.one_of(st.integers(0, 400), st.integers(0, 6_000), st.integers(0, 200_000)),
    looks,
    st.one_of(st.just(0), st.integers(0, 20_000)),
    st.sampled_from(list(Authority)),
)
steps = st.sampled_from([254, None])


def live(
    start: Look, requests: list[tuple[int, Look, int, Authority]], limits: Limits, steps: int | None
) -> EyeLamp:
    traits = LampTraits(100 / 254, steps)
    model = resting(start if start.lstar == 0 else look_at(resting(start, 0), 0), 0, traits)
    lamp = EyeLamp(start.percent / 100, start.colour, 0, steps)
    now = 0
    for gap_ms, wanted, duration_ms, authority in requests:
        now += gap_ms
        model = asked(model, lamp, wanted, duration_ms, authority, limits, now)
    return lamp


def asked(
    model: LampModel,
    lamp: EyeLamp,
    wanted: Look,
    duration: int,
    authority: Authority,
    limits: Limits,
    now: int,
) -> LampModel:
    approval = approve_light(model, wanted, duration, authority, limits, now)
    if approval.transition is not None:
        lamp.take(approval.transition, now, authority.value)
    assert lamp.look(now).lstar == pytest.approx(look_at(approval.model, now).lstar, abs=1e-6)
    return approval.model


@settings(max_examples=300, deadline=None)
@given(looks, st.lists(wishes, max_size=25), steps)
def test_whatever_is_asked_no_lamp_is_sudden(
    start: Look, requests: list[tuple[int, Look, int, Authority]], steps: int | None
) -> None:
    lamp = live(start, requests, LIMITS, steps)
    check_speeds(lamp)
    check_turns(lamp)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 700),
            st.sampled_from([look_from_percent(p, 2700) for p in (1, 20, 50, 100)]),
            st.just(0),
            st.sampled_from([Authority.THERAPIST, Authority.HELP]),
        ),
        min_size=10,
        max_size=60,
    )
)
def test_nothing_strobes(requests: list[tuple[int, Look, int, Authority]]) -> None:
    lamp = live(look_from_percent(40, 2700), requests, LIMITS, 254)
    check_turns(lamp)


def test_a_turn_inside_the_window_says_when_to_ask_again() -> None:
    full, dim = look_from_percent(100, 2700), look_from_percent(40, 2700)
    lamp, model, now = EyeLamp(0.4), resting(dim, 0), 0
    for wanted in (full, dim):
        approval = approve_light(model, wanted, 0, Authority.THERAPIST, LIMITS, now)
        assert approval.again_ms is None
        assert approval.transition is not None
        lamp.take(approval.transition, now, "therapist")
        model, now = approval.model, approval.model.end_ms
    assert len(turn_times(lamp)) == 1
    early = approve_light(model, full, 0, Authority.THERAPIST, LIMITS, now)
    assert early.transition is not None
    assert 40.0 < early.transition.look.percent < 50.0
    assert early.again_ms is not None
    assert early.again_ms >= turn_times(lamp)[0] + 2_000
    later = approve_light(early.model, full, 0, Authority.THERAPIST, LIMITS, early.again_ms)
    assert later.again_ms is None
    assert later.model.target.percent == pytest.approx(100.0)


def test_score_and_therapist_are_stretched_to_their_fastest_instant() -> None:
    model = resting(look_from_percent(100, 2700), 0)
    by_score = approve_light(model, look_from_percent(2, 2700), 0, Authority.SCORE, LIMITS, 0)
    by_hand = approve_light(model, look_from_percent(2, 2700), 0, Authority.THERAPIST, LIMITS, 0)
    assert by_score.transition is not None
    assert by_hand.transition is not None
    assert 240_000 < by_score.transition.duration_ms < 300_000
    assert 19_000 < by_hand.transition.duration_ms < 24_000


def test_help_is_half_in_three_seconds_and_never_dims() -> None:
    dim = resting(look_from_percent(2, 2000), 0)
    wanted = look_from_percent(50, 2700)
    approval = approve_light(dim, wanted, 0, Authority.HELP, LIMITS, 0)
    assert approval.transition is not None
    assert approval.transition.duration_ms == 3_000
    assert approval.transition.look.percent == pytest.approx(50.0, abs=0.2)
    bright = resting(look_from_percent(80, 2700), 0)
    kept = approve_light(bright, wanted, 0, Authority.HELP, LIMITS, 0)
    assert kept.transition is not None
    assert kept.transition.look.percent == pytest.approx(80.0, abs=0.4)
    capped = approve_light(dim, look_from_percent(100, 2700), 0, Authority.HELP, LIMITS, 0)
    assert capped.transition is not None
    assert capped.transition.look.percent == pytest.approx(50.0, abs=0.2)


def test_off_is_the_floor_first_and_on_comes_up_at_it() -> None:
    model, now = resting(look_from_percent(10, 2200), 0), 0
    down = approve_light(model, DARK, 5_000, Authority.THERAPIST, LIMITS, now)
    assert down.transition is not None
    assert not down.transition.power_off
    assert down.model.target.lstar == pytest.approx(down.model.traits.floor_lstar)
    assert down.again_ms == down.model.end_ms
    off = approve_light(down.model, DARK, 5_000, Authority.THERAPIST, LIMITS, down.again_ms)
    assert off.transition is not None
    assert off.transition.power_off
    assert off.transition.duration_ms == 0
    assert off.again_ms is None
    now = off.model.start_ms + 1_000
    on = approve_light(off.model, look_from_percent(50, 2700), 5_000, Authority.HELP, LIMITS, now)
    assert on.transition is not None
    assert on.transition.look.lstar == pytest.approx(lstar_from_percent(100 / 254))
    assert on.again_ms == now
    assert approve_light(off.model, DARK, 0, Authority.SCORE, LIMITS, now).transition is None


@settings(max_examples=150, deadline=None)
@given(looks, looks, looks, st.integers(0, 30_000), st.sampled_from([Authority.SCORE, Authority.THERAPIST]))
def test_a_doubtful_lamp_is_safe_in_either_state(
    a: Look, b: Look, wanted: Look, after_ms: int, authority: Authority
) -> None:
    first = resting(a, 0)
    taken = approve_light(first, b, 0, Authority.THERAPIST, LIMITS, 0)
    approval = approve_light(first, wanted, 0, authority, LIMITS, after_ms, (taken.model,))
    for was_taken in (False, True):
        lamp = EyeLamp(a.percent / 100, a.colour, 0)
        if was_taken and taken.transition is not None:
            lamp.take(taken.transition, 0, "therapist")
        if approval.transition is not None:
            if approval.transition.power_off and lamp.y(after_ms) == 0.0:
                continue
            lamp.take(approval.transition, after_ms, authority.value)
        check_speeds(lamp)


def test_a_rehearsal_is_no_faster_for_a_real_lamp() -> None:
    fast = LIMITS.at_speed(60)
    model = resting(look_from_percent(50, 2700), 0)
    room = approve_light(model, look_from_percent(10, 2200), 0, Authority.SCORE, fast, 0)
    real = approve_light(model, look_from_percent(10, 2200), 0, Authority.SCORE, LIMITS, 0)
    assert room.transition is not None
    assert real.transition is not None
    assert room.transition.duration_ms / 60 == pytest.approx(real.transition.duration_ms, abs=1)
    assert fast.help_fade_ms == 180_000
    assert LIMITS.at_speed(1) is LIMITS


def test_no_transition_outlasts_a_lamps_patience() -> None:
    slow = LIMITS.stricter({"score_lstar_per_s": 0.05})
    model, now, wanted = resting(look_from_percent(100, 2700), 0), 0, look_from_percent(1, 2700)
    seen = [100.0]
    for _ in range(10):
        approval = approve_light(model, wanted, 0, Authority.SCORE, slow, now)
        assert approval.transition is not None
        assert approval.transition.duration_ms <= 6_000_000
        seen.append(approval.transition.look.percent)
        model = approval.model
        if approval.again_ms is None:
            break
        now = approval.again_ms
    assert seen == sorted(seen, reverse=True)
    assert seen[-1] == pytest.approx(1.0, abs=0.2)
