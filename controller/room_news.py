"""A room's news: tells its doors of changes, a moment later and all at once.

Doors build snapshots, which cost more than a lamp's command, so the way to the lamps goes first. Nothing is
ever left unsaid.
"""

import asyncio
from collections.abc import Callable
from typing import Final

from controller.api import Listener, RoomChange
from controller.core.records import Record

SAY_AFTER_S: Final = 0.01


class RoomNews:
    """Who listens to a room, and what they have not been told yet."""

    def __init__(self) -> None:
        self._listeners: list[Listener] = []
        self._unsaid: tuple[Record, ...] = ()
        self._saying: asyncio.TimerHandle | None = None
        self.revision = 0

    def watch(self, listener: Listener) -> Callable[[], None]:
        """Call ``listener`` at every change; returns what ends it."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener) if listener in self._listeners else None

    def changed(self, records: tuple[Record, ...]) -> None:
        """Something changed; ``records`` are what was journaled for it."""
        self.revision += 1
        if not self._listeners:
            return
        self._unsaid += records
        if self._saying is None:
            self._saying = asyncio.get_running_loop().call_later(SAY_AFTER_S, self._say)

    def _say(self) -> None:
        records, self._unsaid, self._saying = self._unsaid, (), None
        change = RoomChange(records)
        for listener in tuple(self._listeners):
            listener(change)
