"""A small score and short hands for driving ``step`` in tests."""

from dataclasses import dataclass, field

from controller.core import commands as c
from controller.core.light import Look, look_from_percent
from controller.core.records import Record
from controller.core.score import (
    AnchorCue,
    AnchorShift,
    Audience,
    Cue,
    LightStep,
    MusicPlan,
    Phase,
    PlannedSilence,
    Scene,
    Score,
)
from controller.core.session import Effect, Event, Step, Tick, step
from controller.core.state import RoomState, new_room, zone_look

MIN = 60_000
T0 = 1_750_000_000_000
REST = {"ceiling": look_from_percent(30, 2700), "bedside": look_from_percent(20, 2500)}
HELP = Scene(
    "help", {z: look_from_percent(50, 2700) for z in REST}, fade_ms=3_000, music_db=-20.0, is_help=True
)
PATH = Scene("path", {"bedside": look_from_percent(6, 2000)}, to_speakers=True, returns_after_ms=10 * MIN)


def phase(name: str, minutes: int, percent: float, kelvin: float, **more: object) -> Phase:
    """A phase whose light fades over its first five minutes."""
    looks = {zone: look_from_percent(percent, kelvin) for zone in REST}
    music = MusicPlan(pool=name, mood=name, energy=0.3, level_dba=50.0)
    kept: dict[str, object] = {"music": music, **more}
    return Phase(name, name.title(), minutes * MIN, (LightStep(0, 5 * MIN, looks),), **kept)  # type: ignore[arg-type]


SCORE = Score(
    profile_id="small",
    title="Small",
    reviewed=False,
    phases=(
        phase("arrival", 10, 45, 2700, cues=(Cue("breath", 2 * MIN, "breath", "Breathe.", Audience.CLIENT),)),
        phase(
            "peak",
            20,
            2,
            2000,
            client_prompts_suppressed=True,
            cues=(
                Cue("orient", 1 * MIN, "orient", "You are here.", Audience.CLIENT),
                Cue("water", 5 * MIN, "water", "Offer water.", Audience.THERAPIST, 600),
            ),
            music=MusicPlan("peak", "vast", 0.7, 60.0, silences=(PlannedSilence(4 * MIN, 6 * MIN),)),
        ),
        phase("talk", 15, 35, 2700),
    ),
    resting=REST,
    minimum_ms=12 * MIN,
    anchors={"dose": "peak"},
    anchor_cues=(
        AnchorCue("bp-before", "dose", -5 * MIN, "bp", "Blood pressure."),
        AnchorCue("bp-after", "dose", 8 * MIN, "bp", "Blood pressure."),
    ),
    anchor_shifts=(AnchorShift("supplement_given", "talk", 10 * MIN),),
    prompts={"feet": "Feel both feet meet the floor."},
)


@dataclass
class Driver:
    """Drives one room's ``step`` and keeps everything that came out of it."""

    now_ms: int = T0
    state: RoomState = field(default_factory=lambda: new_room(REST))
    records: list[Record] = field(default_factory=list)
    effects: list[Effect] = field(default_factory=list)
    count: int = 0

    def event(self, event: Event) -> Step:
        """Step once."""
        done = step(self.state, event, self.now_ms)
        self.state = done.state
        self.records += done.records
        self.effects += done.effects
        # What is due now has happened now: else whoever waits for it would never sleep again.
        assert done.next_due_ms is None or done.next_due_ms > self.now_ms
        return done

    def do(self, body: c.Body, by: str = "therapist:a") -> Step:
        """Send a command with a fresh id."""
        self.count += 1
        return self.event(c.Command(f"id-{self.count}", by, body))

    def start(self, score: Score = SCORE) -> "Driver":
        """Start a session."""
        self.do(c.Start("s" * 32, score))
        return self

    def wait(self, ms: int) -> "Driver":
        """Let time pass, ticking at every due instant."""
        until = self.now_ms + ms
        while (due := self.event(Tick()).next_due_ms) is not None and due <= until:
            self.now_ms = max(due, self.now_ms)
        self.now_ms = until
        self.event(Tick())
        return self

    def look(self, zone: str = "ceiling", after_ms: int = 0) -> Look:
        """The planned look of a zone."""
        return zone_look(self.state, zone, self.now_ms + after_ms)

    def kinds(self) -> list[str]:
        """The kinds of all records."""
        return [record.body.kind for record in self.records]

    def of(self, kind: str) -> list[tuple[int, Record]]:
        """Records of a kind with their time in ms since the start."""
        return [(rec.at_ms - T0, rec) for rec in self.records if rec.body.kind == kind]
