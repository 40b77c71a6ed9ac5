"""HTTP: listening in on a room's mix: what its loudspeakers are given, never what is said in the room.

It passes bytes on and decides nothing. A listener who stalls is dropped; nobody who listens can be heard,
slow the player, or keep others out for long.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Annotated, Final, TypeAlias, cast

from fastapi import APIRouter, Depends, HTTPException, Request
from fastapi.responses import Response, StreamingResponse
from starlette.types import Send

from controller.errors import DriverError
from controller.web.access import Grant, Power
from controller.web.context import WebContext
from controller.web.said import SaidError

Listen: TypeAlias = Callable[[str], AsyncGenerator[bytes, None]]
"""Opens a room's mix as Ogg Opus. Raises ``DriverError`` at the first step if there is none."""

MEDIA_TYPE: Final = "audio/ogg; codecs=opus"
MOST_LISTENERS: Final = 4
STALLED_S: Final = 10.0
_FIRST_S: Final = 5.0


class _LiveStream(StreamingResponse):
    """A stream that ends when its reader takes nothing for some seconds."""

    async def stream_response(self, send: Send) -> None:
        start = {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
        await send(start)
        mix = cast("AsyncGenerator[bytes, None]", self.body_iterator)
        try:
            # Closed here whatever happens: a generator that is left lying keeps its place at the player.
            async with aclosing(mix):
                async for page in mix:
                    async with asyncio.timeout(STALLED_S):
                        await send({"type": "http.response.body", "body": page, "more_body": True})
        except TimeoutError:
            return  # without an end: the server closes the connection
        await send({"type": "http.response.body", "body": b"", "more_body": False})


def listen_calls(context: WebContext) -> APIRouter:
    """Return the route."""
    routes = APIRouter(prefix="/api/v1/rooms", tags=["rooms"])
    listeners: Counter[str] = Counter()

    def may_listen(request: Request) -> Grant:
        grant = context.require_any(request)
        if not (grant.may(Power.CONTROL) or grant.may(Power.INSTALL)):
            raise SaidError(403, "the role {role} may not do this", role=str(grant.role))
        return grant

    async def pages(
        room: str, first: bytes, rest: AsyncGenerator[bytes, None]
    ) -> AsyncGenerator[bytes, None]:
        listeners[room] += 1
        try:
            yield first
            async for page in rest:
                yield page
        finally:
            listeners[room] -= 1
            await rest.aclose()

    @routes.get(
        "/{room}/listen",
        response_class=Response,
        responses={
            200: {"description": "the mix, live", "content": {"audio/ogg": {}}},
            503: {"description": "nothing can be listened to, or too many listen"},
        },
    )
    async def listen(room: str, _grant: Annotated[Grant, Depends(may_listen)]) -> Response:
        """Stream what the room's loudspeakers are given, as Ogg Opus, live. It has no end."""
        context.room(room)
        if context.listen is None:
            raise HTTPException(503, "this site offers no listening in")
        if listeners[room] >= MOST_LISTENERS:
            raise SaidError(503, "{n} listen already", n=MOST_LISTENERS)
        stream = context.listen(room)
        try:
            async with asyncio.timeout(_FIRST_S):
                first = await anext(stream)
        except (DriverError, StopAsyncIteration, TimeoutError) as error:
            await stream.aclose()
            raise HTTPException(503, str(error) or "the player gives no sound") from None
        headers = {"Cache-Control": "no-store"}
        return _LiveStream(pages(room, first, stream), media_type=MEDIA_TYPE, headers=headers)

    return routes
