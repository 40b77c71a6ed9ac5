"""Loudness while it plays: a K-weighted meter (ITU-R BS.1770-4) and the governor that holds a ceiling.

The governor only ever takes away. It must never raise anything faster than it came down by asking.
"""

from math import log10
from typing import Final

import numpy as np
import numpy.typing as npt

from hardware.player.units import BLOCK, CHANNELS, RATE, Block

NOTHING_LUFS: Final = -70.0
_SHELF: Final = (
    (1.53512485958697, -2.69169618940638, 1.19839281085285),
    (-1.69065929318241, 0.73248077421585),
)
_HIGH_PASS: Final = ((1.0, -2.0, 1.0), (-1.99004745483398, 0.99007225036621))
"""BS.1770-4 tables 1 and 2, for 48 kHz: (b0, b1, b2), (a1, a2)."""
_PIECE: Final = 64
K_MOST_DB: Final = 4.1
"""The most that K-weighting raises any frequency."""
CALM_BLOCKS: Final = 8
"""How many blocks that cannot reach the ceiling are kept to be measured in one go (85 ms)."""
_SHORT_TERM: Final = round(3.0 * RATE / BLOCK)
_MOMENTARY: Final = round(0.4 * RATE / BLOCK)
_INSTANT: Final = round(0.1 * RATE / BLOCK)
_Matrix = npt.NDArray[np.float64]


def _state_space() -> tuple[_Matrix, _Matrix, _Matrix, float]:
    """Return A, B, C, D of the two filters in a row."""
    (b0, b1, b2), (a1, a2) = _SHELF
    (d0, d1, d2), (c1, c2) = _HIGH_PASS
    first = np.array([[-a1, 1.0], [-a2, 0.0]])
    first_in = np.array([b1 - a1 * b0, b2 - a2 * b0])
    second = np.array([[-c1, 1.0], [-c2, 0.0]])
    second_in = np.array([d1 - c1 * d0, d2 - c2 * d0])
    a = np.zeros((4, 4))
    a[:2, :2], a[2:, 2:] = first, second
    a[2:, 0] = second_in
    b = np.concatenate((first_in, second_in * b0))
    return a, b, np.array([d0, 0.0, 1.0, 0.0]), d0 * b0


class KWeighting:
    """The filter, a block at a time, as a few matrix products (numpy has no recursive filter)."""

    def __init__(self) -> None:
        a, b, c, d = _state_space()
        powers = [np.eye(4)]
        for _ in range(_PIECE):
            powers.append(powers[-1] @ a)
        response = np.array([d, *(c @ powers[i] @ b for i in range(_PIECE - 1))])
        index = np.arange(_PIECE)
        self._direct = np.where(index[:, None] >= index, response[np.abs(index[:, None] - index)], 0.0)
        self._observe = np.array([c @ powers[i] for i in range(_PIECE)])
        self._drive = np.array([powers[_PIECE - 1 - i] @ b for i in range(_PIECE)]).T
        self._leap = powers[_PIECE]
        self._state = np.zeros((4, CHANNELS))

    def process(self, block: Block) -> _Matrix:
        """Return the weighted block, pieces by 64 by channels. Its length is a multiple of 64."""
        pieces = len(block) // _PIECE
        signal = np.asarray(block, dtype=np.float64).reshape(pieces, _PIECE, CHANNELS)
        driven = self._drive @ signal
        states = np.empty((pieces, 4, CHANNELS))
        state = self._state
        for piece in range(pieces):
            states[piece] = state
            state = self._leap @ state + driven[piece]
        self._state = state
        weighted: _Matrix = self._direct @ signal + self._observe @ states
        return weighted


class LoudnessMeter:
    """Loudness over the last 3 s, 400 ms and 100 ms, LUFS, from blocks of 512 frames."""

    def __init__(self) -> None:
        self._filter = KWeighting()
        self._powers = np.zeros(_SHORT_TERM)
        self._at = 0

    def measure(self, blocks: Block) -> None:
        """Take in one more block, or some at once (which costs less)."""
        weighted = self._filter.process(blocks)
        per_block = weighted.reshape(len(blocks) // BLOCK, -1)
        for power in np.einsum("ij,ij->i", per_block, per_block) / BLOCK:
            self._at = (self._at + 1) % _SHORT_TERM
            self._powers[self._at] = power

    def _last(self, blocks: int) -> float:
        first = self._at - blocks + 1
        total = float(self._powers[max(first, 0) : self._at + 1].sum())
        if first < 0:
            total += float(self._powers[first:].sum())
        return lufs(total / blocks)

    @property
    def short_term(self) -> float:
        """Loudness of the last 3 s, LUFS."""
        return lufs(float(self._powers.sum()) / _SHORT_TERM)

    @property
    def momentary(self) -> float:
        """Loudness of the last 400 ms, LUFS."""
        return self._last(_MOMENTARY)

    @property
    def latest(self) -> float:
        """Loudness of the last block (11 ms), LUFS."""
        return lufs(float(self._powers[self._at]))

    @property
    def instant(self) -> float:
        """Loudness of the last 100 ms, LUFS."""
        return self._last(_INSTANT)


def lufs(power: float) -> float:
    """Return the loudness of a K-weighted power summed over channels."""
    return max(NOTHING_LUFS, -0.691 + 10.0 * log10(power)) if power > 0.0 else NOTHING_LUFS


def integrated_lufs(sound: Block) -> float:
    """Return the gated loudness of a whole recording (BS.1770-4), LUFS."""
    hop, window = RATE // 10, 4
    padded = np.zeros((max(window * hop, -(-len(sound) // hop) * hop), CHANNELS), dtype=np.float32)
    padded[: len(sound)] = sound
    weighting = KWeighting()
    hops = np.array([(weighting.process(padded[i : i + hop]) ** 2).sum() for i in range(0, len(padded), hop)])
    powers = np.convolve(hops, np.ones(window), "valid") / (window * hop)
    heard = powers[powers > 10.0 ** ((-70.0 + 0.691) / 10.0)]
    if not len(heard):
        return NOTHING_LUFS
    gated = heard[heard >= heard.mean() / 10.0]
    return lufs(float(gated.mean()))


class Governor:
    """Holds loudness under a ceiling in LUFS: down within some blocks when it must, back at 1 dB/s.

    It heeds the loudness of 400 ms (so the 3 s reading, and a meter set to slow, stay under), and those of
    100 and 11 ms with some leave, so that a sudden passage is caught while it begins. It falls by 5 dB in a
    block at most, which at full scale is under -60 dBFS from sample to sample.
    """

    FALL_DB_PER_S: Final = 5.0 * RATE / BLOCK
    RISE_DB_PER_S: Final = 1.0
    INSTANT_LEAVE_DB: Final = 3.0
    BLOCK_LEAVE_DB: Final = 6.0

    def __init__(self, ceiling_lufs: float) -> None:
        self.ceiling_lufs = ceiling_lufs
        self.meter = LoudnessMeter()
        self._db = 0.0
        self._calm_blocks = np.zeros((CALM_BLOCKS * BLOCK, CHANNELS), dtype=np.float32)
        self._calm_count = 0
        self._line = np.linspace(0.0, 1.0, BLOCK + 1)[1:]

    @property
    def ceiling_lufs(self) -> float:
        """The loudness it holds, LUFS."""
        return self._ceiling_lufs

    @ceiling_lufs.setter
    def ceiling_lufs(self, ceiling_lufs: float) -> None:
        self._ceiling_lufs = ceiling_lufs
        self._calm_energy = 10.0 ** ((ceiling_lufs + 0.691 - K_MOST_DB) / 10.0) * BLOCK

    @property
    def reduction_db(self) -> float:
        """How much it takes off now, dB (0 or less)."""
        return self._db

    def _stays_under(self, block: Block) -> bool:
        """Whether a block cannot reach the ceiling however it is weighted; if so it is measured later."""
        flat = block.ravel()
        if float(np.dot(flat, flat)) >= self._calm_energy:
            return False
        at = self._calm_count * BLOCK
        self._calm_blocks[at : at + BLOCK] = block
        self._calm_count += 1
        if self._calm_count == CALM_BLOCKS:
            self._measure_kept()
        return True

    def _measure_kept(self) -> None:
        if self._calm_count:
            self.meter.measure(self._calm_blocks[: self._calm_count * BLOCK])
            self._calm_count = 0

    def process(self, block: Block) -> None:
        """Measure a block of 512 frames and lower it in place if it must be."""
        if self._db == 0.0 and self._stays_under(block):
            return
        self._measure_kept()
        self.meter.measure(block)
        meter = self.meter
        loud = max(meter.momentary, meter.instant - self.INSTANT_LEAVE_DB, meter.latest - self.BLOCK_LEAVE_DB)
        goal = min(0.0, self.ceiling_lufs - loud)
        before = self._db
        seconds = len(block) / RATE
        if goal < before:
            self._db = max(goal, before - self.FALL_DB_PER_S * seconds)
        else:
            self._db = min(goal, before + self.RISE_DB_PER_S * seconds)
        if before == 0.0 and self._db == 0.0:
            return
        start, end = 10.0 ** (before / 20.0), 10.0 ** (self._db / 20.0)
        block *= (start + (end - start) * self._line).astype(np.float32)[:, None]
