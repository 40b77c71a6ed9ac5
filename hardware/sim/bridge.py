"""A simulated Hue bridge as a program: ``python -m hardware.sim.bridge --port 8400 --lights 6``.

A real HTTP (or HTTPS) server in its own process. It must never be found by mDNS: a clinic's controller shall
not pair with it by mistake.
"""

import argparse
import asyncio
import contextlib
import errno
import json
import shutil
import ssl
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from controller.errors import PortInUseError, StillroomError, UserError
from hardware.sim.bridge_api import handle
from hardware.sim.bridge_control import ControlError, control
from hardware.sim.bridge_model import MAX_AT_ONCE, LogEntry, SimulatedBridge, make_bridge
from hardware.sim.bridge_page import PAGE
from hardware.sim.clock import monotonic_ms, pause
from hardware.sim.http import Reply, Request, json_reply, serve_connection
from hardware.sim.lamp import MODELS
from hardware.systemd_notify import ServiceManager

NEVER_MS = 3_600_000.0


@dataclass(frozen=True, slots=True)
class BridgeServer:
    """Answers requests with a bridge, and with the faults it is told to have."""

    bridge: SimulatedBridge

    async def answer(self, request: Request) -> Reply | None:
        """Answer one request; None hangs up."""
        if request.path.startswith("/api"):
            return await self._answer_api(request)
        if request.path.startswith("/sim"):
            return self._answer_control(request)
        if request.path == "/":
            return Reply(PAGE.encode(), content_type="text/html; charset=utf-8")
        return Reply(b"not found", 404, "text/plain")

    def _answer_control(self, request: Request) -> Reply:
        try:
            value = control(
                self.bridge, request.method, request.path, request.query, request.body, monotonic_ms()
            )
        except (ControlError, ValueError) as fault:
            return json_reply({"error": str(fault)}, 400)
        return json_reply(value)

    async def _answer_api(self, request: Request) -> Reply | None:
        bridge, faults = self.bridge, self.bridge.faults
        if faults.take("hang_up"):
            return None
        if faults.take("hang"):
            await pause(NEVER_MS)
        if bridge.at_once >= MAX_AT_ONCE and faults.limits:
            return self._logged(request, "too many requests at once", 429)
        bridge.at_once += 1
        try:
            if faults.latency_ms > 0.0:
                await pause(faults.latency_ms)
            if faults.status and faults.take("status_count"):
                return self._logged(request, "the bridge is busy", faults.status)
            answer = handle(bridge, request.method, request.path, request.body, request.arrived_ms)
        finally:
            bridge.at_once -= 1
        return self._logged(request, answer.value, answer.status)

    def _logged(self, request: Request, value: object, status: int) -> Reply:
        self.bridge.requests += 1
        # What a poll reads is not kept: it would drown the log.
        kept = value if request.method != "GET" else None
        body: object = request.body.decode("utf-8", "replace")
        with contextlib.suppress(ValueError):
            body = json.loads(request.body) if request.body else None
        self.bridge.record(
            LogEntry(
                self.bridge.requests, request.arrived_ms, request.method, request.path, body, status, kept
            )
        )
        if isinstance(value, str):
            return Reply(f"<html><body>{value}</body></html>".encode(), status, "text/html")
        return json_reply(value, status)


async def serve(
    bridge: SimulatedBridge,
    host: str,
    port: int,
    *,
    tls: ssl.SSLContext | None = None,
    ready: Callable[[int], None] = lambda _port: None,
) -> None:
    """Serve until cancelled; ``ready`` gets the port as soon as it listens (port 0 picks a free one).

    Raises:
        PortInUseError: another program has the port.
    """
    server = BridgeServer(bridge)
    manager = ServiceManager.from_environment()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await serve_connection(reader, writer, server.answer)

    try:
        listener = await asyncio.start_server(connected, host, port, ssl=tls)
    except OSError as fault:
        if fault.errno == errno.EADDRINUSE:
            raise PortInUseError(f"port {port} on {host} is in use by another program") from fault
        raise UserError(f"cannot listen on {host}:{port}: {fault.strerror}") from fault
    async with listener:
        at = listener.sockets[0].getsockname()
        ready(int(at[1]))
        manager.ready()
        try:
            async with asyncio.TaskGroup() as group:
                if tls is None and manager.ping_every_s is not None:
                    group.create_task(_vouch(manager, at[0], at[1], manager.ping_every_s))
                await listener.serve_forever()
        finally:
            manager.stopping()


async def _vouch(manager: ServiceManager, host: str, port: int, every_s: float) -> None:
    """Ask ourselves what anybody may ask, and tell the service manager each time that it was answered."""
    while True:
        with contextlib.suppress(OSError):
            reader, writer = await asyncio.open_connection(host, port)
            writer.write(b"GET /api/config HTTP/1.1\r\nHost: bridge\r\nConnection: close\r\n\r\n")
            if await reader.readline():
                manager.ping()
            writer.close()
        await pause(every_s * 1000)


def tls_context(cert: Path | None, key: Path | None, bridge_id: str) -> ssl.SSLContext:
    """Return a server context for the given certificate, or for one made now.

    Raises:
        UserError: the files cannot be used, or openssl is missing to make a certificate.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        if cert is not None and key is not None:
            context.load_cert_chain(cert, key)
            return context
        with tempfile.TemporaryDirectory(prefix="stillroom-bridge-") as folder:
            paths = Path(folder) / "cert.pem", Path(folder) / "key.pem"
            make_certificate(*paths, common_name=bridge_id.lower())
            context.load_cert_chain(*paths)
    except (OSError, ssl.SSLError) as fault:
        raise UserError(f"cannot use the certificate: {fault}") from fault
    return context


def make_certificate(cert: Path, key: Path, *, common_name: str) -> None:
    """Make a self-signed certificate, as a bridge has, with the machine's openssl.

    Raises:
        UserError: openssl is not installed, or fails.
    """
    program = shutil.which("openssl")
    if program is None:
        raise UserError("openssl is not installed: give --cert and --key, or install it")
    done = subprocess.run(  # noqa: S603 - a fixed program, no shell, arguments of ours
        [program, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
         "-days", "3650", "-subj", f"/C=NL/O=Philips Hue/CN={common_name}", "-keyout", str(key),
         "-out", str(cert)],
        capture_output=True, text=True, check=False, timeout=30,
    )  # fmt: skip
    if done.returncode != 0:
        raise UserError(f"openssl cannot make a certificate: {done.stderr.strip().splitlines()[-1:]}")


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="stillroom simulate-bridge", description="A simulated Hue bridge.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8400, help="0 picks a free one and prints it")
    parser.add_argument("--lights", type=int, default=6, help="how many lamps")
    parser.add_argument("--names", default="", help="their names, with commas between")
    parser.add_argument("--kinds", default="colour", help=f"kinds in turn: {', '.join(MODELS)}")
    parser.add_argument("--user", default="", help="a user already paired, without the link button")
    parser.add_argument("--seed", type=int, default=1, help="fixes the bridge's id and the users' names")
    parser.add_argument("--latency-ms", type=float, default=0.0, help="how long each answer takes")
    parser.add_argument("--https", action="store_true", help="serve HTTPS only, as a Bridge Pro does")
    parser.add_argument("--cert", type=Path, help="certificate in PEM; one is made when none is given")
    parser.add_argument("--key", type=Path, help="its private key in PEM")
    return parser


def _split(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _build(options: argparse.Namespace) -> SimulatedBridge:
    kinds = _split(options.kinds)
    for kind in kinds:
        if kind not in MODELS:
            raise UserError(f"--kinds: no lamp of kind {kind!r}; there are {', '.join(MODELS)}")
    if not 1 <= options.lights <= 63:
        raise UserError("--lights: a bridge holds 1 to 63 lamps")
    bridge = make_bridge(options.lights, names=_split(options.names), kinds=kinds, seed=options.seed)
    bridge.faults.latency_ms = options.latency_ms
    if options.user:
        bridge.users[options.user] = "given on the command line"
    return bridge


def main(argv: Sequence[str] | None = None) -> int:
    """Run the bridge until interrupted; return the exit status (2: told something it cannot use)."""
    options = _arguments().parse_args(argv)
    try:
        bridge = _build(options)
        tls = tls_context(options.cert, options.key, bridge.bridge_id) if options.https else None
        scheme = "https" if tls is not None else "http"

        def announce(port: int) -> None:
            sys.stdout.write(f"simulated bridge {bridge.bridge_id} at {scheme}://{options.host}:{port}/\n")
            sys.stdout.flush()

        asyncio.run(serve(bridge, options.host, options.port, tls=tls, ready=announce))
    except KeyboardInterrupt:
        return 0
    except StillroomError as fault:
        sys.stderr.write(f"{fault}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
