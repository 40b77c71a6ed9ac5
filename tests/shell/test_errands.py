"""Errands run as processes of their own, after a while, and again; none that the site does not ask for."""

import asyncio
from pathlib import Path

from core_records import a_start

from controller.audit import audit_log
from controller.clock import ManualClock
from controller.core.records import Record, SessionEnded
from controller.daemon.errands import EVERY_DAY_MS, FIRST_MS, Errands
from controller.daemon.options import DEMO_SITE
from controller.journal import journal_path, open_journal
from profiles.catalogue import load_site


async def fill(data: Path, session: str) -> None:
    journal = await open_journal(journal_path(data, "garden"))
    start = a_start(session)
    await journal.append((Record(1, start.by, start.body, start.command_id, session),))
    await journal.append((Record(9, "score", SessionEnded("planned"), None, session),))
    await journal.close()


async def until_lines(data: Path, count: int) -> None:
    async with asyncio.timeout(60):
        while len(audit_log(data).lines()) < count:
            await asyncio.sleep(0.05)


async def test_old_sessions_go_a_minute_after_the_start_and_every_day(tmp_path: Path) -> None:
    site_file = tmp_path / "site.yaml"
    site_file.write_text(DEMO_SITE.read_text(encoding="utf-8") + "retention_days: 30\n", encoding="utf-8")
    clock, data = ManualClock(1_790_000_000_000), tmp_path / "data"
    await fill(data, "a" * 32)
    errands = Errands(load_site(site_file).site, site_file, data, clock)
    running = asyncio.ensure_future(errands.run())
    await clock.settle()
    await clock.run_until(clock.now_ms() + FIRST_MS - 1)
    assert audit_log(data).lines() == ()
    await clock.run_until(clock.now_ms() + 2)
    await until_lines(data, 1)
    await fill(data, "b" * 32)
    # The first errand's process may still be ending: its wait begins when it has.
    async with asyncio.timeout(60):
        while len(audit_log(data).lines()) < 2:
            await clock.run_until(clock.now_ms() + EVERY_DAY_MS)
            await asyncio.sleep(0.2)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_a_site_that_asks_for_none_has_none(tmp_path: Path) -> None:
    errands = Errands(load_site(DEMO_SITE).site, DEMO_SITE, tmp_path, ManualClock(0))
    await asyncio.wait_for(errands.run(), 30)
