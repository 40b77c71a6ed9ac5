"""Curves: what a zone should look like over room time, past or to come.

A curve is pure and total: it answers for every instant, and never depends on what a lamp did.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Protocol

from controller.core.light import Colour, Look


class Curve(Protocol):
    """A zone's look over room time (ms)."""

    def look_at(self, at_ms: int) -> Look:
        """The look the zone should have at ``at_ms``."""
        ...

    def knots(self, from_ms: int, until_ms: int) -> tuple[int, ...]:
        """Corner instants strictly between the two, rising: between neighbours the curve is smooth.

        Between two knots L* and colour run evenly (or the curve is constant).
        """
        ...


@dataclass(frozen=True, slots=True)
class Constant:
    """A curve that never changes."""

    look: Look

    def look_at(self, at_ms: int) -> Look:
        """Return the one look."""
        del at_ms
        return self.look

    def knots(self, from_ms: int, until_ms: int) -> tuple[int, ...]:
        """A constant has no corners."""
        del from_ms, until_ms
        return ()


@dataclass(frozen=True, slots=True)
class Pinned:
    """A curve of which one attribute stays as a hand left it."""

    curve: Curve
    lstar: float | None
    colour: Colour | None

    def look_at(self, at_ms: int) -> Look:
        """Return the curve's look with the pinned attribute."""
        look = self.curve.look_at(at_ms)
        return Look(
            look.lstar if self.lstar is None else self.lstar,
            look.colour if self.colour is None else self.colour,
        )

    def knots(self, from_ms: int, until_ms: int) -> tuple[int, ...]:
        """Return the curve's corners."""
        return self.curve.knots(from_ms, until_ms)


@dataclass(frozen=True, slots=True)
class From:
    """A curve taken up at an instant a moment ahead: until then it is what it is there."""

    curve: Curve
    begin_ms: int

    def look_at(self, at_ms: int) -> Look:
        """Return the curve's look, or before it is taken up that of its beginning."""
        return self.curve.look_at(max(at_ms, self.begin_ms))

    def knots(self, from_ms: int, until_ms: int) -> tuple[int, ...]:
        """Return the curve's corners after its beginning."""
        return self.curve.knots(max(from_ms, self.begin_ms), until_ms)


def alike(a: Curve, b: Curve, instants: Iterable[int]) -> bool:
    """Say whether two curves look the same at these instants (room ms)."""
    looks = [(a.look_at(at_ms), b.look_at(at_ms)) for at_ms in instants]
    return all(abs(one.lstar - other.lstar) <= 0.02 and one.colour == other.colour for one, other in looks)


def alike_ahead(a: Curve, b: Curve, now_ms: int) -> bool:
    """Say whether two curves look the same for the next seconds: what a person asks for shows by then."""
    return alike(a, b, (now_ms + ahead_ms for ahead_ms in _AHEAD_MS))


_AHEAD_MS: Final = (100, 300, 1_000, 3_000, 10_000, 30_000)
