"""A deleted session is gone from records, notes, list and file; an open one stays; an old one stays ended."""

import asyncio
from pathlib import Path

import pytest
from core_records import a_start

from controller.audit import audit_log
from controller.cli.application import app
from controller.core.records import Record, SessionEnded, SessionHeld
from controller.errors import UserError
from controller.journal import journal_path, open_journal
from controller.ports import StoredNote
from controller.retention import MS_PER_DAY, delete_session, deleted_sessions, sessions_older_than

OLD, NEW, OPEN = "a" * 32, "b" * 32, "c" * 32
MARK = "MARKED she spoke of the sea"


async def fill(folder: Path, *sessions: tuple[str, int, bool]) -> Path:
    path = journal_path(folder, "garden")
    journal = await open_journal(path)
    for session, at_ms, ended in sessions:
        start = a_start(session)
        records = [Record(at_ms, start.by, start.body, start.command_id, session)]
        records.append(Record(at_ms + 5, "therapist:a", SessionHeld(), f"hold-{session}", session))
        if ended:
            records.append(Record(at_ms + 9, "score", SessionEnded("planned"), None, session))
        await journal.append(records)
        await journal.add_note(StoredNote(f"n-{session}", session, at_ms, "", f"{MARK} {session}"))
    await journal.close()
    return path


def test_nothing_of_a_deleted_session_is_left_in_the_file(tmp_path: Path) -> None:
    path = asyncio.run(fill(tmp_path, (OLD, 1_000, True), (NEW, 2_000, True)))
    gone = delete_session(path, OLD)
    assert (gone.records, gone.notes) == (3, 1)
    left = b"".join(file.read_bytes() for file in path.parent.glob("garden.sqlite3*"))
    assert OLD.encode() not in left
    assert f"{MARK} {NEW}".encode() in left
    assert deleted_sessions(path) == {OLD}

    async def read() -> None:
        journal = await open_journal(path)
        assert await journal.records(OLD) == ()
        assert len(await journal.records(NEW)) == 3
        assert [line.session_id for line in await journal.sessions()] == [NEW]
        await journal.close()

    asyncio.run(read())


def test_a_session_that_has_not_ended_stays(tmp_path: Path) -> None:
    path = asyncio.run(fill(tmp_path, (OLD, 1_000, True), (OPEN, 2_000, False)))
    with pytest.raises(UserError, match="has not ended"):
        delete_session(path, OPEN)
    with pytest.raises(UserError, match="no session"):
        delete_session(path, "nobody")
    assert [line.session_id for line in sessions_older_than(path, 1, 9 * MS_PER_DAY)] == [OLD]
    assert deleted_sessions(path) == frozenset()


def test_a_session_left_long_ago_does_not_come_to_life_when_later_ones_go(tmp_path: Path) -> None:
    path = asyncio.run(fill(tmp_path, (OLD, 1_000, False), (NEW, 2_000, True)))
    delete_session(path, NEW)

    async def read() -> None:
        journal = await open_journal(path)
        assert await journal.open_session() == ()
        await journal.close()

    asyncio.run(read())


def test_the_daemon_s_own_writing_goes_on_beside_a_deletion(tmp_path: Path) -> None:
    path = asyncio.run(fill(tmp_path, (OLD, 1_000, True), (OPEN, 2_000, False)))

    async def write() -> None:
        journal = await open_journal(path)
        await journal.append((Record(2_100, "therapist:a", SessionHeld(), "x", OPEN),))
        await asyncio.to_thread(delete_session, path, OLD)
        await journal.append((Record(2_200, "therapist:a", SessionHeld(), "y", OPEN),))
        assert len(await journal.records(OPEN)) == 4
        assert journal.fault is None
        await journal.close()

    asyncio.run(write())


def test_the_command_line_deletes_expires_and_says_so_in_the_audit_log(tmp_path: Path) -> None:
    from typer.testing import CliRunner

    asyncio.run(fill(tmp_path, (OLD, 1_000, True), (NEW, 2_000, True), (OPEN, 3_000, False)))
    damaged = journal_path(tmp_path, "garden").with_name("garden.sqlite3.damaged-1")
    damaged.write_bytes(b"old")
    run, data = CliRunner(), f"--data={tmp_path}"
    answer = run.invoke(app, ["sessions", "delete", OLD[:6], "--yes", data])
    assert answer.exit_code == 0, answer.output
    assert "deleted 3 records and 1 notes" in answer.output
    answer = run.invoke(app, ["sessions", "expire", "--days", "30", data])
    assert "1 sessions older than 30 days deleted" in answer.output
    assert damaged.exists()  # set aside a moment ago
    assert OPEN in run.invoke(app, ["sessions", "list", data]).output
    assert [line.what for line in audit_log(tmp_path).lines()] == ["session deleted", "session expired"]
    assert "all 2 lines are as they were written" in run.invoke(app, ["audit", "verify", data]).output
    answer = run.invoke(app, ["sessions", "delete", OPEN, "--yes", data])
    assert isinstance(answer.exception, UserError)
