"""What a lamp can show, and the nearest it can show to a colour that was wished for.

Pure, and for lamps of every make. It must never return a colour that the lamp cannot show.
"""

from dataclasses import dataclass
from typing import TypeAlias

from controller.core.light import Colour, Mired, Xy, xy_from_mired
from controller.core.units import clamp

Point: TypeAlias = tuple[float, float]
Gamut: TypeAlias = tuple[Point, Point, Point]


@dataclass(frozen=True, slots=True)
class Capability:
    """What one lamp can show. ``dims`` False: a plug that is only on or off."""

    mired_range: tuple[float, float] | None = (153.0, 500.0)
    gamut: Gamut | None = None
    dims: bool = True


def nearest_colour(colour: Colour, capability: Capability) -> Colour | None:
    """Return the nearest colour that the lamp can show; None when it has no colour at all."""
    if isinstance(colour, Mired):
        return _nearest_white(colour, capability)
    if capability.gamut is not None:
        return into_gamut(colour, capability.gamut)
    if capability.mired_range is not None:
        return Mired(clamp(mired_from_xy(colour), *capability.mired_range))
    return None


def _nearest_white(white: Mired, capability: Capability) -> Colour | None:
    span, gamut = capability.mired_range, capability.gamut
    if span is None:
        return None if gamut is None else into_gamut(xy_from_mired(white.value), gamut)
    if white.value > span[1] + 0.5 and gamut is not None:
        # Warmer than its whites go: amber light, made of its colours.
        return into_gamut(xy_from_mired(white.value), gamut)
    return Mired(clamp(white.value, *span))


def mired_from_xy(xy: Xy) -> float:
    """Return the correlated colour temperature of a chromaticity, in mired.

    Source: McCamy 1992, "Correlated color temperature as an explicit function of chromaticity coordinates".
    """
    divisor = 0.1858 - xy.y
    if abs(divisor) < 1e-6:
        return 500.0
    n = (xy.x - 0.3320) / divisor
    kelvin = 449.0 * n**3 + 3525.0 * n**2 + 6823.3 * n + 5520.33
    return 1_000_000.0 / clamp(kelvin, 1000.0, 25_000.0)


def into_gamut(xy: Xy, gamut: Gamut) -> Xy:
    """Return a chromaticity itself if it lies inside the triangle, else the nearest point of its edge."""
    point = (xy.x, xy.y)
    a, b, c = gamut
    sides = (area(a, b, point), area(b, c, point), area(c, a, point))
    if all(side >= 0.0 for side in sides) or all(side <= 0.0 for side in sides):
        return xy
    edges = ((a, b), (b, c), (c, a))
    nearest = min((_nearest_on(start, end, point) for start, end in edges), key=lambda p: _gap(p, point))
    return Xy(*nearest)


def area(a: Point, b: Point, p: Point) -> float:
    """Return twice the signed area of a triangle: its sign says on which side of a to b the point p lies."""
    return (b[0] - a[0]) * (p[1] - a[1]) - (b[1] - a[1]) * (p[0] - a[0])


def _gap(a: Point, b: Point) -> float:
    return (a[0] - b[0]) ** 2 + (a[1] - b[1]) ** 2


def _nearest_on(start: Point, end: Point, point: Point) -> Point:
    dx, dy = end[0] - start[0], end[1] - start[1]
    along = ((point[0] - start[0]) * dx + (point[1] - start[1]) * dy) / (dx * dx + dy * dy)
    t = clamp(along, 0.0, 1.0)
    return (start[0] + t * dx, start[1] + t * dy)
