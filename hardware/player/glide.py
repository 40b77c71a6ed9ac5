"""What a room hears nearly always: one deck at one gain, with nothing else going on, played at little cost.

It must never go on when anything could have changed: it lasts for a third of a second at most, and a deck
that says anything unexpected about its end, or any command, ends it.
"""

from typing import Final

import numpy as np

from hardware.player.deck import Source
from hardware.player.mixer import Mixer
from hardware.player.prompter import Prompter
from hardware.player.sequencer import Sequencer
from hardware.player.units import PERIOD, Block

MOST_FRAMES: Final = 16 * PERIOD


class Glide:
    """One source at a constant gain for a number of frames."""

    def __init__(self, source: Source, gain: float, frames: int) -> None:
        self._source, self._gain, self._frames = source, np.float32(gain), frames
        self._changes = gain != 1.0
        self._left = source.frames_left

    def play(self, out: Block) -> bool:
        """Fill ``out`` as the mixer would; False, and nothing done, if the mixer has to."""
        frames = len(out)
        if frames > self._frames or self._source.frames_left != self._left:
            return False
        self._source.read(out)
        if self._changes:
            out *= self._gain
        self._frames -= frames
        if self._left is not None:
            self._left -= frames
        return True


def find_glide(sequencer: Sequencer, mixer: Mixer, prompter: Prompter) -> Glide | None:
    """Return how to play on without steering, or None while something moves or is due soon."""
    frames = min(sequencer.calm_frames, MOST_FRAMES)
    if frames < PERIOD or not prompter.idle:
        return None
    only = mixer.only_voice
    return None if only is None else Glide(only[0].source, only[1], frames)
