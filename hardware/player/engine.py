"""The engine: commands in, blocks of sound and events out. No device, no socket, no clock.

The writer's thread calls ``render`` for every block; other threads only put commands in. It must never
wait, except in accelerated runs, where a decoder may be slower than the writer.
"""

from collections import deque
from dataclasses import dataclass
from typing import assert_never

from controller.ports import (
    CrossfadeTo,
    PlayerCommand,
    PlayerEvent,
    PlayItem,
    QueueItems,
    Route,
    SetLevel,
    Speak,
    StopPlayer,
)
from hardware.player.bed import BED_PREFIX, BedLibrary, EndlessBed
from hardware.player.deck import Cut, Deck
from hardware.player.glide import Glide, find_glide
from hardware.player.mixer import Mixer
from hardware.player.prompter import Prompter
from hardware.player.sequencer import Sequencer
from hardware.player.sources import open_reader
from hardware.player.units import (
    FLOOR_DB,
    GLIDE_FRAMES,
    PERIOD,
    SILENT_DB,
    Block,
    frames_from_ms,
    ms_from_frames,
    silence,
)

STOP_GRACE_MS = 4_000
DEFAULT_REFERENCE_LUFS = -23.0


@dataclass(frozen=True, slots=True)
class EngineConfig:
    """What is fixed for the process's life. ``patient``: wait for decoders (accelerated runs only)."""

    bed: str | None = None
    beds_folder: str | None = None
    programme_db: float = FLOOR_DB
    reference_lufs: float = DEFAULT_REFERENCE_LUFS
    min_fade_ms: int = 4_000
    patient: bool = False


@dataclass(frozen=True, slots=True)
class EngineView:
    """What the engine is doing: its part of ``PlayerStatus``."""

    item_id: str | None = None
    track_id: str | None = None
    position_ms: int = 0
    length_ms: int | None = None
    queue: tuple[str, ...] = ()
    programme_db: float = SILENT_DB
    on_bed: bool = False


class Engine:
    """One room's music and prompts."""

    def __init__(self, config: EngineConfig | None = None) -> None:
        self._config = config = config or EngineConfig()
        self._beds = BedLibrary(config.bed, config.beds_folder)
        self.mixer = Mixer(EndlessBed(self._beds, patient=config.patient), programme_db=config.programme_db)
        self.events: deque[PlayerEvent] = deque()
        self.route = Route(speakers=True, headphones=True)
        self.sequencer = Sequencer(self.mixer, self._open, self.events.append, min_fade_ms=config.min_fade_ms)
        self._prompter = Prompter(
            self.mixer, self.events.append, reference_lufs=config.reference_lufs, patient=config.patient
        )
        self._commands: deque[PlayerCommand] = deque()
        self._passed = 0
        self._glide: Glide | None = None
        self._spare = silence(GLIDE_FRAMES)
        self._stop_in: int | None = None

    def put(self, command: PlayerCommand) -> None:
        """Hand a command over, from any thread; it acts at the next block."""
        self._commands.append(command)

    @property
    def stopped(self) -> bool:
        """Whether a ``StopPlayer`` has run its course."""
        return self._stop_in is not None and (self._stop_in <= 0 or self.mixer.programme_db <= SILENT_DB)

    def render(self, out: Block, heard_lufs: float) -> None:
        """Fill a block of any length. ``heard_lufs`` is the output's loudness over the last 3 s."""
        self._glide = None
        while self._commands:
            self._handle(self._commands.popleft())
        at = 0
        while at < len(out):
            self._steer(heard_lufs)
            due = min(
                len(out) - at,
                PERIOD,
                *(n for n in (self.sequencer.frames_until_due(), self._prompter.frames_until_due) if n),
            )
            stretch = max(1, due) if due > 0 else len(out) - at
            self.mixer.mix(out[at : at + stretch])
            self._passed = stretch
            at += stretch
        if self._stop_in is not None:
            self._stop_in -= len(out)

    def _steer(self, heard_lufs: float) -> None:
        passed, self._passed = self._passed, 0
        self.sequencer.step(passed)
        self._prompter.step(passed, heard_lufs)

    @property
    def commanded(self) -> bool:
        """Whether a command waits for the next block."""
        return bool(self._commands)

    def mix_ahead(self, out: Block, heard_lufs: float) -> int:
        """Mix as many periods into ``out`` as are sure unless a command comes; return their frames.

        None of them counts as played until ``pass_over`` says so. ``out`` is 8 periods long.
        """
        self._glide = None
        if self._commands or self._stop_in is not None:
            return 0
        self._steer(heard_lufs)
        glide = self._glide = find_glide(self.sequencer, self.mixer, self._prompter)
        if glide is None:
            return 0
        glide.mix(out[: glide.frames], self._spare[: glide.frames])
        return glide.frames

    def pass_over(self, frames: int) -> None:
        """So much of what was mixed ahead was played; the rest is forgotten."""
        if self._glide is not None:
            self._glide.pass_over(frames)
            self._passed += frames
        self._glide = None

    def _handle(self, command: PlayerCommand) -> None:
        match command:
            case QueueItems() | CrossfadeTo():
                self.sequencer.handle(command)
            case SetLevel():
                self.mixer.set_level(command.bus, command.level_db, frames_from_ms(command.over_ms))
            case Speak():
                self._prompter.handle(command)
            case Route():
                self.route = command
            case StopPlayer():
                self.mixer.levels["master"].aim(FLOOR_DB, frames_from_ms(command.fade_ms))
                self._stop_in = frames_from_ms(command.fade_ms + STOP_GRACE_MS)
            case _:
                assert_never(command)

    def _open(self, item: PlayItem) -> Deck:
        deck = self._deck(item)
        if self._config.patient:
            deck.wait_ready()  # faster than real time, its turn may come before it is open
        return deck

    def _deck(self, item: PlayItem) -> Deck:
        patient = self._config.patient
        if item.path.startswith(BED_PREFIX):
            open_bed = self._beds.reader(item.path.removeprefix(BED_PREFIX))
            length = None if item.end_ms is None else item.end_ms - item.start_ms - item.position_ms
            return Deck(open_bed, Cut(loop=True, length_ms=length), patient=patient, name="bed-item")
        cut = Cut(item.start_ms, item.end_ms, item.position_ms)
        return Deck(lambda: open_reader(item.path), cut, patient=patient, name=f"deck-{item.item_id}")

    @property
    def view(self) -> EngineView:
        """What it is doing now. Read on the writer's thread."""
        current = self.sequencer.current
        queue, level = self.sequencer.queued, max(SILENT_DB, self.mixer.levels["programme"].db)
        if current is None:
            return EngineView(queue=queue, programme_db=level, on_bed=self.mixer.bed_heard)
        item, deck = current.item, current.deck
        frames = deck.length_frames
        position = item.position_ms + ms_from_frames(deck.frames_read)
        length = None if frames is None else item.position_ms + ms_from_frames(frames)
        return EngineView(item.item_id, item.track_id, position, length, queue, level, on_bed=False)

    def close(self) -> None:
        """Let every thread end."""
        self.sequencer.close()
        self.mixer.bed.source.close()
