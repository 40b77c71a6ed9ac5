"""A full disk, a damaged file, an altered row: the room goes on, nothing is lost in silence."""

import asyncio
import os
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from controller.core.commands import SessionSheet
from controller.core.records import FaultRaised, PhaseEntered, Record, SessionStarted
from controller.core.score import Score
from controller.errors import JournalError
from controller.journal import open_journal
from controller.journal_store import MIGRATIONS
from controller.ports import StoredNote

SESSION = Record(
    1, "therapist", SessionStarted("s1", Score("quiet", "Quiet", False, (), {}), SessionSheet()), "c1", "s1"
)


def entry(number: int, padding: int = 0) -> Record:
    return Record(number + 2, "score", PhaseEntered(f"phase-{number}-" + "x" * padding, number), None, "s1")


def slots(records: tuple[Record, ...]) -> list[int]:
    return [each.body.slot for each in records if isinstance(each.body, PhaseEntered)]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    mount = tmp_path / "disk"
    mount.mkdir()
    made = (
        os.geteuid() == 0
        and not subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(mount)], check=False, capture_output=True
        ).returncode
    )
    if not made:
        pytest.skip("a small disk can only be mounted by root")
    yield mount
    subprocess.run(["umount", "-l", str(mount)], check=True)


async def test_a_full_disk_keeps_the_records_in_memory_until_there_is_room(small_disk: Path) -> None:
    health = list[str | None]()
    journal = await open_journal(small_disk / "garden.sqlite3", health.append)
    await journal.append([SESSION])
    filler = small_disk / "filler"
    filler.write_bytes(b"x" * (shutil.disk_usage(small_disk).free - 40_000))
    refused = 0
    for number in range(40):
        outcome = (
            await asyncio.gather(journal.append([entry(number, padding=4_000)]), return_exceptions=True)
        )[0]
        if outcome is not None:
            refused += 1
            assert isinstance(outcome, JournalError)
            assert "full" in str(outcome)
            assert "\n" not in str(outcome)
    with pytest.raises(JournalError):
        await journal.add_note(StoredNote("n1", "s1", 50, "tears", "words"))
    with pytest.raises(JournalError):
        await journal.save_checkpoint("lamps", "{}")
    assert refused > 20
    written = slots(await journal.records("s1"))
    assert written == list(range(40 - refused))
    filler.unlink()
    await journal.append([entry(40)])
    assert slots(await journal.records("s1")) == list(range(41))
    assert len(await journal.notes("s1")) == 1
    assert await journal.missing_after("s1") is None
    assert [message is None for message in health] == [False, True]
    await journal.close()


async def test_a_folder_that_cannot_be_made_is_a_fault_and_heals(tmp_path: Path) -> None:
    blocker = tmp_path / "journal"
    blocker.write_text("in the way")
    health = list[str | None]()
    journal = await open_journal(blocker / "garden.sqlite3", health.append)
    with pytest.raises(JournalError):
        await journal.append([SESSION])
    with pytest.raises(JournalError):
        await journal.open_session()
    blocker.unlink()
    await journal.append([entry(1)])
    assert [each.body for each in await journal.open_session()] == [SESSION.body, entry(1).body]
    assert [message is None for message in health] == [False, True]
    await journal.close()


async def filled(path: Path, number: int = 400) -> bytes:
    journal = await open_journal(path)
    await journal.append([SESSION, *(entry(each, padding=300) for each in range(number))])
    await journal.add_note(StoredNote("n1", "s1", 50, "tears", "words"))
    await journal.save_checkpoint("lamps", '{"a": 1}')
    await journal.close()
    return path.read_bytes()


async def test_a_damaged_page_costs_only_its_own_records(tmp_path: Path) -> None:
    path = tmp_path / "garden.sqlite3"
    content = bytearray(await filled(path))
    hit = content.index(b"phase-200-")
    page = hit - hit % 4096
    content[page : page + 4096] = b"\xa5" * 4096
    path.write_bytes(content)
    journal = await open_journal(path)
    kept = slots(await journal.open_session())
    assert 200 not in kept
    assert len(kept) >= 380
    assert kept == sorted(kept)
    assert kept[-1] == 399
    assert f"{400 - len(kept)} could not be read" in str(journal.fault)
    assert "\n" not in str(journal.fault)
    assert (tmp_path / "garden.sqlite3.damaged-1").read_bytes() == content
    assert await journal.missing_after("s1") is not None
    assert len(await journal.notes("s1")) == 1
    assert await journal.load_checkpoint("lamps") == '{"a": 1}'
    await journal.append([entry(400)])
    await journal.close()
    again = await open_journal(path)
    assert again.fault is None
    assert slots(await again.open_session()) == [*kept, 400]
    await again.close()


@pytest.mark.parametrize(
    "content", [b"not a database at all, but long enough" * 50, b"SQLite format 3\x00" + b"\xff" * 8_000]
)
async def test_a_file_that_is_no_journal_is_kept_aside(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "garden.sqlite3"
    path.write_bytes(content)
    journal = await open_journal(path)
    assert "garden.sqlite3.damaged-1" in str(journal.fault)
    await journal.append([SESSION])
    assert await journal.open_session() == (SESSION,)
    await journal.close()
    assert (tmp_path / "garden.sqlite3.damaged-1").read_bytes() == content
    assert sorted(file.name for file in tmp_path.iterdir()) == [
        "garden.prompts",
        "garden.sqlite3",
        "garden.sqlite3.damaged-1",
    ]


async def test_an_altered_row_is_found_at_the_start(tmp_path: Path) -> None:
    path = tmp_path / "garden.sqlite3"
    await filled(path, 20)
    with closing(sqlite3.connect(path)) as raw, raw:
        raw.execute("UPDATE records SET record = replace(record, 'phase-7-', 'phase-8-')")
    journal = await open_journal(path)
    assert slots(await journal.open_session()) == [each for each in range(20) if each != 7]
    assert "1 could not be read" in str(journal.fault)
    await journal.close()


async def test_a_removed_row_leaves_a_gap_in_the_chain(tmp_path: Path) -> None:
    path = tmp_path / "garden.sqlite3"
    await filled(path, 20)
    with closing(sqlite3.connect(path)) as raw, raw:
        raw.execute("DELETE FROM records WHERE seq = 9")
    journal = await open_journal(path)
    assert await journal.missing_after("s1") == 10
    await journal.close()


async def test_damage_while_running_is_repaired_and_the_append_succeeds(tmp_path: Path) -> None:
    path = tmp_path / "garden.sqlite3"
    await filled(path, 60)
    journal = await open_journal(path)
    content = bytearray(path.read_bytes())
    with path.open("r+b") as file:
        for page in range(4096, len(content), 4096):
            file.seek(page)
            file.write(b"\x5a" * 4096)
    with closing(sqlite3.connect(path)) as raw, raw:
        raw.execute("PRAGMA user_version = 1")  # a change by another program: pages are read afresh
    await journal.append([Record(900, "daemon", FaultRaised("x", "y"), None, "s2")])
    assert "damaged-1" in str(journal.fault)
    assert [each.at_ms for each in await journal.records("s2")] == [900]
    await journal.close()


@pytest.mark.parametrize("copies", [0, 1], ids=["no room for a copy", "no room for the new one"])
async def test_a_repair_that_fails_can_be_tried_again(small_disk: Path, copies: int) -> None:
    path = small_disk / "garden.sqlite3"
    content = bytearray(await filled(path, 300))
    hit = content.index(b"phase-100-")
    content[hit - hit % 4096 : hit - hit % 4096 + 4096] = b"\xa5" * 4096
    path.write_bytes(content)
    filler = small_disk / "filler"
    room = copies * len(content) + 16_384
    filler.write_bytes(b"x" * (shutil.disk_usage(small_disk).free - room))
    journal = await open_journal(path)
    assert journal.fault is not None
    assert path.read_bytes() == content
    with pytest.raises(JournalError):
        await journal.append([entry(1_000)])
    filler.unlink()
    await journal.append([entry(1_001)])
    kept = slots(await journal.open_session())
    assert kept[-2:] == [1_000, 1_001]
    assert len(kept) > 280
    await journal.close()


async def test_an_older_journal_is_brought_up_to_date(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "garden.sqlite3"
    await filled(path, 5)
    monkeypatch.setattr(
        "controller.journal_store.MIGRATIONS", (*MIGRATIONS, "ALTER TABLE notes ADD COLUMN extra TEXT;")
    )
    journal = await open_journal(path)
    assert journal.fault is None
    assert slots(await journal.open_session()) == list(range(5))
    await journal.close()
    with closing(sqlite3.connect(path)) as raw:
        assert raw.execute("PRAGMA user_version").fetchone() == (len(MIGRATIONS) + 1,)
