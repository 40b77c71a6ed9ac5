"""Rehearsals from the tablet: one at a time, at any speed, in the simulated room, beside the rooms that run.

It must never hold up a room: a rehearsal goes forward a few steps at a time, and waits between them.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Literal, Protocol

import structlog

from controller.core.snapshot import Ribbon
from controller.errors import RefusedError, StillroomError
from controller.ports import Clock
from controller.rehearsal_faults import Fault

log = structlog.get_logger()

STEPS_AT_ONCE: Final = 4
"""About a millisecond's work on a small machine."""
BREATH_MS: Final = 3
LONGEST_NAP_MS: Final = 200
KEPT: Final = 8


@dataclass(frozen=True, slots=True)
class StageLine:
    """One thing that happened: session time in ms, what kind, and what."""

    session_ms: int
    kind: str
    what: str


@dataclass(frozen=True, slots=True)
class StageZone:
    """A zone of the simulated room as an eye would see it."""

    zone: str
    brightness_percent: float
    swatch: str


class Stage(Protocol):
    """A rehearsal that is gone through step by step (``controller.rehearsal.Rehearsal``)."""

    def advance(self) -> bool:
        """Go to the next due instant; False when it is over."""
        ...

    def next_session_ms(self) -> int | None:
        """Session time (since the start) of the next due instant, ms; None at the end."""
        ...

    def session_ms(self) -> int:
        """Session time it has come to, ms."""
        ...

    def phase_id(self) -> str:
        """The phase it is in."""
        ...

    def lines(self) -> Sequence[StageLine]:
        """What has happened so far, in order."""
        ...

    def zones(self) -> tuple[StageZone, ...]:
        """The simulated room now."""
        ...

    def summary(self) -> dict[str, object]:
        """The report, as plain values."""
        ...


@dataclass(frozen=True, slots=True)
class Staged:
    """A stage that is set: the profile's title, its plan, and the stage."""

    title: str
    ribbon: Ribbon
    stage: Stage


SetStage = Callable[[str, str, tuple[Fault, ...]], Staged]
"""Of a room, a profile and the faults to throw in. It may raise a UserError. Blocking."""

Status = Literal["running", "done", "stopped", "failed"]


@dataclass(slots=True)
class RehearsalRun:
    """One rehearsal. ``speed`` None: as fast as it goes."""

    run_id: str
    room: str
    profile: str
    staged: Staged
    speed: float | None
    begun_ms: int
    status: Status = "running"
    message: str = ""
    ended_ms: int | None = None

    def session_ms(self, now_ms: int, clock_speed: int) -> int:
        """Session time it has come to, also between two steps, ms."""
        at, due = self.staged.stage.session_ms(), self.staged.stage.next_session_ms()
        if self.speed is None or self.status != "running" or due is None:
            return at
        return max(at, min(round((now_ms - self.begun_ms) / clock_speed * self.speed), due))


class RehearsalDesk:
    """The site's rehearsals. ``run`` must be running for one to go forward."""

    def __init__(self, clock: Clock, set_stage: SetStage, new_id: Callable[[], str]) -> None:
        self._clock, self._set_stage, self._new_id = clock, set_stage, new_id
        self._runs: dict[str, RehearsalRun] = {}
        self._wake = asyncio.Event()

    @property
    def current(self) -> RehearsalRun | None:
        """The one that runs."""
        return next((run for run in self._runs.values() if run.status == "running"), None)

    def get(self, run_id: str) -> RehearsalRun | None:
        """Return a rehearsal of this daemon's life; the last few are kept."""
        return self._runs.get(run_id)

    def of_room(self, room: str) -> RehearsalRun | None:
        """Return a room's newest rehearsal."""
        return next((run for run in reversed(self._runs.values()) if run.room == room), None)

    async def start(
        self, room: str, profile: str, speed: float | None, faults: tuple[Fault, ...]
    ) -> RehearsalRun:
        """Begin a rehearsal.

        Raises:
            RefusedError: one runs already.
            UserError: the profile cannot be rehearsed.
        """
        self._check_free()
        staged = await asyncio.to_thread(self._set_stage, room, profile, faults)
        self._check_free()  # somebody else may have been quicker
        run = RehearsalRun(self._new_id(), room, profile, staged, speed, self._clock.now_ms())
        self._runs[run.run_id] = run
        while len(self._runs) > KEPT:
            del self._runs[next(iter(self._runs))]
        self._wake.set()
        return run

    def stop(self, run_id: str) -> bool:
        """Stop a rehearsal where it is; says whether there is one of this id."""
        run = self._runs.get(run_id)
        if run is not None and run.status == "running":
            self._finish(run, "stopped")
        return run is not None

    async def run(self) -> None:
        """Carry rehearsals forward until cancelled."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            while (run := self.current) is not None:
                await self._nap(self._go_on(run))

    def _go_on(self, run: RehearsalRun) -> int:
        """Go forward as far as it is due; returns how long to wait, in real ms."""
        stage = run.staged.stage
        try:
            for _ in range(STEPS_AT_ONCE):
                wait_ms = self._wait_ms(run)
                if wait_ms > 0:
                    return min(wait_ms, LONGEST_NAP_MS)
                if not stage.advance():
                    self._finish(run, "done")
                    break
        except StillroomError as error:
            run.message = str(error)
            self._finish(run, "failed")
        return BREATH_MS

    def _wait_ms(self, run: RehearsalRun) -> int:
        due = run.staged.stage.next_session_ms()
        if run.speed is None or due is None:
            return 0
        passed = (self._clock.now_ms() - run.begun_ms) / self._clock.speed
        return round(due / run.speed - passed)

    async def _nap(self, real_ms: int) -> None:
        await self._clock.sleep_until(self._clock.now_ms() + max(real_ms, 1) * self._clock.speed)

    def _finish(self, run: RehearsalRun, status: Status) -> None:
        run.status, run.ended_ms = status, self._clock.now_ms()
        log.info("rehearsal over", room=run.room, profile=run.profile, status=status)

    def _check_free(self) -> None:
        if (run := self.current) is not None:
            raise RefusedError(
                "rehearsing", "a rehearsal of {profile} runs already: stop it first", profile=run.staged.title
            )
