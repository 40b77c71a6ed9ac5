"""Reading a driver's options from the site file: known names only, of the right kind, said clearly.

It must never guess: an option that is misspelt is an error with the nearest name.
"""

from collections.abc import Mapping
from dataclasses import fields, replace
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, TypeVar

from controller.errors import UserError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    Options = TypeVar("Options", bound=DataclassInstance)
else:
    Options = TypeVar("Options")


def read_options(where: str, defaults: Options, options: Mapping[str, str | int | float | bool]) -> Options:
    """Return ``defaults`` (a frozen dataclass) with the given options put in.

    Raises:
        UserError: an option is unknown, or of another kind than its default.
    """
    kinds = {item.name: type(getattr(defaults, item.name)) for item in fields(defaults)}
    values: dict[str, Any] = {}
    for name, value in options.items():
        kind = kinds.get(name)
        if kind is None:
            near = get_close_matches(name, kinds, n=1)
            hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(kinds)}"
            raise UserError(f"{where}: no option {name!r} ({hint})")
        whole = isinstance(value, int) and not isinstance(value, bool)
        if not (type(value) is kind or (kind is float and whole)):
            raise UserError(f"{where}: option {name}: expected {kind.__name__}, found {value!r}")
        values[name] = value
    return replace(defaults, **values)
