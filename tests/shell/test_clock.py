"""Room time: steady under wall jumps, continuous over restarts, exact when it is virtual."""

import asyncio
import json
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.clock import Alarm, ManualClock, RealClock, TimeSources

WALL = 1_790_000_000_000
HOUR_MS = 3_600_000


@dataclass
class Machine:
    """A machine whose clocks a test sets."""

    wall: int = WALL
    boot: int = 5_000_000_000
    boot_id: str = "boot-a"

    def sources(self) -> TimeSources:
        return TimeSources(
            boot_ns=lambda: self.boot,
            wall_ms=lambda: self.wall,
            boot_id=lambda: self.boot_id,
            local_time=lambda: datetime.fromtimestamp(self.wall / 1000, tz=UTC),
        )

    def run(self, ms: int) -> None:
        self.wall += ms
        self.boot += ms * 1_000_000


@pytest.mark.parametrize("jump_ms", [HOUR_MS, -HOUR_MS, 40 * 365 * 24 * HOUR_MS])
def test_a_wall_jump_does_not_move_room_time(jump_ms: int) -> None:
    machine = Machine()
    clock = RealClock(sources=machine.sources())
    machine.run(1_500)
    machine.wall += jump_ms
    assert clock.now_ms() == WALL + 1_500
    assert clock.wall_offset_ms() == jump_ms
    machine.run(500)
    assert clock.now_ms() == WALL + 2_000


@pytest.mark.parametrize("speed", [1, 60])
def test_a_restart_in_the_same_boot_goes_on_counting(tmp_path: Path, speed: int) -> None:
    machine, store = Machine(), tmp_path / "deep" / "anchor.json"
    first = RealClock(speed, store, sources=machine.sources())
    machine.run(10_000)
    assert first.now_ms() == WALL + 10_000 * speed
    machine.wall -= HOUR_MS
    machine.run(2_000)
    again = RealClock(speed, store, not_before_ms=WALL + 10_000 * speed, sources=machine.sources())
    assert again.now_ms() == first.now_ms() == WALL + 12_000 * speed


def test_a_machine_that_slept_is_counted(tmp_path: Path) -> None:
    machine = Machine()
    clock = RealClock(anchor_store=tmp_path / "a", sources=machine.sources())
    machine.run(8 * HOUR_MS)
    assert clock.now_ms() == WALL + 8 * HOUR_MS


def test_another_boot_starts_from_the_wall_clock_but_never_before_what_was_seen(tmp_path: Path) -> None:
    machine, store = Machine(), tmp_path / "anchor.json"
    RealClock(anchor_store=store, sources=machine.sources())
    machine.run(60_000)
    machine.boot, machine.boot_id = 1_000_000_000, "boot-b"
    assert RealClock(anchor_store=store, sources=machine.sources()).now_ms() == WALL + 60_000
    machine.boot_id, machine.wall = "boot-c", WALL - 5 * HOUR_MS
    late = RealClock(anchor_store=store, not_before_ms=WALL + 61_000, sources=machine.sources())
    assert late.now_ms() == WALL + 61_000


def test_another_speed_or_a_fresh_start_leaves_the_old_count(tmp_path: Path) -> None:
    machine, store = Machine(), tmp_path / "anchor.json"
    RealClock(60, store, sources=machine.sources())
    machine.run(60_000)
    assert RealClock(60, store, fresh=True, sources=machine.sources()).now_ms() == machine.wall
    machine.run(60_000)
    assert RealClock(1, store, sources=machine.sources()).now_ms() == machine.wall


@pytest.mark.parametrize(
    "damage",
    [
        "",
        "{",
        "[]",
        "null",
        '{"boot_id": "boot-a"}',
        json.dumps({"boot_id": "boot-a", "boot_ns": 0, "room_ms": 3, "speed": 0}),
        json.dumps({"boot_id": "boot-a", "boot_ns": 9 * 10**18, "room_ms": 3, "speed": 1}),
        json.dumps({"boot_id": "boot-a", "boot_ns": "x", "room_ms": 3, "speed": 1}),
    ],
)
def test_a_damaged_anchor_is_replaced(tmp_path: Path, damage: str) -> None:
    machine, store = Machine(), tmp_path / "anchor.json"
    store.write_text(damage)
    assert RealClock(anchor_store=store, sources=machine.sources()).now_ms() == WALL
    machine.run(1_000)
    machine.wall += HOUR_MS
    assert RealClock(anchor_store=store, sources=machine.sources()).now_ms() == WALL + 1_000


def test_a_clock_behind_the_journal_is_not_believed(tmp_path: Path) -> None:
    machine, store = Machine(), tmp_path / "anchor.json"
    RealClock(anchor_store=store, sources=machine.sources())
    assert (
        RealClock(anchor_store=store, not_before_ms=WALL + 7, sources=machine.sources()).now_ms() == WALL + 7
    )


def test_an_anchor_that_cannot_be_stored_is_said_and_the_clock_runs(tmp_path: Path) -> None:
    blocker = tmp_path / "file"
    blocker.write_text("")
    clock = RealClock(anchor_store=blocker / "anchor.json", sources=Machine().sources())
    assert clock.problem is not None
    assert "\n" not in clock.problem
    assert clock.now_ms() == WALL


def test_speed_is_a_whole_number_from_one() -> None:
    with pytest.raises(ValueError, match="speed"):
        RealClock(0)


@given(speed=st.integers(1, 5000), ahead_ms=st.integers(1, 10**9), started_ns=st.integers(0, 10**15))
def test_waking_is_at_the_time_and_not_before(speed: int, ahead_ms: int, started_ns: int) -> None:
    machine = Machine(boot=started_ns)
    clock = RealClock(speed, sources=machine.sources())
    due_ns = clock._anchor.due_ns(WALL + ahead_ms)
    machine.boot = due_ns
    assert clock.now_ms() >= WALL + ahead_ms
    machine.boot = due_ns - 1
    assert clock.now_ms() < WALL + ahead_ms


async def test_real_sleep_wakes_just_after_and_runs_fast_with_speed() -> None:
    clock = RealClock(100)
    before, start = time.monotonic(), clock.now_ms()
    await clock.sleep_until(start + 3_000)
    assert clock.now_ms() >= start + 3_000
    assert 0.029 <= time.monotonic() - before < 0.5
    await clock.sleep_until(start)


def test_the_wall_clocks_zone_is_known() -> None:
    assert RealClock().local_time().tzinfo is not None


async def test_manual_sleepers_wake_in_order_at_their_times() -> None:
    clock, woken = ManualClock(WALL), list[tuple[str, int]]()

    async def sleeper(name: str, at_ms: int) -> None:
        await clock.sleep_until(at_ms)
        woken.append((name, clock.now_ms() - WALL))

    async with asyncio.TaskGroup() as tasks:
        for name, offset in (("c", 300), ("a", 100), ("b", 100), ("late", -5)):
            tasks.create_task(sleeper(name, WALL + offset))
        await clock.settle()
        assert woken == [("late", 0)]
        assert clock.next_due_ms() == WALL + 100
        await clock.run_until(WALL + 250)
        assert woken[1:] == [("a", 100), ("b", 100)]
        clock.advance_by(1_000)
    assert woken[3:] == [("c", 1_250)]
    assert clock.next_due_ms() is None


async def test_manual_time_is_exact_for_a_chain_of_sleeps() -> None:
    clock, seen = ManualClock(), list[int]()

    async def ticker() -> None:
        for tick in range(1, 101):
            await clock.sleep_until(tick * 200)
            seen.append(clock.now_ms())

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(ticker())
        await clock.run_until(30_000)
    assert seen == [tick * 200 for tick in range(1, 101)]


async def test_a_cancelled_sleeper_is_forgotten() -> None:
    clock = ManualClock()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(clock.sleep_until(1_000), timeout=0.001)
    assert clock.next_due_ms() is None
    clock.advance_to(2_000)


def test_manual_time_never_goes_back_and_has_a_zone() -> None:
    clock = ManualClock(WALL)
    with pytest.raises(ValueError, match="back"):
        clock.advance_to(WALL - 1)
    assert clock.local_time() == datetime.fromtimestamp(WALL / 1000, tz=UTC)


# ---------------------------------------------------------------- appointments and alarms


async def test_a_callback_comes_at_its_time_in_order_and_not_when_it_was_taken_back() -> None:
    clock, came = ManualClock(1_000), list[str]()
    clock.call_at(3_000, lambda: came.append("late"))
    clock.call_at(2_000, lambda: came.append("early"))
    cancel = clock.call_at(2_000, lambda: came.append("never"))
    cancel()
    await clock.run_until(1_999)
    assert came == []
    await clock.run_until(3_000)
    assert came == ["early", "late"]


async def test_a_callback_taken_back_in_the_turn_in_which_it_is_due_does_not_come() -> None:
    clock, came = ManualClock(), list[str]()
    cancel = clock.call_at(10, lambda: came.append("never"))
    clock.advance_to(10)
    cancel()
    await clock.settle()
    assert came == []


async def test_a_callback_for_a_time_that_has_passed_comes_in_the_next_turn() -> None:
    for clock in (ManualClock(5_000), RealClock(sources=Machine().sources())):
        came = asyncio.Event()
        clock.call_at(0, came.set)
        assert not came.is_set()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert came.is_set()


async def test_the_real_clock_calls_back_by_its_own_count_and_not_before() -> None:
    clock = RealClock(speed=10)
    came, due_ms = asyncio.Event(), clock.now_ms() + 200
    cancelled = clock.call_at(due_ms, lambda: pytest.fail("it was taken back"))
    clock.call_at(due_ms, came.set)
    cancelled()
    async with asyncio.timeout(30):
        await came.wait()
    assert clock.now_ms() >= due_ms


async def test_an_alarm_rings_when_set_or_when_its_time_has_come() -> None:
    clock = ManualClock()
    alarm = Alarm(clock)
    waiting = asyncio.create_task(alarm.wait_until(1_000))
    await clock.settle()
    assert not waiting.done()
    alarm.set()
    assert await waiting
    assert await alarm.wait_until(1_000), "it stays set until it is cleared"
    alarm.clear()
    waiting = asyncio.create_task(alarm.wait_until(1_000))
    await clock.run_until(999)
    assert not waiting.done()
    await clock.run_until(1_000)
    assert not await waiting
    assert clock.next_due_ms() is None, "no timer is left behind"


async def test_an_alarm_that_was_cancelled_can_be_waited_for_again() -> None:
    clock = ManualClock()
    alarm = Alarm(clock)
    waiting = asyncio.create_task(alarm.wait_until(1_000))
    await clock.settle()
    waiting.cancel()
    await asyncio.wait([waiting])
    assert clock.next_due_ms() is None
    again = asyncio.create_task(alarm.wait_until(2_000))
    await clock.run_until(1_500)
    assert not again.done(), "the first wait's time must not end the second"
    alarm.set()
    assert await again
