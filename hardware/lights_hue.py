"""The Hue driver as others see it: how to open a bridge, find one, and pair with one.

The work is in ``hardware/hue/``. It must never raise because a bridge is away: that is reported as it runs.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from controller.ports import Clock, FixtureConfig
from hardware.driver_options import read_options
from hardware.hue.driver import HueLights, HueOptions, LampCheck
from hardware.hue.pairing import pair
from hardware.hue.store import Credential, CredentialStore, store_in

if TYPE_CHECKING:
    from hardware.hue.discovery import FoundBridge

__all__ = [
    "Credential",
    "CredentialStore",
    "HueLights",
    "LampCheck",
    "discover",
    "open_lights",
    "pair",
    "store_in",
]


def open_lights(
    bridge_id: str,
    address: str,
    options: Mapping[str, str | int | float | bool],
    fixtures: Sequence[FixtureConfig],
    store_dir: Path,
    clock: Clock,
) -> HueLights:
    """Return the lamps of the Hue bridge at ``address``: ``host``, ``host:port`` or a URL.

    Raises:
        UserError: an option is unknown or of the wrong kind. A bridge that is away raises nothing.
    """
    read = read_options(f"bridge {bridge_id}", HueOptions(), options)
    return HueLights(bridge_id, address, read, fixtures, store_in(store_dir), clock)


def discover(timeout_s: float = 3.0) -> "tuple[FoundBridge, ...]":
    """Listen for bridges for ``timeout_s`` seconds; blocking.

    Raises:
        DriverError: this machine has no network to listen on.
    """
    from hardware.hue import discovery  # noqa: PLC0415 - zeroconf loads slowly

    return discovery.discover(timeout_s)
