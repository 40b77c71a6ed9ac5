"""What is kept of the lamps through a crash: each one's running transition, as plain JSON values.

It must never fail on a damaged checkpoint: a lamp that cannot be read is left out, and so found by polling.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Final

from controller.core.lamp_model import LampModel, LampTraits
from controller.core.lamp_watch import Attribute
from controller.core.light import Colour, Look, Mired, Xy
from controller.core.units import clamp
from controller.ports import FixtureInfo

VERSION: Final = 1
_ATTRIBUTES: Final[Mapping[str, Attribute]] = {
    "brightness": "brightness",
    "colour": "colour",
    "power": "power",
}


@dataclass(frozen=True, slots=True)
class LampMemory:
    """One lamp as it was last known, what a hand had changed of it, and further states it might be in."""

    model: LampModel
    hand: frozenset[Attribute] = frozenset()
    others: tuple[LampModel, ...] = ()


def traits_of(info: FixtureInfo) -> LampTraits:
    """Return what a lamp can be told, as its driver knows it."""
    return LampTraits(info.floor_percent, info.brightness_steps)


def save_lamps(lamps: Mapping[str, LampMemory]) -> dict[str, object]:
    """Return lamps as plain JSON values."""
    return {
        "version": VERSION,
        "lamps": {
            fixture: {
                "states": [_model_json(model) for model in (memory.model, *memory.others)],
                "hand": sorted(memory.hand),
            }
            for fixture, memory in lamps.items()
        },
    }


def load_lamps(data: Mapping[str, object], traits: Mapping[str, LampTraits]) -> dict[str, LampMemory]:
    """Return the lamps of a checkpoint that are in ``traits`` and can be read."""
    lamps = data.get("lamps")
    if data.get("version") != VERSION or not isinstance(lamps, Mapping):
        return {}
    loaded: dict[str, LampMemory] = {}
    for fixture, its_traits in traits.items():
        memory = _memory(lamps.get(fixture), its_traits)
        if memory is not None:
            loaded[fixture] = memory
    return loaded


def _model_json(model: LampModel) -> dict[str, object]:
    return {
        "on": model.on,
        "start_ms": model.start_ms,
        "duration_ms": model.duration_ms,
        "start": _look_json(model.start),
        "target": _look_json(model.target),
    }


def _look_json(look: Look) -> dict[str, object]:
    colour = look.colour
    if isinstance(colour, Mired):
        return {"lstar": look.lstar, "mired": colour.value}
    return {"lstar": look.lstar, "xy": [colour.x, colour.y]}


def _memory(data: object, traits: LampTraits) -> LampMemory | None:
    states = data.get("states") if isinstance(data, Mapping) else None
    if not isinstance(data, Mapping) or not isinstance(states, list) or not states:
        return None
    models = [model for state in states if (model := _model(state, traits)) is not None]
    if len(models) < len(states):
        return None
    hand = data.get("hand")
    names = [str(name) for name in hand] if isinstance(hand, list) else []
    attributes = frozenset(_ATTRIBUTES[name] for name in names if name in _ATTRIBUTES)
    return LampMemory(models[0], attributes, tuple(models[1:]))


def _model(data: object, traits: LampTraits) -> LampModel | None:
    if not isinstance(data, Mapping):
        return None
    start, target = _look(data.get("start")), _look(data.get("target"))
    start_ms, duration_ms = _number(data.get("start_ms")), _number(data.get("duration_ms"))
    if start is None or target is None or start_ms is None or duration_ms is None:
        return None
    return LampModel(
        data.get("on") is True, round(start_ms), start, target, max(round(duration_ms), 0), traits
    )


def _look(data: object) -> Look | None:
    if not isinstance(data, Mapping):
        return None
    lstar, colour = _number(data.get("lstar")), _colour(data)
    if lstar is None or colour is None:
        return None
    return Look(clamp(lstar, 0.0, 100.0), colour)


def _colour(data: Mapping[str, object]) -> Colour | None:
    mired, xy = _number(data.get("mired")), data.get("xy")
    if mired is not None and mired > 0.0:
        return Mired(mired)
    if isinstance(xy, list) and len(xy) == 2:
        x, y = _number(xy[0]), _number(xy[1])
        if x is not None and y is not None and 0.0 <= x < 1.0 and 0.0 < y < 1.0:
            return Xy(x, y)
    return None


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
        return None
    return float(value)
