"""The player's fixed numbers and the shape of a block of sound.

Everything inside the player is 48 kHz, stereo, float32, in blocks of 512 frames; the process mixes a
period of two at a time, which is what a device takes when it asks.
"""

from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from controller.core.units import SILENT_DB

RATE: Final = 48_000
BLOCK: Final = 512
PERIOD: Final = 2 * BLOCK
GLIDE_FRAMES: Final = 8 * PERIOD
"""How much is mixed ahead at most where nothing is due (171 ms)."""
CHANNELS: Final = 2
FRAME_BYTES: Final = 4 * CHANNELS
Block: TypeAlias = npt.NDArray[np.float32]
"""Frames by channels."""

FLOOR_DB: Final = -90.0
"""Where a level is truly nothing. ``SILENT_DB`` (-60) counts as mute; the rest is run through quickly."""
MAX_LEVEL_DB: Final = 12.0
SAFE_EDGE_FRAMES: Final = 2_400
"""50 ms: the shortest edge of any sound. At full scale it moves 4e-4 a sample, under -60 dBFS."""

__all__ = [
    "BLOCK",
    "CHANNELS",
    "FLOOR_DB",
    "MAX_LEVEL_DB",
    "PERIOD",
    "RATE",
    "SAFE_EDGE_FRAMES",
    "SILENT_DB",
    "Block",
]


def frames_from_ms(milliseconds: float) -> int:
    """Return whole frames of a time in ms."""
    return round(milliseconds * RATE / 1000)


def ms_from_frames(frames: int) -> int:
    """Return whole ms of a count of frames."""
    return frames * 1000 // RATE


def silence(frames: int) -> Block:
    """Return a new block of nothing."""
    return np.zeros((frames, CHANNELS), dtype=np.float32)
