"""The bed: the sound that can never run out. From a file that loops, else made here from filtered noise.

It must never fail: a bed file that breaks is replaced by the made one, and nobody in the room need know.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np

from hardware.player.deck import Cut, Deck, DeckState
from hardware.player.gains import taper
from hardware.player.sources import Reader, SourceError, open_reader
from hardware.player.units import CHANNELS, RATE, SAFE_EDGE_FRAMES, Block

LOOP_S: Final = 20
MADE_RMS_DBFS: Final = -30.0
SEED: Final = 20
BED_PREFIX: Final = "bed:"
BED_SUFFIXES: Final = (".flac", ".wav", ".ogg", ".opus", ".mp3")


def make_bed(seconds: int = LOOP_S, seed: int = SEED) -> Block:
    """Return a calm noise like far surf, exactly periodic: the last sample leads into the first.

    It is built in the frequency domain (so it loops by construction): brownish, no bass under 60 Hz, gone
    above 2 kHz, and each channel swells slowly in its own time.
    """
    frames = seconds * RATE
    random = np.random.default_rng(seed)
    hertz = np.fft.rfftfreq(frames, 1 / RATE)
    shape = np.zeros(len(hertz))
    inside = hertz > 20.0
    shape[inside] = (hertz[inside] / 100.0) ** -0.8 / np.sqrt(1.0 + (60.0 / hertz[inside]) ** 4)
    shape[inside] /= 1.0 + (hertz[inside] / 1_200.0) ** 4
    turns = np.arange(frames) * (2 * np.pi / frames)
    sound = np.empty((frames, CHANNELS), dtype=np.float32)
    for channel in range(CHANNELS):
        phases = np.exp(2j * np.pi * random.random(len(hertz)))
        noise = np.fft.irfft(shape * phases, frames)
        swell = 1.0 + 0.25 * np.sin(2 * turns + channel * 2.1) + 0.15 * np.sin(3 * turns + channel * 4.0)
        noise *= swell
        sound[:, channel] = noise * (10.0 ** (MADE_RMS_DBFS / 20.0) / np.sqrt(np.mean(noise**2)))
    return sound


class MadeReader:
    """The made bed, read like a file (for a bed that is asked for as an item)."""

    rate: int = RATE

    def __init__(self, sound: Block) -> None:
        self._sound = sound
        self.frames: int | None = len(sound)
        self._at = 0

    def seek(self, frame: int) -> None:
        """Go to a frame."""
        self._at = frame

    def read(self, frames: int) -> Block:
        """Return up to so many frames; empty at the end."""
        part = self._sound[self._at : self._at + frames]
        self._at += len(part)
        return part

    def close(self) -> None:
        """Nothing to let go of."""


class BedLibrary:
    """Where beds are found: one for always, a folder of named ones, and the made one behind them all."""

    def __init__(self, bed_file: str | None = None, folder: str | None = None) -> None:
        self._file, self._folder = bed_file, folder
        self._made: Block | None = None

    def reader(self, name: str = "") -> Callable[[], Reader]:
        """Return how to open a bed: the named one if it is there, else the room's, else the made one."""
        return lambda: self._open(name)

    def made(self) -> Block:
        """Return the made bed, making it once."""
        if self._made is None:
            self._made = make_bed()
        return self._made

    def _open(self, name: str) -> Reader:
        for path in (*self._named(name), *([self._file] if self._file else [])):
            try:
                return open_reader(path)
            except SourceError:
                continue
        return MadeReader(self.made())

    def _named(self, name: str) -> list[str]:
        if not name or self._folder is None or Path(name).name != name:
            return []
        return [str(Path(self._folder) / f"{name}{suffix}") for suffix in BED_SUFFIXES]


class EndlessBed:
    """The bed as a source without an end. Should its deck break, the made bed follows with soft edges."""

    def __init__(self, library: BedLibrary, *, patient: bool = False) -> None:
        self._library, self._patient = library, patient
        self._deck = Deck(library.reader(), Cut(loop=True), patient=patient, name="bed")
        self._edge = 0

    frames_left: int | None = None

    @property
    def ready(self) -> bool:
        """Whether it can begin at once."""
        return self._deck.state is DeckState.READY

    def read(self, out: Block) -> None:
        """Fill ``out``: with nothing only while a deck opens."""
        left = self._deck.frames_left
        if left == 0:
            self._replace()
        if self._patient and self._deck.state is DeckState.OPENING:
            self._deck.wait_ready()
        if self._deck.state is not DeckState.READY:
            out[:] = 0.0
            return
        self._deck.read(out)
        taper(out, left)
        if self._edge < SAFE_EDGE_FRAMES:
            ramp = np.minimum(np.arange(self._edge + 1, self._edge + len(out) + 1) / SAFE_EDGE_FRAMES, 1.0)
            out *= ramp.astype(np.float32)[:, None]
            self._edge += len(out)

    @property
    def ahead(self) -> int:
        """How many of the next frames are certain; none while it opens, ends or comes in."""
        deck = self._deck
        steady = deck.state is DeckState.READY and deck.frames_left is None and self._edge >= SAFE_EDGE_FRAMES
        return deck.ahead if steady else 0

    def peek(self, out: Block) -> None:
        """Fill ``out`` and stay where it is."""
        self._deck.peek(out)

    def pass_over(self, frames: int) -> None:
        """Go on by frames that were looked at."""
        self._deck.pass_over(frames)

    def _replace(self) -> None:
        self._deck.close()
        self._deck = Deck(
            lambda: MadeReader(self._library.made()), Cut(loop=True), patient=self._patient, name="bed"
        )
        self._edge = 0

    def close(self) -> None:
        """Let the deck's thread end."""
        self._deck.close()
