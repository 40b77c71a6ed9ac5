"""The envelope: the limits of safe change that nothing, from any source, can pass.

``approve_light`` is the last step before every lamp driver, ``approve_gain`` (``gain_envelope``) before the
player. Numbers are the design's promises 1 and 2; a site may only make them stricter. It must never let a
caller's authority raise a limit beyond the one written here, and never trust that a caller has kept one.

How a lamp's speed is judged: it runs a transition evenly in luminance, so its L* moves fastest at the
transition's dark end. That fastest instant must be inside the limit, and durations are stretched until it
is. One exception is written into the promise: help light may go from off to half in 3 s, judged by its
average, because it has to be one command for the whole room.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from math import ceil, isfinite
from typing import Final

from controller.core.lamp_model import (
    LampModel,
    begun,
    colour_at,
    look_at,
    luminance_at,
    shown,
    turned,
)
from controller.core.light import Colour, Look, Mired, as_xy, colour_distance_mired, mix_colours
from controller.core.units import clamp, lerp, lstar_from_luminance, lstar_slope, luminance_from_lstar

RATE_MARGIN: Final = 0.95
"""We use this much of a rate limit: a command reaches its lamp some ms late, and then has to hurry."""
WINDOW_MARGIN: Final = 1.1
"""The reversal window is kept this much longer, for the same reason."""
THRESHOLD_MARGIN: Final = 0.9
"""Inside the window brightness goes back by at most this much of the reversal threshold."""
AT_FLOOR: Final = 1.02
"""A lamp within this factor of its faintest glow may be switched off."""


class Authority(StrEnum):
    """On whose word a change is made; it decides which limits hold and which lane it takes."""

    SCORE = "score"
    THERAPIST = "therapist"
    HELP = "help"


class LooserLimitError(ValueError):
    """A site's limits would allow more than the shipped ones, or make no sense; one line for each."""

    def __init__(self, problems: Sequence[tuple[str, str]]) -> None:
        super().__init__("\n".join(f"{key}: {message}" for key, message in problems))
        self.problems = tuple(problems)


@dataclass(frozen=True, slots=True)
class Limits:
    """The envelope's numbers. Rates are per second of real time (see ``at_speed``).

    The last two are no matter of safety but of what lamps can be told: the step of a transition's time,
    and the longest one they keep.
    """

    score_lstar_per_s: float = 2.0
    score_mired_per_s: float = 2.0
    therapist_lstar_per_s: float = 25.0
    therapist_mired_per_s: float = 50.0
    help_fade_ms: int = 3_000
    help_percent: float = 50.0
    reversal_window_ms: int = 2_000
    reversal_luminance: float = 0.10
    gain_rise_db_per_s: float = 3.0
    gain_fall_score_db_per_s: float = 6.0
    gain_fall_therapist_db_per_s: float = 20.0
    silence_fade_min_ms: int = 3_000
    silence_fade_ms: int = 6_000
    crossfade_min_ms: int = 4_000
    crossfade_max_ms: int = 30_000
    true_peak_dbtp: float = -1.0
    ceiling_dba: float = 70.0
    transition_step_ms: int = 100
    transition_max_ms: int = 6_000_000

    def stricter(self, site: Mapping[str, float]) -> "Limits":
        """Return these limits with a site's own put in, each of which may only be stricter.

        Raises:
            LooserLimitError: with every value that is looser, unknown or no sensible number.
        """
        problems = [(key, fault) for key, value in site.items() if (fault := self._fault(key, value))]
        if problems:
            raise LooserLimitError(problems)
        merged = replace(self, **{key: type(getattr(self, key))(value) for key, value in site.items()})
        if merged.crossfade_min_ms > merged.crossfade_max_ms:
            raise LooserLimitError([("crossfade_min_ms", "is longer than crossfade_max_ms")])
        return replace(merged, silence_fade_ms=max(merged.silence_fade_ms, merged.silence_fade_min_ms))

    def _fault(self, key: str, value: float) -> str | None:
        if key not in _STRICTER_IS_LESS and key not in _STRICTER_IS_MORE:
            return f"unknown limit (known: {', '.join(sorted(_STRICTER_IS_LESS | _STRICTER_IS_MORE))})"
        if isinstance(value, bool) or not isfinite(value):
            return "expected a number"
        if key.endswith("_ms") and value != int(value):
            return "expected whole milliseconds"
        shipped = float(getattr(self, key))
        if key in _STRICTER_IS_LESS and value > shipped:
            return f"{value:g} is looser than the shipped limit; at most {shipped:g} is allowed"
        if key in _STRICTER_IS_MORE and value < shipped:
            return f"{value:g} is looser than the shipped limit; at least {shipped:g} is allowed"
        if value <= 0 and key not in ("true_peak_dbtp", "ceiling_dba"):
            return "must be above 0"
        return None

    def at_speed(self, speed: int) -> "Limits":
        """Return the limits in room time when ``speed`` room seconds pass in a real one.

        A rehearsal at 60 times the speed then still moves real lamps and real sound no faster than allowed.
        Crossfades and silences are parts of the programme and stay as long as they are in room time.
        """
        if speed == 1:
            return self
        rates = {name: getattr(self, name) / speed for name in _RATES}
        times = {name: getattr(self, name) * speed for name in _REAL_TIMES}
        return replace(self, **rates, **times)


_RATES: Final = (
    "score_lstar_per_s",
    "score_mired_per_s",
    "therapist_lstar_per_s",
    "therapist_mired_per_s",
    "gain_rise_db_per_s",
    "gain_fall_score_db_per_s",
    "gain_fall_therapist_db_per_s",
)
_REAL_TIMES: Final = ("help_fade_ms", "reversal_window_ms", "transition_step_ms", "transition_max_ms")
_STRICTER_IS_LESS: Final = frozenset(
    (*_RATES, "help_percent", "reversal_luminance", "crossfade_max_ms", "true_peak_dbtp", "ceiling_dba")
)
_STRICTER_IS_MORE: Final = frozenset(
    ("help_fade_ms", "reversal_window_ms", "silence_fade_min_ms", "silence_fade_ms", "crossfade_min_ms")
)


@dataclass(frozen=True, slots=True)
class Transition:
    """What a lamp is asked to do: go to ``look`` in ``duration_ms`` of room time, starting now.

    The lamp runs it evenly in luminance and in mired (or xy), as a Hue lamp does. ``look.lstar`` 0 with
    ``power_off`` set means off without a transition. A driver of lamps that live in real time divides the
    duration by the clock's speed.
    """

    look: Look
    duration_ms: int
    power_off: bool = False


@dataclass(frozen=True, slots=True)
class Approval:
    """What may be sent, and the lamp once it is.

    ``transition`` None: nothing may be sent now. ``again_ms``: the wish was not fulfilled whole; ask again
    then. ``others`` are the other lamps it might be (see ``approve_light``), each with the same transition.
    """

    model: LampModel
    transition: Transition | None
    again_ms: int | None = None
    others: tuple[LampModel, ...] = ()


def approve_light(
    model: LampModel,
    wanted: Look,
    duration_ms: int,
    authority: Authority,
    limits: Limits,
    now_ms: int,
    others: Sequence[LampModel] = (),
) -> Approval:
    """Return the transition nearest to a wish that the envelope allows, for any wish of anybody.

    ``limits`` are in room time (``Limits.at_speed``). ``others`` are further states the lamp might be in
    because a command's fate is unknown: the transition is then safe from every one of them.

    * Durations are stretched until the fastest instant is inside the authority's limit.
    * Help brightens only, to at most ``help_percent``, in ``help_fade_ms`` or more.
    * Off is two steps: down to the floor, then off without a transition; on is the same way back, first
      the floor alone. ``again_ms`` tells when the next step is due.
    * Brightness turning back by more than 10 % of luminance twice in the window is cut to less, until
      ``again_ms``.
    """
    lamps = [brought_up(lamp, limits, now_ms) for lamp in (model, *others)]
    if wanted.lstar <= 0.0:
        if not any(lamp.on for lamp in lamps):
            return Approval(lamps[0], None, None, tuple(lamps[1:]))
        if all(_at_floor(lamp, now_ms) for lamp in lamps):
            off = Look(0.0, wanted.colour)
            return _sent(lamps, Transition(off, 0, power_off=True), now_ms, None)
        ends = False
        goal = _floor_look(lamps[0], wanted.colour)
    elif not any(lamp.on for lamp in lamps):
        floor = _floor_look(lamps[0], wanted.colour)
        return _sent(lamps, Transition(floor, 0), now_ms, now_ms)
    else:
        ends = True
        goal = shown(wanted, lamps[0].traits)
    if authority is Authority.HELP:
        goal = _help_goal(lamps, goal, limits, now_ms)
        duration_ms = max(duration_ms, limits.help_fade_ms)
    allowed = _turn_limited(lamps, goal, limits, now_ms)
    if allowed is None:
        return Approval(lamps[0], None, _guard_end(lamps), tuple(lamps[1:]))
    reached, needed_ms = _in_time(lamps, allowed, authority, limits, now_ms)
    step = limits.transition_step_ms
    length = ceil(max(duration_ms, needed_ms, 0.0) / step - 1e-6) * step
    length = min(length, limits.transition_max_ms)
    again: int | None = None
    if not ends or reached != allowed:
        again = now_ms + length
    if allowed != goal:
        again = _guard_end(lamps)
    return _sent(lamps, Transition(reached, length), now_ms, again)


def needed_ms(lamp: LampModel, goal: Look, authority: Authority, limits: Limits, now_ms: int) -> float:
    """Return the least time (ms) that a transition from its live look to ``goal`` may take."""
    lstar_rate, mired_rate = rates(authority, limits)
    start = luminance_at(lamp, now_ms) if lamp.on else lamp.traits.floor_luminance
    end = luminance_from_lstar(goal.lstar)
    if authority is Authority.HELP and end >= start:
        return float(limits.help_fade_ms)
    brightness_s = abs(end - start) * lstar_slope(min(start, end)) / (lstar_rate * RATE_MARGIN)
    colour = colour_at(lamp, now_ms)
    colour_s = colour_length(colour, goal.colour) / (mired_rate * RATE_MARGIN) if lamp.on else 0.0
    return 1000.0 * max(brightness_s, colour_s)


def rates(authority: Authority, limits: Limits) -> tuple[float, float]:
    """Return an authority's fastest L* per second and mired per second; help moves as the therapist does."""
    if authority is Authority.SCORE:
        return limits.score_lstar_per_s, limits.score_mired_per_s
    return limits.therapist_lstar_per_s, limits.therapist_mired_per_s


def colour_length(start: Colour, end: Colour) -> float:
    """Return a colour fade's length in mired as its fastest instant feels, were it that fast all the way.

    A fade even in xy is not even in u'v': along a straight line its speed there goes with 1/d squared, d
    being the projection's divisor, so the fastest instant is ``max(d) / min(d)`` times the average.
    """
    length = colour_distance_mired(start, end)
    if isinstance(start, Mired) and isinstance(end, Mired):
        return length
    a, b = (-2.0 * xy.x + 12.0 * xy.y + 3.0 for xy in (as_xy(start), as_xy(end)))
    return length * max(a, b) / min(a, b)


def brought_up(lamp: LampModel, limits: Limits, now_ms: int) -> LampModel:
    """Return a lamp whose turns are told up to this instant."""
    window_ms = ceil(limits.reversal_window_ms * WINDOW_MARGIN)
    return replace(lamp, turns=turned(lamp, now_ms, limits.reversal_luminance, window_ms))


def _sent(lamps: Sequence[LampModel], transition: Transition, now_ms: int, again_ms: int | None) -> Approval:
    after = [begun(lamp, transition.look, transition.duration_ms, now_ms) for lamp in lamps]
    return Approval(after[0], transition, again_ms, tuple(after[1:]))


def _floor_look(lamp: LampModel, colour: Colour) -> Look:
    return shown(Look(lamp.traits.floor_lstar, colour), lamp.traits)


def _at_floor(lamp: LampModel, now_ms: int) -> bool:
    return not lamp.on or luminance_at(lamp, now_ms) <= lamp.traits.floor_luminance * AT_FLOOR


def _help_goal(lamps: Sequence[LampModel], goal: Look, limits: Limits, now_ms: int) -> Look:
    """Help never dims: the goal is at least what lives now, and what it adds ends at the help light.

    Of a lamp in doubt the dimmest state counts: it must not be thrown to full because it might be there.
    """
    live = min(look_at(lamp, now_ms).lstar for lamp in lamps)
    most = lstar_from_luminance(limits.help_percent / 100.0)
    traits = lamps[0].traits
    if live < min(goal.lstar, most):
        return shown(Look(min(goal.lstar, most), goal.colour), traits)
    kept = luminance_from_lstar(live)
    if traits.brightness_steps is not None:
        kept = ceil(kept * traits.brightness_steps - 1e-6) / traits.brightness_steps
    return shown(Look(lstar_from_luminance(kept), goal.colour), traits)


def _guard_end(lamps: Sequence[LampModel]) -> int:
    return max(turns.guard_until_ms for lamp in lamps for turns in lamp.turns)


def _turn_limited(lamps: Sequence[LampModel], goal: Look, limits: Limits, now_ms: int) -> Look | None:
    """Return the goal cut so that nothing turns inside its window; None if no goal would do."""
    back = limits.reversal_luminance * THRESHOLD_MARGIN
    low, high = 0.0, 1.0
    for turns in (turns for lamp in lamps for turns in lamp.turns):
        if now_ms >= turns.guard_until_ms:
            continue
        if turns.trend >= 0:
            low = max(low, turns.high - back)
        if turns.trend <= 0:
            high = min(high, turns.low + back)
    luminance = luminance_from_lstar(goal.lstar)
    if low <= luminance <= high:
        return goal
    if low > high or any(not low <= luminance_at(lamp, now_ms) <= high for lamp in lamps):
        # Whatever it was told would turn some lamp back, or take it over the edge: let it be until then.
        return None
    reached = clamp(luminance, low, high)
    lives = [luminance_at(lamp, now_ms) for lamp in lamps]
    if not min(luminance, max(lives)) - back <= reached <= max(luminance, min(lives)) + back:
        # One state may not turn yet, and what keeps it steady would throw another far past the wish: wait.
        return None
    cut = Look(lstar_from_luminance(reached), goal.colour)
    return shown(cut, lamps[0].traits)


def _in_time(
    lamps: Sequence[LampModel], goal: Look, authority: Authority, limits: Limits, now_ms: int
) -> tuple[Look, float]:
    """Return how far a lamp can be told to go in one transition, and the least time for it in ms."""
    needed = max(needed_ms(lamp, goal, authority, limits, now_ms) for lamp in lamps)
    if needed <= limits.transition_max_ms:
        return goal, needed
    share = limits.transition_max_ms / needed * 0.99
    live, end = luminance_at(lamps[0], now_ms), luminance_from_lstar(goal.lstar)
    colour = mix_colours(colour_at(lamps[0], now_ms), goal.colour, share)
    part = shown(Look(lstar_from_luminance(lerp(live, end, share)), colour), lamps[0].traits)
    return part, max(needed_ms(lamp, part, authority, limits, now_ms) for lamp in lamps)
