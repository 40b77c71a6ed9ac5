"""When to dial the broker again, and in which version of MQTT. Pure rules.

A broker that is merely gone is asked every quarter of a second for as long as it takes: a refused
connection costs a packet, and a therapist's panel must be obeyed at once when it is back. One that
refuses *us* is asked less and less often.
"""

from enum import Enum, auto
from typing import Final

FAST_MS: Final = (0, 50, 100, 200, 250)
SLOW_MS: Final = (1_000, 2_000, 5_000, 10_000)


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
        self.v5 = allow_v5
        """Which version the next attempt should speak."""

    def ended(self, end: End, *, was_up: bool) -> int:
        """Note how it went; return how many real milliseconds to wait before the next attempt."""
        if was_up:
            self._tries, self.v5 = 0, self._allow_v5
        else:
            self._tries += 1
            if end in (End.OTHER_VERSION, End.NO_ANSWER):
                # An old broker refuses v5 by a code, or hangs up on it without a word.
                self.v5 = self._allow_v5 and not self.v5
        if end is End.OTHER_VERSION and self._tries <= 1:
            return 0
        delays = SLOW_MS if end is End.REFUSED else FAST_MS
        return delays[min(self._tries, len(delays) - 1)]
