"""What stands before every route: body size, Origin, and the headers that bind a browser.

It must never let a foreign page act with a tablet's cookie.
"""

import re
from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from controller.web.context import bearer_token

MAX_BODY_BYTES: Final = 65_536
SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_HOST: Final = re.compile(r"^(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+)(:\d{1,5})?$")


def origin_is_ours(headers: Headers, origins: tuple[str, ...]) -> bool:
    """Say whether a request comes from one of our own pages, or from a program that is no browser.

    Browsers send Origin with every WebSocket and every unsafe method. Without one, a cookie is not
    believed: a program uses the bearer header.
    """
    origin = headers.get("origin")
    if origin is None:
        return bearer_token(headers) is not None or "cookie" not in headers
    if origin in origins:
        return True
    parts = urlsplit(origin)
    return parts.scheme in {"http", "https"} and parts.netloc.lower() == headers.get("host", "").lower()


def content_policy(host: str) -> str:
    """Return the Content-Security-Policy: everything from here, nothing inline, nothing framed.

    Older browsers do not count WebSockets of the same host as ``'self'``, so they are named.
    """
    sockets = f" ws://{host} wss://{host}" if _HOST.match(host) else ""
    return (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
        "media-src 'self'; "
        f"connect-src 'self'{sockets}; manifest-src 'self'; worker-src 'self'; base-uri 'none'; "
        "form-action 'self'; frame-ancestors 'none'"
    )


class _TooLargeError(Exception):
    pass


class Guard:
    """ASGI middleware around the whole app."""

    def __init__(self, app: ASGIApp, origins: tuple[str, ...] = (), *, secure: bool = False) -> None:
        self._app = app
        self._origins = origins
        self._secure = secure

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] == "websocket":
            if not origin_is_ours(Headers(scope=scope), self._origins):
                await send({"type": "websocket.close", "code": 4403, "reason": "foreign origin"})
                return
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            await self._http(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        started = False

        async def send_dressed(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                self._dress(MutableHeaders(scope=message), headers.get("host", ""), scope["path"])
            await send(message)

        if scope["method"] not in SAFE_METHODS and not origin_is_ours(headers, self._origins):
            await JSONResponse({"detail": "foreign origin"}, 403)(scope, receive, send_dressed)
            return
        length = headers.get("content-length", "0")
        if not length.isdigit() or int(length) > MAX_BODY_BYTES:
            await _too_large()(scope, receive, send_dressed)
            return
        taken = 0

        async def receive_bounded() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > MAX_BODY_BYTES:
                raise _TooLargeError
            return message

        try:
            await self._app(scope, receive_bounded, send_dressed)
        except _TooLargeError:
            if not started:
                await _too_large()(scope, receive, send_dressed)

    def _dress(self, headers: MutableHeaders, host: str, path: str) -> None:
        headers["Content-Security-Policy"] = content_policy(host)
        headers["X-Content-Type-Options"] = "nosniff"
        headers["Referrer-Policy"] = "no-referrer"
        headers["Cross-Origin-Opener-Policy"] = "same-origin"
        headers["Cross-Origin-Resource-Policy"] = "same-origin"
        headers["Permissions-Policy"] = "camera=(), microphone=(), geolocation=(), screen-wake-lock=(self)"
        if self._secure:
            headers["Strict-Transport-Security"] = "max-age=31536000"
        if "cache-control" not in headers:
            headers["Cache-Control"] = "no-cache" if path.startswith("/static/") else "no-store"


def _too_large() -> JSONResponse:
    return JSONResponse({"detail": f"a message is at most {MAX_BODY_BYTES} bytes"}, 413)
