"""Loops of water and air: a stream, slow waves, wind in trees. All seamless.

It must never be mistaken for static: every one moves slowly, and nothing in it is bright.
"""

import numpy as np
from numpy.typing import NDArray

from playlists.synth.tables import RATE_HZ, Table, noise_loop, scaled, slow_wander

_FRAMES = 2**20


def _hump(hz: NDArray[np.float32], centre_hz: float, octaves: float) -> NDArray[np.float32]:
    distance = np.log2(np.maximum(hz, 1.0) / centre_hz) / octaves
    hump: NDArray[np.float32] = np.exp(-0.5 * distance**2).astype(np.float32)
    return hump


def stream(rng: np.random.Generator, frames: int = _FRAMES) -> Table:
    """A small stream: a soft rush, and bubbles that ring as they close."""
    rush = noise_loop(lambda hz: _hump(hz, 420.0, 1.1) + 0.1 * _hump(hz, 1500.0, 0.7), 0.9, rng, frames)
    rush *= (0.75 + 0.25 * slow_wander(frames, 0.7, rng))[:, None]
    bubbles = np.zeros((frames, 2), dtype=np.float32)
    for _ in range(int(55 * frames / RATE_HZ)):
        length = float(rng.uniform(0.012, 0.045))
        at = np.arange(int(length * 3 * RATE_HZ), dtype=np.float32) / RATE_HZ
        hz = float(np.exp(rng.normal(np.log(720.0), 0.42)))
        ring = (
            np.sin(2 * np.pi * hz * at * (1.0 + 1.8 * at))
            * np.exp(-at / length)
            * np.sin(np.pi * at / at[-1])
        )
        level = float(rng.exponential(0.06))
        pan = float(rng.uniform(0.15, 0.85))
        where = (int(rng.integers(frames)) + np.arange(at.size)) % frames
        bubbles[where, 0] += (ring * level * (1.0 - pan)).astype(np.float32)
        bubbles[where, 1] += (ring * level * pan).astype(np.float32)
    return scaled(scaled(rush, 0.07) + scaled(bubbles, 0.06))


def waves(rng: np.random.Generator, frames: int = _FRAMES) -> Table:
    """Waves on a flat shore: two swells that come and go over each other, about 11 s apart."""
    turns = np.arange(frames, dtype=np.float32) / np.float32(frames)
    out = np.zeros((frames, 2), dtype=np.float32)
    seconds = frames / RATE_HZ
    for period_s, centre_hz, shift in ((11.0, 330.0, 0.0), (14.6, 620.0, 0.37)):
        count = max(round(seconds / period_s), 1)
        swell = 0.5 + 0.5 * np.sin(2 * np.pi * (count * turns + shift))
        layer = noise_loop(lambda hz, c=centre_hz: _hump(hz, c, 1.2), 0.85, rng, frames)  # type: ignore[misc]
        out += layer * (0.18 + 0.82 * swell**2.0)[:, None].astype(np.float32)
    return scaled(out)


def wind(rng: np.random.Generator, frames: int = _FRAMES) -> Table:
    """Wind in far trees: three bands, each rising and sinking by itself."""
    out = np.zeros((frames, 2), dtype=np.float32)
    for centre_hz, weight in ((210.0, 1.0), (430.0, 0.7), (900.0, 0.32)):
        layer = noise_loop(lambda hz, c=centre_hz: _hump(hz, c, 0.55), 0.9, rng, frames)  # type: ignore[misc]
        gust = np.exp(1.1 * slow_wander(frames, 0.16, rng))
        out += layer * (np.float32(weight) * gust)[:, None]
    return scaled(out)
