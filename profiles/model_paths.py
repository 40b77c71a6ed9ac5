"""What a model knows at a place in a file: its key names there, and its complaints in plain words.

It only reads models; it never validates.
"""

from collections.abc import Mapping
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic_core import ErrorDetails

_WORDS = {
    "less than or equal to": "at most",
    "greater than or equal to": "at least",
    "greater than": "more than",
    "a valid number": "a number",
    "a valid integer": "a whole number",
    "a valid string": "text (in quotes if it looks like a number)",
    "a valid boolean": "true or false",
    "a valid dictionary": "keys with values",
    "a valid array": "a list",
    "a valid tuple": "a list",
    "an object": "keys with values",
}


def names_at(model: type[BaseModel], loc: tuple[str | int, ...]) -> tuple[str, ...]:
    """Return the key names a model allows at a pydantic error location."""
    kinds: tuple[Any, ...] = (model,)
    for part in loc:
        kinds = tuple(step for kind in kinds for step in _step(kind, part))
    names = [name for kind in kinds for name in _fields(kind)]
    return tuple(dict.fromkeys(names))


def message_of(detail: ErrorDetails) -> str:
    """Return one of pydantic's complaints as what was expected and what was found."""
    kind, found = detail["type"], detail["input"]
    if kind == "extra_forbidden":
        return "unknown key"
    if kind == "missing":
        return "this key is missing"
    if kind == "string_pattern_mismatch":
        pattern = str(detail.get("ctx", {}).get("pattern", ""))
        return f"expected text like {pattern}, found {_shown(found)}"
    message = detail["msg"]
    for start in ("Input should be ", "Value error, "):
        message = message.replace(start, "expected ")
    for theirs, ours in _WORDS.items():
        message = message.replace(theirs, ours)
    message = message[:1].lower() + message[1:]
    return f"{message}, found {_shown(found)}"


def _shown(value: object) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, Mapping):
        return "keys with values"
    if isinstance(value, list | tuple):
        return f"a list of {len(value)}"
    if isinstance(value, bool):
        return str(value).lower()
    text = f"'{value}'" if isinstance(value, str) else str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _arms(kind: Any) -> tuple[Any, ...]:  # noqa: ANN401 (annotations have no common type)
    """Return the plain types an annotation stands for."""
    origin = get_origin(kind)
    if origin is Annotated:
        return _arms(get_args(kind)[0])
    if origin in (Union, UnionType):
        return tuple(arm for part in get_args(kind) for arm in _arms(part))
    return (kind,)


def _fields(kind: Any) -> tuple[str, ...]:  # noqa: ANN401
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return tuple(field.alias or name for name, field in kind.model_fields.items())
    return ()


def _step(kind: Any, part: str | int) -> tuple[Any, ...]:  # noqa: ANN401
    """Return the types one part of a location leads to; the type itself if the part is only a mark."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        for name, field in kind.model_fields.items():
            if part in (name, field.alias):
                return _arms(field.annotation)
        return (kind,)
    arguments = get_args(kind)
    if get_origin(kind) is None or not arguments:
        return ()
    # Sequences and mappings: the last argument (before an ellipsis) is what they hold.
    return _arms([argument for argument in arguments if argument is not Ellipsis][-1])
