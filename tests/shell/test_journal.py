"""The journal keeps what it acknowledged, in order, whatever happens to the process or the disk."""

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest
import pytest_asyncio

from controller.core.commands import UNTIL_RELEASED, SessionSheet
from controller.core.light import Look, Mired
from controller.core.records import (
    CommandUndone,
    NoteTaken,
    PhaseEntered,
    Record,
    RecordBody,
    SessionEnded,
    SessionStarted,
    VolumeSet,
)
from controller.core.score import Score
from controller.errors import JournalError
from controller.journal import SqliteJournal, journal_path, open_journal
from controller.journal_store import MIGRATIONS, connect_for_writing
from controller.ports import Journal, SessionSummary, StoredNote

SCORE = Score("quiet", "Quiet room", reviewed=False, phases=(), resting={"path": Look(20.0, Mired(400.0))})


def started(session: str, at_ms: int = 1_000) -> Record:
    return Record(at_ms, "therapist", SessionStarted(session, SCORE, SessionSheet()), "c-start", session)


def step(session: str | None, number: int) -> Record:
    return Record(1_000 + number, "score", PhaseEntered(f"phase-{number}", number), None, session)


def record(session: str, at_ms: int, body: RecordBody, command_id: str | None = None) -> Record:
    return Record(at_ms, "therapist", body, command_id, session)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return journal_path(tmp_path, "garden")


@pytest_asyncio.fixture
async def journal(path: Path) -> AsyncIterator[SqliteJournal]:
    opened = await open_journal(path)
    yield opened
    await opened.close()


async def test_records_come_back_in_order_after_a_restart(path: Path) -> None:
    first: Journal = await open_journal(path)
    written = [started("s1"), *(step("s1", number) for number in range(300))]
    await first.append(written[:100])
    await asyncio.gather(*(first.append([each]) for each in written[100:]))
    await first.close()
    second = await open_journal(path)
    assert second.fault is None
    assert list(await second.records("s1")) == written
    assert list(await second.open_session()) == written
    assert await second.records("other") == ()
    assert await second.last_at_ms() == 1_299
    assert await second.missing_after("s1") is None
    await second.close()


async def test_only_its_owner_can_read_the_file(journal: SqliteJournal, path: Path) -> None:
    await journal.append([started("s1")])
    assert all(file.stat().st_mode & 0o077 == 0 for file in path.parent.iterdir())


async def test_sessions_are_listed_newest_first_and_the_open_one_is_found(journal: SqliteJournal) -> None:
    assert await journal.open_session() == ()
    await journal.append([started("s1"), record("s1", 9_000, SessionEnded("planned")), step(None, 1)])
    assert await journal.open_session() == ()
    await journal.append([started("s2", 20_000), step("s2", 2)])
    assert await journal.sessions() == (
        SessionSummary("s2", "quiet", "Quiet room", 20_000, None, unreviewed=True),
        SessionSummary("s1", "quiet", "Quiet room", 1_000, 9_000, unreviewed=True),
    )
    assert [each.body for each in await journal.open_session()] == [started("s2").body, step("s2", 2).body]


async def test_an_end_that_is_undone_opens_the_session_again(journal: SqliteJournal) -> None:
    await journal.append([started("s1"), record("s1", 9_000, SessionEnded("therapist"), "c-end")])
    await journal.append([record("s1", 9_500, CommandUndone("c-other"), "c-undo")])
    assert await journal.open_session() == ()
    await journal.append([record("s1", 9_600, CommandUndone("c-end"), "c-undo")])
    assert len(await journal.open_session()) == 4


async def test_notes_lie_apart_from_the_records(journal: SqliteJournal, path: Path) -> None:
    note = StoredNote("n1", "s1", 2_000, "tears", "a private sentence")
    await journal.append([started("s1"), record("s1", 2_000, NoteTaken("n1", "tears", has_text=True))])
    await journal.add_note(note)
    await journal.add_note(StoredNote("n1", "s1", 3_000, "tears", "something else"))
    assert await journal.notes("s1") == (note,)
    with closing(sqlite3.connect(path)) as raw:
        assert not [row for row in raw.execute("SELECT * FROM records") if "private" in str(row)]


async def test_a_checkpoint_is_the_last_one_saved(path: Path) -> None:
    first = await open_journal(path)
    assert await first.load_checkpoint("lamps") is None
    await first.save_checkpoint("lamps", '{"a": 1}')
    await first.save_checkpoint("lamps", '{"a": 2}')
    await first.close()
    second = await open_journal(path)
    assert await second.load_checkpoint("lamps") == '{"a": 2}'
    await second.close()


async def test_many_appends_share_a_flush(journal: SqliteJournal, path: Path) -> None:
    commits = list[str]()
    await journal.append([started("s1")])
    with closing(connect_for_writing(path)) as blocker:
        blocker.execute("BEGIN IMMEDIATE")  # the writer waits; meanwhile work gathers
        appends = [asyncio.ensure_future(journal.append([step("s1", number)])) for number in range(100)]
        await asyncio.wait(appends, timeout=0.2)
        assert not any(append.done() for append in appends)
        blocker.execute("COMMIT")
        for append in asyncio.as_completed(appends):
            await append
            commits.append("told")
    assert len(commits) == 100
    assert [each.body for each in (await journal.records("s1"))[1:]] == [
        step("s1", n).body for n in range(100)
    ]


async def test_a_record_that_cannot_be_written_fails_alone(journal: SqliteJournal) -> None:
    broken = record("s1", 5, PhaseEntered(object(), 1))  # type: ignore[arg-type]
    unreadable = record("s1", 5, VolumeSet("loud", UNTIL_RELEASED))  # type: ignore[arg-type]
    outcomes = await asyncio.gather(
        journal.append([started("s1")]),
        journal.append([broken]),
        journal.append([unreadable]),
        journal.append([step("s1", 1)]),
        return_exceptions=True,
    )
    assert [type(outcome) for outcome in outcomes] == [type(None), JournalError, JournalError, type(None)]
    assert len(await journal.records("s1")) == 2
    assert journal.fault is None


async def test_a_cancelled_caller_does_not_cancel_its_records(journal: SqliteJournal) -> None:
    task = asyncio.ensure_future(journal.append([started("s1")]))
    await asyncio.sleep(0)
    task.cancel()
    await journal.append([step("s1", 1)])
    assert len(await journal.records("s1")) == 2


async def test_a_closed_journal_says_so(path: Path) -> None:
    journal = await open_journal(path)
    await journal.close()
    await journal.close()
    with pytest.raises(JournalError, match="closed"):
        await journal.append([started("s1")])
    with pytest.raises(JournalError, match="closed"):
        await journal.sessions()


async def test_a_newer_programs_journal_is_left_alone(path: Path) -> None:
    await (await open_journal(path)).close()
    with closing(sqlite3.connect(path)) as raw:
        raw.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    before = path.read_bytes()
    journal = await open_journal(path)
    assert "newer Stillroom" in str(journal.fault)
    with pytest.raises(JournalError, match="newer Stillroom"):
        await journal.append([started("s1")])
    await journal.close()
    assert path.read_bytes() == before
    beside = path.with_suffix(".prompts")
    assert {file.name for file in path.parent.iterdir()} == {path.name, beside.name}


WRITER = """
import asyncio, sys
from pathlib import Path
from controller.core.records import PhaseEntered, Record
from controller.journal import open_journal

async def main():
    journal = await open_journal(Path(sys.argv[1]))
    number = int(sys.argv[2])
    async def one(number):
        await journal.append([Record(number, "score", PhaseEntered("p", number), None, "s1")])
        print(number, flush=True)
    while True:
        await asyncio.gather(*(one(number + each) for each in range(8)))
        number += 8

asyncio.run(main())
"""


@pytest.mark.real_time
async def test_every_acknowledged_record_survives_a_kill(path: Path) -> None:
    first = 0
    for kill_after in (1, 40, 90, 200, 350):
        process = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path), str(first)], stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        acknowledged = [int(process.stdout.readline()) for _ in range(kill_after)]
        os.kill(process.pid, signal.SIGKILL)
        acknowledged += [int(line) for line in process.stdout.read().split("\n")[:-1]]
        process.stdout.close()
        process.wait()
        journal = await open_journal(path)
        assert journal.fault is None
        kept = [each.body.slot for each in await journal.records("s1") if isinstance(each.body, PhaseEntered)]
        assert set(acknowledged) <= set(kept)
        assert len(kept) == len(set(kept))
        assert await journal.missing_after("s1") is None
        first = max(kept) + 1
        await journal.close()


async def test_the_newest_session_comes_with_what_was_told_since(tmp_path: Path) -> None:
    journal = await open_journal(tmp_path / "room.sqlite3")
    rest = Record(1, "therapist:a", VolumeSet(-3.0, UNTIL_RELEASED), "rest-1")
    assert await journal.newest_session() == ()
    await journal.append([rest])
    assert await journal.newest_session() == (rest,)
    first = [started("s1"), step("s1", 1)]
    second = [started("s2"), step("s2", 2), Record(9, "therapist:a", SessionEnded("anyway"), "end-2", "s2")]
    since = Record(10, "therapist:a", VolumeSet(-6.0, UNTIL_RELEASED), "rest-2")
    await journal.append([*first, *second, since])
    assert list(await journal.newest_session()) == [*second, since]
    ids = await journal.command_ids()
    assert ids[:2] == ("rest-2", "end-2")
    assert "rest-1" in ids
    await journal.close()
