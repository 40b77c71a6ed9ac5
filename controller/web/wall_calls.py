"""The front desk's wall: a page and its one call, in the daemon and as a program of its own.

It shows nothing of the client and commands nothing. The program of its own serves this machine alone.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Final, Literal

from fastapi import APIRouter, Depends, FastAPI, Request, Response
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.staticfiles import StaticFiles

from controller.ports import Clock
from controller.wall import WallLine, lines_of
from controller.web.access import Grant, Power
from controller.web.context import WebContext
from controller.web.guard import Guard
from controller.web.pages import STATIC_DIR, TEMPLATE_DIR, Pages
from controller.web.words import choose, load_languages
from controller.wire import WireModel

LOOPBACK: Final = ("127.0.0.1", "localhost")


class WallRow(WireModel):
    """One room on the wall; times are room time, Unix ms."""

    room: str
    title: str
    link: Literal["online", "offline", "silent"]
    session: Literal["none", "running", "held", "asking", "ended"]
    phase: str
    planned_end_ms: int | None
    faults: tuple[str, ...]


class Wall(WireModel):
    """The wall now. ``problem`` says why news may be missing, or is null."""

    now_ms: int
    rooms: tuple[WallRow, ...]
    problem: str | None = None


def _wall(now_ms: int, lines: tuple[WallLine, ...], problem: str | None = None) -> Wall:
    rows = tuple(
        WallRow(
            room=line.room,
            title=line.title,
            link=line.link,
            session=line.session,
            phase=line.phase,
            planned_end_ms=line.planned_end_ms,
            faults=line.faults,
        )
        for line in lines
    )
    return Wall(now_ms=now_ms, rooms=rows, problem=problem)


def wall_calls(context: WebContext) -> APIRouter:
    """Return the routes of the daemon's own wall."""
    routes = APIRouter()
    pages = Pages(context)

    @routes.get("/api/v1/wall")
    async def wall(_: Grant = Depends(context.require(Power.WALL))) -> Wall:  # noqa: B008 - FastAPI's way
        """Return every room's stage, phase, planned end and faults; nothing of the client."""
        return _wall(context.clock.now_ms(), lines_of(room.snapshot() for room in context.rooms.values()))

    @routes.get("/wall", include_in_schema=False)
    async def page(request: Request) -> Response:
        return pages.for_role(request, Power.WALL, lambda _grant: pages.page(request, "wall.html"))

    return routes


def create_wall_app(
    lines: Callable[[], tuple[WallLine, ...]], problem: Callable[[], str | None], clock: Clock
) -> FastAPI:
    """Return the app of ``stillroom wall``: the same page for this machine's own browser, no token."""
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    app.add_middleware(Guard)
    # Another site's page must not reach it by a name of its own that leads here.
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=list(LOOPBACK), www_redirect=False)
    languages = load_languages()
    templates = Environment(
        loader=FileSystemLoader(TEMPLATE_DIR), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )

    @app.get("/api/v1/wall")
    async def wall() -> Wall:
        return _wall(clock.now_ms(), lines(), problem())

    @app.get("/")
    @app.get("/wall")
    async def page(request: Request) -> Response:
        accepted = request.headers.get("accept-language", "")
        language = choose(languages, request.query_params.get("lang"), accepted)
        return HTMLResponse(templates.get_template("wall.html").render(_=language.say, language=language))

    app.mount("/static", StaticFiles(directory=Path(STATIC_DIR)), name="static")
    return app
