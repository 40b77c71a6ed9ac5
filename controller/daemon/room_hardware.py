"""One room's hardware as set-up and the room check see it: fulfils ``controller.room_hardware.RoomHardware``.

It brings the parts together; each trial is in a module of its own. It must never be asked for a secret.
"""

import asyncio
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from controller.core.room_check import Sentence
from controller.core.score import FixtureId
from controller.daemon.lamp_trials import LampTrials
from controller.daemon.machine import machine_facts
from controller.daemon.music import MusicStock
from controller.daemon.rooms import OpenRoom, SiteParts
from controller.daemon.sound_trials import SoundTrials
from controller.errors import RefusedError, UserError
from controller.ports import Clock, PlayerEvent
from controller.room_hardware import (
    BridgeFacts,
    BrokerFacts,
    LampFacts,
    MachineFacts,
    OutputFacts,
    OutputName,
    PoolFacts,
    TabletFacts,
)
from playlists.coverage import coverage
from playlists.file_check import read_files
from profiles.site import RoomModel

LIVE: Final = frozenset({"running", "held", "asking"})


@dataclass(slots=True)
class OpenHardware:
    """One open room's hardware. ``broker`` and ``tablets`` are the doors' to tell."""

    opened: OpenRoom
    shared: SiteParts
    model: RoomModel
    lamp_trials: LampTrials
    sound_trials: SoundTrials
    broker: Callable[[], BrokerFacts]
    tablets: Callable[[], TabletFacts]
    certificate: Path | None
    clock_problem: str | None

    @property
    def _clock(self) -> Clock:
        return self.shared.clock

    @property
    def _stock(self) -> MusicStock:
        return self.shared.stock

    def on_player(self, event: PlayerEvent) -> None:
        """Take the player's word, beside the room."""
        self.sound_trials.on_player(event)

    def in_session(self) -> bool:
        """Whether a session runs, is held, or asks."""
        session = self.opened.room.snapshot().session
        return session is not None and session.status in LIVE

    def lamps(self) -> tuple[LampFacts, ...]:
        """The lamps, as last read."""
        return self.lamp_trials.lamps()

    def bridges(self) -> tuple[BridgeFacts, ...]:
        """The bridges."""
        return self.lamp_trials.bridges()

    def outputs(self) -> tuple[OutputFacts, ...]:
        """The sound outputs."""
        return self.sound_trials.outputs()

    def pools(self) -> Mapping[str, str]:
        """The pools that hold files, or lack one that they name."""
        return {
            loaded.pool_id: loaded.pool.title or loaded.pool_id
            for loaded in self._stock.pools()
            if loaded.tracks or loaded.problems
        }

    async def machine(self) -> MachineFacts:
        """Clock, disk, certificate."""
        return await machine_facts(self.shared.data, self.certificate, self._clock, self.clock_problem)

    async def devices(self) -> tuple[str, ...]:
        """Names of this machine's sound devices."""
        return await self.sound_trials.devices()

    async def read_lamps_anew(self) -> None:
        """Ask the bridges how their lamps are set."""
        await self.lamp_trials.read_anew()

    async def blink(self, fixture: FixtureId) -> None:
        """Let a lamp swell and sink twice; see ``LampTrials.blink``."""
        await self.lamp_trials.blink(fixture)

    async def dim_to_floor(self, fixtures: Collection[FixtureId]) -> Mapping[FixtureId, Sentence | None]:
        """Take lamps to their faintest glow and back; see ``LampTrials.dim_to_floor``."""
        return await self.lamp_trials.dim_to_floor(fixtures)

    async def tone(self, output: OutputName) -> Sentence | None:
        """Play a quiet tone; see ``SoundTrials.tone``."""
        return await self.sound_trials.tone(output)

    async def decode(self, pool: str, until_ms: int) -> PoolFacts:
        """Read a pool's files in a thread; one that was analysed and is gone by now is found too."""
        loaded = self._stock.pools().get(pool)
        if loaded is None:
            return PoolFacts(pool, pool, 0, 0, ("the pool is gone",))
        # Until it is read, a pool may say of a file what the check finds out anew: each is named once.
        read = await asyncio.to_thread(read_files, loaded.tracks, lambda: self._clock.now_ms() < until_ms)
        named = {problem.partition(":")[0] for problem in read.problems}
        known = tuple(
            f"{problem.key}: {problem.message}" for problem in loaded.problems if problem.key not in named
        )
        title = loaded.pool.title or pool
        return PoolFacts(pool, title, read.files, read.read_whole, (*read.problems, *known))

    def coverage(self, profile: str) -> tuple[str, ...]:
        """Return what the music of a profile lacks.

        Raises:
            RefusedError: there is no such profile.
        """
        try:
            score = self.shared.catalogue.score(profile, self.model, self.shared.site.language)
        except UserError as error:
            raise RefusedError("unknown_profile", str(error)) from None
        found = coverage(score, self._stock.pools(), ceiling_dba=self.model.audio.ceiling_dba)
        return tuple(warning.message for warning in found if warning.grave)


def open_hardware(
    opened: OpenRoom,
    shared: SiteParts,
    model: RoomModel,
    broker: Callable[[], BrokerFacts],
    tablets: Callable[[], TabletFacts],
    certificate: Path | None,
    clock_problem: str | None,
) -> OpenHardware:
    """Return a room's hardware."""

    def in_session() -> bool:
        return hardware.in_session()

    lamps = LampTrials(model, opened.lights, opened.room.light_source, shared.clock, shared.data, in_session)
    sound = SoundTrials(
        model.audio, opened.player, opened.meter, shared.calibrations, shared.clock, shared.data, in_session
    )
    hardware = OpenHardware(opened, shared, model, lamps, sound, broker, tablets, certificate, clock_problem)
    return hardware
