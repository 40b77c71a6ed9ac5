"""The archive: every room's sessions in one PostgreSQL database, fed from the rooms' journals.

It reads journals and never writes them; it runs in a process of its own, so that no room waits for it. What
it missed while the database was away it catches up on, in order, each record once. It carries no note's text.
A session that was deleted from a journal is deleted from the archive.
"""

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

from controller.errors import StillroomError, UserError
from controller.journal_store import connect_for_reading, read_sessions, told_plainly
from controller.ports import SessionSummary
from controller.retention import deleted_sessions

BATCH: Final = 500
"""Records sent in one transaction."""
CONNECT_TIMEOUT_S: Final = 5

_NEW_ROWS: Final = (
    "SELECT seq, session_id, at_ms, kind, record, hash FROM records WHERE seq > ? ORDER BY seq LIMIT ?"
)
_TABLES: Final = sa.MetaData()
SESSIONS: Final = sa.Table(
    "stillroom_sessions",
    _TABLES,
    sa.Column("site", sa.Text, primary_key=True),
    sa.Column("session_id", sa.Text, primary_key=True),
    sa.Column("room", sa.Text, nullable=False),
    sa.Column("profile_id", sa.Text, nullable=False),
    sa.Column("title", sa.Text, nullable=False),
    sa.Column("unreviewed", sa.Boolean, nullable=False),
    sa.Column("started_at_ms", sa.BigInteger, nullable=False),
    sa.Column("ended_at_ms", sa.BigInteger),
)
RECORDS: Final = sa.Table(
    "stillroom_records",
    _TABLES,
    sa.Column("site", sa.Text, primary_key=True),
    sa.Column("room", sa.Text, primary_key=True),
    sa.Column("session_id", sa.Text, primary_key=True),
    # A record's place in its session's chain: the same row again is the same record.
    sa.Column("hash", sa.LargeBinary, primary_key=True),
    sa.Column("number", sa.BigInteger, nullable=False),
    sa.Column("at_ms", sa.BigInteger, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("record", sa.Text, nullable=False),
)


class ArchiveError(StillroomError):
    """The database is away or refuses; what was not sent is sent later."""


@dataclass(frozen=True, slots=True)
class Sent:
    """What one round brought to the archive."""

    records: int
    deleted: int


@dataclass(slots=True)
class Archive:
    """One site's archive. ``cursors`` is a folder for how far each room has come; lost, all is sent again."""

    url: str
    site: str
    cursors: Path
    _engine: sa.Engine | None = field(default=None, init=False)

    def feed(self, journals: Mapping[str, Path]) -> Sent:
        """Bring every room's new records over, and take out what was deleted.

        Raises:
            ArchiveError: the database is away; what was sent before stays sent.
            UserError: the address is none of a database we know.
            JournalError: a journal cannot be read.
        """
        records = deleted = 0
        with self._told(), self._connected().begin() as first:
            _TABLES.create_all(first)
        for room, path in journals.items():
            records += self._feed_room(room, path)
            deleted += self._take_out(room, path)
        return Sent(records, deleted)

    def close(self) -> None:
        """Let go of the database."""
        if self._engine is not None:
            self._engine.dispose()
            self._engine = None

    def _connected(self) -> sa.Engine:
        if self._engine is None:
            try:
                self._engine = sa.create_engine(
                    self.url, pool_size=1, pool_pre_ping=True, connect_args=_patience(self.url)
                )
            except (ArgumentError, NoSuchModuleError, ImportError) as error:
                # The address may carry a password: it is never said.
                raise UserError(f"the archive's address cannot be used: {type(error).__name__}") from None
        return self._engine

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except SQLAlchemyError as error:
            cause = " ".join(str(getattr(error, "orig", None) or type(error).__name__).split())
            raise ArchiveError(f"the archive is away: {cause[:200]}") from None

    def _feed_room(self, room: str, path: Path) -> int:
        sent = 0
        with closing(connect_for_reading(path)) as journal, told_plainly(path, "cannot read the journal"):
            known = read_sessions(journal)
            done = _still_there(journal, self._cursor(room))
            while rows := journal.execute(_NEW_ROWS, (done[0], BATCH)).fetchall():
                with self._told(), self._connected().begin() as connection:
                    self._send(connection, room, rows)
                done = (int(rows[-1][0]), bytes(rows[-1][5]).hex())
                self._save_cursor(room, done)
                sent += len(rows)
        gone = deleted_sessions(path)
        self._name_sessions(room, [line for line in known if line.session_id not in gone])
        return sent

    def _name_sessions(self, room: str, known: Sequence[SessionSummary]) -> None:
        if not known:
            return
        lines = [{"site": self.site, "room": room, **asdict(line)} for line in known]
        statement = insert(SESSIONS).values(lines)
        ended = statement.on_conflict_do_update(
            index_elements=["site", "session_id"], set_={"ended_at_ms": statement.excluded.ended_at_ms}
        )
        with self._told(), self._connected().begin() as connection:
            connection.execute(ended)

    def _send(self, connection: sa.Connection, room: str, rows: Sequence[tuple[object, ...]]) -> None:
        names = ("number", "session_id", "at_ms", "kind", "record", "hash")
        values = [{"site": self.site, "room": room, **dict(zip(names, row, strict=True))} for row in rows]
        connection.execute(insert(RECORDS).values(values).on_conflict_do_nothing())

    def _take_out(self, room: str, path: Path) -> int:
        gone, count = deleted_sessions(path), 0
        if not gone:
            return 0
        with self._told(), self._connected().begin() as connection:
            for table in (RECORDS, SESSIONS):
                found = connection.execute(
                    sa.delete(table).where(
                        table.c.site == self.site, table.c.room == room, table.c.session_id.in_(sorted(gone))
                    )
                )
                count += found.rowcount if table is SESSIONS else 0
        return count

    # ------------------------------------------------------------ how far a room has come

    def _cursor(self, room: str) -> tuple[int, str]:
        try:
            kept = json.loads((self.cursors / f"{room}.json").read_text(encoding="utf-8"))
            return int(kept["number"]), str(kept["hash"])
        except (OSError, ValueError, KeyError, TypeError):
            return 0, ""

    def _save_cursor(self, room: str, done: tuple[int, str]) -> None:
        self.cursors.mkdir(parents=True, exist_ok=True)
        new = self.cursors / f"{room}.json-new"
        new.write_text(json.dumps({"number": done[0], "hash": done[1]}), encoding="utf-8")
        new.replace(self.cursors / f"{room}.json")


def _still_there(journal: sqlite3.Connection, done: tuple[int, str]) -> tuple[int, str]:
    """Return the cursor, or the beginning if the journal is another than it was (repaired, brought back)."""
    last = journal.execute("SELECT max(seq) FROM records").fetchone()[0] or 0
    found = journal.execute("SELECT hash FROM records WHERE seq = ?", (done[0],)).fetchone()
    same = found is not None and bytes(found[0]).hex() == done[1]
    deleted = found is None and last >= done[0]
    return done if same or deleted else (0, "")


def _patience(url: str) -> dict[str, object]:
    return {"connect_timeout": CONNECT_TIMEOUT_S} if url.startswith("postgresql") else {}


def read_url(file: Path) -> str:
    """Return the database's address from a file that only its owner can read.

    Raises:
        UserError: it is not there, is empty, or others can read it.
    """
    try:
        text, mode = file.read_text(encoding="utf-8").strip(), file.stat().st_mode
    except OSError as error:
        raise UserError(f"{file}: cannot be read: {error.strerror or error}") from None
    if mode & 0o077:
        raise UserError(f"{file}: holds a password and can be read by others (chmod 600)")
    if not text:
        raise UserError(f"{file}: is empty; expected postgresql+psycopg://USER:PASSWORD@HOST/DATABASE")
    return text
