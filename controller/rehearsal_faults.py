"""Faults to be thrown into a rehearsal, for training: what they are and how one writes them.

``bridge-gone@10m+2m``: ten minutes in, for two minutes. Pure: nothing here does anything to a room.
"""

import re
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final, Literal, get_args

from controller.core.units import MS_PER_MIN, MS_PER_S
from controller.errors import UserError

FaultKind = Literal["bridge-gone", "track-missing", "tablet-lost"]
KINDS: Final[tuple[FaultKind, ...]] = get_args(FaultKind)
USUAL_MS: Final = 2 * MS_PER_MIN
_TIME: Final = r"(\d+(?:\.\d+)?)(s|m|h)?"
_FAULT: Final = re.compile(rf"([a-z-]+)@{_TIME}(?:\+{_TIME})?")
_UNITS: Final = {"s": MS_PER_S, "m": MS_PER_MIN, "h": 60 * MS_PER_MIN, None: MS_PER_MIN}


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault: at a session time, for a while (a missing track lasts as long as it is missed). Ms."""

    kind: FaultKind
    at_ms: int
    for_ms: int = USUAL_MS


def parse_fault(text: str) -> Fault:
    """Return the fault that ``kind@time[+length]`` names; a time without a unit is in minutes.

    Raises:
        UserError: it is none.
    """
    found = _FAULT.fullmatch(text.strip().lower())
    if found is None:
        raise UserError(f"{text!r} is no fault: expected KIND@TIME, such as bridge-gone@10m or {KINDS[1]}@1h")
    name, at, unit, length, length_unit = found.groups()
    kind = next((known for known in KINDS if known == name), None)
    if kind is None:
        near = get_close_matches(name, KINDS, 1)
        hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(KINDS)}"
        raise UserError(f"there is no fault {name!r} ({hint})")
    lasts = USUAL_MS if length is None else round(float(length) * _UNITS[length_unit])
    return Fault(kind, round(float(at) * _UNITS[unit]), max(lasts, MS_PER_S))
