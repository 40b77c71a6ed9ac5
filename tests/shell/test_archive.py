"""The archive in a real PostgreSQL: cut off, caught up, equal; deleted sessions gone; never a note in it."""

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from core_records import a_start
from postgres import Postgres

from controller.archive import Archive, ArchiveError, read_url
from controller.core.records import Record, SessionEnded, SessionHeld, SessionResumed
from controller.errors import UserError
from controller.journal import journal_path, open_journal
from controller.ports import StoredNote
from controller.retention import delete_session

ROOMS = ("garden", "attic")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    found = Postgres(tmp_path_factory.mktemp("postgres"))
    found.start()
    yield found
    with suppress(AssertionError):
        found.stop()


def live(data: Path, room: str, session: str, minutes: int, *, ended: bool = True) -> None:
    """An hour or so of a room, in records."""

    async def write() -> None:
        journal = await open_journal(journal_path(data, room))
        start = a_start(session)
        records = [Record(start.at_ms, start.by, start.body, start.command_id, session)]
        for minute in range(1, minutes):
            body = SessionHeld() if minute % 2 else SessionResumed()
            at = start.at_ms + minute * 60_000
            records.append(Record(at, "therapist:tablet", body, f"{session}-{minute}", session))
        if ended:
            records.append(
                Record(start.at_ms + minutes * 60_000, "score", SessionEnded("planned"), None, session)
            )
        await journal.append(records)
        await journal.add_note(StoredNote(f"n-{session}", session, start.at_ms, "", "MARKED free text"))
        await journal.close()

    asyncio.run(write())


def kept(data: Path) -> set[tuple[str, str, str]]:
    """Every record in the journals, read without code of ours."""
    found = set()
    for room in ROOMS:
        path = journal_path(data, room)
        if path.exists():
            rows = sqlite3.connect(path).execute("SELECT session_id, record FROM records")
            found |= {(room, session, record) for session, record in rows}
    return found


def archived(server: Postgres, site: str) -> tuple[list[tuple[str, str, str]], list[tuple[str, bool]], str]:
    """Every record and session in the database, read without code of ours; and all of it as text."""
    import psycopg

    with psycopg.connect(server.url.replace("+psycopg", "")) as connection:
        records = connection.execute(
            "SELECT room, session_id, record FROM stillroom_records WHERE site = %s ORDER BY number", (site,)
        ).fetchall()
        sessions = connection.execute(
            "SELECT session_id, ended_at_ms IS NOT NULL FROM stillroom_sessions WHERE site = %s", (site,)
        ).fetchall()
    return records, sorted(sessions), repr((records, sessions))


def archive_of(server: Postgres, data: Path, site: str) -> Archive:
    return Archive(server.url, site, data / "archive")


def journals(data: Path) -> dict[str, Path]:
    return {room: journal_path(data, room) for room in ROOMS if journal_path(data, room).exists()}


def test_cut_off_for_an_hour_of_sessions_then_complete_and_equal(server: Postgres, tmp_path: Path) -> None:
    archive = archive_of(server, tmp_path, "one")
    live(tmp_path, "garden", "a" * 32, 60)
    assert archive.feed(journals(tmp_path)).records == 61
    server.stop()
    for number in range(3):
        live(tmp_path, "garden", f"{number}" * 32, 400)
        live(tmp_path, "attic", f"x{number}" * 16, 50)
        with pytest.raises(ArchiveError, match="the archive is away"):
            archive.feed(journals(tmp_path))
    live(tmp_path, "attic", "e" * 32, 30, ended=False)
    server.start()
    archive.feed(journals(tmp_path))
    records, sessions, everything = archived(server, "one")
    assert set(records) == kept(tmp_path)
    assert len(records) == len(kept(tmp_path)) == 61 + 3 * 401 + 3 * 51 + 30
    assert len(sessions) == 8
    assert dict(sessions)["e" * 32] is False
    assert "MARKED" not in everything
    assert archive.feed(journals(tmp_path)).records == 0, "nothing is sent twice"
    archive.close()


def test_a_lost_cursor_sends_again_and_doubles_nothing(server: Postgres, tmp_path: Path) -> None:
    archive = archive_of(server, tmp_path, "two")
    live(tmp_path, "garden", "a" * 32, 30)
    archive.feed(journals(tmp_path))
    (tmp_path / "archive" / "garden.json").write_text("{damaged")
    archive.feed(journals(tmp_path))
    assert len(archived(server, "two")[0]) == 31
    archive.close()


def test_a_journal_made_anew_is_taken_from_its_beginning(server: Postgres, tmp_path: Path) -> None:
    archive = archive_of(server, tmp_path, "three")
    live(tmp_path, "garden", "a" * 32, 50)
    archive.feed(journals(tmp_path))
    for file in journal_path(tmp_path, "garden").parent.glob("garden*"):
        file.unlink()
    live(tmp_path, "garden", "b" * 32, 5)
    archive.feed(journals(tmp_path))
    records = archived(server, "three")[0]
    assert len(records) == 51 + 6, "what the archive had before a loss it keeps"
    archive.close()


def test_a_deleted_session_leaves_the_archive_too(server: Postgres, tmp_path: Path) -> None:
    archive = archive_of(server, tmp_path, "four")
    live(tmp_path, "garden", "a" * 32, 30)
    live(tmp_path, "garden", "b" * 32, 30)
    archive.feed(journals(tmp_path))
    delete_session(journal_path(tmp_path, "garden"), "a" * 32)
    assert archive.feed(journals(tmp_path)).deleted == 1
    live(tmp_path, "garden", "c" * 32, 10)
    assert archive.feed(journals(tmp_path)).records == 11
    records, sessions, everything = archived(server, "four")
    assert "a" * 32 not in everything
    assert len(records) == 31 + 11
    assert [session for session, _ in sessions] == ["b" * 32, "c" * 32]
    archive.close()


def test_an_address_is_a_secret(tmp_path: Path) -> None:
    file = tmp_path / "url"
    file.write_text("postgresql+psycopg://u:hush@db/x\n")
    file.chmod(0o644)
    with pytest.raises(UserError, match="chmod 600"):
        read_url(file)
    file.chmod(0o600)
    assert read_url(file).endswith("@db/x")
    odd = Archive("nosuch://u:hush@db/x", "s", tmp_path)
    with pytest.raises(UserError) as found:
        odd.feed({})
    assert "hush" not in str(found.value)
    away = Archive("postgresql+psycopg://u:hush@127.0.0.1:1/x", "s", tmp_path)
    with pytest.raises(ArchiveError) as refused:
        away.feed({})
    assert "hush" not in str(refused.value)
