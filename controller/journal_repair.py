"""A damaged journal: set it aside whole, and carry over every record that can still be trusted.

The damaged file is kept beside the new one under another name and never changed; nothing is lost in silence.
"""

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from controller.errors import JournalError
from controller.journal_store import connect_for_writing, note_session, told_plainly, trusted_record

_COMPANIONS: Final = ("", "-wal", "-shm")
_GIVE_UP_AFTER: Final = 10_000
"""Row numbers tried in vain, one after another, before the end of a damaged table is believed."""

_RECORD_COLUMNS: Final = "seq, record, previous, hash, session_id, at_ms, kind"
_OTHER_TABLES: Final = (("notes", "note_id, session_id, at_ms, chip, text"), ("checkpoints", "name, json"))

_NOTHING_THERE: Final = frozenset({sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR})
"""The file is no database at all, or has no such table."""


@dataclass(frozen=True, slots=True)
class Repair:
    """What became of a damaged journal. ``lost`` is None if nobody can say how many records there were."""

    aside: Path
    kept: int
    lost: int | None
    reason: str

    def __str__(self) -> str:
        match self.lost:
            case None:
                missing = "how many are missing is not known"
            case 0:
                missing = "none is missing"
            case lost:
                missing = f"{lost} could not be read"
        return (
            f"{self.reason}; the damaged file is kept as {self.aside.name}, "
            f"{self.kept} records were carried over, {missing}"
        )


def repair_journal(path: Path, reason: str) -> Repair:
    """Make a new journal at ``path`` from what can be read of the one there, which is kept beside it.

    Until the new one is whole nothing is moved: a repair that fails (a full disk) can be tried again.

    Raises:
        JournalError: the new journal cannot be written.
    """
    reading, new = _beside(path, ".reading"), _beside(path, ".new")
    with told_plainly(path, "cannot repair the damaged journal"):
        try:
            for leftover in (reading, new):
                _remove(leftover)
            # SQLite finishes a half-written log when it opens a file: let it do that to a copy.
            for companion in _COMPANIONS:
                if _beside(path, companion).exists():
                    shutil.copyfile(_beside(path, companion), _beside(reading, companion))
            kept, lost = _carry_over(reading, new)
            aside = _move_aside(path)
            new.rename(path)
        finally:
            _remove(reading)
    return Repair(aside, kept, lost, reason)


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)


def _remove(path: Path) -> None:
    for companion in _COMPANIONS:
        _beside(path, companion).unlink(missing_ok=True)


def _move_aside(path: Path) -> Path:
    number = 1
    while (aside := _beside(path, f".damaged-{number}")).exists():
        number += 1
    for companion in reversed(_COMPANIONS):
        if _beside(path, companion).exists():
            _beside(path, companion).rename(_beside(aside, companion))
    return aside


def _carry_over(old_path: Path, new_path: Path) -> tuple[int, int | None]:
    """Return how many records were carried over and how many were lost, if that can be told."""
    kept = 0
    with closing(connect_for_writing(new_path)) as new, closing(sqlite3.connect(old_path)) as old:
        total = _known_total(old)
        new.execute("BEGIN IMMEDIATE")
        for row in _rows(old, "records", "seq", _RECORD_COLUMNS, total):
            try:
                record = trusted_record(*row[:4])
            except JournalError:
                continue
            new.execute(f"INSERT INTO records ({_RECORD_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)", row)  # noqa: S608 - our own names
            note_session(new, record)
            kept += 1
        for table, columns in _OTHER_TABLES:
            marks = ", ".join("?" for _ in columns.split(","))
            for row in _rows(old, table, "rowid", columns, None):
                new.execute(f"INSERT OR IGNORE INTO {table} VALUES ({marks})", row)  # noqa: S608 - our own names
        new.execute("COMMIT")
    return kept, None if total is None else max(total - kept, 0)


def _known_total(old: sqlite3.Connection) -> int | None:
    """Return the number of the last record ever written, if the damage spared it."""
    try:
        found = old.execute("SELECT seq FROM sqlite_sequence WHERE name = 'records'").fetchone()
    except sqlite3.DatabaseError:
        return None
    return 0 if found is None else int(found[0])


def _rows(
    old: sqlite3.Connection, table: str, key: str, columns: str, last: int | None
) -> Iterator[tuple[Any, ...]]:
    """Yield each readable row of a damaged table, one by one, so that a bad page costs only its own."""
    misses = number = 0
    while misses < _GIVE_UP_AFTER and (last is None or number < last):
        number += 1
        try:
            row = old.execute(f"SELECT {columns} FROM {table} WHERE {key} = ?", (number,)).fetchone()  # noqa: S608 - our own names
        except sqlite3.DatabaseError as error:
            if getattr(error, "sqlite_errorcode", 0) & 0xFF in _NOTHING_THERE:
                return
            row = None
        if row is None:
            misses += 1
        else:
            misses = 0
            yield row
