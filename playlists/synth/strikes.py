"""Single sounds with a beginning and an end: bowls, bowed tones, plucks, frame drum, shaker, bird calls.

Each returns a table that starts and ends at zero, with a beginning soft enough never to startle: even
the drum takes 9 ms to speak. It must never make a loop; ``tables`` does.
"""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from playlists.synth.tables import RATE_HZ, Table, noise_loop, peak_scaled

_BOWL = ((1.0, 1.0, 7.5), (2.71, 0.42, 4.5), (5.15, 0.14, 2.6), (8.2, 0.04, 1.5))
_PLUCK = ((1.0, 1.0, 1.9), (2.0, 0.22, 1.0), (3.01, 0.1, 0.7), (5.4, 0.03, 0.3))
_SKIN = ((1.0, 1.0, 0.42), (1.59, 0.5, 0.3), (2.14, 0.26, 0.22), (2.65, 0.14, 0.16), (3.16, 0.07, 0.12))
_EDGE_S: Final = 0.25


def _times(seconds: float) -> NDArray[np.float32]:
    return np.arange(int(seconds * RATE_HZ), dtype=np.float32) / np.float32(RATE_HZ)


def _rise(at: NDArray[np.floating[Any]], seconds: float) -> NDArray[np.float32]:
    fraction = np.clip(at / seconds, 0.0, 1.0)
    rise: NDArray[np.float32] = (0.5 - 0.5 * np.cos(np.pi * fraction)).astype(np.float32)
    return rise


def _closed(table: Table) -> Table:
    """Bring the end to zero softly, whatever is left of it."""
    edge = min(int(_EDGE_S * RATE_HZ), table.shape[0])
    table[-edge:] *= _rise(np.arange(edge, dtype=np.float32)[::-1] / RATE_HZ, _EDGE_S)[:, None]
    return table


def _struck(
    hz: float,
    partials: tuple[tuple[float, float, float], ...],
    seconds: float,
    attack_s: float,
    beat_hz: float,
    rng: np.random.Generator,
) -> Table:
    """Sum decaying partials, each a pair that beats slowly, the pair spread over left and right."""
    at = _times(seconds)
    table = np.zeros((at.size, 2), dtype=np.float32)
    for ratio, weight, decay_s in partials:
        partial_hz = hz * ratio
        if partial_hz > 9000.0:
            continue
        envelope = np.float32(weight) * np.exp(-at / np.float32(decay_s))
        apart = beat_hz * float(rng.uniform(0.6, 1.4))
        first, second = rng.uniform(0.0, 2 * np.pi, 2)
        low = np.sin(np.float32(2 * np.pi * partial_hz) * at + np.float32(first)) * envelope
        high = np.sin(np.float32(2 * np.pi * (partial_hz + apart)) * at + np.float32(second)) * envelope
        table[:, 0] += low + np.float32(0.45) * high
        table[:, 1] += np.float32(0.45) * low + high
    table *= _rise(at, attack_s)[:, None]
    return peak_scaled(_closed(table), 0.5)


def bowl(hz: float, rng: np.random.Generator) -> Table:
    """A singing bowl, touched with felt: 14 s, slowly beating."""
    return _struck(hz, _BOWL, 14.0, 0.12, 0.7, rng)


def pluck(hz: float, rng: np.random.Generator) -> Table:
    """A thumb piano's tine or a soft harp string: 4 s."""
    return _struck(hz, _PLUCK, 4.0, 0.014, 0.5, rng)


def bowed(hz: float, rng: np.random.Generator) -> Table:
    """A soft bowed or blown tone that swells and goes: 9 s."""
    partials = tuple((float(n), n**-2.2, 60.0) for n in range(1, 6))
    table = _struck(hz, partials, 9.0, 2.8, 0.35, rng)
    at = _times(9.0)
    table *= (1.0 - _rise(np.maximum(at - 4.0, 0.0), 5.0))[:, None]
    return peak_scaled(table, 0.4)


def frame_drum(hz: float, rng: np.random.Generator, softness: float = 1.0) -> Table:
    """A frame drum played with the hand: a skin whose pitch falls a little, and hardly any slap."""
    at = _times(1.3)
    glide = (hz * (at + 0.06 * 0.09 * (1.0 - np.exp(-at / 0.09)))).astype(np.float32)
    mono = np.zeros(at.size, dtype=np.float32)
    for ratio, weight, decay_s in _SKIN:
        phase = np.float32(rng.uniform(0.0, 0.4))
        mono += (
            np.float32(weight) * np.exp(-at / np.float32(decay_s)) * np.sin(2 * np.pi * ratio * glide + phase)
        )
    slap = noise_loop(lambda f: np.exp(-((f / 900.0) ** 2)), 0.4, rng, at.size)
    table = slap * (0.6 * np.exp(-at / 0.03))[:, None].astype(np.float32) + mono[:, None]
    table *= _rise(at, 0.009 * softness)[:, None]
    return peak_scaled(_closed(table), 0.5)


def shaker(rng: np.random.Generator) -> Table:
    """Seeds in a gourd, far off."""
    at = _times(0.3)
    table = noise_loop(lambda f: np.exp(-(((f - 4200.0) / 1500.0) ** 2)), 0.7, rng, at.size)
    table *= (_rise(at, 0.035) * np.exp(-at / np.float32(0.05)))[:, None]
    return peak_scaled(_closed(table), 0.5)


def bird_call(rng: np.random.Generator) -> Table:
    """A small bird's phrase: two to five rounded notes between 1.8 and 3.6 kHz."""
    count = int(rng.integers(2, 6))
    base = float(rng.uniform(1900.0, 3000.0))
    table = np.zeros((int(2.4 * RATE_HZ), 2), dtype=np.float32)
    start = 0.0
    pan = float(rng.uniform(0.25, 0.75))
    for _ in range(count):
        length = float(rng.uniform(0.09, 0.2))
        at = _times(length)
        bend = float(rng.uniform(-0.12, 0.16))
        pitch = base * float(rng.uniform(0.92, 1.15)) * (1.0 + bend * np.sin(np.pi * at / length))
        note = np.sin(2 * np.pi * np.cumsum(pitch) / RATE_HZ) * np.sin(np.pi * at / length) ** 2
        begin = int(start * RATE_HZ)
        table[begin : begin + at.size, 0] += (note * (1.0 - pan)).astype(np.float32)
        table[begin : begin + at.size, 1] += (note * pan).astype(np.float32)
        start += length + float(rng.uniform(0.05, 0.18))
    return peak_scaled(table, 0.3)
