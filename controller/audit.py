"""The audit log: who deleted, exported or let in, each line chained to the one before by its hash.

It holds roles and ids, never a name or anything of a client. Lines are only ever added. One that was changed,
taken out or cut off at the end is found by ``lines``: the last one's hash stands in a file beside it.
"""

import fcntl
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, TextIO

from controller.errors import StillroomError

FIRST: Final = "0" * 64
"""What stands before the first line."""


class AuditError(StillroomError):
    """The audit log is not as it was written, or cannot be written."""


@dataclass(frozen=True, slots=True)
class AuditLine:
    """One thing that was done: when (wall clock, Unix ms), by whom (role), what, and to what."""

    number: int
    at_ms: int
    by: str
    what: str
    detail: Mapping[str, str]

    def __str__(self) -> str:
        at = datetime.fromtimestamp(self.at_ms / 1000, UTC)
        more = ", ".join(f"{name} {value}" for name, value in self.detail.items())
        return f"{at:%Y-%m-%d %H:%M:%SZ}  {self.by:12} {self.what}{f' ({more})' if more else ''}"


@dataclass(frozen=True, slots=True)
class AuditLog:
    """The log of one data folder. Several programs may write it at the same time."""

    path: Path

    @property
    def _head(self) -> Path:
        return self.path.with_suffix(".head")

    def add(self, at_ms: int, by: str, what: str, **detail: str) -> None:
        """Add a line; it is on the disk when this returns.

        Raises:
            AuditError: it cannot be written.
        """
        try:
            with self._locked() as file:
                number, previous = self._last(file)
                row = {"number": number + 1, "at_ms": at_ms, "by": by, "what": what, "detail": detail}
                hashed = _hash(previous, row)
                file.seek(0, os.SEEK_END)
                file.write(json.dumps({**row, "hash": hashed}, ensure_ascii=False) + "\n")
                file.flush()
                os.fsync(file.fileno())
                self._write_head(number + 1, hashed)
        except OSError as error:
            raise AuditError(f"{self.path}: cannot be written: {error.strerror or error}") from error

    def lines(self) -> tuple[AuditLine, ...]:
        """Return every line, each proved to follow the one before, and the last to be the last.

        Raises:
            AuditError: it is not as it was written; which line.
        """
        if not self.path.exists() and not self._head.exists():
            return ()
        try:
            with self._locked() as file:
                found = tuple(self._read(file))
                number, hashed = self._read_head()
        except OSError as error:
            raise AuditError(f"{self.path}: cannot be read: {error.strerror or error}") from error
        last = found[-1] if found else (AuditLine(0, 0, "", "", {}), FIRST)
        if (last[0].number, last[1]) != (number, hashed):
            raise AuditError(f"{self.path}: ends at line {last[0].number}; the last written was {number}")
        return tuple(line for line, _ in found)

    @contextmanager
    def _locked(self) -> Iterator[TextIO]:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.touch(mode=0o600, exist_ok=True)
        with self.path.open("r+", encoding="utf-8") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield file

    def _last(self, file: TextIO) -> tuple[int, str]:
        """Return the last whole line's number and hash: a crash may have left half a line, or an old head."""
        found = (0, FIRST)
        end = 0
        while line := file.readline():
            if not line.endswith("\n"):
                file.truncate(end)
                break
            end = file.tell()
            row = json.loads(line)
            found = (int(row["number"]), str(row["hash"]))
        return found

    def _read(self, file: TextIO) -> Iterator[tuple[AuditLine, str]]:
        previous = FIRST
        for number, text in enumerate(file, start=1):
            try:
                row = json.loads(text)
                hashed = row.pop("hash")
                line = AuditLine(**row)
            except (ValueError, TypeError, KeyError, AttributeError):
                raise AuditError(f"{self.path}:{number}: is no line of an audit log") from None
            if line.number != number or hashed != _hash(previous, row):
                raise AuditError(f"{self.path}:{number}: is not as it was written, or one before it is gone")
            previous = hashed
            yield line, hashed

    def _write_head(self, number: int, hashed: str) -> None:
        new = self._head.with_suffix(".head-new")
        new.touch(mode=0o600, exist_ok=True)
        new.write_text(json.dumps({"number": number, "hash": hashed}), encoding="utf-8")
        new.replace(self._head)

    def _read_head(self) -> tuple[int, str]:
        try:
            found = json.loads(self._head.read_text(encoding="utf-8"))
            return int(found["number"]), str(found["hash"])
        except (OSError, ValueError, TypeError, KeyError):
            raise AuditError(f"{self._head}: the last line's hash is missing or damaged") from None


def _hash(previous: str, row: Mapping[str, object]) -> str:
    text = json.dumps(row, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(f"{previous}{text}".encode()).hexdigest()


def audit_log(data: Path) -> AuditLog:
    """Return a data folder's audit log."""
    return AuditLog(data / "audit.jsonl")
