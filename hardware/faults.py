"""How a device's failure is told to the lanes: what failed, and how far it reaches.

It must never carry a vendor's exception further than as words.
"""

from enum import StrEnum

from controller.errors import DriverError


class Scope(StrEnum):
    """How far a fault reaches."""

    LAMP = "lamp"
    """One lamp or one command; the others go on."""
    BUSY = "busy"
    """The bridge is there and overloaded; everything waits a little."""
    AWAY = "away"
    """The bridge cannot be used; it is probed until it can."""


class DeviceError(DriverError):
    """A driver error with its reach."""

    def __init__(
        self, device: str, operation: str, message: str, *, scope: Scope, may_retry: bool = True
    ) -> None:
        super().__init__(device, operation, message, may_retry=may_retry)
        self.scope = scope
        self.plain = message
