"""Curves that show a lamp to a person, or try it: slow enough to please, and back where they began.

They are wishes like any other: the envelope still has the last word on every command made of them.
"""

from bisect import bisect_right
from dataclasses import dataclass
from typing import Final

from controller.core.light import Look
from controller.core.units import clamp, lerp

SWELL_LSTAR: Final = 24.0
"""How far a lamp swells, or sinks where it is bright already."""
SWELL_MS: Final = 2_500
"""Longer than the window in which brightness may turn round once."""
SWELLS: Final = 2
SINK_MS: Final = 4_000
"""Down to the floor, and back up."""
FLOOR_MS: Final = 6_000
"""At the floor for longer than a bridge is polled: a poll must find it there."""


@dataclass(frozen=True, slots=True)
class Through:
    """A curve through points (room ms, L*) in one colour; before and after them it rests."""

    look: Look
    points: tuple[tuple[int, float], ...]

    @property
    def end_ms(self) -> int:
        """When it is back."""
        return self.points[-1][0]

    def look_at(self, at_ms: int) -> Look:
        """Return the look at an instant."""
        index = bisect_right(self.points, at_ms, key=lambda point: point[0])
        if index in (0, len(self.points)):
            return Look(self.points[min(index, len(self.points) - 1)][1], self.look.colour)
        (t0, a), (t1, b) = self.points[index - 1], self.points[index]
        return Look(lerp(a, b, (at_ms - t0) / (t1 - t0)), self.look.colour)

    def knots(self, from_ms: int, until_ms: int) -> tuple[int, ...]:
        """Return its corners."""
        return tuple(at_ms for at_ms, _ in self.points if from_ms < at_ms < until_ms)


def blinking(look: Look, now_ms: int, speed: int = 1) -> Through:
    """Return two gentle swells from a look and back (sinks, where it is bright). ``speed``: the clock's."""
    far = look.lstar + (SWELL_LSTAR if look.lstar <= 100.0 - SWELL_LSTAR - 10.0 else -SWELL_LSTAR)
    step = SWELL_MS * speed
    points = [(now_ms, look.lstar)]
    for _ in range(SWELLS):
        points += [(points[-1][0] + step, clamp(far, 0.0, 100.0)), (points[-1][0] + 2 * step, look.lstar)]
    return Through(look, tuple(points))


def sinking(look: Look, floor_lstar: float, now_ms: int, speed: int = 1) -> Through:
    """Return the way down to a lamp's faintest glow, and a rest there."""
    down_ms = now_ms + SINK_MS * speed
    levels = ((now_ms, look.lstar), (down_ms, floor_lstar), (down_ms + FLOOR_MS * speed, floor_lstar))
    return Through(look, levels)


def returning(look: Look, from_lstar: float, now_ms: int, speed: int = 1) -> Through:
    """Return the way back to a look. A wish of its own: at rest, a lamp lends nobody a person's speed."""
    return Through(look, ((now_ms, from_lstar), (now_ms + SINK_MS * speed, look.lstar)))
