"""What the daemon wants of the player, newest of every kind, so that a new process can be told it all.

Prompts are not wishes: one that could not be handed over within five seconds is dropped, never replayed.
"""

from dataclasses import dataclass, replace
from typing import Final, assert_never

from controller.core.units import SILENT_DB, lerp
from controller.ports import (
    CrossfadeTo,
    ItemEnded,
    ItemFailed,
    ItemStarted,
    PlayerCommand,
    PlayerEvent,
    PlayerHealth,
    PlayerStatus,
    PlayItem,
    QueueItems,
    Route,
    SetLevel,
    Speak,
    Spoken,
    StopPlayer,
)

RESUME_FADE_MS: Final = 5_000
PROMPT_KEPT_S: Final = 5.0


@dataclass(slots=True)
class Move:
    """A level on its way: from where, since when, and the command that asked for it."""

    command: SetLevel
    from_db: float
    since_s: float

    def db_at(self, now_s: float) -> float:
        """Where it should be by now, dB."""
        over_s = self.command.over_ms / 1000
        return lerp(
            self.from_db, self.command.level_db, 1.0 if over_s <= 0 else (now_s - self.since_s) / over_s
        )

    def left_ms(self, now_s: float) -> int:
        """How long it still has to go, ms."""
        return max(0, self.command.over_ms - round((now_s - self.since_s) * 1000))


class Wishes:
    """The daemon's newest commands, minus what the player has already done of them."""

    def __init__(self) -> None:
        self._levels: dict[str, Move] = {}
        self._route: Route | None = None
        self._current: PlayItem | None = None
        self._position_ms = 0
        self._known: dict[str, PlayItem] = {}
        self._queue: tuple[PlayItem, ...] = ()
        self._unsent: list[PlayerCommand] = []
        self._prompts: list[tuple[float, Speak]] = []

    def remember(self, command: PlayerCommand, *, linked: bool, now_s: float) -> None:
        """Take a command in; ``linked`` says that it is also being sent now."""
        match command:
            case SetLevel():
                before = self._levels.get(command.bus)
                start_db = 0.0 if command.bus != "programme" else SILENT_DB
                at_db = start_db if before is None else before.db_at(now_s)
                self._levels[command.bus] = Move(command, at_db, now_s)
            case Route():
                self._route = command
            case QueueItems():
                self._queue = command.items
                self._known = {item.item_id: item for item in (*command.items, *self._kept())}
            case CrossfadeTo():
                self._known[command.item.item_id] = command.item
                self._current, self._position_ms = command.item, command.item.position_ms
                self._queue = tuple(item for item in self._queue if item.item_id != command.item.item_id)
            case Speak():
                if not linked:
                    self._prompts.append((now_s, command))
                return
            case StopPlayer():
                return
            case _:
                assert_never(command)
        if not linked:
            self._unsent = [other for other in self._unsent if not _same_kind(other, command)] + [command]

    def _kept(self) -> tuple[PlayItem, ...]:
        return (self._current,) if self._current is not None else ()

    def observe(self, event: PlayerEvent, now_s: float) -> None:
        """Learn from what the player says."""
        match event:
            case ItemStarted():
                self._started(event.item_id)
            case ItemFailed() | ItemEnded():
                self._queue = tuple(item for item in self._queue if item.item_id != event.item_id)
                if self._current is not None and self._current.item_id == event.item_id:
                    self._current = None
            case PlayerStatus():
                if self._current is None and event.item_id in self._known:
                    self._current = self._known[event.item_id]
                if self._current is not None and event.item_id == self._current.item_id:
                    self._position_ms = event.position_ms
                if "programme" not in self._levels:
                    told = SetLevel("programme", event.programme_db, 0)
                    self._levels["programme"] = Move(told, event.programme_db, now_s)
            case Spoken() | PlayerHealth():
                return
            case _:
                assert_never(event)

    def _started(self, item_id: str) -> None:
        ids = [item.item_id for item in self._queue]
        if item_id in ids:
            self._queue = self._queue[ids.index(item_id) + 1 :]
        item = self._known.get(item_id)
        if item is not None and (self._current is None or self._current.item_id != item_id):
            self._current, self._position_ms = item, item.position_ms

    def programme_db(self, now_s: float) -> float:
        """Where the programme's level should be by now, dB."""
        move = self._levels.get("programme")
        return SILENT_DB if move is None else move.db_at(now_s)

    @property
    def route(self) -> Route | None:
        """The outputs asked for last; None if nobody has asked yet."""
        return self._route

    def unsent(self, now_s: float) -> list[PlayerCommand]:
        """Return what a player found running has not been told yet, once."""
        waiting, self._unsent = self._unsent, []
        return [*waiting, *self._take_prompts(now_s)]

    def to_bring_back(self, now_s: float) -> list[PlayerCommand]:
        """Return all that a new process must be told: levels first, then what played, then what follows."""
        self._unsent = []
        commands: list[PlayerCommand] = []
        for move in self._levels.values():
            commands.append(replace(move.command, level_db=move.db_at(now_s), over_ms=0))
            if move.left_ms(now_s):
                commands.append(replace(move.command, over_ms=move.left_ms(now_s)))
        if self._route is not None:
            commands.append(self._route)
        if self._current is not None:
            item = replace(self._current, position_ms=self._position_ms)
            self._known[item.item_id] = item
            commands.append(CrossfadeTo(item, RESUME_FADE_MS))
        if self._queue or self._current is not None or self._known:
            commands.append(QueueItems(self._queue))
        return [*commands, *self._take_prompts(now_s)]

    def _take_prompts(self, now_s: float) -> list[PlayerCommand]:
        prompts, self._prompts = self._prompts, []
        return [speak for at_s, speak in prompts if now_s - at_s <= PROMPT_KEPT_S]


def _same_kind(one: PlayerCommand, other: PlayerCommand) -> bool:
    if isinstance(one, SetLevel) and isinstance(other, SetLevel):
        return one.bus == other.bus
    return type(one) is type(other)
