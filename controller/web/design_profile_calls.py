"""HTTP: designing profiles. Only a designer writes; a therapist looks, and signs beside the designer."""

from functools import partial
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from controller.design_profiles import Checked, ProfileDesign, Saved
from controller.design_store import Signature
from controller.web.access import Grant, Power
from controller.web.context import WebContext
from controller.web.design_answers import (
    PlainObject,
    ProblemLine,
    SavedLine,
    VersionLine,
    WarningLine,
    aside,
    drawing_of,
    problem_lines,
    require_one_of,
    ribbon_plain,
    version_lines,
    warning_lines,
)
from controller.wire import Name, WireModel


class CheckedLine(WireModel):
    """What is to be said of a draft, and its plan for a drawing."""

    problems: list[ProblemLine]
    warnings: list[WarningLine]
    ribbon: dict[str, Any] | None


class SignatureLine(WireModel):
    """A role that signed this very version."""

    role: str
    at_ms: int


class ProfileLine(WireModel):
    """A profile to work on. ``base`` goes back with a save, so that nobody writes over somebody else."""

    profile: str
    origin: Literal["new", "shipped", "site", "designed"]
    file: str
    base: str
    data: dict[str, Any]
    checked: CheckedLine
    signatures: list[SignatureLine]


class DraftBody(WireModel):
    """A draft: what the file would say."""

    data: PlainObject


class SaveBody(DraftBody):
    """A draft to be saved over a version."""

    base: str = ""


class BaseBody(WireModel):
    """Which version is meant."""

    base: str


class RestoreBody(BaseBody):
    """Which old version to take up."""

    number: int


class ImportedLine(WireModel):
    """What came in, and what was left out because its name is taken here."""

    profile: str | None
    presets: list[str]
    left_out: list[str]


def saved_line(saved: Saved) -> SavedLine:
    """Return what a save did as it goes out."""
    return SavedLine(
        number=saved.number, base=saved.base, unchanged=saved.unchanged, changes=list(saved.changes)
    )


def _checked(found: Checked) -> CheckedLine:
    return CheckedLine(
        problems=problem_lines(found.problems),
        warnings=warning_lines(found.warnings),
        ribbon=ribbon_plain(found.ribbon),
    )


def _signatures(found: tuple[Signature, ...]) -> list[SignatureLine]:
    return [SignatureLine(role=one.role, at_ms=one.at_ms) for one in found]


def _profile(design: ProfileDesign) -> ProfileLine:
    return ProfileLine(
        profile=design.profile_id,
        origin=design.origin,
        file=design.file,
        base=design.base,
        data=design.data,
        checked=_checked(design.checked),
        signatures=_signatures(design.signatures),
    )


def profile_calls(context: WebContext) -> APIRouter:
    """Return the routes; without a desk they answer 404."""
    routes = APIRouter(prefix="/api/v1/design/profiles", tags=["design"])
    see = Depends(context.require(Power.SEE))
    design = context.require(Power.DESIGN)
    _changing(context, routes)

    @routes.get("/{profile}", dependencies=[see])
    async def opened(profile: str, room: str) -> ProfileLine:
        """Open a profile, seen in a room."""
        desk = drawing_of(context).designs.profiles
        return _profile(await aside(partial(desk.open, profile, room)))

    @routes.post("/{profile}/check", dependencies=[see])
    async def check(profile: Name, body: DraftBody, room: str) -> CheckedLine:
        """Say what the daemon would say of a draft; nothing is written."""
        desk = drawing_of(context).designs.profiles
        return _checked(await aside(partial(desk.check, profile, body.data, room)))

    @routes.get("/{profile}/versions", dependencies=[see])
    async def versions(profile: str) -> list[VersionLine]:
        """List the versions, newest first, each with what it changed."""
        return version_lines(await aside(partial(drawing_of(context).designs.profiles.versions, profile)))

    @routes.get("/{profile}/export", responses={200: {"content": {"application/zip": {}}}})
    async def export(
        profile: str, room: str, _grant: Annotated[Grant, Depends(design)], presets: str = ""
    ) -> Response:
        """Return the profile, with presets named by commas, as one file."""
        desk = drawing_of(context).designs

        def pack() -> bytes:
            names = tuple(name for name in presets.split(",") if name)
            return desk.profiles.export(profile, desk.presets.text_of(room, names))

        content = await aside(pack)
        headers = {"Content-Disposition": f'attachment; filename="{profile}.zip"'}
        return Response(content, media_type="application/zip", headers=headers)

    return routes


def _changing(context: WebContext, routes: APIRouter) -> None:
    """What writes, and what signs."""
    design = context.require(Power.DESIGN)
    sign = require_one_of(context, Power.DESIGN, Power.CONTROL)

    @routes.put("/{profile}")
    async def save(profile: Name, body: SaveBody, grant: Annotated[Grant, Depends(design)]) -> SavedLine:
        """Save a profile; 409 if somebody saved meanwhile, 422 with every fault if it is not valid."""
        desk = drawing_of(context).designs.profiles
        return saved_line(await aside(partial(desk.save, profile, body.data, body.base, str(grant.role))))

    @routes.post("/{profile}/restore")
    async def restore(profile: str, body: RestoreBody, grant: Annotated[Grant, Depends(design)]) -> SavedLine:
        """Take up an old version as a new one."""
        desk = drawing_of(context).designs.profiles
        return saved_line(
            await aside(partial(desk.restore, profile, body.number, body.base, str(grant.role)))
        )

    @routes.post("/{profile}/sign")
    async def signed(
        profile: str, body: BaseBody, grant: Annotated[Grant, Depends(sign)]
    ) -> list[SignatureLine]:
        """Sign this very version for the device's role; two roles make it reviewed."""
        desk = drawing_of(context).designs.profiles
        return _signatures(await aside(partial(desk.sign, profile, body.base, str(grant.role))))

    @routes.post("", status_code=201)
    async def bring_in(
        request: Request, room: str, grant: Annotated[Grant, Depends(design)], as_id: str = ""
    ) -> ImportedLine:
        """Take in a file that was exported elsewhere (the body), or a profile as YAML."""
        desk, content = drawing_of(context).designs, await request.body()
        profile, taken, left = await aside(
            partial(desk.bring_in, content, room, as_id or None, str(grant.role))
        )
        return ImportedLine(profile=profile, presets=list(taken), left_out=list(left))
