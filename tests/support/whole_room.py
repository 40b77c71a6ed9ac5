"""A real room of the demo site in virtual time: simulated lamps, a mute player and a journal of lists."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from pydantic import TypeAdapter

from controller.clock import ManualClock
from controller.conductor import UNCALIBRATED_K_DB, Conductor
from controller.core.records import Record, SessionStarted
from controller.daemon.options import DEMO_SITE
from controller.light_desk import LightDesk
from controller.ports import FixtureConfig, SessionSummary, StoredNote
from controller.room import Room
from controller.room_library import SiteRoomLibrary
from controller.room_parts import RoomParts
from controller.track_chooser import PoolChooser
from controller.wire import CommandRequest, Reply
from hardware.sim.direct_lights import DirectLights
from hardware.sim.virtual_player import VirtualPlayer
from playlists.catalogue import Pools
from profiles.catalogue import load_catalogue, load_site
from profiles.compile import resting_looks
from profiles.site import limits_of

START_MS = 1_790_000_000_000


@dataclass
class MemoryJournal:
    """Keeps everything in lists, in the order it came."""

    kept: list[Record] = field(default_factory=list)
    notes_kept: list[StoredNote] = field(default_factory=list)
    checkpoints: dict[str, str] = field(default_factory=dict)
    fault: str | None = None

    async def append(self, records: Sequence[Record], checkpoint: tuple[str, str] | None = None) -> None:
        self.kept.extend(records)
        if checkpoint is not None:
            await self.save_checkpoint(*checkpoint)

    async def add_note(self, note: StoredNote) -> None:
        self.notes_kept.append(note)

    async def records(self, session_id: str) -> tuple[Record, ...]:
        return tuple(record for record in self.kept if record.session_id == session_id)

    async def open_session(self) -> tuple[Record, ...]:
        return ()

    async def newest_session(self) -> tuple[Record, ...]:
        begun = [i for i, record in enumerate(self.kept) if isinstance(record.body, SessionStarted)]
        return tuple(self.kept[begun[-1] if begun else 0 :])

    async def note_prompt(self, session_id: str, prompt_id: str) -> bool:
        del session_id, prompt_id
        return True

    async def noted_prompts(self, session_id: str) -> tuple[str, ...]:
        del session_id
        return ()

    async def command_ids(self) -> tuple[str, ...]:
        return tuple(record.command_id for record in self.kept if record.command_id is not None)

    async def sessions(self) -> tuple[SessionSummary, ...]:
        return ()

    async def save_checkpoint(self, name: str, json: str) -> None:
        self.checkpoints[name] = json

    async def load_checkpoint(self, name: str) -> str | None:
        return self.checkpoints.get(name)

    async def close(self) -> None:
        pass


@dataclass
class WholeRoom:
    """The room, and what drives it."""

    room: Room
    clock: ManualClock
    journal: MemoryJournal
    player: VirtualPlayer

    async def say(self, command: str, command_id: str | None = None, **fields: Any) -> Reply:
        """Give a command as the tablet does."""
        body = {"id": command_id or str(uuid4()), "command": command, **fields}
        request: Any = TypeAdapter(CommandRequest).validate_python(body)
        answer = asyncio.ensure_future(self.room.submit(request, "therapist:tablet by the window"))
        await self.clock.run_until(self.clock.now_ms() + 1)
        return await answer

    async def wait(self, minutes: float) -> None:
        """Let room time pass."""
        await self.clock.run_until(self.clock.now_ms() + round(minutes * 60_000))


@asynccontextmanager
async def whole_room(
    pools: Pools, before: MemoryJournal | None = None, at_ms: int = START_MS
) -> AsyncIterator[WholeRoom]:
    """Open the demo site's room, from the journal ``before``; an empty ``pools`` leaves it to the bed."""
    loaded = load_site(DEMO_SITE)
    site, model = loaded.site, loaded.site.rooms[0]
    clock, limits, catalogue = ManualClock(at_ms), limits_of(site, model), load_catalogue(loaded)
    fixtures = [FixtureConfig(f.id, f.address, f.name or f.id) for f in model.fixtures]
    lights, player, journal = DirectLights(clock, fixtures), VirtualPlayer(clock), before or MemoryJournal()
    zone_of = {f.id: f.zone for f in model.fixtures}
    desk = LightDesk(lights.fixtures(), zone_of, {f.id: lights for f in model.fixtures}, limits, clock)
    lights.attach(desk)
    parts = RoomParts(
        room_id=model.id,
        title=model.title or model.id,
        resting=resting_looks(model),
        clock=clock,
        journal=journal,
        desk=desk,
        conductor=Conductor(PoolChooser(lambda: pools), player.send, clock, limits, k_db=UNCALIBRATED_K_DB),
        library=SiteRoomLibrary(lambda: catalogue, model, site.language, lambda: pools),
        prompts=(),
        new_session_id=lambda: uuid4().hex,
    )
    room = Room(parts)
    if before is not None:
        await room.recover()
    async with asyncio.TaskGroup() as tasks:
        running = [tasks.create_task(room.run()), tasks.create_task(_listen(room, clock, player))]
        await clock.settle()
        yield WholeRoom(room, clock, journal, player)
        for task in running:
            task.cancel()


async def _listen(room: Room, clock: ManualClock, player: VirtualPlayer) -> None:
    """Bring the player's word to the room, as its process would."""
    while True:
        now = clock.now_ms()
        due = player.next_due_ms()
        await clock.sleep_until(min(now + 1_000, now + 1_000 if due is None else max(due, now + 1)))
        for event in (*player.tick(), player.status()):
            room.on_player(event)
