"""The player process's only clock: a steady count, and waits on it.

It must never read the wall clock: the player keeps audio time, the daemon keeps session time.
"""

import time
from typing import Final

NS_PER_S: Final = 1_000_000_000


def steady_s() -> float:
    """Return seconds on a clock that never jumps."""
    return time.monotonic()


def wait_s(seconds: float) -> None:
    """Wait, for zero or less not at all."""
    if seconds > 0:
        time.sleep(seconds)


class Pace:
    """Lets audio through in real time where the device does not (a silent one).

    ``speed`` is how many seconds of audio pass in one second; 0 means as fast as can be.
    """

    def __init__(self, rate: int, speed: float = 1.0) -> None:
        self._frames_per_s = rate * speed
        self._begun_s: float | None = None
        self._frames = 0

    def restart(self) -> None:
        """Forget the schedule; the next call begins a new one."""
        self._begun_s = None

    def wait_for(self, frames: int) -> None:
        """Return when a real device would have taken ``frames`` more. Late by over 1 s: start anew."""
        if self._frames_per_s <= 0:
            return
        now = steady_s()
        if self._begun_s is None or now - self._begun_s - self._frames / self._frames_per_s > 1.0:
            self._begun_s, self._frames = now, 0
        self._frames += frames
        wait_s(self._begun_s + self._frames / self._frames_per_s - now)
