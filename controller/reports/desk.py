"""The report desk: takes a session out of its room's journal and hands it over as a paper or a table.

It only reads, and is slow: the daemon lets a process of its own do it (``own_process``). Free text of notes
leaves it in a timeline that was asked for with notes, and in nothing else.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import tzinfo
from typing import Final, Protocol

from controller.core.records import FaultCleared, FaultRaised, Record, SessionStarted
from controller.errors import UserError
from controller.ports import SessionSummary, StoredNote
from controller.reports.account import Account
from controller.reports.drawing import account_svg
from controller.reports.papers import pdf_of, setting_html, timeline_html
from controller.reports.patterns import Lived, Patterns, patterns_of
from controller.reports.room_card import RoomCard
from controller.reports.tables import csv_of, json_of, parquet_of, rows_of
from controller.reports.working_out import account_of

OUTSIDE: Final = ""
"""The journal's key for what happened outside any session."""
MEDIA: Final[Mapping[str, str]] = {
    "html": "text/html; charset=utf-8",
    "pdf": "application/pdf",
    "svg": "image/svg+xml",
    "json": "application/json",
    "csv": "text/csv; charset=utf-8",
    "parquet": "application/vnd.apache.parquet",
}
"""What a report can be, by the ending of its file's name."""


class SessionBook(Protocol):
    """What it needs of a journal."""

    def sessions(self) -> tuple[SessionSummary, ...]:
        """All sessions, newest first."""
        ...

    def records(self, session_id: str) -> tuple[Record, ...]:
        """One session's records in order."""
        ...

    def notes(self, session_id: str) -> tuple[StoredNote, ...]:
        """One session's free-text notes."""
        ...


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which report: its form (an ending of ``MEDIA``), the setting or the timeline, with notes or not."""

    form: str
    setting: bool = False
    with_notes: bool = False


@dataclass(frozen=True, slots=True)
class Report:
    """A finished report."""

    content: bytes
    media_type: str
    file_name: str


@dataclass(frozen=True, slots=True)
class ReportDesk:
    """Every room's reports."""

    books: Mapping[str, SessionBook]
    cards: Mapping[str, RoomCard] = field(default_factory=dict)
    zone: tzinfo | None = None

    def account(self, room: str, session: str) -> Account:
        """Return a session worked out.

        Raises:
            UserError: there is no such room or session.
            JournalError: the journal cannot be read.
        """
        records = self._records(room, session)
        outside = self.books[room].records(OUTSIDE)
        standing = [record for record in outside if isinstance(record.body, FaultRaised | FaultCleared)]
        return account_of(room, records, (r for r in standing if r.at_ms <= records[0].at_ms))

    def patterns(self, since_ms: int = 0) -> Patterns:
        """Return every room's sessions side by side, of those that began since a time (Unix ms).

        Raises:
            JournalError: a journal cannot be read.
        """
        lived = []
        for room, book in self.books.items():
            for line in book.sessions():
                records = book.records(line.session_id) if line.started_at_ms >= since_ms else ()
                # What was damaged has lost its start: it cannot be told.
                if any(isinstance(record.body, SessionStarted) for record in records[:1]):
                    lived.append(Lived(account_of(room, records), records))
        return patterns_of(lived, self.zone)

    def report(self, room: str, session: str, wanted: Wanted) -> Report:
        """Return a session's report.

        Raises:
            UserError: there is no such session, or no such form.
            JournalError: the journal cannot be read.
        """
        if wanted.form not in MEDIA:
            raise UserError(f"no report in the form {wanted.form!r} (known: {', '.join(MEDIA)})")
        return finished(self._content(room, session, wanted), session, wanted)

    def _content(self, room: str, session: str, wanted: Wanted) -> bytes:
        match wanted.form:
            case "json":
                return json_of(self._records(room, session))
            case "csv":
                return csv_of(rows_of(room, session, self._records(room, session)))
            case "parquet":
                return parquet_of(rows_of(room, session, self._records(room, session)))
            case "svg":
                return account_svg(self.account(room, session)).encode()
            case _:
                html = self._paper(room, session, wanted)
                return pdf_of(html) if wanted.form == "pdf" else html.encode()

    def _paper(self, room: str, session: str, wanted: Wanted) -> str:
        account = self.account(room, session)
        if wanted.setting:
            return setting_html(account, self.cards.get(room, RoomCard()), self.zone)
        notes: dict[str, str] = {}
        if wanted.with_notes:
            kept = self.books[room].notes(session)
            notes = {note.note_id: note.text for note in kept}
        return timeline_html(account, self.zone, notes)

    def _records(self, room: str, session: str) -> tuple[Record, ...]:
        if room not in self.books:
            raise UserError(f"no room {room!r}")
        records = self.books[room].records(session) if session != OUTSIDE else ()
        if not records:
            raise UserError(f"room {room!r} has no session {session!r}")
        return records


def finished(content: bytes, session: str, wanted: Wanted) -> Report:
    """Return a report's content with its type and a file's name for it."""
    paper = wanted.form in {"html", "pdf", "svg"}
    kind = "records" if not paper else "setting" if wanted.setting else "timeline"
    return Report(content, MEDIA[wanted.form], f"{kind}-{session[:8]}.{wanted.form}")
