"""A look-ahead true-peak limiter: nothing leaves it above its ceiling, and it bends, never clips.

It works in segments of 256 frames (5.3 ms, its delay): the gain runs straight from one segment's edge
to the next and at both edges is low enough for both neighbours. It comes back at 3 dB/s, as everything
that gets louder here. It must never add a step of its own.
"""

from math import log10, pi
from typing import Final

import numpy as np
import numpy.typing as npt

from hardware.player.units import CHANNELS, RATE, Block, silence

SEGMENT: Final = 256
OVERSAMPLING: Final = 4
TAPS: Final = 12
RELEASE_DB_PER_S: Final = 3.0
MARGIN_DB: Final = 0.3
"""Kept below the ceiling for what four-fold oversampling can miss."""


def _interpolator() -> npt.NDArray[np.float32]:
    """Return a polyphase windowed sinc, taps by phases, each phase of unit gain at 0 Hz (as BS.1770-4's)."""
    centre = (TAPS - 1) / 2
    table = np.empty((TAPS, OVERSAMPLING))
    for phase in range(OVERSAMPLING):
        at = np.arange(TAPS) - centre - (phase + 0.5) / OVERSAMPLING + 0.5
        window = np.cos(pi * at / (TAPS + 1)) ** 2
        column = np.sinc(at) * window
        table[:, phase] = column / column.sum()
    return table.astype(np.float32)


_TABLE: Final = _interpolator()
MOST_PEAKS: Final = 24
"""So many samples over the calm level are looked at one by one in a stretch that is made ready ahead."""
_WORST: Final = float(np.abs(_TABLE).sum(axis=0).max())
"""How far above the largest sample a true peak can be at most."""


def true_peak(block: Block) -> float:
    """Return the largest absolute value of the four-fold oversampled signal (and of the samples)."""
    largest = float(np.abs(block).max(initial=0.0))
    if len(block) < TAPS:
        return largest
    windows = np.lib.stride_tricks.sliding_window_view(block, TAPS, axis=0)
    return max(largest, float(np.abs(windows @ _TABLE).max()))


def _largest(block: Block) -> float:
    flat = block.reshape(-1)
    return max(float(np.maximum.reduce(flat)), -float(np.minimum.reduce(flat)))


class Limiter:
    """Holds one output under a true-peak ceiling in dBTP."""

    def __init__(self, ceiling_dbtp: float = -1.0) -> None:
        self._ceiling = 10.0 ** ((ceiling_dbtp - MARGIN_DB) / 20.0)
        self._calm = self._ceiling / _WORST
        self._release = 10.0 ** (RELEASE_DB_PER_S * SEGMENT / RATE / 20.0)
        self._held = silence(SEGMENT)
        self._held_gain = 1.0
        self._edge = 1.0
        self._tail = np.zeros((TAPS, CHANNELS), dtype=np.float32)
        self._tail_calm = True
        self._line = np.linspace(0.0, 1.0, SEGMENT + 1)[1:]
        self._peak = 0.0

    @property
    def reduction_db(self) -> float:
        """How much it takes off now, dB (0 or less)."""
        return 20.0 * log10(self._edge)

    def process(self, block: Block, out: Block) -> None:
        """Write the limited sound of 256 frames ago to ``out``. Lengths: the same multiple of 256."""
        if self._pass_on(block, out):
            return
        for start in range(0, len(block), SEGMENT):
            self._segment(block[start : start + SEGMENT], out[start : start + SEGMENT])

    def _pass_on(self, block: Block, out: Block) -> bool:
        """Delay a block that is too quiet to need more, in one go; False if it may need more."""
        largest = _largest(block)
        if largest > self._calm or self._edge != 1.0 or self._held_gain != 1.0 or not self._tail_calm:
            return False
        out[:SEGMENT] = self._held
        out[SEGMENT:] = block[:-SEGMENT]
        self._held[:] = block[-SEGMENT:]
        self._tail[:] = block[-TAPS:]
        self._peak = max(self._peak, largest)
        return True

    def look_ahead(self, block: Block) -> bool:
        """Put what is held in front of a block that need only be delayed; False if it may need more.

        The block's first 256 frames are for what is held. Nothing changes until ``pass_over``.
        """
        if self._edge != 1.0 or self._held_gain != 1.0:
            return False
        block[:SEGMENT] = self._held
        unsure = block[SEGMENT - TAPS :]
        return _largest(unsure) <= self._calm or self._peaks_fit(unsure)

    def _peaks_fit(self, block: Block) -> bool:
        """Whether the few peaks that might pass the ceiling between samples do not."""
        flat = block.reshape(-1)
        loud = np.flatnonzero((flat > self._calm) | (flat < -self._calm)) // CHANNELS
        if len(loud) > MOST_PEAKS or _largest(block) > self._ceiling:
            return False
        first = np.maximum(loud - (TAPS - 1), 0)
        return all(
            true_peak(block[at : at + 2 * TAPS - 1]) <= self._ceiling for at in np.unique(first).tolist()
        )

    def pass_over(self, block: Block) -> None:
        """A block that was looked at (without what was held) was played."""
        self._held[:] = block[-SEGMENT:]
        self._tail[:] = block[-TAPS:]
        self._tail_calm = _largest(self._tail) <= self._calm
        self._peak = max(self._peak, _largest(block))

    def _segment(self, fresh: Block, out: Block) -> None:
        gain = self._gain_for(fresh)
        edge = min(self._held_gain, gain, self._edge * self._release, 1.0)
        if edge == 1.0 and self._edge == 1.0:
            out[:] = self._held
        else:
            curve = self._edge + (edge - self._edge) * self._line
            np.multiply(self._held, curve.astype(np.float32)[:, None], out=out)
        self._edge, self._held_gain = edge, gain
        self._held[:] = fresh

    def forget(self) -> None:
        """Drop what it holds back, for a fresh start at nothing."""
        self._held[:] = 0.0
        self._tail[:] = 0.0
        self._tail_calm = True
        self._held_gain = self._edge = 1.0

    def take_peak(self) -> float:
        """Return the largest sample that left it since the last call (0 to 1)."""
        peak, self._peak = self._peak, 0.0
        return peak

    def _gain_for(self, fresh: Block) -> float:
        largest = float(np.abs(fresh).max())
        calm = largest <= self._calm
        peak = 0.0 if calm and self._tail_calm else true_peak(np.concatenate((self._tail, fresh)))
        self._tail[:], self._tail_calm = fresh[-TAPS:], calm
        self._peak = max(self._peak, min(largest, self._ceiling))
        return 1.0 if peak <= self._ceiling else self._ceiling / peak
