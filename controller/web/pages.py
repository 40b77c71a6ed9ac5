"""The pages: Jinja2 templates around custom elements. Everything that moves comes over the live link.

A page is only sent to a device whose role may use it; others are shown the way to pair.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Final

from fastapi import APIRouter, Request, Response
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse, RedirectResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from controller.web.access import Grant, Power
from controller.web.context import WebContext
from controller.web.said import SaidError
from controller.web.words import Language, choose, load_languages

TEMPLATE_DIR: Final = Path(__file__).parent / "templates"
STATIC_DIR: Final = Path(__file__).parent / "static"
LANGUAGE_COOKIE: Final = "language"

CHIPS: Final = (
    ("laugh", "Laugh"),
    ("tears", "Tears"),
    ("nausea", "Nausea"),
    ("touch_asked", "Touch asked"),
    ("touch_yes", "Touch: yes"),
    ("touch_no", "Touch: no"),
    ("bp_done", "Blood pressure done"),
    ("water", "Water"),
    ("bathroom", "Bathroom"),
    ("talked", "Talked"),
)
"""Note chips: the stable key in the journal, and the words on the tablet."""


class Pages:
    """Draws pages in the reader's language."""

    def __init__(self, context: WebContext) -> None:
        self._context = context
        self._languages = load_languages()
        self._templates = Environment(
            loader=FileSystemLoader(TEMPLATE_DIR),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )

    def language(self, request: Request) -> Language:
        """The language a request asks for: ``?lang=``, then the cookie, then the browser's."""
        asked = request.query_params.get("lang") or request.cookies.get(LANGUAGE_COOKIE)
        return choose(self._languages, asked, request.headers.get("accept-language", ""))

    def page(self, request: Request, template: str, status: int = 200, **values: object) -> Response:
        """Return a page."""
        language = self.language(request)
        html = self._templates.get_template(template).render(
            _=language.say,
            language=language,
            languages=tuple(self._languages.values()),
            rooms=[(room.room_id, room.snapshot().title) for room in self._context.rooms.values()],
            path=request.url.path,
            designs=self._context.drawing is not None,
            **values,
        )
        response = HTMLResponse(html, status)
        if request.query_params.get("lang") in self._languages:
            response.set_cookie(
                LANGUAGE_COOKIE, language.code, samesite="strict", secure=self._context.secure, httponly=True
            )
        return response

    def for_role(self, request: Request, power: Power, draw: Callable[[Grant], Response]) -> Response:
        """Draw a page for a device that may see it, else show the way in."""
        grant = self._context.grant_of(request)
        if grant is None:
            return RedirectResponse("/pair", 303)
        if not grant.may(power):
            return self.page(request, "forbidden.html", 403, grant=grant)
        return draw(grant)


def page_calls(context: WebContext) -> APIRouter:
    """Return the routes of the pages."""
    routes = APIRouter(include_in_schema=False)
    pages = Pages(context)

    books = context.calendar is not None

    def room_page(path: str, power: Power, template: str) -> None:
        async def show(request: Request, room: str) -> Response:
            def draw(grant: Grant) -> Response:
                found = context.rooms.get(room)
                if found is None:
                    raise SaidError(404, "no room '{room}'", room=room[:64])
                title = found.snapshot().title
                return pages.page(
                    request, template, room=room, title=title, grant=grant, chips=CHIPS, books=books
                )

            return pages.for_role(request, power, draw)

        routes.add_api_route(path, show, methods=["GET"], name=template)

    room_page("/rooms/{room}", Power.SEE, "home.html")
    room_page("/rooms/{room}/live", Power.SEE, "live.html")
    room_page("/rooms/{room}/display", Power.SHOW_PROMPTS, "display.html")
    room_page("/rooms/{room}/sessions", Power.REPORT, "sessions.html")

    @routes.get("/rooms/{room}/sessions/{session_id}")
    async def report(request: Request, room: str, session_id: str) -> Response:
        title = context.room(room).snapshot().title

        def draw(grant: Grant) -> Response:
            return pages.page(
                request, "report.html", room=room, title=title, session_id=session_id, grant=grant
            )

        return pages.for_role(request, Power.REPORT, draw)

    @routes.get("/setup")
    async def setup(request: Request) -> Response:
        return pages.for_role(
            request,
            Power.SEE,
            lambda grant: pages.page(request, "setup.html", grant=grant, addresses=context.addresses()),
        )

    @routes.get("/pair")
    async def pair(request: Request) -> Response:
        return pages.page(request, "pair.html")

    _doors(context, routes, pages)
    return routes


def _doors(context: WebContext, routes: APIRouter, pages: Pages) -> None:
    """The ways in, and what makes the pages an installed app."""

    @routes.get("/")
    async def start(request: Request) -> Response:
        grant = context.grant_of(request)
        if grant is None:
            return RedirectResponse("/pair", 303)
        only = next(iter(context.rooms)) if len(context.rooms) == 1 else None
        if only is None:
            return pages.page(request, "rooms.html", grant=grant)
        return RedirectResponse(f"/rooms/{only}{'' if grant.may(Power.SEE) else '/display'}", 303)

    @routes.get("/display")
    async def display() -> Response:
        only = next(iter(context.rooms)) if len(context.rooms) == 1 else None
        if only is None:
            return RedirectResponse("/", 303)
        return RedirectResponse(f"/rooms/{only}/display", 303)

    @routes.get("/offline")
    async def offline(request: Request) -> Response:
        return pages.page(request, "offline.html")

    @routes.get("/sw.js")
    async def service_worker() -> Response:
        # At the root, because a service worker rules only what lies below its own path.
        return FileResponse(STATIC_DIR / "sw.js", media_type="text/javascript")

    @routes.get("/manifest.webmanifest")
    async def manifest(request: Request) -> Response:
        say = pages.language(request).say
        return JSONResponse(
            {
                "name": "Stillroom",
                "short_name": "Stillroom",
                "description": say("The room's light, music and words, from a tablet"),
                "id": "/",
                "start_url": "/",
                "scope": "/",
                "display": "fullscreen",
                "background_color": "#0b0806",
                "theme_color": "#0b0806",
                "icons": [
                    {"src": "/static/icons/icon.svg", "sizes": "any", "type": "image/svg+xml"},
                    {"src": "/static/icons/icon-192.png", "sizes": "192x192", "type": "image/png"},
                    {
                        "src": "/static/icons/icon-512.png",
                        "sizes": "512x512",
                        "type": "image/png",
                        "purpose": "any maskable",
                    },
                ],
            },
            media_type="application/manifest+json",
        )
