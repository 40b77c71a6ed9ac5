"""``GET /metrics``: figures for Prometheus, for this machine itself or a token that may set it up."""

from collections.abc import Iterable
from ipaddress import ip_address
from typing import Final

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import PlainTextResponse, Response

from controller.metrics import COMMAND_S, Labels, gauge
from controller.web.access import Power
from controller.web.context import WebContext

TEXT: Final = "text/plain; version=0.0.4; charset=utf-8"


def metrics_calls(context: WebContext) -> APIRouter:
    """Return the route."""
    routes = APIRouter(tags=["health"])

    @routes.get("/metrics", response_class=PlainTextResponse)
    async def metrics(request: Request) -> Response:
        """Return the figures, in Prometheus' text format."""
        grant = context.grant_of(request)
        if not _is_here(request) and (grant is None or not grant.may(Power.INSTALL)):
            raise HTTPException(401, "not paired", headers={"WWW-Authenticate": "Bearer"})
        return Response("\n".join((*_lines(context), "")), media_type=TEXT)

    return routes


def _is_here(request: Request) -> bool:
    try:
        return request.client is not None and ip_address(request.client.host).is_loopback
    except ValueError:
        return False


def _lines(context: WebContext) -> Iterable[str]:
    sessions: dict[Labels, float] = {}
    faults: dict[Labels, float] = {}
    dark: dict[Labels, float] = {}
    tablets: dict[Labels, float] = {}
    for room_id, room in context.rooms.items():
        state, label = room.snapshot(), (("room", room_id),)
        sessions[label] = state.session is not None and state.session.status != "ended"
        dark[label] = sum(not lamp.reachable for lamp in state.lamps)
        tablets[label] = context.live[room_id].tablets
        for fault in state.faults:
            faults[(*label, ("part", fault.part))] = 1
    yield from gauge("stillroom_well", "1 while nothing is wrong.", {(): not context.health()})
    yield from gauge("stillroom_in_session", "1 while a session is under way.", sessions)
    yield from gauge("stillroom_fault", "1 for each part that is not well.", faults)
    yield from gauge("stillroom_lamps_unreachable", "Lamps that do not answer.", dark)
    yield from gauge("stillroom_tablets", "Tablets that are connected.", tablets)
    yield from COMMAND_S.lines()
