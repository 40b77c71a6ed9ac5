"""A player without sound: the same commands, rules and events as the real one, on any clock.

It is a plain state machine in room time, for rehearsals at any speed and for tests: ``tick`` does what is
due, ``next_due_ms`` says when that will be next. It reads no file: an item lasts as long as its cut
says. It must never do anything the player's process would not do (one contract suite holds both).
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, assert_never

from controller.core.units import SILENT_DB, clamp
from controller.ports import (
    Clock,
    CrossfadeTo,
    ItemEnded,
    ItemFailed,
    ItemStarted,
    PlayerCommand,
    PlayerEvent,
    PlayerStatus,
    PlayItem,
    QueueItems,
    Route,
    SetLevel,
    Speak,
    Spoken,
    StopPlayer,
)

BED_FADE_MS: Final = 12_000
RESCUE_FADE_MS: Final = 1_000
SHORTEST_FADE_MS: Final = 50
UNTOLD_LENGTH_MS: Final = 240_000
"""How long an item lasts that says no end, unless the caller knows better."""
PROMPT_MS: Final = 4_000
STATUS_PERIOD_MS: Final = 250
RISE_DB_PER_S: Final = 3.0
FALL_DB_PER_S: Final = 20.0
MAX_LEVEL_DB: Final = 12.0
FRAMES_PER_MS: Final = 48
QUIETEST_DBFS: Final = -120.0
NOTHING_LUFS: Final = -70.0


def told_length_ms(item: PlayItem) -> int | None:
    """Return an item's length from its cut; without an end a bed is endless and a file four minutes."""
    if item.end_ms is None:
        return None if item.path.startswith("bed:") else UNTOLD_LENGTH_MS
    return max(0, item.end_ms - item.start_ms)


@dataclass(slots=True)
class _Sounding:
    item: PlayItem
    since_ms: int
    length_ms: int | None

    @property
    def whole_ms(self) -> int | None:
        """What was left of it when it began."""
        return None if self.length_ms is None else self.length_ms - self.item.position_ms

    @property
    def ends_ms(self) -> int | None:
        return None if self.whole_ms is None else self.since_ms + self.whole_ms


@dataclass(slots=True)
class _Leaving:
    item: PlayItem
    gone_ms: int


@dataclass(slots=True)
class _Level:
    """A bus's level, guarded like the real one's."""

    from_db: float
    goal_db: float
    since_ms: int
    rate: float = RISE_DB_PER_S

    def aim(self, db: float, over_ms: int, now_ms: int) -> None:
        at = self.at(now_ms)
        goal = clamp(db, SILENT_DB, MAX_LEVEL_DB)
        guard = RISE_DB_PER_S if goal > at else FALL_DB_PER_S
        wanted = abs(goal - at) * 1000 / over_ms if over_ms > 0 else guard
        self.from_db, self.goal_db, self.since_ms, self.rate = at, goal, now_ms, min(guard, wanted)

    def at(self, now_ms: int) -> float:
        moved = self.rate * (now_ms - self.since_ms) / 1000
        if self.goal_db >= self.from_db:
            return min(self.goal_db, self.from_db + moved)
        return max(self.goal_db, self.from_db - moved)


class VirtualPlayer:
    """A ``controller.ports.Player`` in virtual time. Everything happens in ``send`` and ``tick``."""

    def __init__(
        self,
        clock: Clock,
        *,
        length_ms: Callable[[PlayItem], int | None] = told_length_ms,
        is_playable: Callable[[PlayItem], bool] = lambda _item: True,
        programme_db: float = SILENT_DB,
        min_fade_ms: int = 4_000,
    ) -> None:
        """``length_ms`` and ``is_playable`` stand for looking into the files."""
        self._clock, self._length, self._is_playable, self._min_fade = (
            clock,
            length_ms,
            is_playable,
            min_fade_ms,
        )
        self._begun_ms = self._now = clock.now_ms()
        self._queue: deque[PlayItem] = deque()
        self._current: _Sounding | None = None
        self._leaving: list[_Leaving] = []
        self._levels = {
            bus: _Level(
                programme_db if bus == "programme" else 0.0,
                programme_db if bus == "programme" else 0.0,
                self._now,
            )
            for bus in ("programme", "bed", "prompt", "master")
        }
        self._prompts: deque[tuple[int, Speak]] = deque()
        self._events: list[PlayerEvent] = []
        self._untouched = True
        self._stops_ms: int | None = None
        self.route = Route(speakers=True, headphones=True)

    # ------------------------------------------------------------ the Player port

    def send(self, command: PlayerCommand) -> None:
        """Take a command in and do at once what it asks."""
        self._advance(self._clock.now_ms())
        match command:
            case QueueItems():
                taken = self._current.item.item_id if self._current is not None else None
                self._queue = deque(item for item in command.items if item.item_id != taken)
                self._pass_over_broken()
                self._fill_gap()
            case CrossfadeTo():
                self._crossfade(command)
            case SetLevel():
                self._set_level(command)
            case Speak():
                self._speak(command)
            case Route():
                self.route = command
            case StopPlayer():
                self._stops_ms = self._now + command.fade_ms
            case _:
                assert_never(command)

    async def run(self, listener: Callable[[PlayerEvent], None]) -> None:
        """Deliver events, and a status four times a second of room time, until cancelled."""
        while not self.stopped:
            for event in self.tick():
                listener(event)
            listener(self.status())
            due = self.next_due_ms()
            later = self._now + STATUS_PERIOD_MS * self._clock.speed
            await self._clock.sleep_until(later if due is None else min(due, later))

    async def close(self, *, stop_player: bool) -> None:
        """Let go; with ``stop_player`` fall silent."""
        if stop_player:
            self._stops_ms = self._clock.now_ms()

    # ------------------------------------------------------------ virtual time

    def tick(self) -> tuple[PlayerEvent, ...]:
        """Do all that is due by now and return what happened since the last call, in order."""
        self._advance(self._clock.now_ms())
        happened, self._events = tuple(self._events), []
        return happened

    def next_due_ms(self) -> int | None:
        """Return the room time of the next thing to happen, or None while nothing is coming."""
        if self._events:
            return self._now
        return self._next_change()

    @property
    def stopped(self) -> bool:
        """Whether a ``StopPlayer`` has run its course."""
        return self._stops_ms is not None and self._clock.now_ms() >= self._stops_ms

    def status(self) -> PlayerStatus:
        """Return what it is doing now."""
        now = self._now
        current = self._current
        position = 0 if current is None else current.item.position_ms + now - current.since_ms
        return PlayerStatus(
            item_id=None if current is None else current.item.item_id,
            track_id=None if current is None else current.item.track_id,
            position_ms=position,
            length_ms=None if current is None else current.length_ms,
            queue=tuple(item.item_id for item in self._queue),
            programme_db=self._levels["programme"].at(now),
            peak_dbfs=QUIETEST_DBFS,
            loudness_lufs=NOTHING_LUFS,
            on_bed=current is None,
            device="virtual",
            device_ok=True,
            frames_written=(now - self._begun_ms) * FRAMES_PER_MS,
            underruns=0,
        )

    # ------------------------------------------------------------ the rules

    def _advance(self, now_ms: int) -> None:
        while (due := self._next_change()) is not None and due <= now_ms:
            self._now = max(self._now, due)
            self._change()
        self._now = max(self._now, now_ms)

    def _next_change(self) -> int | None:
        times = [leaving.gone_ms for leaving in self._leaving]
        if self._prompts:
            times.append(self._prompts[0][0])
        if self._current is not None and (ends := self._current.ends_ms) is not None:
            times.append(ends - self._overlap(self._current))
        return min(times) if times else None

    def _change(self) -> None:
        """Do the one thing that is due at ``_now``: endings first, so that events come in order."""
        for leaving in self._leaving:
            if leaving.gone_ms <= self._now:
                self._leaving.remove(leaving)
                self._events.append(ItemEnded(leaving.item.item_id, leaving.item.track_id))
                return
        if self._prompts and self._prompts[0][0] <= self._now:
            self._events.append(Spoken(self._prompts.popleft()[1].prompt_id))
            return
        current = self._current
        if current is None or current.ends_ms is None:
            return
        left = max(0, current.ends_ms - self._now)
        if self._queue:
            self._begin(self._queue.popleft(), max(left, RESCUE_FADE_MS))
        else:
            self._leave(max(left, RESCUE_FADE_MS))

    def _overlap(self, current: _Sounding) -> int:
        whole = current.whole_ms
        longest = BED_FADE_MS if whole is None else max(whole // 2, SHORTEST_FADE_MS)
        if not self._queue:
            return min(BED_FADE_MS, longest)
        upcoming = self._queue[0]
        own = self._left_of(upcoming)
        return max(
            SHORTEST_FADE_MS, min(upcoming.fade_ms, longest, upcoming.fade_ms if own is None else own // 2)
        )

    def _left_of(self, item: PlayItem) -> int | None:
        length = self._length(item)
        return None if length is None else max(0, length - item.position_ms)

    def _begin(self, item: PlayItem, fade_ms: int) -> None:
        self._leave(fade_ms)
        self._untouched = False
        self._current = _Sounding(item, self._now, self._length(item))
        self._events.append(ItemStarted(item.item_id, item.track_id))
        self._pass_over_broken()

    def _leave(self, fade_ms: int) -> None:
        """All that sounds fades out in ``fade_ms``, or sooner if it ends sooner."""
        gone = self._now + max(fade_ms, SHORTEST_FADE_MS)
        for leaving in self._leaving:
            leaving.gone_ms = min(leaving.gone_ms, gone)
        current, self._current = self._current, None
        if current is not None:
            ends = current.ends_ms
            self._leaving.append(
                _Leaving(current.item, gone if ends is None else min(gone, max(ends, self._now)))
            )

    def _crossfade(self, command: CrossfadeTo) -> None:
        item = command.item
        if self._current is not None and self._current.item.item_id == item.item_id:
            return
        self._queue = deque(other for other in self._queue if other.item_id != item.item_id)
        if not self._can_play(item):
            if not self._queue:
                self._fill_gap()
                return
            item = self._queue.popleft()
        self._begin(item, self._entry_fade(item, max(self._min_fade, command.fade_ms)))

    def _entry_fade(self, item: PlayItem, fade_ms: int) -> int:
        own = self._left_of(item)
        return fade_ms if own is None else min(fade_ms, own // 2)

    def _fill_gap(self) -> None:
        if self._current is None and self._queue:
            item = self._queue.popleft()
            self._begin(item, self._entry_fade(item, item.fade_ms))

    def _pass_over_broken(self) -> None:
        while self._queue and not self._can_play(self._queue[0]):
            self._queue.popleft()

    def _can_play(self, item: PlayItem) -> bool:
        if self._is_playable(item) and self._left_of(item) != 0:
            return True
        self._events.append(ItemFailed(item.item_id, item.track_id, "it cannot be played"))
        return False

    def _set_level(self, command: SetLevel) -> None:
        level = self._levels[command.bus]
        if self._untouched and command.over_ms <= 0:
            goal = clamp(command.level_db, SILENT_DB, MAX_LEVEL_DB)
            self._levels[command.bus] = _Level(goal, goal, self._now)
        else:
            level.aim(command.level_db, command.over_ms, self._now)

    def _speak(self, command: Speak) -> None:
        begins = max(self._now, self._prompts[-1][0] if self._prompts else 0)
        self._prompts.append((begins + PROMPT_MS, command))
