"""One output's own gains, after the mix: whether it sounds, its trim, its loudness ceiling, its peak ceiling.

It must never make anything louder than its trim says.
"""

from math import log10
from typing import Final

import numpy as np

from controller.core.units import SILENT_DB
from hardware.player.gains import Fade
from hardware.player.limiter import SEGMENT, Limiter
from hardware.player.loudness import Governor
from hardware.player.units import GLIDE_FRAMES, PERIOD, RATE, Block, silence

ROUTE_FADE_FRAMES: Final = 2 * RATE
RETURN_FADE_FRAMES: Final = 5 * RATE
QUIETEST_DBFS: Final = -120.0


class Chain:
    """From the mix to one device. ``process`` takes and gives 512 or 1024 frames."""

    def __init__(self, ceiling_lufs: float, *, trim_db: float = 0.0, ceiling_dbtp: float = -1.0) -> None:
        self._governor = Governor(ceiling_lufs)
        self._limiter = Limiter(ceiling_dbtp)
        self._route, self._return = Fade(1.0), Fade(1.0)
        self._trim = np.float32(10.0 ** (min(trim_db, 0.0) / 20.0))
        self._work, self._out = silence(PERIOD), silence(PERIOD)
        self._last = self._out
        self._ahead = silence(SEGMENT + GLIDE_FRAMES)

    def route(self, on: bool) -> None:
        """Let it sound or not, in two seconds."""
        goal = 1.0 if on else 0.0
        if self._route.goal != goal:
            self._route.move(goal, ROUTE_FADE_FRAMES)

    def come_back(self) -> None:
        """Begin at nothing and come up in five seconds: its device is back."""
        self._return = Fade(0.0)
        self._return.move(1.0, RETURN_FADE_FRAMES)
        self._limiter.forget()

    def process(self, block: Block) -> Block:
        """Return what the device gets; valid until the next call."""
        work, out = self._work[: len(block)], self._out[: len(block)]
        np.multiply(block, self._trim, out=work)
        if not self._route.apply(work):
            work[:] = 0.0
        self._return.apply(work)
        self._governor.process(work)
        self._limiter.process(work, out)
        self._last = out
        return out

    def look_ahead(self, block: Block) -> Block | None:
        """Return what the device gets for up to 8 periods, or None if anything moves or has to act in them.

        Nothing has happened until ``pass_over``; valid until the next call.
        """
        if self._route.moving or self._return.moving:
            return None
        frames = len(block)
        ahead = self._ahead[: SEGMENT + frames]
        work = ahead[SEGMENT:]
        if self._route.goal == 0.0:
            work[:] = 0.0
        else:
            np.multiply(block, self._trim, out=work)
        calm = self._governor.look_ahead(work) and self._limiter.look_ahead(ahead)
        return ahead[:frames] if calm else None

    def pass_over(self, frames: int) -> None:
        """So many of the frames that were looked at were played."""
        work = self._ahead[SEGMENT : SEGMENT + frames]
        self._governor.pass_over(work)
        self._limiter.pass_over(work)

    def last_pcm(self) -> bytes:
        """Return what the device got last as 16-bit PCM, for listening in."""
        return as_pcm(self._last)

    @property
    def ceiling_lufs(self) -> float:
        """The loudness that nothing passes, LUFS. May be changed while it plays: the governor moves there."""
        return self._governor.ceiling_lufs

    @ceiling_lufs.setter
    def ceiling_lufs(self, ceiling_lufs: float) -> None:
        self._governor.ceiling_lufs = ceiling_lufs

    @property
    def loudness_lufs(self) -> float:
        """Loudness of the last 3 s, before the governor took anything away, LUFS."""
        return self._governor.meter.short_term

    @property
    def heard_lufs(self) -> float:
        """Loudness of the last 3 s as it leaves, LUFS."""
        return self.loudness_lufs + self._governor.reduction_db

    def take_peak_dbfs(self) -> float:
        """Return the largest sample since the last call, dBFS."""
        peak = self._limiter.take_peak()
        return 20.0 * log10(peak) if peak > 1e-6 else QUIETEST_DBFS


def as_pcm(block: Block) -> bytes:
    """Return a block as 16-bit PCM."""
    return bytes(np.rint(block * 32_767.0).astype("<i2").tobytes())


__all__ = ["QUIETEST_DBFS", "SILENT_DB", "Chain", "as_pcm"]
