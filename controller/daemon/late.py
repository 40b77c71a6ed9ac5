"""Things that are made when first asked for: no start waits for them, and nobody gets half of one."""

import threading
from collections.abc import Callable
from typing import Final, Generic, TypeVar

T = TypeVar("T")


class Late(Generic[T]):
    """One thing, made once, by whoever asks first; others wait for it. From any thread."""

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._lock: Final = threading.Lock()
        self._made: list[T] = []

    def get(self) -> T:
        """Return it. What making it raises is raised to whoever asks, each time anew."""
        if not self._made:
            with self._lock:
                if not self._made:
                    self._made.append(self._make())
        return self._made[0]
