"""The account of one session: the times, shares and lists that its records were worked out into.

Plain values. It holds roles and no device's name, since
a name somebody typed may be a person's; and no free text. It says what our own parts did wrong as plainly as
what went well.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from controller.core.commands import SessionSheet
from controller.core.score import Score

Ending: TypeAlias = Literal["planned", "therapist", "anyway", "undone", "not ended"]
"""How a session ended: as records say, or not at all yet."""


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of room time, ms; ``end_ms`` is where the account ends if nothing ended it."""

    start_ms: int
    end_ms: int

    @property
    def length_ms(self) -> int:
        """How long it was."""
        return max(self.end_ms - self.start_ms, 0)


@dataclass(frozen=True, slots=True)
class PhaseLived:
    """A phase as it was: its plan in session ms, and when it really began and ended."""

    phase: str
    title: str
    planned_ms: int
    span: Span
    reached: Literal["in time", "by hand"]
    """By its time, or because somebody went to it."""


@dataclass(frozen=True, slots=True)
class TrackHeard:
    """A track, from its start to the next one's or the end; a silence asked for may lie in it.

    ``skipped``: somebody asked for the next.
    """

    track: str
    title: str
    artist: str
    pool: str
    phase: str
    span: Span
    skipped: bool


@dataclass(frozen=True, slots=True)
class PromptGiven:
    """A prompt or card that went out, and what became of it."""

    prompt: str
    text: str
    audience: str
    at_ms: int
    tapped: bool
    result: str
    """``shown``, ``spoken``, ``dismissed`` or, where nobody answered, an empty string."""
    answered_at_ms: int | None


@dataclass(frozen=True, slots=True)
class OverrideHeld:
    """A channel that was a person's for a while: ``light bedside colour``, ``volume``, ``scene path`` ..."""

    channel: str
    by: str
    span: Span


@dataclass(frozen=True, slots=True)
class Disturbance:
    """Something of our own making, or found: a part that failed, a track that did, a daemon that was away."""

    kind: Literal["part", "track", "restart", "lamp by hand"]
    what: str
    span: Span


@dataclass(frozen=True, slots=True)
class LightPoint:
    """A zone's light as the session had it (score and overrides), at a room time."""

    at_ms: int
    percent: float
    swatch: str


@dataclass(frozen=True, slots=True)
class Shares:
    """How the session's time was spent, ms. The three make up the whole."""

    as_designed_ms: int
    overridden_ms: int
    held_ms: int

    @property
    def whole_ms(self) -> int:
        """The session's whole length."""
        return self.as_designed_ms + self.overridden_ms + self.held_ms


@dataclass(frozen=True, slots=True)
class Moment:
    """Something a person noted or did at an instant, in the plain words of its kind."""

    at_ms: int
    kind: str
    what: str
    by: str
    note_id: str | None = None


@dataclass(frozen=True, slots=True)
class Account:
    """One session, worked out. Times are room time (Unix-based ms)."""

    session_id: str
    room: str
    profile: str
    title: str
    unreviewed: bool
    speed: int
    sheet: SessionSheet
    score: Score
    span: Span
    ended: Ending
    shares: Shares
    phases: tuple[PhaseLived, ...]
    tracks: tuple[TrackHeard, ...]
    silences: tuple[Span, ...]
    prompts: tuple[PromptGiven, ...]
    left_out: Mapping[str, int]
    """How many of the score's prompts were left out, by reason."""
    overrides: tuple[OverrideHeld, ...]
    holds: tuple[Span, ...]
    moments: tuple[Moment, ...]
    disturbances: tuple[Disturbance, ...]
    light: Mapping[str, tuple[LightPoint, ...]]
    commands: Mapping[str, int]
    """How many of each kind of change a person made."""
    eyeshades: tuple[Span, ...]
    headphones: tuple[Span, ...]


def role_of(by: str) -> str:
    """Return who did it, by role alone: ``therapist:tablet by the window`` is ``therapist``."""
    return by.partition(":")[0]
