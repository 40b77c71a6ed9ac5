"""HTTP: designing presets, and trying a look on the real lamps between sessions. Only a designer does."""

from functools import partial
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends
from pydantic import Field

from controller.design_desk import TriedLook, ZoneAbility
from controller.design_presets import CheckedPreset, PresetDesign
from controller.errors import StillroomError
from controller.web.access import Grant, Power
from controller.web.context import WebContext
from controller.web.design_answers import (
    ProblemLine,
    SavedLine,
    VersionLine,
    answer_for,
    aside,
    drawing_of,
    problem_lines,
    version_lines,
)
from controller.web.design_profile_calls import DraftBody, RestoreBody, SaveBody, saved_line
from controller.wire import Name, WireModel


class ZoneLine(WireModel):
    """What a zone's lamps can show; ``kelvin`` null: no white tuning."""

    zone: str
    title: str
    lamps: int
    kelvin: tuple[int, int] | None
    colour: bool


class ZoneSwatchLine(WireModel):
    """A zone's look in its true colour; null where the preset leaves it as it is."""

    zone: str
    brightness_percent: float | None
    swatch: str | None


class CheckedPresetLine(WireModel):
    """What is to be said of a preset, and how it looks."""

    problems: list[ProblemLine]
    zones: list[ZoneSwatchLine]


class PresetLine(WireModel):
    """A preset to work on."""

    name: str
    origin: Literal["new", "shipped", "site", "designed"]
    file: str
    base: str
    data: dict[str, Any]
    checked: CheckedPresetLine


class TriedBody(WireModel):
    """One zone's look to be tried."""

    zone: Name
    brightness_percent: float = Field(ge=0, le=100)
    kelvin: float | None = Field(default=None, ge=1500, le=6500)
    colour: str | None = Field(default=None, pattern=r"^#[0-9a-fA-F]{6}$")
    xy: tuple[float, float] | None = None

    def look(self) -> TriedLook:
        """The look."""
        colour = self.colour if self.xy is None else self.xy
        kelvin = self.kelvin if colour is None else None
        return TriedLook(self.zone, self.brightness_percent, kelvin, colour)


class TryBody(WireModel):
    """Looks to be tried on the real lamps."""

    looks: tuple[TriedBody, ...] = Field(min_length=1, max_length=40)


class ZonesBody(WireModel):
    """Which zones' lamps to give back."""

    zones: tuple[Name, ...] = Field(min_length=1, max_length=40)


def _zone(ability: ZoneAbility) -> ZoneLine:
    return ZoneLine(
        zone=ability.zone,
        title=ability.title,
        lamps=ability.lamps,
        kelvin=ability.kelvin,
        colour=ability.colour,
    )


def _checked(found: CheckedPreset) -> CheckedPresetLine:
    zones = [
        ZoneSwatchLine(zone=z.zone, brightness_percent=z.brightness_percent, swatch=z.swatch)
        for z in found.zones
    ]
    return CheckedPresetLine(problems=problem_lines(found.problems), zones=zones)


def _preset(design: PresetDesign) -> PresetLine:
    return PresetLine(
        name=design.name,
        origin=design.origin,
        file=design.file,
        base=design.base,
        data=design.data,
        checked=_checked(design.checked),
    )


def preset_calls(context: WebContext) -> APIRouter:
    """Return the routes; without a desk they answer 404."""
    routes = APIRouter(prefix="/api/v1/design/rooms/{room}", tags=["design"])
    see = Depends(context.require(Power.SEE))
    design = context.require(Power.DESIGN)
    _lamps(context, routes)

    @routes.get("/zones", dependencies=[see])
    async def zones(room: str) -> list[ZoneLine]:
        """List a room's zones with what their lamps can show."""
        return [_zone(one) for one in await aside(partial(drawing_of(context).designs.abilities, room))]

    @routes.get("/presets/{preset}", dependencies=[see])
    async def opened(room: str, preset: str) -> PresetLine:
        """Open a preset."""
        return _preset(await aside(partial(drawing_of(context).designs.presets.open, room, preset)))

    @routes.post("/presets/{preset}/check", dependencies=[see])
    async def check(room: str, preset: Name, body: DraftBody) -> CheckedPresetLine:
        """Say what the daemon would say of a draft, and how it looks; nothing is written."""
        desk = drawing_of(context).designs.presets
        return _checked(await aside(partial(desk.check, room, preset, body.data)))

    @routes.put("/presets/{preset}")
    async def save(
        room: str, preset: Name, body: SaveBody, grant: Annotated[Grant, Depends(design)]
    ) -> SavedLine:
        """Save a preset; 409 if somebody saved it meanwhile, 422 with every fault if it is not valid."""
        desk = drawing_of(context).designs.presets
        work = partial(desk.save, room, preset, body.data, body.base, str(grant.role))
        return saved_line(await aside(work))

    @routes.get("/presets/{preset}/versions", dependencies=[see])
    async def versions(room: str, preset: str) -> list[VersionLine]:
        """List the versions, newest first, each with what it changed."""
        del room
        return version_lines(await aside(partial(drawing_of(context).designs.presets.versions, preset)))

    @routes.post("/presets/{preset}/restore")
    async def restore(
        room: str, preset: str, body: RestoreBody, grant: Annotated[Grant, Depends(design)]
    ) -> SavedLine:
        """Take up an old version as a new one."""
        desk = drawing_of(context).designs.presets
        work = partial(desk.restore, room, preset, body.number, body.base, str(grant.role))
        return saved_line(await aside(work))

    return routes


def _lamps(context: WebContext, routes: APIRouter) -> None:
    """Trying looks on the real lamps."""
    design = context.require(Power.DESIGN)

    @routes.post("/try", status_code=204)
    async def try_on(room: str, body: TryBody, grant: Annotated[Grant, Depends(design)]) -> None:
        """Show looks on the room's lamps, under the envelope, for three minutes; never during a session."""
        desk, target = drawing_of(context).designs, context.room(room)
        try:
            await desk.try_on(target, tuple(one.look() for one in body.looks), grant.by)
        except StillroomError as error:
            raise answer_for(error) from None

    @routes.post("/take_off", status_code=204)
    async def take_off(room: str, body: ZonesBody, grant: Annotated[Grant, Depends(design)]) -> None:
        """Give the lamps back, slowly."""
        desk, target = drawing_of(context).designs, context.room(room)
        try:
            await desk.take_off(target, body.zones, grant.by)
        except StillroomError as error:
            raise answer_for(error) from None
