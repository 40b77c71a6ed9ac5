"""Backups: taken while the daemon writes, checked, refused when damaged or hostile, laid over nothing."""

import io
import json
import sqlite3
import tarfile
from hashlib import sha256
from pathlib import Path

import pytest

from controller.backups import LIST, back_up, check, restore
from controller.errors import UserError


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    (folder / "deep").mkdir(parents=True)
    (folder / "music").mkdir()
    (folder / "music" / "bed.flac").write_bytes(b"0" * 100)
    (folder / "deep" / "access.json").write_text("{}")
    with sqlite3.connect(folder / "journal.sqlite") as journal:
        journal.execute("PRAGMA journal_mode = WAL")
        journal.execute("CREATE TABLE records (n)")
        journal.executemany("INSERT INTO records VALUES (?)", [(n,) for n in range(500)])
    return folder


def test_a_backup_taken_amid_a_write_is_whole_and_comes_back(data: Path, tmp_path: Path) -> None:
    writing = sqlite3.connect(data / "journal.sqlite")
    writing.execute("INSERT INTO records VALUES (-1)")  # not committed: not part of it
    assert back_up(data, tmp_path / "b.tar.gz") == 2
    writing.rollback()
    writing.close()
    assert restore(tmp_path / "b.tar.gz", tmp_path / "new") == 2
    with sqlite3.connect(tmp_path / "new" / "journal.sqlite") as journal:
        assert journal.execute("SELECT count(*), min(n) FROM records").fetchone() == (500, 0)
    assert (tmp_path / "new" / "deep" / "access.json").read_text() == "{}"
    assert not (tmp_path / "new" / "music").exists()
    assert (tmp_path / "b.tar.gz").stat().st_mode & 0o077 == 0


def test_nothing_is_ever_laid_over(data: Path, tmp_path: Path) -> None:
    archive = tmp_path / "b.tar.gz"
    back_up(data, archive)
    before = archive.read_bytes()
    with pytest.raises(UserError, match="is there already"):
        back_up(data, archive)
    assert archive.read_bytes() == before
    with pytest.raises(UserError, match="not empty"):
        restore(archive, data)
    assert len(list(data.rglob("*"))) >= 5


@pytest.mark.parametrize("part", [0.1, 0.5, 0.9, 0.99])
def test_a_truncated_archive_is_refused_and_leaves_nothing(data: Path, tmp_path: Path, part: float) -> None:
    archive = tmp_path / "b.tar.gz"
    back_up(data, archive)
    archive.write_bytes(archive.read_bytes()[: int(archive.stat().st_size * part)])
    with pytest.raises(UserError):
        restore(archive, tmp_path / "new")
    assert not (tmp_path / "new").exists()


def forged(path: Path, names: dict[str, bytes], extra: tarfile.TarInfo | None = None) -> Path:
    listed = {name: sha256(text).hexdigest() for name, text in names.items()}
    head = json.dumps({"version": 1, "files": listed}).encode()
    with tarfile.open(path, "w:gz") as tar:
        for name, text in ((LIST, head), *names.items()):
            info = tarfile.TarInfo(name)
            info.size = len(text)
            tar.addfile(info, io.BytesIO(text))
        if extra is not None:
            tar.addfile(extra)
    return path


@pytest.mark.parametrize("name", ["../out", "/etc/out", "a/../../out", "a/../b"])
def test_a_path_that_leads_out_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UserError):
        restore(forged(tmp_path / "b.tar.gz", {name: b"x"}), tmp_path / "new")
    assert not (tmp_path / "out").exists()
    assert not (tmp_path / "new").exists()


def test_links_and_strangers_are_refused(tmp_path: Path) -> None:
    link = tarfile.TarInfo("good")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    with pytest.raises(UserError):
        check(forged(tmp_path / "a.tar.gz", {"other": b"x"}, link))
    stranger = tarfile.TarInfo("stranger")
    with pytest.raises(UserError, match="does not belong"):
        check(forged(tmp_path / "b.tar.gz", {"other": b"x"}, stranger))


def test_a_changed_file_and_what_is_no_backup_are_refused(data: Path, tmp_path: Path) -> None:
    (tmp_path / "text").write_text("hello")
    with pytest.raises(UserError):
        check(tmp_path / "text")
    listed = {"version": 1, "files": {"f": sha256(b"one").hexdigest()}}
    with tarfile.open(tmp_path / "c.tar.gz", "w:gz") as tar:
        for name, text in ((LIST, json.dumps(listed).encode()), ("f", b"two")):
            info = tarfile.TarInfo(name)
            info.size = len(text)
            tar.addfile(info, io.BytesIO(text))
    with pytest.raises(UserError, match="is damaged"):
        check(tmp_path / "c.tar.gz")
