"""A log handler that speaks systemd's journal's own protocol: each field of a line is a journal field.

``journalctl -u stillroom ROOM=garden`` then finds a room's lines. A journal that is away loses the line,
never the daemon: a send never waits.
"""

import json
import logging
import os
import socket
import struct
import sys
from pathlib import Path
from typing import Final

JOURNAL_SOCKET: Final = Path("/run/systemd/journal/socket")
_PRIORITIES: Final = ((logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6))
_DEBUG: Final = 7


def under_journal() -> bool:
    """Say whether this process' stderr is the journal's, as systemd sets it up for a service."""
    device, _, inode = os.environ.get("JOURNAL_STREAM", "").partition(":")
    try:
        status = os.fstat(sys.stderr.fileno())
    except (OSError, ValueError):
        return False
    return (device, inode) == (str(status.st_dev), str(status.st_ino)) and JOURNAL_SOCKET.exists()


def journal_field(name: str, value: str) -> bytes:
    """Return one field in the journal's native format, whatever is in the value."""
    key = "".join(char if char.isascii() and char.isalnum() else "_" for char in name.upper()).lstrip("_")[
        :64
    ]
    data = value.encode("utf-8", "replace")
    if b"\n" not in data:
        return key.encode() + b"=" + data + b"\n"
    return key.encode() + b"\n" + struct.pack("<Q", len(data)) + data + b"\n"


class JournalHandler(logging.Handler):
    """Sends each record as one datagram."""

    def __init__(self, path: Path = JOURNAL_SOCKET) -> None:
        super().__init__()
        self._path = str(path)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        self._socket.setblocking(False)

    def emit(self, record: logging.LogRecord) -> None:
        """Send one record; what the formatter made as JSON goes out as fields."""
        try:
            self._socket.sendto(self._datagram(record), self._path)
        except OSError:
            return  # it is being restarted, or its queue is full: a log line may never hold up a room

    def _datagram(self, record: logging.LogRecord) -> bytes:
        text = self.format(record)
        try:
            found = json.loads(text)
        except ValueError:
            found = None
        fields: dict[str, object] = found if isinstance(found, dict) else {"event": text}
        priority = next((number for level, number in _PRIORITIES if record.levelno >= level), _DEBUG)
        rest = {name: value for name, value in fields.items() if name not in ("event", "level", "timestamp")}
        words = " ".join(f"{name}={value}" for name, value in rest.items() if name != "exception")
        event = str(fields.get("event", ""))
        parts = [
            journal_field("MESSAGE", f"{event} {words}".strip()),
            journal_field("PRIORITY", str(priority)),
            journal_field("SYSLOG_IDENTIFIER", "stillroom"),
            journal_field("EVENT", event),
        ]
        parts += [
            journal_field(name, value if isinstance(value, str) else json.dumps(value, default=str))
            for name, value in rest.items()
        ]
        return b"".join(parts)

    def close(self) -> None:
        """Give the socket back."""
        self._socket.close()
        super().close()
