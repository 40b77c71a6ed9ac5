"""The versions of every design and who signed which, in one SQLite file of the data folder.

By role, never by name. Nothing in it is ever changed: a version that is taken up again is a new one.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, TypeAlias

from controller.errors import UserError

Kind: TypeAlias = Literal["profile", "preset"]

_SCHEMA: Final = """
create table if not exists versions (
  kind text not null, name text not null, number integer not null, at_ms integer not null,
  role text not null, event text not null, meaning text not null, text text not null,
  primary key (kind, name, number)
) without rowid;
create table if not exists signatures (
  name text not null, meaning text not null, role text not null, at_ms integer not null,
  primary key (name, meaning, role)
) without rowid;
"""


@dataclass(frozen=True, slots=True)
class Version:
    """One version; its ``event``: ``found`` (on disk), ``saved``, ``restored``, ``signed``, ``imported``."""

    kind: Kind
    name: str
    number: int
    at_ms: int
    role: str
    event: str
    meaning: str
    text: str


@dataclass(frozen=True, slots=True)
class Signature:
    """A role's signature under one meaning of a profile."""

    role: str
    at_ms: int


class DesignStore:
    """The store. Blocking; each call opens the file anew, so that any thread may call."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def versions(self, kind: Kind, name: str) -> tuple[Version, ...]:
        """Return a design's versions, newest first.

        Raises:
            UserError: the store cannot be read.
        """
        with self._open() as db:
            rows = db.execute(
                "select * from versions where kind = ? and name = ? order by number desc", (kind, name)
            )
            return tuple(Version(*row) for row in rows)

    def version(self, kind: Kind, name: str, number: int) -> Version | None:
        """Return one version, if there is one of this number."""
        return next((v for v in self.versions(kind, name) if v.number == number), None)

    @contextmanager
    def adding(
        self, kind: Kind, name: str, text: str, meaning: str, *, role: str, event: str, at_ms: int
    ) -> Iterator[int]:
        """Add a version once the body has gone through; yields its number.

        Raises:
            UserError: the store cannot be written.
        """
        with self._open() as db:
            number = self._next(db, kind, name)
            db.execute(
                "insert into versions values (?, ?, ?, ?, ?, ?, ?, ?)",
                (kind, name, number, at_ms, role, event, meaning, text),
            )
            yield number

    def newest_text(self, kind: Kind, name: str) -> str | None:
        """Return the newest version's text, if there is a version."""
        newest = next(iter(self.versions(kind, name)), None)
        return None if newest is None else newest.text

    def sign(self, name: str, meaning: str, role: str, at_ms: int) -> None:
        """Keep a role's signature; the same once more changes nothing."""
        with self._open() as db:
            db.execute("insert or ignore into signatures values (?, ?, ?, ?)", (name, meaning, role, at_ms))

    def signatures(self, name: str, meaning: str) -> tuple[Signature, ...]:
        """Return who signed this meaning of a profile, in order."""
        with self._open() as db:
            rows = db.execute(
                "select role, at_ms from signatures where name = ? and meaning = ? order by at_ms, role",
                (name, meaning),
            )
            return tuple(Signature(*row) for row in rows)

    def signed_roles(self, name: str, meaning: str) -> tuple[str, ...] | None:
        """Return the roles that signed this meaning; None where no version of the profile was ever signed."""
        if not self._path.exists():
            return None
        with self._open() as db:
            known = db.execute("select 1 from signatures where name = ? limit 1", (name,)).fetchone()
        return None if known is None else tuple(s.role for s in self.signatures(name, meaning))

    @staticmethod
    def _next(db: sqlite3.Connection, kind: Kind, name: str) -> int:
        (last,) = db.execute(
            "select coalesce(max(number), 0) from versions where kind = ? and name = ?", (kind, name)
        ).fetchone()
        return int(last) + 1

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        """Open the store for one transaction; what raises in it undoes it."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            db = sqlite3.connect(self._path, timeout=5.0, isolation_level=None)
        except (OSError, sqlite3.Error) as error:
            raise self._fault(error) from None
        try:
            db.execute("pragma synchronous = full")
            db.executescript(_SCHEMA)
            db.execute("begin immediate")
            yield db
            db.execute("commit")
        except sqlite3.Error as error:
            raise self._fault(error) from None
        finally:
            db.close()  # what was not committed is undone

    def _fault(self, error: Exception) -> UserError:
        return UserError(f"{self._path}: the designs' versions cannot be kept: {error}")
