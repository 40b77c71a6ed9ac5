"""Records: what happened in a room, in the past tense. The journal is an append-only list of them.

``fold`` over a session's records rebuilds its state exactly, so each record holds every value that its
consequence depends on and never a reference to something that may change. No free text: notes and the
client's words live in their own table.
"""

from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from controller.core.commands import Scope, SessionSheet
from controller.core.light import Colour
from controller.core.score import Audience, FixtureId, PhaseId, PoolId, Scene, Score, ZoneId


@dataclass(frozen=True, slots=True)
class SessionStarted:
    """A session began; the score travels in the record so that a later edit cannot change it.

    ``rehearsal_speed`` above 0 says that nobody lay there: a rehearsal, so many times as fast.
    """

    session_id: str
    score: Score
    sheet: SessionSheet
    speed: int = 1
    rehearsal_speed: int = 0
    kind: Literal["session_started"] = "session_started"


@dataclass(frozen=True, slots=True)
class SessionEnded:
    """The session is over: by its plan, by the therapist, or before the minimum with "end anyway"."""

    reason: Literal["planned", "therapist", "anyway", "undone"]
    kind: Literal["session_ended"] = "session_ended"


@dataclass(frozen=True, slots=True)
class SessionHeld:
    """Session time stopped."""

    kind: Literal["session_held"] = "session_held"


@dataclass(frozen=True, slots=True)
class SessionResumed:
    """Session time ran on."""

    kind: Literal["session_resumed"] = "session_resumed"


@dataclass(frozen=True, slots=True)
class SessionRecovered:
    """The daemon came back into a running session after ``away_ms``; ``asked`` if it holds and asks first."""

    away_ms: int
    asked: bool = False
    kind: Literal["session_recovered"] = "session_recovered"


@dataclass(frozen=True, slots=True)
class PhaseEntered:
    """A phase began, by its time or by a jump."""

    phase: PhaseId
    slot: int
    kind: Literal["phase_entered"] = "phase_entered"


@dataclass(frozen=True, slots=True)
class PhaseExtended:
    """The current phase became longer (or, negative, shorter)."""

    phase: PhaseId
    delta_ms: int
    kind: Literal["phase_extended"] = "phase_extended"


@dataclass(frozen=True, slots=True)
class PhaseJumped:
    """The current phase was cut here and the session goes on with ``phase``."""

    phase: PhaseId
    kind: Literal["phase_jumped"] = "phase_jumped"


@dataclass(frozen=True, slots=True)
class AnchorMarked:
    """Something the plan hangs on happened, at ``session_ms``."""

    anchor: str
    session_ms: int
    kind: Literal["anchor_marked"] = "anchor_marked"


@dataclass(frozen=True, slots=True)
class LightHeld:
    """A zone's brightness (L*) or colour, or both, is the therapist's."""

    zone: ZoneId
    lstar: float | None
    colour: Colour | None
    fade_ms: int
    scope: Scope
    kind: Literal["light_held"] = "light_held"
    gesture: str | None = None
    """The drag this was a step of, if it was one: undo takes its steps back together."""


@dataclass(frozen=True, slots=True)
class LightTrimmed:
    """A zone was made dimmer or brighter (L*), warmer or cooler (mired), relative to what it does."""

    zone: ZoneId
    delta_lstar: float
    delta_mired: float
    fade_ms: int
    kind: Literal["light_trimmed"] = "light_trimmed"


@dataclass(frozen=True, slots=True)
class LightReleased:
    """A zone goes back to the score from where it is."""

    zone: ZoneId
    fade_ms: int
    kind: Literal["light_released"] = "light_released"


@dataclass(frozen=True, slots=True)
class OverrideExpired:
    """An override's own time ran out; the channel goes back to the score."""

    channel: str
    fade_ms: int
    kind: Literal["override_expired"] = "override_expired"


@dataclass(frozen=True, slots=True)
class VolumeSet:
    """The therapist's volume over the score, dB."""

    trim_db: float
    scope: Scope
    kind: Literal["volume_set"] = "volume_set"
    gesture: str | None = None
    """The drag this was a step of, as with ``LightHeld``."""


@dataclass(frozen=True, slots=True)
class MoodSet:
    """Music comes from another pool."""

    pool: PoolId
    scope: Scope
    kind: Literal["mood_set"] = "mood_set"


@dataclass(frozen=True, slots=True)
class TrackSkipped:
    """The therapist asked for the next track."""

    fade_ms: int
    kind: Literal["track_skipped"] = "track_skipped"


@dataclass(frozen=True, slots=True)
class SilenceBegan:
    """Music fades out; until told, or until ``until_ms`` (room time)."""

    fade_ms: int
    until_ms: int | None
    kind: Literal["silence_began"] = "silence_began"


@dataclass(frozen=True, slots=True)
class SoundReturned:
    """Music comes back after a silence."""

    fade_ms: int
    kind: Literal["sound_returned"] = "sound_returned"


@dataclass(frozen=True, slots=True)
class SoundReleased:
    """Volume, mood and silence went back to the score."""

    kind: Literal["sound_released"] = "sound_released"


@dataclass(frozen=True, slots=True)
class PromptCued:
    """A prompt is about to go out: journaled first, so that it can never go out twice.

    ``cue_id`` names the score's cue, or is None for one that was tapped. The rendered words are not kept.
    """

    prompt_id: str
    prompt: str
    audience: Audience
    cue_id: str | None
    ttl_s: int
    kind: Literal["prompt_cued"] = "prompt_cued"


@dataclass(frozen=True, slots=True)
class PromptSuppressed:
    """A cue of the score was left out, and why."""

    cue_id: str
    reason: Literal["phase", "late", "held", "sent"]
    kind: Literal["prompt_suppressed"] = "prompt_suppressed"


@dataclass(frozen=True, slots=True)
class PromptDeferred:
    """A waiting cue was put off to a session time."""

    cue_id: str
    until_session_ms: int
    kind: Literal["prompt_deferred"] = "prompt_deferred"


@dataclass(frozen=True, slots=True)
class PromptAcknowledged:
    """What became of a prompt."""

    prompt_id: str
    result: Literal["shown", "spoken", "dismissed"]
    kind: Literal["prompt_acknowledged"] = "prompt_acknowledged"


@dataclass(frozen=True, slots=True)
class SceneTaken:
    """A scene's overrides came on together."""

    scene: Scene
    kind: Literal["scene_taken"] = "scene_taken"


@dataclass(frozen=True, slots=True)
class SceneReleased:
    """A scene came off."""

    name: str
    kind: Literal["scene_released"] = "scene_released"


@dataclass(frozen=True, slots=True)
class EyeshadesChanged:
    """Eyeshades on or off."""

    on: bool
    kind: Literal["eyeshades_changed"] = "eyeshades_changed"


@dataclass(frozen=True, slots=True)
class HeadphonesChanged:
    """Headphones on or off."""

    on: bool
    kind: Literal["headphones_changed"] = "headphones_changed"


@dataclass(frozen=True, slots=True)
class NoteTaken:
    """A note chip was tapped, or free text was stored under ``note_id`` in the notes' table."""

    note_id: str
    chip: str
    has_text: bool
    kind: Literal["note_taken"] = "note_taken"


@dataclass(frozen=True, slots=True)
class CommandUndone:
    """The effect of a command was compensated."""

    undone_command_id: str
    kind: Literal["command_undone"] = "command_undone"


@dataclass(frozen=True, slots=True)
class TrackStarted:
    """A track began to be heard."""

    item_id: str
    track_id: str
    pool: PoolId
    title: str = ""
    artist: str = ""
    kind: Literal["track_started"] = "track_started"


@dataclass(frozen=True, slots=True)
class TrackFailed:
    """A track could not be played; the next one, or the bed, took over."""

    track_id: str
    reason: str
    kind: Literal["track_failed"] = "track_failed"


@dataclass(frozen=True, slots=True)
class LampChangedByHand:
    """A lamp was found changed by a wall switch or another app; it is left alone until resumed."""

    fixture: FixtureId
    attribute: Literal["brightness", "colour", "power"]
    kind: Literal["lamp_changed_by_hand"] = "lamp_changed_by_hand"


@dataclass(frozen=True, slots=True)
class FaultRaised:
    """A part of the room is not well. ``part`` is stable, like ``lights.hue`` or ``player``."""

    part: str
    message: str
    kind: Literal["fault_raised"] = "fault_raised"


@dataclass(frozen=True, slots=True)
class FaultCleared:
    """A part of the room is well again."""

    part: str
    kind: Literal["fault_cleared"] = "fault_cleared"


@dataclass(frozen=True, slots=True)
class CheckedLine:
    """One line of a room check: the thing, what was checked of it, what came of it, in one sentence."""

    line_id: str
    subject: str
    what: str
    outcome: Literal["passed", "failed", "skipped"]
    message: str


@dataclass(frozen=True, slots=True)
class RoomChecked:
    """The room's last check before this session, ended at ``checked_at_ms`` (room time)."""

    checked_at_ms: int
    lines: tuple[CheckedLine, ...]
    kind: Literal["room_checked"] = "room_checked"


RecordBody: TypeAlias = (
    SessionStarted
    | SessionEnded
    | SessionHeld
    | SessionResumed
    | SessionRecovered
    | PhaseEntered
    | PhaseExtended
    | PhaseJumped
    | AnchorMarked
    | LightHeld
    | LightTrimmed
    | LightReleased
    | OverrideExpired
    | VolumeSet
    | MoodSet
    | TrackSkipped
    | SilenceBegan
    | SoundReturned
    | SoundReleased
    | PromptCued
    | PromptSuppressed
    | PromptDeferred
    | PromptAcknowledged
    | SceneTaken
    | SceneReleased
    | EyeshadesChanged
    | HeadphonesChanged
    | NoteTaken
    | CommandUndone
    | TrackStarted
    | TrackFailed
    | LampChangedByHand
    | FaultRaised
    | FaultCleared
    | RoomChecked
)


@dataclass(frozen=True, slots=True)
class Record:
    """One journal entry: when (room time, ms), by whom (role and device), for which command, what."""

    at_ms: int
    by: str
    body: RecordBody
    command_id: str | None = None
    session_id: str | None = field(default=None)
