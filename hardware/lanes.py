"""Who goes next to a bridge, and when: token buckets, and a waiting room with three lanes.

Pure: times are real milliseconds given as arguments. It never holds a command for long: what waits is a
lamp's wish to be asked, and the newest word is asked for at the instant of sending.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Final

from controller.core.envelope import Authority
from controller.core.score import FixtureId

RANK: Final = {Authority.HELP: 0, Authority.THERAPIST: 1, Authority.SCORE: 2}


@dataclass(frozen=True, slots=True)
class Budget:
    """What a bridge can bear.

    ``burst`` + ``lights_per_s`` is the most that any one second can see. ``reserve`` tokens are kept from the
    score, so that the therapist never waits for one. ``in_flight`` requests at once, at most one of them the
    score's.
    """

    lights_per_s: float = 8.0
    burst: float = 2.0
    reserve: float = 1.0
    groups_per_s: float = 1.0
    in_flight: int = 2


@dataclass(slots=True)
class TokenBucket:
    """``per_s`` tokens each second, at most ``burst`` saved up."""

    per_s: float
    burst: float
    _tokens: float = field(init=False)
    _at_ms: float = field(init=False, default=0.0)

    def __post_init__(self) -> None:
        self._tokens = self.burst

    def ready_at(self, now_ms: float, reserve: float = 0.0) -> float:
        """Return when a token can be taken that leaves ``reserve`` behind: ``now_ms`` or later, ms."""
        missing = 1.0 + reserve - self._filled(now_ms)
        return now_ms if missing <= 1e-9 else now_ms + missing / self.per_s * 1000.0

    def take(self, now_ms: float) -> None:
        """Take a token; into debt if need be, which later ones wait for."""
        self._tokens = self._filled(now_ms) - 1.0
        self._at_ms = now_ms

    def _filled(self, now_ms: float) -> float:
        elapsed_s = max(now_ms - self._at_ms, 0.0) / 1000.0
        return min(self._tokens + elapsed_s * self.per_s, self.burst)


@dataclass(frozen=True, slots=True)
class _Wish:
    authority: Authority
    order: int


@dataclass(slots=True)
class WaitingRoom:
    """Lamps that want a command: help before therapist before score, first come first served within."""

    _wishes: dict[FixtureId, _Wish] = field(default_factory=dict)
    _count: int = 0

    def wake(self, fixtures: Iterable[FixtureId], authority: Authority) -> None:
        """Let lamps wait. One that waits already keeps its place, and the better of its two lanes."""
        for fixture in fixtures:
            self._count += 1
            wish = self._wishes.get(fixture)
            if wish is None or RANK[authority] < RANK[wish.authority]:
                self._wishes[fixture] = _Wish(authority, self._count)

    def leave(self, fixture: FixtureId) -> None:
        """A lamp has been served."""
        self._wishes.pop(fixture, None)

    def first(self, excluding: Collection[FixtureId]) -> tuple[FixtureId, Authority] | None:
        """Return the lamp to serve next and its lane, or None."""
        able = [(RANK[w.authority], w.order, f) for f, w in self._wishes.items() if f not in excluding]
        if not able:
            return None
        fixture = min(able)[2]
        return fixture, self._wishes[fixture].authority

    def lane(self, authority: Authority, excluding: Collection[FixtureId]) -> frozenset[FixtureId]:
        """Return the lamps that wait in one lane."""
        return frozenset(
            f for f, w in self._wishes.items() if w.authority is authority and f not in excluding
        )

    def waiting(self) -> frozenset[FixtureId]:
        """Return all lamps that wait."""
        return frozenset(self._wishes)

    def authority(self, fixture: FixtureId) -> Authority | None:
        """Return the lane a lamp waits in, or None."""
        wish = self._wishes.get(fixture)
        return None if wish is None else wish.authority


@dataclass(slots=True)
class Patience:
    """Back-off without chance: each failure in a row doubles the rest, up to a cap; a success ends it."""

    first_ms: float
    cap_ms: float
    failures: int = 0
    until_ms: float = 0.0

    def fail(self, now_ms: float) -> None:
        """Count a failure and rest."""
        self.failures += 1
        self.until_ms = now_ms + min(self.first_ms * 2.0 ** min(self.failures - 1, 16), self.cap_ms)

    def succeed(self) -> None:
        """Forget all failures."""
        self.failures, self.until_ms = 0, 0.0
