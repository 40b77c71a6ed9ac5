"""HTTP: a session's reports, made beside the daemon, handed over as files. Free text only when asked for."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Final, Literal, TypeAlias

from fastapi import APIRouter, Depends
from fastapi.responses import Response

from controller.errors import StillroomError
from controller.reports.desk import Report, Wanted
from controller.web.access import Grant, Power
from controller.web.context import WebContext
from controller.web.said import SaidError

MakeReport: TypeAlias = Callable[[str, str, Wanted], Awaitable[Report]]
"""Room, session and what is wanted to a finished report."""
Form: TypeAlias = Literal["html", "pdf", "svg", "json", "csv", "parquet"]
MAX_AT_ONCE: Final = 2
"""Reports being made at a time: each takes a second or two of a core."""


def report_calls(context: WebContext) -> APIRouter:
    """Return the routes; there are none where nothing makes reports."""
    routes = APIRouter(prefix="/api/v1", tags=["reports"])
    make = context.reports
    if make is None:
        return routes
    may_report = context.require(Power.REPORT)
    making = 0

    @routes.get(
        "/rooms/{room}/sessions/{session_id}/{kind}.{form}",
        response_class=Response,
        responses={200: {"description": "the report, as a file"}, 404: {"description": "no such session"}},
    )
    async def report(
        room: str,
        session_id: str,
        kind: Literal["timeline", "setting", "records"],
        form: Form,
        _grant: Annotated[Grant, Depends(may_report)],
        notes: bool = False,
    ) -> Response:
        """Return a session's timeline, setting report or records; ``notes``: with free text in a timeline."""
        nonlocal making
        lines = await context.room(room).sessions()
        if not any(line.session_id == session_id for line in lines):
            raise SaidError(404, "no such session")
        if making >= MAX_AT_ONCE:
            raise SaidError(429, "other reports are being made; try again in a moment")
        making += 1
        try:
            made = await make(room, session_id, Wanted(form, kind == "setting", notes and kind == "timeline"))
        except StillroomError as error:
            raise SaidError(422, "{error}", error=str(error)) from None
        finally:
            making -= 1
        shown = "inline" if form == "svg" else "attachment"
        headers = {
            "Content-Disposition": f'{shown}; filename="{made.file_name}"',
            "Cache-Control": "no-store",
        }
        return Response(made.content, media_type=made.media_type, headers=headers)

    return routes
