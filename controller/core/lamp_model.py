"""A lamp as we believe it to be: the transition it runs, and so its look at any instant.

Bridges read back a fade's target, not its live level, so the level is modelled from what was sent. A lamp
runs a transition evenly in luminance and in mired (or xy), and a new one takes over from the live level.
This module must never take a readback for a live level, and never decide what is safe: that is the
envelope's.
"""

from dataclasses import dataclass, field, replace
from typing import Final

from controller.core.light import Colour, Look, Mired, mix_colours
from controller.core.units import clamp, lerp, lstar_from_luminance, luminance_from_lstar

HUE_STEPS: Final = 254
_TINY: Final = 1e-9


@dataclass(frozen=True, slots=True)
class LampTraits:
    """What a lamp can be told.

    ``floor_percent`` is the dimmest it glows without being off. ``brightness_steps`` is into how many even
    steps of luminance a target is cut (Hue 254); None for a lamp without steps. Whites are told in whole
    mired.
    """

    floor_percent: float = 0.4
    brightness_steps: int | None = HUE_STEPS

    @property
    def floor_luminance(self) -> float:
        """The faintest luminance it can show, as it can be told it."""
        floor = clamp(self.floor_percent / 100.0, 1e-4, 1.0)
        steps = self.brightness_steps
        return floor if steps is None else max(round(floor * steps), 1) / steps

    @property
    def floor_lstar(self) -> float:
        """L* of its faintest glow."""
        return lstar_from_luminance(self.floor_luminance)

    def half_step_lstar(self, lstar: float) -> float:
        """How far, in L*, the nearest look it can be told may lie from ``lstar``."""
        if self.brightness_steps is None:
            return 0.0
        luminance = max(luminance_from_lstar(lstar), self.floor_luminance)
        half = 0.5 / self.brightness_steps
        # Downwards, where L* is steeper: a level between two steps is often nearer to the fainter one.
        return lstar_from_luminance(luminance) - lstar_from_luminance(max(luminance - half, 0.0))


@dataclass(frozen=True, slots=True)
class Turns:
    """Which way brightness last went, to see when it turns back (luminance 0 to 1).

    ``trend`` is +1 rising, -1 falling, 0 not known. ``low`` and ``high`` are the extremes since the last
    turn, up to ``noted_ms``. Before ``guard_until_ms`` it may not turn again. ``known`` False: which way it
    went before is lost (a restart), so the first way it goes may be a turn and counts as one.
    """

    trend: int = 0
    low: float = 1.0
    high: float = 0.0
    guard_until_ms: int = 0
    known: bool = True
    noted_ms: int = 0

    @property
    def meaning(self) -> tuple[int, float, float, bool]:
        """What decides when it turns next; two pasts that agree in it differ in their guards alone."""
        if self.trend == 0:
            return 0, self.low, self.high, self.known
        extreme = self.high if self.trend > 0 else self.low
        return self.trend, extreme, extreme, True


@dataclass(frozen=True, slots=True)
class LampModel:
    """One lamp: from ``start`` at ``start_ms`` to ``target`` in ``duration_ms``, then at rest.

    A lamp that is off has ``on`` False and both looks at L* 0. ``turns`` are all the pasts it may have had:
    after a command in doubt nobody knows which way it last went.
    """

    on: bool
    start_ms: int
    start: Look
    target: Look
    duration_ms: int = 0
    traits: LampTraits = field(default_factory=LampTraits)
    turns: tuple[Turns, ...] = (Turns(),)

    @property
    def end_ms(self) -> int:
        """When its transition is over."""
        return self.start_ms + self.duration_ms


def resting(look: Look, now_ms: int, traits: LampTraits | None = None) -> LampModel:
    """Return a lamp at rest with a look; off when L* is 0."""
    luminance = luminance_from_lstar(look.lstar)
    turns = Turns(low=luminance, high=luminance, noted_ms=now_ms)
    return LampModel(look.lstar > 0.0, now_ms, look, look, 0, traits or LampTraits(), (turns,))


def progress(model: LampModel, now_ms: int) -> float:
    """Return how much of its transition has run, 0 to 1."""
    if model.duration_ms <= 0 or now_ms >= model.end_ms:
        return 1.0
    return max((now_ms - model.start_ms) / model.duration_ms, 0.0)


def luminance_at(model: LampModel, now_ms: int) -> float:
    """Return its relative luminance (0 to 1) at an instant."""
    start, target = (luminance_from_lstar(look.lstar) for look in (model.start, model.target))
    return lerp(start, target, progress(model, now_ms))


def colour_at(model: LampModel, now_ms: int) -> Colour:
    """Return its colour at an instant (an off lamp's is what it would come on with)."""
    return mix_colours(model.start.colour, model.target.colour, progress(model, now_ms))


def look_at(model: LampModel, now_ms: int) -> Look:
    """Return its look at an instant."""
    fraction = progress(model, now_ms)
    if fraction >= 1.0:
        return model.target
    return Look(lstar_from_luminance(luminance_at(model, now_ms)), colour_at(model, now_ms))


def shown(look: Look, traits: LampTraits) -> Look:
    """Return the nearest look the lamp can be told, in its steps and whole mired.

    What is fainter than its floor, but not off, is the floor.
    """
    colour = Mired(float(round(look.colour.value))) if isinstance(look.colour, Mired) else look.colour
    if look.lstar <= 0.0:
        return Look(0.0, colour)
    luminance = clamp(luminance_from_lstar(look.lstar), traits.floor_luminance, 1.0)
    if traits.brightness_steps is not None:
        luminance = round(luminance * traits.brightness_steps) / traits.brightness_steps
    return Look(lstar_from_luminance(luminance), colour)


def begun(model: LampModel, target: Look, duration_ms: int, now_ms: int) -> LampModel:
    """Return the lamp with a new transition begun, from where it lives now. ``turns`` are as they were."""
    if target.lstar <= 0.0:
        dark = Look(0.0, colour_at(model, now_ms))
        return replace(model, on=False, start_ms=now_ms, start=dark, target=dark, duration_ms=0)
    start = look_at(model, now_ms)
    if not model.on:
        start = Look(min(model.traits.floor_lstar, target.lstar), target.colour)
    if duration_ms <= 0:
        start = target
    return replace(
        model, on=True, start_ms=now_ms, start=start, target=target, duration_ms=max(duration_ms, 0)
    )


def turned(model: LampModel, now_ms: int, threshold: float, window_ms: int) -> tuple[Turns, ...]:
    """Return its turns brought up to an instant.

    A turn is counted when luminance has gone back from its extreme by more than ``threshold``; from then
    on, for ``window_ms``, the next is not allowed.
    """
    last = luminance_at(model, now_ms)
    return tuple(_turned(turns, model, last, now_ms, threshold, window_ms) for turns in model.turns)


def _turned(
    turns: Turns, model: LampModel, last: float, now_ms: int, threshold: float, window_ms: int
) -> Turns:
    # What it did before they were noted may have been another lamp's past: only the way since counts.
    since_ms = max(turns.noted_ms, model.start_ms)
    first = luminance_at(model, since_ms)
    low, high = min(turns.low, first, last), max(turns.high, first, last)
    if turns.trend == 0:
        way = 1 if last - low > threshold + _TINY and last >= first else 0
        way = -1 if not way and high - last > threshold + _TINY and last <= first else way
        if not way:
            return Turns(0, low, high, turns.guard_until_ms, turns.known, now_ms)
        guard_ms = turns.guard_until_ms
        if not turns.known:
            # Where it stood is not known either, so it may have passed any line as late as it still moved.
            guard_ms = max(guard_ms, min(max(model.end_ms, since_ms), now_ms) + window_ms)
        return Turns(way, last, last, guard_ms, noted_ms=now_ms)
    passed = high - threshold if turns.trend > 0 else low + threshold
    if (passed - last) * turns.trend <= _TINY:
        return Turns(turns.trend, low, high, turns.guard_until_ms, noted_ms=now_ms)
    passed_ms = max(_passed_ms(model, passed, now_ms), min(since_ms, now_ms))
    return Turns(-turns.trend, last, last, passed_ms + window_ms, noted_ms=now_ms)


def _passed_ms(model: LampModel, luminance: float, now_ms: int) -> int:
    """When the running transition passed a luminance: at its start, if it began beyond it."""
    first, target = (luminance_from_lstar(look.lstar) for look in (model.start, model.target))
    if abs(target - first) <= _TINY or model.duration_ms <= 0:
        return min(now_ms, model.start_ms)
    share = clamp((luminance - first) / (target - first), 0.0, 1.0)
    return min(now_ms, model.start_ms + round(share * model.duration_ms))
