"""An estimate of a track's energy, 0 (still) to 1 (driving), from its sound alone.

Three things are heard, each mapped to 0..1 and weighed (``docs/music.md`` says the same in plainer words):

* *events*, weight 0.50: onsets per second. The spectrum (a Hann window of about 85 ms, every 43 ms) is
  summed in 20 bands from 60 Hz to 10 kHz, as the logarithm of one plus its level over a floor 60 dB
  under the loudest so far; the rise over all bands is the flux. A peak counts that stands over 1.6 times its
  neighbourhood's median and over a fixed least rise. 4 a second count as full.
* *brightness*, weight 0.25: the spectrum's centroid, weighted by magnitude, from 150 Hz (0) to 2.4 kHz (1)
  in octaves.
* *motion*, weight 0.25: the mean flux: how much the sound changes from one moment to the next.

Loudness plays no part: it is evened out before anything is heard. The estimate orders music well enough to
choose by; a pool file's own ``energy`` always wins. It must never be taken for more.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

_WINDOW_S: Final = 0.0853
_BANDS: Final = 20
_LOW_HZ: Final = 60.0
_HIGH_HZ: Final = 10_000.0
_LEAST_RISE: Final = 0.022
_OVER_MEDIAN: Final = 1.6
_FULL_ONSETS_PER_S: Final = 4.0
_FULL_MOTION: Final = 0.045
_NEIGHBOURS: Final = 11


class EnergyMeter:
    """Listens to a track block by block; keeps two numbers for every 43 ms of it."""

    def __init__(self, rate_hz: int) -> None:
        """Start at a rate in Hz."""
        size = 2 ** round(np.log2(_WINDOW_S * rate_hz))
        self._size = max(int(size), 256)
        self._hop = self._size // 2
        self._rate_hz = rate_hz
        self._window = np.hanning(self._size).astype(np.float32)
        self._hz = np.fft.rfftfreq(self._size, 1.0 / rate_hz).astype(np.float32)
        edges = np.geomspace(_LOW_HZ, min(_HIGH_HZ, rate_hz / 2), _BANDS + 1)
        cuts = np.searchsorted(self._hz, edges)
        self._cuts = np.maximum.accumulate(cuts)
        self._rest = np.zeros(0, dtype=np.float32)
        self._before: NDArray[np.float32] | None = None
        self._loudest = 1e-9
        self._flux: list[NDArray[np.float32]] = []
        self._centroid_sum = 0.0
        self._weight_sum = 0.0

    def add(self, block: NDArray[np.float32]) -> None:
        """Take the next frames, shape (frames, channels)."""
        mono = block.mean(axis=1, dtype=np.float32)
        joined = np.concatenate((self._rest, mono))
        count = (joined.size - self._size) // self._hop + 1
        if count <= 0:
            self._rest = joined
            return
        windows = np.lib.stride_tricks.sliding_window_view(joined, self._size)[:: self._hop][:count]
        self._listen(np.abs(np.fft.rfft(windows * self._window, axis=1)).astype(np.float32))
        self._rest = joined[count * self._hop :].copy()

    def _listen(self, magnitude: NDArray[np.float32]) -> None:
        totals = np.concatenate(
            (np.zeros((magnitude.shape[0], 1), np.float32), np.cumsum(magnitude, axis=1)), axis=1
        )
        bands = totals[:, self._cuts[1:]] - totals[:, self._cuts[:-1]]
        self._loudest = max(self._loudest, float(bands.max()))
        logs = np.log10(1.0 + bands * (1000.0 / self._loudest)).astype(np.float32) / 3.0
        joined = logs if self._before is None else np.concatenate((self._before[None, :], logs))
        if joined.shape[0] > 1:
            self._flux.append(np.maximum(np.diff(joined, axis=0), 0.0).mean(axis=1))
        self._before = logs[-1]
        weights = magnitude.sum(axis=1)
        heard = weights > 1e-3 * float(weights.max(initial=0.0))
        if heard.any():
            self._centroid_sum += float((magnitude[heard] @ self._hz).sum())
            self._weight_sum += float(weights[heard].sum())

    def result(self) -> float:
        """Return the estimate, 0 to 1, rounded to hundredths."""
        if not self._flux or self._weight_sum <= 0.0:
            return 0.0
        flux = np.concatenate(self._flux)
        seconds = flux.size * self._hop / self._rate_hz
        events = _onsets(flux) / max(seconds, 1.0) / _FULL_ONSETS_PER_S
        centroid_hz = self._centroid_sum / self._weight_sum
        brightness = float(np.log2(max(centroid_hz, 1.0) / 150.0)) / 4.0
        motion = float(flux.mean()) / _FULL_MOTION
        total = 0.5 * _unit(events) + 0.25 * _unit(brightness) + 0.25 * _unit(motion)
        return round(total, 2)


def _unit(value: float) -> float:
    return min(max(value, 0.0), 1.0)


def _onsets(flux: NDArray[np.float32]) -> int:
    """Count rises that stand out of their neighbourhood."""
    if flux.size < _NEIGHBOURS:
        return 0
    padded = np.pad(flux, _NEIGHBOURS // 2, mode="edge")
    median = np.median(np.lib.stride_tricks.sliding_window_view(padded, _NEIGHBOURS), axis=1)
    inner = flux[1:-1]
    tops = (inner > flux[:-2]) & (inner >= flux[2:])
    tops &= (inner > _OVER_MEDIAN * median[1:-1]) & (inner > _LEAST_RISE)
    return int(np.count_nonzero(tops))
