"""From a transition to the Hue v1 state that asks for it, within what one lamp can do.

Pure. It must never produce an alert, an effect, a brightness without ``on``, or an off with a transition.
"""

from collections.abc import Mapping
from math import ceil
from typing import Final, TypedDict

from controller.core.envelope import Transition
from controller.core.light import Mired
from controller.core.units import clamp, luminance_from_lstar
from hardware.lamp_colour import Capability, Gamut, Point, area, nearest_colour

FULL_BRI: Final = 254
MAX_TRANSITION_DS: Final = 60_000
"""100 minutes: v1 holds 65,535 deciseconds, v2 allows 6,000 s. The smaller one holds."""
FLOOR_PERCENT: Final = 100.0 / FULL_BRI


class HueState(TypedDict, total=False):
    """The parts of a v1 light state that we ever send."""

    on: bool
    bri: int
    ct: int
    xy: list[float]
    transitiontime: int


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
    if a is None or b is None or c is None or area(a, b, c) == 0.0:
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
