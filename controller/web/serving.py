"""Serving the app: one socket, one server, ended cleanly. The daemon's task group runs it.

It must never take the process's signals: the daemon owns them.
"""

import asyncio
import errno
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import uvicorn
from starlette.types import ASGIApp

from controller.errors import PortInUseError, UserError

GOODBYE_S: Final = 2
"""How long open requests may finish when the server ends."""
MAX_SOCKET_MESSAGE: Final = 65_536


@dataclass(frozen=True, slots=True)
class Tls:
    """A certificate and its key, PEM files."""

    certificate: Path
    key: Path


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def bind(host: str, port: int) -> socket.socket:
    """Return a listening socket; port 0 takes a free one.

    Raises:
        PortInUseError: another program has the port.
        UserError: the address is none of this machine's, or the port is not ours to take.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(128)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise PortInUseError(
                f"port {port} is used by another program: end it, or choose another with --port"
            ) from None
        if error.errno == errno.EACCES:
            raise UserError(f"port {port} needs more rights: choose one above 1023 with --port") from None
        raise UserError(f"cannot serve on {host} port {port}: {error.strerror or error}") from None
    listener.setblocking(False)
    # Accepted sockets inherit it: answers of a few bytes must not wait for an acknowledgement.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


async def serve(
    app: ASGIApp,
    host: str,
    port: int,
    *,
    tls: Tls | None = None,
    started: Callable[[int], None] | None = None,
) -> None:
    """Serve until cancelled; ``started`` is told the port once the socket listens.

    Raises:
        PortInUseError: another program has the port.
        UserError: the address or the certificate cannot be used.
    """
    listener = bind(host, port)
    try:
        config = uvicorn.Config(
            app,
            http="httptools",
            ws="websockets-sansio",
            ws_max_size=MAX_SOCKET_MESSAGE,
            ws_per_message_deflate=False,  # a patch is one packet anyway; deflate would cost time and memory
            lifespan="on",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=GOODBYE_S,
            ssl_certfile=tls.certificate if tls else None,
            ssl_keyfile=tls.key if tls else None,
        )
        try:
            config.load()
        except OSError as error:  # ssl.SSLError is one
            raise UserError(
                f"the certificate {tls.certificate if tls else ''} cannot be used: {error}"
            ) from None
        if started is not None:
            started(listener.getsockname()[1])
        await _run(_Server(config), listener)
    finally:
        listener.close()


async def _run(server: uvicorn.Server, listener: socket.socket) -> None:
    """Run the server so that a cancel lets it say goodbye to its tablets."""
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(server.serve(sockets=[listener]))
        try:
            await asyncio.shield(running)
        except asyncio.CancelledError:
            server.should_exit = True
            await running
            raise
