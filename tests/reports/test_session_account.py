"""A session's account, of a real room in virtual time; every number again from the journal in another way."""

import json
import re
import sqlite3
from collections.abc import AsyncIterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from whole_room import WholeRoom, whole_room

from controller.core.records import FaultCleared, FaultRaised, Record
from controller.daemon.music import pieces_to_come
from controller.journal import journal_path
from controller.journal_store import AddNote, connect_for_writing, prepare_record, write_all
from controller.reports.account import Account
from controller.reports.book import books_in
from controller.reports.desk import ReportDesk, Wanted
from controller.reports.room_card import RoomCard
from playlists.music_library import load_pools

MARK = "MARKED-FREE-TEXT the sea"
MINUTE = 60_000


def write_down(folder: Path, here: WholeRoom) -> None:
    path = journal_path(folder, "garden")
    connection = connect_for_writing(path)
    write_all(connection, [prepare_record(record) for record in here.journal.kept])
    write_all(connection, [AddNote(note) for note in here.journal.notes_kept])
    connection.close()


async def lived(here: WholeRoom) -> str:
    """A psilocybin session with everything that a report tells of; ends by itself. Returns its id."""
    assert (await here.say("start", profile="psilocybin")).ok
    await here.wait(20)
    await here.say("anchor", anchor="dose")
    await here.say("light", zone="bedside", brightness=30.0)
    await here.wait(12)
    await here.say("note", chip="touch_asked")
    await here.say("note", chip="", text=MARK)
    await here.say("light_release", zone="bedside")
    await here.wait(20)
    await here.say("hold")
    await here.wait(15)
    await here.say("resume")
    await here.say("eyeshades", on=True)
    await here.wait(30)
    here.room.part_health("lights.hue", "the bridge does not answer")
    await here.wait(4)
    here.room.part_health("lights.hue", None)
    await here.say("extend", minutes=10)
    await here.say("skip_track")
    await here.wait(1)
    await here.say("silence", minutes=5)
    await here.wait(60)
    await here.say("scene", scene="path")
    await here.wait(6)
    await here.say("scene_release", scene="path")
    await here.say("eyeshades", on=False)
    await here.say("next_phase")
    await here.wait(30)
    await here.say("prompt", prompt="feet")
    await here.wait(450)
    session = here.room.snapshot().session
    assert session is not None
    assert session.status == "ended"
    return session.session_id


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def told(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[Path, str]]:
    folder = tmp_path_factory.mktemp("told")
    async with whole_room(load_pools(folder, pieces_to_come(folder / "music"))) as here:
        session = await lived(here)
        write_down(folder, here)
    yield folder, session


def desk_of(folder: Path) -> ReportDesk:
    return ReportDesk(books_in(folder), {"garden": RoomCard(nature="A window on an oak.")})


def raw(folder: Path, session: str) -> list[dict[str, Any]]:
    """The journal's rows, read without any code of ours."""
    connection = sqlite3.connect(journal_path(folder, "garden"))
    rows = connection.execute("SELECT record FROM records WHERE session_id = ? ORDER BY seq", (session,))
    found = [json.loads(text) for (text,) in rows]
    connection.close()
    return found


class Tables(HTMLParser):
    """Every table of a page by the heading before it, as rows of texts; and all its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tables: dict[str, list[list[str]]] = {}
        self.text = ""
        self._heading, self._in_heading, self._cell = "", False, False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self._in_heading = self._in_heading or tag == "h2"
        if tag == "h2":
            self._heading = ""
        if tag == "tr":
            self.tables.setdefault(self._heading, []).append([])
        if tag == "td":
            self._cell = True
            self.tables[self._heading][-1].append("")

    def handle_endtag(self, tag: str) -> None:
        self._in_heading = self._in_heading and tag != "h2"
        self._cell = self._cell and tag != "td"

    def handle_data(self, data: str) -> None:
        self.text += data
        if self._in_heading:
            self._heading += data
        if self._cell:
            self.tables[self._heading][-1][-1] += data

    def rows(self, heading: str) -> list[list[str]]:
        return [row for row in self.tables.get(heading, []) if row]


def clock(ms: int) -> str:
    seconds = ms // 1000
    return f"{seconds // 3600}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"


def minutes(ms: int) -> str:
    return f"{round(ms / MINUTE, 1):g} min"


def test_the_shares_make_up_the_whole_and_are_the_journal_s(told: tuple[Path, str]) -> None:
    folder, session = told
    account = desk_of(folder).account("garden", session)
    assert account.shares.whole_ms == account.span.length_ms
    rows = raw(folder, session)
    stopped = {"session_held": 0, "session_resumed": 0}
    for row in rows:
        kind = row["body"]["kind"]
        if kind in stopped:
            stopped[kind] += int(row["at_ms"])
    assert account.shares.held_ms == stopped["session_resumed"] - stopped["session_held"]
    assert 14.9 * MINUTE < account.shares.held_ms < 15.1 * MINUTE


def test_every_number_of_the_page_is_the_journal_s(told: tuple[Path, str]) -> None:
    folder, session = told
    page = Tables(desk_of(folder).report("garden", session, Wanted("html")).content.decode())
    rows = raw(folder, session)
    start = int(rows[0]["at_ms"])
    end = max(int(row["at_ms"]) for row in rows if row["body"]["kind"] == "session_ended")

    def of(kind: str) -> list[dict[str, Any]]:
        return [row for row in rows if row["body"]["kind"] == kind]

    phases = of("phase_entered")
    ends = [*(int(row["at_ms"]) for row in phases[1:]), end]
    planned = {p["phase_id"]: p for p in rows[0]["body"]["score"]["phases"]}
    assert [row[:4] for row in page.rows("Phases")] == [
        [
            clock(row["at_ms"] - start),
            planned[row["body"]["phase"]]["title"],
            minutes(until - row["at_ms"]),
            minutes(planned[row["body"]["phase"]]["length_ms"]),
        ]
        for row, until in zip(phases, ends, strict=True)
    ]
    tracks = of("track_started")
    ends = [*(row["at_ms"] for row in tracks[1:]), end]
    assert len(tracks) > 30
    assert [row[:4] for row in page.rows("What was heard")] == [
        [
            clock(row["at_ms"] - start),
            row["body"]["title"],
            row["body"]["artist"],
            minutes(until - row["at_ms"]),
        ]
        for row, until in zip(tracks, ends, strict=True)
    ]
    skips = [row["at_ms"] for row in of("track_skipped")]
    assert [clock(max(row["at_ms"] for row in tracks if row["at_ms"] <= skip) - start) for skip in skips] == [
        row[0] for row in page.rows("What was heard") if row[4] == "skipped"
    ]
    moments = {
        "note_taken",
        "anchor_marked",
        "session_held",
        "session_resumed",
        "phase_extended",
        "phase_jumped",
        "track_skipped",
        "scene_taken",
        "eyeshades_changed",
        "headphones_changed",
        "command_undone",
    }
    assert [row[0] for row in page.rows("Noted and done")] == [
        clock(row["at_ms"] - start) for row in rows if row["body"]["kind"] in moments
    ]
    assert [row[0] for row in page.rows("Words and cards")] == [
        clock(row["at_ms"] - start) for row in of("prompt_cued")
    ]
    said = dict(re.findall(r"(as designed|in a person's hand|held) ([\d.]+) min", page.text))
    whole = sum(float(value) for value in said.values())
    assert whole == pytest.approx((end - start) / MINUTE, abs=0.2)
    disturbances = page.rows("Disturbances of our own making")
    hue = next(row for row in disturbances if "lights.hue" in row[2])
    raised = next(r for r in of("fault_raised") if r["body"]["part"] == "lights.hue")
    cleared = next(r for r in of("fault_cleared") if r["body"]["part"] == "lights.hue")
    assert hue[0] == clock(raised["at_ms"] - start)
    assert hue[1] == f"{(cleared['at_ms'] - raised['at_ms']) / 1000:.0f} s"
    in_hand = {row[2]: row[:2] for row in page.rows("As designed, in hand, held")}
    taken, given = of("light_held")[0], of("light_released")[0]
    assert in_hand["light bedside brightness"] == [clock(x["at_ms"] - start) for x in (taken, given)]
    assert set(in_hand) == {"light bedside brightness", "silence", "scene path"}


def test_free_text_is_only_in_a_timeline_with_notes(told: tuple[Path, str]) -> None:
    folder, session = told
    desk = desk_of(folder)
    for form in ("html", "svg", "json", "csv", "parquet"):
        for setting in (False, True):
            content = desk.report("garden", session, Wanted(form, setting)).content
            assert b"MARKED" not in content, form
            assert b"tablet by the window" not in content, form
    assert MARK.encode() in desk.report("garden", session, Wanted("html", with_notes=True)).content
    assert b"MARKED" not in desk.report("garden", session, Wanted("html", True, True)).content


def test_a_paper_asks_for_nothing_and_runs_nothing(told: tuple[Path, str]) -> None:
    folder, session = told
    for setting in (False, True):
        page = desk_of(folder).report("garden", session, Wanted("html", setting)).content.decode()
        assert "<script" not in page
        assert not re.search(r"(src|href)\s*=|url\((?!#)|@import", page)
        assert set(re.findall(r"https?://[^\s\"<]+", page)) <= {"http://www.w3.org/2000/svg"}


def test_a_paper_becomes_pdf(told: tuple[Path, str]) -> None:
    folder, session = told
    assert desk_of(folder).report("garden", session, Wanted("pdf")).content.startswith(b"%PDF-")


def test_the_setting_report_says_what_it_knows_and_from_where(told: tuple[Path, str]) -> None:
    folder, session = told
    page = desk_of(folder).report("garden", session, Wanted("html", setting=True)).content.decode()
    numbers = re.findall(r"<h3>(\d+)\.", page)
    assert numbers == [str(n) for n in range(1, 18)]
    assert 'A window on an oak. <span class="source">(room card)</span>' in page
    assert "dose: 0:20 after the start." in page
    assert "the bridge does not answer" in page
    assert "Eyeshades on for 101 min." in page


def test_parquet_and_csv_hold_every_record(told: tuple[Path, str]) -> None:
    import io

    from pyarrow import parquet

    folder, session = told
    desk, rows = desk_of(folder), raw(told[0], session)
    table = parquet.read_table(io.BytesIO(desk.report("garden", session, Wanted("parquet")).content))
    assert table.column("at_ms").to_pylist() == [row["at_ms"] for row in rows]
    assert table.column("kind").to_pylist() == [row["body"]["kind"] for row in rows]
    lines = desk.report("garden", session, Wanted("csv")).content.decode().splitlines()
    assert len(lines) == len(rows) + 1


def account(records: list[Record], standing: tuple[Record, ...] = ()) -> Account:
    from controller.reports.working_out import account_of

    return account_of("garden", records, standing)


def test_a_fault_from_before_the_start_is_told_from_the_start() -> None:
    from core_records import a_start

    start = a_start("s" * 32)
    at = start.at_ms
    standing = (
        Record(at - 900, "room", FaultRaised("mqtt", "no broker")),
        Record(at - 800, "room", FaultRaised("player", "stopped")),
        Record(at - 700, "room", FaultCleared("player")),
    )
    told = account([start, Record(at + 5_000, "room", FaultCleared("mqtt"), None, "s" * 32)], standing)
    assert [(d.what, d.span.start_ms - at, d.span.length_ms) for d in told.disturbances] == [
        ("mqtt: no broker", 0, 5_000)
    ]
    assert told.ended == "not ended"
