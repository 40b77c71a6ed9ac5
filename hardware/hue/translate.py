"""From a transition to the Hue v1 state that asks for it, within what one lamp can do.

Pure. It must never produce an alert, an effect, a brightness without ``on``, or an off with a transition.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil
from typing import Final, TypedDict

from controller.core.envelope import Transition
from controller.core.light import Colour, Mired, Xy, xy_from_mired
from controller.core.units import clamp, luminance_from_lstar

FULL_BRI: Final = 254
MAX_TRANSITION_DS: Final = 60_000
"""100 minutes: v1 holds 65,535 deciseconds, v2 allows 6,000 s. The smaller one holds."""
FLOOR_PERCENT: Final = 100.0 / FULL_BRI

Point = tuple[float, float]
Gamut = tuple[Point, Point, Point]


class HueState(TypedDict, total=False):
    """The parts of a v1 light state that we ever send."""

    on: bool
    bri: int
    ct: int
    xy: list[float]
    transitiontime: int


@dataclass(frozen=True, slots=True)
class Capability:
    """What one lamp can show. ``dims`` False: a plug that is only on or off."""

    mired_range: tuple[float, float] | None = (153.0, 500.0)
    gamut: Gamut | None = None
    dims: bool = True


def capability_from_json(light: Mapping[str, object]) -> Capability:
    """Read a lamp's capability from its v1 description; sane guesses where an old bridge says less."""
    state = _section(light, "state")
    control = _section(_section(light, "capabilities"), "control")
    ct = _section(control, "ct")
    low, high = ct.get("min"), ct.get("max")
    mired: tuple[float, float] | None = None
    if isinstance(low, int | float) and isinstance(high, int | float) and 0 < low < high < 1000:
        mired = (float(low), float(high))
    elif "ct" in state:
        mired = (153.0, 500.0) if "xy" in state else (153.0, 454.0)
    gamut = _gamut(control.get("colorgamut"))
    if gamut is None and "xy" in state:
        gamut = WIDE_GAMUT
    return Capability(mired, gamut, "bri" in state)


WIDE_GAMUT: Final[Gamut] = ((0.675, 0.322), (0.409, 0.518), (0.167, 0.04))
"""Gamut B, the smallest of the lamps with white tones: safe for a colour lamp that does not say its own."""


def _section(data: Mapping[str, object], key: str) -> Mapping[str, object]:
    value = data.get(key)
    return value if isinstance(value, Mapping) else {}


def _gamut(value: object) -> Gamut | None:
    if not isinstance(value, list | tuple) or len(value) != 3:
        return None
    points = [_point(item) for item in value]
    a, b, c = points
    if a is None or b is None or c is None or _cross(a, b, c) == 0.0:
        return None
    return (a, b, c)


def _point(value: object) -> Point | None:
    if isinstance(value, list | tuple) and len(value) == 2:
        x, y = value
        if isinstance(x, int | float) and isinstance(y, int | float):
            return (float(x), float(y))
    return None


def hue_state(transition: Transition, capability: Capability, *, speed: int = 1) -> HueState:
    """Return the v1 state for a transition.

    ``speed`` is how many room milliseconds pass in a real one: lamps live in real time. Durations are
    rounded up to the API's 100 ms, so a lamp is never asked to be faster than was approved.
    """
    if transition.power_off:
        return HueState(on=False, transitiontime=0)
    state = HueState(on=True)
    if capability.dims:
        state["bri"] = bri_from_lstar(transition.look.lstar)
    colour = nearest_colour(transition.look.colour, capability)
    if isinstance(colour, Mired):
        state["ct"] = round(colour.value)
    elif colour is not None:
        state["xy"] = [round(colour.x, 4), round(colour.y, 4)]
    state["transitiontime"] = min(ceil(transition.duration_ms / speed / 100.0 - 1e-9), MAX_TRANSITION_DS)
    return state


def bri_from_lstar(lstar: float) -> int:
    """Return the nearest bri; an L* above 0 is at least 1: off is said with ``on``, never with bri."""
    return round(clamp(luminance_from_lstar(lstar) * FULL_BRI, 1.0, float(FULL_BRI)))


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
    sides = (_cross(a, b, point), _cross(b, c, point), _cross(c, a, point))
    if all(side >= 0.0 for side in sides) or all(side <= 0.0 for side in sides):
        return xy
    edges = ((a, b), (b, c), (c, a))
    nearest = min((_nearest_on(start, end, point) for start, end in edges), key=lambda p: _gap(p, point))
    return Xy(*nearest)


def _cross(a: Point, b: Point, p: Point) -> float:
    return (b[0] - a[0]) * (p[1] - a[1]) - (b[1] - a[1]) * (p[0] - a[0])


def _gap(a: Point, b: Point) -> float:
    return (a[0] - b[0]) ** 2 + (a[1] - b[1]) ** 2


def _nearest_on(start: Point, end: Point, point: Point) -> Point:
    dx, dy = end[0] - start[0], end[1] - start[1]
    along = ((point[0] - start[0]) * dx + (point[1] - start[1]) * dy) / (dx * dx + dy * dy)
    t = clamp(along, 0.0, 1.0)
    return (start[0] + t * dx, start[1] + t * dy)
