"""The mixer: voices on buses, multiplied by gains that only ever move smoothly. Pure: no device, no clock.

    track x fade                          (each voice)
      -> programme bus x duck x master    (the music)
      -> programme bus x bed x duck x master   (the bed: whatever silences the music silences it)
    prompt x prompt bus x master

No gain is ever saved and put back: each is a product of what is wanted now. It must never let what is
heard of the programme rise faster than 3 dB/s by a level, whoever asks (promise 2 of the design).
"""

from typing import Final, Literal

import numpy as np

from hardware.player.deck import Source
from hardware.player.gains import Fade, Level, PathGain, taper
from hardware.player.units import FLOOR_DB, MAX_LEVEL_DB, PERIOD, RATE, SAFE_EDGE_FRAMES, Block, silence

RISE_DB_PER_S: Final = 3.0
FALL_DB_PER_S: Final = 20.0
PROMPT_DB_PER_S: Final = 60.0
MAX_VOICES: Final = 6
"""Fading out from skips in quick succession; a seventh waits for the quietest to go."""
HASTEN_FRAMES: Final = RATE // 2
Bus = Literal["programme", "bed", "prompt", "master"]


class Voice:
    """One source on its way through the mixer, with its own gain and fade."""

    def __init__(self, source: Source, gain_db: float = 0.0, gain: float = 0.0) -> None:
        self.source = source
        self.fade = Fade(gain)
        self._gain = np.float32(10.0 ** (min(gain_db, MAX_LEVEL_DB) / 20.0))

    @property
    def over(self) -> bool:
        """Faded out, or played to its end."""
        return (not self.fade.moving and self.fade.goal == 0.0) or self.source.frames_left == 0

    @property
    def gain(self) -> float:
        """Its own gain, without the fade."""
        return float(self._gain)

    @property
    def loudness_rank(self) -> float:
        """How much of it is heard, for finding the quietest."""
        return self.fade.gain * self.gain

    @property
    def steady_frames(self) -> int:
        """For how many frames it goes on as it does now, whatever becomes of its file."""
        frames, left = self.source.ahead, self.source.frames_left
        if left is not None:
            frames = min(frames, left - SAFE_EDGE_FRAMES)
        return min(frames, self.fade.frames_left) if self.fade.moving else frames

    def look_ahead(self, out: Block) -> bool:
        """Fill ``out`` with the next steady frames, without going on; return whether they are heard."""
        if not self.fade.moving and self.fade.goal == 0.0:
            return False
        self.source.peek(out)
        self.fade.lay_on(out)
        if self._gain != 1.0:
            out *= self._gain
        return True

    def pass_over(self, frames: int) -> None:
        """Go on by frames that were looked at."""
        self.source.pass_over(frames)
        self.fade.pass_over(frames)

    def add_to(self, mix: Block, spare: Block) -> None:
        """Play the next frames into ``mix``; ``spare`` is scratch of the same length."""
        left = self.source.frames_left
        gone_in_time = self.fade.goal == 0.0 and left is not None and self.fade.frames_left <= left
        self.source.read(spare)
        if not self.fade.apply(spare):
            return
        if not gone_in_time:
            taper(spare, left)
        if self._gain != 1.0:
            spare *= self._gain
        mix += spare


class Mixer:
    """All buses. ``mix`` is called once for every stretch of at most 1024 frames."""

    def __init__(self, bed: Source, *, programme_db: float = FLOOR_DB) -> None:
        self.levels: dict[Bus, Level] = {
            "programme": Level(programme_db, rise_db_per_s=RISE_DB_PER_S, fall_db_per_s=FALL_DB_PER_S),
            "bed": Level(0.0, rise_db_per_s=RISE_DB_PER_S, fall_db_per_s=FALL_DB_PER_S),
            "prompt": Level(0.0, rise_db_per_s=PROMPT_DB_PER_S, fall_db_per_s=PROMPT_DB_PER_S),
            "master": Level(0.0, rise_db_per_s=RISE_DB_PER_S, fall_db_per_s=FALL_DB_PER_S),
        }
        self.duck = Level(0.0, rise_db_per_s=RISE_DB_PER_S, fall_db_per_s=FALL_DB_PER_S)
        levels = self.levels
        self._music_levels = (levels["programme"], levels["master"], self.duck)
        self._bed_levels = (*self._music_levels, levels["bed"])
        self._prompt_levels = (levels["prompt"], levels["master"])
        self._music_path = PathGain(programme_db, rise_db_per_s=RISE_DB_PER_S, fall_db_per_s=FALL_DB_PER_S)
        self._bed_path = PathGain(programme_db, rise_db_per_s=RISE_DB_PER_S, fall_db_per_s=FALL_DB_PER_S)
        self._prompt_path = PathGain(0.0, rise_db_per_s=PROMPT_DB_PER_S, fall_db_per_s=PROMPT_DB_PER_S)
        self.bed = Voice(bed)
        self.voices: list[Voice] = []
        self.prompts: list[Voice] = []
        self.untouched = True
        self._bus = silence(PERIOD)
        self._spare = silence(PERIOD)

    # ------------------------------------------------------------ levels

    def set_level(self, bus: Bus, db: float, over_frames: int) -> None:
        """Move a bus evenly in dB; at once only while nothing has ever been heard."""
        if not self.untouched:
            self.levels[bus].aim(db, over_frames)
            return
        self.levels[bus].aim(db, over_frames) if over_frames > 0 else self.levels[bus].jump(db)
        self._music_path.jump(*self._music_levels)
        self._bed_path.jump(*self._bed_levels)
        self._prompt_path.jump(*self._prompt_levels)

    @property
    def programme_db(self) -> float:
        """The music's level as it is heard: programme, master and duck, dB."""
        return self._music_path.db

    # ------------------------------------------------------------ voices

    def crossfade(self, target: Voice, frames: int) -> None:
        """Give the room to ``target`` (a new voice, or the bed) in ``frames``; all else fades to nothing.

        Whatever was heard starts from the gain it has this instant. A voice that ends sooner than
        the fade is faded out in the time it has.
        """
        frames = max(frames, SAFE_EDGE_FRAMES)
        self.untouched = False
        for voice in (*self.voices, self.bed):
            if voice is target or (voice.fade.goal == 0.0 and not voice.fade.moving):
                continue
            left = voice.source.frames_left
            voice.fade.move(0.0, frames if left is None else max(1, min(frames, left)))
        if target is not self.bed and target not in self.voices:
            self.voices.append(target)
        target.fade.move(1.0, frames)

    @property
    def crowded(self) -> bool:
        """Whether another voice has to wait; if so the quietest is on its way out within half a second."""
        if len(self.voices) < MAX_VOICES:
            return False
        quietest = min(self.voices[:-1], key=lambda voice: voice.loudness_rank)
        if quietest.fade.frames_left > HASTEN_FRAMES:
            quietest.fade.move(0.0, HASTEN_FRAMES)
        return True

    @property
    def bed_heard(self) -> bool:
        """Whether the bed is up or coming up."""
        return self.bed.fade.goal > 0.0

    @property
    def bed_sounds(self) -> bool:
        """Whether the bed is heard, coming up or going."""
        return self.bed.fade.moving or self.bed_heard

    @property
    def steady(self) -> bool:
        """Whether no level moves and no prompt is heard; fades may go on."""
        if self.prompts or not (self.duck.settled and all(level.settled for level in self.levels.values())):
            return False
        return (
            self._music_path.settled(self._music_levels)
            and self._bed_path.settled(self._bed_levels)
            and self._prompt_path.settled(self._prompt_levels)
        )

    @property
    def music_gain(self) -> float:
        """The amplitude that the music's levels come to now."""
        return self._music_path.gain

    @property
    def bed_gain(self) -> float:
        """The amplitude that the bed's levels come to now."""
        return self._bed_path.gain

    # ------------------------------------------------------------ sound

    def mix(self, out: Block) -> None:
        """Fill ``out`` (at most 1024 frames) with the next stretch."""
        frames = len(out)
        for level in self.levels.values():
            level.advance(frames)
        self.duck.advance(frames)
        bus, spare = self._bus[:frames], self._spare[:frames]
        out[:] = 0.0
        for voice in self.voices:
            voice.add_to(out, spare)
        if not self._music_path.apply(out, self._music_levels):
            out[:] = 0.0
        bed_sounds = self.bed_sounds
        if bed_sounds:
            bus[:] = 0.0
            self.bed.add_to(bus, spare)
        if self._bed_path.apply(bus, self._bed_levels) and bed_sounds:
            out += bus
        if self.prompts:
            bus[:] = 0.0
            for voice in self.prompts:
                voice.add_to(bus, spare)
        if self._prompt_path.apply(bus, self._prompt_levels) and self.prompts:
            out += bus

    def take_ended(self) -> list[Voice]:
        """Return the voices that are no longer heard, and let go of them."""
        ended = [voice for voice in (*self.voices, *self.prompts) if voice.over]
        if ended:
            self.voices = [voice for voice in self.voices if voice not in ended]
            self.prompts = [voice for voice in self.prompts if voice not in ended]
            for voice in ended:
                voice.source.close()
        return ended
