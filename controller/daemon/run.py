"""The daemon: opens the site, runs its rooms and their doors, ends them in order.

What cannot run is said in one clear line and the rest runs. An orderly stop fades the music out; a killed
daemon leaves player and lamps as they are, and the next one finds them. It starts in two steps: what makes a
lamp obey first; all else (``controller.daemon.second_step``) is read in beside the rooms at work.
"""

import asyncio
import signal
from collections.abc import Callable
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from controller.api import RoomApi
from controller.clock import RealClock
from controller.daemon.doors import Doors, check_port
from controller.daemon.interpreter import favour_the_loop, keep_house, put_aside_what_stays
from controller.daemon.late import Late
from controller.daemon.lights import known_drivers
from controller.daemon.music import MusicStock, folders_of, pools_of_profile
from controller.daemon.options import RunOptions
from controller.daemon.rooms import OpenRoom, SiteParts, open_room
from controller.errors import JournalError, UserError
from controller.journal import SqliteJournal, journal_path, open_journal
from controller.log_lines import log
from controller.ports import Clock
from controller.web.screens import PromptScreen
from controller.wire import EndRequest, StartRequest
from hardware.systemd_notify import ServiceManager, Watchdog
from profiles.catalogue import LoadedSite, load_site

if TYPE_CHECKING:
    from rich.console import Console

    from controller.bookings import Bookings
    from controller.daemon.designs import Designs
    from controller.daemon.second_step import SecondStep

Progress = Callable[[int, int, str], None]
STOP_PATIENCE_S = 6.0


@dataclass(slots=True)
class Daemon:
    """One site's daemon, from start to stop."""

    options: RunOptions
    console: "Callable[[], Console]"
    progress: Progress
    manager: ServiceManager = field(default_factory=ServiceManager)
    _rooms: dict[str, OpenRoom] = field(default_factory=dict, init=False)
    _ended_by_person: bool = field(default=False, init=False)
    _bookings: "Bookings | None" = field(default=None, init=False)

    async def run(self) -> None:
        """Run until SIGINT (a person ends it: the session too) or SIGTERM (the session will be resumed).

        Raises:
            UserError: it cannot start at all; one clear line.
        """
        options = self.options
        favour_the_loop()
        options.data.mkdir(parents=True, exist_ok=True)
        loaded = load_site(options.site, drivers=known_drivers())
        designs = Late(partial(_open_designs, loaded, options.data))
        catalogues = Late(lambda: designs.get().catalogues)
        if options.profile is not None:
            catalogues.get().current.profile(options.profile)  # an unknown name is refused first of all
        port = options.port if options.port is not None else loaded.site.web.port
        check_port(loaded.site.web.host, port)
        async with AsyncExitStack() as stack:
            stock = MusicStock(options.data, folders_of(loaded))
            first: tuple[str, ...] = ()
            if options.profile is not None and options.render:
                first = pools_of_profile(catalogues.get().current, options.profile)
            early = options.profile is not None or stock.bed is None
            if early:  # the first phase's pieces are waited for; the later ones come while it plays
                await asyncio.to_thread(stock.prepare, first[:1], self.progress)
            journals = await self._open_journals([room.id for room in loaded.site.rooms], stack)
            clock = await self._open_clock(journals)
            shared = SiteParts.of(loaded.site, catalogues, stock, options.data, clock)
            shared = replace(shared, player_services=options.player_services)
            doors = Doors(shared, loaded, options)
            screens = {room.id: PromptScreen(clock) for room in loaded.site.rooms}
            for model in loaded.site.rooms:
                ports = (screens[model.id], doors.mqtt_prompts(model.id))
                present = partial(doors.prompt_device_present, model.id)
                self._rooms[model.id] = await open_room(shared, model, journals[model.id], ports, present)
            for room_id, opened in self._rooms.items():
                opened.room.part_health("clock", clock.problem)
                opened.room.part_health("journal", journals[room_id].fault)
            await self._serve(Site(loaded, shared, doors, screens, designs, first, prepared=early))

    async def _open_journals(self, rooms: list[str], stack: AsyncExitStack) -> dict[str, SqliteJournal]:
        journals = {}
        for room in rooms:
            journal = await open_journal(
                journal_path(self.options.data, room), partial(self._journal_health, room)
            )
            stack.push_async_callback(journal.close)
            journals[room] = journal
        return journals

    def _journal_health(self, room: str, message: str | None) -> None:
        opened = self._rooms.get(room)
        if opened is not None:
            opened.room.part_health("journal", message)

    async def _open_clock(self, journals: dict[str, SqliteJournal]) -> RealClock:
        last, session = 0, False
        for journal in journals.values():
            with suppress(JournalError):  # the room says so, and runs without
                last = max(last, await journal.last_at_ms())
                session = session or bool(await journal.open_session())
        anchor = self.options.data / "clock.json"
        # With no session to go on with, the count is put right by the wall clock.
        return RealClock(self.options.speed, anchor, not_before_ms=last if session else 0, fresh=not session)

    async def _serve(self, site: "Site") -> None:
        stopped = asyncio.Event()
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGINT, self._stop, stopped, True)
        loop.add_signal_handler(signal.SIGTERM, self._stop, stopped, False)
        watchdog = Watchdog(self.manager, self._rooms, loop.time)
        try:
            async with asyncio.TaskGroup() as group:
                await self._run_rooms(group, watchdog)
                await site.doors.open(group, self.rooms, self.health, self.mqtt_health)
                self.manager.ready(f"{len(self._rooms)} rooms")
                group.create_task(self._ask_for_turns(site.shared.clock))
                await self._start_profile()
                await self._take_second_step(group, site)
                put_aside_what_stays()
                group.create_task(keep_house(site.shared.clock, self._in_session))
                await stopped.wait()
                self.manager.stopping()
                await self._end_rooms()
                _leave()
        except* _StopError:
            log.info("stopped", by_person=self._ended_by_person)
        finally:
            if self._bookings is not None:
                await self._bookings.close()
            await self._close()

    async def _take_second_step(self, group: asyncio.TaskGroup, site: "Site") -> None:
        """Open the rest. Whoever stops us meanwhile waits for its end: half-opened is not to be closed."""
        step = await asyncio.to_thread(_second_step, self, site)
        self._bookings = await step.take(group)

    async def _ask_for_turns(self, clock: Clock) -> None:
        """Wake each room's loop as often as the watchdog wants to hear of it; the loop itself then pings."""
        every_s = self.manager.ping_every_s
        if every_s is None:
            return
        while True:
            for opened in self._rooms.values():
                opened.room.turn_once()
            await clock.sleep_until(clock.now_ms() + round(every_s * 1000) * clock.speed)

    @property
    def rooms(self) -> dict[str, RoomApi]:
        """The rooms, as doors see them."""
        return {room_id: opened.room for room_id, opened in self._rooms.items()}

    @property
    def open_rooms(self) -> dict[str, OpenRoom]:
        """The rooms with their devices."""
        return self._rooms

    async def _run_rooms(self, group: asyncio.TaskGroup, watchdog: Watchdog) -> None:
        for room_id, opened in self._rooms.items():
            opened.room.on_turn = partial(watchdog.turned, room_id)
            for driver in opened.lights.drivers:
                group.create_task(driver.run(opened.room.light_source))
            await opened.room.recover()
            group.create_task(opened.player.run(opened.on_player))
            group.create_task(opened.room.run())

    def _in_session(self) -> bool:
        return any(opened.room.in_session for opened in self._rooms.values())

    def _stop(self, stopped: asyncio.Event, by_person: bool) -> None:
        self._ended_by_person = by_person
        stopped.set()

    def health(self) -> tuple[str, ...]:
        """What is not well, one line each."""
        return tuple(line for opened in self._rooms.values() for line in opened.room.faults())

    def mqtt_health(self, room: str, message: str | None) -> None:
        """Take the MQTT door's word on its link."""
        opened = self._rooms.get(room)
        if opened is not None:
            opened.room.part_health("mqtt", message)

    async def _start_profile(self) -> None:
        if self.options.profile is None:
            return
        room = next(iter(self._rooms.values())).room
        if room.snapshot().session is not None:
            log.info("the session that was running goes on", room=room.room_id)
            return
        name, speed = self.options.profile, self.options.rehearsal_speed
        request = StartRequest(id=uuid4(), command="start", profile=name, rehearsal_speed=speed)
        reply = await room.submit(request, "operator:command-line")
        if reply.refused is not None:
            raise UserError(reply.refused.message)

    async def _end_rooms(self) -> None:
        if self._ended_by_person:
            for opened in self._rooms.values():
                with suppress(TimeoutError):
                    async with asyncio.timeout(STOP_PATIENCE_S):
                        request = EndRequest(id=uuid4(), command="end", anyway=True)
                        await opened.room.submit(request, "operator:command-line")
        # While their links still stand: without them nobody can tell a player to fade out and end.
        for opened in self._rooms.values():
            await opened.player.close(stop_player=True)

    async def _close(self) -> None:
        for opened in self._rooms.values():
            await opened.player.close(stop_player=False)
            for driver in opened.lights.drivers:
                await driver.close()
            for process in opened.lights.simulated:
                process.stop()


@dataclass(frozen=True, slots=True)
class Site:
    """What the first step opened, for the second."""

    loaded: LoadedSite
    shared: SiteParts
    doors: Doors
    screens: dict[str, PromptScreen]
    designs: "Late[Designs]"
    first: tuple[str, ...]
    prepared: bool


def _open_designs(loaded: LoadedSite, data: Path) -> "Designs":
    from controller.daemon.designs import open_designs  # noqa: PLC0415 - no start waits for it

    return open_designs(loaded, data)


def _second_step(daemon: Daemon, site: Site) -> "SecondStep":
    from controller.daemon.second_step import SecondStep  # noqa: PLC0415 - read in by a thread

    return SecondStep(daemon, site)


class _StopError(Exception):
    """Ends the daemon's task group."""


def _leave() -> None:
    raise _StopError
