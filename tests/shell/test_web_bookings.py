"""Bookings over HTTP, with the real calendar: made, listed, cancelled, refused."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest_asyncio
from web_fake_room import FakeRoom

from controller.bookings import Booking, Bookings
from controller.clock import ManualClock
from controller.web.access import Access
from controller.web.app import create_app

START_MS = int(datetime(2027, 3, 1, 8, tzinfo=UTC).timestamp() * 1000)


@pytest_asyncio.fixture
async def web(tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    clock = ManualClock(START_MS)
    due: list[Booking] = []
    bookings = Bookings(tmp_path / "bookings.sqlite", clock, due.append, zone=UTC)
    await bookings.open()
    access = Access(tmp_path, clock, "123456")
    app = create_app({"garden": FakeRoom(clock)}, access, tuple, clock, calendar=bookings)
    headers = {"Authorization": f"Bearer {access.issue_token('therapist', 'test')}"}
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://room", headers=headers) as client:
        client.headers["x-display"] = access.issue_token("display", "screen")
        yield client
    await bookings.close()


async def test_a_booking_is_made_listed_and_cancelled(web: httpx.AsyncClient) -> None:
    profile = (await web.get("/api/v1/profiles")).json()[0]["name"]
    body = {"room": "garden", "profile": profile, "at": "2027-03-02T09:00:00+00:00", "prepare_minutes": 20}
    made = await web.post("/api/v1/bookings", json=body)
    assert made.status_code == 201
    (listed,) = (await web.get("/api/v1/bookings")).json()
    assert listed["booking_id"] == made.json()["booking_id"]
    assert listed["prepare_minutes"] == 20
    assert (await web.delete(f"/api/v1/bookings/{listed['booking_id']}")).status_code == 204
    assert (await web.get("/api/v1/bookings")).json() == []


async def test_what_cannot_be_booked_is_refused(web: httpx.AsyncClient) -> None:
    body = {"room": "garden", "profile": "no-such", "at": "2027-03-02T09:00:00+00:00"}
    assert (await web.post("/api/v1/bookings", json=body)).status_code == 422
    assert (await web.post("/api/v1/bookings", json={**body, "room": "cellar"})).status_code == 404
    profile = (await web.get("/api/v1/profiles")).json()[0]["name"]
    past = {"room": "garden", "profile": profile, "at": "2020-01-01T09:00:00+00:00"}
    assert (await web.post("/api/v1/bookings", json=past)).status_code == 409


async def test_only_those_who_may_prepare_a_room_can_book(web: httpx.AsyncClient) -> None:
    headers = {"Authorization": f"Bearer {web.headers['x-display']}"}
    body = {"room": "garden", "profile": "x", "at": "2027-03-02T09:00:00+00:00"}
    assert (await web.post("/api/v1/bookings", json=body, headers=headers)).status_code == 403
