"""One room's journal on the event loop: an ``append`` returns when its records are on the disk.

A writer on one of the rooms' shared threads gathers what has come in since its last commit into one
transaction (group commit), so that many commands cost one flush. What cannot be written now (a full disk) is
kept in memory, in order, and goes first as soon as there is room: the file is always a true beginning of what
happened. It never holds up the room: a failed append raises ``JournalError`` and the session goes on.
"""

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Final, TypeAlias, TypeVar

from controller.core.records import Record
from controller.errors import JournalError
from controller.journal_repair import repair_journal
from controller.journal_store import (
    AddNote,
    DamagedJournalError,
    SaveCheckpoint,
    Write,
    connect_for_reading,
    connect_for_writing,
    find_gap,
    open_session_id,
    prepare_record,
    read_checkpoint,
    read_command_ids,
    read_last_at_ms,
    read_newest_session,
    read_notes,
    read_records,
    read_sessions,
    told_plainly,
    write_all,
)
from controller.journal_threads import SHARED
from controller.ports import SessionSummary, StoredNote
from controller.prompt_ledger import PromptLedger

MAX_GROUP: Final = 256
"""Jobs gathered into one commit."""
MAX_KEPT: Final = 50_000
"""Writes kept in memory while the disk is full; an 8 h session has a few thousand."""

HealthListener: TypeAlias = Callable[[str | None], None]
T = TypeVar("T")


def journal_path(data_dir: Path, room: str) -> Path:
    """Return where a room's journal lies. ``room`` is an id that was checked when the site was read."""
    return data_dir / "journal" / f"{room}.sqlite3"


@dataclass(frozen=True, slots=True)
class _Job:
    """Some writes, and whom to tell."""

    records: tuple[Record, ...]
    others: tuple[AddNote | SaveCheckpoint, ...]
    done: Callable[[JournalError | None], None]


class _Writer:
    """Everything the writing owns: the connection, and what is still to be written. One thread at a time."""

    def __init__(self, path: Path, health: HealthListener) -> None:
        self._path = path
        self._health = health
        self._connection: sqlite3.Connection | None = None
        self._kept: list[Write] = []
        self._fault: str | None = None
        self._notice: str | None = None

    def open(self) -> None:
        """Open the file, or repair it, or say why neither works; the next write tries again."""
        try:
            self._connect()
        except JournalError as error:
            self._say(str(error))

    def _connect(self) -> sqlite3.Connection:
        if self._connection is None:
            try:
                self._connection = connect_for_writing(self._path)
            except DamagedJournalError as error:
                self._repair(str(error))
                self._connection = connect_for_writing(self._path)
        return self._connection

    def _repair(self, reason: str) -> None:
        self.close()
        self._notice = str(repair_journal(self._path, reason))
        self._say(self._notice)

    def close(self) -> None:
        """Let go of the file. SQLite folds its log into it."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def commit(self, jobs: Sequence[_Job]) -> None:
        """Write what is still kept and then these jobs, in one transaction; tell each how it went."""
        accepted: list[_Job] = []
        fleeting: list[Write] = []
        for job in jobs:
            try:
                writes: list[Write] = [prepare_record(record) for record in job.records]
            except JournalError as error:
                job.done(error)
                continue
            writes.extend(other for other in job.others if isinstance(other, AddNote))
            fleeting.extend(other for other in job.others if isinstance(other, SaveCheckpoint))
            if len(self._kept) + len(writes) > MAX_KEPT:
                job.done(
                    JournalError(f"{self._path}: too much is waiting for room on the disk; this is lost")
                )
                continue
            self._kept.extend(writes)
            accepted.append(job)
        if not self._kept and not fleeting:
            return
        failure = self._write([*self._kept, *fleeting])
        if failure is None:
            self._kept.clear()
        self._say(self._notice if failure is None else str(failure))
        for job in accepted:
            job.done(failure)

    def _write(self, writes: Sequence[Write]) -> JournalError | None:
        try:
            try:
                self._write_once(writes)
            except DamagedJournalError as error:
                self._repair(str(error))
                self._write_once(writes)
        except JournalError as error:
            # A file that came back after an input/output error wants to be opened afresh.
            self.close()
            return error
        return None

    def _write_once(self, writes: Sequence[Write]) -> None:
        connection = self._connect()
        with told_plainly(self._path, "cannot write the journal"):
            write_all(connection, writes)

    def _say(self, fault: str | None) -> None:
        if fault != self._fault:
            self._fault = fault
            self._health(fault)


class SqliteJournal:
    """The journal of one room (``controller.ports.Journal``). Make it with ``open_journal``."""

    def __init__(self, path: Path, loop: asyncio.AbstractEventLoop, on_health: HealthListener | None) -> None:
        self.path = path
        self.fault: str | None = None
        """What is not well with the journal, or what had to be repaired at this start; else None."""
        self._loop = loop
        self._on_health = on_health
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._opened = loop.create_future()
        self._ended = loop.create_future()
        self._closed = False
        self._writer = _Writer(path, lambda fault: self._hand_over(lambda: self._set_health(fault)))
        self._ledger = PromptLedger(path.with_suffix(".prompts"))
        self._busy = True
        SHARED.submit(self._open)

    # ------------------------------------------------------------ on a writer thread, one at a time

    def _open(self) -> None:
        self._ledger.prepare()
        self._writer.open()
        self._hand_over(lambda: _settle(self._opened, None))
        self._hand_over(self._go_on)

    def _write_what_waits(self) -> None:
        jobs, ending = self._gather()
        try:
            self._writer.commit(jobs)
        except Exception as error:  # noqa: BLE001 - an append that is never told would wait for ever
            failure = JournalError(f"{self.path}: cannot write the journal: {error!r}")
            for job in jobs:
                job.done(failure)
        if ending:
            self._writer.close()
            self._hand_over(lambda: _settle(self._ended, None))
        else:
            self._hand_over(self._go_on)

    def _gather(self) -> tuple[list[_Job], bool]:
        """Return all jobs that have come, and whether the end was asked for."""
        jobs: list[_Job] = []
        with suppress(Empty):
            while len(jobs) < MAX_GROUP:
                item = self._jobs.get_nowait()
                if item is None:
                    return jobs, True
                jobs.append(item)
        return jobs, False

    def _hand_over(self, call: Callable[[], None]) -> None:
        with suppress(RuntimeError):  # the loop has ended: nobody is left to be told
            self._loop.call_soon_threadsafe(call)

    def _set_health(self, fault: str | None) -> None:
        self.fault = fault
        if self._on_health is not None:
            self._on_health(fault)

    # ------------------------------------------------------------ the event loop

    def _go_on(self) -> None:
        """The thread is done with what it was given. What has come meanwhile is next."""
        self._busy = not self._jobs.empty()
        if self._busy:
            SHARED.submit(self._write_what_waits)

    def _put(self, job: _Job | None) -> None:
        self._jobs.put(job)
        if not self._busy:
            self._go_on()

    async def opened(self) -> None:
        """Wait until the file has been opened and checked (or could not be: see ``fault``)."""
        await asyncio.shield(self._opened)

    async def _submit(
        self, records: tuple[Record, ...] = (), others: tuple[AddNote | SaveCheckpoint, ...] = ()
    ) -> None:
        if self._closed:
            raise JournalError(f"{self.path}: the journal is closed")
        told: asyncio.Future[JournalError | None] = self._loop.create_future()
        self._put(_Job(records, others, lambda error: self._hand_over(lambda: _settle(told, error))))
        failure = await told
        if failure is not None:
            raise failure

    async def append(self, records: Sequence[Record], checkpoint: tuple[str, str] | None = None) -> None:
        """Store records durably, in order. They are stored even if the caller is cancelled meanwhile.

        ``checkpoint`` (name, JSON text) goes into the same commit; see ``save_checkpoint``.

        Raises:
            JournalError: they are not on the disk; if they ever can be, they are kept and go first later.
        """
        if records:
            await self._submit(tuple(records), () if checkpoint is None else (SaveCheckpoint(*checkpoint),))

    async def add_note(self, note: StoredNote) -> None:
        """Store a note's free text in its own table; the same ``note_id`` again changes nothing.

        Raises:
            JournalError: it is not on the disk; it is kept and goes first later.
        """
        await self._submit(others=(AddNote(note),))

    async def save_checkpoint(self, name: str, json: str) -> None:
        """Replace the JSON text kept under ``name`` (lamps' last levels, the player's position).

        Raises:
            JournalError: it is not on the disk; it is not kept, the next one replaces it anyway.
        """
        await self._submit(others=(SaveCheckpoint(name, json),))

    async def records(self, session_id: str) -> tuple[Record, ...]:
        """Return one session's records in order.

        Raises:
            JournalError: the journal, or a record of the session, cannot be read.
        """
        return await self._read(lambda connection: read_records(connection, session_id))

    async def open_session(self) -> tuple[Record, ...]:
        """Return the records of the session that has not ended, or an empty tuple.

        Raises:
            JournalError: the journal cannot be read.
        """
        return await self._read(_read_open_session)

    async def sessions(self) -> tuple[SessionSummary, ...]:
        """Return all sessions, newest first.

        Raises:
            JournalError: the journal cannot be read.
        """
        return await self._read(read_sessions)

    async def notes(self, session_id: str) -> tuple[StoredNote, ...]:
        """Return one session's free-text notes, oldest first.

        Raises:
            JournalError: the journal cannot be read.
        """
        return await self._read(lambda connection: read_notes(connection, session_id))

    async def load_checkpoint(self, name: str) -> str | None:
        """Return the JSON text last saved under ``name``, or None.

        Raises:
            JournalError: the journal cannot be read.
        """
        return await self._read(lambda connection: read_checkpoint(connection, name))

    async def command_ids(self) -> tuple[str, ...]:
        """Return the newest commands' ids, the newest first.

        Raises:
            JournalError: the journal cannot be read.
        """
        return await self._read(read_command_ids)

    async def newest_session(self) -> tuple[Record, ...]:
        """Return the newest session's records, ended or not, and those since that belong to none.

        Raises:
            JournalError: the journal, or one of these records, cannot be read.
        """
        return await self._read(read_newest_session)

    async def note_prompt(self, session_id: str, prompt_id: str) -> bool:
        """Note that a prompt goes out whose record could not be written; False if not even that can be."""
        return await self._loop.run_in_executor(None, self._ledger.note, session_id, prompt_id)

    async def noted_prompts(self, session_id: str) -> tuple[str, ...]:
        """Return the prompts of a session that went out without their records being written at the time."""
        return await self._loop.run_in_executor(None, self._ledger.noted, session_id)

    async def last_at_ms(self) -> int:
        """Return the room time of the newest record, or 0: where a new count must not start before.

        Raises:
            JournalError: the journal cannot be read.
        """
        return await self._read(read_last_at_ms)

    async def missing_after(self, session_id: str) -> int | None:
        """Return the first record whose forerunner is missing or altered; None if all are there.

        Raises:
            JournalError: the journal cannot be read.
        """
        return await self._read(lambda connection: find_gap(connection, session_id))

    async def _read(self, read: Callable[[sqlite3.Connection], T]) -> T:
        def read_afresh() -> T:
            with (
                told_plainly(self.path, "cannot read the journal"),
                closing(connect_for_reading(self.path)) as connection,
            ):
                return read(connection)

        if self._closed:
            raise JournalError(f"{self.path}: the journal is closed")
        await self.opened()
        return await self._loop.run_in_executor(None, read_afresh)

    async def close(self) -> None:
        """Write out what was given, and close the file. A second call does nothing."""
        if not self._closed:
            self._closed = True
            self._put(None)
        await asyncio.shield(self._ended)


async def open_journal(path: Path, on_health: HealthListener | None = None) -> SqliteJournal:
    """Open (or make, or repair) the journal at ``path``. It never fails: read ``fault`` afterwards.

    ``on_health`` is called on the loop: with one line when the journal is not well, with None when it is.
    """
    journal = SqliteJournal(path, asyncio.get_running_loop(), on_health)
    await journal.opened()
    return journal


def _read_open_session(connection: sqlite3.Connection) -> tuple[Record, ...]:
    session_id = open_session_id(connection)
    return () if session_id is None else read_records(connection, session_id)


def _settle(future: "asyncio.Future[T]", value: T) -> None:
    if not future.done():
        future.set_result(value)
