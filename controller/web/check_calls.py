"""HTTP: the room check: begin it, look at it, answer what only a person can, break it off; and its page.

A check that runs is asked for again by whoever watches it: it changes once in a second at most.
"""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Request, Response
from pydantic import Field

from controller.check_store import as_json
from controller.core.room_check import Answer
from controller.errors import RefusedError
from controller.room_check import RoomCheck
from controller.web.access import Grant, Power
from controller.web.context import WebContext
from controller.web.pages import Pages
from controller.web.said import SaidError
from controller.wire import WireModel


class CheckBody(WireModel):
    """What to check: the music against ``profile``; ``skip`` leaves groups or lines out."""

    profile: str | None = Field(default=None, max_length=80)
    skip: tuple[Annotated[str, Field(max_length=160)], ...] = Field(default=(), max_length=50)
    ask: bool = Field(default=True, description="somebody is in the room to be asked")


class AnswerBody(WireModel):
    """A person's answer to the line that asks."""

    line: str = Field(max_length=160)
    answer: Answer


class CheckedLineView(WireModel):
    """One line; ``sentence`` and ``fields`` are its message for pages in other languages."""

    id: str
    group: str
    subject: str
    what: str
    outcome: str
    message: str
    sentence: str
    fields: dict[str, str | int]


class CheckView(WireModel):
    """A check: times are room time, Unix ms. ``running`` False and no lines: there was none yet."""

    room: str
    running: bool
    profile: str | None = None
    began_at_ms: int | None = None
    ended_at_ms: int | None = None
    lines: tuple[CheckedLineView, ...] = ()


def check_calls(context: WebContext) -> APIRouter:
    """Return the routes."""
    routes = APIRouter(tags=["room check"])
    pages = Pages(context)

    @routes.get("/rooms/{room}/check", include_in_schema=False)
    async def page(request: Request, room: str) -> Response:
        title = context.room(room).snapshot().title
        grant = context.grant_of(request)
        power = Power.INSTALL if grant is not None and grant.may(Power.INSTALL) else Power.PREPARE
        return pages.for_role(
            request,
            power,
            lambda grant: pages.page(request, "check.html", room=room, title=title, grant=grant),
        )

    _carry_out(context, routes)
    return routes


def check_of(context: WebContext, room: str) -> RoomCheck:
    """Return a room's check, or answer 404."""
    context.room(room)
    found = None if context.fitting is None else context.fitting.checks.get(room)
    if found is None:
        raise HTTPException(404, "this room cannot be checked from here")
    return found


def view(context: WebContext, room: str) -> CheckView:
    """Return the check that runs, or the last one that was kept."""
    check = check_of(context, room)
    found: dict[str, Any] | None = None
    if check.current is not None:
        found = as_json(check.current)
    elif context.fitting is not None:
        found = context.fitting.last_check(room)
    if found is None:
        return CheckView(room=room, running=False)
    return CheckView.model_validate({**found, "running": check.running})


def _carry_out(context: WebContext, routes: APIRouter) -> None:
    path = "/api/v1/rooms/{room}/check"

    def may_check(request: Request) -> Grant:
        grant = context.require_any(request)
        if not (grant.may(Power.PREPARE) or grant.may(Power.INSTALL)):
            raise SaidError(403, "the role {role} may not do this", role=str(grant.role))
        return grant

    @routes.get(path)
    async def look(room: str, _grant: Annotated[Grant, Depends(may_check)]) -> CheckView:
        """Return the check that runs, or the last one."""
        return view(context, room)

    @routes.post(path, status_code=201)
    async def begin(room: str, body: CheckBody, _grant: Annotated[Grant, Depends(may_check)]) -> CheckView:
        """Begin a check; two minutes at most. Refused in a session."""
        try:
            check_of(context, room).start(profile=body.profile, skip=body.skip, asks=body.ask)
        except RefusedError as error:
            raise SaidError.of(409, error) from None
        return view(context, room)

    @routes.post(f"{path}/answers")
    async def answer(room: str, body: AnswerBody, _grant: Annotated[Grant, Depends(may_check)]) -> CheckView:
        """Answer the line that asks."""
        try:
            check_of(context, room).answer(body.line, body.answer)
        except RefusedError as error:
            raise SaidError.of(409, error) from None
        return view(context, room)

    @routes.delete(path, status_code=204)
    async def break_off(room: str, _grant: Annotated[Grant, Depends(may_check)]) -> Response:
        """Break the running check off; what was not tried yet counts as skipped."""
        check_of(context, room).break_off()
        return Response(status_code=204)
