"""Asking a bridge who it is, before anybody pairs with it: its id and kind, as it tells everyone.

Blocking; for the set-up page, in a thread. It must never send a name or a credential of ours.
"""

from dataclasses import dataclass

from hardware.faults import DeviceError, Scope
from hardware.hue.bridge import PinnedBridge
from hardware.hue.pairing import find_endpoint


@dataclass(frozen=True, slots=True)
class Introduction:
    """What a bridge says of itself. ``address`` is where it answered, with its scheme."""

    hue_id: str
    model: str
    name: str
    address: str


def introduce(address: str) -> Introduction:
    """Ask the bridge at ``address`` who it is.

    Raises:
        DriverError: nothing answers there, or it is no Hue bridge.
    """
    endpoint = find_endpoint(address)
    bridge = PinnedBridge(address, endpoint, "none")
    try:
        config = bridge.request("GET", "/api/config")
    except DeviceError as fault:
        if fault.scope is Scope.LAMP:
            raise DeviceError(address, "pair", "no Hue bridge there", scope=Scope.AWAY) from fault
        raise
    finally:
        bridge.close()
    said = config if isinstance(config, dict) else {}
    hue_id = said.get("bridgeid")
    if not isinstance(hue_id, str) or not hue_id:
        raise DeviceError(address, "pair", "no Hue bridge there", scope=Scope.AWAY, may_retry=False)
    return Introduction(
        hue_id.upper(), str(said.get("modelid", "")), str(said.get("name", "")), str(endpoint)
    )
