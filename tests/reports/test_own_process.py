"""From the daemon to a report: a process of its own, at the lowest priority; one clear line if it fails."""

import asyncio
from pathlib import Path

import pytest
from core_records import a_start

from controller.core.records import Record, SessionHeld
from controller.daemon.options import DEMO_SITE
from controller.errors import UserError
from controller.journal import journal_path, open_journal
from controller.reports.desk import Wanted
from controller.reports.own_process import ReportMaker


async def test_a_report_comes_from_a_process_beside_and_a_wrong_one_is_said(tmp_path: Path) -> None:
    session = "s" * 32
    journal = await open_journal(journal_path(tmp_path, "garden"))
    start = a_start(session)
    await journal.append((start, Record(start.at_ms + 5, "therapist:a", SessionHeld(), "c", session)))
    make = ReportMaker(tmp_path, DEMO_SITE)
    # The journal stays open meanwhile, as the daemon's does.
    made, wrong = await asyncio.gather(
        make("garden", session, Wanted("html", setting=True)),
        make("garden", "nobody", Wanted("csv")),
        return_exceptions=True,
    )
    await journal.close()
    assert not isinstance(made, BaseException), made
    assert b"<h1>The setting of a session</h1>" in made.content
    assert made.file_name == "setting-ssssssss.html"
    assert isinstance(wrong, UserError)
    with pytest.raises(UserError, match=r"^[^\n]*there is no session 'nobody' in the journal$"):
        raise wrong
