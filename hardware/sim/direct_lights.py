"""Lamps without a bridge: the simulated lamps driven in this process, for rehearsals and virtual time.

It fulfils the same port as a real driver and speaks to its lamps in the Hue API's own steps, so that what a
rehearsal shows is what a Hue room would do. It must never read a clock but the one it is given.
"""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence

from controller.core.envelope import Authority
from controller.core.light import Look, Mired, as_xy
from controller.core.score import FixtureId
from controller.ports import Clock, FixtureConfig, FixtureInfo, LampCommand, LampReport, LightSource
from hardware.hue.translate import FLOOR_PERCENT, FULL_BRI, hue_state
from hardware.lamp_colour import Capability
from hardware.sim.bridge_changes import parse_state
from hardware.sim.lamp import EXTENDED_COLOUR, Change, LampModel, SimulatedLamp

Trace = Callable[[int, LampCommand], None]
"""Told of every command as it is applied: room time in ms, and the command."""


class DirectLights:
    """``controller.ports.Lights`` over simulated lamps, synchronous: ``wake`` pulls and applies at once.

    Durations run in room time, whatever the clock's speed. ``poll_ms`` None: nothing is polled.
    """

    def __init__(
        self,
        clock: Clock,
        fixtures: Sequence[FixtureConfig],
        *,
        models: Mapping[FixtureId, LampModel] | None = None,
        trace: Trace | None = None,
        driver: str = "direct",
        poll_ms: int | None = None,
    ) -> None:
        self._clock = clock
        self._driver = driver
        self._trace = trace
        self._poll_ms = poll_ms
        self._names = {config.fixture: config.name or config.fixture for config in fixtures}
        known = models or {}
        self._lamps = {c.fixture: SimulatedLamp(known.get(c.fixture, EXTENDED_COLOUR)) for c in fixtures}
        self._reachable = dict.fromkeys(self._lamps, True)
        self._waiting: dict[FixtureId, Authority] = {}
        self._source: LightSource | None = None

    # ------------------------------------------------------------ the port

    def fixtures(self) -> tuple[FixtureInfo, ...]:
        """The lamps."""
        return tuple(
            FixtureInfo(
                fixture,
                self._names[fixture],
                self._driver,
                floor_percent=FLOOR_PERCENT,
                mired_range=_capability(lamp.model).mired_range,
                has_colour=lamp.model.gamut is not None,
                reachable=self._reachable[fixture] and lamp.powered,
            )
            for fixture, lamp in self._lamps.items()
        )

    def attach(self, source: LightSource) -> None:
        """Begin to serve; what was woken before is asked for now."""
        self._source = source
        waiting, self._waiting = self._waiting, {}
        for fixture, authority in waiting.items():
            self.wake((fixture,), authority)

    def wake(self, fixtures: Collection[FixtureId], authority: Authority) -> None:
        """Ask for these lamps' commands and apply them, before this returns."""
        source = self._source
        for fixture in fixtures:
            if fixture not in self._lamps:
                continue
            if source is None:
                self._waiting[fixture] = authority
                continue
            command = source.next_command(fixture)
            if command is not None:
                self._take(source, command)

    async def run(self, source: LightSource) -> None:
        """Serve until cancelled."""
        self.attach(source)
        while self._poll_ms is not None:
            source.observed(self.reports())
            await self._clock.sleep_until(self._clock.now_ms() + self._poll_ms)
        await asyncio.Event().wait()

    async def close(self) -> None:
        """Let go of the desk; the lamps stay as they are."""
        self._source = None

    # ------------------------------------------------------------ the room

    def live(self, fixture: FixtureId, at_ms: int | None = None) -> Look:
        """Return what an eye sees of a lamp now, or saw at a past room time (ms)."""
        return self._lamps[fixture].look_at(float(self._clock.now_ms() if at_ms is None else at_ms))

    def lamp(self, fixture: FixtureId) -> SimulatedLamp:
        """Return the lamp itself; its times are room times in ms."""
        return self._lamps[fixture]

    def set_by_hand(self, fixture: FixtureId, look: Look, *, on: bool = True, fade_ms: int = 400) -> None:
        """Change a lamp as a wall switch or another app would."""
        bri = max(1, round(look.percent / 100.0 * FULL_BRI))
        change = Change(on=on, bri=bri if on else None, colour=look.colour, transition_ms=float(fade_ms))
        self._lamps[fixture].apply(change, float(self._clock.now_ms()))

    def cut_power(self, fixtures: Collection[FixtureId]) -> None:
        """Take the mains from lamps."""
        for fixture in fixtures:
            self._lamps[fixture].cut_power(float(self._clock.now_ms()))

    def restore_power(self, fixtures: Collection[FixtureId]) -> None:
        """Give the mains back: each lamp comes up as its start-up behaviour says."""
        for fixture in fixtures:
            self._lamps[fixture].restore_power(float(self._clock.now_ms()))

    def set_reachable(self, fixtures: Collection[FixtureId], *, reachable: bool) -> None:
        """Take lamps out of radio reach, or bring them back."""
        for fixture in fixtures:
            self._reachable[fixture] = reachable

    def reports(self) -> tuple[LampReport, ...]:
        """Return what a poll would find: what each lamp was told last, as a bridge says it."""
        return tuple(self._report(fixture, lamp) for fixture, lamp in self._lamps.items())

    # ------------------------------------------------------------ inside

    def _take(self, source: LightSource, command: LampCommand) -> None:
        fixture, now = command.fixture, self._clock.now_ms()
        lamp = self._lamps[fixture]
        if not (lamp.powered and self._reachable[fixture]):
            source.failed(command, f"{self._driver}: {fixture}: the lamp does not answer")
            return
        # Speed 1: these lamps live in room time.
        state = hue_state(command.transition, _capability(lamp.model), speed=1)
        change, _ = parse_state(lamp, dict(state))
        lamp.apply(change.whole(), float(now))
        if self._trace is not None:
            self._trace(now, command)
        source.delivered(command)

    def _report(self, fixture: FixtureId, lamp: SimulatedLamp) -> LampReport:
        white = isinstance(lamp.colour, Mired)
        xy = as_xy(lamp.colour)
        return LampReport(
            fixture,
            on=lamp.on,
            percent=lamp.bri / FULL_BRI * 100.0,
            mired=lamp.colour.value if isinstance(lamp.colour, Mired) else None,
            xy=None if white else (xy.x, xy.y),
            reachable=self._reachable[fixture] and lamp.powered,
        )


def _capability(model: LampModel) -> Capability:
    span = model.mired_range
    return Capability(None if span is None else (float(span[0]), float(span[1])), model.gamut)
