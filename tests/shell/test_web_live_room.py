"""The live state: differences put together again give the whole; slow tablets get it anew."""

import asyncio
import json
from itertools import pairwise
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from web_fake_room import FakeRoom

from controller.clock import ManualClock
from controller.web.live import BEAT_MS, MAX_QUEUED, SNAPSHOTS, Feed, LiveRoom, difference

VALUES = st.one_of(st.none(), st.integers(), st.text(max_size=3), st.lists(st.integers(), max_size=2))
PARTS = st.fixed_dictionaries({"a": VALUES, "b": VALUES})
TREES = st.fixed_dictionaries({"x": VALUES, "session": st.one_of(st.none(), PARTS), "music": PARTS})


def patched(tree: dict[str, Any], changed: dict[str, Any]) -> dict[str, Any]:
    """What the tablet does with a patch."""
    new = dict(tree)
    for key, value in changed.items():
        outer, _, inner = key.partition(".")
        new[outer] = {**new[outer], inner: value} if inner else value
    return new


@given(TREES, TREES)
def test_old_state_and_difference_give_the_new_state(old: dict[str, Any], new: dict[str, Any]) -> None:
    assert patched(old, difference(old, new)) == new


@given(TREES)
def test_no_change_is_no_difference(tree: dict[str, Any]) -> None:
    assert difference(tree, tree) == {}


async def test_a_tablet_that_falls_behind_gets_the_whole_and_keeps_its_answers() -> None:
    feed = Feed()
    assert await feed.next(lambda: "whole 1") == "whole 1"
    for n in range(MAX_QUEUED + 10):
        feed.patch(f"patch {n}")
    feed.answer("reply")
    assert await feed.next(lambda: "?") == "reply"
    assert await feed.next(lambda: "whole 2") == "whole 2"
    feed.patch("after")
    assert await feed.next(lambda: "?") == "after"


async def drain(feed: Feed, live: LiveRoom, turns: int = 20) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    task = asyncio.ensure_future(collect(feed, live, found))
    for _ in range(turns):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    return found


async def collect(feed: Feed, live: LiveRoom, found: list[dict[str, Any]]) -> None:
    while True:
        found.append(json.loads(await feed.next(live.whole)))


async def test_every_tablet_converges_to_the_room_and_seq_has_no_gap() -> None:
    clock = ManualClock(10_000_000)
    room = FakeRoom(clock)
    live = LiveRoom(room, clock)
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(live.run())
        await clock.settle()
        first, second = live.join(), live.join()
        for step in range(5):
            room.trim_db -= 2
            room.changed()
            if step == 2:
                third = live.join()
            await clock.run_until(clock.now_ms() + 100)
        for feed in (first, second, third):
            messages = await drain(feed, live)
            assert messages[0]["type"] == "snapshot"
            tree = messages[0]["snapshot"]
            for before, message in pairwise(messages):
                assert message["seq"] == before["seq"] + 1
                tree = patched(tree, message["set"])
            assert tree["music"]["trim_db"] == room.trim_db
            assert tree["revision"] == SNAPSHOTS.dump_python(room.snapshot(), mode="json")["revision"]
        running.cancel()


async def test_a_beat_goes_out_each_second_even_when_nothing_changes() -> None:
    clock = ManualClock(10_000_000)
    room = FakeRoom(clock, running=False)
    live = LiveRoom(room, clock)
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(live.run())
        await clock.settle()
        feed = live.join()
        assert (await drain(feed, live))[0]["type"] == "snapshot"
        await clock.run_until(clock.now_ms() + 3 * BEAT_MS)
        assert [message["type"] for message in await drain(feed, live)] == ["patch"] * 3
        running.cancel()


async def test_changes_faster_than_the_pace_are_put_together() -> None:
    clock = ManualClock(10_000_000)
    room = FakeRoom(clock)
    live = LiveRoom(room, clock)
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(live.run())
        await clock.settle()
        feed = live.join()
        await drain(feed, live)
        for n in range(200):
            room.trim_db = n / 10
            room.changed()
            await clock.run_until(clock.now_ms() + 1, settle=3)
        await clock.run_until(clock.now_ms() + 100)
        patches = await drain(feed, live)
        assert 4 <= len(patches) <= 10
        assert patches[-1]["set"].get("music.trim_db", room.trim_db) == room.trim_db
        running.cancel()


async def test_a_state_that_cannot_be_drawn_ends_nothing(tmp_path: Path) -> None:
    clock = ManualClock(10_000_000)
    room = FakeRoom(clock)
    live = LiveRoom(room, clock)
    good = room.snapshot
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(live.run())
        await clock.settle()
        feed = live.join()
        await drain(feed, live)

        def broken() -> Any:
            raise ZeroDivisionError

        room.snapshot = broken  # type: ignore[method-assign]
        await clock.run_until(clock.now_ms() + 2 * BEAT_MS)
        room.snapshot = good  # type: ignore[method-assign]
        await clock.run_until(clock.now_ms() + BEAT_MS)
        assert [message["type"] for message in await drain(feed, live)] == ["patch"]
        running.cancel()
