"""Reading a v1 light state as a bridge does: each parameter checked, taken or refused on its own.

Pure. The lamp's model decides what it knows; whether it is on decides what may be changed.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from controller.core.light import Colour, Mired, Xy
from hardware.lamp_colour import into_gamut
from hardware.sim.lamp import Change, SimulatedLamp

DEFAULT_TRANSITION_DS: Final = 4
MAX_TRANSITION_DS: Final = 65_535
ORDER: Final = ("on", "bri", "hue", "sat", "ct", "xy", "alert", "effect", "transitiontime")


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why the API refuses a parameter: its error number and words."""

    kind: int
    description: str


@dataclass(frozen=True, slots=True)
class StateChange:
    """What a state asks of the lamp, once the refused parts are out."""

    on: bool | None
    bri: int | None
    colour: Colour | None
    transition_ms: float
    explicit: bool

    def whole(self) -> Change:
        """All of it."""
        return Change(self.on, self.bri, self.colour, self.transition_ms, self.explicit)

    def without_colour(self) -> Change:
        """Only on and brightness: a half-applied command."""
        return Change(self.on, self.bri, None, self.transition_ms, self.explicit)


def parse_state(
    lamp: SimulatedLamp, data: Mapping[str, object]
) -> tuple[StateChange, dict[str, object | Refusal]]:
    """Return the change, and for each parameter the accepted value or the refusal."""
    items: dict[str, object | Refusal] = {}
    lit = data["on"] if isinstance(data.get("on"), bool) else lamp.on
    for name in sorted(data, key=lambda key: ORDER.index(key) if key in ORDER else len(ORDER)):
        items[name] = _check(lamp, name, data[name], lit=bool(lit))
    good = {name: value for name, value in items.items() if not isinstance(value, Refusal)}
    ds = good.get("transitiontime", DEFAULT_TRANSITION_DS)
    length = float(ds) * 100.0 if isinstance(ds, int) else 0.0
    on, bri = good.get("on"), good.get("bri")
    change = StateChange(
        on=on if isinstance(on, bool) else None,
        bri=max(bri, 1) if isinstance(bri, int) else None,  # 0 is taken as the dimmest, never as off
        colour=_colour(lamp, good),
        transition_ms=length,
        explicit="transitiontime" in good,
    )
    return change, items


def _check(lamp: SimulatedLamp, name: str, value: object, *, lit: bool) -> object | Refusal:
    model = lamp.model
    known = {
        "on": True,
        "bri": True,
        "transitiontime": True,
        "alert": True,
        "ct": model.mired_range is not None,
        "xy": model.gamut is not None,
        "hue": model.gamut is not None,
        "sat": model.gamut is not None,
        "effect": model.gamut is not None,
    }
    if not known.get(name, False):
        return Refusal(6, f"parameter, {name}, not available")
    if not _valid(name, value):
        return Refusal(7, f"invalid value, {value}, for parameter, {name}")
    if name in {"bri", "ct", "xy", "hue", "sat", "effect"} and not lit:
        return Refusal(201, f"parameter, {name}, is not modifiable. Device is set to off.")
    return value


def _valid(name: str, value: object) -> bool:
    whole = isinstance(value, int) and not isinstance(value, bool)
    match name, value:
        case "on", bool():
            return True
        case "bri", int():
            return whole and 0 <= value <= 254
        case "sat", int():
            return whole and 0 <= value <= 254
        case "hue" | "transitiontime", int():
            return whole and 0 <= value <= MAX_TRANSITION_DS
        case "ct", int():
            return whole and 153 <= value <= 500
        case "xy", [x, y]:
            return all(isinstance(v, int | float) and 0.0 <= v <= 1.0 for v in (x, y))
        case "alert" | "effect", str():
            return True
        case _:
            return False


def _colour(lamp: SimulatedLamp, good: Mapping[str, object]) -> Colour | None:
    """Return the colour asked for: xy beats ct. Hue and saturation are taken, and not modelled."""
    xy, ct = good.get("xy"), good.get("ct")
    if isinstance(xy, list) and lamp.model.gamut is not None:
        return into_gamut(Xy(float(xy[0]), float(xy[1])), lamp.model.gamut)
    if isinstance(ct, int) and lamp.model.mired_range is not None:
        low, high = lamp.model.mired_range
        return Mired(float(min(max(ct, low), high)))
    return None
