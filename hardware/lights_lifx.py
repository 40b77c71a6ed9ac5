"""LIFX lamps on the local network, by the lifx-async package (docs/decisions/0005-lifx.md).

LIFX lamps have no bridge: each is spoken to by itself, over UDP with acknowledgements. It must never use an
effect, and never switch a lamp on at any other level than its dimmest.
"""

import asyncio
from collections.abc import Awaitable, Collection, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path
from typing import Final, TypeVar

from lifx import HSBK, Light
from lifx.exceptions import LifxError

from controller.core.envelope import Authority, Transition
from controller.core.light import Colour, Mired, as_xy, xy_from_mired
from controller.core.score import FixtureId
from controller.core.units import clamp, luminance_from_lstar
from controller.errors import UserError
from controller.ports import Clock, FixtureConfig, FixtureInfo, LampCommand, LampReport, LightSource
from hardware.driver_options import read_options
from hardware.faults import DeviceError, Scope
from hardware.lane_runner import Batch, Chore, LampGroup, LaneRunner
from hardware.lanes import Budget

PORT: Final = 56_700
TIMEOUT_S: Final = 1.5
SETTLE_MS: Final = 1_000.0
FLOOR: Final = 0.005
"""The dimmest that is asked of a LIFX lamp: below it the older ones go dark."""
KELVIN: Final = (2500, 9000)
MAX_TRANSITION_S: Final = 6_000.0

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class LifxOptions:
    """What the site file may say."""

    poll_ms: float = 4_000.0


@dataclass(slots=True)
class _Lamp:
    light: Light
    on: bool = False
    percent: float = 0.0
    seen: bool = False
    kelvin: tuple[int, int] = KELVIN
    colour: bool = True
    described: bool = False
    label: str = ""
    way: tuple[float, float] = (0.0, 0.0)
    """Between which brightnesses (percent) the transition under way runs, until ``way_until_ms`` (real)."""
    way_until_ms: float = 0.0


class LifxLights:
    """``controller.ports.Lights`` for LIFX lamps, and the ``Sender`` of their lanes."""

    def __init__(
        self,
        bridge_id: str,
        options: LifxOptions,
        fixtures: Mapping[FixtureConfig, Light],
        clock: Clock,
    ) -> None:
        self._bridge_id = bridge_id
        self._clock = clock
        self._names = {config.fixture: config.name for config in fixtures}
        self._lamps = {config.fixture: _Lamp(light) for config, light in fixtures.items()}
        # A LIFX lamp takes 20 messages a second, and each lamp has its own ear.
        budget = Budget(lights_per_s=20.0, burst=10.0, reserve=4.0, in_flight=8)
        self._lanes = LaneRunner(
            bridge_id, clock, self, tuple(self._lamps), budget=budget, poll_ms=options.poll_ms
        )

    # ------------------------------------------------------------ the port

    def fixtures(self) -> tuple[FixtureInfo, ...]:
        """The lamps as last described."""
        return tuple(
            FixtureInfo(
                fixture,
                self._names[fixture] or lamp.label or fixture,
                self._bridge_id,
                floor_percent=FLOOR * 100.0,
                mired_range=(1e6 / lamp.kelvin[1], 1e6 / lamp.kelvin[0]),
                has_colour=lamp.colour,
                reachable=lamp.seen,
                brightness_steps=65_535,
            )
            for fixture, lamp in self._lamps.items()
        )

    def wake(self, fixtures: Collection[FixtureId], authority: Authority) -> None:
        """Say that these lamps want a command now."""
        self._lanes.wake(fixtures, authority)

    async def run(self, source: LightSource) -> None:
        """Serve until cancelled."""
        await self._lanes.run(source)

    async def close(self) -> None:
        """Let go of the sockets. Lamps stay as they are."""
        for lamp in self._lamps.values():
            await lamp.light.connection.close()

    # ------------------------------------------------------------ the lanes' sender

    async def send(self, batch: Batch) -> None:
        """Send one lamp's transition and wait for its acknowledgement."""
        command = batch.commands[0]
        lamp = self._lamps[command.fixture]
        await self._guard(command.fixture, self._send(lamp, command.transition))

    async def probe(self) -> Sequence[LampReport]:
        """Ask every lamp how it is; those that do not answer are reported so."""
        reports = await asyncio.gather(*(self._read(f, lamp) for f, lamp in self._lamps.items()))
        if reports and not any(report.reachable for report in reports):
            raise DeviceError(self._bridge_id, "read the lamps", "no lamp answers", scope=Scope.AWAY)
        return reports

    def groups(self) -> Sequence[LampGroup]:
        """Return none: LIFX lamps have no groups."""
        return ()

    def alike(self, commands: Sequence[LampCommand]) -> bool:
        """Say no: there are no groups."""
        del commands
        return False

    def complaint(self) -> str | None:
        """Return None: a lamp that is missing is told by its report."""
        return None

    def next_chore(self) -> Chore | None:
        """Return None: LIFX lamps return as they were after a power cut, by themselves."""
        return None

    # ------------------------------------------------------------ inside

    async def _send(self, lamp: _Lamp, transition: Transition) -> None:
        if transition.power_off:
            await lamp.light.set_power(False)
            lamp.on = False
            return
        seconds = min(transition.duration_ms / self._clock.speed / 1000.0, MAX_TRANSITION_S)
        target = hsbk(transition.look.lstar, transition.look.colour, lamp.kelvin, colour_lamp=lamp.colour)
        if not lamp.on:
            # It comes on at its dimmest, in the colour it is bound for, and rises from there.
            await lamp.light.set_color(_at_level(target, FLOOR))
            await lamp.light.set_power(True)
            lamp.on, lamp.percent = True, FLOOR * 100.0
        lamp.way = (lamp.percent, target.brightness * 100.0)
        lamp.way_until_ms = self._real_ms() + seconds * 1000.0 + SETTLE_MS
        await lamp.light.set_color(target, duration=seconds)
        lamp.percent = target.brightness * 100.0

    def _real_ms(self) -> float:
        return self._clock.now_ms() / self._clock.speed

    async def _guard(self, operation: str, call: Awaitable[T]) -> T:
        try:
            return await call
        except (LifxError, OSError) as fault:
            message = str(fault) or type(fault).__name__
            raise DeviceError(self._bridge_id, operation, message, scope=Scope.LAMP) from fault

    async def _read(self, fixture: FixtureId, lamp: _Lamp) -> LampReport:
        try:
            if not lamp.described:
                await self._guard(fixture, self._describe(lamp))
            colour, power, lamp.label = await self._guard(fixture, lamp.light.get_color())
        except DeviceError:
            lamp.seen = False
            return LampReport(fixture, None, None, None, None, reachable=False)
        lamp.seen, lamp.on = True, power > 0
        white = colour.saturation < 0.01
        lamp.percent = percent = colour.brightness * 100.0
        low, high = sorted(lamp.way)
        if self._real_ms() < lamp.way_until_ms and low - 2.0 <= percent <= high + 2.0:
            # A LIFX lamp tells its live level. It is on its way: what it is bound for is what counts.
            percent, white = lamp.way[1], False
        return LampReport(
            fixture,
            on=lamp.on,
            percent=percent,
            mired=1e6 / colour.kelvin if white and colour.kelvin else None,
            xy=None,
            reachable=True,
        )

    async def _describe(self, lamp: _Lamp) -> None:
        await lamp.light.ensure_capabilities()
        product = lamp.light.capabilities
        if product is not None:
            low, high = lamp.light.min_kelvin, lamp.light.max_kelvin
            if low is not None and high is not None and 0 < low < high:
                lamp.kelvin = (low, high)
            lamp.colour = bool(product.has_color)
        lamp.described = True


def hsbk(lstar: float, colour: Colour, kelvin: tuple[int, int], *, colour_lamp: bool = True) -> HSBK:
    """Return LIFX's colour for a look: whites by kelvin, what is warmer than those and colours by hue."""
    level = clamp(luminance_from_lstar(lstar), FLOOR, 1.0)
    if isinstance(colour, Mired):
        wanted = 1e6 / colour.value
        if wanted >= kelvin[0] - 1 or not colour_lamp:
            return HSBK(0.0, 0.0, level, round(clamp(wanted, *kelvin)))
    xy = as_xy(colour) if not isinstance(colour, Mired) else xy_from_mired(colour.value)
    big_x, big_z = xy.x / xy.y, (1.0 - xy.x - xy.y) / xy.y
    rgb = [
        max(3.2406 * big_x - 1.5372 - 0.4986 * big_z, 0.0),
        max(-0.9689 * big_x + 1.8758 + 0.0415 * big_z, 0.0),
        max(0.0557 * big_x - 0.2040 + 1.0570 * big_z, 0.0),
    ]
    top = max(rgb)
    hued = HSBK.from_rgb(*(value / top for value in rgb))
    return HSBK(hued.hue, hued.saturation if colour_lamp else 0.0, level, 3500)


def _at_level(colour: HSBK, level: float) -> HSBK:
    return HSBK(colour.hue, colour.saturation, level, colour.kelvin)


def open_lights(
    bridge_id: str,
    address: str,
    options: Mapping[str, str | int | float | bool],
    fixtures: Sequence[FixtureConfig],
    store_dir: Path,
    clock: Clock,
) -> LifxLights:
    """Return LIFX lamps; each fixture's address is ``SERIAL@IP`` or ``SERIAL@IP:PORT``.

    Raises:
        UserError: an option or a fixture's address is wrong. A lamp that is away raises nothing.
    """
    del address, store_dir  # there is no bridge, and nothing to keep
    where = f"bridge {bridge_id}"
    read = read_options(where, LifxOptions(), options)
    lights: dict[FixtureConfig, Light] = {}
    for config in fixtures:
        serial, _, place = config.address.partition("@")
        host, _, port = place.partition(":")
        try:
            ip = str(IPv4Address(host))
            lights[config] = Light(serial, ip, int(port or PORT), timeout=TIMEOUT_S)
        except ValueError as fault:
            raise UserError(
                f"{where}: fixture {config.fixture}: {config.address!r}: expected SERIAL@IP, such as "
                f"d073d5123456@192.168.1.20 ({fault})"
            ) from fault
    return LifxLights(bridge_id, read, lights, clock)
