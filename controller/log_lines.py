"""Log lines with fields. They wait in order until the log is open: reading in structlog delays no start.

Nothing of the client is ever logged: no note, no name, no words of a prompt; a record's kind and ids at most.
"""

import threading
from collections.abc import Callable
from typing import Final, Literal, TypeAlias

Level: TypeAlias = Literal["info", "warning", "error"]
Write: TypeAlias = Callable[[Level, str, dict[str, object]], None]

MOST_WAITING: Final = 1_000
"""A program that never opens a log keeps no more than this; what comes later is dropped."""


class LogLines:
    """Where lines go: kept at first, written when the log is open. From any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: list[tuple[Level, str, dict[str, object]]] = []
        self._write: Write | None = None

    def open(self, write: Write) -> None:
        """Write what waits, in order, and from now on everything at once."""
        with self._lock:
            self._write = write
            waiting, self._waiting = self._waiting, []
            for level, event, fields in waiting:
                write(level, event, fields)

    def info(self, event: str, **fields: object) -> None:
        """Say what happened as it should."""
        self._put("info", event, fields)

    def warning(self, event: str, **fields: object) -> None:
        """Say what is not well and is lived with."""
        self._put("warning", event, fields)

    def error(self, event: str, **fields: object) -> None:
        """Say what is broken."""
        self._put("error", event, fields)

    def _put(self, level: Level, event: str, fields: dict[str, object]) -> None:
        with self._lock:  # a thread that has it only keeps a line: nobody waits for a disk
            write = self._write
            if write is None and len(self._waiting) < MOST_WAITING:
                self._waiting.append((level, event, fields))
        if write is not None:
            write(level, event, fields)


log: Final = LogLines()
"""The process's own."""
