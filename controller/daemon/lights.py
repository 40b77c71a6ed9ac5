"""Opens a room's lamps: each bridge by its driver's entry point, simulated ones with their program."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from pathlib import Path
from typing import TypeAlias

from controller.core.score import FixtureId, ZoneId
from controller.daemon.simulated import USER, SimulatedBridgeProcess, start_simulated_bridge
from controller.errors import UserError
from controller.ports import Clock, FixtureConfig, FixtureInfo, Lights
from profiles.site import BridgeModel, RoomModel

GROUP = "stillroom.lights"
SIMULATED = "simulated-hue"

OpenLights: TypeAlias = Callable[
    [str, str, Mapping[str, str | int | float | bool], Sequence[FixtureConfig], Path, Clock], Lights
]


@dataclass(slots=True)
class RoomLights:
    """A room's lamps and who drives them."""

    fixtures: list[FixtureInfo] = field(default_factory=list)
    zone_of: dict[FixtureId, ZoneId] = field(default_factory=dict)
    driver_of: dict[FixtureId, Lights] = field(default_factory=dict)
    drivers: list[Lights] = field(default_factory=list)
    simulated: list[SimulatedBridgeProcess] = field(default_factory=list)


def known_drivers() -> tuple[str, ...]:
    """The drivers that a site file may name."""
    return (SIMULATED, *sorted(point.name for point in entry_points(group=GROUP)))


def _opener(name: str) -> OpenLights:
    for point in entry_points(group=GROUP):
        if point.name == name:
            opener: OpenLights = point.load()
            return opener
    raise UserError(f"no lamp driver {name!r} is installed (known: {', '.join(known_drivers())})")


async def open_room_lights(room: RoomModel, data: Path, clock: Clock) -> RoomLights:
    """Open every bridge of a room. A bridge that is away is no error: its driver keeps trying.

    Raises:
        UserError: a driver is unknown, or an option of it is wrong.
    """
    lights = RoomLights()
    for bridge in room.bridges:
        mine = [fixture for fixture in room.fixtures if fixture.bridge == bridge.id]
        configs = [FixtureConfig(f.id, f.address, f.name or f.id) for f in mine]
        driver = await _open(bridge, configs, data, clock, lights)
        lights.drivers.append(driver)
        lights.fixtures += driver.fixtures()
        lights.driver_of |= dict.fromkeys((f.id for f in mine), driver)
        lights.zone_of |= {f.id: f.zone for f in mine}
    return lights


async def _open(
    bridge: BridgeModel, configs: list[FixtureConfig], data: Path, clock: Clock, lights: RoomLights
) -> Lights:
    if bridge.driver != SIMULATED:
        opener = _opener(bridge.driver)
        return opener(bridge.id, bridge.address or "", bridge.options, configs, data, clock)
    from hardware.hue.store import Credential, store_in  # noqa: PLC0415 - no other lamps need it

    process = await start_simulated_bridge(bridge.id, tuple(config.name for config in configs), data)
    lights.simulated.append(process)
    store_in(data).save(bridge.id, Credential(USER, process.address))
    return _opener("hue")(bridge.id, process.address, bridge.options, configs, data, clock)
