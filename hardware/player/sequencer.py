"""What plays when: the current item, what follows it, skips, faults, and the bed when nothing else can.

It steers the mixer by frames and never waits: a deck that is not ready is looked at again next block.
An item that cannot play is reported and passed over; it must never take the room's sound with it.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

from controller.ports import (
    CrossfadeTo,
    ItemEnded,
    ItemFailed,
    ItemStarted,
    PlayerEvent,
    PlayItem,
    QueueItems,
)
from hardware.player.deck import Deck, DeckState
from hardware.player.mixer import Mixer, Voice
from hardware.player.units import RATE, SAFE_EDGE_FRAMES, frames_from_ms

BED_FADE_FRAMES: Final = 12 * RATE
RESCUE_FADE_FRAMES: Final = RATE
"""How long the bed or the next item takes to come in where the sound broke off."""
IDLE_FRAMES: Final = 3 * RATE // 2
"""How long after its start the player waits for its first word before the bed comes up."""
_LONG: Final = 3_600 * RATE
Emit: TypeAlias = Callable[[PlayerEvent], None]
OpenDeck: TypeAlias = Callable[[PlayItem], Deck]


@dataclass(slots=True)
class Cued:
    """An item with its deck, opened ahead."""

    item: PlayItem
    deck: Deck


@dataclass(slots=True)
class Playing:
    """An item that is heard, or was until its fade ends."""

    item: PlayItem
    deck: Deck
    voice: Voice
    reported: bool = False


class Sequencer:
    """Steers the mixer's music: ``step`` before every stretch, which ``frames_until_due`` bounds."""

    def __init__(self, mixer: Mixer, open_deck: OpenDeck, emit: Emit, *, min_fade_ms: int = 4_000) -> None:
        self._mixer, self._open_deck, self._emit = mixer, open_deck, emit
        self._min_fade = frames_from_ms(min_fade_ms)
        self._queue: deque[PlayItem] = deque()
        self._next: Cued | None = None
        self._wanted: tuple[Cued, int] | None = None
        self.current: Playing | None = None
        self._leaving: list[Playing] = []
        self._idle = IDLE_FRAMES
        self._awake = False

    # ------------------------------------------------------------ commands

    def handle(self, command: QueueItems | CrossfadeTo) -> None:
        """Take a command in; ``step`` acts on it."""
        self._awake = True
        if isinstance(command, QueueItems):
            self._replace_queue(command.items)
        else:
            self._want(command)

    def _replace_queue(self, items: tuple[PlayItem, ...]) -> None:
        taken = {self.current.item.item_id} if self.current is not None else set()
        if self._wanted is not None:
            taken.add(self._wanted[0].item.item_id)
        wanted = [item for item in items if item.item_id not in taken]
        if self._next is not None:
            if wanted and wanted[0] == self._next.item:
                wanted = wanted[1:]
            else:
                self._next.deck.close()
                self._next = None
        self._queue = deque(wanted)

    def _want(self, command: CrossfadeTo) -> None:
        item = command.item
        if self._wanted is not None:
            if self._wanted[0].item.item_id == item.item_id:
                return
            self._wanted[0].deck.close()
            self._wanted = None
        if self.current is not None and self.current.item.item_id == item.item_id:
            return
        self._wanted = (self._take_cued(item), max(self._min_fade, frames_from_ms(command.fade_ms)))

    def _take_cued(self, item: PlayItem) -> Cued:
        """Use the deck already opened for the next item if it is the one."""
        if self._next is not None and self._next.item == item:
            cued, self._next = self._next, None
            return cued
        self._queue = deque(other for other in self._queue if other.item_id != item.item_id)
        return Cued(item, self._open_deck(item))

    # ------------------------------------------------------------ steering

    def step(self, frames_passed: int) -> None:
        """Do whatever is due now. ``frames_passed`` were mixed since the last call."""
        self._gather_ended()
        self._prepare_next()
        self._report_broken()
        if self._wanted is not None:
            self._try_wanted(*self._wanted)
        current = self.current
        if current is None:
            self._fill_gap(frames_passed)
        elif not self._mixer.crowded:
            left = current.deck.frames_left
            if left is not None and left <= self._overlap(current):
                self._follow(left)

    def frames_until_due(self) -> int | None:
        """Frames until a crossfade by the plan begins; None if none is planned."""
        if self.current is None:
            return None
        left = self.current.deck.frames_left
        return None if left is None else left - self._overlap(self.current)

    @property
    def calm_frames(self) -> int:
        """For how many frames nothing is due if no command comes and no file fails; 0 while anything is."""
        upcoming = self._next
        if self._wanted is not None or any(playing.deck.error is not None for playing in self._leaving):
            return 0
        if self.current is None:
            return _LONG if upcoming is None and not self._queue and self._mixer.bed_heard else 0
        if self.current.deck.error is not None or (upcoming is None and self._queue):
            return 0
        if upcoming is not None and upcoming.deck.state is not DeckState.READY:
            return 0
        due = self.frames_until_due()
        return _LONG if due is None else max(0, due)

    def _overlap(self, current: Playing) -> int:
        """How long before the current item's end the next sound begins."""
        length = current.deck.length_frames
        longest = BED_FADE_FRAMES if length is None else max(length // 2, SAFE_EDGE_FRAMES)
        upcoming = self._next
        if upcoming is None:
            return min(BED_FADE_FRAMES, longest)
        own = upcoming.deck.length_frames if upcoming.deck.state is DeckState.READY else None
        fade = frames_from_ms(upcoming.item.fade_ms)
        return max(SAFE_EDGE_FRAMES, min(fade, longest, fade if own is None else own // 2))

    def _follow(self, left: int) -> None:
        """The current item is about to end: the next one begins, or the bed does."""
        upcoming = self._next
        if upcoming is None:
            if not self._queue:
                self._to_bed(left)
            return
        if upcoming.deck.state is DeckState.READY:
            self._next = None
            self._begin(upcoming, max(left, RESCUE_FADE_FRAMES))
        elif left <= RESCUE_FADE_FRAMES:
            self._to_bed(left)

    def _try_wanted(self, cued: Cued, fade: int) -> None:
        match cued.deck.state:
            case DeckState.FAILED:
                self._fail(cued)
                self._wanted = None
                if self._next is not None:
                    self._wanted, self._next = (self._next, fade), None
            case DeckState.READY if not self._mixer.crowded:
                self._wanted = None
                length = cued.deck.length_frames
                self._begin(cued, fade if length is None else min(fade, length // 2))
            case _:
                pass

    def _fill_gap(self, frames_passed: int) -> None:
        """No item is current: begin the next, else see that the bed is up."""
        if self._next is not None and self._next.deck.state is DeckState.READY and not self._mixer.crowded:
            upcoming, self._next = self._next, None
            length = upcoming.deck.length_frames
            fade = frames_from_ms(upcoming.item.fade_ms)
            self._begin(upcoming, fade if length is None else min(fade, length // 2))
            return
        self._idle -= frames_passed
        waiting = self._wanted is not None or self._next is not None
        if not self._mixer.bed_heard and (self._idle <= 0 or (self._awake and not waiting)):
            self._to_bed(RESCUE_FADE_FRAMES)

    def _prepare_next(self) -> None:
        """Open the queue's head ahead of time; pass over what cannot be opened."""
        while True:
            if self._next is None:
                if not self._queue:
                    return
                item = self._queue.popleft()
                self._next = Cued(item, self._open_deck(item))
            if self._next.deck.state is not DeckState.FAILED:
                return
            self._fail(self._next)
            self._next = None

    def _begin(self, cued: Cued, fade: int) -> None:
        voice = Voice(cued.deck, cued.item.gain_db)
        if self.current is not None:
            self._leaving.append(self.current)
        self.current = Playing(cued.item, cued.deck, voice)
        self._mixer.crossfade(voice, fade)
        self._emit(ItemStarted(cued.item.item_id, cued.item.track_id))

    def _to_bed(self, frames: int) -> None:
        if self.current is not None:
            self._leaving.append(self.current)
            self.current = None
        self._mixer.crossfade(self._mixer.bed, max(frames, RESCUE_FADE_FRAMES))

    # ------------------------------------------------------------ what ends and what fails

    def _gather_ended(self) -> None:
        ended = self._mixer.take_ended()
        if not ended:
            return
        if self.current is not None and self.current.voice in ended:
            self._leaving.append(self.current)
            self.current = None
            self._idle = 0
        for playing in [playing for playing in self._leaving if playing.voice in ended]:
            self._leaving.remove(playing)
            self._report(playing)
            self._emit(ItemEnded(playing.item.item_id, playing.item.track_id))

    def _report_broken(self) -> None:
        for playing in (*self._leaving, *([self.current] if self.current else [])):
            self._report(playing)

    def _report(self, playing: Playing) -> None:
        if playing.deck.error is not None and not playing.reported:
            playing.reported = True
            self._emit(ItemFailed(playing.item.item_id, playing.item.track_id, playing.deck.error))

    def _fail(self, cued: Cued) -> None:
        self._emit(
            ItemFailed(cued.item.item_id, cued.item.track_id, cued.deck.error or "it cannot be opened")
        )
        cued.deck.close()

    # ------------------------------------------------------------ what it shows

    @property
    def queued(self) -> tuple[str, ...]:
        """The ids of what follows, in order."""
        ahead = [self._wanted[0].item.item_id] if self._wanted is not None else []
        if self._next is not None:
            ahead.append(self._next.item.item_id)
        return (*ahead, *(item.item_id for item in self._queue))

    def close(self) -> None:
        """Let every deck's thread end."""
        for cued in (self._next, self._wanted[0] if self._wanted else None):
            if cued is not None:
                cued.deck.close()
        for playing in (*self._leaving, *([self.current] if self.current else [])):
            playing.deck.close()
