"""A deck: one file decoded ahead by its own thread into a ring that the mixer reads without waiting.

The thread ends when the file does, when the deck is closed, or on a fault; it never outlives its use.
A fault found while decoding ahead shortens what is left: the sequencer then has seconds to cross over.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Final, Protocol

import numpy as np
import soxr

from hardware.player.sources import Reader, SourceError
from hardware.player.units import CHANNELS, RATE, Block, frames_from_ms

AHEAD_FRAMES: Final = 6 * RATE
PRIMED_FRAMES: Final = RATE // 2
CHUNK_FRAMES: Final = 8_192
RESERVE_FRAMES: Final = RATE // 10
"""If decoding falls this close behind, the deck gives up while there is still sound to fade out on."""
SHORT_BY_MS: Final = 500
"""A file that ends this much before it should have is damaged, and said to be."""


class DeckState(Enum):
    """Where a deck is. FAILED decks may still hold sound decoded before the fault."""

    OPENING = "opening"
    READY = "ready"
    FAILED = "failed"


class Source(Protocol):
    """What the mixer plays from. Read by one thread only."""

    def read(self, out: Block) -> None:
        """Fill ``out`` with the next frames; zeros past the end."""
        ...

    @property
    def ahead(self) -> int:
        """How many of the next frames are certain, whatever becomes of the file; less a reserve."""
        ...

    def peek(self, out: Block) -> None:
        """Fill ``out`` with the next frames and stay where it is. At most ``ahead`` frames."""
        ...

    def pass_over(self, frames: int) -> None:
        """Go on by frames that were looked at."""
        ...

    @property
    def frames_left(self) -> int | None:
        """Frames until the end as far as known; None if endless."""
        ...

    def close(self) -> None:
        """No longer needed."""
        ...


@dataclass(frozen=True, slots=True)
class Cut:
    """Which part of a file to play, ms.

    ``loop`` plays the part round and round, without an end unless ``length_ms`` sets one.
    """

    start_ms: int = 0
    end_ms: int | None = None
    position_ms: int = 0
    loop: bool = False
    length_ms: int | None = None


class Deck:
    """One file on its way to the mixer."""

    def __init__(
        self, open_file: Callable[[], Reader], cut: Cut, *, patient: bool = False, name: str = "deck"
    ) -> None:
        """Begin to open and decode. ``patient``: wait for the decoder rather than fail (accelerated runs)."""
        self._open_file, self._cut, self._patient = open_file, cut, patient
        self._ring = np.empty((0, CHANNELS), dtype=np.float32)
        self._written = self._read = 0
        self._total: int | None = None
        self._done = self._closed = False
        self._change = threading.Condition()
        self.error: str | None = None
        self.started_at = round(cut.position_ms * RATE / 1000)
        self._opened = False
        threading.Thread(target=self._run, name=name, daemon=True).start()

    # ------------------------------------------------------------ the mixer's side

    @property
    def state(self) -> DeckState:
        """READY once there is enough to begin with."""
        if self.error is not None and self._written == 0:
            return DeckState.FAILED
        if self._opened and (self._done or self._written >= PRIMED_FRAMES):
            return DeckState.READY
        return DeckState.OPENING

    @property
    def frames_read(self) -> int:
        """Frames handed to the mixer so far."""
        return self._read

    @property
    def frames_left(self) -> int | None:
        """Frames until the end: exact once decoded to it, before that as the file says."""
        if self._done:
            return self._written - self._read
        return None if self._total is None else max(self._total - self._read, self._written - self._read, 1)

    @property
    def length_frames(self) -> int | None:
        """Frames of the whole part to be played, from its position on; None if endless."""
        return self._written if self._done else self._total

    def read(self, out: Block) -> None:
        """Fill ``out``; zeros past the end."""
        frames = len(out)
        ready = self._written - self._read
        if ready < frames + RESERVE_FRAMES and not self._done:
            ready = self._behind(frames)
        taken = min(frames, ready)
        if taken:
            self.peek(out[:taken])
            self.pass_over(taken)
        out[taken:] = 0.0

    @property
    def ahead(self) -> int:
        """How many of the next frames are certain; kept back is what it takes to hear of a fault in time."""
        ready = self._written - self._read
        return ready if self._done and self.error is None else max(0, ready - RATE)

    def peek(self, out: Block) -> None:
        """Fill ``out`` from the ring and stay where it is. There must be that much."""
        at = self._read % len(self._ring)
        first = min(len(out), len(self._ring) - at)
        out[:first] = self._ring[at : at + first]
        out[first:] = self._ring[: len(out) - first]

    def pass_over(self, frames: int) -> None:
        """Go on by frames that were looked at, and let the decoder fill their place."""
        self._read += frames
        if self._written - self._read < len(self._ring) // 2 and not self._done:
            self._wake()

    def close(self) -> None:
        """Let the thread end and give the memory back."""
        self._closed = True
        self._wake()

    def wait_ready(self) -> None:
        """Wait until it is no longer opening, at most 10 s at a time. Only a patient mixer calls it."""
        with self._change:
            self._change.wait_for(lambda: self.state is not DeckState.OPENING, timeout=10.0)

    def _wake(self) -> None:
        with self._change:
            self._change.notify_all()

    def _behind(self, frames: int) -> int:
        """The decoder is late: wait for it if patient, else give up while there is sound to fade out on."""
        self._wake()
        if self._patient:
            with self._change:
                self._change.wait_for(
                    lambda: self._done or self._written - self._read >= frames + RESERVE_FRAMES, timeout=10.0
                )
        elif self._opened and self._written - self._read < RESERVE_FRAMES + frames:
            self._fail("reading stalled")
        return self._written - self._read

    # ------------------------------------------------------------ the decoder's side

    def _fail(self, reason: str) -> None:
        with self._change:
            if not self._done:
                self.error = reason
                self._done = True
            self._change.notify_all()

    def _run(self) -> None:
        reader: Reader | None = None
        try:
            reader = self._open_file()
            self._decode(reader)
        except SourceError as error:
            self._fail(error.reason)
        except Exception as error:  # noqa: BLE001 (whatever a decoder raises, the room goes on)
            self._fail(f"it cannot be decoded ({type(error).__name__})")
        finally:
            if reader is not None:
                reader.close()

    def _decode(self, reader: Reader) -> None:
        cut, rate = self._cut, reader.rate
        first = round(cut.start_ms * rate / 1000)
        end = reader.frames if cut.end_ms is None else round(cut.end_ms * rate / 1000)
        if reader.frames is not None and end is not None and end > reader.frames:
            end = reader.frames
        at = first + round(cut.position_ms * rate / 1000)
        if cut.loop and end is not None and end > first:
            at = first + (at - first) % (end - first)
        if end is not None and at >= end:
            raise SourceError("", "there is nothing to play at that place")
        if at:
            reader.seek(at)
        length = None if end is None or cut.loop else _converted(end - at, rate)
        if cut.length_ms is not None:
            length = min(frames_from_ms(cut.length_ms), length or frames_from_ms(cut.length_ms))
        self._ring = np.zeros(
            (min(AHEAD_FRAMES, (length or AHEAD_FRAMES) + CHUNK_FRAMES), CHANNELS), np.float32
        )
        self._total = length
        self._opened = True
        self._fill(reader, at, first, end)

    def _fill(self, reader: Reader, at: int, first: int, end: int | None) -> None:
        cut, rate = self._cut, reader.rate
        convert = (
            None if rate == RATE else soxr.ResampleStream(rate, RATE, CHANNELS, dtype="float32", quality="HQ")
        )
        while True:
            wanted = CHUNK_FRAMES if end is None else min(CHUNK_FRAMES, end - at)
            sound = reader.read(wanted) if wanted > 0 else np.zeros((0, CHANNELS), np.float32)
            at += len(sound)
            over = len(sound) == 0
            if over and cut.loop and at > first:
                at = first
                reader.seek(first)
                continue
            out = sound if convert is None else convert.resample_chunk(sound, last=over)
            if cut.length_ms is not None and self._total is not None:
                out = out[: self._total - self._written]
            if not self._put(np.asarray(out, dtype=np.float32)):
                return
            if over or (cut.length_ms is not None and self._written == self._total):
                break
        if not cut.loop:
            self._check_length(at, end, rate)
        with self._change:
            self._done = True
            self._change.notify_all()

    def _check_length(self, at: int, end: int | None, rate: int) -> None:
        expected_ms = self._cut.end_ms if end is None or self._cut.end_ms is not None else end * 1000 // rate
        if expected_ms is not None and expected_ms - at * 1000 // rate > SHORT_BY_MS:
            early_s = (expected_ms - at * 1000 // rate) / 1000
            raise SourceError("", f"the file is damaged: it ends {early_s:.1f} s early")

    def _put(self, sound: Block) -> bool:
        """Append to the ring, waiting for room; False if the deck was closed meanwhile."""
        size = len(self._ring)
        while len(sound):
            room = size - (self._written - self._read)
            if room < min(len(sound), CHUNK_FRAMES):
                with self._change:
                    self._change.wait_for(self._has_room, timeout=5.0)
                if self._closed or self._done:
                    return False
                continue
            part = sound[: min(room, len(sound))]
            at = self._written % size
            head = min(len(part), size - at)
            self._ring[at : at + head] = part[:head]
            self._ring[: len(part) - head] = part[head:]
            self._written += len(part)
            sound = sound[len(part) :]
            if self._patient or self._written - len(part) < PRIMED_FRAMES:
                self._wake()
        return not (self._closed or self._done)

    def _has_room(self) -> bool:
        free = len(self._ring) - (self._written - self._read)
        return self._closed or self._done or free >= min(len(self._ring) // 2, 2 * RATE)


def _converted(frames: int, rate: int) -> int:
    return frames if rate == RATE else -(-frames * RATE // rate)
