"""A room's journal, open for reading alone: what reports and the archive read from, daemon or not."""

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from controller.core.records import Record
from controller.errors import UserError
from controller.journal import journal_path
from controller.journal_store import (
    connect_for_reading,
    read_notes,
    read_records,
    read_sessions,
    told_plainly,
)
from controller.ports import SessionSummary, StoredNote

LEAST_LETTERS: Final = 4


@dataclass(frozen=True, slots=True)
class JournalBook:
    """One room's journal file. Each call opens it afresh and holds nothing of the daemon's up."""

    path: Path

    def sessions(self) -> tuple[SessionSummary, ...]:
        """All sessions, newest first.

        Raises:
            JournalError: the journal cannot be read.
        """
        with closing(connect_for_reading(self.path)) as found, told_plainly(self.path, "cannot be read"):
            return read_sessions(found)

    def records(self, session_id: str) -> tuple[Record, ...]:
        """One session's records in order.

        Raises:
            JournalError: the journal cannot be read.
        """
        with closing(connect_for_reading(self.path)) as found, told_plainly(self.path, "cannot be read"):
            return read_records(found, session_id)

    def notes(self, session_id: str) -> tuple[StoredNote, ...]:
        """One session's free-text notes, oldest first.

        Raises:
            JournalError: the journal cannot be read.
        """
        with closing(connect_for_reading(self.path)) as found, told_plainly(self.path, "cannot be read"):
            return read_notes(found, session_id)


def books_in(data: Path, room: str | None = None) -> Mapping[str, JournalBook]:
    """Return every room's journal in a data folder, or one room's.

    Raises:
        UserError: there is none.
    """
    if room is not None:
        path = journal_path(data, room)
        if not path.is_file():
            raise UserError(f"{data}: room {room!r} has no journal here")
        return {room: JournalBook(path)}
    sample = journal_path(data, "any")
    found = sorted(sample.parent.glob(f"*{sample.suffix}"))
    return {path.stem: JournalBook(path) for path in found}


def find_session(books: Mapping[str, JournalBook], session: str, data: Path) -> tuple[str, str]:
    """Return a session's room and id; ``last`` is the newest, and a few first letters of an id are enough.

    Raises:
        UserError: there is no such session, or more than one begins so.
        JournalError: a journal cannot be read.
    """
    known = [(line, room) for room, book in books.items() for line in book.sessions()]
    if session == "last" and known:
        newest, room = max(known, key=lambda found: found[0].started_at_ms)
        return room, newest.session_id
    found = [(room, line.session_id) for line, room in known if line.session_id == session]
    if not found and len(session) >= LEAST_LETTERS:
        found = [(room, line.session_id) for line, room in known if line.session_id.startswith(session)]
    if len(found) == 1:
        return found[0]
    more = "more than one session begins with" if found else "there is no session"
    raise UserError(f"{data}: {more} {session!r} in the journal")
