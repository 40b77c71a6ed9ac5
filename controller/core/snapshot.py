"""The snapshot: one room's state as tablets, MQTT and the terminal see it. Plain values only.

It holds nothing of the client: no intention, no note text. ``controller/core/view.py`` makes it.
"""

from dataclasses import dataclass
from typing import Literal

SNAPSHOT_VERSION = 1


@dataclass(frozen=True, slots=True)
class OverrideView:
    """An override in force: its channel (``brightness``, ``colour``, ``volume`` …), how long, by whom."""

    channel: str
    scope: Literal["until_released", "phase", "minutes"]
    by: str
    until_ms: int | None = None
    scene: str | None = None


@dataclass(frozen=True, slots=True)
class ZoneView:
    """A zone now. ``kelvin`` is None for a colour; then ``xy`` is set. ``swatch`` is ``#rrggbb``."""

    zone: str
    brightness_percent: float
    lstar: float
    kelvin: int | None
    xy: tuple[float, float] | None
    swatch: str
    fading: bool
    overrides: tuple[OverrideView, ...]
    changed_by_hand: tuple[str, ...]
    """Fixtures of the zone that were changed by hand and are left alone."""


@dataclass(frozen=True, slots=True)
class LampView:
    """One lamp: its modelled look and whether it answers."""

    fixture: str
    name: str
    zone: str
    brightness_percent: float
    swatch: str
    reachable: bool
    changed_by_hand: bool


@dataclass(frozen=True, slots=True)
class PhaseView:
    """One phase of the session as it is planned now; times in session ms."""

    slot: int
    phase: str
    title: str
    start_ms: int
    length_ms: int
    state: Literal["past", "now", "next"]
    pool: str | None
    level_dba: float


@dataclass(frozen=True, slots=True)
class MusicView:
    """What is heard. ``state`` is ``silence`` when told or planned, ``bed`` when the bed carries."""

    state: Literal["playing", "silence", "bed", "stopped"]
    pool: str | None
    mood: str
    energy: float
    title: str
    artist: str
    position_ms: int
    length_ms: int | None
    level_dba: float
    trim_db: float
    calibrated: bool
    overrides: tuple[OverrideView, ...]
    level_now_dba: float | None = None
    """The level in the room over the last 3 s, estimated; None where nothing is heard or was measured."""
    dose_laeq_dba: float | None = None
    """The session's sound so far as one steady level (LAeq), estimated; None where nothing was measured."""


@dataclass(frozen=True, slots=True)
class CueView:
    """A prompt or card to come, or (``due_ms`` passed) a card that waits."""

    cue_id: str
    prompt: str
    audience: Literal["client", "therapist"]
    text: str
    due_ms: int
    """Session time it is due, ms."""


@dataclass(frozen=True, slots=True)
class CardView:
    """A therapist's card shown now, until acknowledged or out of time."""

    prompt_id: str
    prompt: str
    text: str
    since_ms: int
    expires_ms: int


@dataclass(frozen=True, slots=True)
class AnchorView:
    """Something the profile's plan hangs on (the dose …), and when it was given."""

    anchor: str
    marked_ms: int | None
    """Session time it was marked at, ms; None while it has not been."""


@dataclass(frozen=True, slots=True)
class SessionView:
    """The session: where it is, when it ends. Clock times are room time (Unix-based ms)."""

    session_id: str
    profile: str
    title: str
    unreviewed: bool
    status: Literal["running", "held", "asking", "ended"]
    started_at_ms: int
    session_ms: int
    phase: str
    phase_title: str
    phase_elapsed_ms: int
    phase_left_ms: int
    planned_end_ms: int
    """Room time at which the session ends if nothing changes (a hold counts as ending now)."""
    minimum_ms: int
    phases: tuple[PhaseView, ...]
    anchors: tuple[str, ...]
    eyeshades: bool
    headphones: bool
    touch: Literal["yes", "ask", "no"]
    scenes: tuple[str, ...]
    next_cue: CueView | None
    cards: tuple[CardView, ...]
    undo: str | None
    """Name of the command that ``undo`` would take back, if any."""
    undo_until_ms: int | None
    profile_anchors: tuple[AnchorView, ...] = ()
    """Every anchor this session's profile has: only these can be marked."""
    rehearsal_speed: int = 0
    """Above 0: a rehearsal, so many times as fast as the profile says."""


@dataclass(frozen=True, slots=True)
class FaultView:
    """A part that is not well, in one clear line."""

    part: str
    message: str
    since_ms: int


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything a tablet shows. ``revision`` grows with every change; ``now_ms`` is room time."""

    version: int
    revision: int
    room: str
    title: str
    now_ms: int
    speed: int
    session: SessionView | None
    zones: tuple[ZoneView, ...]
    lamps: tuple[LampView, ...]
    music: MusicView
    faults: tuple[FaultView, ...]
    prepared: bool
    """A booking has prepared the room (lights and bed up), or somebody has."""


@dataclass(frozen=True, slots=True)
class RibbonPoint:
    """A zone's look at a session time, as the plan has it; ``swatch`` is ``#rrggbb`` in its true colour."""

    session_ms: int
    brightness_percent: float
    swatch: str


@dataclass(frozen=True, slots=True)
class RibbonZone:
    """One zone's light over the whole session, sampled where it bends."""

    zone: str
    points: tuple[RibbonPoint, ...]


@dataclass(frozen=True, slots=True)
class RibbonMusic:
    """A stretch of music, or with ``pool`` None of planned silence."""

    start_ms: int
    length_ms: int
    pool: str | None
    mood: str
    energy: float
    level_dba: float


@dataclass(frozen=True, slots=True)
class Ribbon:
    """The whole session as it is planned now, for a drawing. Times in session ms; no overrides in it."""

    profile: str
    length_ms: int
    minimum_ms: int
    phases: tuple[PhaseView, ...]
    zones: tuple[RibbonZone, ...]
    music: tuple[RibbonMusic, ...]
    cues: tuple[CueView, ...]
