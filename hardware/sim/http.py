"""A small HTTP/1.1 server for simulated devices: keep-alive, JSON, and the bad manners that tests need.

Own code rather than a framework because a simulated bridge must stamp requests as their bytes arrive,
hang up in the middle, or never answer. It must never be used for people's pages in a clinic.
"""

import asyncio
import json
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final, TypeAlias
from urllib.parse import parse_qs, urlsplit

from hardware.sim.clock import monotonic_ms

MAX_HEAD: Final = 16_384
MAX_BODY: Final = 262_144


@dataclass(frozen=True, slots=True)
class Request:
    """One request; ``arrived_ms`` is the monotonic instant its last byte was read."""

    method: str
    path: str
    query: dict[str, str]
    body: bytes
    arrived_ms: float


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer."""

    body: bytes
    status: int = 200
    content_type: str = "application/json"


def json_reply(value: object, status: int = 200) -> Reply:
    """Return a JSON answer."""
    return Reply(json.dumps(value).encode(), status)


Handler: TypeAlias = Callable[[Request], Awaitable[Reply | None]]
"""Answers a request; None hangs up without an answer."""


class BadRequestError(Exception):
    """What came in is not HTTP that we speak."""


async def serve_connection(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, handler: Handler
) -> None:
    """Serve one connection until the client leaves, asks to close, or the handler hangs up."""
    sock = writer.get_extra_info("socket")
    if sock is not None:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        keep = True
        while keep:
            parsed = await _read_request(reader)
            if parsed is None:
                break
            request, keep = parsed
            reply = await handler(request)
            if reply is None:
                break
            writer.write(_encode(reply, keep=keep))
            await writer.drain()
    except BadRequestError as fault:
        writer.write(_encode(Reply(str(fault).encode(), 400, "text/plain"), keep=False))
    except (ConnectionError, asyncio.IncompleteReadError, TimeoutError):
        pass  # the client left; nothing is owed to it
    finally:
        writer.close()


async def _read_request(reader: asyncio.StreamReader) -> tuple[Request, bool] | None:
    try:
        first = await reader.readexactly(1)
        if not first.isalpha():
            # Most likely a client that speaks TLS to a plain port: it learns at once that nobody does here.
            raise BadRequestError("the request line is not HTTP")
        head = first + await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    except asyncio.LimitOverrunError as fault:
        raise BadRequestError("the request's head is too long") from fault
    lines = head.decode("latin-1").split("\r\n")
    words = lines[0].split(" ")
    if len(words) != 3:
        raise BadRequestError("the request line is not HTTP")
    headers = _headers(lines[1:])
    body = await _read_body(reader, headers)
    parts = urlsplit(words[1])
    query = {key: values[-1] for key, values in parse_qs(parts.query).items()}
    keep = headers.get("connection", "").lower() != "close" and words[2] != "HTTP/1.0"
    return Request(words[0], parts.path, query, body, monotonic_ms()), keep


def _headers(lines: list[str]) -> dict[str, str]:
    pairs = (line.partition(":") for line in lines if line)
    return {name.strip().lower(): value.strip() for name, _, value in pairs}


async def _read_body(reader: asyncio.StreamReader, headers: dict[str, str]) -> bytes:
    if headers.get("transfer-encoding"):
        raise BadRequestError("chunked bodies are not spoken here")
    text = headers.get("content-length", "0")
    if not text.isdigit() or int(text) > MAX_BODY:
        raise BadRequestError("the body's length is not acceptable")
    return await reader.readexactly(int(text)) if int(text) else b""


def _encode(reply: Reply, *, keep: bool) -> bytes:
    phrase = HTTPStatus(reply.status).phrase
    head = (
        f"HTTP/1.1 {reply.status} {phrase}\r\nContent-Type: {reply.content_type}\r\n"
        f"Content-Length: {len(reply.body)}\r\nCache-Control: no-store\r\n"
        f"Connection: {'keep-alive' if keep else 'close'}\r\n\r\n"
    )
    return head.encode("latin-1") + reply.body
