"""Pairing a bridge from the set-up page: what the page may ask for, whatever the bridge's make.

The daemon fulfils ``BridgePairing`` (``controller/daemon/bridge_pairing.py``). Whoever pairs stands at the
bridge with a hand on its button; nothing here may pair without.
"""

from dataclasses import dataclass
from typing import Protocol

from controller.room_hardware import FoundBridgeFacts


@dataclass(frozen=True, slots=True)
class Paired:
    """A bridge that is paired now. ``fingerprint``: of the certificate that was pinned, None over HTTP."""

    bridge: str
    address: str
    hue_id: str
    fingerprint: str | None
    in_use: bool
    """The running drivers use it already; otherwise it waits for a restart."""


class ButtonNotPressedError(Exception):
    """The bridge is there and waits for its button: try again in a moment."""


class BridgePairing(Protocol):
    """Finds bridges on the network and pairs with them."""

    async def find(self) -> tuple[FoundBridgeFacts, ...]:
        """Listen for bridges for some seconds.

        Raises:
            DriverError: there is no network to listen on.
        """
        ...

    async def pair(self, room: str, bridge: str, address: str | None, *, replace: bool) -> Paired:
        """Try once to pair with the bridge at ``address`` as the site file's ``bridge``.

        Raises:
            ButtonNotPressedError: its button was not pressed within the last 30 s.
            RefusedError: no such bridge here, not the bridge it was before (unless ``replace``), or another
                address than the site file's.
            DriverError: it does not answer, or is no Hue bridge.
            UserError: the credential cannot be kept.
        """
        ...
