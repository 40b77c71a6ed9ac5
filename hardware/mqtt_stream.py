"""What lies between paho and its socket: few large reads and writes instead of many small ones.

paho reads a packet in three calls and writes each packet with one. Every call gives up Python's interpreter
lock, and winning it back from a thread that is busy can take milliseconds: with many rooms that was most of
what a command waited for. Plain bytes, no socket and no paho: both come as callables. It never loses, doubles
or reorders a byte.
"""

from collections.abc import Callable
from typing import Final

READ_BYTES: Final = 16_384


class ReadAhead:
    """Bytes that were read together, handed out as they are asked for."""

    __slots__ = ("_at", "_kept", "_may_read")

    def __init__(self) -> None:
        self._kept, self._at = b"", 0
        self._may_read = True

    def __len__(self) -> int:
        return len(self._kept) - self._at

    def begin_turn(self) -> None:
        """The socket may have something: the next empty hand reads."""
        self._may_read = True

    def take(self, most: int, read: Callable[[int], bytes]) -> bytes:
        """Return at most ``most`` bytes; none: the other side has closed.

        Raises:
            BlockingIOError: there is nothing for now.
        """
        if not len(self):
            if not self._may_read:
                raise BlockingIOError
            chunk = read(READ_BYTES)
            # A short read has emptied the socket: to ask again in this turn would be a call for nothing.
            self._may_read = len(chunk) == READ_BYTES
            if len(chunk) <= most:
                return chunk
            self._kept, self._at = chunk, 0
        start = self._at
        self._at = min(start + most, len(self._kept))
        return self._kept[start : self._at]


class WriteBehind:
    """Bytes that wait to be written together."""

    __slots__ = ("_waiting",)

    def __init__(self) -> None:
        self._waiting = bytearray()

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, data: bytes | bytearray) -> int:
        """Keep these for the next ``flush``; return how many they are."""
        self._waiting += data
        return len(data)

    def flush(self, send: Callable[[bytes], int]) -> None:
        """Write as much as the socket takes; what it does not take stays, in order.

        Raises:
            OSError: the connection is gone.
        """
        try:
            while self._waiting:
                del self._waiting[: send(bytes(self._waiting))]
        except BlockingIOError:
            return
