"""Commands and events as JSON lines on the player's socket.

It must never let a malformed line become a command: every field is checked, unknown ones are refused.
"""

import json
from dataclasses import asdict, fields
from math import isfinite
from types import NoneType, UnionType
from typing import Any, Final, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from controller.errors import StillroomError
from controller.ports import (
    CrossfadeTo,
    ItemEnded,
    ItemFailed,
    ItemStarted,
    PlayerCommand,
    PlayerEvent,
    PlayerHealth,
    PlayerStatus,
    PlayItem,
    QueueItems,
    Route,
    SetLevel,
    Speak,
    Spoken,
    StopPlayer,
)

MAX_LINE_BYTES: Final = 1 << 20
_COMMANDS: Final[dict[str, type[PlayerCommand]]] = {
    "queue": QueueItems,
    "crossfade": CrossfadeTo,
    "level": SetLevel,
    "speak": Speak,
    "route": Route,
    "stop": StopPlayer,
}
_EVENTS: Final[dict[str, type[PlayerEvent]]] = {
    "status": PlayerStatus,
    "started": ItemStarted,
    "ended": ItemEnded,
    "failed": ItemFailed,
    "spoken": Spoken,
    "health": PlayerHealth,
}
_T = TypeVar("_T")


class ProtocolError(StillroomError):
    """A line on the player's socket is not what it should be."""


def encode(message: PlayerCommand | PlayerEvent) -> bytes:
    """Return a message as one line."""
    return json.dumps(asdict(message), ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def decode_command(line: bytes) -> PlayerCommand:
    """Return the command in a line.

    Raises:
        ProtocolError: it is not one.
    """
    values = _values(line)
    return _build(_known(_COMMANDS, values), values)


def decode_event(line: bytes) -> PlayerEvent:
    """Return the event in a line.

    Raises:
        ProtocolError: it is not one.
    """
    values = _values(line)
    return _build(_known(_EVENTS, values), values)


def _values(line: bytes) -> dict[str, Any]:
    try:
        values = json.loads(line)
    except (ValueError, RecursionError):
        raise ProtocolError("a line is not JSON") from None
    if not isinstance(values, dict):
        raise ProtocolError("a line is not an object")
    return values


def _known(classes: dict[str, type[_T]], values: dict[str, Any]) -> type[_T]:
    found = classes.get(str(values.get("kind")))
    if found is None:
        raise ProtocolError(f"unknown kind {str(values.get('kind'))[:32]!r}")
    return found


def _build(cls: type[_T], values: dict[str, Any]) -> _T:
    hints = get_type_hints(cls)
    names = {field.name for field in fields(cls)}  # type: ignore[arg-type]
    unknown = values.keys() - names
    if unknown:
        raise ProtocolError(f"{cls.__name__}: unknown field {min(unknown)!r}")
    try:
        return cls(**{name: _convert(hints[name], value, name) for name, value in values.items()})
    except TypeError:
        missing = sorted(names - values.keys())
        raise ProtocolError(f"{cls.__name__}: fields are missing among {missing}") from None


def _convert(hint: object, value: object, name: str) -> Any:  # noqa: ANN401 (whatever the field is)
    origin = get_origin(hint)
    if hint is PlayItem and isinstance(value, dict):
        return _build(PlayItem, value)
    if origin is tuple and isinstance(value, list):
        return tuple(_convert(get_args(hint)[0], item, name) for item in value)
    if origin in (Union, UnionType):
        if value is None and NoneType in get_args(hint):
            return None
        return _convert(next(arg for arg in get_args(hint) if arg is not NoneType), value, name)
    if origin is Literal and value in get_args(hint):
        return value
    if hint is float and isinstance(value, (int, float)) and not isinstance(value, bool) and isfinite(value):
        return float(value)
    if hint in (str, bool) and isinstance(value, hint):
        return value
    if hint is int and isinstance(value, int) and not isinstance(value, bool):
        return value
    raise ProtocolError(f"{name}: {str(value)[:32]!r} is not what belongs there")
