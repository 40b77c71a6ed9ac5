"""Brings the rooms' hardware, their checks and the pairing of bridges together for the web app."""

from collections.abc import Mapping
from functools import partial

from controller.check_store import keep_check, last_check
from controller.daemon.bridge_pairing import SitePairing
from controller.daemon.doors import Doors
from controller.daemon.room_hardware import open_hardware
from controller.daemon.rooms import OpenRoom, SiteParts
from controller.room_check import RoomCheck
from controller.room_hardware import RoomHardware
from controller.web.fitting import Fitting


def fit_site(
    rooms: Mapping[str, OpenRoom], shared: SiteParts, doors: Doors, clock_problem: str | None
) -> Fitting:
    """Return the site's hardware. Each room's player is heard by it from now on."""
    models = {model.id: model for model in shared.site.rooms}
    hardware: dict[str, RoomHardware] = {}
    checks: dict[str, RoomCheck] = {}
    for room, opened in rooms.items():
        found = open_hardware(
            opened,
            shared,
            models[room],
            partial(doors.broker_facts, room),
            doors.tablet_facts,
            doors.certificate,
            clock_problem,
        )
        opened.listeners.append(found.on_player)
        hardware[room] = found
        checks[room] = RoomCheck(room, found, shared.clock, partial(keep_check, shared.data))
    pairing = SitePairing(rooms, models, shared.data, shared.clock)
    return Fitting(hardware, checks, pairing, partial(last_check, shared.data))
