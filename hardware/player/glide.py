"""What a room hears nearly always: voices at steady levels with nothing due, mixed some periods ahead.

What is mixed ahead is not played yet: it may be dropped at any period, and then nothing has happened. It must
be sample for sample what the mixer would have made, and never reach past anything that is due.
"""

from typing import Final

import numpy as np

from hardware.player.mixer import Mixer
from hardware.player.prompter import Prompter
from hardware.player.sequencer import Sequencer
from hardware.player.units import GLIDE_FRAMES, PERIOD, Block

MOST_VOICES: Final = 3
"""More are heard only while somebody skips again and again, and then commands come too soon to look ahead."""


class Glide:
    """Some voices for a number of frames, a multiple of a period."""

    def __init__(self, mixer: Mixer, frames: int) -> None:
        self.frames = frames
        self._voices = tuple(mixer.voices)
        self._bed = mixer.bed if mixer.bed_sounds else None
        self._music_gain, self._bed_gain = np.float32(mixer.music_gain), np.float32(mixer.bed_gain)

    def mix(self, out: Block, spare: Block) -> None:
        """Fill ``out`` as the mixer would, without going on. ``spare`` is scratch of the same length."""
        heard = False
        if self._music_gain != 0.0:
            for voice in self._voices:
                if not heard:
                    heard = voice.look_ahead(out)
                elif voice.look_ahead(spare):
                    out += spare
        if not heard:
            out[:] = 0.0
        elif self._music_gain != 1.0:
            out *= self._music_gain
        if self._bed is not None and self._bed_gain != 0.0 and self._bed.look_ahead(spare):
            if self._bed_gain != 1.0:
                spare *= self._bed_gain
            out += spare

    def pass_over(self, frames: int) -> None:
        """So many of the frames were played."""
        for voice in (*self._voices, *([self._bed] if self._bed is not None else [])):
            voice.pass_over(frames)


def find_glide(sequencer: Sequencer, mixer: Mixer, prompter: Prompter) -> Glide | None:
    """Return how it goes on for the next periods, or None while a level moves or something is due soon."""
    frames = min(sequencer.calm_frames, GLIDE_FRAMES)
    if frames < PERIOD or len(mixer.voices) > MOST_VOICES or not (prompter.idle and mixer.steady):
        return None
    for voice in mixer.voices:
        frames = min(frames, voice.steady_frames)
    if mixer.bed_sounds:
        frames = min(frames, mixer.bed.steady_frames)
    frames -= frames % PERIOD
    return Glide(mixer, frames) if frames > 0 else None
