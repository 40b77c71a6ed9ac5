"""The simulated devices' own clock: they live in their own process and in real time.

It must never be used by the daemon or a driver; those have ``controller.clock``.
"""

import asyncio
import time


def monotonic_ms() -> float:
    """Return the machine's monotonic time in ms; the same count in every process of this machine."""
    return time.monotonic_ns() / 1e6


async def pause(ms: float) -> None:
    """Let ``ms`` of real time pass."""
    await asyncio.sleep(ms / 1000.0)
