"""Backups of a data folder: taken while the daemon runs, checked before they count, never laid over anything.

A backup is one gzipped tar with a list of its files and their SHA-256 first. SQLite files are copied by
SQLite's own online copy, so that each is whole. Music that can be made or measured again is left out.
It must never follow a path out of the folder it restores into, and never overwrite.
"""

import gzip
import hashlib
import io
import json
import shutil
import sqlite3
import tarfile
import tempfile
import zlib
from contextlib import closing
from pathlib import Path, PurePosixPath
from typing import Final

from controller.errors import UserError

LIST: Final = "stillroom-backup.json"
VERSION: Final = 1
MAX_FILES: Final = 10_000
MAX_BYTES: Final = 8 * 1024**3
_LEFT_OUT: Final = frozenset({"music", "speech", "daemon.json", "stillroom.log"})
_DATABASES: Final = (".sqlite", ".db")
_BESIDE: Final = ("-wal", "-shm", "-journal")


def back_up(data: Path, archive: Path) -> int:
    """Write a backup of ``data`` and check it; returns how many files are in it.

    Raises:
        UserError: there is such a file already, something cannot be read, or the check fails.
    """
    if archive.exists():
        raise UserError(f"{archive}: is there already; name another, or remove it first")
    if not data.is_dir():
        raise UserError(f"{data}: there is no such folder")
    part = archive.with_name(f"{archive.name}.part")
    try:
        with tempfile.TemporaryDirectory(dir=archive.parent) as name:
            copy = Path(name)
            files = [_copy(path, data, copy) for path in _wanted(data)]
            listed = {file.relative_to(copy).as_posix(): _digest(file) for file in files}
            with tarfile.open(part, "w:gz") as tar:
                text = json.dumps({"version": VERSION, "files": listed}, indent=1).encode()
                head = tarfile.TarInfo(LIST)
                head.size, head.mode = len(text), 0o600
                tar.addfile(head, io.BytesIO(text))
                for file in files:
                    tar.add(file, file.relative_to(copy).as_posix(), recursive=False)
        part.chmod(0o600)
        count = check(part)
        part.rename(archive)
    except (OSError, sqlite3.Error) as error:
        raise UserError(f"{archive}: the backup failed: {error}") from None
    finally:
        part.unlink(missing_ok=True)
    return count


def check(archive: Path) -> int:
    """Read a backup through and compare every file with the list; returns how many there are.

    Raises:
        UserError: it is no backup of ours, or is damaged.
    """
    with tempfile.TemporaryDirectory(dir=archive.parent) as name:
        return _unpack(archive, Path(name))


def restore(archive: Path, data: Path) -> int:
    """Lay a backup down as the folder ``data``, which must not be there yet (or be empty); returns the count.

    Raises:
        UserError: the folder is not empty, the archive is damaged, or it cannot be written.
    """
    if data.exists() and any(data.iterdir()):
        raise UserError(f"{data}: is not empty; stop the daemon and move it aside first")
    try:
        data.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=data.parent) as name:
            whole = Path(name) / "data"
            whole.mkdir(mode=0o700)
            count = _unpack(archive, whole)
            if data.exists():
                data.rmdir()
            whole.rename(data)
    except OSError as error:
        raise UserError(f"{data}: cannot be restored: {error.strerror or error}") from None
    return count


def _wanted(data: Path) -> list[Path]:
    found = []
    for path in sorted(data.rglob("*")):
        inside = path.relative_to(data)
        if inside.parts[0] in _LEFT_OUT or path.is_symlink() or not path.is_file():
            continue
        if not path.name.endswith(_BESIDE) and path.suffix != ".lock":
            found.append(path)
    return found


def _copy(path: Path, data: Path, copy: Path) -> Path:
    to = copy / path.relative_to(data)
    to.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix not in _DATABASES:
        shutil.copy2(path, to)
        return to
    with (
        closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as source,
        closing(sqlite3.connect(to)) as target,
    ):
        source.backup(target)
        found = target.execute("PRAGMA integrity_check").fetchone()
    if found != ("ok",):
        raise sqlite3.DatabaseError(f"{path.name} is damaged: {found[0] if found else ''}")
    return to


def _digest(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _unpack(archive: Path, into: Path) -> int:
    try:
        _read_through(archive)
        with tarfile.open(archive, "r:gz") as tar:
            listed = _listed(tar, archive)
            seen: set[str] = set()
            total = 0
            for number, member in enumerate(tar):
                if number == 0:
                    continue  # the list itself
                name, total = member.name, total + member.size
                if name not in listed or name in seen or not member.isreg() or total > MAX_BYTES:
                    raise UserError(f"{archive}: {name[:80]!r} does not belong in a backup")
                seen.add(name)
                _lay(tar, member, into / name, listed[name], archive)
    except (OSError, EOFError, zlib.error, tarfile.TarError) as error:
        raise UserError(f"{archive}: cannot be read: {error}") from None
    if seen != set(listed):
        raise UserError(f"{archive}: is not whole: {len(set(listed) - seen)} files are missing")
    return len(seen)


def _read_through(archive: Path) -> None:
    """Read to the very end: tar alone would not miss what was cut off behind its last file."""
    read = 0
    with gzip.open(archive) as stream:
        while block := stream.read(1 << 20):
            read += len(block)
            if read > MAX_BYTES:
                raise UserError(f"{archive}: is larger than any backup of ours")


def _listed(tar: tarfile.TarFile, archive: Path) -> dict[str, str]:
    head = tar.next()
    stream = None if head is None or head.name != LIST or not head.isreg() else tar.extractfile(head)
    try:
        found = json.loads(stream.read(MAX_FILES * 400)) if stream is not None else {}
        files = {str(name): str(digest) for name, digest in found["files"].items()}
        good = found["version"] == VERSION and len(files) <= MAX_FILES
    except (ValueError, KeyError, TypeError, AttributeError):
        good, files = False, {}
    if not good or not all(_is_inside(name) for name in files):
        raise UserError(f"{archive}: is no backup of Stillroom's")
    return files


def _is_inside(name: str) -> bool:
    path = PurePosixPath(name)
    return bool(path.parts) and not path.is_absolute() and ".." not in path.parts and "\0" not in name


def _lay(tar: tarfile.TarFile, member: tarfile.TarInfo, to: Path, digest: str, archive: Path) -> None:
    stream = tar.extractfile(member)
    if stream is None:
        raise UserError(f"{archive}: {member.name[:80]!r} cannot be read")
    to.parent.mkdir(parents=True, exist_ok=True)
    with to.open("xb") as file:
        shutil.copyfileobj(stream, file)
    to.chmod(0o600)
    if _digest(to) != digest:
        raise UserError(f"{archive}: {member.name[:80]!r} is damaged")
