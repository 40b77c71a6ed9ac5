"""How much a stranger on the broker may ask of a room: a bucket per asker, one for all, and few words of log.

Pure but for the log. It never forgets to refuse because its own tables are full: they are bounded, and
whoever does not fit shares a bucket.
"""

import logging
from collections import OrderedDict
from dataclasses import dataclass

MOST_ASKERS = 64


@dataclass(slots=True)
class Bucket:
    """A token bucket: ``per_s`` sustained, ``burst`` at once. Times in ms."""

    per_s: float
    burst: float
    tokens: float
    at_ms: int

    def take(self, now_ms: int) -> bool:
        """Take one token if there is one."""
        self.tokens = min(self.burst, self.tokens + (now_ms - self.at_ms) * self.per_s / 1000)
        self.at_ms = now_ms
        if self.tokens < 1.0:
            return False
        self.tokens -= 1.0
        return True


class RateLimit:
    """At most ``per_s`` from one asker and ``all_per_s`` from all, in bursts of two seconds' worth.

    MQTT does not tell who published; the response topic tells askers apart as well as anything can.
    """

    def __init__(self, per_s: float, all_per_s: float, now_ms: int) -> None:
        self._per_s = per_s
        self._all = Bucket(all_per_s, 2 * all_per_s, 2 * all_per_s, now_ms)
        self._askers: OrderedDict[str, Bucket] = OrderedDict()

    def allow(self, asker: str, now_ms: int) -> bool:
        """Whether this one may ask now."""
        bucket = self._askers.get(asker)
        if bucket is None:
            while len(self._askers) >= MOST_ASKERS:
                self._askers.popitem(last=False)
            bucket = self._askers[asker] = Bucket(self._per_s, 2 * self._per_s, 2 * self._per_s, now_ms)
        self._askers.move_to_end(asker)
        return bucket.take(now_ms) and self._all.take(now_ms)


class QuietLog:
    """One log line a second at most; the rest is counted and said with the next one."""

    def __init__(self, logger: logging.Logger, gap_ms: int = 1_000) -> None:
        self._logger = logger
        self._gap_ms = gap_ms
        self._last_ms: int | None = None
        self._unsaid = 0

    def warn(self, line: str, now_ms: int) -> None:
        """Say it, or count it."""
        if self._last_ms is not None and now_ms - self._last_ms < self._gap_ms:
            self._unsaid += 1
            return
        more = f" (and {self._unsaid} more like it)" if self._unsaid else ""
        self._logger.warning("%s%s", line, more)
        self._last_ms, self._unsaid = now_ms, 0
