"""HTTP: rehearsals in the simulated room: begun, followed, stopped, their report. It touches no lamp."""

from typing import Any, Literal

from fastapi import APIRouter, Depends, HTTPException
from pydantic import Field

from controller.core.units import MS_PER_MIN
from controller.errors import StillroomError
from controller.rehearsal_desk import RehearsalRun
from controller.rehearsal_faults import Fault, FaultKind
from controller.web.access import Power
from controller.web.context import WebContext
from controller.web.design_answers import answer_for, drawing_of, require_one_of, ribbon_plain
from controller.wire import Name, WireModel

MAX_LINES = 400


class FaultBody(WireModel):
    """A fault to throw in, minutes after the start, for some minutes."""

    kind: FaultKind
    at_minutes: float = Field(ge=0, le=1440)
    for_minutes: float = Field(default=2.0, gt=0, le=120)


class RehearseBody(WireModel):
    """Rehearse a profile: ``speed`` times as fast, or as fast as it goes."""

    room: Name
    profile: Name
    speed: float | Literal["max"] = "max"
    faults: tuple[FaultBody, ...] = Field(default=(), max_length=20)


class HappeningLine(WireModel):
    """One thing that happened: session time in ms, what kind, and what."""

    session_ms: int
    kind: str
    what: str


class StageZoneLine(WireModel):
    """A zone of the simulated room as an eye would see it."""

    zone: str
    brightness_percent: float
    swatch: str


class RehearsalLine(WireModel):
    """A rehearsal as it stands; ``report`` once it is over."""

    rehearsal: str
    room: str
    profile: str
    title: str
    status: Literal["running", "done", "stopped", "failed"]
    message: str
    speed: float | None
    session_ms: int
    length_ms: int
    phase: str
    zones: list[StageZoneLine]
    lines: list[HappeningLine]
    next_line: int
    ribbon: dict[str, Any] | None
    report: dict[str, Any] | None


def rehearsal_calls(context: WebContext) -> APIRouter:
    """Return the routes; without a desk they answer 404."""
    routes = APIRouter(prefix="/api/v1/rehearsals", tags=["rehearsals"])
    may = Depends(require_one_of(context, Power.DESIGN, Power.CONTROL))

    def line(run: RehearsalRun, since: int, *, with_ribbon: bool) -> RehearsalLine:
        stage, staged = run.staged.stage, run.staged
        lines = stage.lines()[since : since + MAX_LINES]
        return RehearsalLine(
            rehearsal=run.run_id,
            room=run.room,
            profile=run.profile,
            title=staged.title,
            status=run.status,
            message=run.message,
            speed=run.speed,
            session_ms=run.session_ms(context.clock.now_ms(), context.clock.speed),
            length_ms=staged.ribbon.length_ms,
            phase=stage.phase_id(),
            zones=[
                StageZoneLine(zone=z.zone, brightness_percent=z.brightness_percent, swatch=z.swatch)
                for z in stage.zones()
            ],
            lines=[HappeningLine(session_ms=x.session_ms, kind=x.kind, what=x.what) for x in lines],
            next_line=since + len(lines),
            ribbon=ribbon_plain(staged.ribbon) if with_ribbon else None,
            report=None if run.status == "running" else stage.summary(),
        )

    def found(run_id: str) -> RehearsalRun:
        run = drawing_of(context).rehearsals.get(run_id)
        if run is None:
            raise HTTPException(404, "no such rehearsal")
        return run

    @routes.post("", status_code=201, dependencies=[may])
    async def start(body: RehearseBody) -> RehearsalLine:
        """Begin a rehearsal; one at a time."""
        context.room(body.room)
        if body.speed != "max" and not 1 <= body.speed <= 100_000:
            raise HTTPException(422, "speed: expected 1 to 100000, or 'max'")
        speed = None if body.speed == "max" else float(body.speed)
        faults = tuple(
            Fault(f.kind, round(f.at_minutes * MS_PER_MIN), round(f.for_minutes * MS_PER_MIN))
            for f in body.faults
        )
        try:
            run = await drawing_of(context).rehearsals.start(body.room, body.profile, speed, faults)
        except StillroomError as error:
            raise answer_for(error) from None
        return line(run, 0, with_ribbon=True)

    @routes.get("", dependencies=[may])
    async def newest(room: str) -> RehearsalLine | None:
        """Return a room's newest rehearsal, if there was one since the daemon started."""
        run = drawing_of(context).rehearsals.of_room(room)
        return None if run is None else line(run, 0, with_ribbon=True)

    @routes.get("/{rehearsal}", dependencies=[may])
    async def state(rehearsal: str, since: int = 0) -> RehearsalLine:
        """Return how it stands, with what happened since line ``since``."""
        return line(found(rehearsal), max(since, 0), with_ribbon=False)

    @routes.delete("/{rehearsal}", dependencies=[may])
    async def stop(rehearsal: str) -> RehearsalLine:
        """Stop it where it is; its report stays."""
        run = found(rehearsal)
        drawing_of(context).rehearsals.stop(rehearsal)
        return line(run, 0, with_ribbon=False)

    return routes
