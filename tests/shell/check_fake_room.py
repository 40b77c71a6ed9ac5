"""Hardware for the room check's and the set-up page's tests: everything well until told otherwise."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from controller.core.room_check import Sentence, sentence
from controller.errors import DriverError, RefusedError
from controller.ports import Clock
from controller.room_hardware import (
    BridgeFacts,
    BrokerFacts,
    CertificateFacts,
    LampFacts,
    MachineFacts,
    OutputFacts,
    OutputName,
    PoolFacts,
    PromptDeviceFacts,
    TabletFacts,
)

GOOD = "returns to its last state after a power cut"
NAMES = {
    "ceiling-left": ("Ceiling left", "ceiling"),
    "ceiling-right": ("Ceiling right", "ceiling"),
    "bedside-left": ("Bedside left", "bedside"),
    "path-door": ("Path door", "path"),
}


def lamp(fixture: str, **more: Any) -> LampFacts:
    name, zone = NAMES[fixture]
    well = LampFacts(
        fixture=fixture,
        name=name,
        zone=zone,
        bridge="hue",
        reachable=True,
        known=True,
        readable=True,
        brightness_percent=20.0,
        floor_percent=0.39,
        swatch="#a66a2c",
        shows="colours",
        power_on_ok=True,
        power_on=GOOD,
    )
    return replace(well, **more)


def output(name: OutputName = "speakers", **more: Any) -> OutputFacts:
    well = OutputFacts(name, None, "Room speakers", True, "no", 93.4, "2026-03-01", 41.5, None)
    return replace(well, **more)


MACHINE = MachineFacts(
    local_time="2026-03-01 09:30",
    clock_synchronised=True,
    clock_problem=None,
    disk_free_bytes=41_200_000_000,
    disk_total_bytes=64_000_000_000,
    certificate=CertificateFacts("2026-01-10", "2028-04-09", 770),
)
BROKER = BrokerFacts(
    "127.0.0.1:1883", True, False, True, None, ("stillroom-garden",), (PromptDeviceFacts("screen", True),)
)
BRIDGE = BridgeFacts(
    bridge="hue",
    driver="hue",
    address="https://192.168.1.20:443",
    paired=True,
    pairable=True,
    hue_id="001788FFFE0A1B2C",
    fingerprint="ab" * 32,
    away=False,
    waiting=0,
    in_flight=0,
    lamps=4,
    problem=None,
)


TABLETS = TabletFacts(2, 1, 0)


@dataclass
class FakeHardware:
    """Fulfils ``RoomHardware``. What it was asked to do is in ``did``."""

    clock: Clock
    session: bool = False
    lamp_list: list[LampFacts] = field(default_factory=lambda: [lamp(name) for name in NAMES])
    output_list: list[OutputFacts] = field(default_factory=lambda: [output(), output("headphones")])
    bridge_list: list[BridgeFacts] = field(default_factory=lambda: [BRIDGE])
    broker_facts: BrokerFacts = BROKER
    tablet_facts: TabletFacts = TABLETS
    machine_facts: MachineFacts = MACHINE
    pool_list: dict[str, PoolFacts] = field(
        default_factory=lambda: {"nature": PoolFacts("nature", "Nature", 12, 12, ())}
    )
    lacks: dict[str, tuple[str, ...]] = field(default_factory=lambda: {"quiet-room": ()})
    floors: dict[str, Sentence] = field(default_factory=dict)
    tones: dict[str, Sentence] = field(default_factory=dict)
    breaks: str | None = None
    takes_ms: int = 2_000
    did: list[str] = field(default_factory=list)

    async def _take(self, what: str) -> None:
        self.did.append(what)
        await self.clock.sleep_until(self.clock.now_ms() + self.takes_ms)
        if self.breaks is not None and what.startswith(self.breaks):
            raise DriverError("hue", what, "the bridge hung up", may_retry=True)

    def in_session(self) -> bool:
        return self.session

    def lamps(self) -> tuple[LampFacts, ...]:
        return tuple(self.lamp_list)

    def bridges(self) -> tuple[BridgeFacts, ...]:
        return tuple(self.bridge_list)

    def outputs(self) -> tuple[OutputFacts, ...]:
        return tuple(self.output_list)

    def broker(self) -> BrokerFacts:
        return self.broker_facts

    def tablets(self) -> TabletFacts:
        return self.tablet_facts

    def pools(self) -> Mapping[str, str]:
        return {pool.pool: pool.title for pool in self.pool_list.values()}

    async def machine(self) -> MachineFacts:
        return self.machine_facts

    async def devices(self) -> tuple[str, ...]:
        return ("Room speakers", "Headphone amplifier")

    async def read_lamps_anew(self) -> None:
        await self._take("read")

    async def blink(self, fixture: str) -> None:
        if self.session:
            raise RefusedError("session", "a session runs: its light is not moved")
        await self._take(f"blink {fixture}")

    async def dim_to_floor(self, fixtures: Collection[str]) -> Mapping[str, Sentence | None]:
        await self._take(f"dim {' '.join(fixtures)}")
        return {fixture: self.floors.get(fixture) for fixture in fixtures}

    async def tone(self, output: OutputName) -> Sentence | None:
        if self.session:
            raise RefusedError("session", "a session runs: no tone is played")
        await self._take(f"tone {output}")
        return self.tones.get(output)

    async def decode(self, pool: str, until_ms: int) -> PoolFacts:
        del until_ms
        await self._take(f"decode {pool}")
        return self.pool_list[pool]

    def coverage(self, profile: str) -> tuple[str, ...]:
        if profile not in self.lacks:
            raise RefusedError("unknown_profile", f"no profile {profile!r}")
        return self.lacks[profile]


NOT_DOWN = sentence("was told so and still says {percent} %", percent="20")
