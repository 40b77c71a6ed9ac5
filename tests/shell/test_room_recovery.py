"""What a room remembers through a restart: what it was told at rest, and which commands it has had."""

from uuid import uuid4

import pytest
from whole_room import START_MS, MemoryJournal, WholeRoom, whole_room

from controller.core.records import Record
from controller.errors import JournalError
from playlists.catalogue import Pools

MIN = 60_000


def overridden(here: WholeRoom) -> list[str]:
    """The zones that somebody holds."""
    zones = here.room.snapshot().zones
    return [zone.zone for zone in zones if zone.overrides]


@pytest.mark.parametrize(("away_min", "kept"), [(1, True), (9, True), (12, False), (3 * 24 * 60, False)])
async def test_what_was_told_at_rest_is_kept_through_a_short_outage(away_min: int, kept: bool) -> None:
    journal = MemoryJournal()
    async with whole_room(Pools(), journal) as here:
        zone = here.room.snapshot().zones[0].zone
        told = await here.say("light", zone=zone, brightness=12)
        assert (told.ok, told.journaled) == (True, True)
        await here.wait(0.5)
    async with whole_room(Pools(), journal, START_MS + round((0.5 + away_min) * MIN)) as here:
        assert overridden(here) == ([zone] if kept else [])
        assert (await here.say("light_release", zone=zone)).ok


async def test_a_room_whose_session_has_just_ended_holds_its_light() -> None:
    journal = MemoryJournal()
    async with whole_room(Pools(), journal) as here:
        profile = here.room.profiles()[0].name
        await here.say("start", profile=profile)
        await here.say("light", brightness=12)
        await here.wait(1)
        await here.say("end", anyway=True)
    async with whole_room(Pools(), journal, START_MS + 3 * MIN) as here:
        assert overridden(here), "it was held when the session ended"
        assert here.room.snapshot().session is None or not here.room.in_session
        await here.wait(1)
        assert here.player.status().item_id is None, "nothing begins to play by itself"


async def test_a_command_that_an_earlier_daemon_carried_out_does_nothing_again() -> None:
    journal, start, dim = MemoryJournal(), str(uuid4()), str(uuid4())
    async with whole_room(Pools(), journal) as here:
        profile = here.room.profiles()[0].name
        await here.say("light", dim, brightness=12)
        await here.say("start", start, profile=profile)
        await here.say("end", anyway=True)
    records = len(journal.kept)
    async with whole_room(Pools(), journal, START_MS + 60 * MIN) as here:
        for again in (
            await here.say("start", start, profile=profile),
            await here.say("light", dim, brightness=12),
        ):
            assert (again.ok, again.repeated) == (True, True)
        assert not here.room.in_session, "a start that came again starts nothing"
    assert len(journal.kept) == records


class HalfDamaged(MemoryJournal):
    """A journal of which only the open session can be read."""

    async def newest_session(self) -> tuple[Record, ...]:
        raise JournalError("a row is not as it was written")

    async def open_session(self) -> tuple[Record, ...]:
        return tuple(self.kept)

    async def command_ids(self) -> tuple[str, ...]:
        raise JournalError("a row cannot be read")


async def test_a_damaged_row_outside_it_does_not_keep_a_session_from_going_on() -> None:
    journal = HalfDamaged()
    async with whole_room(Pools()) as here:
        await here.say("start", profile=here.room.profiles()[0].name)
        journal.kept = list(here.journal.kept)
    async with whole_room(Pools(), journal, START_MS + MIN) as here:
        assert here.room.in_session
