"""How late cues are: the room's engine with 1 and with 50 rooms, beside APScheduler alone in the same run.

Cues 200 ms apart on the real clock, measured where they leave the room; the shipped profiles at a speed
that puts hours into seconds; and a session of 8 h in virtual time for the drift. Targets: p99 at most 5 ms
with one room and 20 ms with 50, and no drift: neither in virtual time nor as a slope over the real cues.
"""

import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import structlog
from apscheduler.schedulers.asyncio import AsyncIOScheduler

import profiles
from controller.api import Named
from controller.clock import RealClock, TimeSources
from controller.conductor import Conductor
from controller.core.envelope import Limits
from controller.core.light import look_from_percent
from controller.core.records import PhaseEntered, PromptCued, Record
from controller.core.score import Audience, Cue, MusicPlan, Phase, Scene, Score
from controller.daemon.lights import known_drivers
from controller.daemon.rehearsing import prepare_rehearsal
from controller.errors import RefusedError
from controller.light_desk import LightDesk
from controller.ports import Prompt, SessionSummary, StoredNote
from controller.room import Room
from controller.room_parts import RoomParts
from controller.wire import StartRequest
from profiles.catalogue import load_catalogue, load_site

SITE = Path(profiles.__file__).parent / "library" / "demo-site.yaml"
REST = {"ceiling": look_from_percent(30, 2700)}
GAP_MS = 200
CUES = 40
FIRST_MS = 1_000
MANY = 50
SPEED = 3_600
PROFILE_S = 9.0
TARGETS = {"one_p99_ms": 5.0, "fifty_p99_ms": 20.0, "drift_ms_per_cue": 0.1, "virtual_drift_ms": 0.0}
SETTLED_MS = 400


@dataclass
class Watch:
    """Real time in ms since the clock's own beginning, finer than its whole milliseconds."""

    begun_ns: int | None = None

    def boot_ns(self) -> int:
        now = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        if self.begun_ns is None:
            self.begun_ns = now
        return now

    def real_ms(self) -> float:
        return (self.boot_ns() - (self.begun_ns or 0)) / 1e6


@dataclass
class MemoryJournal:
    """A journal without a disk, and the place where records are timed."""

    note: Callable[[Sequence[Record]], None]
    fault: str | None = None

    async def append(self, records: Sequence[Record]) -> None:
        self.note(records)

    async def add_note(self, note: StoredNote) -> None:
        del note

    async def records(self, session_id: str) -> tuple[Record, ...]:
        del session_id
        return ()

    async def open_session(self) -> tuple[Record, ...]:
        return ()

    async def newest_session(self) -> tuple[Record, ...]:
        return ()

    async def note_prompt(self, session_id: str, prompt_id: str) -> bool:
        del session_id, prompt_id
        return True

    async def noted_prompts(self, session_id: str) -> tuple[str, ...]:
        del session_id
        return ()

    async def command_ids(self) -> tuple[str, ...]:
        return ()

    async def sessions(self) -> tuple[SessionSummary, ...]:
        return ()

    async def close(self) -> None:
        return

    async def save_checkpoint(self, name: str, json: str) -> None:
        del name, json

    async def load_checkpoint(self, name: str) -> str | None:
        del name
        return None


@dataclass(frozen=True)
class OneScore:
    """A library with one score in it."""

    one: Score

    def score(self, profile: str) -> Score:
        del profile
        return self.one

    def scene(self, name: str) -> Scene:
        raise RefusedError("unknown_scene", name)

    def words(self, text: str, hour: int) -> str:
        del hour
        return text

    def music_ms(self, pool: str) -> int | None:
        del pool
        return None

    def prompt_audio(self, prompt: str) -> str | None:
        return self.one.prompts.get(prompt) and None

    def profiles(self) -> tuple[Named, ...]:
        return ()

    pools = presets = prompts = profiles


@dataclass
class Timed:
    """One room with its engine, and how late each of its cues and phases was (real ms)."""

    score: Score
    clock: RealClock
    watch: Watch
    late_ms: list[float] = field(default_factory=list)
    started_ms: int = 0
    published: int = 0
    room: Room = field(init=False)

    def __post_init__(self) -> None:
        clock, limits = self.clock, Limits()
        self.room = Room(
            RoomParts(
                room_id="room",
                title="Room",
                resting=dict(self.score.resting),
                clock=clock,
                journal=MemoryJournal(self.note),
                desk=LightDesk((), {}, {}, limits, clock),
                conductor=Conductor(self, lambda _command: None, clock, limits, k_db=None),
                library=OneScore(self.score),
                prompts=(self,),
                new_session_id=lambda: uuid4().hex,
            )
        )

    def choose(self, request: object) -> tuple[()]:
        del request
        return ()

    def find(self, track_id: str) -> None:
        del track_id

    def publish(self, prompt: Prompt) -> None:
        del prompt
        self.published += 1

    def note(self, records: Sequence[Record]) -> None:
        real_ms = self.watch.real_ms()
        for record in records:
            due = self._due(record)
            if due is not None:
                self.late_ms.append(real_ms - (self.started_ms + due) / self.clock.speed)

    def _due(self, record: Record) -> int | None:
        starts = np.cumsum([0, *(phase.length_ms for phase in self.score.phases)])
        match record.body:
            case PhaseEntered(slot=slot) if slot:
                return int(starts[slot])
            case PromptCued(cue_id=str(key)) if not key.startswith("a."):
                index, name = int(key.partition(".")[0]), key.partition(".")[2]
                cues = self.score.phases[index].cues
                return int(starts[index]) + next(cue.offset_ms for cue in cues if cue.cue_id == name)
            case _:
                return None

    async def start(self) -> None:
        reply = await self.room.submit(StartRequest(id=uuid4(), command="start", profile="any"), "benchmark")
        session = self.room.snapshot().session
        if not reply.ok or session is None:
            raise RuntimeError("the session did not start")
        self.started_ms = session.started_at_ms


def clock_at(speed: int) -> tuple[RealClock, Watch]:
    """A real clock whose room time begins with 0 at a real instant that the watch keeps."""
    watch = Watch()
    return RealClock(speed, sources=TimeSources(boot_ns=watch.boot_ns, wall_ms=lambda: 0)), watch


def cue_score() -> Score:
    cues = tuple(
        Cue(f"c{i}", FIRST_MS + i * GAP_MS, "feet", "Feel both feet.", Audience.THERAPIST, 600)
        for i in range(CUES)
    )
    return Score("cues", "Cues", False, (Phase("all", "All", 600_000, (), MusicPlan(None), cues),), REST)


async def run_rooms(scores: Sequence[Score], speed: int, seconds: float) -> list[Timed]:
    """Run rooms with their own engines on one loop."""
    clock, watch = clock_at(speed)
    rooms = [Timed(score, clock, watch) for score in scores]
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(timed.room.run()) for timed in rooms]
        for i, timed in enumerate(rooms):
            await timed.start()
            if len(rooms) > 9:
                await asyncio.sleep(GAP_MS / 1000 / len(rooms) * (i % 3))
        await asyncio.sleep(seconds)
        for task in tasks:
            task.cancel()
    return rooms


async def run_apscheduler(rooms: int) -> list[float]:
    """The same cues as date jobs in memory; how late each was called, ms."""
    late: list[float] = []
    schedulers = []
    for i in range(rooms):
        scheduler = AsyncIOScheduler(timezone=UTC)
        scheduler.start()
        begin = datetime.now(UTC) + timedelta(milliseconds=FIRST_MS + i * GAP_MS / rooms)

        def called(due: datetime) -> None:
            late.append((datetime.now(UTC) - due).total_seconds() * 1000)

        for cue in range(CUES):
            due = begin + timedelta(milliseconds=cue * GAP_MS)
            scheduler.add_job(called, "date", run_date=due, args=(due,), misfire_grace_time=60)
        schedulers.append(scheduler)
    await asyncio.sleep((FIRST_MS + CUES * GAP_MS + SETTLED_MS) / 1000)
    for scheduler in schedulers:
        scheduler.shutdown(wait=False)
    return late


def spread(late: Sequence[float], name: str, figures: dict[str, float]) -> None:
    """Put p50, p99 and the worst down."""
    for part, value in (
        ("p50", np.percentile(late, 50)),
        ("p99", np.percentile(late, 99)),
        ("max", max(late)),
    ):
        figures[f"{name}_{part}_ms"] = round(float(value), 2)
    p50, p99, worst = (figures[f"{name}_{part}_ms"] for part in ("p50", "p99", "max"))
    print(f"{name:12} {len(late):5} cues: p50 {p50:.2f} ms, p99 {p99:.2f} ms, max {worst:.2f} ms")


def slope(rooms: Sequence[Timed]) -> float:
    """How much later each cue is than the one before, ms: the fitted line's slope, the room's median."""
    return float(np.median([np.polyfit(range(len(t.late_ms)), t.late_ms, 1)[0] for t in rooms]))


def virtual_drift(folder: Path) -> float:
    """Rehearse 8 h in virtual time: how far the last phase and the end are from their plan, ms."""
    rehearsal = prepare_rehearsal("psilocybin", SITE, None, folder)
    session = rehearsal.state.session
    starts = [] if session is None else [slot.start_ms for slot in session.timeline.slots]
    report = rehearsal.run()
    entered = [line.session_ms for line in report.happenings if line.kind == "phase_entered"]
    ended = [line.session_ms for line in report.happenings if line.kind == "session_ended"]
    if len(entered) != len(starts) or len(ended) != 1:
        return float("inf")
    return float(
        max(*(abs(a - b) for a, b in zip(entered, starts, strict=True)), abs(ended[0] - report.planned_ms))
    )


def shipped_scores(folder: Path) -> list[Score]:
    """Every shipped profile, compiled for the demo room."""
    catalogue = load_catalogue(load_site(SITE, drivers=known_drivers()))
    scores = []
    for name in sorted(catalogue.profiles):
        session = prepare_rehearsal(name, SITE, None, folder).state.session
        if session is not None:
            scores.append(session.timeline.score)
    return scores


async def measure(folder: Path) -> tuple[dict[str, float], bool]:
    figures: dict[str, float] = {}
    seconds = (FIRST_MS + CUES * GAP_MS + SETTLED_MS) / 1000
    one = await run_rooms([cue_score()], 1, seconds)
    many = await run_rooms([cue_score()] * MANY, 1, seconds)
    spread([ms for timed in one for ms in timed.late_ms], "one", figures)
    spread([ms for timed in many for ms in timed.late_ms], "fifty", figures)
    spread(await run_apscheduler(1), "aps_one", figures)
    spread(await run_apscheduler(MANY), "aps_fifty", figures)
    scores = shipped_scores(folder)
    shipped = await run_rooms(scores, SPEED, PROFILE_S)
    spread([ms for timed in shipped for ms in timed.late_ms], "profiles", figures)
    figures["profiles"] = len(scores)
    figures["drift_ms_per_cue"] = round(slope([*one, *many]), 4)
    figures["virtual_drift_ms"] = virtual_drift(folder)
    whole = all(len(timed.late_ms) == timed.published == CUES for timed in (*one, *many)) and len(scores) == 9
    held = {name: abs(figures[name]) <= target for name, target in TARGETS.items()}
    for name, holds in held.items():
        print(f"{'holds' if holds else 'MISSED':6} {name} {figures[name]} (target {TARGETS[name]})")
    if not whole:
        print("MISSED every cue of every room, once")
    return figures, whole and all(held.values())


def main() -> int:
    quiet: Any = structlog.make_filtering_bound_logger(50)
    structlog.configure(wrapper_class=quiet)
    with tempfile.TemporaryDirectory() as folder:
        figures, ok = asyncio.run(measure(Path(folder)))
    print(json.dumps({"benchmark": "cue_lateness", "ok": ok, "figures": figures}))
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
