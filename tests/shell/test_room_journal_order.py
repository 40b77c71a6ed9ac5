"""What a room journals comes in the order it happened, whatever its parts report meanwhile."""

from whole_room import whole_room

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
