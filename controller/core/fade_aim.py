"""Aiming a transition: which level and time to tell a lamp so that it passes a given look at a given instant.

A lamp is told one of a few hundred levels and a time in steps of 100 ms, and runs evenly in luminance. A goal
between its levels, or at an odd instant, is passed through on the way to a level beyond, where the next
transition takes over. This module must never aim so far beyond that a lamp which is left alone there, because
the next command comes late, would be seen to be wrong.
"""

from math import ceil, floor
from typing import Final

from controller.core.chords import extended
from controller.core.envelope import Limits
from controller.core.lamp_model import LampTraits, shown
from controller.core.light import Colour, Look, colour_distance_mired, mix_colours
from controller.core.units import lstar_from_luminance, luminance_from_lstar

BEYOND_LSTAR: Final = 0.5
"""The first level beyond a goal may always be aimed at; further ones while they are no farther than this."""
MOST_LEVELS: Final = 8
COLOUR_LATE_MIRED: Final = 2.0
"""No white lies beyond 500 mired: aimed beyond a goal of that colour, a lamp would have it too late."""


def aimed(
    live: Look, goal: Look, length_ms: int, traits: LampTraits, limits: Limits
) -> tuple[Look, int, int] | None:
    """Return what to tell a lamp, in how many ms, and after how many the next transition should take over.

    Of the levels beyond the goal, and the times around the right one for each, those that pass the goal
    nearest after ``length_ms``. Where no white lies beyond the goal's, the last level before it. None where
    the goal can only be told as it is: for a lamp without steps, or without a change.
    """
    start, end = luminance_from_lstar(live.lstar), luminance_from_lstar(goal.lstar)
    if traits.brightness_steps is None or abs(end - start) < 1e-9:
        return None
    best: tuple[float, int, float] | None = None
    for level in _levels_beyond(start, goal, traits):
        for duration_ms in _times_around(length_ms * (level - start) / (end - start), limits):
            if _colour_late(live.colour, goal.colour, duration_ms / length_ms) > COLOUR_LATE_MIRED:
                continue
            passed = start + (level - start) * min(length_ms / duration_ms, 1.0)
            found = (abs(lstar_from_luminance(passed) - goal.lstar), duration_ms, level)
            best = found if best is None or found[0] < best[0] - 1e-6 else best
    if best is None:
        return _before(live, goal, length_ms, traits, limits)
    _, duration_ms, level = best
    colour = extended(live.colour, goal.colour, max(duration_ms / length_ms, 1.0))
    return shown(Look(lstar_from_luminance(level), colour), traits), duration_ms, length_ms


def _before(
    live: Look, goal: Look, length_ms: int, traits: LampTraits, limits: Limits
) -> tuple[Look, int, int] | None:
    """End on the last level before the goal, where the curve passes it; None if that is here already."""
    start, end = luminance_from_lstar(live.lstar), luminance_from_lstar(goal.lstar)
    steps = traits.brightness_steps or 1
    share = ((floor(end * steps) if end > start else ceil(end * steps)) / steps - start) / (end - start)
    if length_ms * share < limits.transition_step_ms:
        return None
    level = lstar_from_luminance(start + (end - start) * share)
    part_ms = in_steps(length_ms * share, limits, nearest=True)
    return shown(Look(level, mix_colours(live.colour, goal.colour, share)), traits), part_ms, part_ms


def in_steps(duration_ms: float, limits: Limits, *, nearest: bool = False) -> int:
    """Return a duration in whole time steps, at least one, at most the longest a lamp keeps."""
    step = limits.transition_step_ms
    steps = round(duration_ms / step) if nearest else ceil(duration_ms / step - 1e-6)
    return min(max(steps, 1) * step, limits.transition_max_ms)


def _levels_beyond(start: float, goal: Look, traits: LampTraits) -> list[float]:
    """The levels to aim at, nearest first: the goal's own or the first beyond, and more within reach."""
    steps, end = traits.brightness_steps or 1, luminance_from_lstar(goal.lstar)
    way = 1 if end > start else -1
    first = ceil(end * steps - 1e-6) if way > 0 else floor(end * steps + 1e-6)
    found = []
    for number in range(MOST_LEVELS):
        level = (first + way * number) / steps
        if not traits.floor_luminance <= level <= 1.0:
            break
        if number > 0 and abs(lstar_from_luminance(level) - goal.lstar) > BEYOND_LSTAR:
            break
        found.append(level)
    return found


def _times_around(duration_ms: float, limits: Limits) -> list[int]:
    step = limits.transition_step_ms
    if duration_ms > limits.transition_max_ms:
        return []
    below, above = floor(duration_ms / step) * step, ceil(duration_ms / step) * step
    return sorted({max(below, step), max(above, step)})


def _colour_late(start: Colour, end: Colour, times: float) -> float:
    """How far (mired) from ``end`` the colour is when the goal is passed, since whites end somewhere."""
    if times <= 1.0:
        return 0.0
    return colour_distance_mired(mix_colours(start, extended(start, end, times), 1.0 / times), end)
