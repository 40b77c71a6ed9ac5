"""HTTP: what can be chosen (profiles, presets, pools, prompts) and what has been (sessions, reports).

Reports carry no free text: notes live in their own table, and nothing here reads it.
"""

from collections.abc import Callable, Iterable
from typing import Annotated, Final

from fastapi import APIRouter, Depends, HTTPException
from fastapi.responses import Response
from pydantic import TypeAdapter

from controller.api import Named, RoomApi
from controller.core.records import Record
from controller.ports import SessionSummary
from controller.web.access import Grant, Power
from controller.web.context import WebContext
from controller.wire import WireModel

_RECORDS: Final = TypeAdapter(tuple[Record, ...])


class Choice(WireModel):
    """Something a tablet can offer."""

    name: str
    title: str
    detail: str
    reviewed: bool


class SessionLine(WireModel):
    """A session in the list; times are room time, Unix ms."""

    session_id: str
    room: str
    profile: str
    title: str
    started_at_ms: int
    ended_at_ms: int | None
    unreviewed: bool


def _choices(found: Iterable[Named]) -> list[Choice]:
    by_name = {item.name: item for item in found}
    return [
        Choice(name=item.name, title=item.title, detail=item.detail, reviewed=item.reviewed)
        for item in by_name.values()
    ]


def _session(room: RoomApi, summary: SessionSummary) -> SessionLine:
    return SessionLine(
        session_id=summary.session_id,
        room=room.room_id,
        profile=summary.profile_id,
        title=summary.title,
        started_at_ms=summary.started_at_ms,
        ended_at_ms=summary.ended_at_ms,
        unreviewed=summary.unreviewed,
    )


def list_calls(context: WebContext) -> APIRouter:
    """Return the routes. Each takes ``?room=``; without it every room's are listed."""
    routes = APIRouter(prefix="/api/v1", tags=["lists"])
    see = context.require(Power.SEE)
    report = context.require(Power.REPORT)

    def of(room: str | None) -> list[RoomApi]:
        return [context.room(room)] if room is not None else list(context.rooms.values())

    def offer(path: str, ask: Callable[[RoomApi], Iterable[Named]], what: str) -> None:
        async def choices(_grant: Annotated[Grant, Depends(see)], room: str | None = None) -> list[Choice]:
            return _choices(item for each in of(room) for item in ask(each))

        routes.add_api_route(path, choices, methods=["GET"], summary=what, name=path.strip("/"))

    offer("/profiles", lambda room: room.profiles(), "Profiles that can be started")
    offer("/presets", lambda room: room.presets(), "Presets (scenes) that can be taken")
    offer("/pools", lambda room: room.pools(), "Pools that music can come from")
    offer("/prompts", lambda room: room.prompts(), "Prompts that can be tapped, with their words")

    @routes.get("/sessions")
    async def sessions(
        _grant: Annotated[Grant, Depends(report)], room: str | None = None
    ) -> list[SessionLine]:
        """List past and present sessions, newest first."""
        lines = [_session(each, line) for each in of(room) for line in await each.sessions()]
        return sorted(lines, key=lambda line: line.started_at_ms, reverse=True)

    @routes.get("/sessions/{session_id}/report", responses={200: {"description": "the session's records"}})
    async def records(
        session_id: str, _grant: Annotated[Grant, Depends(report)], room: str | None = None
    ) -> Response:
        """Return one session's records in order, without free text."""
        for each in of(room):
            if any(line.session_id == session_id for line in await each.sessions()):
                found = await each.records(session_id)
                return Response(_RECORDS.dump_json(found), media_type="application/json")
        raise HTTPException(404, "no such session")

    return routes
