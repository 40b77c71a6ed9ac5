"""The web app, put together: guard, calls, sockets, pages. It decides nothing and touches no driver."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import TypeAdapter
from starlette.staticfiles import StaticFiles

from controller.api import Rooms
from controller.core.snapshot import Ribbon, Snapshot
from controller.ports import Clock
from controller.web.access import Access
from controller.web.authority_calls import authority_calls
from controller.web.booking_calls import Calendar, booking_calls
from controller.web.check_calls import check_calls
from controller.web.context import WebContext
from controller.web.design_pages import design_pages
from controller.web.design_presets_calls import preset_calls
from controller.web.design_profile_calls import profile_calls
from controller.web.drawing import Drawing
from controller.web.fitting import Fitting
from controller.web.guard import Guard
from controller.web.listen_calls import Listen, listen_calls
from controller.web.lists import list_calls
from controller.web.live import LiveRoom
from controller.web.metrics_calls import metrics_calls
from controller.web.pages import page_calls
from controller.web.pairing import pairing_calls
from controller.web.rehearsal_calls import rehearsal_calls
from controller.web.report_calls import MakeReport, report_calls
from controller.web.room_calls import room_calls
from controller.web.said import SaidError, say
from controller.web.screens import PromptScreen
from controller.web.setup_calls import setup_calls
from controller.web.sockets import socket_calls
from controller.web.wall_calls import wall_calls
from controller.wire import CommandRequest

STATIC_DIR: Final = Path(__file__).parent / "static"
API_VERSION: Final = "1"
ROUTES: Final = (
    pairing_calls,
    room_calls,
    listen_calls,
    list_calls,
    report_calls,
    booking_calls,
    socket_calls,
    page_calls,
    wall_calls,
    metrics_calls,
    setup_calls,
    check_calls,
    authority_calls,
    profile_calls,
    preset_calls,
    rehearsal_calls,
    design_pages,
)
"""Every router of the app; each takes what they share."""


def create_app(  # noqa: PLR0913 - the composition root names each part
    rooms: Rooms,
    access: Access,
    health: Callable[[], tuple[str, ...]],
    clock: Clock,
    *,
    screens: Mapping[str, PromptScreen] | None = None,
    secure: bool = False,
    origins: tuple[str, ...] = (),
    addresses: Callable[[], tuple[str, ...]] = tuple,
    calendar: Calendar | None = None,
    listen: Listen | None = None,
    authority: Path | None = None,
    fitting: Fitting | None = None,
    reports: MakeReport | None = None,
    drawing: Drawing | None = None,
) -> FastAPI:
    """Return the app that serves these rooms.

    ``health`` gives the reasons why something is not well. ``screens`` are the clients' displays, one for
    each room: give them to the rooms as a prompt port; without, the displays stay empty. ``secure``: it is
    served under TLS. ``origins``: further origins its pages may have. ``addresses``: where tablets find it.
    ``calendar``: the site's bookings, if it takes any. ``listen``: opens a room's mix to listen in.
    ``fitting``: the site's hardware, for set-up and room checks.
    ``authority``: certificate (PEM) of the clinic's own authority, for tablets to install. ``reports``: makes
    a session's report.
    ``drawing``: the designer's desk and its rehearsals, if the site has them.
    """
    live = {room_id: LiveRoom(room, clock) for room_id, room in rooms.items()}
    shown = {room_id: (screens or {}).get(room_id) or PromptScreen(clock) for room_id in rooms}
    base = WebContext(rooms, access, health, clock, live, shown, secure, origins, addresses)
    context = replace(base, calendar=calendar, listen=listen, authority=authority, fitting=fitting)
    context = replace(context, reports=reports, drawing=drawing)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        async with asyncio.TaskGroup() as tasks:
            links = [tasks.create_task(link.run()) for link in live.values()]
            checks = {} if fitting is None else fitting.checks
            links += [tasks.create_task(check.serve()) for check in checks.values()]
            yield
            for link in links:
                link.cancel()

    # The interactive documentation would be fetched from another network: the document alone stays.
    app = FastAPI(
        title="Stillroom",
        version=API_VERSION,
        openapi_url="/api/openapi.json",
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
    )
    app.add_exception_handler(SaidError, say)
    app.add_middleware(Guard, origins=origins, secure=secure)
    for routes in ROUTES:
        app.include_router(routes(context))
    app.mount("/static", StaticFiles(directory=STATIC_DIR), name="static")
    app.openapi = lambda: _openapi(app)  # type: ignore[method-assign]
    app.state.context = context
    return app


def _openapi(app: FastAPI) -> dict[str, Any]:
    """Return the API's document, with what our own encoders and parsers write and read in it."""
    if app.openapi_schema is None:
        document = get_openapi(title=app.title, version=app.version, routes=app.routes)
        calls = document["paths"]
        command = _add_schema(document, TypeAdapter(CommandRequest), "Command")
        calls["/api/v1/rooms/{room}/commands"]["post"]["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": command}},
        }
        for path, model in (("", Snapshot), ("/ribbon", Ribbon)):
            answer = calls[f"/api/v1/rooms/{{room}}{path}"]["get"]["responses"]["200"]
            schema = _add_schema(document, TypeAdapter(model), model.__name__)
            answer["content"] = {"application/json": {"schema": schema}}
        app.openapi_schema = document
    return app.openapi_schema


def _add_schema(document: dict[str, Any], adapter: TypeAdapter[Any], name: str) -> dict[str, str]:
    schema = adapter.json_schema(ref_template="#/components/schemas/{model}")
    parts = document.setdefault("components", {}).setdefault("schemas", {})
    parts.update(schema.pop("$defs", {}))
    parts.setdefault(name, schema)
    return {"$ref": f"#/components/schemas/{name}"}
