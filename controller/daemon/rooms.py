"""Builds the site's rooms: each with its lamps, player, journal, desk and conductor.

Everything that can be away (bridge, sound device, broker) is opened without waiting for it: a part that is
not well is shown, and the rest of the room runs.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from secrets import token_hex

from controller.conductor import REFERENCE_LUFS, UNCALIBRATED_K_DB, Conductor
from controller.daemon.lights import RoomLights, open_room_lights
from controller.daemon.music import MusicStock
from controller.journal import SqliteJournal
from controller.light_desk import LightDesk
from controller.ports import Clock, Prompts
from controller.room import SILENT_DEVICE, Room
from controller.room_library import SiteRoomLibrary
from controller.room_parts import RoomParts
from controller.track_chooser import PoolChooser
from hardware.player.client import PlayerConfig, PlayerProcess
from profiles.catalogue import Catalogue
from profiles.compile import resting_looks
from profiles.site import RoomModel, SiteModel, limits_of


@dataclass(slots=True)
class OpenRoom:
    """A room and the devices that are its own."""

    room: Room
    lights: RoomLights
    player: PlayerProcess
    journal: SqliteJournal


@dataclass(frozen=True, slots=True)
class SiteParts:
    """What all rooms of a site share."""

    site: SiteModel
    catalogue: Catalogue
    stock: MusicStock
    data: Path
    clock: Clock


async def open_room(
    shared: SiteParts, model: RoomModel, journal: SqliteJournal, prompts: Sequence[Prompts]
) -> OpenRoom:
    """Open one room.

    Raises:
        UserError: the site file asks for something that is not there (a driver, an option).
    """
    clock, limits = shared.clock, limits_of(shared.site, model)
    lights = await open_room_lights(model, shared.data, clock)
    player = PlayerProcess(player_config(shared, model))
    desk = LightDesk(lights.fixtures, lights.zone_of, lights.driver_of, limits, clock)
    conductor = Conductor(
        PoolChooser(shared.stock.pools), player.send, clock, limits, k_db=model.audio.k_db, seed=model.id
    )
    library = SiteRoomLibrary(shared.catalogue, model, shared.site.language, shared.stock.pools)
    parts = RoomParts(
        room_id=model.id,
        title=model.title or model.id,
        resting=resting_looks(model),
        clock=clock,
        journal=journal,
        desk=desk,
        conductor=conductor,
        library=library,
        prompts=prompts,
        new_session_id=partial(token_hex, 16),
        calibrated=model.audio.k_db is not None,
        silent_by_choice=model.audio.output == SILENT_DEVICE,
        recovery_limit_ms=round(model.recovery_limit_minutes * 60_000),
    )
    return OpenRoom(Room(parts), lights, player, journal)


def player_config(shared: SiteParts, model: RoomModel) -> PlayerConfig:
    """Return how a room's player is started: its devices, and the ceilings that hold whoever asks."""
    audio = model.audio
    limits = limits_of(shared.site, model)
    k_db = UNCALIBRATED_K_DB if audio.k_db is None else audio.k_db
    headphones_k = k_db if audio.headphones_k_db is None else audio.headphones_k_db
    return PlayerConfig(
        socket=shared.data / f"player-{model.id}.sock",
        bed=shared.stock.bed,
        device=audio.output,
        headphones=audio.headphones_output,
        ceiling_lufs=limits.ceiling_dba - k_db,
        headphones_ceiling_lufs=limits.ceiling_dba - headphones_k,
        speakers_trim_db=audio.speakers_trim_db,
        headphones_trim_db=audio.headphones_trim_db,
        reference_lufs=REFERENCE_LUFS,
        min_fade_ms=limits.crossfade_min_ms,
        log=shared.data / f"player-{model.id}.log",
    )
