"""Mixing: voices laid over each other and handed out block by block, so that memory stays flat.

A voice is a table (looped or played once) under a slow envelope. It must never hold a whole piece.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from playlists.synth.tables import RATE_HZ, Table

BLOCK_FRAMES: Final = 48_000
_STEP_FRAMES: Final = 480
"""Envelopes are computed every 10 ms and run straight between: far below what an ear could step on."""


@dataclass(frozen=True, slots=True)
class Swell:
    """A slow breathing of the level: down to ``1 - depth`` and back every ``period_s``."""

    depth: float
    period_s: float
    phase: float = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class Voice:
    """One table in time.

    ``envelope`` holds (seconds into the piece, gain) corners, the level moving between them along a
    quarter sine so that two crossing voices keep their power. A looped table may begin anywhere.
    """

    table: Table
    start_s: float
    end_s: float
    envelope: tuple[tuple[float, float], ...] = ()
    gain: float = 1.0
    looped: bool = True
    offset_frames: int = 0
    swells: tuple[Swell, ...] = field(default=())


def _gains(voice: Voice, at_s: NDArray[np.float64]) -> NDArray[np.float32]:
    gain = np.full(at_s.size, voice.gain)
    if voice.envelope:
        times = np.array([corner[0] for corner in voice.envelope])
        levels = np.array([corner[1] for corner in voice.envelope])
        index = np.clip(np.searchsorted(times, at_s, side="right") - 1, 0, max(times.size - 2, 0))
        following = np.minimum(index + 1, times.size - 1)
        span = np.maximum(times[following] - times[index], 1e-9)
        fraction = np.clip((at_s - times[index]) / span, 0.0, 1.0)
        power = 0.5 - 0.5 * np.cos(np.pi * fraction)
        before, after = levels[index] ** 2, levels[following] ** 2
        gain *= np.sqrt(before + (after - before) * power)
    for swell in voice.swells:
        turn = 2 * np.pi * (at_s / swell.period_s + swell.phase)
        gain *= 1.0 - swell.depth * (0.5 + 0.5 * np.sin(turn))
    return gain.astype(np.float32)


def _add(block: Table, voice: Voice, block_start: int) -> None:
    start = round(voice.start_s * RATE_HZ)
    stop = round(voice.end_s * RATE_HZ)
    if not voice.looped:
        stop = min(stop, start + voice.table.shape[0])
    low, high = max(start, block_start), min(stop, block_start + block.shape[0])
    if low >= high:
        return
    if voice.envelope or voice.swells:
        steps = np.arange(block.shape[0] // _STEP_FRAMES + 1) * _STEP_FRAMES + block_start
        corner = _gains(voice, steps / RATE_HZ)
        ramp = (np.arange(_STEP_FRAMES, dtype=np.float32) / _STEP_FRAMES)[None, :]
        gain = (corner[:-1, None] + (corner[1:] - corner[:-1])[:, None] * ramp).reshape(-1)
    else:
        gain = np.full(block.shape[0], voice.gain, dtype=np.float32)
    at = low
    frames = voice.table.shape[0]
    while at < high:
        inside = at - start + voice.offset_frames
        inside = inside % frames if voice.looped else inside
        count = min(high - at, frames - inside)
        here = slice(at - block_start, at - block_start + count)
        block[here] += voice.table[inside : inside + count] * gain[here, None]
        at += count


def mix(voices: Sequence[Voice], length_s: float, fade_in_s: float, fade_out_s: float) -> Iterator[Table]:
    """Yield the mix in blocks of a second, faded in from nothing and out to nothing.

    The total is ``length_s`` rounded up to whole 10 ms.
    """
    total = -(-round(length_s * RATE_HZ) // _STEP_FRAMES) * _STEP_FRAMES
    length_s = total / RATE_HZ
    ordered = sorted(voices, key=lambda voice: voice.start_s)
    for block_start in range(0, total, BLOCK_FRAMES):
        frames = min(BLOCK_FRAMES, total - block_start)
        block = np.zeros((frames, 2), dtype=np.float32)
        until_s = (block_start + frames) / RATE_HZ
        for voice in ordered:
            if voice.start_s >= until_s:
                break
            _add(block, voice, block_start)
        at_s = (block_start + np.arange(frames)) / RATE_HZ
        if block_start / RATE_HZ < fade_in_s or until_s > length_s - fade_out_s:
            shape = np.clip(at_s / fade_in_s, 0.0, 1.0) * np.clip((length_s - at_s) / fade_out_s, 0.0, 1.0)
            block *= (0.5 - 0.5 * np.cos(np.pi * shape)).astype(np.float32)[:, None]
        yield block
