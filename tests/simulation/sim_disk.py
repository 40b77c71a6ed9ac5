"""A disk that fills up and loses what was not flushed, and a broker with prompt devices behind it."""

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Generic, TypeVar

from sim_lamps import BrokenPromiseError

from controller.core import records as r
from controller.core.session import Effect, PublishPrompt, StoreNote
from controller.record_codec import decode_record, encode_record

SECRET = "Ariadne-Quill"
"""Stands in every free text, and may be in no record."""
S = TypeVar("S")


@dataclass(slots=True)
class Write(Generic[S]):
    """One event's records and effects. ``after`` is what the simulation knows once they are on the disk."""

    due_ms: int
    order: int
    records: tuple[r.Record, ...]
    effects: tuple[Effect, ...]
    after: S
    answered: Callable[[bool], None] | None

    def __lt__(self, other: "Write[S]") -> bool:
        return (self.due_ms, self.order) < (other.due_ms, other.order)


@dataclass
class Disk(Generic[S]):
    """The journal: an append that is late, fails while the disk is full, and is lost in a crash."""

    rng: Random
    publish: Callable[[PublishPrompt], None]
    durable: list[r.Record] = field(default_factory=list)
    after: S | None = None
    kept: list[Write[S]] = field(default_factory=list)
    waiting: list[Write[S]] = field(default_factory=list)
    notes: dict[str, str] = field(default_factory=dict)
    checkpoint: dict[str, object] = field(default_factory=dict)
    full: bool = False
    noted: list[str] = field(default_factory=list)
    _count: int = 0
    _last_due_ms: int = 0

    def put(
        self,
        now_ms: int,
        records: tuple[r.Record, ...],
        effects: tuple[Effect, ...],
        after: S,
        answered: Callable[[bool], None] | None = None,
    ) -> None:
        """Hand over; the disk takes a few milliseconds, in order."""
        self._count += 1
        self._last_due_ms = max(self._last_due_ms, now_ms + self.rng.randrange(40))
        write = Write(self._last_due_ms, self._count, records, effects, after, answered)
        heapq.heappush(self.waiting, write)

    def next_due_ms(self) -> int | None:
        return self.waiting[0].due_ms if self.waiting else None

    def run(self, now_ms: int) -> bool:
        """Write what is due; True when everything is on the disk (time for a checkpoint)."""
        wrote = False
        while self.waiting and self.waiting[0].due_ms <= now_ms:
            self._write(heapq.heappop(self.waiting))
            wrote = True
        return wrote and not self.waiting and not self.full

    def _write(self, write: Write[S]) -> None:
        self.kept.append(write)
        if not self.full:
            self.flush()
        for effect in write.effects:
            if isinstance(effect, PublishPrompt):
                if self.full:  # noted where a full disk has room
                    self.noted.append(effect.prompt_id)
                self.publish(effect)
        if write.answered is not None:
            write.answered(not self.full)

    def flush(self) -> None:
        """There is room (again): what was kept goes first, in order."""
        for write in self.kept:
            for record in write.records:
                text = encode_record(record)
                if SECRET in text:
                    raise BrokenPromiseError("confidential", f"free text in a record: {record.body.kind}")
                if decode_record(text) != record:
                    raise BrokenPromiseError("journal", f"not the same when read back: {record}")
            self.durable.extend(write.records)
            self.after = write.after
            for effect in write.effects:
                if isinstance(effect, StoreNote):
                    self.notes[effect.note_id] = effect.text
        self.kept.clear()

    def crash(self) -> bool:
        """The daemon dies: what waits is lost, or written and never answered. True if anything was lost."""
        while self.waiting and not self.full and self.rng.random() < 0.5:
            write = heapq.heappop(self.waiting)
            self.kept.append(write)
            self.flush()
        lost = any(write.records for write in (*self.kept, *self.waiting))
        self.kept.clear()
        self.waiting.clear()
        return lost

    def newest_session(self) -> list[r.Record]:
        """The records since the newest session began, its own and those after its end."""
        begun = [i for i, record in enumerate(self.durable) if isinstance(record.body, r.SessionStarted)]
        return self.durable[begun[-1] if begun else 0 :]

    def command_ids(self) -> set[str]:
        """Every command that the records tell of."""
        return {record.command_id for record in self.durable if record.command_id is not None}


@dataclass
class Broker:
    """Takes prompts; a device shows each id once. Acknowledgements may get lost or come twice."""

    rng: Random
    published: set[str] = field(default_factory=set)
    shown: set[str] = field(default_factory=set)
    acks: list[str] = field(default_factory=list)

    def publish(self, prompt: PublishPrompt) -> None:
        """A prompt goes out: once, whatever dies and whichever disk is full."""
        if prompt.prompt_id in self.published:
            raise BrokenPromiseError("once", f"prompt {prompt.prompt_id} went out twice")
        self.published.add(prompt.prompt_id)
        if prompt.prompt_id in self.shown:
            return
        self.shown.add(prompt.prompt_id)
        for _ in range(self.rng.choice((0, 1, 1, 1, 2))):
            self.acks.append(prompt.prompt_id)
