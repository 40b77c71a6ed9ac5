"""The planner: few native transitions hold any curve, and a lamp away from it comes in one way."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from light_world import MIN, EyeLamp, PathCurve, check_speeds

from controller.core.chords import chord_error
from controller.core.curves import Constant, Curve
from controller.core.envelope import Authority, Limits, approve_light
from controller.core.fade_planner import authority_left, is_gentle, on_curve, plan_next
from controller.core.lamp_model import LampModel, LampTraits, resting, shown
from controller.core.light import Look, Mired, Xy, colour_distance_mired, look_from_percent
from controller.core.units import lerp, lstar_from_luminance, lstar_from_percent, luminance_from_lstar

LIMITS = Limits()
FINE = LampTraits(100 / 254, None)
HUE = LampTraits(100 / 254, 254)


def led(
    model: LampModel, curve: Curve, until_ms: int, authority: Authority = Authority.SCORE
) -> tuple[EyeLamp, list[int]]:
    """Let a lamp be led along a curve, each command in time; returns it and when commands were sent."""
    now = model.start_ms
    lamp = EyeLamp(model.target.percent / 100, model.target.colour, now, model.traits.brightness_steps)
    sent: list[int] = []
    while now < until_ms:
        plan = plan_next(model, curve, authority, LIMITS, now)
        following = max(plan.next_at_ms, now + 1)
        if plan.look is not None:
            approval = approve_light(model, plan.look, plan.duration_ms, authority, LIMITS, now)
            if approval.transition is not None:
                lamp.take(approval.transition, now, authority.value)
                sent.append(now)
                stretched = approval.transition.duration_ms > plan.duration_ms
                following = max(approval.model.end_ms if stretched else plan.next_at_ms, now + 100)
            if approval.again_ms is not None:
                following = max(approval.again_ms, now + 100)
            model = approval.model
        now = following
    return lamp, sent


def gaps(
    lamp: EyeLamp, curve: Curve, from_ms: int, until_ms: int, step_ms: int, less: LampTraits = FINE
) -> tuple[float, float]:
    """Largest error in L* (less what the lamp's steps cost) and in mired, from the lamp's own history."""
    worst, worst_mired = 0.0, 0.0
    pieces = lamp.pieces
    index = 0
    for now in range(from_ms, until_ms, step_ms):
        while index + 1 < len(pieces) and pieces[index + 1].at_ms <= now:
            index += 1
        look = curve.look_at(now)
        error = abs(lstar_from_luminance(pieces[index].y(now)) - look.lstar)
        worst = max(worst, error - less.half_step_lstar(look.lstar))
        worst_mired = max(worst_mired, colour_distance_mired(pieces[index].colour(now), look.colour))
    return worst, worst_mired


points = st.lists(
    st.tuples(st.integers(2 * MIN, 90 * MIN), st.floats(4.0, 100.0), st.floats(155.0, 495.0)),
    min_size=2,
    max_size=8,
)


def gentle_curve(parts: list[tuple[int, float, float]], traits: LampTraits) -> PathCurve:
    """A curve that a score could hold: its corners can be told, its fades keep inside the limits."""
    at, made = 0, []
    last: Look | None = None
    for length_ms, lstar, mired in parts:
        look = shown(Look(lstar, Mired(mired)), traits)
        if last is not None:
            steep = max(abs(look.lstar - last.lstar), colour_distance_mired(look.colour, last.colour)) / 1.6
            at += max(length_ms, round(steep * 1000))
        made.append((at, look))
        last = look
    return PathCurve(tuple(made))


@settings(max_examples=50, deadline=None)
@given(points, st.sampled_from([FINE, HUE]))
def test_any_gentle_curve_is_held_within_a_tenth(
    parts: list[tuple[int, float, float]], traits: LampTraits
) -> None:
    curve = gentle_curve(parts, traits)
    end = curve.points[-1][0]
    lamp, _ = led(resting(curve.points[0][1], 0, traits), curve, end + 10 * MIN)
    worst, worst_mired = gaps(lamp, curve, 0, end, max(end // 1500, 50))
    # Between its two lowest steps a lamp of 254 has nothing to end a chord on.
    low = min(look.lstar for _, look in curve.points)
    assert worst <= (0.1 if traits.brightness_steps is None or low > 12 else 0.2)
    assert worst_mired <= 2.0
    check_speeds(lamp)


@settings(max_examples=50, deadline=None)
@given(points, st.floats(0.0, 100.0), st.floats(153.0, 500.0), st.sampled_from(list(Authority)))
def test_from_anywhere_it_comes_to_the_curve_and_stays(
    parts: list[tuple[int, float, float]], lstar: float, mired: float, authority: Authority
) -> None:
    curve = gentle_curve(parts, HUE)
    start = Look(lstar if lstar > 4 else 0.0, Mired(mired))
    by = Authority.THERAPIST if authority is Authority.HELP else authority
    lamp, sent = led(resting(start, 0, HUE), curve, curve.points[-1][0], by)
    check_speeds(lamp)
    rate = 2.0 if by is Authority.SCORE else 25.0
    mired_rate = 2.0 if by is Authority.SCORE else 50.0
    arrived = 5_000 + round(1000 * (2.2 * 100 / rate + 1.3 * 350 / mired_rate))
    if arrived < curve.points[-1][0]:
        worst, worst_mired = gaps(
            lamp, curve, arrived, curve.points[-1][0], max(curve.points[-1][0] // 1500, 97), HUE
        )
        assert worst <= 0.1
        assert worst_mired <= 2.5
    assert len([at for at in sent if at < arrived]) <= 120


def test_a_lamp_back_at_full_goes_down_and_only_down() -> None:
    curve = Constant(look_from_percent(2, 2000))
    lamp, sent = led(resting(Look(100.0, Mired(366.0)), 0, HUE), curve, 10 * MIN)
    levels = [lamp.pieces[0].from_y] + [piece.to_y for piece in lamp.pieces]
    assert levels == sorted(levels, reverse=True)
    check_speeds(lamp)
    mireds = [piece.to_colour.value for piece in lamp.pieces if isinstance(piece.to_colour, Mired)]
    assert mireds == sorted(mireds)
    dim_at = next(piece.at_ms for piece in lamp.pieces if piece.to_y < 0.021)
    assert dim_at < 70_000, "about (100 - 15) L* at 2 L*/s, not the four minutes of one transition"
    assert len(sent) < 30


@pytest.mark.parametrize(("mired", "end"), [(430.0, 500.0), (215.0, 153.0)])
def test_colour_is_not_late_where_whites_end(mired: float, end: float) -> None:
    # Between two levels a lamp is sent to the one beyond; its colour cannot be sent beyond the last white.
    start = shown(Look(14.0, Mired(mired)), HUE)
    curve = PathCurve(((0, start), (8 * MIN, Look(9.3, Mired(end)))))
    lamp, _ = led(resting(start, 0, HUE), curve, 8 * MIN)
    worst, worst_mired = gaps(lamp, curve, 0, 8 * MIN, 500, HUE)
    assert worst_mired <= 3.5
    assert worst <= 0.5
    check_speeds(lamp)


def test_a_long_constant_costs_nothing() -> None:
    curve = Constant(look_from_percent(35, 2500))
    start = shown(look_from_percent(35, 2500), HUE)
    _, sent = led(resting(start, 0, HUE), curve, 8 * 60 * MIN)
    assert sent == []


@given(st.floats(4.0, 100.0), st.sampled_from([Authority.SCORE, Authority.THERAPIST]))
def test_a_level_that_no_step_tells_is_held_by_the_nearest(lstar: float, authority: Authority) -> None:
    curve = Constant(Look(lstar, Mired(370.0)))
    lamp, sent = led(resting(Look(lstar_from_percent(100 / 254), Mired(370.0)), 0), curve, 6 * MIN, authority)
    assert max(sent, default=0) < 3 * MIN, "it came near and was told the same again and again"
    end = lamp.look(6 * MIN)
    assert not on_curve_anew(end, curve, authority)


def on_curve_anew(look: Look, curve: Curve, authority: Authority) -> bool:
    """Whether a lamp at rest with a look would be sent anything."""
    return plan_next(resting(look, 0), curve, authority, LIMITS, 0).look is not None


def test_fades_are_few_and_none_is_longer_than_lamps_keep() -> None:
    fade = PathCurve(
        ((0, look_from_percent(100, 2700)), (30 * MIN, Look(lstar_from_percent(2), Mired(500.0))))
    )
    lamp, sent = led(resting(fade.points[0][1], 0, HUE), fade, 31 * MIN)
    assert len(sent) < 30, "30 minutes; 30 s segments would be 60"
    slow = PathCurve(((0, look_from_percent(45, 2700)), (600 * MIN, look_from_percent(44.5, 2690))))
    lamp, sent = led(resting(slow.points[0][1], 0, HUE), slow, 601 * MIN)
    assert max(piece.over_ms for piece in lamp.pieces) <= 100 * MIN
    assert len(sent) < 10


def test_down_to_off_and_up_from_off() -> None:
    curve = PathCurve(
        (
            (0, look_from_percent(20, 2200)),
            (10 * MIN, Look(0.0, Mired(454.0))),
            (20 * MIN, Look(0.0, Mired(454.0))),
            (30 * MIN, look_from_percent(30, 2700)),
        )
    )
    lamp, _ = led(resting(look_from_percent(20, 2200), 0, HUE), curve, 31 * MIN)
    check_speeds(lamp)
    offs = [piece for piece in lamp.pieces if piece.why == "off"]
    ons = [piece for piece in lamp.pieces if piece.why.startswith("on")]
    assert [10 * MIN <= piece.at_ms <= 10 * MIN + 200 for piece in offs] == [True]
    assert len(ons) == 1
    wanted = curve.look_at(ons[0].at_ms)
    assert wanted.lstar == pytest.approx(HUE.floor_lstar, abs=0.1), "it comes on when the curve is there"
    assert gaps(lamp, curve, ons[0].at_ms, 31 * MIN, 500)[0] < 0.3


def test_a_level_below_the_floor_is_the_floor() -> None:
    curve = Constant(look_from_percent(0.1, 2200))
    lamp, _ = led(resting(Look(0.0, Mired(454.0)), 0, HUE), curve, MIN)
    assert lamp.y(MIN) == pytest.approx(1 / 254)


def test_a_step_to_come_is_not_begun_early() -> None:
    before, after = look_from_percent(10, 2200), look_from_percent(40, 2200)
    curve = PathCurve(((0, before), (10 * MIN - 1, before), (10 * MIN, after), (20 * MIN, after)))
    lamp, sent = led(resting(shown(before, HUE), 0, HUE), curve, 11 * MIN)
    assert sent[0] >= 10 * MIN - 100
    check_speeds(lamp)
    assert lamp.y(11 * MIN) == pytest.approx(0.4, abs=0.003)


def test_help_is_one_transition() -> None:
    start, goal = look_from_percent(2, 2000), look_from_percent(50, 2700)
    curve = PathCurve(((0, start), (3_000, goal)))
    lamp, sent = led(resting(start, 0, HUE), curve, 2_900, Authority.HELP)
    assert len(sent) == 1
    assert lamp.y(3_000) == pytest.approx(0.5, abs=0.002)
    again, resent = led(lamp_model_of(lamp, 1_000), curve, 1_500, Authority.HELP)
    assert len(resent) == 1
    assert again.pieces[-1].to_y == pytest.approx(0.5, abs=0.002)


def lamp_model_of(lamp: EyeLamp, at_ms: int) -> LampModel:
    return resting(shown(lamp.look(at_ms), HUE), at_ms, HUE)


def test_a_raised_authority_ends_on_a_gentle_curve() -> None:
    ramp = PathCurve(((0, look_from_percent(2, 2000)), (5_000, look_from_percent(40, 2700))))
    start = resting(look_from_percent(2, 2000), 0, HUE)
    assert on_curve(start, ramp, LIMITS, 0)
    assert not is_gentle(ramp, LIMITS, 0)
    assert authority_left(start, ramp, Authority.THERAPIST, LIMITS, 0) is Authority.THERAPIST
    there = resting(shown(look_from_percent(40, 2700), HUE), 5_000, HUE)
    assert authority_left(there, ramp, Authority.THERAPIST, LIMITS, 5_000) is Authority.SCORE
    bright = resting(look_from_percent(80, 2700), 0, HUE)
    help_curve = Constant(look_from_percent(50, 2700))
    assert authority_left(bright, help_curve, Authority.HELP, LIMITS, 0) is Authority.THERAPIST


def test_a_doubtful_lamp_is_brought_in_by_one_chord() -> None:
    curve = Constant(look_from_percent(2, 2000))
    dim, full = resting(look_from_percent(2, 2000), 0, HUE), resting(Look(100.0, Mired(366.0)), 0, HUE)
    plan = plan_next(dim, curve, Authority.SCORE, LIMITS, 0, (full,))
    assert plan.look is not None
    assert plan.look.percent == pytest.approx(2.0, abs=0.1)
    assert plan.duration_ms > 200_000
    approval = approve_light(dim, plan.look, plan.duration_ms, Authority.SCORE, LIMITS, 0, (full,))
    again = plan_next(approval.model, curve, Authority.SCORE, LIMITS, 1_000, approval.others)
    assert again.look is None
    assert again.next_at_ms == approval.model.end_ms


def test_colours_off_the_locus_run_straight() -> None:
    curve = PathCurve(((0, look_from_percent(10, 2200)), (20 * MIN, Look(40.0, Xy(0.58, 0.38)))))
    lamp, sent = led(resting(look_from_percent(10, 2200), 0, FINE), curve, 21 * MIN)
    worst, worst_mired = gaps(lamp, curve, 0, 21 * MIN, 1_000)
    assert worst <= 0.1
    assert worst_mired <= 2.0
    assert len(sent) < 20


@settings(deadline=None)
@given(st.floats(0.0, 100.0), st.floats(0.0, 100.0))
def test_the_chords_error_is_what_looking_finds(a: float, b: float) -> None:
    ya, yb = luminance_from_lstar(a), luminance_from_lstar(b)
    looked = max(abs(lstar_from_luminance(lerp(ya, yb, i / 500)) - lerp(a, b, i / 500)) for i in range(501))
    assert chord_error(a, b) == pytest.approx(looked, abs=0.02)
