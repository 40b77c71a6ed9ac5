"""A served web app around a fake room, for the tests: real sockets, real clock, free port."""

import asyncio
import json
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
from web_fake_room import FakeRoom
from websockets.asyncio.client import ClientConnection, connect

from controller.certificates import certificate_files
from controller.clock import RealClock
from controller.errors import RefusedError, UserError
from controller.reports.desk import Report, Wanted, finished
from controller.web.access import Access, Role
from controller.web.app import create_app
from controller.web.fitting import Fitting
from controller.web.listen_calls import Listen
from controller.web.screens import PromptScreen
from controller.web.serving import serve

PIN = "135790"


def command(name: str, **fields: Any) -> dict[str, Any]:
    return {"id": str(uuid.uuid4()), "command": name, **fields}


@dataclass
class Served:
    room: FakeRoom
    access: Access
    clock: RealClock
    screen: PromptScreen
    url: str
    reports: "FakeReports"
    reasons: list[str] = field(default_factory=list)

    def client(self, role: Role | None = Role.THERAPIST, **headers: str) -> httpx.AsyncClient:
        if role is not None:
            headers["Authorization"] = f"Bearer {self.access.issue_token(role, 'test')}"
        return httpx.AsyncClient(base_url=self.url, headers=headers, trust_env=False)

    def live(self, role: Role = Role.THERAPIST, what: str = "live", room: str = "garden") -> connect:
        token = self.access.issue_token(role, "tablet")
        return self.socket(f"/api/v1/rooms/{room}/{what}", {"Authorization": f"Bearer {token}"})

    def socket(self, path: str, headers: dict[str, str], origin: str | None = None) -> connect:
        url = self.url.replace("http", "ws") + path
        extra = headers | ({"Origin": origin} if origin else {})
        return connect(url, additional_headers=extra, proxy=None)


@dataclass(frozen=True)
class FakeBooking:
    booking_id: str
    room: str
    profile: str
    at: datetime
    prepare_minutes: int


class FakeCalendar:
    """Keeps bookings in memory; refuses the past and the same time twice, as the real one may."""

    def __init__(self) -> None:
        self._booked: list[FakeBooking] = []

    async def add(self, room: str, profile: str, at: datetime, prepare_minutes: int = 15) -> FakeBooking:
        if any(booking.at == at for booking in self._booked):
            raise RefusedError("taken", "the room is booked at that time")
        booking = FakeBooking(str(len(self._booked) + 1), room, profile, at, prepare_minutes)
        self._booked.append(booking)
        return booking

    async def list(self) -> tuple[FakeBooking, ...]:
        return tuple(sorted(self._booked, key=lambda booking: booking.at))

    async def cancel(self, booking_id: str) -> None:
        self._booked = [booking for booking in self._booked if booking.booking_id != booking_id]


@dataclass
class FakeReports:
    """Makes reports of a line, and remembers what was wanted."""

    wanted: list[Wanted] = field(default_factory=list)

    async def __call__(self, room: str, session: str, wanted: Wanted) -> Report:
        self.wanted.append(wanted)
        if wanted.form == "parquet":
            raise UserError("Parquet needs the extra 'research'")
        drawn = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 4"><path d="M0 2h9"/></svg>'
        return finished(drawn.encode(), session, wanted)


@asynccontextmanager
async def served(
    data: Path,
    *,
    running: bool = True,
    listen: Listen | None = None,
    fit: Callable[[RealClock], Fitting] | None = None,
) -> AsyncIterator[Served]:
    clock = RealClock()
    room, access, screen = FakeRoom(clock, running=running), Access(data, clock, PIN), PromptScreen(clock)
    reasons: list[str] = []
    reports = FakeReports()
    calendar = FakeCalendar()
    screens = {"garden": screen}
    app = create_app(
        {"garden": room},
        access,
        lambda: tuple(reasons),
        clock,
        screens=screens,
        calendar=calendar,
        listen=listen,
        authority=certificate_files(data).ca,
        fitting=None if fit is None else fit(clock),
        reports=reports,
    )
    port: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(serve(app, "127.0.0.1", 0, started=port.set_result))
        url = f"http://127.0.0.1:{await port}"
        yield Served(room, access, clock, screen, url, reports, reasons)
        task.cancel()


async def receive(socket: ClientConnection, kind: str) -> dict[str, Any]:
    """Return the next message of a kind, past others."""
    async with asyncio.timeout(30):
        while True:
            message: dict[str, Any] = json.loads(await socket.recv())
            if message["type"] == kind:
                return message
