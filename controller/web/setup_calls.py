"""HTTP: a room's hardware for the installer: what is there, finding a lamp, a quiet tone, pairing a bridge.

It asks ``RoomHardware`` and ``BridgePairing`` and decides nothing. It must never answer with a credential.
"""

import asyncio
from collections.abc import Awaitable
from dataclasses import asdict
from typing import Annotated, Literal, TypeVar

from fastapi import APIRouter, Depends, HTTPException, Request, Response
from fastapi.responses import JSONResponse
from pydantic import Field

from controller.bridge_pairing import BridgePairing, ButtonNotPressedError
from controller.errors import DriverError, RefusedError, StillroomError
from controller.room_hardware import OutputName, RoomHardware
from controller.web.access import Grant, Power
from controller.web.context import WebContext
from controller.web.pages import Pages
from controller.web.said import SaidError
from controller.wire import WireModel

T = TypeVar("T")


class PairBridgeBody(WireModel):
    """Pair with the bridge at ``address``; without one, where the site file says it is."""

    address: str | None = Field(default=None, max_length=253)
    replace: bool = False


class PairedBridge(WireModel):
    """A bridge that is paired now."""

    bridge: str
    address: str
    hue_id: str
    fingerprint: str | None
    in_use: bool


class FoundBridge(WireModel):
    """A bridge that announced itself."""

    hue_id: str
    address: str
    model: str


class Waiting(WireModel):
    """The bridge is there and waits for its button."""

    waiting: Literal[True] = True


def hardware_of(context: WebContext, room: str) -> RoomHardware:
    """Return a room's hardware, or answer 404."""
    context.room(room)
    found = None if context.fitting is None else context.fitting.hardware.get(room)
    if found is None:
        raise HTTPException(404, "this room's hardware cannot be set up from here")
    return found


async def said(call: Awaitable[T]) -> T:
    """Wait for a call; what it raises becomes an answer of one clear line."""
    try:
        return await _answered(call)
    except RefusedError as error:
        raise SaidError.of(409, error) from None


async def _answered(call: Awaitable[T]) -> T:
    """The same, but a refusal is left to the caller: its code says what may be done about it."""
    try:
        return await call
    except RefusedError:
        raise
    except DriverError as error:
        raise HTTPException(502, str(error)) from None
    except StillroomError as error:
        raise HTTPException(503, str(error)) from None


def setup_calls(context: WebContext) -> APIRouter:
    """Return the routes."""
    routes = APIRouter(tags=["set-up"])
    install = context.require(Power.INSTALL)
    pages = Pages(context)

    @routes.get("/rooms/{room}/setup", include_in_schema=False)
    async def page(request: Request, room: str) -> Response:
        title = context.room(room).snapshot().title
        return pages.for_role(
            request,
            Power.INSTALL,
            lambda grant: pages.page(request, "hardware.html", room=room, title=title, grant=grant),
        )

    @routes.get("/api/v1/rooms/{room}/hardware", responses={200: {"description": "what the room is made of"}})
    async def facts(room: str, _grant: Annotated[Grant, Depends(install)]) -> Response:
        """Return lamps, bridges, sound outputs, broker, tablets, clock and disk as they are."""
        found = hardware_of(context, room)
        machine = await said(found.machine())
        return JSONResponse(
            {
                "in_session": found.in_session(),
                "lamps": [asdict(lamp) for lamp in found.lamps()],
                "bridges": [asdict(bridge) for bridge in found.bridges()],
                "outputs": [asdict(output) for output in found.outputs()],
                "broker": asdict(found.broker()),
                "tablets": asdict(found.tablets()),
                "machine": asdict(machine),
            }
        )

    @routes.get("/api/v1/rooms/{room}/hardware/devices")
    async def devices(room: str, _grant: Annotated[Grant, Depends(install)]) -> tuple[str, ...]:
        """List this machine's sound devices by the names that a site file may use."""
        return await said(hardware_of(context, room).devices())

    @routes.post("/api/v1/rooms/{room}/lamps/{fixture}/blink", status_code=204)
    async def blink(room: str, fixture: str, _grant: Annotated[Grant, Depends(install)]) -> Response:
        """Let a lamp swell and sink twice, gently; answers when it is back. Refused in a session."""
        await said(hardware_of(context, room).blink(fixture))
        return Response(status_code=204)

    @routes.post("/api/v1/rooms/{room}/outputs/{output}/tone", status_code=204)
    async def tone(room: str, output: OutputName, _grant: Annotated[Grant, Depends(install)]) -> Response:
        """Play a quiet tone on one output; answers once the player has played it. Refused in a session."""
        wrong = await said(hardware_of(context, room).tone(output))
        if wrong is not None:
            raise HTTPException(502, str(wrong))
        return Response(status_code=204)

    _bridge_calls(context, routes)
    return routes


def _bridge_calls(context: WebContext, routes: APIRouter) -> None:
    install = context.require(Power.INSTALL)
    pairing_now = asyncio.Lock()

    def pairing() -> BridgePairing:
        if context.fitting is None or context.fitting.pairing is None:
            raise HTTPException(404, "no bridge can be paired from here")
        return context.fitting.pairing

    @routes.post("/api/v1/bridges/find")
    async def find(_grant: Annotated[Grant, Depends(install)]) -> list[FoundBridge]:
        """Listen for bridges on this network for some seconds."""
        found = await said(pairing().find())
        return [FoundBridge(hue_id=one.hue_id, address=one.address, model=one.model) for one in found]

    @routes.post(
        "/api/v1/rooms/{room}/bridges/{bridge}/pair",
        response_model=PairedBridge,
        responses={202: {"model": Waiting, "description": "its button was not pressed yet: ask again"}},
    )
    async def pair(
        room: str, bridge: str, body: PairBridgeBody, _grant: Annotated[Grant, Depends(install)]
    ) -> Response:
        """Try once to pair with a bridge whose button was pressed; ask again while it was not."""
        context.room(room)
        where = body.address.strip() if body.address else None
        async with pairing_now:
            try:
                made = await _answered(pairing().pair(room, bridge, where or None, replace=body.replace))
            except ButtonNotPressedError:
                return Response(Waiting().model_dump_json(), 202, media_type="application/json")
            except RefusedError as error:
                return JSONResponse({"detail": str(error), "code": error.code}, 409)
        answer = PairedBridge(
            bridge=made.bridge,
            address=made.address,
            hue_id=made.hue_id,
            fingerprint=made.fingerprint,
            in_use=made.in_use,
        )
        return Response(answer.model_dump_json(), media_type="application/json")
