"""Telling systemd how a service is: ready, at work, stopping. A datagram, sent without waiting.

Every process of ours uses it, and where no service manager listens it does nothing. A ping of the watchdog is
sent by the loop whose work it vouches for, never by a timer beside it: a loop that hangs is then found out.
"""

import os
import socket
from collections.abc import Callable, Iterable
from typing import Final, Self

PINGS_A_PERIOD: Final = 4
"""How often within systemd's patience a ping goes out: one may be late, and one may be lost."""
_MAX_STATUS: Final = 200


class ServiceManager:
    """The service manager that started us, or nobody."""

    def __init__(self, address: str | None = None, watchdog_us: int = 0) -> None:
        """``address``: its socket; one that begins with ``@`` is abstract. ``watchdog_us``: its patience."""
        self._address = address
        self._watchdog_us = watchdog_us if address else 0
        self._socket: socket.socket | None = None
        if address:
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
            self._socket.setblocking(False)

    @classmethod
    def from_environment(cls) -> Self:
        """Return the one that systemd's variables name, and forget them: no child may speak for us."""
        address = os.environ.pop("NOTIFY_SOCKET", None)
        patience, pid = os.environ.pop("WATCHDOG_USEC", ""), os.environ.pop("WATCHDOG_PID", "")
        ours = not pid or pid == str(os.getpid())
        return cls(address, int(patience) if patience.isdigit() and ours else 0)

    @property
    def ping_every_s(self) -> float | None:
        """How often it wants to hear that the work goes on, in seconds; None: it does not watch us."""
        return self._watchdog_us / 1e6 / PINGS_A_PERIOD if self._watchdog_us else None

    def ready(self, status: str = "") -> None:
        """Say that we serve."""
        self._send("READY=1", *_status(status))

    def status(self, text: str) -> None:
        """Say in one line how we are; ``systemctl status`` shows it. Nothing of a client."""
        self._send(*_status(text))

    def ping(self) -> None:
        """Say that the work goes on."""
        self._send("WATCHDOG=1")

    def stopping(self) -> None:
        """Say that we end."""
        self._send("STOPPING=1")

    def _send(self, *lines: str) -> None:
        if self._socket is None or self._address is None or not lines:
            return
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        try:
            self._socket.sendto("\n".join(lines).encode(), address)
        except OSError:
            return  # it is away or its queue is full; the next ping comes soon


def _status(text: str) -> tuple[str, ...]:
    return (f"STATUS={' '.join(text.split())[:_MAX_STATUS]}",) if text else ()


class Watchdog:
    """Gathers the turns of several loops into one ping: it goes out only when each has turned since the last.

    A loop says ``turned(name)`` in its own course. ``now_s`` is any steady count of seconds.
    """

    def __init__(self, manager: ServiceManager, names: Iterable[str], now_s: Callable[[], float]) -> None:
        self._manager, self._now_s = manager, now_s
        self._names = frozenset(names)
        self._turned: set[str] = set()
        self._pinged_s = float("-inf")

    def turned(self, name: str) -> None:
        """Note that a loop has done its work once more; when all have, ping."""
        every_s = self._manager.ping_every_s
        if every_s is None:
            return
        self._turned.add(name)
        now_s = self._now_s()
        # Turns come far oftener than pings are wanted.
        if self._turned >= self._names and now_s - self._pinged_s >= every_s / 2:
            self._manager.ping()
            self._pinged_s = now_s
            self._turned.clear()
