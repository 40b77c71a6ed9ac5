"""The writer: brings a room's records, notes and checkpoints to the journal, in order, beside the work.

It must never hold up a command: a full or broken disk is reported, and the session goes on unwritten.
A prompt goes out only after its record has been written (or could not be): a crash cannot send it twice.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from controller.core import records as r
from controller.core.session import Effect, PublishPrompt, StoreNote
from controller.errors import JournalError
from controller.ports import Journal, StoredNote

Checkpoint: TypeAlias = dict[str, object]


class RoomJournal(Journal, Protocol):
    """A journal that also keeps small checkpoints."""

    async def save_checkpoint(self, name: str, json: str) -> None:
        """Replace the JSON kept under a name."""
        ...

    async def load_checkpoint(self, name: str) -> str | None:
        """Return the JSON last kept under a name, or None."""
        ...

    @property
    def fault(self) -> str | None:
        """What is not well with it (a full disk, a damaged file kept aside), in one clear line, or None."""
        ...


@dataclass(frozen=True, slots=True)
class Write:
    """One event's records and effects; ``done`` says whether the records are on disk."""

    at_ms: int
    session_id: str | None
    records: tuple[r.Record, ...]
    effects: tuple[Effect, ...]
    done: "asyncio.Future[bool]"


class RoomWriter:
    """One room's queue to its journal."""

    def __init__(
        self,
        journal: RoomJournal,
        *,
        publish: Callable[[PublishPrompt], None],
        health: Callable[[str | None], None],
        checkpoint: Callable[[], Checkpoint],
    ) -> None:
        self._journal, self._publish, self._health, self._checkpoint = journal, publish, health, checkpoint
        self._queue: asyncio.Queue[Write] = asyncio.Queue()

    def put(
        self, at_ms: int, session_id: str | None, records: tuple[r.Record, ...], effects: tuple[Effect, ...]
    ) -> Write:
        """Hand over what happened; returns at once. With nothing in it: only a checkpoint."""
        write = Write(at_ms, session_id, records, effects, asyncio.get_running_loop().create_future())
        self._queue.put_nowait(write)
        return write

    async def load_checkpoint(self) -> Checkpoint:
        """Return the last checkpoint, empty if there is none that can be read."""
        try:
            text = await self._journal.load_checkpoint("room")
        except JournalError:
            text = None
        kept = json.loads(text) if text else {}
        return kept if isinstance(kept, dict) else {}

    async def run(self) -> None:
        """Write until cancelled."""
        while True:
            await self._write(await self._queue.get())

    async def flush(self) -> None:
        """Write what is waiting, before the end."""
        while not self._queue.empty():
            await self._write(self._queue.get_nowait())

    async def _write(self, write: Write) -> None:
        failures = [await self._tried(self._journal.append(write.records))] if write.records else []
        for effect in write.effects:
            if isinstance(effect, StoreNote) and write.session_id is not None:
                note = StoredNote(effect.note_id, write.session_id, write.at_ms, effect.chip, effect.text)
                failures.append(await self._tried(self._journal.add_note(note)))
        failure = next((said for said in failures if said is not None), None)
        self._health(failure if failure is not None else self._journal.fault)
        for effect in write.effects:
            if isinstance(effect, PublishPrompt):
                self._publish(effect)
        if not write.done.done():
            write.done.set_result(failure is None)
        if self._queue.empty() and failure is None:
            await self._save_checkpoint()

    async def _tried(self, call: Awaitable[None]) -> str | None:
        """Carry out one journal call; what it failed with, in one line, or None."""
        try:
            await call
        except JournalError as error:
            return str(error)
        return None

    async def _save_checkpoint(self) -> None:
        try:
            await self._journal.save_checkpoint("room", json.dumps(self._checkpoint()))
        except JournalError as error:
            self._health(str(error))
