"""What the designer's calls answer: problems, warnings, conflicts; and who may do what.

A therapist may look and sign; only a designer writes.
"""

import asyncio
from collections.abc import Callable
from typing import Annotated, Any, Final, TypeVar

from fastapi import HTTPException, Request
from pydantic import Field, TypeAdapter

from controller.core.snapshot import Ribbon
from controller.design_checks import DesignWarning
from controller.design_files import UnknownDesignError
from controller.design_store import Version
from controller.design_work import ConflictError
from controller.errors import InvalidFilesError, Problem, RefusedError, StillroomError
from controller.web.access import Grant, Power
from controller.web.context import WebContext
from controller.web.drawing import Drawing
from controller.web.said import SaidError
from controller.wire import WireModel
from profiles.catalogue import UnknownNameError

T = TypeVar("T")

_RIBBON: Final = TypeAdapter(Ribbon)

PlainObject = Annotated[dict[str, Any], Field(max_length=200)]
"""What a file says, as JSON; the file's own model says what is allowed in it."""


class ProblemLine(WireModel):
    """One fault: where in the file, and what was expected."""

    line: int | None
    key: str
    message: str
    hint: str


class WarningLine(WireModel):
    """One thing to know; ``grave``: something will not be as written."""

    kind: str
    phase: str
    message: str
    grave: bool


class VersionLine(WireModel):
    """One version: who by role, when (room time, Unix ms), and what it changed of the one before."""

    number: int
    at_ms: int
    role: str
    event: str
    changes: list[str]


class SavedLine(WireModel):
    """What a save did."""

    number: int
    base: str
    unchanged: bool
    changes: list[str]


def problem_lines(problems: tuple[Problem, ...]) -> list[ProblemLine]:
    """Return faults as they go out."""
    return [ProblemLine(line=p.line, key=p.key, message=p.message, hint=p.hint) for p in problems]


def warning_lines(warnings: tuple[DesignWarning, ...]) -> list[WarningLine]:
    """Return warnings as they go out."""
    return [WarningLine(kind=w.kind, phase=w.phase, message=w.message, grave=w.grave) for w in warnings]


def version_lines(versions: tuple[tuple[Version, tuple[str, ...]], ...]) -> list[VersionLine]:
    """Return versions as they go out."""
    return [
        VersionLine(number=v.number, at_ms=v.at_ms, role=v.role, event=v.event, changes=list(changes))
        for v, changes in versions
    ]


def ribbon_plain(ribbon: Ribbon | None) -> dict[str, Any] | None:
    """Return a plan as it goes out."""
    return None if ribbon is None else dict(_RIBBON.dump_python(ribbon, mode="json"))


def drawing_of(context: WebContext) -> Drawing:
    """Return the designer's desk and rehearsals, or answer 404."""
    if context.drawing is None:
        raise HTTPException(404, "this site has no designer")
    return context.drawing


def require_one_of(context: WebContext, *powers: Power) -> Callable[[Request], Grant]:
    """Return a dependency that lets those with any of these powers pass."""
    any_of = context.require_any

    def check(request: Request) -> Grant:
        grant = any_of(request)
        if not any(grant.may(power) for power in powers):
            raise SaidError(403, "the role {role} may not do this", role=str(grant.role))
        return grant

    return check


async def aside(work: Callable[[], T]) -> T:
    """Do blocking work beside the loop; what it raises becomes an answer."""
    try:
        return await asyncio.to_thread(work)
    except StillroomError as error:
        raise answer_for(error) from None


def answer_for(error: StillroomError) -> HTTPException:
    """Return the answer to one of our errors."""
    match error:
        case ConflictError():
            detail = {"code": "conflict", "message": str(error), "theirs": error.theirs}
            return HTTPException(409, {**detail, "changes": list(error.changes)})
        case InvalidFilesError():
            lines = [line.model_dump() for line in problem_lines(error.problems)]
            return HTTPException(422, {"code": "invalid", "message": str(error), "problems": lines})
        case UnknownDesignError() | UnknownNameError():
            return HTTPException(404, str(error))
        case RefusedError():
            return SaidError.of(409, error)
        case _:
            return HTTPException(422, str(error))
