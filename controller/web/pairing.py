"""HTTP: pairing a tablet by PIN or by a token made on the command line, the paired devices, health.

It must never answer with a token except to the device that is being paired.
"""

import io
from typing import Annotated, Final

import segno
from fastapi import APIRouter, Depends, HTTPException, Request, Response
from pydantic import Field

from controller.errors import UserError
from controller.web.access import Access, Grant, PinRefusedError, Power, Role
from controller.web.context import WebContext
from controller.web.said import SaidError
from controller.wire import WireModel

COOKIE_SECONDS: Final = 400 * 86_400
"""The longest browsers keep a cookie; a token ends when it is revoked."""
AMBER: Final = "#d9a05b"
NEAR_BLACK: Final = "#0b0806"


class PairBody(WireModel):
    """A tablet that wants in. ``name`` is the device's ("tablet by the window"), never a person's."""

    pin: str = Field(pattern=r"^\d{6}$")
    name: str = Field(default="", max_length=80)
    role: Role = Role.THERAPIST


class TokenBody(WireModel):
    """A token from ``stillroom token``, to be kept as a cookie."""

    token: str = Field(min_length=20, max_length=200)


class Paired(WireModel):
    """The answer to a pairing: the only time a token is ever told."""

    token: str
    role: Role
    name: str


class Device(WireModel):
    """A paired device."""

    token_id: str
    role: Role
    name: str
    created_at_ms: int


class Health(WireModel):
    """``ok``, or the reasons why not."""

    ok: bool
    reasons: tuple[str, ...] = ()


def pair_url(address: str, pin: str) -> str:
    """Return the address that pairs a device. The PIN is in the fragment: no server log ever has it."""
    return f"{address.rstrip('/')}/pair#pin={pin}"


def qr_terminal(text: str) -> str:
    """Return a QR code in half blocks for a terminal."""
    out = io.StringIO()
    segno.make(text, error="l").terminal(out=out, compact=True, border=2)
    return out.getvalue()


def qr_svg(text: str) -> str:
    """Return a QR code as SVG, amber on near-black."""
    out = io.BytesIO()
    segno.make(text, error="m").save(
        out,
        kind="svg",
        dark=NEAR_BLACK,
        light=AMBER,
        border=3,
        scale=6,
        xmldecl=False,
        svgclass=None,
        lineclass=None,
    )
    return out.getvalue().decode()


def _give_cookie(context: WebContext, response: Response, token: str) -> None:
    response.set_cookie(
        context.cookie,
        token,
        max_age=COOKIE_SECONDS,
        path="/",
        secure=context.secure,
        httponly=True,
        samesite="strict",
    )


def pairing_calls(context: WebContext) -> APIRouter:
    """Return the routes that let devices in."""
    routes = APIRouter(tags=["pairing"])
    access: Access = context.access

    @routes.get("/healthz", response_model=Health, responses={503: {"model": Health}})
    async def healthz() -> Response:
        """Say whether the daemon and every room's parts are well."""
        problems = context.health() + ((access.problem,) if access.problem else ())
        body = Health(ok=not problems, reasons=problems)
        return Response(body.model_dump_json(), 503 if problems else 200, media_type="application/json")

    @routes.post("/api/v1/pair", responses={401: {"description": "wrong PIN"}, 429: {"description": "wait"}})
    async def pair(body: PairBody, request: Request, response: Response) -> Paired:
        """Pair a tablet by the PIN on the room's screen."""
        client = request.client.host if request.client else "unknown"
        try:
            token, grant = access.pair(body.pin, body.name, client, body.role)
        except PinRefusedError as error:
            raise _pin_refused(error) from None
        except UserError as error:
            raise HTTPException(503, str(error)) from None
        _give_cookie(context, response, token)
        return Paired(token=token, role=grant.role, name=grant.name)

    @routes.post("/api/v1/pair/token", responses={401: {"description": "no such token"}})
    async def adopt(body: TokenBody, response: Response) -> Device:
        """Keep a token from the command line as this browser's cookie."""
        grant = access.grant_of(body.token)
        if grant is None:
            raise HTTPException(401, "no such token")
        _give_cookie(context, response, body.token)
        return _device(grant)

    @routes.post("/api/v1/unpair", status_code=204)
    async def unpair(request: Request) -> Response:
        """Forget this device: its token opens nothing any more."""
        grant = context.grant_of(request)
        if grant is not None:
            access.revoke(grant.token_id)
        response = Response(status_code=204)
        response.delete_cookie(
            context.cookie, path="/", secure=context.secure, httponly=True, samesite="strict"
        )
        return response

    @routes.get("/api/v1/me")
    async def me(grant: Annotated[Grant, Depends(context.require_any)]) -> Device:
        """Say which device this is."""
        return _device(grant)

    _device_calls(context, routes)
    return routes


def _device_calls(context: WebContext, routes: APIRouter) -> None:
    install = context.require(Power.INSTALL)
    prepare = context.require(Power.PREPARE)
    access = context.access

    @routes.get("/api/v1/devices")
    async def devices(_grant: Annotated[Grant, Depends(install)]) -> list[Device]:
        """List the paired devices."""
        return [_device(grant) for grant in access.devices()]

    @routes.delete("/api/v1/devices/{token_id}", status_code=204)
    async def revoke(token_id: str, _grant: Annotated[Grant, Depends(install)]) -> Response:
        """Take a device's token back."""
        if not access.revoke(token_id):
            raise HTTPException(404, "no such device")
        return Response(status_code=204)

    @routes.post("/api/v1/pin", status_code=204)
    async def renew(_grant: Annotated[Grant, Depends(install)]) -> Response:
        """Make a new PIN; it is shown on the room's own screen, not here."""
        access.guard.renew()
        return Response(status_code=204)

    @routes.get("/pair/qr.svg", include_in_schema=False)
    async def qr(request: Request, _grant: Annotated[Grant, Depends(prepare)]) -> Response:
        """Draw the code that pairs one more tablet; only for one that is paired already."""
        addresses = context.addresses()
        here = addresses[0] if addresses else str(request.base_url)
        return Response(qr_svg(pair_url(here, access.pin)), media_type="image/svg+xml")


def _device(grant: Grant) -> Device:
    return Device(
        token_id=grant.token_id, role=grant.role, name=grant.name, created_at_ms=grant.created_at_ms
    )


def _pin_refused(error: PinRefusedError) -> HTTPException:
    if error.wait_ms > 0:
        return SaidError.of(429, error, {"Retry-After": str(-(-error.wait_ms // 1000))})
    return SaidError.of(401, error)
