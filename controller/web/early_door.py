"""The door while the web app is still being put together: what cannot wait is answered at once.

FastAPI, its models and the pages take longer to read in than all that a lamp needs. Until they have come this
door takes commands that carry a bearer token and says how the daemon is; everything else waits for the app,
and then all goes there. It must never be more lenient than the app: what it is not sure of, it leaves to it.
"""

import asyncio
import re
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Final

from starlette.datastructures import Headers
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from controller.api import Rooms
from controller.errors import RefusedError
from controller.web.access import Access, Power
from controller.web.replies import carry_out, refusal, reply_response
from controller.wire import MAX_MESSAGE_BYTES, parse_command

_COMMANDS: Final = re.compile(r"^/api/v1/rooms/([^/]+)/commands$")
_HEADERS: Final = {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"}


App = ASGIApp
Life = Callable[[], AbstractAsyncContextManager[object]]


class EarlyDoor:
    """An ASGI app that hands over to another as soon as that is there."""

    def __init__(self, rooms: Rooms, access: Access, health: Callable[[], tuple[str, ...]]) -> None:
        self._rooms, self._access, self._health = rooms, access, health
        self._app: ASGIApp | None = None
        self._life: Life | None = None
        self._come = asyncio.Event()
        self._offered = asyncio.Event()

    def hand_over(self, app: ASGIApp, life: Life) -> None:
        """Let the app serve from now on. ``life``: its surroundings, entered here and left at the end."""
        self._app, self._life = app, life
        self._offered.set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or keep it until the app has come."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        if scope["type"] == "http" and not self._come.is_set():
            answer = await self._answer(scope, receive)
            if answer is not None:
                await answer(scope, receive, send)
                return
        await self._come.wait()
        if self._app is not None:
            await self._app(scope, receive, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        """Start at once; enter the app's life when it comes, and leave it when the server ends."""
        await receive()
        await send({"type": "lifespan.startup.complete"})
        async with asyncio.TaskGroup() as tasks:
            ending = tasks.create_task(_until_told(receive))
            coming = tasks.create_task(self._offered.wait())
            await asyncio.wait((ending, coming), return_when=asyncio.FIRST_COMPLETED)
            coming.cancel()
            if self._life is not None:
                async with self._life():
                    self._come.set()
                    await ending
        await send({"type": "lifespan.shutdown.complete"})

    async def _answer(self, scope: Scope, receive: Receive) -> Response | None:
        """Return the answer to what cannot wait; None for all else."""
        if scope["method"] == "GET" and scope["path"] == "/healthz":
            return self._say_health()
        found = _COMMANDS.match(scope["path"]) if scope["method"] == "POST" else None
        room = None if found is None else self._rooms.get(found[1])
        headers = Headers(scope=scope)
        grant = self._access.grant_of(_bearer(headers))
        length = headers.get("content-length", "")
        if room is None or grant is None or not grant.may(Power.CONTROL) or "origin" in headers:
            return None
        if not length.isdigit() or int(length) > MAX_MESSAGE_BYTES:
            return None
        body = b""
        while len(body) < int(length):
            message = await receive()
            if message["type"] != "http.request":
                return Response(status_code=400)  # the caller has gone: nobody reads it
            body += message.get("body", b"")
            if not message.get("more_body", False):
                break
        try:
            wanted = parse_command(body)
        except RefusedError as error:
            return _dressed(reply_response(refusal(error)))
        return _dressed(reply_response(await carry_out(room, wanted, grant.by)))

    def _say_health(self) -> Response:
        problems = self._health() + ((self._access.problem,) if self._access.problem else ())
        body = {"ok": not problems, "reasons": list(problems)}
        return _dressed(JSONResponse(body, 503 if problems else 200))


async def _until_told(receive: Receive) -> None:
    await receive()


def _dressed(answer: Response) -> Response:
    answer.headers.update(_HEADERS)
    return answer


def _bearer(headers: Headers) -> str | None:
    scheme, _, token = headers.get("authorization", "").partition(" ")
    return token.strip() or None if scheme.lower() == "bearer" else None
