"""Loudness while it plays: a K-weighted meter (ITU-R BS.1770-4) and the governor that holds a ceiling.

The governor only ever takes away. It must never raise anything faster than it came down by asking.
"""

from collections import deque
from math import lcm, log10
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
_PIECE: Final = 32
_GROUP: Final = BLOCK // _PIECE
K_MOST_DB: Final = 4.1
"""The most that K-weighting raises any frequency."""
AT_ONCE: Final = 16
"""How many blocks the meter takes in at once at most."""
CALM_BLOCKS: Final = AT_ONCE
"""How many blocks that cannot reach the ceiling are kept to be measured in one go (171 ms)."""
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


def _single(matrix: _Matrix) -> npt.NDArray[np.float32]:
    return np.ascontiguousarray(matrix, dtype=np.float32)


class KWeighting:
    """The filter as matrix products over pieces of 32 frames (numpy has no recursive filter).

    Within a block of 512 the state before every piece is one product more, and so is, within 16 blocks, the
    state before every block. Single precision reads true to 0.001 LU; only the blocks' states are in double.
    """

    def __init__(self) -> None:
        a, b, c, d = _state_space()
        powers = [np.eye(4)]
        for _ in range(BLOCK):
            powers.append(powers[-1] @ a)
        response = np.array([d, *(c @ powers[i] @ b for i in range(_PIECE - 1))])
        index = np.arange(_PIECE)
        lag = index[None, :] - index[:, None]
        direct = np.where(lag >= 0, response[np.abs(lag)], 0.0)
        observe = np.array([c @ powers[i] for i in range(_PIECE)]).T
        self._weigh = _single(np.vstack((direct, observe)))
        self._drive = _single(np.array([powers[_PIECE - 1 - i] @ b for i in range(_PIECE)]))
        self._spread = _single(_chained([powers[piece * _PIECE] for piece in range(_GROUP + 1)]))
        self._carry = _single(np.hstack([powers[piece * _PIECE].T for piece in range(_GROUP)]))
        leaps = [np.linalg.matrix_power(powers[BLOCK], count) for count in range(AT_ONCE + 1)]
        self._leaps = np.vstack((np.hstack([leap.T for leap in leaps]), _chained(leaps)))
        self._state = np.zeros((CHANNELS, 4))
        self._work = np.empty((CHANNELS, AT_ONCE * _GROUP, _PIECE + 4), dtype=np.float32)
        self._out = np.empty((CHANNELS * AT_ONCE * _GROUP, _PIECE), dtype=np.float32)

    def process(self, blocks: Block) -> Block:
        """Return the weighted sound, channels by frames, of at most 16 blocks; valid until the next call."""
        count = len(blocks) // BLOCK
        pieces = count * _GROUP
        if pieces == self._work.shape[1]:
            work, out = self._work, self._out
        else:
            work = np.empty((CHANNELS, pieces, _PIECE + 4), dtype=np.float32)
            out = np.empty((CHANNELS * pieces, _PIECE), dtype=np.float32)
        work[..., :_PIECE] = blocks.reshape(pieces, _PIECE, CHANNELS).transpose(2, 0, 1)
        flat = work.reshape(CHANNELS * pieces, _PIECE + 4)
        driven = (flat[:, :_PIECE] @ self._drive).reshape(CHANNELS * count, _GROUP * 4)
        spread = (driven @ self._spread).reshape(CHANNELS, count, -1)
        known = np.concatenate((self._state, spread[..., -4:].reshape(CHANNELS, -1)), axis=1)
        ends = (count + 1) * 4
        states = known @ self._leaps[:ends, :ends]
        self._state = states[:, -4:]
        starts = states[:, :-4].reshape(CHANNELS, count, 4).astype(np.float32)
        work[..., _PIECE:] = (spread[..., :-4] + starts @ self._carry).reshape(CHANNELS, pieces, 4)
        weighted: Block = np.matmul(flat, self._weigh, out=out)
        return weighted.reshape(CHANNELS, -1)


def _chained(powers: list[_Matrix]) -> _Matrix:
    """What each of a row of inputs adds to every later state, given the powers of one step (from the 0th)."""
    steps = len(powers) - 1
    table = np.zeros((steps * 4, (steps + 1) * 4))
    for source in range(steps):
        for later in range(source + 1, steps + 1):
            table[source * 4 : source * 4 + 4, later * 4 : later * 4 + 4] = powers[later - source - 1].T
    return table


class LoudnessMeter:
    """Loudness over the last 3 s, 400 ms and 100 ms, LUFS, from blocks of 512 frames."""

    def __init__(self) -> None:
        self._filter = KWeighting()
        self._powers = np.zeros(_SHORT_TERM)
        self._at = 0
        self._short_term = NOTHING_LUFS

    def measure(self, blocks: Block) -> None:
        """Take in one more block, or some at once (which costs less)."""
        per_block = self._filter.process(blocks).reshape(CHANNELS, -1, BLOCK)
        for power in (np.einsum("cbi,cbi->b", per_block, per_block) / BLOCK).tolist():
            self._at = (self._at + 1) % _SHORT_TERM
            self._powers[self._at] = power
        self._short_term = lufs(float(self._powers.sum()) / _SHORT_TERM)

    def _last(self, blocks: int) -> float:
        first = self._at - blocks + 1
        total = float(self._powers[max(first, 0) : self._at + 1].sum())
        if first < 0:
            total += float(self._powers[first:].sum())
        return lufs(total / blocks)

    @property
    def short_term(self) -> float:
        """Loudness of the last 3 s, LUFS."""
        return self._short_term

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
    count = max(window, -(-len(sound) // hop))
    stride = lcm(hop, BLOCK)
    padded = np.zeros((-(-count * hop // stride) * stride, CHANNELS), dtype=np.float32)
    padded[: len(sound)] = sound
    weighting = KWeighting()
    hops = np.empty(0)
    for begin in range(0, len(padded), stride):
        steps = range(begin, begin + stride, stride // 5)  # 15 blocks at once
        weighted = np.hstack([weighting.process(padded[at : at + stride // 5]) for at in steps])
        square = np.square(weighted, dtype=np.float64).reshape(CHANNELS, -1, hop)
        hops = np.append(hops, square.sum(axis=(0, 2)))
    hops = hops[:count]
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
    _INSTANT_LEAVE: Final = 10.0 ** (INSTANT_LEAVE_DB / 10.0)
    _BLOCK_LEAVE: Final = 10.0 ** (BLOCK_LEAVE_DB / 10.0)

    def __init__(self, ceiling_lufs: float) -> None:
        self.ceiling_lufs = ceiling_lufs
        self.meter = LoudnessMeter()
        self._db = 0.0
        self._calm_blocks = np.zeros((CALM_BLOCKS * BLOCK, CHANNELS), dtype=np.float32)
        self._calm_count = 0
        self._energies: deque[float] = deque([0.0] * (_MOMENTARY + 1), maxlen=_MOMENTARY + 1)
        self._newest: deque[float] = deque([0.0] * (_INSTANT + 1), maxlen=_INSTANT + 1)
        self._line = np.linspace(0.0, 1.0, BLOCK + 1)[1:]
        self._fresh = np.zeros(0, dtype=np.float32)
        """The energies of the blocks that were looked at."""

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
        """Whether a block cannot bring any reading to its limit, however it is weighted; if so it is kept."""
        flat = block.reshape(-1)
        energy = float(np.dot(flat, flat))
        blocks = len(block) // BLOCK
        for _ in range(blocks):
            self._energies.append(energy / blocks)
            self._newest.append(energy / blocks)
        # The windows are one block longer than the meter's, so that half a period never goes uncounted.
        if (
            energy >= self._calm_energy * self._BLOCK_LEAVE
            or sum(self._newest) >= self._calm_energy * self._INSTANT_LEAVE * _INSTANT
            or sum(self._energies) >= self._calm_energy * _MOMENTARY
            or self._db != 0.0
        ):
            return False
        if self._calm_count + blocks > CALM_BLOCKS:
            self._measure_kept()
        at = self._calm_count * BLOCK
        self._calm_blocks[at : at + len(block)] = block
        self._calm_count += blocks
        if self._calm_count == CALM_BLOCKS:
            self._measure_kept()
        return True

    def look_ahead(self, blocks: Block) -> bool:
        """Return whether some blocks of 512 cannot bring any reading to its limit, one after the other.

        Nothing changes until ``pass_over``.
        """
        if self._db != 0.0:
            return False
        flat = blocks.reshape(-1, BLOCK * CHANNELS)
        fresh = np.einsum("bi,bi->b", flat, flat)
        sums = np.zeros(len(self._energies) + len(fresh) + 1)
        np.cumsum((*self._energies, *fresh.tolist()), out=sums[1:])
        last = len(fresh)
        instant = float((sums[-last:] - sums[-last - _INSTANT - 1 : -_INSTANT - 1]).max())
        momentary = float((sums[-last:] - sums[-last - _MOMENTARY - 1 : -_MOMENTARY - 1]).max())
        self._fresh = fresh
        return bool(
            float(fresh.max()) < self._calm_energy * self._BLOCK_LEAVE
            and instant < self._calm_energy * self._INSTANT_LEAVE * _INSTANT
            and momentary < self._calm_energy * _MOMENTARY
        )

    def pass_over(self, blocks: Block) -> None:
        """Measure blocks that were looked at and played, from the first on."""
        energies = self._fresh[: len(blocks) // BLOCK].tolist()
        self._energies.extend(energies)
        self._newest.extend(energies)
        self._measure_kept()
        self.meter.measure(blocks)

    def _measure_kept(self) -> None:
        if self._calm_count:
            self.meter.measure(self._calm_blocks[: self._calm_count * BLOCK])
            self._calm_count = 0

    def process(self, block: Block) -> None:
        """Measure a block (512 frames, or some times that) and lower it in place if it must be."""
        if self._stays_under(block):
            return
        self._measure_kept()
        for start in range(0, len(block), BLOCK):
            self._hold(block[start : start + BLOCK])

    def _hold(self, block: Block) -> None:
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
