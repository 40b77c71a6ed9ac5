"""What a room journals comes in the order it happened, whatever its parts report meanwhile."""

import itertools
from collections.abc import Mapping

import pytest
from whole_room import whole_room

from controller.core.curves import Curve
from controller.core.envelope import Authority
from playlists.catalogue import Pools


async def test_a_fault_that_a_start_brings_to_light_is_written_after_the_start() -> None:
    async with whole_room(Pools()) as here:
        reply = await here.say("start", profile="quiet-room")
        assert reply.ok, reply
        await here.wait(0.1)
        kinds = [record.body.kind for record in here.journal.kept]
        assert kinds[:2] == ["session_started", "phase_entered"]
        assert "fault_raised" in kinds
        assert [record.at_ms for record in here.journal.kept] == sorted(r.at_ms for r in here.journal.kept)


async def test_a_word_without_a_fade_keeps_the_persons_lane_though_a_millisecond_passes_meanwhile(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The clock may move between the step and what follows from it: the word is hers all the same."""
    async with whole_room(Pools()) as here:
        assert (await here.say("start", profile="quiet-room")).ok
        await here.wait(1)
        lanes: list[set[Authority]] = []
        follow = here.room._parts.desk.follow

        def followed(curves: Mapping[str, Curve], authority: Mapping[str, Authority]) -> None:
            lanes.append(set(authority.values()))
            follow(curves, authority)

        monkeypatch.setattr(here.room._parts.desk, "follow", followed)
        real, ticks = here.clock.now_ms, itertools.count()
        monkeypatch.setattr(here.clock, "now_ms", lambda: real() + next(ticks))
        await here.say("light", brightness=60, kelvin=2600, fade_s=0)
        assert lanes[-1] == {Authority.THERAPIST}
