"""Streaming EBU R128: the one module that knows pyebur128.

It takes blocks of any length and keeps none of them. It must never be handed interleaved gaps: blocks
are made flat and contiguous here, because the library reads raw memory.
"""

from dataclasses import dataclass
from math import isfinite, log10
from typing import Any, Final

import numpy as np
import pyebur128
from numpy.typing import NDArray

SILENT_LUFS: Final = -70.0
"""The absolute gate of R128: a file with nothing above it counts as silent."""
_FLOOR_DBTP: Final = -120.0
_MODES: Final = (
    pyebur128.MeasurementMode.MODE_I | pyebur128.MeasurementMode.MODE_LRA | pyebur128.MeasurementMode.MODE_S
)


@dataclass(frozen=True, slots=True)
class Loudness:
    """What R128 says: LUFS, LU and dBTP."""

    integrated_lufs: float
    range_lu: float
    short_term_max_lufs: float
    true_peak_dbtp: float


class LoudnessMeter:
    """Measures one programme. ``true_peak`` off saves most of the cost; the peak is then the sample's."""

    def __init__(self, rate_hz: int, channels: int, *, true_peak: bool = True) -> None:
        """Start a measurement at a rate in Hz."""
        peak = (
            pyebur128.MeasurementMode.MODE_TRUE_PEAK
            if true_peak
            else pyebur128.MeasurementMode.MODE_SAMPLE_PEAK
        )
        self._state: Any = pyebur128.R128State(channels, rate_hz, int(_MODES | peak))
        self._true_peak = true_peak
        self._channels = channels
        self._second = rate_hz
        self._until_look = 3 * rate_hz
        self._loudest = SILENT_LUFS

    def add(self, block: NDArray[np.float32]) -> None:
        """Take the next frames, shape (frames, channels)."""
        at, frames = 0, block.shape[0]
        while at < frames:
            count = min(self._until_look, frames - at)
            flat = np.ascontiguousarray(block[at : at + count], dtype=np.float32).reshape(-1)
            self._state.add_frames(flat, count)
            at += count
            self._until_look -= count
            if self._until_look == 0:
                self._until_look = self._second
                self._loudest = max(self._loudest, _finite(pyebur128.get_loudness_shortterm(self._state)))

    def result(self) -> Loudness:
        """Return what has been measured so far."""
        integrated = _finite(pyebur128.get_loudness_global(self._state))
        ask = pyebur128.get_true_peak if self._true_peak else pyebur128.get_sample_peak
        peak = max(float(ask(self._state, channel)) for channel in range(self._channels))
        return Loudness(
            integrated_lufs=integrated,
            range_lu=max(float(pyebur128.get_loudness_range(self._state)), 0.0),
            short_term_max_lufs=max(self._loudest, integrated),
            true_peak_dbtp=20.0 * log10(peak) if peak > 0.0 else _FLOOR_DBTP,
        )


def _finite(lufs: float) -> float:
    return max(float(lufs), SILENT_LUFS) if isfinite(lufs) else SILENT_LUFS
