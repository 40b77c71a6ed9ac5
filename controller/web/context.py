"""What every router of the web app shares: the rooms, the door, the clock.

It must never hold a driver or decide anything about a session.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from fastapi import HTTPException, Request
from starlette.datastructures import Headers
from starlette.requests import HTTPConnection

from controller.api import RoomApi, Rooms
from controller.ports import Clock
from controller.web.access import Access, Grant, Power
from controller.web.live import LiveRoom
from controller.web.said import SaidError
from controller.web.screens import PromptScreens

if TYPE_CHECKING:
    from controller.web.booking_calls import Calendar
    from controller.web.drawing import Drawing
    from controller.web.fitting import Fitting
    from controller.web.listen_calls import Listen
    from controller.web.report_calls import MakeReport

COOKIE: Final = "stillroom"
SECURE_COOKIE: Final = "__Host-stillroom"
"""Under TLS: the prefix makes browsers insist on Secure, on this host and on the whole site."""


@dataclass(frozen=True, slots=True)
class WebContext:
    """The app's surroundings.

    ``origins`` are further origins the pages may be served under (a clinic's own proxy). ``addresses``
    are the tablet's addresses as the terminal prints them; the first is drawn as QR code.
    """

    rooms: Rooms
    access: Access
    health: Callable[[], tuple[str, ...]]
    clock: Clock
    live: dict[str, LiveRoom]
    screens: PromptScreens
    secure: bool = False
    origins: tuple[str, ...] = ()
    addresses: Callable[[], tuple[str, ...]] = field(default=tuple)
    calendar: "Calendar | None" = None
    listen: "Listen | None" = None
    authority: Path | None = None
    fitting: "Fitting | None" = field(default=None, kw_only=True)
    reports: "MakeReport | None" = None
    drawing: "Drawing | None" = None

    @property
    def cookie(self) -> str:
        """The name of the cookie that carries the token."""
        return SECURE_COOKIE if self.secure else COOKIE

    def room(self, room_id: str) -> RoomApi:
        """Return a room, or answer 404."""
        room = self.rooms.get(room_id)
        if room is None:
            raise SaidError(404, "no room '{room}'", room=room_id[:64])
        return room

    def grant_of(self, connection: HTTPConnection) -> Grant | None:
        """Return what the caller's token gives: a bearer header first, else the cookie."""
        bearer = bearer_token(connection.headers)
        return self.access.grant_of(bearer or connection.cookies.get(self.cookie))

    def require(self, power: Power) -> Callable[[Request], Awaitable[Grant]]:
        """Return a dependency that lets only those with ``power`` pass: else 401 or 403."""

        # A coroutine although it waits for nothing: FastAPI takes a plain function to a thread, for every
        # command, and the grants are the event loop's alone.
        async def check(request: Request) -> Grant:
            grant = self.grant_of(request)
            if grant is None:
                raise HTTPException(401, "not paired", headers={"WWW-Authenticate": "Bearer"})
            if not grant.may(power):
                raise SaidError(403, "the role {role} may not do this", role=str(grant.role))
            return grant

        return check

    def require_any(self, request: Request) -> Grant:
        """Let every paired device pass: else 401."""
        grant = self.grant_of(request)
        if grant is None:
            raise HTTPException(401, "not paired", headers={"WWW-Authenticate": "Bearer"})
        return grant


def bearer_token(headers: Headers) -> str | None:
    """Return the token of an ``Authorization: Bearer`` header."""
    scheme, _, token = headers.get("authorization", "").partition(" ")
    return token.strip() or None if scheme.lower() == "bearer" else None
