"""Answers: what a command was answered, so that its id again changes nothing; what one would change."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Final, TypeAlias
from uuid import UUID

from controller.core.refusal import Refused
from controller.core.score import PoolId
from controller.core.state import RoomState, SessionState
from controller.errors import RefusedError
from controller.wire import PlannedPhase, Preview, Refusal, Reply

REMEMBERED: Final = 512

MusicOf: TypeAlias = Callable[[PoolId], int | None]
"""How much music a pool holds, ms; None where it may come round for ever (our own generated pieces)."""


class Answers:
    """The last answers of a room, by command id. An id is carried out once, however often it comes."""

    def __init__(self) -> None:
        self._answers: OrderedDict[UUID, asyncio.Future[Reply]] = OrderedDict()

    def knows(self, command_id: UUID) -> bool:
        """Whether this id was answered, or is being carried out."""
        return command_id in self._answers

    async def once(self, command_id: UUID, carry_out: Callable[[], Awaitable[Reply]]) -> Reply:
        """Return the first answer to this id, carrying the command out if it is new."""
        first = self._answers.get(command_id)
        if first is not None:
            reply = await asyncio.shield(first)
            return reply.model_copy(update={"repeated": True})
        answer: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self._answers[command_id] = answer
        while len(self._answers) > REMEMBERED:
            self._answers.popitem(last=False)
        closing = RefusedError("cancelled", "the room was closing; the command was not answered")
        reply = refusal(command_id, closing, 0)
        try:
            reply = await carry_out()
        finally:
            answer.set_result(reply)
        return reply


def refusal(command_id: UUID, refused: Refused | RefusedError, revision: int) -> Reply:
    """Return the reply of a command that was not carried out."""
    return Reply(id=command_id, ok=False, refused=Refusal.of(refused), revision=revision)


def preview(state: RoomState, now_ms: int, music_ms: MusicOf) -> Preview | None:
    """Return how a session would go on from ``state``, None without a session.

    ``music_ms`` says how much music a pool holds.
    """
    session = state.session
    if session is None:
        return None
    stood = 0 if session.stopped_at_ms is None else max(now_ms - session.stopped_at_ms, 0)
    phases = tuple(
        PlannedPhase(
            phase=session.timeline.phase_of(index).phase_id, start_ms=slot.start_ms, length_ms=slot.length_ms
        )
        for index, slot in enumerate(session.timeline.slots)
    )
    ended = session.status == "ended"
    return Preview(
        planned_end_ms=now_ms if ended else session.room_ms(session.due_end_ms()) + stood,
        phases=phases,
        music_coverage_ms=None if ended else music_coverage_ms(session, now_ms, music_ms),
    )


def music_coverage_ms(session: SessionState, now_ms: int, music_ms: MusicOf) -> int:
    """Return for how much of what is planned from now on no piece has to come round again.

    It is careful: what was heard already is not taken off the pools, planned silences are counted as music.
    A pool that the client excluded holds nothing; a phase of silence needs nothing.
    """
    now, timeline = session.session_ms(now_ms), session.timeline
    needed: dict[PoolId, int] = {}
    for index in range(session.entered_slot, len(timeline.slots)):
        slot, pool = timeline.slots[index], timeline.phase_of(index).music.pool
        if pool is None:
            continue
        begins = max(slot.start_ms, now)
        holds = 0 if pool in session.sheet.excluded_pools else music_ms(pool)
        left = None if holds is None else max(holds - needed.get(pool, 0), 0)
        length = max(slot.end_ms - begins, 0)
        if left is not None and left < length:
            return begins + left - now
        needed[pool] = needed.get(pool, 0) + length
    return max(timeline.end_ms - now, 0)
