"""Retention: a session deleted on request or after the site's period, and gone from journal and notes.

What is deleted is overwritten in the file (SQLite's secure_delete) and its log folded in. A session that has
not ended is never touched. The id alone is kept, in a list, so that an archive deletes it too.
"""

import sqlite3
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from controller.errors import UserError
from controller.journal_store import connect_for_reading, open_session_id, read_sessions, told_plainly
from controller.ports import SessionSummary

MS_PER_DAY: Final = 86_400_000
PATIENCE_S: Final = 10.0
"""How long to wait for the daemon's own writing."""


@dataclass(frozen=True, slots=True)
class Deleted:
    """What a deletion did: the session, its records and notes, and files that may still hold it."""

    session_id: str
    records: int
    notes: int
    damaged_files: tuple[Path, ...]


def sessions_older_than(path: Path, days: int, now_ms: int) -> tuple[SessionSummary, ...]:
    """Return the sessions that began longer ago than that and are over.

    Raises:
        JournalError: the journal cannot be read.
    """
    with closing(connect_for_reading(path)) as found, told_plainly(path, "cannot read the journal"):
        still_open = open_session_id(found)
        old = [line for line in read_sessions(found) if line.started_at_ms < now_ms - days * MS_PER_DAY]
        return tuple(line for line in old if line.session_id != still_open)


def delete_session(path: Path, session_id: str) -> Deleted:
    """Delete one session, its records and notes from a room's journal.

    Raises:
        UserError: there is no such session, or it has not ended.
        JournalError: the journal cannot be written; nothing was deleted.
    """
    with (
        told_plainly(path, "cannot delete from the journal"),
        closing(sqlite3.connect(path, timeout=PATIENCE_S, isolation_level=None)) as journal,
    ):
        journal.execute("PRAGMA secure_delete = ON")
        journal.execute("BEGIN IMMEDIATE")
        try:
            was_open = _check(journal, path, session_id)
            # First: after a crash in between, the archive is asked to delete what is still here, and the
            # deletion is asked for once more.
            _remember(path, session_id)
            records, notes, _ = (
                journal.execute(f"DELETE FROM {table} WHERE session_id = ?", (session_id,)).rowcount  # noqa: S608 - our own names
                for table in ("records", "notes", "sessions")
            )
            if open_session_id(journal) != was_open:
                # An older one without an end was left by this one's start: it must not come to life again.
                journal.execute("UPDATE sessions SET ended_at_ms = started_at_ms WHERE ended_at_ms IS NULL")
            journal.execute("COMMIT")
        except BaseException:
            if journal.in_transaction:
                journal.execute("ROLLBACK")
            raise
        # The deleted rows may still stand in the log: fold it in and empty it.
        journal.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    damaged = sorted(path.parent.glob(f"{path.name}.damaged-*"))
    return Deleted(session_id, records, notes, tuple(damaged))


def _check(journal: sqlite3.Connection, path: Path, session_id: str) -> str | None:
    """Return the open session, if there is one, once it is sure that this one may go."""
    known = {line.session_id for line in read_sessions(journal)}
    if session_id not in known:
        raise UserError(f"{path}: there is no session {session_id!r}")
    still_open = open_session_id(journal)
    if still_open == session_id:
        raise UserError(f"{path}: session {session_id} has not ended; end it first")
    return still_open


def deleted_sessions(path: Path) -> frozenset[str]:
    """Return the ids of sessions that were deleted from a room's journal."""
    listed = _list_of(path)
    return frozenset(listed.read_text(encoding="utf-8").split()) if listed.exists() else frozenset()


def delete_damaged(files: Iterable[Path], older_than_ms: int) -> tuple[Path, ...]:
    """Delete damaged journals that were set aside before a time: nobody can take one session out of them."""
    gone = []
    for file in files:
        if file.stat().st_mtime * 1000 < older_than_ms:
            file.unlink(missing_ok=True)
            gone.append(file)
    return tuple(gone)


def _list_of(path: Path) -> Path:
    return path.with_suffix(".deleted")


def _remember(path: Path, session_id: str) -> None:
    listed = _list_of(path)
    listed.touch(mode=0o600, exist_ok=True)
    with listed.open("a", encoding="utf-8") as file:
        file.write(f"{session_id}\n")
