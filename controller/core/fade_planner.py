"""The fade planner: from a curve in L* and mired to the transitions that lamps run by themselves.

Theory of operation. A lamp runs a transition evenly in luminance; a curve runs evenly in L* between its
knots. So a transition is a chord under a bent line, and it errs most where the two slopes are equal
(``chord_error``). Following, the planner takes from the live level the longest chord that stays inside the
tolerance and asks to be called again at its end. Where that lies between two levels the lamp can be told,
the lamp is sent to the level beyond and taken over on its way. Away from the curve (an outage, a hand on
the switch, a lamp back at 100 %) it goes towards it in one direction at the speed its authority allows, and
then follows.

A long chord never stands in an override's way: a new transition takes over from the live level at once,
and the level is known because it is modelled. It must never plan from a readback, and never count on being
called in time: every plan starts from where the lamp is at ``now_ms``.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import ceil
from typing import Final

from controller.core.chords import chord_end
from controller.core.curves import Curve, From
from controller.core.envelope import RATE_MARGIN, Authority, Limits, colour_length, needed_ms, rates
from controller.core.fade_aim import aimed, in_steps
from controller.core.lamp_model import LampModel, LampTraits, look_at, luminance_at, shown
from controller.core.light import Look, colour_distance_mired, mix_colours
from controller.core.units import clamp, lerp, luminance_from_lstar

CHORD_LSTAR: Final = 0.075
"""How far a chord may leave the curve; with timing it stays under the promised 0.1 L*."""
START_LSTAR: Final = 0.03
"""How far from the curve a lamp may be and still be following it."""
COLOUR_MIRED: Final = 2.0
SETTLED_MIRED: Final = 1.0
SPREAD_LSTAR: Final = 1.0
"""When the levels a lamp might have lie further apart than this, it is brought in by one long chord."""
CONVERGE_SHARE: Final = 0.2
"""A converging chord spans this share of (L* + 16), so that its dark end is not much faster than the rest."""
GENTLE_SHARE: Final = 0.8
"""Of the score's limits: under a curve that uses all of them, a chord is too fast at its dark end."""
SHORTEST_STEPS: Final = 10
"""A converging transition lasts at least this many of the lamp's time steps (1 s)."""
MERGE_STEPS: Final = 5
"""From a level it can be told to the curve beside it, and back for a hold, it takes this many (0.5 s) …"""
MERGE_SHARE: Final = 0.5
"""… or more, so as to move at no more than this share of the score's limit."""
COLOUR_CHORD_STEPS: Final = 100
"""One that only waits for its colour lasts at most this many (10 s), so that brightness can follow."""
SAMPLES: Final = 8


@dataclass(frozen=True, slots=True)
class Plan:
    """What a lamp needs now. ``look`` None: nothing. Either way, plan again at ``next_at_ms``."""

    look: Look | None
    duration_ms: int
    next_at_ms: int


def plan_next(
    model: LampModel,
    curve: Curve,
    authority: Authority,
    limits: Limits,
    now_ms: int,
    others: Sequence[LampModel] = (),
    *,
    at_once: bool = False,
) -> Plan:
    """Return the next transition that brings a lamp to its curve or keeps it there.

    ``limits`` are in room time. ``others`` are further states that the lamp might be in. ``at_once``: a
    person has just asked, so what the lamp does by itself is not let run on because it fits for a while yet.
    The plan is a wish: the envelope still has the last word.
    """
    knot_ms = _next_knot(curve, now_ms, limits)
    if at_once and knot_ms - now_ms <= limits.transition_step_ms:
        curve = From(curve, knot_ms)
        knot_ms = _next_knot(curve, now_ms, limits)
    dark = curve.look_at(now_ms).lstar <= 0.0 and curve.look_at(knot_ms - 1).lstar <= 0.0
    if not model.on and not any(other.on for other in others):
        return _plan_dark(model.traits, curve, now_ms, knot_ms, at_once=at_once)
    if dark and all(_rests_at_floor(lamp, now_ms) for lamp in (model, *others)):
        return Plan(Look(0.0, curve.look_at(now_ms).colour), 0, knot_ms)
    if _in_doubt(model, others, now_ms):
        return _plan_long(model, curve, authority, limits, now_ms, others)
    if authority is Authority.HELP:
        plan = _plan_help(model, curve, limits, now_ms)
        if plan is not None:
            return plan
        authority = Authority.THERAPIST
    if knot_ms - now_ms <= limits.transition_step_ms:
        # A corner nearer than a lamp can be timed: go on from there.
        return Plan(None, 0, knot_ms)
    good_ms = _good_until(model, curve, limits, now_ms, knot_ms)
    if good_ms > now_ms and not (at_once and model.end_ms > now_ms):
        return Plan(None, 0, good_ms)
    if on_curve(model, curve, limits, now_ms):
        plan = _follow(model, curve, limits, now_ms, knot_ms)
        least = 0.0 if plan.look is None else needed_ms(model, plan.look, authority, limits, now_ms)
        if least <= plan.duration_ms + limits.transition_step_ms:
            return plan
    return _converge(model, curve, authority, limits, now_ms)


def on_curve(model: LampModel, curve: Curve, limits: Limits, now_ms: int, slack: float = 0.0) -> bool:
    """Say whether a lamp is where its curve is, as nearly as it can be told; ``slack`` (L*) more passes."""
    wish, live = _wish(curve, now_ms, model.traits), look_at(model, now_ms)
    if not model.on:
        return curve.look_at(now_ms).lstar < model.traits.floor_lstar
    near_in_colour = colour_distance_mired(live.colour, wish.colour) <= COLOUR_MIRED
    return near_in_colour and _bright_enough(model, curve, limits, now_ms, slack)


def is_gentle(curve: Curve, limits: Limits, now_ms: int) -> bool:
    """Say whether the score's own limits are enough to follow the curve for the next second."""
    lstar_rate, mired_rate = (GENTLE_SHARE * rate for rate in rates(Authority.SCORE, limits))
    step = SHORTEST_STEPS * limits.transition_step_ms
    seconds = step / 1000.0
    for at_ms in (now_ms, now_ms + step // 2, now_ms + step):
        a, b = curve.look_at(at_ms), curve.look_at(at_ms + step)
        if abs(a.lstar - b.lstar) > lstar_rate * seconds:
            return False
        if colour_distance_mired(a.colour, b.colour) > mired_rate * seconds:
            return False
    return True


def _next_knot(curve: Curve, now_ms: int, limits: Limits) -> int:
    """The curve's next corner, or the farthest instant a transition may end at."""
    until_ms = now_ms + limits.transition_max_ms
    knots = curve.knots(now_ms, until_ms)
    return knots[0] if knots else until_ms


def _wish(curve: Curve, at_ms: int, traits: LampTraits) -> Look:
    """What a lamp that is on should show: the curve, but never under its faintest glow."""
    look = curve.look_at(at_ms)
    return look if look.lstar >= traits.floor_lstar else Look(traits.floor_lstar, look.colour)


def _same(a: Look, b: Look) -> bool:
    return abs(a.lstar - b.lstar) < 1e-6 and colour_distance_mired(a.colour, b.colour) <= SETTLED_MIRED


def _rests_at_floor(lamp: LampModel, now_ms: int) -> bool:
    floor_lstar = lamp.traits.floor_lstar
    return not lamp.on or look_at(lamp, now_ms).lstar <= floor_lstar + 1e-6


def _in_doubt(model: LampModel, others: Sequence[LampModel], now_ms: int) -> bool:
    """Say whether the lamp's possible states differ, or are going to."""
    live = look_at(model, now_ms)
    for other in others:
        look = look_at(other, now_ms)
        if not _same(other.target, model.target) or abs(look.lstar - live.lstar) > SPREAD_LSTAR:
            return True
        if colour_distance_mired(look.colour, live.colour) > COLOUR_MIRED:
            return True
    return False


def _bright_enough(model: LampModel, curve: Curve, limits: Limits, now_ms: int, slack: float = 0.0) -> bool:
    wish = _wish(curve, now_ms, model.traits)
    near = slack + _tolerance(curve, limits, now_ms, START_LSTAR) + model.traits.half_step_lstar(wish.lstar)
    return abs(look_at(model, now_ms).lstar - wish.lstar) <= near


def _tolerance(curve: Curve, limits: Limits, at_ms: int, least: float) -> float:
    """L* that nobody can see: the least, or what the curve itself moves in one of the lamp's time steps."""
    step = limits.transition_step_ms
    return max(least, abs(curve.look_at(at_ms + step).lstar - curve.look_at(at_ms).lstar))


def _plan_dark(traits: LampTraits, curve: Curve, now_ms: int, knot_ms: int, *, at_once: bool) -> Plan:
    """An off lamp comes on when the curve reaches its faintest glow, or at once if it stays under it."""
    now, then = curve.look_at(now_ms), curve.look_at(knot_ms - 1)
    floor_lstar = traits.floor_lstar
    come_on = Plan(Look(max(now.lstar, floor_lstar), now.colour), 0, now_ms)
    if now.lstar >= floor_lstar:
        return come_on
    if at_once and then.lstar > 0.0:
        return come_on
    if then.lstar > floor_lstar:
        share = (floor_lstar - now.lstar) / (then.lstar - now.lstar)
        on_ms = now_ms + ceil(share * (knot_ms - now_ms))
        return Plan(None, 0, min(max(on_ms, now_ms + 1), knot_ms))
    if now.lstar > 0.0 and then.lstar >= now.lstar - 1e-9:
        return come_on
    return Plan(None, 0, knot_ms)


def _plan_help(model: LampModel, curve: Curve, limits: Limits, now_ms: int) -> Plan | None:
    """One transition to the help light; None for a lamp that is as bright already."""
    goal = shown(_wish(curve, now_ms + limits.help_fade_ms, model.traits), model.traits)
    if goal.lstar <= look_at(model, now_ms).lstar:
        return None
    if _same(model.target, goal) and model.end_ms > now_ms:
        return Plan(None, 0, model.end_ms)
    return Plan(goal, limits.help_fade_ms, now_ms + limits.help_fade_ms)


def _plan_long(
    model: LampModel,
    curve: Curve,
    authority: Authority,
    limits: Limits,
    now_ms: int,
    others: Sequence[LampModel],
) -> Plan:
    """One transition towards the curve that is safe from every state the lamp might be in.

    It ends beyond all of them, or it could lead a lamp up that is low already, only to bring it down again;
    and not far beyond, because its dark end sets its pace.
    """
    lamps = (model, *others)
    shortest = SHORTEST_STEPS * limits.transition_step_ms
    duration = float(shortest)
    goal = shown(_wish(curve, now_ms, model.traits), model.traits)
    for _ in range(3):
        goal = shown(_wish(curve, now_ms + round(duration), model.traits), model.traits)
        if authority is not Authority.HELP:
            goal = shown(_beyond_all(lamps, goal, now_ms), model.traits)
        least = max(needed_ms(lamp, goal, authority, limits, now_ms) for lamp in lamps)
        duration = clamp(least, shortest, limits.transition_max_ms)
    length = in_steps(duration, limits)
    if model.end_ms > now_ms and all(_same(lamp.target, model.target) for lamp in lamps):
        wish = _wish(curve, model.end_ms, model.traits)
        near = CHORD_LSTAR + model.traits.half_step_lstar(wish.lstar)
        led = curve.look_at(now_ms).lstar > 0.0 and _bright_enough(model, curve, limits, now_ms)
        in_time = led or model.end_ms <= now_ms + length
        if in_time and abs(wish.lstar - model.target.lstar) <= near:
            return Plan(None, 0, model.end_ms)
    return Plan(goal, length, now_ms + length)


def _beyond_all(lamps: Sequence[LampModel], goal: Look, now_ms: int) -> Look:
    """A goal that lies past every level a lamp might have, brought nearer to them."""
    lives = [look_at(lamp, now_ms).lstar for lamp in lamps]
    low = min(lives) - CONVERGE_SHARE * (min(lives) + 16.0)
    high = max(lives) + CONVERGE_SHARE * (max(lives) + 16.0)
    return Look(clamp(goal.lstar, max(low, lamps[0].traits.floor_lstar), high), goal.colour)


def _good_until(model: LampModel, curve: Curve, limits: Limits, now_ms: int, knot_ms: int) -> int:
    """Until when what the lamp does by itself is right; ``now_ms`` when it is not."""
    traits = model.traits
    if model.end_ms <= now_ms:
        settled = on_curve(model, curve, limits, now_ms) and _same(
            model.target, shown(_wish(curve, knot_ms - 1, traits), traits)
        )
        return knot_ms if settled else now_ms
    span = model.end_ms - now_ms
    points = {now_ms + span * i // SAMPLES for i in range(SAMPLES + 1)}
    points.update(curve.knots(now_ms, model.end_ms))
    holds = abs(curve.look_at(now_ms).lstar - curve.look_at(knot_ms - 1).lstar) < 1e-6
    for at_ms in points:
        wish, live = _wish(curve, at_ms, traits), look_at(model, at_ms)
        # It has to end on the curve: one that only passes through is taken over where it was planned to be.
        least = START_LSTAR if at_ms == model.end_ms else CHORD_LSTAR + START_LSTAR
        near = _tolerance(curve, limits, at_ms, least)
        if holds and at_ms <= knot_ms and _same(model.target, shown(wish, traits)):
            near += traits.half_step_lstar(wish.lstar)
        if abs(wish.lstar - live.lstar) > near:
            return now_ms
        if colour_distance_mired(wish.colour, live.colour) > COLOUR_MIRED:
            return now_ms
    return model.end_ms


def _follow(model: LampModel, curve: Curve, limits: Limits, now_ms: int, knot_ms: int) -> Plan:
    """The longest chord from the live look along the way to the curve's next corner."""
    traits = model.traits
    live, wish, corner = look_at(model, now_ms), curve.look_at(now_ms), curve.look_at(knot_ms - 1)
    span, whole = knot_ms - now_ms, corner.lstar - wish.lstar
    offset = abs(live.lstar - wish.lstar)
    merge = 1000.0 * offset / (limits.score_lstar_per_s * MERGE_SHARE)
    soon = max(MERGE_STEPS * limits.transition_step_ms, round(merge))
    if abs(whole) < 1e-6:
        target = shown(_wish(curve, now_ms, traits), traits).lstar
        length = span if abs(target - live.lstar) < 1e-6 else min(span, soon)
    else:
        tolerance = max(CHORD_LSTAR, abs(whole) / span * limits.transition_step_ms / 4.0)
        target = chord_end(live.lstar, corner.lstar, tolerance, traits.floor_lstar)
        share = clamp((target - wish.lstar) / whole, 0.0, 1.0)
        if share <= 0.0 and corner.lstar < traits.floor_lstar:
            # On its way to off and already at the floor.
            return Plan(None, 0, knot_ms)
        length = round(span * share)
        if offset > _tolerance(curve, limits, now_ms, START_LSTAR):
            length = min(length, soon)
    steps = traits.brightness_steps if abs(whole) >= 1e-6 else None
    length = (
        in_steps(length, limits, nearest=True) if steps is None else max(length, limits.transition_step_ms)
    )
    length = min(length, limits.transition_max_ms)
    share = min(length / span, 1.0)
    if abs(whole) >= 1e-6:
        target = max(lerp(wish.lstar, corner.lstar, share), traits.floor_lstar)
    # From the curve, not from the live colour: whole mired would round a slow fade away each time.
    colour = mix_colours(wish.colour, corner.colour, share)
    goal = Look(target, colour)
    aim = None if steps is None else aimed(live, goal, length, traits, limits)
    if aim is None:
        length = in_steps(length, limits, nearest=True)
        aim = shown(goal, traits), length, length
    look, duration, until = aim
    return Plan(look, duration, now_ms + until)


def _converge(model: LampModel, curve: Curve, authority: Authority, limits: Limits, now_ms: int) -> Plan:
    """Go towards the curve, never past it, as fast as the authority may.

    Brightness never waits for a colour that has farther to go: the colour comes along as far as it may.
    """
    live = look_at(model, now_ms)
    lstar_rate, mired_rate = rates(authority, limits)
    shortest = SHORTEST_STEPS * limits.transition_step_ms
    longest = COLOUR_CHORD_STEPS * limits.transition_step_ms
    span = max(CONVERGE_SHARE * (live.lstar + 16.0), lstar_rate * shortest / 1000.0)
    duration = float(shortest)
    if _bright_enough(model, curve, limits, now_ms):
        # Only the colour is away: as long as brightness can go with the curve meanwhile.
        tint = curve.look_at(now_ms).colour
        there = replace(model, start=Look(model.start.lstar, tint), target=Look(model.target.lstar, tint))
        chord = _follow(there, curve, limits, now_ms, _next_knot(curve, now_ms, limits)).duration_ms
        shortest = max(shortest, min(chord or longest, longest))
        duration = float(shortest)
    bright, goal = live, live
    for _ in range(4):
        goal = _wish(curve, now_ms + round(duration), model.traits)
        gap = goal.lstar - live.lstar
        lstar = goal.lstar if abs(gap) <= span else live.lstar + (span if gap > 0.0 else -span)
        bright = shown(Look(max(lstar, model.traits.floor_lstar), live.colour), model.traits)
        duration = max(needed_ms(model, bright, authority, limits, now_ms), shortest)
    length_ms = in_steps(duration, limits)
    colour_ms = 1000.0 * colour_length(live.colour, goal.colour) / (mired_rate * RATE_MARGIN)
    share = 1.0 if colour_ms <= length_ms else length_ms / colour_ms * 0.999
    told = shown(Look(bright.lstar, mix_colours(live.colour, goal.colour, share)), model.traits)
    return Plan(told, length_ms, now_ms + length_ms)


def authority_left(
    model: LampModel, curve: Curve, authority: Authority, limits: Limits, now_ms: int
) -> Authority:
    """Return whose limits a lamp still moves by: a raised authority ends when its curve is reached.

    Reached means on the curve, and the curve gentle enough for the score's limits. Help ends earlier, as the
    therapist's authority, for a lamp that help has nothing to add to.
    """
    if authority is Authority.SCORE:
        return authority
    if on_curve(model, curve, limits, now_ms) and is_gentle(curve, limits, now_ms):
        return Authority.SCORE
    if authority is Authority.HELP:
        live = luminance_at(model, now_ms)
        goal = luminance_from_lstar(curve.look_at(now_ms + limits.help_fade_ms).lstar)
        if live >= min(goal, limits.help_percent / 100.0) - 0.002:
            return Authority.THERAPIST
    return authority
