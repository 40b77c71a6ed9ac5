"""When to dial the broker again, and in which version of MQTT. Pure rules.

A broker that is merely gone is asked seven times a second for as long as it takes: a refused
connection costs a packet, and a therapist's panel must be obeyed at once when it is back. One that
refuses *us* is asked less and less often.
"""

from enum import Enum, auto
from typing import Final

FAST_MS: Final = (0, 25, 50, 100, 150)
SLOW_MS: Final = (1_000, 2_000, 5_000, 10_000)
SHORT_MS: Final = 1_000
FIGHT_AFTER: Final = 3
"""So many short connections in a row, with no dial refused between them: two programs share a client id."""


class End(Enum):
    """How an attempt or a connection ended."""

    LOST = auto()
    """The connection broke, or nobody listens."""
    NO_ANSWER = auto()
    """Somebody listens, but hung up on our greeting or did not answer it."""
    OTHER_VERSION = auto()
    """The broker says that it does not speak this version of MQTT."""
    REFUSED = auto()
    """The broker does not want us: password, rights, certificate, or another has our client id."""


class Retry:
    """Counts the tries since the link was last up."""

    def __init__(self, *, allow_v5: bool) -> None:
        self._allow_v5 = allow_v5
        self._tries = 0
        self._short = 0
        self._last: End | None = None
        self.v5 = allow_v5
        """Which version the next attempt should speak."""

    @property
    def fights(self) -> bool:
        """Whether a broker that is well keeps throwing us out just after it took us."""
        return self._short >= FIGHT_AFTER

    def ended(self, end: End, *, lasted_ms: int | None) -> int:
        """Note how it went; return how many real milliseconds to wait before the next attempt.

        ``lasted_ms`` is how long the broker had taken us for, None if it never did.
        """
        if lasted_ms is not None:
            untroubled = self._tries == 0
            self._short = self._short + 1 if lasted_ms < SHORT_MS and untroubled else 0
            self._tries, self.v5 = 0, self._allow_v5
        else:
            self._tries += 1
            if end is End.LOST:
                self._short = 0
            if end in (End.OTHER_VERSION, End.NO_ANSWER):
                # An old broker refuses v5 by a code, or hangs up on it without a word.
                self.v5 = self._allow_v5 and not self.v5
        before, self._last = self._last, end
        if end is End.OTHER_VERSION and before is not End.OTHER_VERSION:
            return 0
        if self.fights:
            return SLOW_MS[min(self._short - FIGHT_AFTER, len(SLOW_MS) - 1)]
        delays = SLOW_MS if end is End.REFUSED else FAST_MS
        return delays[min(self._tries, len(delays) - 1)]
