"""The controls of a simulated bridge, below ``/sim``: what a real one has no API for.

Pressing its button, pulling plugs, turning a lamp at the wall, making it ill, and seeing the truth: true live
levels and the log of what arrived. It must never answer below ``/api``.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, fields
from typing import Final, TypeAlias

from controller.core.light import Mired, Xy, as_xy, rgb_hex
from hardware.sim.bridge_model import Faults, Group, Light, SimulatedBridge
from hardware.sim.lamp import FULL_BRI, Change, Segment, SimulatedLamp

Json: TypeAlias = object
FAULT_NAMES: Final = frozenset(item.name for item in fields(Faults))


class ControlError(Exception):
    """A control was used wrongly; its text says how."""


def control(  # noqa: PLR0911 - one table of paths
    bridge: SimulatedBridge, method: str, path: str, query: dict[str, str], body: bytes, now_ms: float
) -> Json:
    """Answer one request below ``/sim``.

    Raises:
        ControlError: no such control, or values that it cannot take.
    """
    data = _object(body)
    parts = [part for part in path.split("/") if part][1:]
    match method, *parts:
        case ["GET", "live"]:
            return live(bridge, now_ms)
        case ["GET", "log"]:
            since = int(query.get("since", "0"))
            return [asdict(entry) for entry in bridge.log if entry.number > since]
        case ["GET", "history", number]:
            return [_segment(segment) for segment in _lights(bridge, [int(number)])[0].lamp.history]
        case ["GET", "faults"]:
            return asdict(bridge.faults)
        case ["POST", "press"]:
            bridge.press(now_ms)
            return {"pressed": True}
        case ["POST", "faults"]:
            _set_faults(bridge, data)
            return asdict(bridge.faults)
        case ["POST", "power"]:
            return _set_power(bridge, data, now_ms)
        case ["POST", "reachable"]:
            for light in _chosen(bridge, data):
                light.reachable = bool(data.get("reachable", True))
            return {"reachable": bool(data.get("reachable", True))}
        case ["POST", "startup"]:
            for light in _chosen(bridge, data):
                light.tells_startup = bool(data.get("settable", True))
            return {"settable": bool(data.get("settable", True))}
        case ["POST", "lights", number]:
            light = _lights(bridge, [int(number)])[0]
            light.lamp.apply(_manual(data, light.lamp), now_ms)
            return live(bridge, now_ms)
        case ["POST", "reset"]:
            reset(bridge, now_ms)
            return {"reset": True}
        case _:
            raise ControlError(f"no control {method} {path}")


def _object(body: bytes) -> dict[str, Json]:
    if not body:
        return {}
    try:
        data = json.loads(body)
    except ValueError as fault:
        raise ControlError("the body is not JSON") from fault
    if not isinstance(data, dict):
        raise ControlError("the body is not a JSON object")
    return data


def _lights(bridge: SimulatedBridge, numbers: Sequence[object]) -> list[Light]:
    found = [bridge.lights.get(int(str(number))) for number in numbers]
    if any(light is None for light in found):
        raise ControlError(f"lights are numbered 1 to {len(bridge.lights)}")
    return [light for light in found if light is not None]


def _chosen(bridge: SimulatedBridge, data: dict[str, Json]) -> list[Light]:
    numbers = data.get("lights", list(bridge.lights))
    if not isinstance(numbers, list):
        raise ControlError("lights is a list of numbers")
    return _lights(bridge, numbers)


def _set_faults(bridge: SimulatedBridge, data: dict[str, Json]) -> None:
    unknown = sorted(set(data) - FAULT_NAMES)
    if unknown:
        raise ControlError(f"no fault {unknown[0]!r}; there are {', '.join(sorted(FAULT_NAMES))}")
    for name, value in data.items():
        if not isinstance(value, int | float):
            raise ControlError(f"{name} is a number")
        setattr(bridge.faults, name, value)


def _set_power(bridge: SimulatedBridge, data: dict[str, Json], now_ms: float) -> Json:
    numbers = [light.light_id for light in _chosen(bridge, data)]
    if data.get("on", True):
        bridge.restore_power(numbers, now_ms)
    else:
        bridge.cut_power(numbers, now_ms)
    return live(bridge, now_ms)


def _manual(data: dict[str, Json], lamp: SimulatedLamp) -> Change:
    """Read a change made by hand: ``on``, ``percent``, ``kelvin``, ``transition_ms``."""
    on, percent, kelvin = data.get("on"), data.get("percent"), data.get("kelvin")
    bri = max(1, round(float(percent) / 100.0 * FULL_BRI)) if isinstance(percent, int | float) else None
    colour = Mired(1_000_000.0 / float(kelvin)) if isinstance(kelvin, int | float) else None
    length = data.get("transition_ms", 400)
    return Change(
        on=bool(on) if on is not None else (True if bri is not None else None),
        bri=bri,
        colour=colour if lamp.model.mired_range is not None else None,
        transition_ms=float(length) if isinstance(length, int | float) else 400.0,
    )


def live(bridge: SimulatedBridge, now_ms: float) -> dict[str, Json]:
    """Return what an eye in the room would see now, lamp by lamp."""
    return {"now_ms": now_ms, "lights": {str(n): _live(light, now_ms) for n, light in bridge.lights.items()}}


def _live(light: Light, now_ms: float) -> dict[str, Json]:
    look = light.lamp.look_at(now_ms)
    level = light.lamp.level_at(now_ms)
    xy = as_xy(look.colour)
    return {
        "name": light.name,
        "on": level > 0.0,
        "bri": level,
        "percent": level / FULL_BRI * 100.0,
        "lstar": look.lstar,
        "mired": look.colour.value if isinstance(look.colour, Mired) else None,
        "xy": [xy.x, xy.y],
        "reachable": light.reachable and light.lamp.powered,
        "rgb": rgb_hex(look),
        "target": {"on": light.lamp.on, "bri": light.lamp.bri},
    }


def _segment(segment: Segment) -> dict[str, Json]:
    return {
        "start_ms": segment.start_ms,
        "level_from": segment.level_from,
        "level_to": segment.level_to,
        "level_ms": segment.level_ms,
        "colour_from": _colour(segment.colour_from),
        "colour_to": _colour(segment.colour_to),
        "colour_ms": segment.colour_ms,
    }


def _colour(colour: Mired | Xy) -> dict[str, float]:
    return {"mired": colour.value} if isinstance(colour, Mired) else {"x": colour.x, "y": colour.y}


def reset(bridge: SimulatedBridge, now_ms: float) -> None:
    """Make the bridge as new: lamps off, no faults, an empty log, no groups; users stay paired."""
    bridge.faults = Faults()
    bridge.log.clear()
    bridge.groups = dict[int, Group]()
    bridge.light_budget.at_ms = bridge.group_budget.at_ms = None
    bridge.pressed_until_ms = -1.0
    for light in bridge.lights.values():
        fresh = SimulatedLamp(light.lamp.model)
        fresh.apply(Change(on=False), now_ms)
        light.lamp, light.reachable = fresh, True
