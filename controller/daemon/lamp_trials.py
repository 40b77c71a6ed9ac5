"""A room's lamps for set-up and the room check: what is known of them, trying them through the desk.

Everything that moves a lamp is a curve lent to the desk, so the envelope holds; nothing is tried in a
session, and one that begins ends a trial at once.
"""

from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from controller.core.curves import Curve
from controller.core.lamp_trial import FLOOR_MS, SINK_MS, blinking, returning, sinking
from controller.core.room_check import Sentence, sentence
from controller.core.score import FixtureId
from controller.daemon.lights import SIMULATED, RoomLights
from controller.errors import DriverError, RefusedError, UserError
from controller.lamp_checkpoint import traits_of
from controller.ports import Clock, FixtureInfo, Lights
from controller.room_hardware import BridgeFacts, LampFacts
from controller.room_parts import WakingSource
from hardware.lights_hue import HueLights, store_in
from profiles.site import BridgeModel, RoomModel

STEP_MS: Final = 200
SETTLE_MS: Final = 600
REREAD_MS: Final = 3_000
"""How long a power-on setting that was just set anew may take to be there."""
NEAR: Final = 1.6
"""Told to its floor, a lamp may say this many times as much: bridges round."""
SILENT_DRIVERS: Final = frozenset({"sacn"})
"""They send and are never told anything."""
OTHER_KIND: Final = "its kind does not say what it does after a power cut: look at the lamp's own settings"


@dataclass(slots=True)
class LampTrials:
    """One room's lamps."""

    model: RoomModel
    lights: RoomLights
    source: WakingSource
    clock: Clock
    data: Path
    in_session: Callable[[], bool]

    # ------------------------------------------------------------ what is known

    def lamps(self) -> tuple[LampFacts, ...]:
        """The lamps, as last read."""
        views = {view.fixture: view for view in self.source.desk.lamp_views(self.clock.now_ms())}
        power_on = self._power_on()
        facts = []
        for fixture in self.model.fixtures:
            info, view = self.source.desk.info(fixture.id), views.get(fixture.id)
            if info is None or view is None:
                continue
            ok, said = power_on.get(fixture.id, (None, OTHER_KIND))
            facts.append(
                LampFacts(
                    fixture=fixture.id,
                    name=view.name,
                    zone=view.zone,
                    bridge=fixture.bridge,
                    reachable=view.reachable,
                    known=fixture.id in self.source.desk.reports,
                    readable=self._driver_name(fixture.bridge) not in SILENT_DRIVERS,
                    brightness_percent=view.brightness_percent,
                    floor_percent=traits_of(info).floor_luminance * 100.0,
                    swatch=view.swatch,
                    shows=_shows(info),
                    power_on_ok=ok,
                    power_on=said,
                )
            )
        return tuple(facts)

    def bridges(self) -> tuple[BridgeFacts, ...]:
        """The bridges, in the site file's order."""
        pairs = zip(self.model.bridges, self.lights.drivers, strict=True)
        return tuple(self._bridge(model, driver) for model, driver in pairs)

    def _bridge(self, model: BridgeModel, driver: Lights) -> BridgeFacts:
        lamps = sum(fixture.bridge == model.id for fixture in self.model.fixtures)
        paired: bool | None = None
        address, hue_id, pin, problem = model.address or "", "", None, None
        away, waiting, in_flight = None, 0, 0
        if isinstance(driver, HueLights):
            state = driver.lane_state()
            away, waiting, in_flight, problem = state.away, state.waiting, state.in_flight, state.problem
            given = str(model.options.get("username", ""))
            try:
                kept = store_in(self.data).load(model.id)
            except UserError as error:
                kept, problem = None, str(error)
            paired = kept is not None or bool(given)
            if kept is not None:
                address, hue_id, pin = address or kept.address, kept.hue_id, kept.pin
            pin = str(model.options.get("pin", "")) or pin
        return BridgeFacts(
            bridge=model.id,
            driver=model.driver,
            address=address,
            paired=paired,
            pairable=model.driver == "hue" and not model.options.get("username"),
            hue_id=hue_id,
            fingerprint=pin,
            away=away,
            waiting=waiting,
            in_flight=in_flight,
            lamps=lamps,
            problem=problem,
        )

    def _driver_name(self, bridge: str) -> str:
        name = next((model.driver for model in self.model.bridges if model.id == bridge), "")
        return "hue" if name == SIMULATED else name

    def _power_on(self) -> dict[FixtureId, tuple[bool | None, str]]:
        found: dict[FixtureId, tuple[bool | None, str]] = {}
        for driver in self.lights.drivers:
            if isinstance(driver, HueLights):
                for check in driver.lamp_checks():
                    absent = check.fixture in driver.absent
                    found[check.fixture] = (None if absent else check.ok, check.message)
        return found

    # ------------------------------------------------------------ trials

    async def read_anew(self) -> None:
        """Read every bridge's lamps and power-on settings; where one was set wrongly, once more soon."""
        begun_ms = self.clock.now_ms()
        await self._verify()
        if any(lamp.power_on_ok is False for lamp in self.lamps()):
            await self.clock.sleep_until(self.clock.now_ms() + REREAD_MS * self.clock.speed)
            await self._verify()
        # What the drivers have read has to come to the desk, too.
        end_ms = self.clock.now_ms() + REREAD_MS * self.clock.speed
        while self.clock.now_ms() < end_ms and not self._heard_since(begun_ms):
            await self.clock.sleep_until(self.clock.now_ms() + STEP_MS * self.clock.speed)

    def _heard_since(self, at_ms: int) -> bool:
        reports = self.source.desk.reports
        return all(reports.get(fixture, (0, None))[0] >= at_ms for fixture in self.lights.zone_of)

    async def _verify(self) -> None:
        for driver in self.lights.drivers:
            if isinstance(driver, HueLights):
                with suppress(DriverError):  # its lamps' lines say that it does not answer
                    await driver.verify()
                driver.recheck()

    async def blink(self, fixture: FixtureId) -> None:
        """Let a lamp swell and sink twice.

        Raises:
            RefusedError: a session runs, there is no such lamp, it does not answer, or it is shown already.
        """
        self._refuse_in_session()
        lamp = next((lamp for lamp in self.lamps() if lamp.fixture == fixture), None)
        look = self.source.desk.modelled(fixture)
        if lamp is None or look is None:
            raise RefusedError("unknown_lamp", f"there is no lamp {fixture[:60]!r} in this room")
        if not (lamp.reachable and lamp.known):
            raise RefusedError("lamp_away", f"{lamp.name} does not answer")
        if self.source.desk.is_borrowed(fixture):
            raise RefusedError("lamp_busy", f"{lamp.name} is being shown already")
        curve = blinking(look, self.clock.now_ms(), self.clock.speed)
        try:
            self._lend(fixture, curve)
            await self._wait_until(curve.end_ms + SETTLE_MS * self.clock.speed)
        finally:
            self._give_back([fixture])

    async def dim_to_floor(self, fixtures: Collection[FixtureId]) -> Mapping[FixtureId, Sentence | None]:
        """Take lamps to their faintest glow and back, together.

        Raises:
            RefusedError: a session runs, or one began.
        """
        self._refuse_in_session()
        desk, speed = self.source.desk, self.clock.speed
        ways = {f: (look, info) for f in fixtures if (look := desk.modelled(f)) and (info := desk.info(f))}
        try:
            now = self.clock.now_ms()
            for fixture, (look, info) in ways.items():
                self._lend(fixture, sinking(look, traits_of(info).floor_lstar, now, speed))
            down_ms = now + (SINK_MS + SETTLE_MS) * speed
            await self._wait_until(down_ms)
            for driver in self.lights.drivers:
                if isinstance(driver, HueLights):
                    driver.recheck()
            await self._wait_until(now + (SINK_MS + FLOOR_MS) * speed)
            found = {fixture: self._judge(fixture, info, down_ms) for fixture, (_, info) in ways.items()}
            now = self.clock.now_ms()
            for fixture, (look, info) in ways.items():
                if desk.is_borrowed(fixture):
                    self._lend(fixture, returning(look, traits_of(info).floor_lstar, now, speed))
            await self._wait_until(now + (SINK_MS + SETTLE_MS) * speed)
        finally:
            self._give_back(ways)
        return found

    def _judge(self, fixture: FixtureId, info: FixtureInfo, down_ms: int) -> Sentence | None:
        at_ms, report = self.source.desk.reports.get(fixture, (0, None))
        floor = traits_of(info).floor_luminance * 100.0
        if not self.source.desk.is_borrowed(fixture):
            return sentence("somebody changed its light meanwhile")
        if report is None or at_ms < down_ms:
            return sentence("was told so, and has not said whether it did")
        if not report.reachable:
            return sentence("does not answer any more")
        if report.on is False:
            return sentence("went out where it should have glowed")
        if report.percent is not None and report.percent > floor * NEAR + 0.2:
            return sentence("was told so and still says {percent} %", percent=f"{report.percent:.3g}")
        return None

    def _lend(self, fixture: FixtureId, curve: Curve) -> None:
        self.source.desk.borrow(fixture, curve)
        self.source.wake()

    def _give_back(self, fixtures: Collection[FixtureId]) -> None:
        for fixture in fixtures:
            self.source.desk.give_back(fixture)
        self.source.wake()

    async def _wait_until(self, at_ms: int) -> None:
        while self.clock.now_ms() < at_ms:
            self._refuse_in_session()
            await self.clock.sleep_until(min(self.clock.now_ms() + STEP_MS * self.clock.speed, at_ms))

    def _refuse_in_session(self) -> None:
        if self.in_session():
            raise RefusedError("session", "a session runs: its light is not moved by set-up")


def _shows(info: FixtureInfo) -> Literal["colours", "whites", "one_white"]:
    if info.has_colour:
        return "colours"
    return "one_white" if info.mired_range is None else "whites"
