"""The daemon: opens the site, runs its rooms and their doors, ends them in order.

What cannot run is said in one clear line and the rest runs. An orderly stop fades the music out; a killed
daemon leaves player and lamps as they are, and the next one finds them.
"""

import asyncio
import signal
from collections.abc import Callable
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from functools import partial
from uuid import uuid4
from zoneinfo import ZoneInfo

import structlog
from rich.console import Console

from controller.api import RoomApi
from controller.bookings import Booking, Bookings
from controller.clock import RealClock
from controller.daemon.doors import Doors, check_port
from controller.daemon.fitting import fit_site
from controller.daemon.interpreter import favour_the_loop, keep_house, put_aside_what_stays
from controller.daemon.lights import known_drivers
from controller.daemon.music import MusicStock, pools_of_profile
from controller.daemon.options import RunOptions
from controller.daemon.rooms import OpenRoom, SiteParts, open_room
from controller.errors import JournalError, UserError
from controller.journal import SqliteJournal, journal_path, open_journal
from controller.terminal import TerminalInfo, show_rooms
from controller.web.screens import PromptScreen
from controller.wire import EndRequest, StartRequest
from profiles.catalogue import load_catalogue, load_site

log = structlog.get_logger()

Progress = Callable[[int, int, str], None]
STOP_PATIENCE_S = 6.0


@dataclass(slots=True)
class Daemon:
    """One site's daemon, from start to stop."""

    options: RunOptions
    console: Console
    progress: Progress
    _rooms: dict[str, OpenRoom] = field(default_factory=dict, init=False)
    _ended_by_person: bool = field(default=False, init=False)

    async def run(self) -> None:
        """Run until SIGINT (a person ends it: the session too) or SIGTERM (the session will be resumed).

        Raises:
            UserError: it cannot start at all; one clear line.
        """
        options = self.options
        favour_the_loop()
        options.data.mkdir(parents=True, exist_ok=True)
        loaded = load_site(options.site, drivers=known_drivers())
        catalogue = load_catalogue(loaded)
        if options.profile is not None:
            catalogue.profile(options.profile)  # an unknown name is refused before anything is opened
        port = options.port if options.port is not None else loaded.site.web.port
        check_port(loaded.site.web.host, port)
        async with AsyncExitStack() as stack:
            folders = tuple(loaded.resolve(f) for room in loaded.site.rooms for f in room.music.folders)
            stock = await asyncio.to_thread(MusicStock, options.data, folders)
            first: tuple[str, ...] = ()
            if options.profile is not None and options.render:
                first = pools_of_profile(catalogue, options.profile)
            # The first phase's pieces are waited for; the later ones come while it plays.
            await asyncio.to_thread(stock.prepare, first[:1], self.progress)
            journals = await self._open_journals([room.id for room in loaded.site.rooms], stack)
            clock = await self._open_clock(journals)
            shared = SiteParts.of(loaded.site, catalogue, stock, options.data, clock)
            doors = Doors(shared, loaded, options)
            screens = {room.id: PromptScreen(clock) for room in loaded.site.rooms}
            for model in loaded.site.rooms:
                ports = (screens[model.id], doors.mqtt_prompts(model.id))
                present = partial(doors.prompt_device_present, model.id)
                self._rooms[model.id] = await open_room(shared, model, journals[model.id], ports, present)
            for room_id, opened in self._rooms.items():
                opened.room.part_health("clock", clock.problem)
                opened.room.part_health("journal", journals[room_id].fault)
            problems = (*catalogue.problems, *stock.problems, *stock.pools().problems)
            await self._serve(shared, doors, screens, problems, first)

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

    async def _serve(
        self,
        shared: SiteParts,
        doors: "Doors",
        screens: dict[str, PromptScreen],
        problems: tuple[object, ...],
        first: tuple[str, ...],
    ) -> None:
        stopped = asyncio.Event()
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGINT, self._stop, stopped, True)
        loop.add_signal_handler(signal.SIGTERM, self._stop, stopped, False)
        rooms: dict[str, RoomApi] = {room_id: opened.room for room_id, opened in self._rooms.items()}
        bookings = self._open_bookings(shared)
        doors.fit(fit_site(self._rooms, shared, doors, getattr(shared.clock, "problem", None)))
        try:
            async with asyncio.TaskGroup() as group:
                await self._run_rooms(group)
                await doors.open(group, rooms, screens, self._health, self._mqtt_health, bookings)
                group.create_task(bookings.run())
                for problem in problems:
                    log.warning("left out", problem=str(problem))
                if self.options.render:
                    group.create_task(shared.stock.render_rest(first, self._music_arrived))
                info = TerminalInfo(doors.address, doors.pin, self._notes(problems))
                group.create_task(show_rooms(rooms, info, shared.clock, self.console))
                await self._start_profile()
                put_aside_what_stays()
                group.create_task(keep_house(shared.clock, self._in_session))
                await stopped.wait()
                await self._end_rooms()
                _leave()
        except* _StopError:
            log.info("stopped", by_person=self._ended_by_person)
        finally:
            await bookings.close()
            await self._close()

    def _open_bookings(self, shared: SiteParts) -> Bookings:
        zone = None if shared.site.timezone is None else ZoneInfo(shared.site.timezone)
        return Bookings(
            shared.data / "bookings.sqlite",
            shared.clock,
            self._booking_due,
            missed=self._booking_missed,
            health=self._bookings_health,
            zone=zone,
        )

    async def _run_rooms(self, group: asyncio.TaskGroup) -> None:
        for opened in self._rooms.values():
            for driver in opened.lights.drivers:
                group.create_task(driver.run(opened.room.light_source))
            await opened.room.recover()
            group.create_task(opened.player.run(opened.on_player))
            group.create_task(opened.speak())
            group.create_task(opened.room.run())

    def _notes(self, problems: tuple[object, ...]) -> tuple[str, ...]:
        if not problems:
            return ()
        return (f"{len(problems)} files or parts of files were left out; 'stillroom validate' says which",)

    def _in_session(self) -> bool:
        return any(opened.room.in_session for opened in self._rooms.values())

    def _stop(self, stopped: asyncio.Event, by_person: bool) -> None:
        self._ended_by_person = by_person
        stopped.set()

    def _health(self) -> tuple[str, ...]:
        return tuple(line for opened in self._rooms.values() for line in opened.room.faults())

    def _music_arrived(self) -> None:
        for opened in self._rooms.values():
            opened.room.music_arrived()

    def _mqtt_health(self, room: str, message: str | None) -> None:
        opened = self._rooms.get(room)
        if opened is not None:
            opened.room.part_health("mqtt", message)

    def _booking_due(self, booking: Booking) -> None:
        opened = self._rooms.get(booking.room)
        if opened is not None:
            log.info("room prepared for a booking", room=booking.room, profile=booking.profile)
            opened.room.prepare()

    def _bookings_health(self, message: str | None) -> None:
        for opened in self._rooms.values():
            opened.room.part_health("bookings", message)

    def _booking_missed(self, booking: Booking) -> None:
        log.warning("booking missed", room=booking.room, profile=booking.profile, at=booking.at.isoformat())

    async def _start_profile(self) -> None:
        if self.options.profile is None:
            return
        room = next(iter(self._rooms.values())).room
        if room.snapshot().session is not None:
            log.info("the session that was running goes on", room=room.room_id)
            return
        request = StartRequest(id=uuid4(), command="start", profile=self.options.profile)
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


class _StopError(Exception):
    """Ends the daemon's task group."""


def _leave() -> None:
    raise _StopError
