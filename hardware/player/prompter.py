"""Spoken prompts: read whole, measured, laid over a ducked programme, never louder than the music was.

What "the music was" means: its loudness over the 3 s before. In a soft passage the prompt may reach 6 dB
under the loudness the programme is set to, so that it can be heard; in silence it may reach the
loudness the programme was last set to. It is never raised above its own recording's gain.
"""

import threading
from collections import deque
from collections.abc import Callable
from typing import Final, TypeAlias

import numpy as np

from controller.core.units import SILENT_DB, clamp
from controller.ports import ItemFailed, PlayerEvent, Speak, Spoken
from hardware.player.deck import Cut, Deck, DeckState
from hardware.player.loudness import NOTHING_LUFS, integrated_lufs
from hardware.player.mixer import FALL_DB_PER_S, Mixer, Voice
from hardware.player.sources import Reader, SourceError, open_reader, stereo
from hardware.player.units import RATE, SAFE_EDGE_FRAMES, Block

MAX_PROMPT_S: Final = 90
SOFT_PASSAGE_DB: Final = 6.0
QUIETEST_ROOM_LUFS: Final = -50.0
"""A programme set to less than this counts as silence: nobody could follow a prompt under it."""
AUDIBLE_LUFS: Final = -60.0
UNTOLD_PROGRAMME_DB: Final = -20.0
"""Stands for the programme's level while it has never been anything but mute."""
Emit: TypeAlias = Callable[[PlayerEvent], None]


class Recording:
    """A prompt's whole recording, read and measured in a thread of its own."""

    def __init__(self, path: str, open_file: Callable[[str], Reader] = open_reader) -> None:
        self.sound: Block | None = None
        self.lufs = NOTHING_LUFS
        self.error: str | None = None
        self.loaded = threading.Event()
        self._at = 0
        threading.Thread(target=self._load, args=(path, open_file), name="prompt", daemon=True).start()

    def _load(self, path: str, open_file: Callable[[str], Reader]) -> None:
        deck = Deck(lambda: open_file(path), Cut(), patient=True, name="prompt-deck")
        try:
            self.sound = self._collect(deck)
        except SourceError as error:
            self.error = error.reason
        except Exception as error:  # noqa: BLE001 (whatever a decoder raises, the room goes on)
            self.error = f"it cannot be decoded ({type(error).__name__})"
        finally:
            deck.close()
            self.loaded.set()

    def _collect(self, deck: Deck) -> Block:
        parts: list[Block] = []
        while len(parts) < MAX_PROMPT_S * 2:
            if deck.state is DeckState.OPENING:
                deck.wait_ready()
                continue
            if deck.error is not None:
                raise SourceError("", deck.error)
            if deck.frames_left == 0:
                break
            part = np.empty((min(RATE // 2, deck.frames_left or RATE // 2), 2), dtype=np.float32)
            deck.read(part)
            parts.append(part)
        if not parts:
            raise SourceError("", "there is no sound in the file")
        sound = stereo(np.concatenate(parts))
        self.lufs = integrated_lufs(sound)
        return sound

    # As a Source of the mixer:

    @property
    def frames_left(self) -> int | None:
        """Frames until the end."""
        return 0 if self.sound is None else len(self.sound) - self._at

    @property
    def ahead(self) -> int:
        """How many of the next frames are certain: all."""
        return self.frames_left or 0

    def read(self, out: Block) -> None:
        """Fill ``out``; zeros past the end."""
        self.peek(out)
        self.pass_over(min(len(out), self.ahead))

    def peek(self, out: Block) -> None:
        """Fill ``out`` and stay where it is."""
        part = self.sound[self._at : self._at + len(out)] if self.sound is not None else out[:0]
        out[: len(part)] = part
        out[len(part) :] = 0.0

    def pass_over(self, frames: int) -> None:
        """Go on by frames that were looked at."""
        self._at += frames

    def close(self) -> None:
        """Let go of the sound."""
        self.sound = None


class Prompter:
    """Plays prompts one after the other."""

    def __init__(self, mixer: Mixer, emit: Emit, *, reference_lufs: float, patient: bool = False) -> None:
        self._mixer, self._emit, self._reference_lufs = mixer, emit, reference_lufs
        self._patient = patient
        self._waiting: deque[tuple[Speak, Recording]] = deque()
        self._playing: tuple[Speak, Voice] | None = None
        self._begin_in: int | None = None
        self._music_lufs = NOTHING_LUFS
        self._clear_of_prompt = 0
        self._audible_db = UNTOLD_PROGRAMME_DB

    def handle(self, speak: Speak) -> None:
        """Say this when those before it are said."""
        self._waiting.append((speak, Recording(speak.path)))

    @property
    def idle(self) -> bool:
        """Whether nothing is being said or waits to be."""
        return self._playing is None and not self._waiting

    @property
    def frames_until_due(self) -> int | None:
        """Frames until a prompt's first sample, if one is about to begin."""
        return self._begin_in

    def step(self, frames_passed: int, heard_lufs: float) -> None:
        """Move on by what was mixed since the last call. ``heard_lufs``: loudness of the last 3 s."""
        programme_db = self._mixer.levels["programme"].goal_db
        if programme_db > SILENT_DB:
            self._audible_db = programme_db
        if self._playing is not None:
            self._clear_of_prompt = 0
            if self._playing[1] in self._mixer.prompts:
                return
            self._emit(Spoken(self._playing[0].prompt_id))
            self._playing = None
            if not self._waiting:
                self._mixer.duck.aim(0.0, 0)
        # Under a duck the music is not what it was: its loudness is taken from undisturbed seconds only.
        self._clear_of_prompt = self._clear_of_prompt + frames_passed if self._mixer.duck.db == 0.0 else 0
        if self._clear_of_prompt > 3 * RATE:
            self._music_lufs = heard_lufs
        if self._begin_in is not None:
            self._begin_in -= frames_passed
            if self._begin_in <= 0:
                self._begin()
        elif self._waiting:
            self._prepare()

    def _prepare(self) -> None:
        """Duck under the next prompt once it is read, and set the instant of its beginning."""
        speak, recording = self._waiting[0]
        if self._patient:
            recording.loaded.wait(timeout=10.0)
        if recording.error is not None:
            self._waiting.popleft()
            self._emit(ItemFailed(speak.prompt_id, "", recording.error))
            if not self._waiting:
                self._mixer.duck.aim(0.0, 0)
            return
        if recording.sound is None:
            return
        depth = clamp(speak.duck_db, -40.0, 0.0)
        self._mixer.duck.aim(min(depth, self._mixer.duck.db), 0)
        self._begin_in = round((self._mixer.duck.db - min(depth, self._mixer.duck.db)) / FALL_DB_PER_S * RATE)
        if self._begin_in == 0:
            self._begin()

    def _begin(self) -> None:
        speak, recording = self._waiting.popleft()
        self._begin_in = None
        bus = self._mixer.levels["prompt"].db + self._mixer.levels["master"].db
        gain_db = min(speak.gain_db, self._allowed_lufs() - recording.lufs - bus)
        voice = Voice(recording, gain_db)
        voice.fade.move(1.0, SAFE_EDGE_FRAMES)
        self._mixer.prompts.append(voice)
        self._mixer.untouched = False
        self._playing = (speak, voice)

    def _allowed_lufs(self) -> float:
        programme = self._mixer.levels["programme"].goal_db
        nominal = self._reference_lufs + self._audible_db + self._mixer.levels["master"].goal_db
        nominal = max(nominal, QUIETEST_ROOM_LUFS)
        if programme <= SILENT_DB or self._music_lufs < AUDIBLE_LUFS:
            return nominal
        return max(self._music_lufs, nominal - SOFT_PASSAGE_DB)
