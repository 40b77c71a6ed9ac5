"""How Python is set up for an event loop that must not stand still.

Two things of the interpreter's own stop it: another thread that holds the lock, and a collection of cyclic
garbage, which for a daemon's half a million objects takes 75 ms and more. It changes no object; it only says
when what is looked through.
"""

import gc
import sys
from collections.abc import Callable
from typing import Final

from controller.ports import Clock

SWITCH_S: Final = 0.0005
"""How long another thread may keep the interpreter from the loop, against Python's own 5 ms: the best of
three, measured in turn beside busy journals (docs/scale.md)."""
YOUNG: Final = 5_000
"""Objects more than there were before the youngest are looked through: about a millisecond's work."""
LOOK_MS: Final = 30_000
THOROUGH_MS: Final = 900_000


def favour_the_loop() -> None:
    """Let threads hand the interpreter back soon, and the collector come seldom."""
    sys.setswitchinterval(SWITCH_S)
    gc.set_threshold(YOUNG, 20, 20)


def put_aside_what_stays() -> None:
    """Look everything through once, now that nobody waits, and never again what is left."""
    gc.unfreeze()
    gc.collect()
    gc.freeze()


async def keep_house(clock: Clock, in_session: Callable[[], bool]) -> None:
    """Put aside what sessions build while they run; look everything through when there is none. For ever."""
    thorough_ms = clock.now_ms() + THOROUGH_MS * clock.speed
    while True:
        await clock.sleep_until(clock.now_ms() + LOOK_MS * clock.speed)
        if in_session():
            gc.collect(1)  # the young alone: what they leave is a session's, and stays with it
            gc.freeze()
        elif clock.now_ms() >= thorough_ms:
            put_aside_what_stays()
            thorough_ms = clock.now_ms() + THOROUGH_MS * clock.speed
