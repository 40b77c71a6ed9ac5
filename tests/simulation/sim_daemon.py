"""One room's daemon in virtual time: the real core, desk and conductor, put together as the room does it.

It lives until it is killed; the next one starts from the disk alone.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from sim_disk import Disk
from sim_lamps import EyeLamp, FailingBridge
from sim_score import LAMPS, REST
from sim_sound import Pools, Speaker
from sim_wants import Wants

from controller.clock import ManualClock
from controller.conductor import Conductor
from controller.core import commands as c
from controller.core import records as r
from controller.core.envelope import Limits
from controller.core.light import colour_distance_mired
from controller.core.music import MusicTarget, music_target
from controller.core.refusal import Refused
from controller.core.session import Event, Observed, Recovered, Step, Tick, fold, step
from controller.core.state import RoomState, ZoneCurve, new_room, zone_authority, zone_curves
from controller.light_desk import LightDesk

RECOVERY_LIMIT_MS = 600_000


@dataclass
class Surroundings:
    """What outlives a daemon."""

    clock: ManualClock
    bridge: FailingBridge
    speaker: Speaker
    pools: Pools
    disk: Disk[Wants]


@dataclass(slots=True)
class Happened:
    """What one event came to, told to the checks before anything is sent."""

    event: Event
    before: RoomState
    done: Step


@dataclass
class Daemon:
    """The shell's part, synchronous. ``told`` hears of every step."""

    around: Surroundings
    told: Callable[[Happened], Wants]
    by_hand: Callable[[str, str], None]
    state: RoomState = field(default_factory=lambda: new_room(REST))
    answered: set[str] = field(default_factory=set)
    session_due: int | None = None
    _followed: tuple[object, ...] = ()

    def __post_init__(self) -> None:
        around = self.around
        fixtures = around.bridge.fixtures()
        drivers = {info.fixture: around.bridge for info in fixtures}
        self.desk = LightDesk(fixtures, LAMPS, drivers, Limits(), around.clock)
        self.desk.on_manual = self._lamp_by_hand
        self.conductor = Conductor(
            around.pools, around.speaker.send, around.clock, Limits(), k_db=None, seed="simulated"
        )

    def recover(self) -> None:
        """Start from the disk, as the room does."""
        disk, now = self.around.disk, self.around.clock.now_ms()
        lamps, alive_ms = disk.checkpoint.get("lamps"), disk.checkpoint.get("alive_ms")
        self.desk.restore(lamps if isinstance(lamps, dict) else {})
        records = disk.open_session()
        self.conductor.adopt(())
        if not records:
            self._converge(now)
            return
        self.state = fold(REST, records)
        alive = max(alive_ms if isinstance(alive_ms, int) else 0, records[-1].at_ms)
        away = max(now - alive, 0)
        session = self.state.session
        self.conductor.adopt(() if session is None else session.played)
        self.handle(Recovered(away, away > RECOVERY_LIMIT_MS))

    def submit(self, command: c.Command, answer: Callable[[bool], None]) -> str:
        """Carry a command out once; ``answer`` hears whether it is on the disk."""
        if command.command_id in self.answered or command.command_id in self.state.seen:
            return "repeated"
        self.answered.add(command.command_id)
        try:
            self.handle(command, answer)
        except Refused:
            return "refused"
        return "done"

    def handle(self, event: Event, answer: Callable[[bool], None] | None = None) -> None:
        """One event through ``step``, then lamps and player."""
        around, before = self.around, self.state
        now = around.clock.now_ms()
        done = step(before, event, now)
        self.state, self.session_due = done.state, done.next_due_ms
        wants = self.told(Happened(event, before, done))
        if isinstance(event, c.Command) and isinstance(event.body, c.LightRelease | c.Resume):
            self.desk.release_manual(getattr(event.body, "zone", None))
        self._converge(now)
        if done.records or done.effects or answer is not None:
            around.disk.put(now, done.records, done.effects, wants, answer)

    def _converge(self, now: int) -> None:
        state, session = self.state, self.state.session
        plan = (
            state.lights,
            state.prepared,
            None if session is None else (session.timeline, session.status, session.held_total_ms),
        )
        if plan != self._followed:
            self._followed = plan
            curves: dict[str, ZoneCurve] = zone_curves(state)
            self.desk.follow(curves, {zone: zone_authority(state, zone, now) for zone in curves})
        self.conductor.follow(self.target(now))

    def target(self, now: int) -> MusicTarget:
        return music_target(self.state, now)

    def next_due_ms(self) -> int | None:
        """Room time at which it must be run."""
        times = (self.session_due, self.desk.next_due_ms(), self.conductor.next_due_ms())
        return min((at for at in times if at is not None), default=None)

    def run(self) -> None:
        """Do what is due."""
        around = self.around
        now = around.clock.now_ms()
        for event in around.speaker.tick(linked=True):
            for body in self.conductor.on_event(event):
                self.handle(Observed(body))
        if self.session_due is not None and self.session_due <= now:
            self.handle(Tick())
        self.desk.tick()
        around.bridge.serve(self.desk)
        self.conductor.tick()

    def checkpoint(self) -> None:
        """Keep what a restart needs, unless the disk is full."""
        around = self.around
        if not around.disk.full:
            around.disk.checkpoint = {
                "alive_ms": around.clock.now_ms(),
                "lamps": self.desk.checkpoint(),
                "player": self.conductor.position(),
            }

    def _lamp_by_hand(self, fixture: str, attribute: str) -> None:
        self.by_hand(fixture, attribute)
        self.handle(Observed(r.LampChangedByHand(fixture, attribute)))  # type: ignore[arg-type]

    def knows(self, lamp: EyeLamp, now: int) -> bool:
        """Whether the desk believes what an eye sees."""
        model, eye = self.desk.modelled(lamp.name), lamp.look(now)
        if model is None or abs(model.lstar - eye.lstar) > 0.5:
            return False
        return colour_distance_mired(model.colour, eye.colour) <= 3.0
