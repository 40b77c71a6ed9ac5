"""One room's daemon in virtual time: the real heart of a room (core, desk, conductor), driven by hand.

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
from controller.core.session import Event, Observed, Step, Tick
from controller.core.state import RoomState
from controller.light_desk import LightDesk
from controller.room_heart import RoomHeart

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
    answered: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        around = self.around
        fixtures = around.bridge.fixtures()
        drivers = {info.fixture: around.bridge for info in fixtures}
        self.desk = LightDesk(fixtures, LAMPS, drivers, Limits(), around.clock)
        self.desk.on_manual = self._lamp_by_hand
        self.conductor = Conductor(
            around.pools, around.speaker.send, around.clock, Limits(), k_db=None, seed="simulated"
        )
        self.heart = RoomHeart(REST, around.clock, self.desk, self.conductor, RECOVERY_LIMIT_MS)

    @property
    def state(self) -> RoomState:
        """The room's state."""
        return self.heart.state

    def recover(self, found: Callable[[list[r.Record]], None]) -> None:
        """Start from the disk, as the room does; ``found`` hears of the records that it begins with."""
        disk = self.around.disk
        kept, records = disk.checkpoint, disk.newest_session()
        self.answered = disk.command_ids()
        self.heart.restore(kept)
        event = self.heart.recover(kept, records, disk.noted)
        found([] if event is None else records)
        if event is not None:
            self.handle(event)

    def submit(self, command: c.Command, answer: Callable[[bool], None]) -> str:
        """Carry a command out once; ``answer`` hears whether it is on the disk."""
        if command.command_id in self.answered:
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
        done = self.heart.step(event, now)
        wants = self.told(Happened(event, before, done))
        if done.records or done.effects or answer is not None:
            around.disk.put(now, done.records, done.effects, wants, answer)
        self.heart.converge(now)

    def target(self, now: int) -> MusicTarget:
        return music_target(self.state, now)

    def next_due_ms(self) -> int | None:
        """Room time at which it must be run."""
        return self.heart.due_ms()

    def run(self) -> None:
        """Do what is due."""
        around = self.around
        now = around.clock.now_ms()
        for event in around.speaker.tick(linked=True):
            for body in self.conductor.on_event(event):
                self.handle(Observed(body))
        if self.heart.is_due(now):
            self.handle(Tick())
        self.heart.tick(now)
        around.bridge.serve(self.desk)

    def checkpoint(self) -> None:
        """Keep what a restart needs, unless the disk is full."""
        around = self.around
        if not around.disk.full:
            around.disk.checkpoint = self.heart.checkpoint()

    def _lamp_by_hand(self, fixture: str, attribute: str) -> None:
        self.by_hand(fixture, attribute)
        self.handle(Observed(r.LampChangedByHand(fixture, attribute)))  # type: ignore[arg-type]

    def is_certain(self, fixture: str) -> bool:
        """Whether the desk believes this lamp to be in one state only."""
        return self.desk.is_certain(fixture)

    def knows(self, lamp: EyeLamp, now: int) -> bool:
        """Whether the desk believes what an eye sees."""
        model, eye = self.desk.modelled(lamp.name), lamp.look(now)
        if model is None or abs(model.lstar - eye.lstar) > 0.5:
            return False
        return colour_distance_mired(model.colour, eye.colour) <= 3.0
