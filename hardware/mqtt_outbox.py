"""What waits for the broker: a bounded queue that forgets what is stale.

Plain data and rules, no socket and no clock of its own. It never lets an old message out: each has an
instant after which it is worth nothing, and of a retained topic only the newest counts.
"""

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass

DEFAULT_WAIT_S = 30.0


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One message on its way out.

    ``worthless_at_ms`` is the room time after which it must not be sent. ``expires`` says whether that
    instant is the sender's word (then the broker is told the rest of it too) or only our patience.
    """

    topic: str
    payload: bytes
    qos: int
    retain: bool
    worthless_at_ms: int
    expires: bool
    repeat: bool
    correlation_data: bytes | None = None


class Outbox:
    """Messages of QoS 1 and 2 that are not on the wire, oldest first, at most ``limit``."""

    def __init__(self, limit: int = 1_000) -> None:
        self._limit = limit
        self._items: OrderedDict[int, Outgoing] = OrderedDict()
        self._retained: dict[str, int] = {}
        self._next = 0
        self._first = -1
        self.dropped = 0

    def __len__(self) -> int:
        return len(self._items)

    def put(self, item: Outgoing) -> None:
        """Queue a message behind the others; over the limit the oldest is dropped."""
        self._forget_older(item)
        key, self._next = self._next, self._next + 1
        self._store(key, item)

    def put_back(self, items: Iterable[Outgoing]) -> None:
        """Queue messages that were sent and not acknowledged, in order, before all others.

        Of those that must not be repeated, and of retained ones with a newer successor, nothing is kept.
        """
        for item in reversed(tuple(items)):
            if not item.repeat or (item.retain and item.topic in self._retained):
                self.dropped += 1
                continue
            key, self._first = self._first, self._first - 1
            self._store(key, item)
            self._items.move_to_end(key, last=False)

    def take(self, now_ms: int) -> Outgoing | None:
        """Return the oldest message that is still worth sending at ``now_ms``, or None."""
        while self._items:
            key, item = self._items.popitem(last=False)
            if self._retained.get(item.topic) == key:
                del self._retained[item.topic]
            if now_ms < item.worthless_at_ms:
                return item
            self.dropped += 1
        return None

    def drop_stale(self, now_ms: int) -> None:
        """Forget whatever has become worthless, so that a long outage does not fill the queue."""
        for key in [key for key, item in self._items.items() if now_ms >= item.worthless_at_ms]:
            self._remove(key)

    def _store(self, key: int, item: Outgoing) -> None:
        self._items[key] = item
        if item.retain:
            self._retained[item.topic] = key
        while len(self._items) > self._limit:
            self._remove(next(iter(self._items)))

    def _forget_older(self, item: Outgoing) -> None:
        older = self._retained.get(item.topic) if item.retain else None
        if older is not None:
            self._remove(older)

    def _remove(self, key: int) -> None:
        item = self._items.pop(key)
        if self._retained.get(item.topic) == key:
            del self._retained[item.topic]
        self.dropped += 1
