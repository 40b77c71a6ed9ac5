"""TCP and TLS for the MQTT link: the options that keep its latency in single milliseconds.

Nagle's algorithm meeting delayed acknowledgements costs 40 ms a message; these options avoid that on our
side, whatever the broker does on its own. Nothing here raises for a platform that lacks one of them.
"""

import socket
import ssl
from contextlib import suppress
from dataclasses import dataclass

from controller.errors import UserError

UNACKED_MS = 5_000
"""How long the kernel waits for a peer to acknowledge bytes before it gives the connection up."""


@dataclass(frozen=True, slots=True)
class MqttTls:
    """TLS to the broker. Without ``ca_file`` the system's authorities count. Paths to PEM files."""

    ca_file: str | None = None
    cert_file: str | None = None
    key_file: str | None = None
    check_hostname: bool = True


def make_tls_context(tls: MqttTls) -> ssl.SSLContext:
    """Return a client context, TLS 1.2 or later.

    Raises:
        UserError: a certificate or key cannot be read.
    """
    try:
        context = ssl.create_default_context(cafile=tls.ca_file)
        if tls.cert_file:
            context.load_cert_chain(tls.cert_file, tls.key_file)
    except (OSError, ssl.SSLError) as error:
        raise UserError(f"mqtt.tls: a certificate or key cannot be read: {error}") from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.check_hostname = tls.check_hostname
    return context


def tune(sock: socket.socket) -> None:
    """Send small segments at once, and notice a peer that is gone."""
    with suppress(OSError):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNACKED_MS)
    acknowledge_quickly(sock)


def acknowledge_quickly(sock: socket.socket) -> None:
    """Acknowledge what was received at once. Linux forgets this, so it is said again after each read."""
    if hasattr(socket, "TCP_QUICKACK"):
        with suppress(OSError):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
