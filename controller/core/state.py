"""The state of a room, rebuilt from its records, and what it says of light at any instant.

Frozen values only. It never holds anything a record did not bring, so that ``fold`` is exact.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Literal

from controller.core import channels
from controller.core.channels import FOLLOWING, Channel, Following, Held, Returning
from controller.core.commands import Scope, SessionSheet
from controller.core.envelope import Authority
from controller.core.light import Colour, Look, Mired
from controller.core.score import Audience, Phase, PoolId, Scene, ZoneId
from controller.core.timeline import Slot, Timeline, ZoneTrack

UNDO_WINDOW_MS = 10_000
REMEMBERED_COMMANDS = 512


@dataclass(frozen=True, slots=True)
class ZoneChannels:
    """A zone's two override channels."""

    lstar: Channel[float] = FOLLOWING
    colour: Channel[Colour] = FOLLOWING


@dataclass(frozen=True, slots=True)
class VolumeOverride:
    """The therapist's volume over the score's, dB."""

    trim_db: float = 0.0
    scope: Scope = field(default_factory=Scope)
    by: str = ""
    until_ms: int | None = None
    until_slot: int | None = None


@dataclass(frozen=True, slots=True)
class MoodOverride:
    """Music from another pool."""

    pool: PoolId
    scope: Scope
    by: str
    until_ms: int | None
    until_slot: int | None


@dataclass(frozen=True, slots=True)
class SilenceOverride:
    """Silence that the therapist asked for."""

    since_ms: int
    fade_ms: int
    until_ms: int | None
    by: str


@dataclass(frozen=True, slots=True)
class SceneOn:
    """A scene that lies over the score."""

    scene: Scene
    since_ms: int
    until_ms: int | None
    by: str


@dataclass(frozen=True, slots=True)
class Card:
    """A therapist's card on show, or a client's prompt that waits for its acknowledgement."""

    prompt_id: str
    prompt: str
    audience: Audience
    cue_id: str | None
    since_ms: int
    ttl_s: int


@dataclass(frozen=True, slots=True)
class Sound:
    """Every override of sound. ``skips`` counts skips; ``return_fade_ms`` is the last return's fade.

    ``touches`` counts a person's words on how loud it is; what ends by itself is not one.
    """

    volume: VolumeOverride = field(default_factory=VolumeOverride)
    mood: MoodOverride | None = None
    silence: SilenceOverride | None = None
    skips: int = 0
    skip_fade_ms: int = 12_000
    return_fade_ms: int = 6_000
    touches: int = 0


@dataclass(frozen=True, slots=True)
class SessionState:
    """The session part of a room's state; it stays, ``ended``, until the next one starts."""

    session_id: str
    sheet: SessionSheet
    timeline: Timeline
    speed: int
    started_at_ms: int
    status: Literal["running", "held", "asking", "ended"]
    stopped_at_ms: int | None
    """Room time at which session time stopped (held, asking or ended), or None while it runs."""
    held_total_ms: int
    entered_slot: int
    anchors: Mapping[str, int]
    cued: frozenset[str]
    deferred: Mapping[str, int]
    cards: tuple[Card, ...]
    played: tuple[str, ...]
    """Track ids in the order they were heard."""
    eyeshades: bool
    headphones: bool
    rehearsal_speed: int = 0

    def session_ms(self, at_ms: int) -> int:
        """Session time at a room time."""
        live = at_ms if self.stopped_at_ms is None else min(at_ms, self.stopped_at_ms)
        return max(live - self.started_at_ms - self.held_total_ms, 0)

    def room_ms(self, session_ms: int) -> int:
        """Room time at which a session time comes, if nothing stops it."""
        return self.started_at_ms + self.held_total_ms + session_ms

    @property
    def runs(self) -> bool:
        """Session time passes."""
        return self.status == "running"

    @property
    def phase(self) -> Phase:
        """The phase last entered."""
        return self.timeline.phase_of(self.entered_slot)

    @property
    def slot(self) -> Slot:
        """The slot last entered."""
        return self.timeline.slots[self.entered_slot]

    def due_end_ms(self) -> int:
        """Session time at which it ends by itself: its plan's end, not before the profile's minimum."""
        return max(self.timeline.end_ms, self.timeline.score.minimum_ms)


@dataclass(frozen=True, slots=True)
class UndoPoint:
    """What ``undo`` would go back to: the state before a command, or before a drag's first step.

    ``command_id`` and ``at_ms`` are the newest step's.
    """

    command_id: str
    name: str
    at_ms: int
    before: "RoomState"
    gesture: str | None = None


@dataclass(frozen=True, slots=True)
class RoomState:
    """A room: its zones, the session if there is or was one, and every override."""

    resting: Mapping[ZoneId, Look]
    prepared: bool = False
    session: SessionState | None = None
    lights: Mapping[ZoneId, ZoneChannels] = field(default_factory=dict)
    sound: Sound = field(default_factory=Sound)
    scenes: tuple[SceneOn, ...] = ()
    undo: tuple[UndoPoint, ...] = ()
    seen: tuple[str, ...] = ()

    @property
    def zones(self) -> tuple[ZoneId, ...]:
        """The room's zones, in the site file's order."""
        return tuple(self.resting)

    @property
    def live_session(self) -> SessionState | None:
        """The session, if it has not ended."""
        return self.session if self.session is not None and self.session.status != "ended" else None


def new_room(resting: Mapping[ZoneId, Look]) -> RoomState:
    """Return the state of a room in which nothing has happened yet."""
    return RoomState(resting=dict(resting), lights={zone: ZoneChannels() for zone in resting})


def base_look(state: RoomState, zone: ZoneId, at_ms: int) -> Look:
    """What the score, or the room at rest, wants of a zone; overrides not counted."""
    session = state.session
    if session is None or zone not in session.timeline.tracks:
        return state.resting[zone]
    return session.timeline.tracks[zone].look_at(session.session_ms(at_ms))


def zone_look(state: RoomState, zone: ZoneId, at_ms: int) -> Look:
    """What a zone should look like at a room time, overrides counted."""
    base, over = base_look(state, zone, at_ms), state.lights[zone]
    return Look(
        channels.lstar_value(over.lstar, base.lstar, at_ms),
        channels.colour_value(over.colour, base.colour, at_ms),
    )


def zone_authority(state: RoomState, zone: ZoneId, at_ms: int) -> Authority:
    """On whose word a zone is moving at ``at_ms``: it decides the envelope's limits and the lane."""
    found = Authority.SCORE
    for channel in (state.lights[zone].lstar, state.lights[zone].colour):
        settled = channels.settled_at(channel)
        if settled is None or at_ms > settled:
            continue
        if isinstance(channel, Held) and channel.is_help:
            return Authority.HELP
        if isinstance(channel, Held) or (isinstance(channel, Returning) and channel.by_hand):
            found = Authority.THERAPIST
    return found


MOST_LOOKED_UP = 128
"""Instants a curve remembers: enough for one planning, little enough to forget."""


@dataclass(frozen=True, slots=True)
class ZoneCurve:
    """A zone's light over room time, as this state plans it (``controller.core.curves.Curve``).

    Planning one lamp asks some forty times for about ten instants, and a zone's lamps ask for the same ones.
    """

    state: RoomState
    zone: ZoneId
    _looked_up: dict[int, Look] = field(default_factory=dict, init=False, repr=False, compare=False)

    def look_at(self, at_ms: int) -> Look:
        """The look the zone should have at ``at_ms``."""
        look = self._looked_up.get(at_ms)
        if look is None:
            if len(self._looked_up) >= MOST_LOOKED_UP:
                self._looked_up.clear()
            look = self._looked_up[at_ms] = zone_look(self.state, self.zone, at_ms)
        return look

    def knots(self, from_ms: int, until_ms: int) -> tuple[int, ...]:
        """Corner instants strictly between the two, rising."""
        corners: set[int] = set()
        over = self.state.lights[self.zone]
        for channel in (over.lstar, over.colour):
            settled = channels.settled_at(channel)
            if settled is not None:
                corners.add(settled)
        session = self.state.session
        if session is not None and session.runs:
            track: ZoneTrack | None = session.timeline.tracks.get(self.zone)
            if track is not None:
                first, last = session.session_ms(from_ms), session.session_ms(until_ms)
                knots = (first, *track.knots(first, last), last)
                corners.update(session.room_ms(knot) for knot in (*knots, *_bends(track, over, knots)))
        return tuple(sorted(corner for corner in corners if from_ms < corner < until_ms))


def _bends(track: ZoneTrack, over: ZoneChannels, knots: tuple[int, ...]) -> list[int]:
    """Session times at which a trim meets its limit (or leaves it) while the score moves under it."""
    lstars: list[float] = []
    mireds: list[float] = []
    if isinstance(over.lstar, Held) and over.lstar.target is None:
        floor = channels.TRIM_FLOOR_LSTAR
        lstars = [floor, floor - over.lstar.offset, 100.0 - over.lstar.offset]
    if isinstance(over.colour, Held) and over.colour.target is None:
        limits = (channels.COOLEST_MIRED, channels.WARMEST_MIRED)
        mireds = [*limits, *(limit - over.colour.offset for limit in limits)]
    if not lstars and not mireds:
        return []
    found: list[int] = []
    for begin, end in pairwise(knots):
        a, b = track.look_at(begin), track.look_at(end)
        spans = [(a.lstar, b.lstar, lstars)]
        if isinstance(a.colour, Mired) and isinstance(b.colour, Mired):
            spans.append((a.colour.value, b.colour.value, mireds))
        for start, stop, levels in spans:
            crossed = [level for level in levels if min(start, stop) < level < max(start, stop)]
            found += [begin + round((end - begin) * (level - start) / (stop - start)) for level in crossed]
    return found


def zone_curves(state: RoomState) -> dict[ZoneId, ZoneCurve]:
    """Return every zone's curve; a room at rest that nobody touched wants nothing of its lamps."""
    if state.session is None and not state.prepared:
        return {
            zone: ZoneCurve(state, zone)
            for zone, over in state.lights.items()
            if not (isinstance(over.lstar, Following) and isinstance(over.colour, Following))
        }
    return {zone: ZoneCurve(state, zone) for zone in state.zones}
