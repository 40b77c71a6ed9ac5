"""The player's socket: takes one daemon's commands, gives it events, and offers the mix to listen in.

It runs in a thread of its own and touches the engine only through ``put``. A newer connection takes over
from an older one. It must never hold up the writer: what a slow reader does not take is dropped.
"""

import os
import selectors
import socket
import sys
import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Final

from controller.ports import PlayerCommand, PlayerEvent, PlayerStatus
from hardware.player.clock import steady_s
from hardware.player.protocol import MAX_LINE_BYTES, ProtocolError, decode_command, encode

STATUS_PERIOD_S: Final = 0.25
KEPT_EVENTS: Final = 256
SLOW_READER_BYTES: Final = 1 << 20


class Link:
    """One connection with what is yet to be sent to it."""

    def __init__(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        self.connection = connection
        self.incoming = bytearray()
        self.outgoing = bytearray()

    def flush(self) -> bool:
        """Send what it takes now; False if it is gone."""
        try:
            while self.outgoing:
                sent = self.connection.send(self.outgoing)
                del self.outgoing[:sent]
        except BlockingIOError:
            return len(self.outgoing) < SLOW_READER_BYTES
        except OSError:
            return False
        return True


def listen(path: Path) -> socket.socket:
    """Return a listening Unix socket that only its owner may use; takes the place of a dead one."""
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        listener.bind(str(path))
    finally:
        os.umask(before)
    listener.listen(4)
    listener.setblocking(False)
    return listener


class Server:
    """Serves the command socket and, if asked, the tap."""

    def __init__(self, path: Path, put: Callable[[PlayerCommand], None], tap: Path | None = None) -> None:
        self._put = put
        self._selector = selectors.DefaultSelector()
        self._listener = listen(path)
        self._selector.register(self._listener, selectors.EVENT_READ, self._accept)
        self._tap_listener = listen(tap) if tap is not None else None
        if self._tap_listener is not None:
            self._selector.register(self._tap_listener, selectors.EVENT_READ, self._accept_tap)
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_write, False)
        self._selector.register(self._wake_read, selectors.EVENT_READ, self._drain_wake)
        self._paths = [path, *([tap] if tap is not None else [])]
        self._events: deque[PlayerEvent] = deque(maxlen=KEPT_EVENTS)
        self._sound: deque[bytes] = deque(maxlen=64)
        self._daemon: Link | None = None
        self._taps: list[Link] = []
        self._stop = False
        self.status: PlayerStatus | None = None
        self._thread = threading.Thread(target=self._run, name="socket", daemon=True)

    def start(self) -> None:
        """Begin to serve."""
        self._thread.start()

    @property
    def tapped(self) -> bool:
        """Whether anybody listens in."""
        return bool(self._taps)

    def post(self, event: PlayerEvent) -> None:
        """Send an event, or keep it for the next daemon. From any thread; never waits."""
        self._events.append(event)
        self._wake()

    def offer_sound(self, block: bytes) -> None:
        """Give a block to those who listen in."""
        self._sound.append(block)
        self._wake()

    def _wake(self) -> None:
        try:
            os.write(self._wake_write, b".")
        except BlockingIOError:
            return

    def close(self) -> None:
        """Send what is left and end."""
        self._stop = True
        self._wake()
        self._thread.join(timeout=2.0)
        for path in self._paths:
            path.unlink(missing_ok=True)

    # ------------------------------------------------------------ its thread

    def _run(self) -> None:
        due = steady_s()
        while not self._stop:
            for key, _ in self._selector.select(max(0.0, due - steady_s())):
                key.data()
            self._send_events()
            self._send_sound()
            if steady_s() >= due:
                due = max(due + STATUS_PERIOD_S, steady_s())
                if self.status is not None:
                    self._send(encode(self.status))
        self._send_events()
        self._drop_daemon()
        for link in self._taps:
            link.connection.close()

    def _accept(self) -> None:
        connection, _ = self._listener.accept()
        self._drop_daemon()
        link = self._daemon = Link(connection)
        self._selector.register(connection, selectors.EVENT_READ, lambda: self._receive(link))
        if self.status is not None:
            self._send(encode(self.status))

    def _accept_tap(self) -> None:
        if self._tap_listener is not None:
            self._taps.append(Link(self._tap_listener.accept()[0]))

    def _drain_wake(self) -> None:
        os.read(self._wake_read, 4096)

    def _receive(self, link: Link) -> None:
        try:
            data = link.connection.recv(1 << 16)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data or len(link.incoming) > MAX_LINE_BYTES:
            if link is self._daemon:
                self._drop_daemon()
            return
        link.incoming += data
        *lines, rest = link.incoming.split(b"\n")
        link.incoming = bytearray(rest)
        for line in lines:
            self._take(bytes(line))

    def _take(self, line: bytes) -> None:
        try:
            self._put(decode_command(line))
        except ProtocolError as error:
            sys.stderr.write(f"player: a command was refused: {error}\n")

    def _send_events(self) -> None:
        while self._events and self._daemon is not None:
            event = self._events.popleft()
            self._send(encode(event))
        if self._daemon is not None and not self._daemon.flush():
            self._drop_daemon()

    def _send(self, line: bytes) -> None:
        if self._daemon is not None:
            self._daemon.outgoing += line
            if not self._daemon.flush():
                self._drop_daemon()

    def _send_sound(self) -> None:
        while self._sound:
            block = self._sound.popleft()
            for link in list(self._taps):
                link.outgoing += block
                if not link.flush():
                    link.connection.close()
                    self._taps.remove(link)

    def _drop_daemon(self) -> None:
        if self._daemon is not None:
            self._selector.unregister(self._daemon.connection)
            self._daemon.connection.close()
            self._daemon = None
