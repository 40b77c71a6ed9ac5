"""Rehearsal: a whole profile on a virtual clock, with simulated lamps and a player that plays nothing.

The same core, desk and conductor as in a session, driven from due instant to due instant; so what it shows is
what would happen. It touches no device, no file and no network.
"""

import heapq
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from typing import Any

from controller.clock import ManualClock
from controller.conductor import Conductor
from controller.core import commands as c
from controller.core import records as r
from controller.core.envelope import Limits
from controller.core.light import Look
from controller.core.music import music_target
from controller.core.score import FixtureId, Score, ZoneId
from controller.core.session import Event, Observed, Tick, prompt_text, step
from controller.core.state import RoomState, new_room, zone_authority, zone_curves
from controller.light_desk import LightDesk
from controller.ports import FixtureConfig, LampCommand
from controller.track_chooser import PoolChooser
from hardware.sim.direct_lights import DirectLights
from hardware.sim.virtual_player import VirtualPlayer
from playlists.catalogue import Pools

START_MS = 1_700_000_000_000
"""Any instant: a rehearsal has no date. It is the same in every run, so that two runs can be compared."""


@dataclass(frozen=True, slots=True)
class Happening:
    """One line of a rehearsal: session time in ms, what kind, and what."""

    session_ms: int
    kind: str
    what: str


@dataclass(slots=True)
class RehearsalReport:
    """What happened in a rehearsal."""

    profile: str
    title: str
    unreviewed: bool
    planned_ms: int
    ended_ms: int
    happenings: list[Happening] = field(default_factory=list)
    lamp_commands: dict[str, int] = field(default_factory=dict)
    tracks: int = 0
    virtual_ms: int = 0

    def as_json(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class RehearsalRoom:
    """The room it is rehearsed in: looks at rest, lamps by zone, the limits, the pools."""

    resting: dict[ZoneId, Look]
    fixtures: Sequence[FixtureConfig]
    zone_of: dict[FixtureId, ZoneId]
    limits: Limits
    pools: Pools
    k_db: float | None = None
    words: Callable[[str], str] = str


class Rehearsal:
    """One rehearsal. ``advance`` goes to the next due instant; ``run`` to the end."""

    def __init__(self, room: RehearsalRoom, score: Score) -> None:
        self.clock = ManualClock(START_MS)
        self.state: RoomState = new_room(room.resting)
        self.room = room
        self._words = room.words
        self._commands: dict[str, int] = dict.fromkeys((f.fixture for f in room.fixtures), 0)
        self.lights = DirectLights(self.clock, room.fixtures, trace=self._lamp_command)
        infos = self.lights.fixtures()
        drivers = {info.fixture: self.lights for info in infos}
        self.desk = LightDesk(infos, room.zone_of, drivers, room.limits, self.clock)
        self.lights.attach(self.desk)
        self.player = VirtualPlayer(self.clock)
        self.conductor = Conductor(
            PoolChooser(lambda: room.pools), self.player.send, self.clock, room.limits, k_db=room.k_db
        )
        self._session_due: int | None = None
        self._script: list[tuple[int, int, c.Body]] = []
        self._count = 0
        self.report = RehearsalReport(score.profile_id, score.title, not score.reviewed, score.length_ms, 0)
        session_id = sha256(score.profile_id.encode()).hexdigest()[:32]
        self.do(c.Start(session_id, score))

    def do(self, body: c.Body) -> None:
        """Carry out a command now.

        Raises:
            Refused: it is not allowed now.
        """
        self._count += 1
        self._handle(c.Command(f"rehearsal-{self._count}", "rehearsal", body))

    def later(self, session_ms: int, body: c.Body) -> None:
        """Carry out a command at a time after the start."""
        self._count += 1
        heapq.heappush(self._script, (START_MS + session_ms, self._count, body))

    @property
    def over(self) -> bool:
        """Whether the session has ended."""
        return self.state.live_session is None

    def next_due_ms(self) -> int | None:
        """Room time of the next instant at which anything happens, None at the end."""
        times = [
            self._session_due,
            self.desk.next_due_ms(),
            self.conductor.next_due_ms(),
            self.player.next_due_ms(),
            self._script[0][0] if self._script else None,
        ]
        return min((at for at in times if at is not None), default=None)

    def advance(self) -> bool:
        """Go to the next due instant; False when the session is over."""
        due = self.next_due_ms()
        if self.over or due is None:
            return False
        self.clock.advance_to(max(due, self.clock.now_ms()))
        while self._script and self._script[0][0] <= self.clock.now_ms():
            self.do(heapq.heappop(self._script)[2])
        self._play_on()
        if self._session_due is not None and self._session_due <= self.clock.now_ms():
            self._handle(Tick())
        self.desk.tick()
        self.conductor.tick()
        return True

    def run(self, watch: Callable[[int], None] = lambda _at_ms: None) -> RehearsalReport:
        """Rehearse to the end; ``watch`` is told every instant (room ms) before it is gone on from."""
        while self.advance():
            watch(self.clock.now_ms())
        self.report.ended_ms = self.report.virtual_ms = self.clock.now_ms() - START_MS
        self.report.lamp_commands = dict(self._commands)
        return self.report

    def _handle(self, event: Event) -> None:
        before, now = self.state, self.clock.now_ms()
        done = step(before, event, now)
        self.state, self._session_due = done.state, done.next_due_ms
        for record in done.records:
            self._note(record)
        self._converge(before)

    def _converge(self, before: RoomState) -> None:
        state, now = self.state, self.clock.now_ms()
        if _light_plan(state) != _light_plan(before):
            curves = zone_curves(state)
            self.desk.follow(curves, {zone: zone_authority(state, zone, now) for zone in curves})
        self.conductor.follow(music_target(state, now))

    def _play_on(self) -> None:
        for event in (*self.player.tick(), self.player.status()):
            for body in self.conductor.on_event(event):
                self._handle(Observed(body))

    def _lamp_command(self, at_ms: int, command: LampCommand) -> None:
        del at_ms
        self._commands[command.fixture] += 1

    def _note(self, record: r.Record) -> None:
        body, session = record.body, self.state.session
        what = ""
        match body:
            case r.PhaseEntered():
                what = body.phase
            case r.PromptCued():
                words = "" if session is None else prompt_text(session.timeline.score, body)
                what = f"{body.audience.value}: {body.prompt}: {self._words(words)}"
            case r.PromptSuppressed():
                what = f"{body.cue_id} ({body.reason})"
            case r.TrackStarted():
                self.report.tracks += 1
                what = f"{body.title} ({body.pool})"
            case r.TrackFailed():
                what = body.reason
            case r.SessionEnded():
                what = body.reason
            case r.OverrideExpired():
                what = body.channel
            case _:
                pass
        self.report.happenings.append(Happening(record.at_ms - START_MS, body.kind, what))


def _light_plan(state: RoomState) -> tuple[object, ...]:
    session = state.session
    if session is None:
        return (state.lights, state.prepared)
    return (state.lights, state.prepared, session.timeline, session.status, session.held_total_ms)
