"""Override channels: what a therapist laid over the score, and how each comes off again.

A channel follows the score, is held by someone, or is returning to the score from where it was let go.
Its value is a pure function of time, so a fade under way can be left at any instant without a jump.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Generic, TypeAlias, TypeVar

from controller.core.commands import Scope
from controller.core.light import Colour, Mired, Xy, mix_colours, xy_from_mired
from controller.core.units import clamp, lerp

V = TypeVar("V")

TRIM_FLOOR_LSTAR = 3.56
"""Trims stop at bri 1 of 254 (facts: L* 3.6): a "dimmer" button never switches a lamp off."""
WARMEST_MIRED, COOLEST_MIRED = 500.0, 153.0


@dataclass(frozen=True, slots=True)
class Following:
    """The channel is the score's."""


@dataclass(frozen=True, slots=True)
class Held(Generic[V]):
    """The channel is somebody's: from ``start`` at ``since_ms`` to a target in ``fade_ms``.

    The target is ``target``, or, for a trim, the score's value moved by ``offset`` (L* or mired).
    ``until_ms`` (room time) and ``until_slot`` are when it expires. ``beneath`` is what a scene covers.
    """

    start: V
    since_ms: int
    fade_ms: int
    target: V | None
    offset: float
    scope: Scope
    by: str
    until_ms: int | None = None
    until_slot: int | None = None
    scene: str | None = None
    is_help: bool = False
    beneath: "Channel[V] | None" = None


@dataclass(frozen=True, slots=True)
class Returning(Generic[V]):
    """The channel goes back to the score from ``start``; ``by_hand`` if a person released it."""

    start: V
    since_ms: int
    fade_ms: int
    by_hand: bool


Channel: TypeAlias = Following | Held[V] | Returning[V]

FOLLOWING = Following()


def _progress(since_ms: int, fade_ms: int, at_ms: int) -> float:
    if at_ms >= since_ms + fade_ms:
        return 1.0
    return max((at_ms - since_ms) / max(fade_ms, 1), 0.0)


def value(
    channel: Channel[V], base: V, at_ms: int, mix: Callable[[V, V, float], V], move: Callable[[V, float], V]
) -> V:
    """Return a channel's value at ``at_ms`` over the score's ``base``."""
    match channel:
        case Following():
            return base
        case Held():
            target = channel.target if channel.target is not None else move(base, channel.offset)
            return mix(channel.start, target, _progress(channel.since_ms, channel.fade_ms, at_ms))
        case Returning():
            return mix(channel.start, base, _progress(channel.since_ms, channel.fade_ms, at_ms))


def mix_lstar(start: float, end: float, fraction: float) -> float:
    """Mix two L*."""
    return lerp(start, end, fraction)


def move_lstar(base: float, offset: float) -> float:
    """Move an L* by a trim; never below a lamp's faintest glow unless the score is already there."""
    return clamp(base + offset, min(base, TRIM_FLOOR_LSTAR), 100.0)


def move_colour(base: Colour, offset: float) -> Colour:
    """Move a white by some mired; a colour moves along towards amber or daylight."""
    if isinstance(base, Mired):
        low, high = min(base.value, COOLEST_MIRED), max(base.value, WARMEST_MIRED)
        return Mired(clamp(base.value + offset, low, high))
    pole = xy_from_mired(WARMEST_MIRED if offset > 0 else COOLEST_MIRED)
    share = min(abs(offset) / 200.0, 1.0)
    return Xy(lerp(base.x, pole.x, share), lerp(base.y, pole.y, share))


def lstar_value(channel: Channel[float], base: float, at_ms: int) -> float:
    """A brightness channel's L* at ``at_ms``."""
    return value(channel, base, at_ms, mix_lstar, move_lstar)


def colour_value(channel: Channel[Colour], base: Colour, at_ms: int) -> Colour:
    """A colour channel's value at ``at_ms``."""
    return value(channel, base, at_ms, mix_colours, move_colour)


def settled_at(channel: Channel[float] | Channel[Colour]) -> int | None:
    """Room time at which the channel's own fade is over, or None."""
    return None if isinstance(channel, Following) else channel.since_ms + channel.fade_ms


def from_live(channel: Channel[V], live: V, at_ms: int, fade_ms: int, *, by_hand: bool) -> Channel[V]:
    """Return ``channel`` as it must be to take over now from a live value without a jump."""
    match channel:
        case Held():
            return replace(channel, start=live, since_ms=at_ms, fade_ms=fade_ms)
        case Following() | Returning():
            return Returning(live, at_ms, fade_ms, by_hand)
