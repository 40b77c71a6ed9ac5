"""All rooms' journals on a few threads: each in its own order, none waiting for another's disk for ever."""

import asyncio
import threading
from pathlib import Path

from core_records import a_start

from controller.core.records import NoteTaken, Record
from controller.journal import journal_path, open_journal
from controller.journal_threads import JournalThreads


def test_there_are_no_more_threads_than_allowed_and_none_before_it_is_needed() -> None:
    threads, done = JournalThreads(most=3), threading.Semaphore(0)
    assert threads.begun == 0
    for _ in range(50):
        threads.submit(done.release)
    for _ in range(50):
        assert done.acquire(timeout=30)
    assert 1 <= threads.begun <= 3


def test_a_job_that_hangs_leaves_the_others_a_thread() -> None:
    threads, hang, done = JournalThreads(most=2), threading.Event(), threading.Event()

    def wait() -> None:
        hang.wait(30)

    threads.submit(wait)
    threads.submit(done.set)
    assert done.wait(30)
    hang.set()


async def test_many_rooms_write_at_once_each_in_its_own_order(tmp_path: Path) -> None:
    before = {thread.name for thread in threading.enumerate()}
    journals = [await open_journal(journal_path(tmp_path, f"r{room}")) for room in range(12)]

    def note(room: int, number: int) -> Record:
        return Record(number, "therapist:a", NoteTaken(str(number), "laugh", False), None, f"s{room}")

    async with asyncio.TaskGroup() as group:
        for room, journal in enumerate(journals):
            await journal.append([a_start(f"s{room}")])
            for number in range(1, 21):
                group.create_task(journal.append([note(room, number)], ("room", str(number))))
    for room, journal in enumerate(journals):
        assert [record.at_ms for record in await journal.records(f"s{room}")] == list(range(21))
        assert await journal.load_checkpoint("room") == "20"
        assert await journal.missing_after(f"s{room}") is None
        await journal.close()
    new = {thread.name for thread in threading.enumerate()} - before
    assert sum(name.startswith("journal") for name in new) <= 3


async def test_what_was_given_before_the_end_is_written(tmp_path: Path) -> None:
    journal = await open_journal(journal_path(tmp_path, "garden"))
    await journal.append([a_start("s")])
    late = asyncio.create_task(journal.append([Record(9, "room", NoteTaken("n", "laugh", False), None, "s")]))
    await asyncio.sleep(0)
    await journal.close()
    await late
    again = await open_journal(journal_path(tmp_path, "garden"))
    assert [record.at_ms for record in await again.records("s")] == [0, 9]
    await again.close()
