"""What a lamp at the light desk has to tell the room. It says what was found, never what to do about it."""

from dataclasses import dataclass

from controller.core.lamp_watch import Attribute


@dataclass(frozen=True, slots=True)
class ByHand:
    """A hand was found on the lamp's attribute."""

    attribute: Attribute


@dataclass(frozen=True, slots=True)
class LampHealth:
    """The lamp is unwell (a clear line), or well again (None)."""

    message: str | None


News = ByHand | LampHealth
