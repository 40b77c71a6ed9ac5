"""Rehearsal: a whole profile on a virtual clock, with simulated lamps and a player that plays nothing.

The same core, desk and conductor as in a session, driven from due instant to due instant; so what it shows is
what would happen. Faults can be thrown in, for training. It touches no device, no file and no network.
"""

import heapq
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from hashlib import sha256
from typing import Any, assert_never

from controller.clock import ManualClock
from controller.conductor import Conductor
from controller.core import commands as c
from controller.core import records as r
from controller.core.envelope import Limits
from controller.core.light import Look, rgb_hex
from controller.core.music import music_target
from controller.core.score import FixtureId, Score, ZoneId
from controller.core.session import Event, Observed, Tick, prompt_text, step
from controller.core.state import RoomState, new_room, zone_authority, zone_curves, zone_look
from controller.light_desk import LightDesk
from controller.ports import FixtureConfig, LampCommand, PlayItem
from controller.rehearsal_desk import StageLine, StageZone
from controller.rehearsal_faults import Fault
from controller.track_chooser import PoolChooser
from hardware.sim.direct_lights import DirectLights
from hardware.sim.virtual_player import VirtualPlayer
from playlists.catalogue import Pools

START_MS = 1_700_000_000_000
"""Any instant: a rehearsal has no date. It is the same in every run, so that two runs can be compared."""


ON_PLAN_LSTAR = 2.0
"""A lamp this near to its zone's plan (L*) is on it."""
LAMPS = "direct"
"""The simulated lamps' driver."""

Happening = StageLine


@dataclass(frozen=True, slots=True)
class FaultOutcome:
    """A fault that was thrown in, and what became of it, in words."""

    kind: str
    at_ms: int
    for_ms: int
    outcome: str


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
    faults: list[FaultOutcome] = field(default_factory=list)

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
        self.desk.on_health = self._lights_health
        self.player = VirtualPlayer(self.clock, is_playable=self._is_there)
        self.conductor = Conductor(
            PoolChooser(lambda: room.pools), self.player.send, self.clock, room.limits, k_db=room.k_db
        )
        self._session_due: int | None = None
        self._script: list[tuple[int, int, c.Body]] = []
        self._plot: list[tuple[int, int, Callable[[], None]]] = []
        self._missing = self._tablet_gone = False
        self._behind: tuple[int, int] | None = None
        self._cued_before = 0
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

    def throw(self, fault: Fault) -> None:
        """Throw a fault in at its time after the start."""
        at, over_ms = len(self.report.faults), fault.at_ms + fault.for_ms
        self.report.faults.append(FaultOutcome(fault.kind, fault.at_ms, fault.for_ms, "never came to it"))
        match fault.kind:
            case "bridge-gone":
                self._at(fault.at_ms, lambda: self._bridge_goes(at))
                self._at(over_ms, lambda: self._bridge_comes(at))
            case "track-missing":
                self._at(fault.at_ms, lambda: self._track_goes(at))
            case "tablet-lost":
                self._at(fault.at_ms, lambda: self._tablet_goes(at))
                self._at(over_ms, lambda: self._tablet_comes(at))
            case _:
                assert_never(fault.kind)

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
            self._plot[0][0] if self._plot else None,
        ]
        return min((at for at in times if at is not None), default=None)

    def advance(self) -> bool:
        """Go to the next due instant; False when the session is over."""
        due = self.next_due_ms()
        if self.over or due is None:
            return False
        self.clock.advance_to(max(due, self.clock.now_ms()))
        while self._plot and self._plot[0][0] <= self.clock.now_ms():
            heapq.heappop(self._plot)[2]()
        while self._script and self._script[0][0] <= self.clock.now_ms():
            self._tapped(heapq.heappop(self._script)[2])
        self._play_on()
        if self._session_due is not None and self._session_due <= self.clock.now_ms():
            self._handle(Tick())
        self.desk.tick()
        self.conductor.tick()
        if self._behind is not None and self._on_plan():
            at, since_ms = self._behind
            self._behind = None
            took = (self.clock.now_ms() - since_ms) / 1000
            self._outcome(
                at, f"the lamps ended their fade and held; back on the plan {took:.1f} s after the bridge"
            )
        return True

    # -- as a stage, for whoever watches

    def next_session_ms(self) -> int | None:
        """Session time of the next due instant, ms; None at the end."""
        due = None if self.over else self.next_due_ms()
        return None if due is None else max(due, self.clock.now_ms()) - START_MS

    def session_ms(self) -> int:
        """Session time it has come to, ms."""
        return self.clock.now_ms() - START_MS

    def phase_id(self) -> str:
        """The phase it is in."""
        session = self.state.session
        return "" if session is None else session.phase.phase_id

    def lines(self) -> Sequence[Happening]:
        """What has happened so far."""
        return self.report.happenings

    def zones(self) -> tuple[StageZone, ...]:
        """Each zone as an eye would see it: its first lamp speaks for it."""
        found: dict[ZoneId, StageZone] = {}
        for fixture, zone in self.room.zone_of.items():
            look = self.lights.live(fixture)
            found.setdefault(zone, StageZone(zone, round(look.percent, 2), rgb_hex(look)))
        return tuple(found.values())

    def summary(self) -> dict[str, object]:
        """The report so far, as plain values."""
        self._close()
        return self.report.as_json()

    def run(self, watch: Callable[[int], None] = lambda _at_ms: None) -> RehearsalReport:
        """Rehearse to the end; ``watch`` is told every instant (room ms) before it is gone on from."""
        while self.advance():
            watch(self.clock.now_ms())
        self._close()
        return self.report

    def _close(self) -> None:
        self.report.ended_ms = self.report.virtual_ms = self.clock.now_ms() - START_MS
        self.report.lamp_commands = dict(self._commands)

    # -- faults

    def _at(self, session_ms: int, act: Callable[[], None]) -> None:
        self._count += 1
        heapq.heappush(self._plot, (START_MS + session_ms, self._count, act))

    def _outcome(self, at: int, words: str) -> None:
        self.report.faults[at] = replace(self.report.faults[at], outcome=words)
        self._say("fault_over", f"{self.report.faults[at].kind}: {words}")

    def _still(self, at: int, words: str) -> None:
        self.report.faults[at] = replace(self.report.faults[at], outcome=words)

    def _say(self, kind: str, what: str) -> None:
        self.report.happenings.append(Happening(self.session_ms(), kind, what))

    def _bridge_goes(self, at: int) -> None:
        self._say("fault", "bridge-gone: no lamp answers")
        self._still(at, "the bridge was still gone at the end")
        self._behind = None
        self.lights.set_reachable(self._commands, reachable=False)
        self.desk.driver_health(LAMPS, "the bridge does not answer")

    def _bridge_comes(self, at: int) -> None:
        self.lights.set_reachable(self._commands, reachable=True)
        self.desk.driver_health(LAMPS, None)
        self._behind = (at, self.clock.now_ms())

    def _on_plan(self) -> bool:
        now = self.clock.now_ms()
        for fixture, zone in self.room.zone_of.items():
            wanted, shown = zone_look(self.state, zone, now).lstar, self.lights.live(fixture).lstar
            # Below its floor a lamp cannot follow.
            if abs(wanted - shown) > ON_PLAN_LSTAR and max(wanted, shown) > 2 * ON_PLAN_LSTAR:
                return False
        return True

    def _track_goes(self, at: int) -> None:
        self._say("fault", "track-missing: the next track's file is gone")
        self._missing = True
        heard = self.report.tracks
        self.do(c.SkipTrack())
        self._play_on()
        if self._missing:
            self._missing = False
            words = "no track was asked for: silence by plan, or the bed"
        elif self.report.tracks > heard:
            started = [line.what for line in self.report.happenings if line.kind == "track_started"]
            words = f"{started[-1]} took its place at once"
        else:
            words = "the bed took its place at once"
        self._outcome(at, words)

    def _is_there(self, item: PlayItem) -> bool:
        del item
        was_missing, self._missing = self._missing, False
        return not was_missing

    def _tablet_goes(self, at: int) -> None:
        self._say("fault", "tablet-lost: the room goes on by itself; nothing that is tapped arrives")
        self._tablet_gone = True
        self._cued_before = len(self._cued())
        self._still(at, "the tablet was still lost at the end")

    def _tablet_comes(self, at: int) -> None:
        self._tablet_gone = False
        cued = len(self._cued()) - self._cued_before
        self._outcome(at, f"light and music went on as planned; {cued} prompts and cards came by themselves")

    def _cued(self) -> list[Happening]:
        return [line for line in self.report.happenings if line.kind == "prompt_cued"]

    def _tapped(self, body: c.Body) -> None:
        if self._tablet_gone:
            self._say("tap_lost", type(body).__name__)
        else:
            self.do(body)

    def _lights_health(self, part: str, message: str | None) -> None:
        if part.startswith("lights."):
            self._say("fault_raised" if message else "fault_cleared", message or "the lamps answer again")

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
