"""How lamps on MQTT are spoken to: Zigbee2MQTT's topics and Home Assistant's JSON lights.

Pure. It must never put brightness and colour into one message (they are two frames on the air, and some lamps
keep only one of the two), and never ask for a transition above ``MAX_TRANSITION_S``.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil
from typing import Final

from controller.core.envelope import Transition
from controller.core.light import Look, Mired, mix_colours
from controller.core.units import clamp, lerp, lstar_from_luminance, luminance_from_lstar
from hardware.lamp_colour import Capability, nearest_colour

MAX_TRANSITION_S: Final = 6_000
"""Zigbee has tenths of a second in 16 bits; above 6553 s Zigbee2MQTT overflows while it reports success."""
WIDE_GAMUT: Final = ((0.675, 0.322), (0.409, 0.518), (0.167, 0.04))
WHITE_LAMP: Final = Capability((153.0, 500.0), None)
"""What a lamp that was not described yet is taken for: what it cannot do it ignores."""
ABBREVIATIONS: Final = {
    "cmd_t": "command_topic",
    "stat_t": "state_topic",
    "avty_t": "availability_topic",
    "uniq_id": "unique_id",
    "obj_id": "object_id",
    "bri_scl": "brightness_scale",
    "min_mirs": "min_mireds",
    "max_mirs": "max_mireds",
    "sup_clrm": "supported_color_modes",
}


@dataclass(frozen=True, slots=True)
class MqttLamp:
    """One lamp's topics and abilities. An empty topic: it has none."""

    name: str
    command_topic: str
    state_topic: str = ""
    availability_topic: str = ""
    read_topic: str = ""
    capability: Capability = WHITE_LAMP
    scale: int = 254


@dataclass(frozen=True, slots=True)
class LampState:
    """What a lamp's state message says; None where it does not."""

    on: bool | None
    percent: float | None
    mired: float | None
    xy: tuple[float, float] | None


def zigbee2mqtt_lamp(base: str, friendly_name: str) -> MqttLamp:
    """Return a Zigbee2MQTT lamp's topics, before its abilities are known."""
    topic = f"{base}/{friendly_name}"
    return MqttLamp(friendly_name, f"{topic}/set", topic, f"{topic}/availability", f"{topic}/get")


def read_zigbee2mqtt_devices(base: str, payload: bytes) -> dict[str, MqttLamp]:
    """Return the lamps of ``bridge/devices``, by friendly name and by IEEE address."""
    found: dict[str, MqttLamp] = {}
    devices = _json(payload)
    for device in devices if isinstance(devices, list) else []:
        name = device.get("friendly_name") if isinstance(device, dict) else None
        if not isinstance(name, str):
            continue
        definition = device.get("definition")
        exposes = definition.get("exposes") if isinstance(definition, dict) else None
        features = _light_features(exposes)
        if features is None:
            continue
        lamp = replace(zigbee2mqtt_lamp(base, name), capability=_capability(features))
        found[name] = lamp
        found[str(device.get("ieee_address", name))] = lamp
    return found


def _light_features(exposes: object) -> dict[str, Mapping[str, object]] | None:
    for item in exposes if isinstance(exposes, list) else []:
        if isinstance(item, dict) and item.get("type") == "light":
            features = item.get("features")
            listed = features if isinstance(features, list) else []
            return {str(f.get("name")): f for f in listed if isinstance(f, dict)}
    return None


def _capability(features: Mapping[str, Mapping[str, object]]) -> Capability:
    white = features.get("color_temp")
    mired: tuple[float, float] | None = None
    if white is not None:
        mired = _span(white.get("value_min"), white.get("value_max"))
    return Capability(mired, WIDE_GAMUT if "color_xy" in features else None, "brightness" in features)


def _span(low: object, high: object) -> tuple[float, float]:
    if isinstance(low, int | float) and isinstance(high, int | float) and 0 < low < high < 1000:
        return float(low), float(high)
    return (153.0, 500.0)


def read_homeassistant_light(payload: bytes) -> tuple[tuple[str, ...], MqttLamp] | None:
    """Read a JSON light's discovery message: the names it answers to, and the lamp; None if it is none."""
    raw = _json(payload)
    if not isinstance(raw, dict):
        return None
    base = str(raw.get("~", ""))
    config: dict[str, object] = {ABBREVIATIONS.get(str(key), str(key)): raw[key] for key in raw}
    command, state = (_topic(config.get(key), base) for key in ("command_topic", "state_topic"))
    if config.get("schema") != "json" or not command:
        return None
    modes = config.get("supported_color_modes")
    modes = modes if isinstance(modes, list) else []
    mired = _span(config.get("min_mireds"), config.get("max_mireds")) if "color_temp" in modes else None
    scale = config.get("brightness_scale")
    names = [config.get(key) for key in ("unique_id", "object_id", "name")]
    lamp = MqttLamp(
        str(config.get("name") or config.get("unique_id") or command),
        command,
        state,
        _availability_topic(config, base),
        capability=Capability(mired, WIDE_GAMUT if "xy" in modes else None, modes != ["onoff"]),
        scale=scale if isinstance(scale, int) and scale > 0 else 255,
    )
    return (*(str(name) for name in names if name), command), lamp


def _availability_topic(config: Mapping[str, object], base: str) -> str:
    listed = config.get("availability")
    first = listed[0] if isinstance(listed, list) and listed else listed
    if isinstance(first, Mapping):
        return _topic(first.get("topic", first.get("t")), base)
    return _topic(config.get("availability_topic"), base)


def _topic(value: object, base: str) -> str:
    return str(value).replace("~", base) if isinstance(value, str) else ""


def frames(transition: Transition, lamp: MqttLamp, *, speed: int = 1) -> list[dict[str, object]]:
    """Return the messages that ask for a transition: brightness first, then colour."""
    if transition.power_off:
        return [{"state": "OFF", "transition": 0}]
    # Tenths of a second, rounded up: a lamp is never asked to be faster than was approved.
    tenths = ceil(transition.duration_ms / speed / 100.0 - 1e-9)
    seconds = min(tenths / 10.0, float(MAX_TRANSITION_S))
    first: dict[str, object] = {"state": "ON", "transition": seconds}
    if lamp.capability.dims:
        level = luminance_from_lstar(transition.look.lstar) * lamp.scale
        first["brightness"] = round(clamp(level, 1.0, float(lamp.scale)))
    colour = nearest_colour(transition.look.colour, lamp.capability)
    if colour is None:
        return [first]
    if isinstance(colour, Mired):
        return [first, {"color_temp": round(colour.value), "transition": seconds}]
    xy = {"x": round(colour.x, 4), "y": round(colour.y, 4)}
    return [first, {"color": xy, "transition": seconds}]


def split(transition: Transition, start: Look, *, speed: int = 1) -> tuple[Transition, Transition | None]:
    """Return the part of a transition that can be asked for now, and what is left to ask for when it has run.

    Both run evenly in luminance and colour, so together they are the whole.
    """
    most_ms = MAX_TRANSITION_S * 1000 * speed
    if transition.power_off or transition.duration_ms <= most_ms:
        return transition, None
    reached = look_between(start, transition.look, most_ms / transition.duration_ms)
    rest = replace(transition, duration_ms=transition.duration_ms - most_ms)
    return Transition(reached, most_ms), rest


def look_between(start: Look, end: Look, fraction: float) -> Look:
    """Return the look a lamp shows a fraction into a transition: even in luminance, not in lightness."""
    a, b = luminance_from_lstar(start.lstar), luminance_from_lstar(end.lstar)
    return Look(lstar_from_luminance(lerp(a, b, fraction)), mix_colours(start.colour, end.colour, fraction))


def read_state(payload: bytes, scale: int) -> LampState | None:
    """Read a state message; None if it is not one."""
    data = _json(payload)
    if not isinstance(data, dict):
        return None
    on = {"ON": True, "OFF": False}.get(str(data.get("state")))
    level, white, colour = data.get("brightness"), data.get("color_temp"), data.get("color")
    mode = data.get("color_mode")
    by_xy = mode in {"xy", "hs"} or (mode is None and white is None)
    percent = clamp(level / scale * 100.0, 0.0, 100.0) if isinstance(level, int | float) else None
    return LampState(
        on=on,
        percent=percent,
        mired=float(white) if isinstance(white, int | float) and not by_xy else None,
        xy=_point(colour) if by_xy else None,
    )


def _point(colour: object) -> tuple[float, float] | None:
    if not isinstance(colour, Mapping):
        return None
    x, y = colour.get("x"), colour.get("y")
    return (float(x), float(y)) if isinstance(x, int | float) and isinstance(y, int | float) else None


def read_availability(payload: bytes) -> bool | None:
    """Read an availability message in either of its forms; None if it says neither."""
    text = payload.decode("utf-8", "replace").strip()
    data = _json(payload)
    word = str(data.get("state", "")) if isinstance(data, dict) else text.strip('"')
    return {"online": True, "offline": False}.get(word.lower())


def confirms(state: LampState, frame: Mapping[str, object]) -> bool:
    """Say whether a state shows that a colour message has been taken."""
    white = frame.get("color_temp")
    if isinstance(white, int):
        return state.mired is not None and abs(state.mired - white) <= 1.0
    xy = _point(frame.get("color"))
    return (
        xy is not None
        and state.xy is not None
        and max(abs(a - b) for a, b in zip(xy, state.xy, strict=True)) < 0.002
    )


def near(state: LampState, start: Look, end: Look) -> bool:
    """Say whether a level read in mid-transition lies on the way, give or take two percent."""
    if state.percent is None:
        return True
    low, high = sorted((start.percent, end.percent))
    return low - 2.0 <= state.percent <= high + 2.0


def _json(payload: bytes) -> object:
    try:
        return json.loads(payload)
    except ValueError:
        return None


def names_of(lamps: Mapping[str, MqttLamp]) -> Sequence[str]:
    """Return the names lamps go by, for a hint to somebody who mistyped one."""
    return sorted({lamp.name for lamp in lamps.values()})
