"""One room's journal as a SQLite file: rows, schema, migrations, the chain of hashes.

It is used by one thread at a time and knows nothing of asyncio (``controller/journal.py`` does). It never
changes or deletes a record: rows are only added, and a damaged file is set aside, never overwritten.
"""

import hashlib
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias
from urllib.parse import quote

from controller.core.records import CommandUndone, Record, SessionEnded, SessionStarted
from controller.errors import JournalError
from controller.ports import SessionSummary, StoredNote
from controller.record_codec import decode_record, encode_record

IDS_FROM: Final = 4_000
"""How many records back command ids are looked for: some hours of a busy session."""
BUSY_TIMEOUT_S: Final = 2.0
"""How long to wait for another program (a backup) that holds the file."""

MIGRATIONS: Final[tuple[str, ...]] = (
    """
    CREATE TABLE records (
        seq INTEGER PRIMARY KEY AUTOINCREMENT,  -- so that a repair knows how many there were
        session_id TEXT NOT NULL,      -- '' for what happened outside any session
        at_ms INTEGER NOT NULL,
        kind TEXT NOT NULL,
        record TEXT NOT NULL,          -- JSON, controller/record_codec.py
        previous BLOB NOT NULL,        -- the hash of the session's record before this one
        hash BLOB NOT NULL             -- SHA-256 of previous and record
    ) STRICT;
    CREATE INDEX records_by_session ON records (session_id, seq);
    CREATE TABLE sessions (
        session_id TEXT PRIMARY KEY,
        profile_id TEXT NOT NULL,
        title TEXT NOT NULL,
        unreviewed INTEGER NOT NULL,
        started_at_ms INTEGER NOT NULL,
        ended_at_ms INTEGER,
        ended_by TEXT                  -- the command that ended it, so that its undo can open it again
    ) STRICT;
    CREATE TABLE notes (
        note_id TEXT PRIMARY KEY,
        session_id TEXT NOT NULL,
        at_ms INTEGER NOT NULL,
        chip TEXT NOT NULL,
        text TEXT NOT NULL
    ) STRICT;
    CREATE INDEX notes_by_session ON notes (session_id, at_ms);
    CREATE TABLE checkpoints (name TEXT PRIMARY KEY, json TEXT NOT NULL) STRICT;
    """,
)
"""Schema changes in order; the file's ``user_version`` says how many it has had."""


@dataclass(frozen=True, slots=True)
class AddRecord:
    """Add one record, encoded; ``record`` is kept for the tables derived from it."""

    record: Record
    text: str


@dataclass(frozen=True, slots=True)
class AddNote:
    """Add a note's free text; a note that is there already stays as it is."""

    note: StoredNote


@dataclass(frozen=True, slots=True)
class SaveCheckpoint:
    """Replace a small JSON text by name."""

    name: str
    json: str


Write: TypeAlias = AddRecord | AddNote | SaveCheckpoint


def prepare_record(record: Record) -> AddRecord:
    """Return the write that adds a record, proved to be readable again.

    Raises:
        JournalError: it holds a value that cannot be written or read.
    """
    text = encode_record(record)
    decode_record(text)
    return AddRecord(record, text)


def chain_hash(previous: bytes, text: str) -> bytes:
    """Return a row's hash: SHA-256 of the one before it and its own text."""
    return hashlib.sha256(previous + text.encode()).digest()


def session_key(record: Record) -> str:
    """Return the session a record belongs to, or an empty string."""
    if record.session_id is None and isinstance(record.body, SessionStarted):
        return record.body.session_id
    return record.session_id or ""


class DamagedJournalError(JournalError):
    """The file is not a journal any more, or parts of it cannot be read."""


_DAMAGE_CODES: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})


@contextmanager
def told_plainly(path: Path, doing: str) -> Iterator[None]:
    """Turn SQLite's errors into ours, with the file and what was being done."""
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        kind = DamagedJournalError if code in _DAMAGE_CODES else JournalError
        raise kind(f"{path}: {doing}: {error}") from error
    except OSError as error:
        raise JournalError(f"{path}: {doing}: {error.strerror or error}") from error


def connect_for_writing(path: Path) -> sqlite3.Connection:
    """Open or create the file, readable by its owner alone, check it through and bring it up to date.

    Raises:
        DamagedJournalError: SQLite finds it damaged.
        JournalError: it cannot be opened, or a newer Stillroom wrote it.
    """
    with told_plainly(path, "cannot open the journal"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600, exist_ok=True)
        connection = sqlite3.connect(
            path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
        )
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            # FULL: an acknowledged record has reached the disk, not only the system's cache.
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA secure_delete = ON")
            connection.execute("PRAGMA trusted_schema = OFF")
            _check(path, connection)
            _migrate(path, connection)
            check_open_session(connection)
        except BaseException:
            connection.close()
            raise
    return connection


def _check(path: Path, connection: sqlite3.Connection) -> None:
    (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if verdict != "ok":
        raise DamagedJournalError(f"{path}: the journal is damaged: {' '.join(str(verdict).split())}")


def _migrate(path: Path, connection: sqlite3.Connection) -> None:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > len(MIGRATIONS):
        raise JournalError(
            f"{path}: a newer Stillroom wrote this journal (its version is {version}, ours {len(MIGRATIONS)})"
        )
    for number, script in enumerate(MIGRATIONS[version:], start=version + 1):
        connection.executescript(f"BEGIN IMMEDIATE; {script} PRAGMA user_version = {number:d}; COMMIT;")


def connect_for_reading(path: Path) -> sqlite3.Connection:
    """Open an existing journal without being able to change it.

    Raises:
        JournalError: it cannot be opened.
    """
    with told_plainly(path, "cannot read the journal"):
        return sqlite3.connect(
            f"file:{quote(str(path))}?mode=ro", uri=True, timeout=BUSY_TIMEOUT_S, isolation_level=None
        )


def write_all(connection: sqlite3.Connection, writes: Iterable[Write]) -> None:
    """Carry out these writes in one transaction: all of them, or (on an error) none."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        tails: dict[str, bytes] = {}
        for write in writes:
            match write:
                case AddRecord():
                    _add_record(connection, write, tails)
                case AddNote(note):
                    connection.execute(
                        "INSERT OR IGNORE INTO notes VALUES (?, ?, ?, ?, ?)",
                        (note.note_id, note.session_id, note.at_ms, note.chip, note.text),
                    )
                case SaveCheckpoint(name, json):
                    connection.execute("INSERT OR REPLACE INTO checkpoints VALUES (?, ?)", (name, json))
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # a full disk may have rolled it back already
            connection.execute("ROLLBACK")
        raise


def _add_record(connection: sqlite3.Connection, write: AddRecord, tails: dict[str, bytes]) -> None:
    record, session = write.record, session_key(write.record)
    previous = tails.get(session)
    if previous is None:
        found = connection.execute(
            "SELECT hash FROM records WHERE session_id = ? ORDER BY seq DESC LIMIT 1", (session,)
        ).fetchone()
        previous = b"" if found is None else found[0]
    tails[session] = chain_hash(previous, write.text)
    connection.execute(
        "INSERT INTO records (session_id, at_ms, kind, record, previous, hash) VALUES (?, ?, ?, ?, ?, ?)",
        (session, record.at_ms, record.body.kind, write.text, previous, tails[session]),
    )
    note_session(connection, record)


def note_session(connection: sqlite3.Connection, record: Record) -> None:
    """Keep the table of sessions true after a record: begun, ended, or an end taken back."""
    match record.body:
        case SessionStarted(session_id=session_id, score=score):
            connection.execute(
                "INSERT OR IGNORE INTO sessions VALUES (?, ?, ?, ?, ?, NULL, NULL)",
                (session_id, score.profile_id, score.title, int(not score.reviewed), record.at_ms),
            )
        case SessionEnded():
            connection.execute(
                "UPDATE sessions SET ended_at_ms = ?, ended_by = ? WHERE session_id = ?",
                (record.at_ms, record.command_id, session_key(record)),
            )
        case CommandUndone(undone_command_id=undone):
            connection.execute(
                "UPDATE sessions SET ended_at_ms = NULL, ended_by = NULL"
                " WHERE session_id = ? AND ended_by = ?",
                (session_key(record), undone),
            )
        case _:
            pass


def read_records(connection: sqlite3.Connection, session_id: str) -> tuple[Record, ...]:
    """Return one session's records in order.

    Raises:
        DamagedJournalError: a row was altered since it was written, or cannot be read.
    """
    rows = connection.execute(
        "SELECT seq, record, previous, hash FROM records WHERE session_id = ? ORDER BY seq", (session_id,)
    )
    return tuple(trusted_record(*row) for row in rows)


def trusted_record(seq: int, text: object, previous: object, hashed: object) -> Record:
    """Return a row's record if the row is as it was written.

    Raises:
        DamagedJournalError: it is not.
    """
    if not (isinstance(text, str) and isinstance(previous, bytes)) or chain_hash(previous, text) != hashed:
        raise DamagedJournalError(f"journal record {seq} is not as it was written")
    try:
        return decode_record(text)
    except JournalError as error:
        raise DamagedJournalError(f"journal record {seq}: {error}") from error


def find_gap(connection: sqlite3.Connection, session_id: str) -> int | None:
    """Return the first record of a session that does not follow the one before it, or None: all are there."""
    expected = b""
    for seq, previous, hashed in connection.execute(
        "SELECT seq, previous, hash FROM records WHERE session_id = ? ORDER BY seq", (session_id,)
    ):
        if previous != expected:
            return int(seq)
        expected = hashed
    return None


def open_session_id(connection: sqlite3.Connection) -> str | None:
    """Return the newest session if it has not ended; an older one without an end was left by its start."""
    found = connection.execute(
        "SELECT session_id, ended_at_ms FROM sessions ORDER BY rowid DESC LIMIT 1"
    ).fetchone()
    return None if found is None or found[1] is not None else str(found[0])


def read_sessions(connection: sqlite3.Connection) -> tuple[SessionSummary, ...]:
    """Return all sessions, newest first."""
    rows = connection.execute(
        "SELECT session_id, profile_id, title, started_at_ms, ended_at_ms, unreviewed"
        " FROM sessions ORDER BY rowid DESC"
    )
    return tuple(
        SessionSummary(session_id, profile_id, title, started_at_ms, ended_at_ms, bool(unreviewed))
        for session_id, profile_id, title, started_at_ms, ended_at_ms, unreviewed in rows
    )


def read_notes(connection: sqlite3.Connection, session_id: str) -> tuple[StoredNote, ...]:
    """Return one session's free-text notes in order."""
    rows = connection.execute(
        "SELECT note_id, session_id, at_ms, chip, text FROM notes WHERE session_id = ? ORDER BY at_ms, rowid",
        (session_id,),
    )
    return tuple(StoredNote(*row) for row in rows)


def read_checkpoint(connection: sqlite3.Connection, name: str) -> str | None:
    """Return the JSON text last saved under a name."""
    found = connection.execute("SELECT json FROM checkpoints WHERE name = ?", (name,)).fetchone()
    return None if found is None else str(found[0])


def read_command_ids(connection: sqlite3.Connection) -> tuple[str, ...]:
    """Return the ids of the commands that the newest records tell of, the newest first."""
    rows = connection.execute(
        "SELECT CASE WHEN json_valid(record) THEN json_extract(record, '$.command_id') END"
        " FROM records ORDER BY seq DESC LIMIT ?",
        (IDS_FROM,),
    )
    return tuple(dict.fromkeys(str(found) for (found,) in rows if found is not None))


def read_newest_session(connection: sqlite3.Connection) -> tuple[Record, ...]:
    """Return the newest session's records, ended or not, and those since that belong to none.

    Raises:
        DamagedJournalError: a row was altered since it was written, or cannot be read.
    """
    found = connection.execute("SELECT session_id FROM sessions ORDER BY rowid DESC LIMIT 1").fetchone()
    session = "" if found is None else str(found[0])
    rows = connection.execute(
        "SELECT seq, record, previous, hash FROM records WHERE session_id IN (?1, '') AND seq >="
        " coalesce((SELECT min(seq) FROM records WHERE session_id = ?1 AND ?1 != ''), 0) ORDER BY seq",
        (session,),
    )
    return tuple(trusted_record(*row) for row in rows)


def read_last_at_ms(connection: sqlite3.Connection) -> int:
    """Return the room time of the newest record, 0 in an empty journal."""
    found = connection.execute("SELECT at_ms FROM records ORDER BY seq DESC LIMIT 1").fetchone()
    return 0 if found is None else int(found[0])


def check_open_session(connection: sqlite3.Connection) -> None:
    """Read the open session through, as a restart will.

    Raises:
        DamagedJournalError: it cannot be trusted.
    """
    session_id = open_session_id(connection)
    if session_id is not None:
        read_records(connection, session_id)
