"""The Hue v1 API as a simulated bridge speaks it: paths in, the API's own lists of successes and errors out.

It must never know of sockets, and never be kinder than a real bridge: what that refuses, it refuses.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from controller.core.light import Mired, as_xy
from hardware.lamp_colour import into_gamut, mired_from_xy
from hardware.sim.bridge_changes import Refusal, parse_state
from hardware.sim.bridge_model import Light, SimulatedBridge
from hardware.sim.lamp import Startup

Json: TypeAlias = object
API_VERSION: Final = "1.67.0"


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP status and the value that goes out as JSON (a string goes out as a page)."""

    value: Json
    status: int = 200


def api_error(kind: int, address: str, description: str) -> dict[str, object]:
    """Return one error item as the API words it."""
    return {"error": {"type": kind, "address": address, "description": description}}


def handle(bridge: SimulatedBridge, method: str, path: str, body: bytes, now_ms: float) -> Answer:
    """Answer one request below ``/api``."""
    parts = [part for part in path.split("/") if part][1:]
    data: object = {}
    if body:
        try:
            data = json.loads(body)
        except ValueError:
            return Answer([api_error(2, "/", "body contains invalid json")])
    if not isinstance(data, dict):
        return Answer([api_error(2, "/", "body contains invalid json")])
    if not parts:
        return _pair(bridge, method, data, now_ms)
    user, rest = parts[0], parts[1:]
    if user not in bridge.users:
        if method == "GET" and (user == "config" or rest == ["config"]):
            return Answer(_config(bridge, known=False))
        return Answer([api_error(1, "/" + "/".join(rest), "unauthorized user")])
    return _route(bridge, method, rest, data, now_ms)


def _pair(bridge: SimulatedBridge, method: str, data: dict[str, Json], now_ms: float) -> Answer:
    if method != "POST":
        return Answer([api_error(4, "/", f"method, {method}, not available for resource, /")])
    devicetype = data.get("devicetype")
    if not isinstance(devicetype, str):
        return Answer([api_error(5, "/", "invalid/missing parameters in body")])
    user = bridge.pair(devicetype, now_ms)
    if user is None:
        return Answer([api_error(101, "", "link button not pressed")])
    return Answer([{"success": {"username": user}}])


def _route(
    bridge: SimulatedBridge, method: str, rest: Sequence[str], data: dict[str, Json], now_ms: float
) -> Answer:
    match method, *rest:
        case ["GET"]:
            return Answer(
                {"lights": _lights(bridge), "groups": _groups(bridge), "config": _config(bridge, known=True)}
                | {key: {} for key in ("schedules", "scenes", "rules", "sensors", "resourcelinks")}
            )
        case ["GET", "config"]:
            return Answer(_config(bridge, known=True))
        case ["GET", "lights"]:
            return Answer(_lights(bridge))
        case ["GET", "groups"]:
            return Answer(_groups(bridge))
        case ["POST", "groups"]:
            return _create_group(bridge, data)
        case [_, "lights", number, *tail] if (light := _light(bridge, number)) is not None:
            return _on_light(bridge, light, method, tail, data, now_ms)
        case [_, "groups", number, *tail] if (
            number.isdigit() and bridge.group_lights(int(number)) is not None
        ):
            return _on_group(bridge, int(number), method, tail, data, now_ms)
        case _:
            address = "/" + "/".join(rest)
            return Answer([api_error(3, address, f"resource, {address}, not available")])


def _light(bridge: SimulatedBridge, number: str) -> Light | None:
    return bridge.lights.get(int(number)) if number.isdigit() else None


# ---------------------------------------------------------------- what is listed


def _config(bridge: SimulatedBridge, *, known: bool) -> dict[str, Json]:
    short: dict[str, Json] = {
        "name": bridge.name,
        "bridgeid": bridge.bridge_id,
        "modelid": "BSB002",
        "apiversion": API_VERSION,
        "swversion": "1967054020",
        "mac": ":".join(bridge.bridge_id.replace("FFFE", "").lower()[i : i + 2] for i in range(0, 12, 2)),
        "replacesbridgeid": None,
        "factorynew": False,
        "starterkitid": "",
        "datastoreversion": "172",
    }
    return short | {"whitelist": {u: {"name": n} for u, n in bridge.users.items()}} if known else short


def _lights(bridge: SimulatedBridge) -> dict[str, Json]:
    return {str(number): describe_light(light) for number, light in bridge.lights.items()}


def describe_light(light: Light) -> dict[str, Json]:
    """Return a lamp as the API lists it: what it was told, never what it shows in mid-transition."""
    lamp, model = light.lamp, light.lamp.model
    state: dict[str, Json] = {"on": lamp.on, "bri": lamp.bri}
    control: dict[str, Json] = {"mindimlevel": 200, "maxlumen": 806}
    xy = as_xy(lamp.colour)
    if model.gamut is not None:
        xy = into_gamut(xy, model.gamut)
        control |= {"colorgamuttype": "C", "colorgamut": [list(corner) for corner in model.gamut]}
        state |= {"hue": 8402, "sat": 140, "effect": "none", "xy": [round(xy.x, 4), round(xy.y, 4)]}
    if model.mired_range is not None:
        low, high = model.mired_range
        mired = lamp.colour.value if isinstance(lamp.colour, Mired) else mired_from_xy(lamp.colour)
        control["ct"] = {"min": low, "max": high}
        state["ct"] = round(min(max(mired, low), high))
        state["colormode"] = "ct" if isinstance(lamp.colour, Mired) else "xy"
    state |= {"alert": "none", "mode": "homeautomation", "reachable": light.reachable and lamp.powered}
    config: dict[str, Json] = {"archetype": "sultanbulb"}
    if light.tells_startup:
        config["startup"] = {"mode": lamp.startup.value, "configured": True}
    return {
        "state": state,
        "type": model.type_name,
        "name": light.name,
        "modelid": model.model_id,
        "manufacturername": "Signify Netherlands B.V.",
        "productname": model.product,
        "capabilities": {"certified": True, "control": control, "streaming": {"renderer": False}},
        "config": config,
        "uniqueid": f"00:17:88:01:00:00:00:{light.light_id:02x}-0b",
        "swversion": "1.104.2",
    }


def _groups(bridge: SimulatedBridge) -> dict[str, Json]:
    return {str(number): _describe_group(bridge, number) for number in bridge.groups}


def _describe_group(bridge: SimulatedBridge, number: int) -> dict[str, Json]:
    members = bridge.group_lights(number) or ()
    lit = [bridge.lights[m].lamp.on for m in members if m in bridge.lights]
    group = bridge.groups.get(number)
    return {
        "name": group.name if group else "Group 0",
        "type": group.kind if group else "LightGroup",
        "lights": [str(member) for member in members],
        "sensors": [],
        "state": {"all_on": bool(lit) and all(lit), "any_on": any(lit)},
        "action": {"on": any(lit), "alert": "none"},
    }


# ---------------------------------------------------------------- what is changed


def _on_light(
    bridge: SimulatedBridge,
    light: Light,
    method: str,
    tail: Sequence[str],
    data: dict[str, Json],
    now_ms: float,
) -> Answer:
    address = f"/lights/{light.light_id}"
    match method, *tail:
        case ["GET"]:
            return Answer(describe_light(light))
        case ["PUT"] if isinstance(data.get("name"), str):
            light.name = str(data["name"])
            return Answer([{"success": {f"{address}/name": light.name}}])
        case ["PUT", "config"]:
            return Answer(_configure(light, address, data))
        case ["PUT", "state"]:
            return _set_light(bridge, light, data, now_ms)
        case _:
            return Answer([api_error(4, address, f"method, {method}, not available for resource, {address}")])


def _configure(light: Light, address: str, data: dict[str, Json]) -> list[Json]:
    startup = data.get("startup")
    where = f"{address}/config/startup"
    if not light.tells_startup:
        return [api_error(6, where, "parameter, startup, not available")]
    if not isinstance(startup, Mapping) or startup.get("mode") not in set(Startup):
        return [api_error(7, where, "invalid value for parameter, startup")]
    light.lamp.startup = Startup(str(startup["mode"]))
    custom = startup.get("customsettings")
    if isinstance(custom, Mapping) and isinstance(custom.get("bri"), int):
        light.lamp.custom_bri = int(custom["bri"])
    return [{"success": {where: {"mode": light.lamp.startup.value}}}]


def _set_light(bridge: SimulatedBridge, light: Light, data: dict[str, Json], now_ms: float) -> Answer:
    if bridge.faults.limits and not bridge.light_budget.take(now_ms):
        return Answer("the bridge is asked too fast", 503)
    address = f"/lights/{light.light_id}/state"
    if bridge.faults.take("internal"):
        return Answer([api_error(901, address, "Internal error, 404")])
    dropped = bridge.faults.take("drop")
    half = not dropped and bridge.faults.take("half")
    return Answer(_apply(light, address, data, now_ms, dropped=dropped, half=half))


def _apply(
    light: Light, address: str, data: dict[str, Json], now_ms: float, *, dropped: bool, half: bool
) -> list[Json]:
    """Apply a state to one lamp; return the API's items, one per parameter."""
    change, items = parse_state(light.lamp, data)
    answer: list[Json] = []
    for name, outcome in items.items():
        where = f"{address}/{name}"
        if half and name in {"ct", "xy", "hue", "sat"}:
            answer.append(api_error(901, where, "Internal error, 404"))
        elif isinstance(outcome, Refusal):
            answer.append(api_error(outcome.kind, where, outcome.description))
        else:
            answer.append({"success": {where: outcome}})
    if not dropped and light.reachable and light.lamp.powered:
        light.lamp.apply(change.without_colour() if half else change.whole(), now_ms)
    return answer


def _create_group(bridge: SimulatedBridge, data: dict[str, Json]) -> Answer:
    lights = _members(bridge, data.get("lights"))
    if lights is None:
        return Answer([api_error(7, "/groups/lights", "invalid value for parameter, lights")])
    number = bridge.add_group(str(data.get("name", "Group")), str(data.get("type", "LightGroup")), lights)
    return Answer([{"success": {"id": str(number)}}])


def _members(bridge: SimulatedBridge, value: Json) -> tuple[int, ...] | None:
    if not isinstance(value, list) or not all(isinstance(v, str) and v.isdigit() for v in value):
        return None
    numbers = tuple(int(v) for v in value)
    return numbers if numbers and all(n in bridge.lights for n in numbers) else None


def _on_group(
    bridge: SimulatedBridge,
    number: int,
    method: str,
    tail: Sequence[str],
    data: dict[str, Json],
    now_ms: float,
) -> Answer:
    address = f"/groups/{number}"
    match method, *tail:
        case ["GET"]:
            return Answer(_describe_group(bridge, number))
        case ["DELETE"] if number in bridge.groups:
            del bridge.groups[number]
            return Answer([{"success": f"{address} deleted"}])
        case ["PUT"] if number in bridge.groups:
            return Answer(_change_group(bridge, number, data))
        case ["PUT", "action"]:
            return _set_group(bridge, number, data, now_ms)
        case _:
            return Answer([api_error(4, address, f"method, {method}, not available for resource, {address}")])


def _change_group(bridge: SimulatedBridge, number: int, data: dict[str, Json]) -> list[Json]:
    group, answer = bridge.groups[number], list[Json]()
    if "name" in data:
        group.name = str(data["name"])
        answer.append({"success": {f"/groups/{number}/name": group.name}})
    if "lights" in data:
        lights = _members(bridge, data["lights"])
        if lights is None:
            return [api_error(7, f"/groups/{number}/lights", "invalid value for parameter, lights")]
        group.lights = lights
        answer.append({"success": {f"/groups/{number}/lights": [str(n) for n in lights]}})
    return answer


def _set_group(bridge: SimulatedBridge, number: int, data: dict[str, Json], now_ms: float) -> Answer:
    if bridge.faults.limits and not bridge.group_budget.take(now_ms):
        return Answer("the bridge is asked too fast", 503)
    address = f"/groups/{number}/action"
    if bridge.faults.take("internal"):
        return Answer([api_error(901, address, "Internal error, 404")])
    dropped = bridge.faults.take("drop")
    for member in bridge.group_lights(number) or ():
        # A lamp that cannot show a part of it leaves that part out; the bridge says success all the same.
        _apply(bridge.lights[member], address, data, now_ms, dropped=dropped, half=False)
    return Answer([{"success": {f"{address}/{name}": value}} for name, value in data.items()])
