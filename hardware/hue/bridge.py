"""phue with a transport that can be trusted: the only module that imports phue.

Every call of phue goes through ``Bridge.request()``; ours speaks HTTP and HTTPS with a pinned certificate,
waits 2 s and no longer, keeps connections open, and inspects every item of every reply. It must never let
phue register, or write its configuration file.
"""

import hmac
import http.client
import json
import os
import select
import socket
import ssl
import threading
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Final
from urllib.parse import urlsplit

from hardware.faults import DeviceError, Scope

with warnings.catch_warnings():
    # phue 1.1 compares a string with ``is not``; Python says so each time it compiles the file.
    warnings.simplefilter("ignore", SyntaxWarning)
    import phue

TIMEOUT_S: Final = 2.0
MAX_IDLE_CONNECTIONS: Final = 2
BUSY_STATUSES: Final = frozenset({429, 500, 502, 503, 504})
LAMP_ERRORS_FINAL: Final = frozenset({2, 3, 4, 5, 6, 7, 8, 11})
UNAUTHORISED: Final = 1
LINK_BUTTON: Final = 101
INTERNAL: Final = 901


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a bridge answers. ``pin``: its certificate's SHA-256 in hex; without one HTTPS is refused."""

    scheme: str
    host: str
    port: int
    pin: str | None = None

    def __str__(self) -> str:
        return f"{self.scheme}://{self.host}:{self.port}"


def parse_endpoint(address: str, pin: str | None) -> Endpoint:
    """Read ``host``, ``host:port`` or a URL; with a pin and no scheme it is HTTPS.

    Raises:
        ValueError: it is not an address.
    """
    default = "https" if pin else "http"
    parts = urlsplit(address if "//" in address else f"{default}://{address}")
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError(f"{address!r} is not a bridge's address")
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return Endpoint(parts.scheme, parts.hostname, port, pin.lower().replace(":", "") if pin else None)


class PinnedBridge(phue.Bridge):  # type: ignore[misc]  # phue has no types
    """A phue bridge over our transport. Its methods block; call them from a worker thread."""

    def __init__(
        self, device: str, endpoint: Endpoint, username: str, *, timeout_s: float = TIMEOUT_S
    ) -> None:
        self._device = device
        self._endpoint = endpoint
        self._timeout_s = timeout_s
        self._lock = threading.Lock()
        self._idle: list[http.client.HTTPConnection] = []
        self._closed = False
        # With a username given phue does no I/O here, and never touches the file.
        super().__init__(ip=endpoint.host, username=username, config_file_path=os.devnull)

    def request(
        self, mode: str = "GET", address: str = "/", data: Mapping[str, object] | None = None
    ) -> object:
        """Make one request of the API and return its JSON.

        Raises:
            DeviceError: it could not be made, was refused, or any part of it was.
        """
        body = json.dumps(data) if mode in {"PUT", "POST"} else None
        operation = f"{mode} {_without_user(address)}"
        status, text = self._exchange(operation, mode, address, body)
        if status != 200:
            raise self._status_error(operation, status)
        try:
            reply = json.loads(text)
        except ValueError as fault:
            raise DeviceError(self._device, operation, "did not answer in JSON", scope=Scope.AWAY) from fault
        self._inspect(operation, reply, changes=mode != "GET")
        return reply

    def close(self) -> None:
        """Close all connections; calls in progress fail."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    # ------------------------------------------------------------ connections

    def _exchange(self, operation: str, mode: str, address: str, body: str | None) -> tuple[int, bytes]:
        headers = {"Content-Type": "application/json"} if body is not None else {}
        reused: http.client.HTTPConnection | None = self._borrow()
        while True:
            connection = reused or self._connect(operation)
            try:
                connection.request(mode, address, body, headers)
                response = connection.getresponse()
                text = response.read()
            except (ConnectionError, http.client.BadStatusLine) as fault:
                connection.close()
                if reused is not None:
                    # The bridge had closed an idle connection: that says nothing about the bridge.
                    reused = None
                    continue
                raise self._away(operation, "hung up") from fault
            except TimeoutError as fault:
                connection.close()
                raise self._away(operation, f"did not answer within {self._timeout_s:g} s") from fault
            except (OSError, http.client.HTTPException) as fault:
                connection.close()
                raise self._away(operation, f"the connection failed: {fault}") from fault
            self._give_back(connection, keep=not response.will_close)
            return response.status, text

    def _borrow(self) -> http.client.HTTPConnection | None:
        with self._lock:
            while self._idle:
                connection = self._idle.pop()
                # Something to read on an idle connection can only be its end.
                if connection.sock is not None and not select.select([connection.sock], [], [], 0)[0]:
                    return connection
                connection.close()
        return None

    def _give_back(self, connection: http.client.HTTPConnection, *, keep: bool) -> None:
        with self._lock:
            if keep and not self._closed and len(self._idle) < MAX_IDLE_CONNECTIONS:
                self._idle.append(connection)
                return
        connection.close()

    def _connect(self, operation: str) -> http.client.HTTPConnection:
        end = self._endpoint
        if end.scheme == "http":
            connection = http.client.HTTPConnection(end.host, end.port, timeout=self._timeout_s)
        else:
            connection = http.client.HTTPSConnection(
                end.host, end.port, timeout=self._timeout_s, context=unverified_context()
            )
        # http.client would connect again by itself, past the check of the certificate.
        connection.auto_open = 0
        try:
            connection.connect()
            connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except TimeoutError as fault:
            connection.close()
            raise self._away(operation, f"did not answer within {self._timeout_s:g} s") from fault
        except ssl.SSLError as fault:
            connection.close()
            raise self._away(operation, f"no encrypted connection: {fault.reason or fault}") from fault
        except OSError as fault:
            connection.close()
            raise self._away(operation, f"cannot be reached: {fault.strerror or fault}") from fault
        if end.scheme == "https":
            self._check_pin(connection, operation)
        return connection

    def _check_pin(self, connection: http.client.HTTPConnection, operation: str) -> None:
        """Compare the certificate with the pinned one before a single byte of ours is sent."""
        seen = fingerprint(connection.sock)
        pin = self._endpoint.pin
        if pin is not None and hmac.compare_digest(pin, seen):
            return
        connection.close()
        message = (
            "its certificate is not the pinned one: not our bridge, or a reset one (pair again)"
            if pin
            else "speaks HTTPS and no certificate is pinned: pair it first"
        )
        raise DeviceError(self._device, operation, message, scope=Scope.AWAY, may_retry=False)

    def _status_error(self, operation: str, status: int) -> DeviceError:
        if status in BUSY_STATUSES:
            return DeviceError(
                self._device, operation, f"answered HTTP {status} (overloaded)", scope=Scope.BUSY
            )
        # Whatever else it says, it says it of this one request.
        scope = Scope.LAMP if 400 <= status < 500 else Scope.AWAY
        return DeviceError(
            self._device, operation, f"answered HTTP {status}", scope=scope, may_retry=scope is Scope.AWAY
        )

    def _away(self, operation: str, message: str) -> DeviceError:
        return DeviceError(self._device, operation, message, scope=Scope.AWAY)

    # ------------------------------------------------------------ replies

    def _inspect(self, operation: str, reply: object, *, changes: bool) -> None:
        """Look at every item: the API mixes successes and errors in one list."""
        if isinstance(reply, dict):
            if changes:
                raise self._away(operation, "answered with an object where a list was due")
            return
        if not isinstance(reply, list) or not reply:
            raise DeviceError(self._device, operation, "answered nothing", scope=Scope.LAMP)
        errors: list[tuple[int, str]] = []
        for item in reply:
            if not isinstance(item, dict) or not ({"success", "error"} & set(item)):
                errors.append((INTERNAL, f"an item that is neither success nor error: {item!r}"))
            elif "error" in item:
                errors.append(_error_of(item["error"]))
        if errors:
            raise self._refusal(operation, errors, parts=len(reply))

    def _refusal(self, operation: str, errors: list[tuple[int, str]], *, parts: int) -> DeviceError:
        kinds = {kind for kind, _ in errors}
        words = "; ".join(f"{text} (error {kind})" for kind, text in errors)
        if len(errors) < parts:
            words = f"took only {parts - len(errors)} of {parts} parts: {words}"
        if UNAUTHORISED in kinds:
            words = f"does not know us (any more): pair it again; {words}"
            return DeviceError(self._device, operation, words, scope=Scope.AWAY, may_retry=False)
        if INTERNAL in kinds:
            return DeviceError(self._device, operation, words, scope=Scope.BUSY)
        final = bool(kinds & LAMP_ERRORS_FINAL)
        return DeviceError(self._device, operation, words, scope=Scope.LAMP, may_retry=not final)


def _error_of(error: object) -> tuple[int, str]:
    if not isinstance(error, dict):
        return INTERNAL, str(error)
    kind = error.get("type")
    return (kind if isinstance(kind, int) else INTERNAL), str(error.get("description", "no description"))


def _without_user(address: str) -> str:
    """Return an API path without the user in it: that is a credential, and this goes into logs."""
    parts = address.split("/")
    return "/" + "/".join(parts[3:]) if len(parts) > 3 and parts[1] == "api" else "/api"


def unverified_context() -> ssl.SSLContext:
    """Return a context that takes any certificate: the caller compares it with a pin, or makes one of it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # Bridges sign their own certificates, for a name that is no host's: a pin says more than a chain could.
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def fingerprint(sock: socket.socket) -> str:
    """Return the SHA-256 of the peer's certificate, in lower-case hex; empty if there is none."""
    data = sock.getpeercert(binary_form=True) if isinstance(sock, ssl.SSLSocket) else None
    return sha256(data).hexdigest() if data else ""


def fetch_fingerprint(endpoint: Endpoint, *, timeout_s: float = TIMEOUT_S) -> str:
    """Connect once and return the certificate's fingerprint, to pin it when pairing.

    Raises:
        DeviceError: no HTTPS there.
    """
    try:
        with (
            socket.create_connection((endpoint.host, endpoint.port), timeout_s) as raw,
            unverified_context().wrap_socket(raw) as sock,
        ):
            return fingerprint(sock)
    except OSError as fault:
        raise DeviceError(
            str(endpoint), "fetch the certificate", f"no HTTPS there: {fault}", scope=Scope.AWAY
        ) from fault
