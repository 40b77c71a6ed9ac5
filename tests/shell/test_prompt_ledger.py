"""A prompt that a full disk could not journal goes out once: noted where there is room, or held back."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from core_records import a_start
from whole_room import MemoryJournal

from controller.core.score import Audience
from controller.core.session import PublishPrompt
from controller.errors import JournalError
from controller.journal import open_journal
from controller.prompt_ledger import PLACES, WIDTH, PromptLedger
from controller.room_writer import RoomWriter

SESSION = "5" * 32


def test_what_was_noted_is_known_to_the_next_daemon(tmp_path: Path) -> None:
    first = PromptLedger(tmp_path / "garden.prompts")
    first.prepare()
    assert first.note(SESSION, "c-1")
    assert first.note("another", "c-2")
    assert first.note(SESSION, "c-3")
    second = PromptLedger(first.path)
    second.prepare()
    assert second.noted(SESSION) == ("c-1", "c-3")
    assert second.note(SESSION, "c-4")
    assert PromptLedger(first.path).noted(SESSION) == ("c-1", "c-3", "c-4")


def test_the_file_never_grows_and_the_oldest_go_first(tmp_path: Path) -> None:
    ledger = PromptLedger(tmp_path / "garden.prompts")
    ledger.prepare()
    for number in range(PLACES + 3):
        assert ledger.note(SESSION, f"c-{number}")
    assert ledger.path.stat().st_size == PLACES * WIDTH
    assert {"c-0", "c-2"}.isdisjoint(ledger.noted(SESSION))
    assert f"c-{PLACES + 2}" in ledger.noted(SESSION)


def test_without_its_space_it_says_so(tmp_path: Path) -> None:
    ledger = PromptLedger(tmp_path / "not-there" / "garden.prompts")
    assert not ledger.note(SESSION, "c-1")
    assert ledger.noted(SESSION) == ()
    assert not ledger.note(SESSION, "c" * WIDTH)
    (tmp_path / "short").write_bytes(b"half")
    assert not PromptLedger(tmp_path / "short").note(SESSION, "c-1")


async def test_the_journal_keeps_it_beside_its_file(tmp_path: Path) -> None:
    journal = await open_journal(tmp_path / "garden.sqlite3")
    assert await journal.note_prompt(SESSION, "c-1")
    await journal.close()
    again = await open_journal(tmp_path / "garden.sqlite3")
    assert await again.noted_prompts(SESSION) == ("c-1",)
    await again.close()


@dataclass
class FullJournal(MemoryJournal):
    """A disk without room; ``noting``: what was noted all the same, if that was possible."""

    can_note: bool = True
    noting: list[str] = field(default_factory=list)

    async def append(self, records: object, checkpoint: object = None) -> None:
        del records, checkpoint
        raise JournalError("no space left on device")

    async def note_prompt(self, session_id: str, prompt_id: str) -> bool:
        del session_id
        self.noting.append(prompt_id)
        return self.can_note


@pytest.mark.parametrize(
    ("can_note", "by_score", "goes_out"),
    [(True, True, True), (False, True, False), (False, False, True), (True, False, True)],
)
async def test_a_prompt_on_a_full_disk(can_note: bool, by_score: bool, goes_out: bool) -> None:
    journal, out = FullJournal(can_note=can_note), []
    health: list[str | None] = []

    def publish(prompt: PublishPrompt) -> None:
        assert journal.noting == [prompt.prompt_id], "noted before it goes out"
        out.append(prompt.prompt_id)

    checkpoint: Callable[[], dict[str, object]] = dict
    writer = RoomWriter(journal, publish=publish, health=health.append, checkpoint=checkpoint)
    prompt = PublishPrompt("c-1", "breath", "Breathe.", Audience.CLIENT, 300, by_score)
    write = writer.put(1, SESSION, (a_start(SESSION),), (prompt,))
    await asyncio.wait_for(_both(writer.flush(), write.done), 30)
    assert not write.done.result()
    assert out == (["c-1"] if goes_out else [])
    assert any(line is not None and "held back" in line for line in health) is not goes_out


async def _both(first: Awaitable[None], second: Awaitable[bool]) -> None:
    await first
    await second


@dataclass
class LoggedJournal(MemoryJournal):
    """A good disk that takes a moment."""

    log: list[str] = field(default_factory=list)

    async def append(self, records: object, checkpoint: object = None) -> None:
        del records, checkpoint
        await asyncio.sleep(0)
        self.log.append("written")


async def test_a_prompt_goes_out_when_its_record_is_on_the_disk_and_once() -> None:
    journal = LoggedJournal()
    health: list[str | None] = []
    writer = RoomWriter(
        journal,
        publish=lambda prompt: journal.log.append(prompt.prompt_id),
        health=health.append,
        checkpoint=dict,
    )
    prompt = PublishPrompt("c-1", "breath", "Breathe.", Audience.CLIENT, 300, by_score=True)
    writer.put(1, SESSION, (a_start(SESSION),), (prompt,))
    await asyncio.wait_for(writer.flush(), 30)
    assert journal.log == ["written", "c-1"]
