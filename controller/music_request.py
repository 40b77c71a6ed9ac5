"""What the conductor asks of whoever chooses tracks, and what it gets."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class TrackRequest:
    """What the conductor asks of whoever chooses tracks."""

    pool: str
    energy: float
    words_allowed: bool
    unbroken: bool
    history: tuple[str, ...]
    remaining_ms: int | None
    phase_ms: int | None
    crossfade_ms: int
    excluded_pools: tuple[str, ...]
    excluded_tracks: tuple[str, ...]
    count: int
    seed: str


@dataclass(frozen=True, slots=True)
class ChosenTrack:
    """A track to play, with its fixed loudness gain."""

    track_id: str
    pool: str
    path: str
    gain_db: float
    start_ms: int
    end_ms: int
    title: str
    artist: str
    fade_ms: int


class Chooser(Protocol):
    """Chooses tracks from the pools; never raises, and answers with nothing when a pool has nothing."""

    def choose(self, request: TrackRequest) -> Sequence[ChosenTrack]:
        """Return up to ``count`` tracks in the order to be played."""
        ...

    def find(self, track_id: str) -> ChosenTrack | None:
        """Return a track by its id, None if it has gone."""
        ...
