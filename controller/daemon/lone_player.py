"""How a room's player is started as a service of its own: as the daemon would start it."""

import os
from pathlib import Path

from controller.clock import RealClock
from controller.core.units import SILENT_DB
from controller.daemon.late import Late
from controller.daemon.lights import known_drivers
from controller.daemon.music import MusicStock, folders_of
from controller.daemon.rooms import SiteParts, player_config
from controller.design_catalogue import LiveCatalogue
from hardware.player.client import FRUGAL
from profiles.catalogue import load_site


def player_command(room: str, site: Path, data: Path) -> tuple[list[str], dict[str, str]]:
    """Return the command line and environment of a room's player.

    Raises:
        UserError: there is no such room, or the site file cannot be used.
    """
    loaded = load_site(site, drivers=known_drivers())
    model = loaded.room(room)
    stock = MusicStock(data, folders_of(loaded))
    shared = SiteParts.of(loaded.site, Late(_never), stock, data, RealClock())
    return player_config(shared, model).arguments(SILENT_DB), {**FRUGAL, **os.environ}


def _never() -> LiveCatalogue:
    raise AssertionError("a player needs no catalogue")
