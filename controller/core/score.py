"""The score: a profile compiled for one room. What each phase wants of light, music and prompts.

It holds plain frozen values and never a way to load them; ``controller/core/timeline.py`` answers
what the room should be at a session time.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

from controller.core.light import Look

RoomId: TypeAlias = str
ZoneId: TypeAlias = str
FixtureId: TypeAlias = str
PhaseId: TypeAlias = str
PoolId: TypeAlias = str


class Audience(StrEnum):
    """Who a prompt is for."""

    CLIENT = "client"
    THERAPIST = "therapist"


@dataclass(frozen=True, slots=True)
class LightStep:
    """From ``offset_ms`` into the phase, go to these looks in ``fade_ms``. Zones not named stay."""

    offset_ms: int
    fade_ms: int
    looks: Mapping[ZoneId, Look]


@dataclass(frozen=True, slots=True)
class PlannedSilence:
    """Silence inside a phase, from and to these offsets in ms."""

    from_ms: int
    to_ms: int


@dataclass(frozen=True, slots=True)
class MusicPlan:
    """What a phase wants to be heard.

    ``pool`` is None for silence by plan. ``level_dba`` is the programme's loudness in the room.
    ``unbroken`` asks for one piece without changes for as long as the phase lasts.
    """

    pool: PoolId | None
    mood: str = ""
    energy: float = 0.0
    level_dba: float = 48.0
    words_allowed: bool = False
    unbroken: bool = False
    crossfade_ms: int = 12_000
    silences: tuple[PlannedSilence, ...] = ()


@dataclass(frozen=True, slots=True)
class Cue:
    """A prompt or card at an offset into its phase. ``cue_id`` is unique in the score."""

    cue_id: str
    offset_ms: int
    prompt: str
    text: str
    audience: Audience
    ttl_s: int = 300


@dataclass(frozen=True, slots=True)
class AnchorCue:
    """A card due a time after (or, negative, before) an anchor such as the dose.

    Until the anchor is marked it is expected at the start of ``expected_phase``.
    """

    cue_id: str
    anchor: str
    offset_ms: int
    prompt: str
    text: str
    audience: Audience = Audience.THERAPIST
    ttl_s: int = 1800


@dataclass(frozen=True, slots=True)
class AnchorShift:
    """When ``anchor`` is marked, ``phase`` becomes longer by ``delta_ms``."""

    anchor: str
    phase: PhaseId
    delta_ms: int


@dataclass(frozen=True, slots=True)
class Phase:
    """One phase: its length, light, music and prompts."""

    phase_id: PhaseId
    title: str
    length_ms: int
    light: tuple[LightStep, ...]
    music: MusicPlan
    cues: tuple[Cue, ...] = ()
    client_prompts_suppressed: bool = False
    light_frozen: bool = False


@dataclass(frozen=True, slots=True)
class Score:
    """A whole session's plan for one room.

    ``resting`` is every zone's look before the first phase. ``anchors`` maps each anchor to the phase
    in which it is expected. ``scenes`` holds the room's presets, compiled: scene name to looks and level.
    """

    profile_id: str
    title: str
    reviewed: bool
    phases: tuple[Phase, ...]
    resting: Mapping[ZoneId, Look]
    minimum_ms: int = 0
    anchors: Mapping[str, PhaseId] = field(default_factory=dict)
    anchor_cues: tuple[AnchorCue, ...] = ()
    anchor_shifts: tuple[AnchorShift, ...] = ()
    prompts: Mapping[str, str] = field(default_factory=dict)
    scenes: Mapping[str, "Scene"] = field(default_factory=dict)

    @property
    def length_ms(self) -> int:
        """The planned length of the whole session."""
        return sum(phase.length_ms for phase in self.phases)

    @property
    def known_anchors(self) -> tuple[str, ...]:
        """Every anchor that something of the plan hangs on, in the order they are named."""
        named = (
            *self.anchors,
            *(shift.anchor for shift in self.anchor_shifts),
            *(cue.anchor for cue in self.anchor_cues),
        )
        return tuple(dict.fromkeys(named))


@dataclass(frozen=True, slots=True)
class Scene:
    """Overrides of several channels that come on and come off together.

    ``music_db`` is laid on the programme's level; ``to_speakers`` moves the music from headphones.
    ``returns_after_ms`` brings the room back by itself.
    """

    name: str
    looks: Mapping[ZoneId, Look]
    fade_ms: int = 5_000
    music_db: float = 0.0
    to_speakers: bool = False
    returns_after_ms: int | None = None
    is_help: bool = False
