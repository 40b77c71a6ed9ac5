"""A fake site's hardware, checks and pairing for the pages' tests."""

from dataclasses import dataclass, field, replace

from check_fake_room import BRIDGE, FakeHardware, lamp, output

from controller.bridge_pairing import ButtonNotPressedError, Paired
from controller.clock import RealClock
from controller.core.room_check import CheckList
from controller.errors import DriverError, RefusedError
from controller.room_check import RoomCheck
from controller.room_hardware import FoundBridgeFacts
from controller.web.fitting import Fitting

HUE_ID = "001788FFFE0A1B2C"


@dataclass
class FakePairing:
    """Waits for ``presses`` tries, then pairs; other addresses are other bridges, or nobody."""

    hardware: FakeHardware
    presses: int = 2
    tries: list[tuple[str | None, bool]] = field(default_factory=list)

    async def find(self) -> tuple[FoundBridgeFacts, ...]:
        return (FoundBridgeFacts(HUE_ID, "https://192.168.1.20:443", "BSB002"),)

    async def pair(self, room: str, bridge: str, address: str | None, *, replace: bool) -> Paired:
        self.tries.append((address, replace))
        if address == "192.168.1.99":
            raise DriverError(address, "pair", "cannot be reached: no route to host", may_retry=True)
        if address == "192.168.1.21" and not replace:
            raise RefusedError("other_bridge", "the bridge at 192.168.1.21 is 00178 …; hue has been another")
        if len(self.tries) <= self.presses:
            raise ButtonNotPressedError
        self.hardware.bridge_list = [BRIDGE]
        return Paired(bridge, address or "", HUE_ID, "ab" * 32, in_use=True)


@dataclass
class FakeSite:
    """What ``served(fit=…)`` is given; the parts are there once it is served."""

    hardware: FakeHardware | None = None
    pairing: FakePairing | None = None
    kept: list[CheckList] = field(default_factory=list)

    def fit(self, clock: RealClock) -> Fitting:
        self.hardware = FakeHardware(clock, takes_ms=600)
        self.hardware.lamp_list[1] = lamp(
            "ceiling-right",
            power_on_ok=False,
            power_on="cannot be told how to start: after a power cut it comes up at full brightness",
            swatch="#7d4d1f",
            shows="whites",
            brightness_percent=4.2,
        )
        self.hardware.lamp_list[3] = lamp("path-door", reachable=False, swatch="#2c1a0c")
        self.hardware.output_list[1] = output(
            "headphones", device="Headphone amplifier", k_db=None, measured_on=None, level_dba=None
        )
        unpaired = replace(BRIDGE, paired=False, away=True, fingerprint=None, hue_id="", address="")
        self.hardware.bridge_list = [replace(unpaired, problem="hue: not paired yet")]
        self.pairing = FakePairing(self.hardware)
        check = RoomCheck("garden", self.hardware, clock, self.kept.append)
        return Fitting({"garden": self.hardware}, {"garden": check}, self.pairing)
