"""The daemon's second step: what no lamp waits for. Pages, designs, bookings, terminal, the music's stock.

This module reads in FastAPI, SQLAlchemy, numpy and rich: whoever imports it does so in a thread.
"""

import asyncio
import gc
from secrets import token_hex
from zoneinfo import ZoneInfo

from controller.bookings import Booking, Bookings
from controller.daemon.fitting import fit_site
from controller.daemon.logs import set_up_logs
from controller.daemon.rehearsing import RehearsalStage
from controller.daemon.rooms import OpenRoom
from controller.daemon.run import Daemon, Site
from controller.design_desk import DesignDesk
from controller.log_lines import log
from controller.ports import FixtureInfo
from controller.rehearsal_desk import RehearsalDesk
from controller.terminal import TerminalInfo, show_rooms
from controller.web.drawing import Drawing
from controller.web.fitting import Fitting


class SecondStep:
    """Opens the rest of one daemon."""

    def __init__(self, daemon: Daemon, site: Site) -> None:
        self._daemon, self._site = daemon, site
        self._rooms: dict[str, OpenRoom] = daemon.open_rooms

    async def take(self, group: asyncio.TaskGroup) -> Bookings:
        """Open everything that is left; returns the bookings, which want to be closed.

        Raises:
            UserError: a shipped file is broken, or the broker's users cannot be read.
        """
        daemon, site = self._daemon, self._site
        console = daemon.console()
        set_up_logs(daemon.options.data, quiet_terminal=console.is_terminal)
        problems = await asyncio.to_thread(self._read)
        bookings = self._open_bookings()
        site.doors.fit(self._draw(), self._fit())
        await site.doors.open_rest(
            group, daemon.rooms, site.screens, daemon.health, daemon.mqtt_health, bookings
        )
        for opened in self._rooms.values():
            group.create_task(opened.speak())
        group.create_task(bookings.run())
        for problem in problems:
            log.warning("left out", problem=str(problem))
        group.create_task(self._prepare_music())
        info = TerminalInfo(site.doors.address, site.doors.pin, _notes(problems))
        group.create_task(show_rooms(daemon.rooms, info, site.shared.clock, console))
        gc.enable()  # it was off while everything was read in
        return bookings

    def _read(self) -> tuple[object, ...]:
        shared = self._site.shared
        catalogue = shared.catalogue
        return (*catalogue.problems, *shared.stock.problems, *shared.stock.pools().problems)

    def _draw(self) -> Drawing:
        site, options = self._site, self._daemon.options
        shared, designs = site.shared, site.designs.get()
        pools = shared.stock.pools_to_come if options.render else shared.stock.pools
        desk = DesignDesk(designs.files, designs.store, designs.catalogues, pools, shared.clock, self._lamps)
        stage = RehearsalStage(site.loaded, designs.catalogues, pools)
        return Drawing(desk, RehearsalDesk(shared.clock, stage, token_hex))

    def _fit(self) -> Fitting:
        site = self._site
        return fit_site(self._rooms, site.shared, site.doors, getattr(site.shared.clock, "problem", None))

    def _lamps(self, room: str) -> dict[str, tuple[FixtureInfo, ...]]:
        lights = self._rooms[room].lights
        zones = dict.fromkeys(lights.zone_of.values())
        return {z: tuple(f for f in lights.fixtures if lights.zone_of.get(f.fixture) == z) for z in zones}

    async def _prepare_music(self) -> None:
        """Make what is missing, measure what is new, beside the rooms."""
        site, stock = self._site, self._site.shared.stock
        if not site.prepared:
            await asyncio.to_thread(stock.prepare, (), self._daemon.progress)
            self._music_arrived()
        if self._daemon.options.render:
            await stock.render_rest(site.first, self._music_arrived)

    def _music_arrived(self) -> None:
        for opened in self._rooms.values():
            opened.room.music_arrived()

    def _open_bookings(self) -> Bookings:
        shared = self._site.shared
        zone = None if shared.site.timezone is None else ZoneInfo(shared.site.timezone)
        return Bookings(
            shared.data / "bookings.sqlite",
            shared.clock,
            self._booking_due,
            missed=self._booking_missed,
            health=self._bookings_health,
            zone=zone,
        )

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


def _notes(problems: tuple[object, ...]) -> tuple[str, ...]:
    if not problems:
        return ()
    return (f"{len(problems)} files or parts of files were left out; 'stillroom validate' says which",)
