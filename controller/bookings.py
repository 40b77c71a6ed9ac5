"""Bookings: a room is made ready for a time on the calendar. The only module that knows APScheduler.

A booking *prepares* a room some minutes before its time (lights and bed up); it never starts a session,
and nothing of a running session hangs on it (docs/decisions/0004-apscheduler-bookings-only.md).

When a booking's moment passed while the daemon was away, the room is still prepared up to
``LATE_MINUTES`` after the booked time; after that the booking is dropped and reported as missed.
Times are wall clock times: if the clock is set, bookings follow it.
"""

import asyncio
import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any, Final, TypeAlias, TypeVar
from uuid import uuid4

from apscheduler.executors.base import BaseExecutor
from apscheduler.job import Job
from apscheduler.jobstores.base import ConflictingIdError, JobLookupError
from apscheduler.jobstores.sqlalchemy import SQLAlchemyJobStore
from apscheduler.schedulers.base import BaseScheduler
from apscheduler.triggers.date import DateTrigger
from sqlalchemy.engine import URL
from sqlalchemy.exc import SQLAlchemyError

from controller.errors import RefusedError, StillroomError
from controller.ports import Clock

LATE_MINUTES: Final = 30
"""How long after the booked time a room is still prepared, if it could not be at its moment."""
MAX_PREPARE_MINUTES: Final = 240
LONGEST_WAIT_MS: Final = 20_000
"""The wall clock may be set at any moment, so what is due is looked up at least this often (real ms)."""

HealthListener: TypeAlias = Callable[[str | None], None]
T = TypeVar("T")


class BookingsError(StillroomError):
    """The bookings could not be read or written; sessions do not depend on them."""


@dataclass(frozen=True, slots=True)
class Booking:
    """One room, one profile, one time (with its zone), prepared that many minutes before."""

    booking_id: str
    room: str
    profile: str
    at: datetime
    prepare_minutes: int

    @property
    def prepare_at(self) -> datetime:
        """When the room is to be made ready."""
        return self.at - timedelta(minutes=self.prepare_minutes)


BookingListener: TypeAlias = Callable[[Booking], None]


def booked(booking_id: str, room: str, profile: str, at: str, prepare_minutes: int) -> Booking:
    """Return the booking a stored job stands for: the function that every job of ours names."""
    return Booking(booking_id, room, profile, datetime.fromisoformat(at), prepare_minutes)


_JOB: Final = f"{__name__}:{booked.__name__}"


def _job_fields(booking: Booking) -> dict[str, Any]:
    return {**asdict(booking), "at": booking.at.isoformat()}


class _JsonJobStore(SQLAlchemyJobStore):  # type: ignore[misc]  # APScheduler has no types
    """APScheduler's store, with a job kept as JSON: what is unpickled could run code, this cannot."""

    def add_job(self, job: Job) -> None:
        insert = self.jobs_t.insert().values(
            id=job.id,
            next_run_time=job.next_run_time.timestamp(),
            job_state=json.dumps(job.kwargs).encode(),
        )
        with self.engine.begin() as connection:
            connection.execute(insert)

    def update_job(self, job: Job) -> None:
        raise ConflictingIdError(job.id)  # a booking is never changed, only cancelled and made anew

    def _reconstitute_job(self, job_state: bytes) -> Job:
        fields = json.loads(job_state)
        booking = booked(**fields)
        job = Job.__new__(Job)
        job.__setstate__(
            {
                **_JOB_SETTINGS,
                "id": booking.booking_id,
                "trigger": DateTrigger(booking.prepare_at),
                "kwargs": fields,
                "next_run_time": booking.prepare_at,
            }
        )
        job._scheduler = self._scheduler  # noqa: SLF001 - as the store we derive from does
        job._jobstore_alias = self._alias  # noqa: SLF001
        return job


_JOB_SETTINGS: Final[dict[str, Any]] = {
    "version": 1,
    "func": _JOB,
    "executor": "default",
    "args": (),
    "name": "booking",
    "misfire_grace_time": None,  # lateness is judged in _HandOver, by the booked time
    "coalesce": True,
    "max_instances": 1,
}


class _HandOver(BaseExecutor):  # type: ignore[misc]  # APScheduler has no types
    """Runs nothing: hands each due booking to the event loop."""

    def __init__(self, due: BookingListener) -> None:
        super().__init__()
        self._due = due

    def _do_submit_job(self, job: Job, run_times: list[datetime]) -> None:  # noqa: ARG002 - APScheduler's signature
        self._due(job.func(**job.kwargs))
        # The caller counts this job as running from now on; with a handover it is over at once.
        self._instances[job.id] -= 1


class _Scheduler(BaseScheduler):  # type: ignore[misc]  # APScheduler has no types
    """APScheduler without its own thread: ``Bookings.run`` asks it what is due."""

    def __init__(self, store: _JsonJobStore, executor: _HandOver, wake: Callable[[], None]) -> None:
        super().__init__(jobstores={"default": store}, executors={"default": executor}, timezone=UTC)
        self._wake = wake

    def wakeup(self) -> None:
        self._wake()

    def shutdown(self, wait: bool = True) -> None:
        super().shutdown(wait)

    def hand_over_due(self) -> float | None:
        """Hand over what is due by the wall clock; return the seconds to the next, None if there is none."""
        wait_s = self._process_jobs()
        return None if wait_s is None else float(wait_s)


class Bookings:
    """All rooms' bookings in one SQLite file.

    ``due`` is called on the loop for a room to be prepared (again after a crash in that very moment: it
    must not mind), ``missed`` for one that came too late, ``health`` with a line when the bookings are not
    well and with None when they are again. ``zone`` is the site's; by default the machine's.
    """

    def __init__(
        self,
        path: Path,
        clock: Clock,
        due: BookingListener,
        *,
        missed: BookingListener | None = None,
        health: HealthListener | None = None,
        zone: tzinfo | None = None,
    ) -> None:
        self.fault: str | None = None
        self._notice: str | None = None
        self._path, self._clock, self._zone = path, clock, zone
        self._due, self._missed, self._health = due, missed, health
        self._scheduler: _Scheduler | None = None
        self._handed: set[str] = set()
        self._wake = asyncio.Event()

    async def open(self) -> None:
        """Open the file; a damaged one is kept under another name and a new one made.

        Raises:
            BookingsError: the file cannot be opened or made.
        """
        if self._scheduler is None:
            loop = asyncio.get_running_loop()
            self._scheduler = await asyncio.to_thread(self._open, loop)
            self._say(self._notice)

    def _open(self, loop: asyncio.AbstractEventLoop) -> _Scheduler:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            if (aside := _set_aside_if_damaged(self._path)) is not None:
                self._notice = f"{self._path}: the bookings were damaged; kept as {aside.name}, book again"
            self._path.touch(mode=0o600, exist_ok=True)
            store = _JsonJobStore(url=URL.create("sqlite", database=str(self._path)))
            executor = _HandOver(lambda booking: _tell(loop, lambda: self._handed_over(booking)))
            scheduler = _Scheduler(store, executor, lambda: _tell(loop, self._wake.set))
            scheduler.start()
        except (OSError, SQLAlchemyError) as error:
            raise BookingsError(f"{self._path}: cannot open the bookings: {_one_line(error)}") from error
        return scheduler

    async def run(self) -> None:
        """Prepare rooms at their times until cancelled. Faults are reported, never raised."""
        try:
            while True:
                self._wake.clear()
                wait_ms = await self._look()
                await self._wait(wait_ms)
        finally:
            await self.close()

    async def _wait(self, real_ms: int) -> None:
        """Wait that long, or until a booking was added or cancelled."""

        async def wake_later() -> None:
            await self._clock.sleep_until(self._clock.now_ms() + real_ms * self._clock.speed)
            self._wake.set()

        async with asyncio.TaskGroup() as waiting:
            timer = waiting.create_task(wake_later())
            await self._wake.wait()
            timer.cancel()

    async def _look(self) -> int:
        """Hand over what is due; return how many real ms to wait at most before looking again."""
        try:
            await self.open()
            wait_s = await self._call(lambda scheduler: scheduler.hand_over_due())
        except BookingsError as error:
            self._say(str(error))
            return LONGEST_WAIT_MS
        self._say(self._notice)
        return LONGEST_WAIT_MS if wait_s is None else min(int(wait_s * 1000) + 1, LONGEST_WAIT_MS)

    def _handed_over(self, booking: Booking) -> None:
        if booking.booking_id in self._handed:
            return  # it could not be taken out of the file the last time
        self._handed.add(booking.booking_id)
        if self._clock.local_time() <= booking.at + timedelta(minutes=LATE_MINUTES):
            self._due(booking)
        elif self._missed is not None:
            self._missed(booking)

    async def add(self, room: str, profile: str, at: datetime, prepare_minutes: int = 15) -> Booking:
        """Book a room for a local time (without a zone: the site's).

        Raises:
            RefusedError: the time has passed, does not exist (summer time begins) or is taken.
            BookingsError: the booking is not on the disk.
        """
        if not 0 <= prepare_minutes <= MAX_PREPARE_MINUTES:
            raise RefusedError(
                "invalid", "a room is prepared 0 to {minutes} minutes ahead", minutes=MAX_PREPARE_MINUTES
            )
        booking = Booking(uuid4().hex[:12], room, profile, self._with_zone(at), prepare_minutes)
        if booking.at <= self._clock.local_time():
            raise RefusedError("past", "{at} has passed", at=f"{booking.at:%Y-%m-%d %H:%M}")
        if any((other.room, other.at) == (room, booking.at) for other in await self.list()):
            raise RefusedError(
                "taken", "{room} is booked for {at} already", room=room, at=f"{booking.at:%Y-%m-%d %H:%M}"
            )
        fields = _job_fields(booking)

        def add(scheduler: _Scheduler) -> None:
            scheduler.add_job(
                _JOB,
                DateTrigger(booking.prepare_at),
                kwargs=fields,
                id=booking.booking_id,
                name="booking",
                misfire_grace_time=None,
                next_run_time=booking.prepare_at,
            )

        await self._call(add)
        return booking

    def _with_zone(self, at: datetime) -> datetime:
        if at.tzinfo is not None:
            return at
        local = at.astimezone() if self._zone is None else at.replace(tzinfo=self._zone)
        again = local.astimezone(UTC).astimezone(self._zone).replace(tzinfo=None)
        if again != at:
            raise RefusedError(
                "no_such_time",
                "there is no {time} on {day}: the clocks go forward",
                time=f"{at:%H:%M}",
                day=f"{at:%Y-%m-%d}",
            )
        return local

    async def list(self) -> tuple[Booking, ...]:
        """Return the bookings to come, soonest first, in the site's zone.

        Raises:
            BookingsError: they cannot be read.
        """
        jobs = await self._call(lambda scheduler: scheduler.get_jobs())
        found = (booked(**job.kwargs) for job in jobs)
        local = (replace(booking, at=booking.at.astimezone(self._zone)) for booking in found)
        return tuple(sorted(local, key=lambda booking: (booking.at, booking.room)))

    async def cancel(self, booking_id: str) -> None:
        """Take a booking back.

        Raises:
            RefusedError: there is none of that id.
            BookingsError: it cannot be taken out of the file.
        """
        try:
            await self._call(lambda scheduler: scheduler.remove_job(booking_id))
        except JobLookupError as error:
            raise RefusedError("not_found", "there is no such booking") from error

    async def _call(self, call: Callable[[_Scheduler], T]) -> T:
        scheduler = self._scheduler
        if scheduler is None:
            raise BookingsError(f"{self._path}: the bookings are not open")
        try:
            result = await asyncio.to_thread(call, scheduler)
        except SQLAlchemyError as error:
            raise BookingsError(f"{self._path}: cannot use the bookings: {_one_line(error)}") from error
        return result

    async def close(self) -> None:
        """Let go of the file. Bookings stay in it."""
        scheduler, self._scheduler = self._scheduler, None
        if scheduler is not None:
            await asyncio.to_thread(scheduler.shutdown)

    def _say(self, fault: str | None) -> None:
        if fault != self.fault:
            self.fault = fault
            if self._health is not None:
                self._health(fault)


def _tell(loop: asyncio.AbstractEventLoop, call: Callable[[], None]) -> None:
    if not loop.is_closed():
        loop.call_soon_threadsafe(call)


def _one_line(error: Exception) -> str:
    cause = getattr(error, "orig", None) or error
    return str(cause).splitlines()[0] if str(cause) else type(cause).__name__


def _set_aside_if_damaged(path: Path) -> Path | None:
    """Move a file that SQLite cannot read out of the way; return its new name, None if all is well."""
    if not path.exists():
        return None
    try:
        with closing(sqlite3.connect(path)) as connection:
            verdict = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    except sqlite3.OperationalError:
        return None  # locked or not allowed: not damage, and the opening will say so
    except sqlite3.DatabaseError:
        verdict = "damaged"
    if verdict == "ok":
        return None
    number = 1
    while (aside := path.with_name(f"{path.name}.damaged-{number}")).exists():
        number += 1
    return path.rename(aside)
