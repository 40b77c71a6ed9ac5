"""Builds the site's rooms: each with its lamps, player, journal, desk and conductor.

Everything that can be away (bridge, sound device, broker) is opened without waiting for it: a part that is
not well is shown, and the rest of the room runs.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from secrets import token_hex

from controller.calibration import Calibrations, load_calibrations
from controller.check_store import check_for_session
from controller.conductor import REFERENCE_LUFS, Conductor
from controller.core.score import Audience
from controller.daemon.late import Late
from controller.daemon.lights import RoomLights, open_room_lights
from controller.daemon.music import MusicStock
from controller.design_catalogue import LiveCatalogue
from controller.journal import SqliteJournal
from controller.light_desk import LightDesk
from controller.ports import Clock, PlayerEvent, Prompts
from controller.room import Room
from controller.room_library import SiteRoomLibrary
from controller.room_parts import RoomParts
from controller.sound_meter import SILENT_DEVICE, SoundMeter, scale_of
from controller.spoken_prompts import SpokenPrompts, words_ahead
from controller.track_chooser import PoolChooser
from hardware.player.client import PlayerConfig, PlayerProcess
from hardware.speech import SpeechRenderer, find_voices
from profiles.catalogue import Catalogue
from profiles.compile import resting_looks
from profiles.prompts import words_of
from profiles.site import RoomModel, SiteModel, limits_of


@dataclass(slots=True)
class OpenRoom:
    """A room and the devices that are its own."""

    room: Room
    lights: RoomLights
    player: PlayerProcess
    journal: SqliteJournal
    voice: SpokenPrompts
    words_ahead: Callable[[], tuple[str, ...]]
    meter: SoundMeter
    listeners: list[Callable[[PlayerEvent], None]] = field(default_factory=list)
    """Who else hears the player's word: set-up and the room check."""

    def on_player(self, event: PlayerEvent) -> None:
        """Take the player's word: what is about a prompt's recording is the voice's business."""
        for listener in self.listeners:
            listener(event)
        if not self.voice.on_player(event):
            self.room.on_player(event)

    async def speak(self) -> None:
        """Render prompts ahead and when they are asked for, until cancelled."""
        await self.voice.run(await asyncio.to_thread(self.words_ahead))


@dataclass(frozen=True, slots=True)
class SiteParts:
    """What all rooms of a site share."""

    site: SiteModel
    late_catalogues: Late[LiveCatalogue]
    stock: MusicStock
    data: Path
    clock: Clock
    calibrations: Calibrations
    speech: SpeechRenderer
    player_services: bool = False
    """A service manager keeps the players; the daemon finds them."""

    @classmethod
    def of(
        cls, site: SiteModel, catalogues: Late[LiveCatalogue], stock: MusicStock, data: Path, clock: Clock
    ) -> "SiteParts":
        """Return them, with what was measured of the site's sound devices and the voices of this machine."""
        voices = find_voices(data / "voices", site.language)
        speech = SpeechRenderer(data / "speech", voices)
        return cls(site, catalogues, stock, data, clock, load_calibrations(data), speech)

    @property
    def catalogues(self) -> LiveCatalogue:
        """What reads everything that can be chosen; whoever asks first waits while it is read."""
        return self.late_catalogues.get()

    @property
    def catalogue(self) -> Catalogue:
        """Everything that can be chosen now."""
        return self.catalogues.current


async def open_room(
    shared: SiteParts,
    model: RoomModel,
    journal: SqliteJournal,
    prompts: Sequence[Prompts],
    device_present: Callable[[], bool] = lambda: False,
) -> OpenRoom:
    """Open one room. ``device_present``: a prompt device is there to speak in the player's place.

    Raises:
        UserError: the site file asks for something that is not there (a driver, an option).
    """
    clock, limits = shared.clock, limits_of(shared.site, model)
    lights = await open_room_lights(model, shared.data, clock)
    player = PlayerProcess(replace(player_config(shared, model), service=shared.player_services))
    desk = LightDesk(lights.fixtures, lights.zone_of, lights.driver_of, limits, clock)
    meter = SoundMeter(limits.ceiling_dba, shared.calibrations.k_by_device, model.audio.k_db)
    conductor = Conductor(
        PoolChooser(shared.stock.pools), player.send, clock, limits, k_db=model.audio.k_db, seed=model.id
    )
    conductor.use_scale(meter.scale.k_db, meter.scale.ceiling_lufs)
    voice = SpokenPrompts(
        player.send,
        clock,
        shared.speech,
        speaks=model.audio.speech,
        device_present=device_present,
        report=lambda message: room.part_health("speech", message),
    )
    parts = RoomParts(
        room_id=model.id,
        title=model.title or model.id,
        resting=resting_looks(model),
        clock=clock,
        journal=journal,
        desk=desk,
        conductor=conductor,
        library=SiteRoomLibrary(lambda: shared.catalogue, model, shared.site.language, shared.stock.pools),
        prompts=(*prompts, voice),
        new_session_id=partial(token_hex, 16),
        meter=meter,
        silent_by_choice=model.audio.output == SILENT_DEVICE,
        recovery_limit_ms=round(model.recovery_limit_minutes * 60_000),
        checked=lambda: check_for_session(shared.data, model.id, clock.now_ms()),
    )
    room = Room(parts)
    room.part_health("calibration", shared.calibrations.problem)
    return OpenRoom(room, lights, player, journal, voice, partial(client_words, shared), meter)


def tap_path(data: Path, room: str) -> Path:
    """Return the socket where a room's player gives out its mix."""
    return data / f"tap-{room}.sock"


def client_words(shared: SiteParts) -> tuple[str, ...]:
    """Return every client's prompt that has no recording, as it may be said."""
    catalogue, language = shared.catalogue, shared.site.language
    texts = (
        words_of(prompt, language)
        for key, prompt in catalogue.prompts.items()
        if prompt.audience is Audience.CLIENT and key not in catalogue.recordings
    )
    return words_ahead(texts, lambda text, hour: catalogue.spoken(text, hour, language))


def player_config(shared: SiteParts, model: RoomModel) -> PlayerConfig:
    """Return how a room's player is started: its devices, and the ceilings that hold whoever asks.

    A device that was measured has the ceiling of its own K as soon as it is opened. Any other has that of the
    site file's K, or the cautious cap: headphones never borrow the loudspeakers' K.
    """
    audio = model.audio
    limits = limits_of(shared.site, model)
    ceiling = limits.ceiling_dba
    return PlayerConfig(
        socket=shared.data / f"player-{model.id}.sock",
        bed=shared.stock.bed,
        device=audio.output,
        headphones=audio.headphones_output,
        ceiling_lufs=scale_of(audio.k_db, ceiling).ceiling_lufs,
        headphones_ceiling_lufs=scale_of(audio.headphones_k_db, ceiling).ceiling_lufs,
        ceilings={
            name: scale_of(k, ceiling).ceiling_lufs for name, k in shared.calibrations.k_by_device.items()
        },
        speakers_trim_db=audio.speakers_trim_db,
        headphones_trim_db=audio.headphones_trim_db,
        reference_lufs=REFERENCE_LUFS,
        min_fade_ms=limits.crossfade_min_ms,
        tap=tap_path(shared.data, model.id),
        log=shared.data / f"player-{model.id}.log",
    )
