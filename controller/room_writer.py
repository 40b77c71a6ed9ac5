"""The writer: brings a room's records, notes and checkpoints to the journal, in order, beside the work.

It must never hold up a command: a full or broken disk is reported, and the session goes on unwritten.
A prompt goes out only after its record has been written, or, on a full disk, noted: a crash cannot send it
twice.
"""

import asyncio
import json
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol, TypeAlias

from controller.core import records as r
from controller.core.session import Effect, PublishPrompt, StoreNote
from controller.errors import JournalError
from controller.ports import Journal, StoredNote

Checkpoint: TypeAlias = dict[str, object]

TURNS: Final = 6
"""The journal's threads compete with the event loop for the interpreter. So they begin when the lamps' words,
which take some turns of the loop (desk, lane, driver, socket), have gone out. What was cued does not wait."""


class RoomJournal(Journal, Protocol):
    """A journal that also keeps small checkpoints."""

    async def append(self, records: Sequence[r.Record], checkpoint: tuple[str, str] | None = None) -> None:
        """Store records durably, in order; with them a ``checkpoint`` (name, JSON) in the last one's place.

        Raises:
            JournalError: they are not on the disk.
        """
        ...

    async def save_checkpoint(self, name: str, json: str) -> None:
        """Replace the JSON kept under a name."""
        ...

    async def load_checkpoint(self, name: str) -> str | None:
        """Return the JSON last kept under a name, or None."""
        ...

    async def command_ids(self) -> tuple[str, ...]:
        """Return the newest commands' ids: whatever comes again with one of them has been carried out."""
        ...

    async def newest_session(self) -> tuple[r.Record, ...]:
        """Return the newest session's records, ended or not, and those since that belong to none."""
        ...

    async def note_prompt(self, session_id: str, prompt_id: str) -> bool:
        """Note that a prompt goes out whose record could not be written; False if not even that can be."""
        ...

    async def noted_prompts(self, session_id: str) -> tuple[str, ...]:
        """Return the prompts of a session that went out without their records being written at the time."""
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
        self._waiting: deque[Write] = deque()
        self._due = asyncio.Event()
        self._counts = False

    def put(
        self, at_ms: int, session_id: str | None, records: tuple[r.Record, ...], effects: tuple[Effect, ...]
    ) -> Write:
        """Hand over what happened; returns at once. With nothing in it: only a checkpoint."""
        done = asyncio.get_running_loop().create_future()
        write = Write(at_ms, session_id, records, effects, done)
        self._waiting.append(write)
        if any(isinstance(effect, PublishPrompt) for effect in effects):
            self._due.set()
        elif not self._counts:
            self._counts = True
            self._count(TURNS)
        return write

    def _count(self, turns: int) -> None:
        if turns:
            asyncio.get_running_loop().call_soon(self._count, turns - 1)
        else:
            self._counts = False
            self._due.set()

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
            await self._due.wait()
            self._due.clear()
            await self.flush()

    async def flush(self) -> None:
        """Write what is waiting, before the end."""
        while self._waiting:
            await self._write(self._waiting.popleft())

    async def _write(self, write: Write) -> None:
        failures = await self._store(write)
        failure = next((said for said in failures if said is not None), None)
        self._health(failure if failure is not None else self._journal.fault)
        for effect in write.effects:
            if isinstance(effect, PublishPrompt) and await self._may_go_out(write, effect, failure):
                self._publish(effect)
        if not write.done.done():
            write.done.set_result(failure is None)

    async def _may_go_out(self, write: Write, prompt: PublishPrompt, failure: str | None) -> bool:
        """Whether a crash could not send it again: it is journaled, or noted where a full disk has room.

        What a person taps goes out in any case: the score will not cue it again.
        """
        if failure is None or write.session_id is None:
            return True
        noted = await self._journal.note_prompt(write.session_id, prompt.prompt_id)
        if not noted and prompt.by_score:
            self._health(f"{failure}; prompt {prompt.prompt!r} is held back: it could go out twice")
        return noted or not prompt.by_score

    async def _store(self, write: Write) -> list[str | None]:
        """Store records, notes and, with the last of what waits, a checkpoint; return what failed."""
        checkpoint = None if self._waiting else ("room", json.dumps(self._checkpoint()))
        failures = []
        if write.records:  # with the checkpoint in one commit: a flush for it alone would double the work
            failures.append(await self._tried(self._journal.append(write.records, checkpoint)))
        elif checkpoint is not None:
            failures.append(await self._tried(self._journal.save_checkpoint(*checkpoint)))
        for effect in write.effects:
            if isinstance(effect, StoreNote) and write.session_id is not None:
                note = StoredNote(effect.note_id, write.session_id, write.at_ms, effect.chip, effect.text)
                failures.append(await self._tried(self._journal.add_note(note)))
        return failures

    async def _tried(self, call: Awaitable[None]) -> str | None:
        """Carry out one journal call; what it failed with, in one line, or None."""
        try:
            await call
        except JournalError as error:
            return str(error)
        return None
