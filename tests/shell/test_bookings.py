"""Bookings prepare rooms at their time, survive restarts and damage, and never start anything."""

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import closing, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import pytest_asyncio

from controller.bookings import Booking, Bookings, BookingsError
from controller.clock import RealClock, TimeSources
from controller.errors import RefusedError

BERLIN = ZoneInfo("Europe/Berlin")


def real_now() -> datetime:
    return datetime.now(UTC)


def clock_ahead(by: timedelta = timedelta()) -> RealClock:
    return RealClock(sources=replace(TimeSources(), local_time=lambda: real_now() + by))


class Room:
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.due: list[Booking] = []
        self.missed: list[Booking] = []
        self.health: list[str | None] = []


@pytest.fixture
def room() -> Room:
    return Room()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "odd ?name%20" / "bookings.sqlite3"


def make(path: Path, room: Room, ahead: timedelta = timedelta(), zone: ZoneInfo | None = None) -> Bookings:
    return Bookings(
        path,
        clock_ahead(ahead),
        room.due.append,
        missed=room.missed.append,
        health=room.health.append,
        zone=zone,
    )


@pytest_asyncio.fixture
async def bookings(path: Path, room: Room) -> AsyncIterator[Bookings]:
    opened = make(path, room, zone=BERLIN)
    await opened.open()
    yield opened
    await opened.close()


async def until(condition: Callable[[], bool], bookings: Bookings) -> None:
    """Run the bookings until the condition holds."""
    running = asyncio.ensure_future(bookings.run())
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.005)
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running


async def test_a_booking_is_kept_over_a_restart_and_prepares_its_room(path: Path, room: Room) -> None:
    first = make(path, room)
    await first.open()
    booking = await first.add("garden", "psilocybin", real_now() + timedelta(minutes=10), prepare_minutes=15)
    assert booking.prepare_at == booking.at - timedelta(minutes=15)
    later = await first.add("garden", "quiet", real_now() + timedelta(days=2))
    await first.close()
    assert room.due == []
    second = make(path, room)
    await until(lambda: bool(room.due), second)
    assert room.due == [booking]
    third = make(path, room)
    # Ended between the handing over and its being taken out of the file, the second one leaves it to the
    # third, which hands it over once more: a room that is being prepared does not mind.
    await third.open()
    while await third.list() != (later,):
        await until(lambda: room.due[1:] == [booking], third)
        await third.open()
    await third.close()
    assert room.missed == []
    assert path.stat().st_mode & 0o077 == 0


async def test_adding_one_wakes_the_loop(path: Path, room: Room) -> None:
    bookings = make(path, room)
    await bookings.open()
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(bookings.run())
        await asyncio.sleep(0.05)
        await bookings.add("garden", "quiet", real_now() + timedelta(seconds=90), prepare_minutes=2)
        async with asyncio.timeout(30):
            while not room.due:
                await asyncio.sleep(0.005)
        running.cancel()


@pytest.mark.parametrize(("late", "prepared"), [(25, True), (35, False)])
async def test_a_late_booking_is_prepared_for_half_an_hour_then_missed(
    path: Path, room: Room, late: int, prepared: bool
) -> None:
    first = make(path, room)
    await first.open()
    booking = await first.add("garden", "quiet", real_now() + timedelta(minutes=1), prepare_minutes=5)
    await first.close()
    second = make(path, room, ahead=timedelta(minutes=late + 1, seconds=1))
    await until(lambda: bool(room.due or room.missed), second)
    assert (room.due, room.missed) == (([booking], []) if prepared else ([], [booking]))


async def test_bookings_are_listed_in_order_and_cancelled(bookings: Bookings) -> None:
    day = datetime(2031, 5, 4, 9, 0)  # noqa: DTZ001 - a local time, as a therapist gives it
    late = await bookings.add("garden", "mdma", day + timedelta(hours=4))
    early = await bookings.add("garden", "quiet", day)
    other = await bookings.add("pine", "quiet", day)
    assert early.at == datetime(2031, 5, 4, 7, 0, tzinfo=UTC)
    assert await bookings.list() == (early, other, late)
    assert (await bookings.list())[0].at.isoformat() == "2031-05-04T09:00:00+02:00"
    await bookings.cancel(early.booking_id)
    assert await bookings.list() == (other, late)
    with pytest.raises(RefusedError) as caught:
        await bookings.cancel(early.booking_id)
    assert caught.value.code == "not_found"


@pytest.mark.parametrize(
    ("at", "minutes", "code"),
    [
        (datetime(2020, 1, 1, tzinfo=UTC), 15, "past"),
        (datetime(2031, 3, 30, 2, 30), 15, "no_such_time"),  # noqa: DTZ001 - a local time
        (datetime(2031, 6, 1, tzinfo=UTC), 15, "taken"),
        (datetime(2031, 6, 2, tzinfo=UTC), -1, "invalid"),
        (datetime(2031, 6, 2, tzinfo=UTC), 100_000, "invalid"),
    ],
)
async def test_what_cannot_be_booked_is_refused(
    bookings: Bookings, at: datetime, minutes: int, code: str
) -> None:
    await bookings.add("garden", "quiet", datetime(2031, 6, 1, tzinfo=UTC))
    with pytest.raises(RefusedError) as caught:
        await bookings.add("garden", "quiet", at, minutes)
    assert caught.value.code == code
    assert len(await bookings.list()) == 1


async def test_the_file_holds_plain_json(bookings: Bookings, path: Path) -> None:
    booking = await bookings.add("garden", "quiet", datetime(2031, 6, 1, 9, 0, tzinfo=UTC))
    with closing(sqlite3.connect(path)) as raw:
        ((state,),) = raw.execute("SELECT job_state FROM apscheduler_jobs").fetchall()
    assert json.loads(state) == {
        "booking_id": booking.booking_id,
        "room": "garden",
        "profile": "quiet",
        "at": "2031-06-01T09:00:00+00:00",
        "prepare_minutes": 15,
    }


async def test_a_damaged_file_is_kept_aside_and_said(path: Path, room: Room) -> None:
    path.parent.mkdir()
    path.write_bytes(b"nothing that SQLite could read" * 100)
    bookings = make(path, room)
    await bookings.open()
    await bookings.add("garden", "quiet", real_now() + timedelta(minutes=10))
    await until(lambda: bool(room.due), bookings)
    assert path.with_name("bookings.sqlite3.damaged-1").exists()
    assert len(room.health) == 1
    assert "damaged-1" in str(room.health[0])


async def test_a_file_that_cannot_be_opened_is_a_fault_and_heals(tmp_path: Path, room: Room) -> None:
    blocker = tmp_path / "data"
    blocker.write_text("in the way")
    bookings = make(blocker / "bookings.sqlite3", room)
    with pytest.raises(BookingsError) as caught:
        await bookings.open()
    assert "\n" not in str(caught.value)
    with pytest.raises(BookingsError, match="not open"):
        await bookings.list()
    await until(lambda: bool(room.health), bookings)
    blocker.unlink()
    await bookings.open()
    await bookings.add("garden", "quiet", real_now() + timedelta(minutes=10))
    await until(lambda: bool(room.due) and room.health[-1] is None, bookings)


async def test_a_booking_that_cannot_be_taken_out_prepares_once(path: Path, room: Room) -> None:
    bookings = make(path, room)
    await bookings.open()
    await bookings.add("garden", "quiet", real_now() + timedelta(minutes=10))
    with closing(sqlite3.connect(path)) as raw, raw:
        raw.execute(
            "CREATE TRIGGER stuck BEFORE DELETE ON apscheduler_jobs BEGIN SELECT RAISE(ABORT, 'stuck'); END"
        )
    await bookings._look()
    await bookings._look()
    await asyncio.sleep(0)
    assert len(room.due) == 1
    assert "stuck" in str(bookings.fault)
    with closing(sqlite3.connect(path)) as raw, raw:
        raw.execute("DROP TRIGGER stuck")
    await bookings._look()
    assert bookings.fault is None
    assert await bookings.list() == ()
    await bookings.close()
