"""Gains that move smoothly: levels in dB with a guard on their speed, and equal-power fades.

Each is advanced by frames and never knows a clock. A gain must never step: what the listener would
hear of our hand stays under -60 dBFS from one sample to the next, whatever is asked and when.
"""

from math import cos, pi, sin, sqrt
from typing import Final

import numpy as np
import numpy.typing as npt

from hardware.player.units import (
    FLOOR_DB,
    GLIDE_FRAMES,
    MAX_LEVEL_DB,
    RATE,
    SAFE_EDGE_FRAMES,
    SILENT_DB,
    Block,
)

QUIET_RISE_DB_PER_S: Final = 3_000.0
QUIET_FALL_DB_PER_S: Final = 300.0
"""Under -60 dB nothing is heard, so the way to and from nothing is short (10 and 100 ms)."""
DB_TO_NEPER: Final = float(np.log(10.0) / 20.0)
_INDEX: Final = np.arange(1, GLIDE_FRAMES + 1, dtype=np.float64)


def _toward(value: float, goal: float, frames: int, rise: float, fall: float) -> float:
    """Move a level in dB towards ``goal`` for ``frames``, at most ``rise`` or ``fall`` dB/s where heard."""
    seconds = frames / RATE
    if goal > value:
        if value < SILENT_DB:
            value = min(goal, SILENT_DB, value + QUIET_RISE_DB_PER_S * seconds)
            if value < SILENT_DB or goal <= SILENT_DB:
                return value
        return min(goal, value + rise * seconds)
    if goal < value:
        if value > SILENT_DB:
            return (
                max(goal, value - fall * seconds)
                if goal > SILENT_DB
                else max(SILENT_DB, value - fall * seconds)
            )
        return max(goal, value - QUIET_FALL_DB_PER_S * seconds)
    return value


class Level:
    """A bus's level in dB: goes evenly to where it is told, at most at its guard's speed."""

    def __init__(self, db: float, *, rise_db_per_s: float, fall_db_per_s: float) -> None:
        self._rise_guard, self._fall_guard = rise_db_per_s, fall_db_per_s
        self._rate = rise_db_per_s
        self.db = self.goal_db = _told(db)

    def jump(self, db: float) -> None:
        """Be at a level at once. Only for when nothing is heard."""
        self.db = self.goal_db = _told(db)

    def aim(self, db: float, over_frames: int) -> None:
        """Go to ``db`` evenly in ``over_frames``, or as fast as the guard lets it."""
        self.goal_db = _told(db)
        heard_goal, heard = max(self.goal_db, SILENT_DB), max(self.db, SILENT_DB)
        distance = abs(heard_goal - heard)
        guard = self._rise_guard if heard_goal > heard else self._fall_guard
        wanted = distance * RATE / over_frames if over_frames > 0 else guard
        self._rate = min(guard, wanted) if distance > 0 else guard

    @property
    def settled(self) -> bool:
        """Whether it is where it was told to be."""
        return self.db == self.goal_db

    def advance(self, frames: int) -> float:
        """Move on by ``frames`` and return the level then, dB."""
        self.db = _toward(self.db, self.goal_db, frames, self._rate, self._rate)
        return self.db


class PathGain:
    """The product of several levels, as one guarded gain laid on a block, sample by sample.

    The guard holds for the sum: two levels rising at once rise no faster than one may.
    """

    def __init__(self, db: float, *, rise_db_per_s: float, fall_db_per_s: float) -> None:
        self._rise, self._fall = rise_db_per_s, fall_db_per_s
        self.db = _bounded(db)

    def jump(self, *levels: Level) -> None:
        """Be at once where the levels are. Only for when nothing is heard."""
        self.db = _sum_db(levels)

    def settled(self, levels: tuple[Level, ...]) -> bool:
        """Whether it has caught up with the levels."""
        return self.db == _sum_db(levels)

    @property
    def gain(self) -> float:
        """The amplitude now; 0 at the floor."""
        return 0.0 if self.db <= FLOOR_DB else float(10.0 ** (self.db / 20.0))

    def apply(self, block: Block, levels: tuple[Level, ...]) -> bool:
        """Multiply ``block`` by the levels' product in place; return whether anything is left to hear."""
        before, goal = self.db, _sum_db(levels)
        if before == goal:
            if goal <= FLOOR_DB:
                return False
            if goal != 0.0:
                block *= np.float32(10.0 ** (goal / 20.0))
            return True
        frames = len(block)
        self.db = after = _toward(before, goal, frames, self._rise, self._fall)
        start, end = before * DB_TO_NEPER, after * DB_TO_NEPER
        curve = np.exp(start + (end - start) / frames * _INDEX[:frames])
        block *= curve.astype(np.float32)[:, None]
        return True


def _sum_db(levels: tuple[Level, ...]) -> float:
    total = 0.0
    for level in levels:
        if level.db <= FLOOR_DB:
            return FLOOR_DB
        total += level.db
    return _bounded(total)


def _told(db: float) -> float:
    """What a level somebody asks for means: at or below -60 dB, nothing at all."""
    return FLOOR_DB if db <= SILENT_DB else _bounded(db)


def _bounded(db: float) -> float:
    return min(max(db, FLOOR_DB), MAX_LEVEL_DB)


class Fade:
    """An amplitude that moves with equal power: from where it is to ``goal`` in some frames.

    Power goes from the one to the other along sin²: if all voices of a mix move together and their
    powers added up to one at the start and will at the end, they do all the way, in mid-fade too.
    """

    def __init__(self, gain: float = 0.0) -> None:
        self._start = self.goal = gain
        self._frames = self._done = 1

    @property
    def moving(self) -> bool:
        """Whether it has not arrived yet."""
        return self._done < self._frames

    @property
    def frames_left(self) -> int:
        """Frames until it arrives."""
        return self._frames - self._done

    @property
    def gain(self) -> float:
        """The amplitude now."""
        if not self.moving:
            return self.goal
        angle = self._done / self._frames * pi / 2
        return sqrt((self._start * cos(angle)) ** 2 + (self.goal * sin(angle)) ** 2)

    def move(self, goal: float, frames: int) -> None:
        """Freeze where it is and go to ``goal`` in ``frames`` from there."""
        self._start = self.gain
        self.goal, self._frames, self._done = goal, max(1, frames), 0

    def apply(self, block: Block) -> bool:
        """Multiply ``block`` in place and move on; return whether anything is left to hear."""
        heard = self.lay_on(block)
        self.pass_over(len(block))
        return heard

    def lay_on(self, block: Block) -> bool:
        """Multiply ``block`` in place and stay where it is; return whether anything is left to hear."""
        if not self.moving:
            if self.goal == 0.0:
                return False
            if self.goal != 1.0:
                block *= np.float32(self.goal)
            return True
        block *= self._curve(len(block))[:, None]
        return True

    def pass_over(self, frames: int) -> None:
        """Move on."""
        self._done = min(self._frames, self._done + frames)

    def _curve(self, frames: int) -> npt.NDArray[np.float32]:
        """The gains of the next frames. The angle is exact; single precision is enough for its sine."""
        turn = (np.minimum((self._done + _INDEX[:frames]) / self._frames, 1.0) * (pi / 2)).astype(np.float32)
        if self._start == 0.0:
            return np.float32(self.goal) * np.sin(turn)
        if self.goal == 0.0:
            return np.maximum(np.float32(self._start) * np.cos(turn), np.float32(0.0))
        square = np.square(np.sin(turn))
        power = np.float32(self._start**2) + np.float32(self.goal**2 - self._start**2) * square
        return np.asarray(np.sqrt(power), dtype=np.float32)


def taper(block: Block, frames_left: int | None) -> None:
    """Lead a sound to nothing over its last 50 ms. ``frames_left`` counts from the block's beginning."""
    if frames_left is None or frames_left - len(block) >= SAFE_EDGE_FRAMES:
        return
    ramp = np.clip((frames_left - _INDEX[: len(block)]) / SAFE_EDGE_FRAMES, 0.0, 1.0)
    block *= ramp.astype(np.float32)[:, None]
