"""Keeps what was measured: one SQLite file, by content hash, so that nothing is ever measured twice.

A file is known again by its path, size and modification time without reading it; moved or copied, by its
content. It must never be the only copy of anything: deleted, it is simply measured anew.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from pydantic import ValidationError

from controller.errors import StillroomError
from playlists.analysis import ANALYSER_VERSION
from playlists.models import Track

STORE_NAME: Final = "music.sqlite3"
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS tracks (
    content_hash TEXT PRIMARY KEY, version INTEGER NOT NULL, track TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS files (
    path TEXT PRIMARY KEY, size INTEGER NOT NULL, modified_ns INTEGER NOT NULL, content_hash TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS faults (
    path TEXT PRIMARY KEY, size INTEGER NOT NULL, modified_ns INTEGER NOT NULL, version INTEGER NOT NULL,
    why TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS folders (path TEXT PRIMARY KEY);
"""


class StoreError(StillroomError):
    """The store of measurements cannot be read or written (a full disk, say)."""


class TrackStore:
    """The measurements of all music ever seen. One writer at a time; readers need not wait."""

    def __init__(self, folder: Path, *, max_pages: int | None = None) -> None:
        """Open, or make, the store in a folder. ``max_pages`` bounds its size (tests of a full disk).

        Raises:
            StoreError: it cannot be opened.
        """
        self.path = folder / STORE_NAME
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(f"{folder}: cannot be made: {error.strerror or error}") from error
        with self._guarded():
            self._db = sqlite3.connect(self.path, timeout=10.0, isolation_level=None, check_same_thread=False)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=NORMAL")
            self._db.executescript(_SCHEMA)
            if max_pages is not None:
                self._db.execute(f"PRAGMA max_page_count={int(max_pages)}")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the store."""
        self._db.close()

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise StoreError(f"{self.path}: {error}") from error

    def look_up(self, path: Path) -> Track | None:
        """Return what is known of an audio file as it is now on disk, or None.

        Raises:
            StoreError: the store cannot be read.
        """
        stamp = _stamp(path)
        if stamp is None:
            return None
        with self._guarded():
            row = self._db.execute(
                "SELECT t.track FROM files f JOIN tracks t ON t.content_hash = f.content_hash"
                " WHERE f.path = ? AND f.size = ? AND f.modified_ns = ? AND t.version = ?",
                (str(path), *stamp, ANALYSER_VERSION),
            ).fetchone()
        return None if row is None else _track(row[0], path)

    def known_hashes(self) -> frozenset[str]:
        """Return the hashes of all content that is measured."""
        with self._guarded():
            rows = self._db.execute(
                "SELECT content_hash FROM tracks WHERE version = ?", (ANALYSER_VERSION,)
            ).fetchall()
        return frozenset(str(row[0]) for row in rows)

    def known_content(self, content_hash: str, path: Path) -> Track | None:
        """Return what is known of this content, now found at ``path``, and remember where it is."""
        with self._guarded():
            row = self._db.execute(
                "SELECT track FROM tracks WHERE content_hash = ? AND version = ?",
                (content_hash, ANALYSER_VERSION),
            ).fetchone()
        track = None if row is None else _track(row[0], path)
        if track is not None:
            self._remember_file(path, content_hash)
        return track

    def fault(self, path: Path) -> str | None:
        """Return why this very file could not be measured last time, or None."""
        stamp = _stamp(path)
        if stamp is None:
            return None
        with self._guarded():
            row = self._db.execute(
                "SELECT why FROM faults WHERE path = ? AND size = ? AND modified_ns = ? AND version = ?",
                (str(path), *stamp, ANALYSER_VERSION),
            ).fetchone()
        return None if row is None else str(row[0])

    def put(self, path: Path, result: Track | str) -> None:
        """Keep a measurement, or why there is none.

        Raises:
            StoreError: it could not be written.
        """
        if isinstance(result, str):
            stamp = _stamp(path)
            if stamp is not None:
                with self._guarded():
                    self._db.execute(
                        "INSERT OR REPLACE INTO faults VALUES (?, ?, ?, ?, ?)",
                        (str(path), *stamp, ANALYSER_VERSION, result),
                    )
            return
        with self._guarded():
            self._db.execute(
                "INSERT OR REPLACE INTO tracks VALUES (?, ?, ?)",
                (result.track_id, ANALYSER_VERSION, result.model_dump_json()),
            )
        self._remember_file(path, result.track_id)

    def _remember_file(self, path: Path, content_hash: str) -> None:
        stamp = _stamp(path)
        if stamp is None:
            return
        with self._guarded():
            self._db.execute(
                "INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?)", (str(path), *stamp, content_hash)
            )
            self._db.execute("DELETE FROM faults WHERE path = ?", (str(path),))

    def forget_measurements(self) -> None:
        """Forget every measurement, so that all is measured anew; the folders stay."""
        with self._guarded():
            for table in ("tracks", "files", "faults"):
                self._db.execute(f"DELETE FROM {table}")  # noqa: S608 -- our own three names

    def add_folder(self, folder: Path) -> None:
        """Remember a music folder.

        Raises:
            StoreError: it could not be written.
        """
        with self._guarded():
            self._db.execute("INSERT OR IGNORE INTO folders VALUES (?)", (str(folder),))

    def folders(self) -> tuple[Path, ...]:
        """Return the music folders, in order of their paths."""
        with self._guarded():
            rows = self._db.execute("SELECT path FROM folders ORDER BY path").fetchall()
        return tuple(Path(row[0]) for row in rows)


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns


def _track(text: str, path: Path) -> Track | None:
    try:
        return Track.model_validate_json(text).model_copy(update={"path": str(path)})
    except ValidationError:
        return None
