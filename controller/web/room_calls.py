"""HTTP: the rooms, one room's state and plan, and its commands.

A refused command answers with the same reply as an accepted one; only the status differs.
"""

from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Depends, HTTPException, Request
from fastapi.responses import JSONResponse, Response
from pydantic import Field, TypeAdapter

from controller.api import RoomApi
from controller.core.commands import SessionSheet
from controller.core.snapshot import Ribbon
from controller.errors import RefusedError
from controller.web.access import Grant, Power
from controller.web.context import WebContext
from controller.web.live import SNAPSHOTS
from controller.web.replies import carry_out, refusal, reply_response
from controller.wire import Refusal, Reply, WireModel, parse_command

_RIBBONS: Final = TypeAdapter(Ribbon)


class RoomLine(WireModel):
    """A room in the list of rooms."""

    room: str
    title: str
    session: str | None = Field(description="title of the profile that runs")
    status: Literal["running", "held", "asking", "ended"] | None
    faults: int


class SheetBody(WireModel):
    """What is agreed before the start. ``intention`` is free text and is kept with the notes."""

    touch: Literal["yes", "ask", "no"] = "ask"
    excluded_pools: tuple[Annotated[str, Field(max_length=64)], ...] = Field(default=(), max_length=64)
    excluded_tracks: tuple[Annotated[str, Field(max_length=200)], ...] = Field(default=(), max_length=500)
    words_allowed: bool = True
    present_roles: tuple[Annotated[str, Field(max_length=64)], ...] = Field(default=(), max_length=12)
    eyeshades_planned: bool = False
    headphones_planned: bool = False
    intention: str = Field(default="", max_length=2000)

    def sheet(self) -> SessionSheet:
        """The sheet without the free text."""
        return SessionSheet(**self.model_dump(exclude={"intention"}))


def _line(room: RoomApi) -> RoomLine:
    state = room.snapshot()
    session = state.session
    return RoomLine(
        room=room.room_id,
        title=state.title,
        session=session.title if session else None,
        status=session.status if session else None,
        faults=len(state.faults),
    )


def room_calls(context: WebContext) -> APIRouter:
    """Return the routes."""
    routes = APIRouter(prefix="/api/v1/rooms", tags=["rooms"])
    see = context.require(Power.SEE)
    control = context.require(Power.CONTROL)
    prepare = context.require(Power.PREPARE)

    @routes.get("")
    async def rooms(_grant: Annotated[Grant, Depends(see)]) -> list[RoomLine]:
        """List the rooms."""
        return [_line(room) for room in context.rooms.values()]

    @routes.get("/{room}", responses={200: {"description": "the state snapshot"}})
    async def state(room: str, _grant: Annotated[Grant, Depends(see)]) -> Response:
        """Return one room's state."""
        return Response(SNAPSHOTS.dump_json(context.room(room).snapshot()), media_type="application/json")

    @routes.get("/{room}/ribbon", responses={200: {"description": "the session's plan, for a drawing"}})
    async def ribbon(
        room: str, _grant: Annotated[Grant, Depends(see)], profile: str | None = None
    ) -> Response:
        """Return the plan of the running session, or of a profile in this room."""
        found = context.room(room).ribbon(profile)
        if found is None:
            raise HTTPException(404, "no session runs" if profile is None else "no such profile")
        return Response(_RIBBONS.dump_json(found), media_type="application/json")

    @routes.post("/{room}/commands", response_model=Reply, responses=_REFUSALS)
    async def command(room: str, request: Request, grant: Annotated[Grant, Depends(control)]) -> Response:
        """Carry out one command."""
        target = context.room(room)
        try:
            wanted = parse_command(await request.body())
        except RefusedError as error:
            return reply_response(refusal(error))
        return reply_response(await carry_out(target, wanted, grant.by))

    @routes.post("/{room}/sheet", status_code=204, responses={409: {"description": "a session runs"}})
    async def sheet(room: str, body: SheetBody, _grant: Annotated[Grant, Depends(prepare)]) -> Response:
        """Fill the session sheet before the start."""
        try:
            context.room(room).set_sheet(body.sheet(), body.intention)
        except RefusedError as error:
            return JSONResponse(Refusal.of(error).model_dump(), 409)
        return Response(status_code=204)

    return routes


_REFUSALS: Final[dict[int | str, dict[str, Any]]] = {
    409: {"model": Reply, "description": "refused; nothing changed"},
    422: {"model": Reply, "description": "not a command"},
}
