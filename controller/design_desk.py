"""The design desk: profiles and presets of a site, and trying a look on the real lamps between sessions.

It must never touch a lamp while a session runs or a room is prepared for one; what it lays on the lamps goes
through the room's own commands, so under the envelope, and comes off by itself if nobody says so.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from uuid import uuid4

from controller.api import RoomApi
from controller.design_bundle import unpacked
from controller.design_catalogue import LiveCatalogue
from controller.design_files import DesignFiles
from controller.design_presets import PresetDesigns
from controller.design_profiles import ProfileDesigns
from controller.design_store import DesignStore
from controller.design_work import Workshop
from controller.errors import RefusedError
from controller.ports import Clock, FixtureInfo
from controller.wire import LightReleaseRequest, LightRequest, Reply
from playlists.catalogue import Pools
from profiles.catalogue import LoadedSite

TRY_FADE_S: Final = 2.0
TRY_MINUTES: Final = 3.0
"""Without another word a look that is tried goes off the lamps after this long."""
RELEASE_FADE_S: Final = 8.0


@dataclass(frozen=True, slots=True)
class ZoneAbility:
    """What a zone's lamps can show. ``kelvin``: the range all of them reach, or None without white tuning."""

    zone: str
    title: str
    lamps: int
    kelvin: tuple[int, int] | None
    colour: bool


@dataclass(frozen=True, slots=True)
class TriedLook:
    """One zone's look to try: percent of full luminance, and a warmth or a colour (``#rrggbb`` or xy)."""

    zone: str
    brightness_percent: float
    kelvin: float | None = None
    colour: str | tuple[float, float] | None = None


class DesignDesk:
    """Everything the designer's pages do. ``profiles`` and ``presets`` block; the rest does not."""

    def __init__(
        self,
        files: DesignFiles,
        store: DesignStore,
        catalogues: LiveCatalogue,
        pools: Callable[[], Pools],
        clock: Clock,
        lamps: Callable[[str], Mapping[str, tuple[FixtureInfo, ...]]] = lambda _room: {},
    ) -> None:
        """``lamps`` gives a room's lamps by zone."""
        self.workshop = Workshop(files, store, catalogues, pools, clock)
        self.profiles = ProfileDesigns(self.workshop)
        self.presets = PresetDesigns(self.workshop)
        self._lamps = lamps

    @property
    def catalogues(self) -> LiveCatalogue:
        """The catalogue as it is now."""
        return self.workshop.catalogues

    def bring_in(
        self, content: bytes, room: str, as_id: str | None, role: str
    ) -> tuple[str | None, tuple[str, ...], tuple[str, ...]]:
        """Take a file from outside in: the profile's id, the presets that came, those that were left out.

        Raises:
            UserError: it cannot be used here.
        """
        bundle = unpacked(content)
        if bundle.presets is not None:
            self.presets.check_incoming(bundle.presets)  # all of a file comes in, or nothing
        profile = None if bundle.profile is None else self.profiles.bring_in(bundle.profile, as_id, role)
        taken, left = (
            ((), ()) if bundle.presets is None else self.presets.bring_in(room, bundle.presets, role)
        )
        return profile, taken, left

    def abilities(self, room_id: str) -> tuple[ZoneAbility, ...]:
        """Return what each zone of a room can show.

        Raises:
            UserError: there is no such room.
        """
        room = self.workshop.files.site.room(room_id)
        by_zone = self._lamps(room_id)
        return tuple(_ability(z.id, z.title or z.id, by_zone.get(z.id, ())) for z in room.zones)

    # ---------------------------------------------------------------- on the real lamps

    async def try_on(self, room: RoomApi, looks: tuple[TriedLook, ...], by: str) -> None:
        """Lay looks on the room's lamps, for at most three minutes without another word.

        Raises:
            RefusedError: a session runs there, or the room is prepared for one.
        """
        _check_free(room)
        for look in looks:
            request = LightRequest(
                id=uuid4(),
                command="light",
                zone=look.zone,
                brightness=look.brightness_percent,
                kelvin=look.kelvin,
                colour=look.colour,
                fade_s=TRY_FADE_S,
                until="minutes",
                minutes=TRY_MINUTES,
            )
            _insist(await room.submit(request, by))

    async def take_off(self, room: RoomApi, zones: tuple[str, ...], by: str) -> None:
        """Give these zones' lamps back, slowly; during a session nothing of a trial is left to give back.

        Raises:
            RefusedError: a session runs there.
        """
        _check_free(room)
        for zone in zones:
            request = LightReleaseRequest(
                id=uuid4(), command="light_release", zone=zone, fade_s=RELEASE_FADE_S
            )
            _insist(await room.submit(request, by))


def open_desk(
    site: LoadedSite,
    data: Path,
    pools: Callable[[], Pools],
    clock: Clock,
    lamps: Callable[[str], Mapping[str, tuple[FixtureInfo, ...]]] = lambda _room: {},
) -> DesignDesk:
    """Open the desk of a site: reads the catalogue. Blocking.

    Raises:
        InvalidFilesError: a shipped file is broken.
    """
    files = DesignFiles(site, data)
    store = DesignStore(data / "designs.sqlite")
    return DesignDesk(files, store, LiveCatalogue(files.catalogue, store.signed_roles), pools, clock, lamps)


def _check_free(room: RoomApi) -> None:
    state = room.snapshot()
    if state.session is not None and state.session.status != "ended":
        raise RefusedError("session_running", "a session runs in this room: its light is not a designer's")
    if state.prepared and state.session is None:
        raise RefusedError("prepared", "this room is prepared for a session: its light is not a designer's")


def _insist(reply: Reply) -> None:
    if reply.refused is not None:
        raise RefusedError(reply.refused.code, reply.refused.message.replace("{", "("))


def _ability(zone: str, title: str, lamps: tuple[FixtureInfo, ...]) -> ZoneAbility:
    ranges = [lamp.mired_range for lamp in lamps if lamp.mired_range is not None]
    kelvin = None
    if ranges:
        cool, warm = max(low for low, _ in ranges), min(high for _, high in ranges)
        kelvin = (round(1_000_000 / warm), round(1_000_000 / cool))
    return ZoneAbility(
        zone, title, len(lamps), kelvin, bool(lamps) and all(lamp.has_colour for lamp in lamps)
    )
