"""Commands: what a therapist, or a program that speaks for her, may ask of a room.

Imperative names; each is plain data. Whether one is allowed now is ``session.step``'s to say.
``None`` for a zone means every zone; ``None`` for a fade means the default ramp.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal, TypeAlias

from controller.core.light import Colour
from controller.core.score import Audience, PhaseId, PoolId, Scene, Score, ZoneId


class Trim(StrEnum):
    """The four light buttons."""

    DIMMER = "dimmer"
    BRIGHTER = "brighter"
    WARMER = "warmer"
    COOLER = "cooler"


class ScopeKind(StrEnum):
    """How long an override lasts."""

    UNTIL_RELEASED = "until_released"
    PHASE = "phase"
    MINUTES = "minutes"


@dataclass(frozen=True, slots=True)
class Scope:
    """How long an override lasts; ``minutes`` only with ``ScopeKind.MINUTES``."""

    kind: ScopeKind = ScopeKind.UNTIL_RELEASED
    minutes: float | None = None


UNTIL_RELEASED = Scope()


@dataclass(frozen=True, slots=True)
class SessionSheet:
    """What is agreed before the start, and locked at it. No name, no diagnosis, no birth date.

    Free text (the intention) is not here: it lives with the notes.
    """

    touch: Literal["yes", "ask", "no"] = "ask"
    excluded_pools: tuple[PoolId, ...] = ()
    excluded_tracks: tuple[str, ...] = ()
    words_allowed: bool = True
    present_roles: tuple[str, ...] = ()
    eyeshades_planned: bool = False
    headphones_planned: bool = False


@dataclass(frozen=True, slots=True)
class Start:
    """Start a session by a score, already compiled for this room.

    ``rehearsal_speed`` above 0: a rehearsal, its score already run together by so much.
    """

    session_id: str
    score: Score
    sheet: SessionSheet = field(default_factory=SessionSheet)
    rehearsal_speed: int = 0


@dataclass(frozen=True, slots=True)
class End:
    """End the session. Before the profile's minimum only with ``anyway``."""

    anyway: bool = False


@dataclass(frozen=True, slots=True)
class Hold:
    """Stop session time: lights stay, music goes on, cues wait."""


@dataclass(frozen=True, slots=True)
class Resume:
    """Let session time run on; also lets a lamp changed by hand follow again."""


@dataclass(frozen=True, slots=True)
class Extend:
    """Lengthen this phase (negative: shorten); later phases shift."""

    minutes: float


@dataclass(frozen=True, slots=True)
class NextPhase:
    """Go to the next phase now."""


@dataclass(frozen=True, slots=True)
class GotoPhase:
    """Go to a phase by its id, forward or back."""

    phase: PhaseId


@dataclass(frozen=True, slots=True)
class Anchor:
    """Mark that something happened: ``dose``, ``supplement_given``, ``supplement_declined``.

    ``minutes_ago`` puts it in the past, at most to the session's start.
    """

    anchor: str
    minutes_ago: float = 0.0


@dataclass(frozen=True, slots=True)
class Light:
    """Set a zone's brightness (percent), colour, or both.

    Commands in a row with the same ``gesture`` are the steps of one drag: undo takes them back together.
    """

    zone: ZoneId | None = None
    brightness_percent: float | None = None
    colour: Colour | None = None
    fade_ms: int | None = None
    scope: Scope = UNTIL_RELEASED
    gesture: str | None = None


@dataclass(frozen=True, slots=True)
class LightTrim:
    """Nudge brightness or warmth by ``steps`` buttons' worth."""

    trim: Trim
    zone: ZoneId | None = None
    steps: int = 1


@dataclass(frozen=True, slots=True)
class LightRelease:
    """Give a zone back to the score; with it any lamp there that was changed by hand."""

    zone: ZoneId | None = None
    fade_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Volume:
    """Set the therapist's volume, in dB over the score's level (0 is as the score says).

    ``gesture`` is as with ``Light``.
    """

    trim_db: float
    scope: Scope = UNTIL_RELEASED
    gesture: str | None = None


@dataclass(frozen=True, slots=True)
class VolumeTrim:
    """Louder or quieter, in dB from what is set now (the buttons send +2 and -2)."""

    delta_db: float


@dataclass(frozen=True, slots=True)
class Mood:
    """Play from another pool, from a crossfade on."""

    pool: PoolId
    scope: Scope = Scope(ScopeKind.PHASE)


@dataclass(frozen=True, slots=True)
class SkipTrack:
    """Crossfade to the next track of the pool."""

    fade_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Silence:
    """Fade the music out; it stays so until ``sound``, or for ``minutes``."""

    fade_ms: int | None = None
    minutes: float | None = None


@dataclass(frozen=True, slots=True)
class Sound:
    """Bring the music back after a silence."""

    fade_ms: int | None = None


@dataclass(frozen=True, slots=True)
class SoundRelease:
    """Give volume, mood and silence back to the score."""


@dataclass(frozen=True, slots=True)
class PromptNow:
    """Cue a prompt by its key, or the words in ``text``, whatever the phase says."""

    prompt: str
    text: str | None = None
    audience: Audience = Audience.CLIENT


@dataclass(frozen=True, slots=True)
class PromptDefer:
    """Put a waiting cue off by some minutes."""

    cue_id: str
    minutes: float = 5.0


@dataclass(frozen=True, slots=True)
class PromptAck:
    """A prompt device or the therapist says what became of a prompt."""

    prompt_id: str
    result: Literal["shown", "spoken", "dismissed"]


@dataclass(frozen=True, slots=True)
class TakeScene:
    """Lay a scene over the score: ``path``, ``help`` or a preset, already compiled."""

    scene: Scene


@dataclass(frozen=True, slots=True)
class SceneRelease:
    """Take a scene off again; None takes off all."""

    name: str | None = None


@dataclass(frozen=True, slots=True)
class Eyeshades:
    """The client put the eyeshades on or took them off."""

    on: bool


@dataclass(frozen=True, slots=True)
class Headphones:
    """The client put the headphones on or took them off."""

    on: bool


@dataclass(frozen=True, slots=True)
class Note:
    """Note the time of something. ``text`` is kept apart, in the notes' own table."""

    note_id: str
    chip: str = ""
    text: str = ""


@dataclass(frozen=True, slots=True)
class Undo:
    """Take back the last command, if it is less than 10 s old."""


Body: TypeAlias = (
    Start
    | End
    | Hold
    | Resume
    | Extend
    | NextPhase
    | GotoPhase
    | Anchor
    | Light
    | LightTrim
    | LightRelease
    | Volume
    | VolumeTrim
    | Mood
    | SkipTrack
    | Silence
    | Sound
    | SoundRelease
    | PromptNow
    | PromptDefer
    | PromptAck
    | TakeScene
    | SceneRelease
    | Eyeshades
    | Headphones
    | Note
    | Undo
)


@dataclass(frozen=True, slots=True)
class Command:
    """One command: an id that makes it happen once, and who sent it by role and device, never a name."""

    command_id: str
    by: str
    body: Body
