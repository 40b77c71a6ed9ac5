"""Time: the only module of the daemon that reads a clock or sleeps.

*Room time* is a count of milliseconds that is set by the wall clock once and afterwards by the
machine's own steady count (``CLOCK_BOOTTIME``, which goes on while the machine sleeps). Somebody
setting the clock, NTP or summer time therefore cannot move a session: see
docs/decisions/0002-room-time.md. This module never decides what is due; it only says how late it is.
"""

import asyncio
import heapq
import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from itertools import count
from pathlib import Path
from typing import Final, Protocol

NS_PER_MS: Final = 1_000_000
NS_PER_S: Final = 1_000_000_000

LONGEST_SLEEP_S: Final = 1.0
"""The event loop's timers stand still while the machine sleeps; we look again at least this often."""

_BOOT_ID_FILE: Final = Path("/proc/sys/kernel/random/boot_id")


def _boot_ns() -> int:
    # macOS and the BSDs have no CLOCK_BOOTTIME; there the count stops while the machine sleeps.
    return time.clock_gettime_ns(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


def _wall_ms() -> int:
    return time.time_ns() // NS_PER_MS


def _boot_id() -> str:
    try:
        return _BOOT_ID_FILE.read_text(encoding="ascii").strip()
    except OSError:
        return ""


def _local_time() -> datetime:
    return datetime.now(tz=UTC).astimezone()


@dataclass(frozen=True, slots=True)
class TimeSources:
    """Where time comes from; tests put their own functions here.

    ``boot_ns`` is steady within one boot, ``boot_id`` names the boot (empty: not known).
    """

    boot_ns: Callable[[], int] = _boot_ns
    wall_ms: Callable[[], int] = _wall_ms
    boot_id: Callable[[], str] = _boot_id
    local_time: Callable[[], datetime] = _local_time


@dataclass(frozen=True, slots=True)
class _Anchor:
    """Room time was ``room_ms`` when this boot's count was ``boot_ns``."""

    boot_id: str
    boot_ns: int
    room_ms: int
    speed: int

    def now_ms(self, boot_ns: int) -> int:
        return self.room_ms + (boot_ns - self.boot_ns) * self.speed // NS_PER_MS

    def due_ns(self, at_ms: int) -> int:
        """Return the first ``boot_ns`` at which ``now_ms`` is ``at_ms``."""
        return self.boot_ns - (self.room_ms - at_ms) * NS_PER_MS // self.speed

    def fits(self, boot_id: str, boot_ns: int, speed: int) -> bool:
        """Say whether the count of this anchor still runs: same boot, same speed, not from the future."""
        return bool(boot_id) and (self.boot_id, self.speed) == (boot_id, speed) and self.boot_ns <= boot_ns


def _read_anchor(path: Path) -> _Anchor | None:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    match found:
        case {"boot_id": str(boot_id), "boot_ns": int(boot_ns), "room_ms": int(room_ms), "speed": int(speed)}:
            return _Anchor(boot_id, boot_ns, room_ms, speed) if speed >= 1 else None
        case _:
            return None


def _write_anchor(path: Path, anchor: _Anchor) -> str | None:
    """Replace the file in one step; return what went wrong, if anything did."""
    text = json.dumps(
        {
            "boot_id": anchor.boot_id,
            "boot_ns": anchor.boot_ns,
            "room_ms": anchor.room_ms,
            "speed": anchor.speed,
        }
    )
    beside = path.with_name(path.name + ".new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with beside.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except OSError as error:
        return f"{path}: room time cannot be kept for a restart: {error.strerror or error}"
    return None


class RealClock:
    """Room time from the machine's steady count; ``speed`` room milliseconds pass in one real one.

    With ``anchor_store`` a restart in the same boot at the same speed goes on with the same count, even
    if the wall clock was set meanwhile. In another boot (or at another speed) the count starts anew from
    the wall clock, but never before ``not_before_ms``: pass the last room time the journal has seen.
    ``fresh=True`` starts anew in any case: right when no session is open, so that a count that ran
    fast, or began before the machine knew the time, is put right.
    """

    def __init__(
        self,
        speed: int = 1,
        anchor_store: Path | None = None,
        *,
        not_before_ms: int = 0,
        fresh: bool = False,
        sources: TimeSources | None = None,
    ) -> None:
        if speed < 1:
            raise ValueError("the speed is a whole number from 1")
        self._sources = sources or TimeSources()
        self.problem: str | None = None
        """One line if the anchor could not be stored; the clock itself is well."""
        boot_id, boot_ns = self._sources.boot_id(), self._sources.boot_ns()
        kept = None if anchor_store is None or fresh else _read_anchor(anchor_store)
        if kept is not None and kept.fits(boot_id, boot_ns, speed) and kept.now_ms(boot_ns) >= not_before_ms:
            self._anchor = kept
            return
        self._anchor = _Anchor(boot_id, boot_ns, max(self._sources.wall_ms(), not_before_ms), speed)
        if anchor_store is not None:
            self.problem = _write_anchor(anchor_store, self._anchor)

    @property
    def speed(self) -> int:
        """How many room milliseconds pass in one real one."""
        return self._anchor.speed

    def now_ms(self) -> int:
        """Room time now, ms. Never goes back, never jumps."""
        return self._anchor.now_ms(self._sources.boot_ns())

    def local_time(self) -> datetime:
        """The wall clock's local time, with its zone."""
        return self._sources.local_time()

    def wall_offset_ms(self) -> int:
        """How far the wall clock is ahead of room time, ms: for showing clock times, for nothing else."""
        return self._sources.wall_ms() - self.now_ms()

    async def sleep_until(self, at_ms: int) -> None:
        """Return at or just after room time ``at_ms``; at once if it has passed."""
        due_ns = self._anchor.due_ns(at_ms)
        left_ns = due_ns - self._sources.boot_ns()
        if left_ns <= 0:
            await asyncio.sleep(0)  # a caller that is always late must not starve the others
        while left_ns > 0:
            await asyncio.sleep(min(left_ns / NS_PER_S, LONGEST_SLEEP_S))
            left_ns = due_ns - self._sources.boot_ns()

    def call_at(self, at_ms: int, callback: Callable[[], None]) -> Callable[[], None]:
        """Call back on the loop at or just after room time ``at_ms``; what is returned takes it back."""
        return _Appointment(self._anchor.due_ns(at_ms), self._sources.boot_ns, callback).cancel


class _Appointment:
    """One ``call_at`` of a ``RealClock``."""

    __slots__ = ("_boot_ns", "_callback", "_due_ns", "_timer")

    def __init__(self, due_ns: int, boot_ns: Callable[[], int], callback: Callable[[], None]) -> None:
        self._due_ns, self._boot_ns, self._callback = due_ns, boot_ns, callback
        self._timer: asyncio.Handle
        self._arm(max(due_ns - boot_ns(), 0))

    def _arm(self, left_ns: int) -> None:
        loop = asyncio.get_running_loop()
        if left_ns == 0:
            self._timer = loop.call_soon(self._callback)
        else:
            self._timer = loop.call_later(min(left_ns / NS_PER_S, LONGEST_SLEEP_S), self._look)

    def _look(self) -> None:
        left_ns = self._due_ns - self._boot_ns()
        if left_ns > 0:
            self._arm(left_ns)
        else:
            self._callback()

    def cancel(self) -> None:
        self._timer.cancel()


class CallsBack(Protocol):
    """The part of a clock that an alarm needs."""

    def call_at(self, at_ms: int, callback: Callable[[], None]) -> Callable[[], None]:
        """See ``controller.ports.Clock``."""
        ...


class Alarm:
    """Something to wait for that others set, or that comes by itself at a given time.

    One future and one timer a wait: rooms and lanes wait many times a second, and a task for each half of
    ``asyncio.wait`` costs more than what they then do. One waiter at a time.
    """

    __slots__ = ("_clock", "_is_set", "_waiter")

    def __init__(self, clock: CallsBack) -> None:
        self._clock = clock
        self._is_set = False
        self._waiter: asyncio.Future[None] | None = None

    def is_set(self) -> bool:
        """Whether it was set, and not cleared since."""
        return self._is_set

    def set(self) -> None:
        """Wake whoever waits; who waits later goes on at once, until it is cleared."""
        self._is_set = True
        self._ring()

    def clear(self) -> None:
        """Let the next wait wait."""
        self._is_set = False

    async def wait_until(self, at_ms: int) -> bool:
        """Wait until it is set, at most until room time ``at_ms``; say whether it is set.

        Others get a turn in any case.
        """
        if self._is_set:
            await asyncio.sleep(0)
            return True
        self._waiter = asyncio.get_running_loop().create_future()
        cancel = self._clock.call_at(at_ms, self._ring)
        try:
            await self._waiter
        finally:
            cancel()
            self._waiter = None
        return self._is_set

    def _ring(self) -> None:
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            waiter.set_result(None)


@dataclass(order=True, slots=True)
class _Sleeper:
    at_ms: int
    order: int
    woken: "asyncio.Future[None]" = field(compare=False)


class ManualClock:
    """A clock that moves when told to: for tests and for rehearsals at full speed.

    Sleepers wake in the order of their times. Use it on one event loop only.
    """

    def __init__(self, start_ms: int = 0, *, zone: tzinfo = UTC) -> None:
        self._now_ms = start_ms
        self._zone = zone
        self._sleepers: list[_Sleeper] = []
        self._order = count()

    @property
    def speed(self) -> int:
        """A virtual session counts as a real one: 1."""
        return 1

    def now_ms(self) -> int:
        """Room time now, ms."""
        return self._now_ms

    def local_time(self) -> datetime:
        """Room time as local time: virtual time has no other wall clock."""
        return datetime.fromtimestamp(self._now_ms / 1000, tz=self._zone)

    def next_due_ms(self) -> int | None:
        """The room time at which the next sleeper wants to wake, or None if nobody sleeps."""
        while self._sleepers and self._sleepers[0].woken.done():
            heapq.heappop(self._sleepers)
        return self._sleepers[0].at_ms if self._sleepers else None

    def advance_to(self, at_ms: int) -> None:
        """Move to ``at_ms`` and wake whoever is due; they run when the caller next awaits."""
        if at_ms < self._now_ms:
            raise ValueError("room time never goes back")
        self._now_ms = at_ms
        while self._sleepers and self._sleepers[0].at_ms <= at_ms:
            sleeper = heapq.heappop(self._sleepers)
            if not sleeper.woken.done():
                sleeper.woken.set_result(None)

    def advance_by(self, by_ms: int) -> None:
        """Move on by ``by_ms`` and wake whoever is due."""
        self.advance_to(self._now_ms + by_ms)

    async def run_until(self, at_ms: int, *, settle: int = 10) -> None:
        """Move from sleeper to sleeper up to ``at_ms``, each woken at its exact time.

        Between two times the other tasks get ``settle`` turns of the event loop.
        """
        await self.settle(settle)
        while (due := self.next_due_ms()) is not None and due <= at_ms:
            self.advance_to(max(due, self._now_ms))
            await self.settle(settle)
        self.advance_to(at_ms)
        await self.settle(settle)

    async def settle(self, turns: int = 10) -> None:
        """Give every other task that many turns of the event loop; time stands still."""
        for _ in range(turns):
            await asyncio.sleep(0)

    async def sleep_until(self, at_ms: int) -> None:
        """Return once the clock has been moved to ``at_ms``; at once if it has passed."""
        if at_ms <= self._now_ms:
            await asyncio.sleep(0)
            return
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, _Sleeper(at_ms, next(self._order), woken))
        await woken

    def call_at(self, at_ms: int, callback: Callable[[], None]) -> Callable[[], None]:
        """Call back once the clock has been moved to ``at_ms``; what is returned takes it back."""
        loop = asyncio.get_running_loop()
        if at_ms <= self._now_ms:
            return loop.call_soon(callback).cancel
        woken: asyncio.Future[None] = loop.create_future()
        heapq.heappush(self._sleepers, _Sleeper(at_ms, next(self._order), woken))

        wanted = True

        def call(_: object) -> None:
            if wanted:
                callback()

        def cancel() -> None:
            nonlocal wanted
            wanted = False
            woken.cancel()

        woken.add_done_callback(call)
        return cancel
