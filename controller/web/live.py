"""The live state of a room for all its tablets: one snapshot per change, encoded once, sent as differences.

It must never wait for a tablet: one that does not keep up loses the differences and gets the whole again.

Messages to a tablet, each with ``seq`` (one more than the last) and ``link_ms`` (a real-time count of
this server, by which a tablet stamps its commands):

* ``{"type": "snapshot", "seq", "link_ms", "snapshot": {…}}``: everything.
* ``{"type": "patch", "seq", "link_ms", "set": {"now_ms": …, "session.session_ms": …}}``: the values that
  changed, named by at most two keys; lists come whole. At least once a second, so silence means a lost link.
* ``{"type": "reply", "reply": {…}}``: the answer to a command of this tablet.
"""

import asyncio
import json
import logging
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, Final

from pydantic import TypeAdapter

from controller.api import RoomApi, RoomChange
from controller.core.snapshot import Snapshot
from controller.ports import Clock

BEAT_MS: Final = 1_000
"""A patch goes out this often, changed or not (real ms)."""
PACE_MS: Final = 40
"""Least time between two patches (real ms): twice what a drag sends."""
MAX_QUEUED: Final = 64

SNAPSHOTS: Final = TypeAdapter(Snapshot)
_NESTED: Final = ("session", "music")
_LOG: Final = logging.getLogger(__name__)

Tree = dict[str, Any]


def encode(message: Mapping[str, object]) -> str:
    """Return a message as compact JSON."""
    return json.dumps(message, separators=(",", ":"), ensure_ascii=False)


def difference(old: Tree, new: Tree) -> Tree:
    """Return what changed, named by one key, or two inside ``session`` and ``music``."""
    changed: Tree = {}
    for key, value in new.items():
        before = old.get(key)
        if value == before:
            continue
        if key in _NESTED and isinstance(value, dict) and isinstance(before, dict):
            for inner, part in value.items():
                if part != before.get(inner):
                    changed[f"{key}.{inner}"] = part
        else:
            changed[key] = value
    return changed


class Feed:
    """What waits to be sent to one tablet: its answers, and the room's changes."""

    def __init__(self) -> None:
        self._answers: deque[str] = deque()
        self._states: deque[str] = deque()
        self._ready = asyncio.Event()
        self._owes_whole = True

    def answer(self, message: str) -> None:
        """Add the answer to a command; answers are never dropped (the commands in flight are bounded)."""
        self._answers.append(message)
        self._ready.set()

    def patch(self, message: str) -> None:
        """Add a change; a tablet that is far behind gets the whole state instead."""
        if self._owes_whole:
            return
        if len(self._states) >= MAX_QUEUED:
            self._states.clear()
            self._owes_whole = True
        else:
            self._states.append(message)
        self._ready.set()

    async def next(self, whole: Callable[[], str]) -> str:
        """Return the next message: answers first, then ``whole()`` where it is owed, then changes."""
        while True:
            if self._answers:
                return self._answers.popleft()
            if self._owes_whole:
                message = whole()
                self._states.clear()
                self._owes_whole = False
                return message
            if self._states:
                return self._states.popleft()
            self._ready.clear()
            await self._ready.wait()


class LiveRoom:
    """One room's state as it goes to its tablets."""

    def __init__(self, room: RoomApi, clock: Clock) -> None:
        self._room = room
        self._clock = clock
        self._feeds: set[Feed] = set()
        self._changed = asyncio.Event()
        self._seq = 0
        self._tree: Tree = {}
        self._whole: str | None = None

    @property
    def tablets(self) -> int:
        """How many are connected."""
        return len(self._feeds)

    def link_ms(self) -> int:
        """A count of real milliseconds, for the age of commands. Starts anywhere."""
        return self._clock.now_ms() // self._clock.speed

    def join(self) -> Feed:
        """Return a new tablet's feed; its first message is the snapshot."""
        feed = Feed()
        self._feeds.add(feed)
        return feed

    def leave(self, feed: Feed) -> None:
        """A tablet went away."""
        self._feeds.discard(feed)

    def whole(self) -> str:
        """Return the whole state now as a message; the others get the difference to it first."""
        self._publish(beat=False)
        if self._whole is None:
            self._whole = self._message("snapshot", "snapshot", self._tree)
        return self._whole

    async def run(self) -> None:
        """Send changes and beats until cancelled."""
        stop_watching = self._room.watch(self._on_change)
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._pace())
                tasks.create_task(self._beat())
        finally:
            stop_watching()

    def _on_change(self, _change: RoomChange) -> None:
        self._changed.set()

    async def _pace(self) -> None:
        while True:
            await self._changed.wait()
            self._changed.clear()
            self._publish_safely(beat=False)
            await self._clock.sleep_until(self._clock.now_ms() + PACE_MS * self._clock.speed)

    async def _beat(self) -> None:
        while True:
            await self._clock.sleep_until(self._clock.now_ms() + BEAT_MS * self._clock.speed)
            self._publish_safely(beat=True)

    def _publish_safely(self, *, beat: bool) -> None:
        if not self._feeds:
            return
        try:
            self._publish(beat=beat)
        except Exception:  # noqa: BLE001
            # A state that cannot be drawn is our bug: the tablets mark what they show as old, commands go on.
            _LOG.exception("room %s: the state could not be sent", self._room.room_id)

    def _publish(self, *, beat: bool) -> None:
        tree: Tree = SNAPSHOTS.dump_python(self._room.snapshot(), mode="json")
        changed = difference(self._tree, tree)
        if not changed and not beat:
            return
        self._tree = tree
        self._seq += 1
        self._whole = None
        if self._feeds:
            message = self._message("patch", "set", changed)
            for feed in self._feeds:
                feed.patch(message)

    def _message(self, kind: str, key: str, value: Tree) -> str:
        return encode({"type": kind, "seq": self._seq, "link_ms": self.link_ms(), key: value})
