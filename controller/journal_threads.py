"""The threads that write journals: a few for all rooms, not one for each.

Every thread that runs Python takes the interpreter from the event loop now and then; with two hundred rooms'
own threads that was most of what an override waited for. A job is done by one of them, whole. They are daemon
threads: a disk that hangs must not keep the program from ending. Nothing here knows what a journal is.
"""

import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Final

MOST: Final = 3
"""They mostly wait for the disk. One that hangs (another file system) leaves the other rooms two."""


class JournalThreads:
    """Carries jobs out on at most ``most`` threads, begun as they are needed. Safe to use from any thread."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._jobs: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._lock = threading.Lock()
        self._begun = 0
        self._free = 0

    @property
    def begun(self) -> int:
        """How many threads there are."""
        return self._begun

    def submit(self, job: Callable[[], None]) -> None:
        """Carry out a job soon. It must not raise."""
        with self._lock:
            needed = self._free <= self._jobs.qsize() and self._begun < self._most
            if needed:
                self._begun += 1
        self._jobs.put(job)
        if needed:
            name = f"journals-{self._begun}"
            threading.Thread(target=self._serve, name=name, daemon=True).start()

    def _serve(self) -> None:
        while True:
            with self._lock:
                self._free += 1
            job = self._jobs.get()
            with self._lock:
                self._free -= 1
            job()
            del job  # or a closed journal would be kept until the next one's turn


SHARED: Final = JournalThreads()
"""Those of this process."""
