"""The site's hardware as the web app reaches it: each room's parts, its check, and pairing bridges.

Made by the composition root and handed to ``create_app``; the web app itself never sees a driver.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from controller.bridge_pairing import BridgePairing
from controller.room_check import RoomCheck
from controller.room_hardware import RoomHardware


@dataclass(frozen=True, slots=True)
class Fitting:
    """Hardware and checks by room. ``pairing`` None: this site pairs no bridges.

    ``last_check`` gives a room's last check as it was kept, whoever made it.
    """

    hardware: Mapping[str, RoomHardware]
    checks: Mapping[str, RoomCheck]
    pairing: BridgePairing | None = None
    last_check: Callable[[str], dict[str, Any] | None] = lambda _room: None
