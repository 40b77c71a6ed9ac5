"""The light desk: leads a room's lamps along their zones' curves; every driver's commands come from here.

A command is made at the instant of sending, from where the lamp then is, inside the envelope; so none can be
stale and none too fast, whoever asked for it. The desk is synchronous, driven by the room's loop: ``follow``
when a session step changed the curves, ``tick`` when ``next_due_ms`` has come. It must never take a readback
for a lamp's live level while a fade of ours may run, and never fight a hand on a switch.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from controller.core.curves import Curve
from controller.core.envelope import Authority, Limits
from controller.core.lamp_belief import with_traits
from controller.core.lamp_model import look_at
from controller.core.lamp_watch import Attribute
from controller.core.light import Look, rgb_hex
from controller.core.score import FixtureId, ZoneId
from controller.core.snapshot import LampView
from controller.desk_lamp import DeskLamp
from controller.lamp_checkpoint import load_lamps, save_lamps, traits_of
from controller.lamp_news import ByHand, News
from controller.ports import Clock, FixtureInfo, LampCommand, LampReport, Lights

OnManual = Callable[[FixtureId, Attribute], None]
OnHealth = Callable[[str, str | None], None]


class LightDesk:
    """Fulfils ``controller.ports.LightSource``. Call everything on the event loop; nothing here blocks.

    ``limits`` are the site's, per real second; the desk brings them to room time by the clock's speed.
    ``drivers`` maps each fixture to the driver that serves it. ``on_manual`` hears of a hand on a lamp,
    ``on_health`` of a part (``lights.<driver>``, ``lamp.<fixture>``) that is unwell, or (None) well again.
    """

    def __init__(
        self,
        fixtures: Sequence[FixtureInfo],
        zone_of: Mapping[FixtureId, ZoneId],
        drivers: Mapping[FixtureId, Lights],
        limits: Limits,
        clock: Clock,
        on_manual: OnManual | None = None,
        on_health: OnHealth | None = None,
    ) -> None:
        self.on_manual = on_manual
        self.on_health = on_health
        self.reports: dict[FixtureId, tuple[int, LampReport]] = {}
        """What polls found last of each lamp, and when (room ms)."""
        self.revision = 0
        """Grows whenever a checkpoint would come out different for another reason than time."""
        self._clock = clock
        self._drivers = dict(drivers)
        self._curves: dict[ZoneId, Curve] = {}
        self._borrowed: dict[FixtureId, frozenset[Attribute]] = {}
        now_ms = clock.now_ms()
        room_limits = limits.at_speed(clock.speed)
        self._lamps = {
            info.fixture: DeskLamp(info, zone_of[info.fixture], room_limits, clock.speed, now_ms)
            for info in fixtures
            if info.fixture in zone_of
        }

    # ------------------------------------------------------------ for the room's loop

    def follow(self, curves: Mapping[ZoneId, Curve], authority: Mapping[ZoneId, Authority]) -> None:
        """Take new curves; lamps whose plan changes are woken. A zone without a curve is left alone.

        A therapist's or help's authority holds until the lamp has reached its curve and the curve is gentle
        enough for the score's limits; SCORE, or a zone not named, takes none away. It also frees lamps of
        its zone that were changed by hand: the newest word wins.
        """
        now_ms = self._clock.now_ms()
        self._curves = dict(curves)
        for fixture, lamp in self._lamps.items():
            word = authority.get(lamp.zone, Authority.SCORE)
            if fixture in self._borrowed and word is Authority.SCORE:
                continue
            self._borrowed.pop(fixture, None)
            if lamp.follow(curves.get(lamp.zone), word, now_ms):
                self.revision += 1
        self.tick()

    def tick(self) -> None:
        """Wake the lamps that need a command now; work out when each next does."""
        now_ms = self._clock.now_ms()
        wakes: dict[tuple[int, Authority], tuple[Lights, list[FixtureId]]] = {}
        for fixture, lamp in self._lamps.items():
            at_ms = lamp.due_at(woken=False)
            if at_ms is None or now_ms < at_ms:
                continue
            # For a person's word no time is spent on a plan that is made anew when the driver asks.
            if lamp.lane is Authority.SCORE and ((plan := lamp.plan(now_ms)) is None or plan.look is None):
                continue
            lamp.woken_ms = now_ms
            driver = self._drivers[fixture]
            wakes.setdefault((id(driver), lamp.lane), (driver, []))[1].append(fixture)
        for (_, lane), (driver, fixtures) in wakes.items():
            driver.wake(fixtures, lane)

    def next_due_ms(self) -> int | None:
        """Room time at which ``tick`` should be called next; None while nothing is to come."""
        dues = [lamp.due_at(woken=False) for lamp in self._lamps.values()]
        return min((at_ms for at_ms in dues if at_ms is not None), default=None)

    def release_manual(self, zone: ZoneId | None = None, authority: Authority = Authority.SCORE) -> None:
        """Let lamps changed by hand (in one zone, or all) follow again, at the speed of ``authority``."""
        now_ms = self._clock.now_ms()
        for lamp in self._lamps.values():
            if lamp.hand and zone in (None, lamp.zone):
                lamp.release(authority, now_ms)
                self.revision += 1
        self.tick()

    def borrow(self, fixture: FixtureId, curve: Curve) -> None:
        """Lead one lamp along a curve of its own, as a person asked, until it is given back.

        A person's word on its zone is newer, and ends it.
        """
        lamp = self._lamps[fixture]
        self._borrowed.setdefault(fixture, lamp.hand)
        lamp.follow(curve, Authority.THERAPIST, self._clock.now_ms())
        self.tick()

    def is_borrowed(self, fixture: FixtureId) -> bool:
        """Whether a lamp still follows a curve of its own."""
        return fixture in self._borrowed

    def give_back(self, fixture: FixtureId) -> None:
        """Let a borrowed lamp follow its zone again, from where it is; a hand that was on it still is."""
        hand = self._borrowed.pop(fixture, None)
        if hand is not None:
            lamp = self._lamps[fixture]
            lamp.follow(self._curves.get(lamp.zone), Authority.SCORE, self._clock.now_ms())
            lamp.hand = hand
            self.tick()

    def learn(self, fixtures: Iterable[FixtureInfo]) -> None:
        """Take up what lamps can do (floor, whites, colours, steps), where it is not what was known.

        A driver knows only after its first poll, and knows anew when a lamp was replaced. Lamps go on from
        where they are. Whether one answers is said by ``observed`` alone.
        """
        now_ms = self._clock.now_ms()
        for info in fixtures:
            lamp = self._lamps.get(info.fixture)
            if lamp is not None and lamp.info != (news := replace(info, reachable=lamp.info.reachable)):
                lamp.info, lamp.belief = news, with_traits(lamp.belief, traits_of(news))
                if lamp.curve is not None:
                    lamp.wake_at(now_ms)
                self.revision += 1

    # ------------------------------------------------------------ LightSource, for the drivers

    def next_command(self, fixture: FixtureId) -> LampCommand | None:
        """Return the approved transition this lamp needs at this instant, or None."""
        lamp = self._lamps.get(fixture)
        if lamp is None:
            return None
        now_ms = self._clock.now_ms()
        at_ms = lamp.due_at(woken=True)
        if at_ms is None or now_ms < at_ms:
            return None
        command = lamp.command(now_ms)
        if command is not None:
            self.revision += 1
        return command

    def delivered(self, command: LampCommand) -> None:
        """The whole command was taken."""
        lamp = self._lamps.get(command.fixture)
        if lamp is not None:
            self._tell(command.fixture, lamp.delivered(command))
            self.tick()

    def failed(self, command: LampCommand, message: str) -> None:
        """The command was not, or not surely, taken; a fresh one follows after a back-off."""
        lamp = self._lamps.get(command.fixture)
        if lamp is not None:
            self._tell(command.fixture, lamp.failed(command, message, self._clock.now_ms()))

    def withdrawn(self, command: LampCommand) -> None:
        """The command never left its driver; the driver asks again at once."""
        lamp = self._lamps.get(command.fixture)
        if lamp is not None:
            lamp.withdrawn(command, self._clock.now_ms())

    def observed(self, reports: Sequence[LampReport]) -> None:
        """Take a poll's findings: what lamps can do, hands on them, lamps that went or came back, levels."""
        now_ms = self._clock.now_ms()
        drivers = {id(d): d for r in reports if (d := self._drivers.get(r.fixture)) is not None}
        for driver in drivers.values():
            self.learn(driver.fixtures())
        for report in reports:
            lamp = self._lamps.get(report.fixture)
            if lamp is not None:
                self.reports[report.fixture] = (now_ms, report)
                self._tell(report.fixture, lamp.observed(report, now_ms))
        self.tick()

    def driver_health(self, driver: str, message: str | None) -> None:
        """A bridge is unwell, or well again: then its lamps are led to their curves at once."""
        if self.on_health is not None:
            self.on_health(f"lights.{driver}", message)
        if message is not None:
            return
        now_ms = self._clock.now_ms()
        for lamp in self._lamps.values():
            if lamp.info.driver == driver:
                lamp.bridge_well(now_ms)
        self.tick()

    # ------------------------------------------------------------ what others may know

    def lamp_views(self, now_ms: int) -> tuple[LampView, ...]:
        """Return every lamp as a tablet shows it."""
        return tuple(self._view(fixture, lamp, now_ms) for fixture, lamp in self._lamps.items())

    def modelled(self, fixture: FixtureId) -> Look | None:
        """Return what a lamp is believed to show now; None for one that is not the desk's."""
        lamp = self._lamps.get(fixture)
        return None if lamp is None else look_at(lamp.belief.model, self._clock.now_ms())

    def info(self, fixture: FixtureId) -> FixtureInfo | None:
        """Return what is known of a lamp; None for one that is not the desk's."""
        lamp = self._lamps.get(fixture)
        return None if lamp is None else lamp.info

    def is_certain(self, fixture: FixtureId) -> bool:
        """Say whether a lamp is believed to be in one state only: no command of its is in doubt."""
        lamp = self._lamps.get(fixture)
        return lamp is not None and lamp.belief.certain

    def command_counts(self) -> dict[FixtureId, int]:
        """Return how many commands each lamp has been given."""
        return {fixture: lamp.commands for fixture, lamp in self._lamps.items()}

    def checkpoint(self) -> dict[str, object]:
        """Return what a restart needs to know of the lamps, as plain JSON values."""
        now_ms = self._clock.now_ms()
        memories = {fixture: lamp.memory(now_ms) for fixture, lamp in self._lamps.items()}
        return save_lamps({f: memory for f, memory in memories.items() if memory is not None})

    def restore(self, data: Mapping[str, object]) -> None:
        """Take up a checkpoint: levels go on from it by their transitions. Damaged parts are left out."""
        now_ms = self._clock.now_ms()
        traits = {fixture: lamp.belief.model.traits for fixture, lamp in self._lamps.items()}
        for fixture, memory in load_lamps(data, traits).items():
            self._lamps[fixture].remember(memory, now_ms)

    def _view(self, fixture: FixtureId, lamp: DeskLamp, now_ms: int) -> LampView:
        look = look_at(lamp.belief.model, now_ms)
        return LampView(
            fixture=fixture,
            name=lamp.info.name or fixture,
            zone=lamp.zone,
            brightness_percent=round(look.percent, 2),
            swatch=rgb_hex(look),
            reachable=lamp.reachable,
            changed_by_hand=bool(lamp.hand),
        )

    def _tell(self, fixture: FixtureId, news: Sequence[News]) -> None:
        for item in news:
            if isinstance(item, ByHand):
                self.revision += 1
                if self.on_manual is not None:
                    self.on_manual(fixture, item.attribute)
            elif self.on_health is not None:
                self.on_health(f"lamp.{fixture}", item.message)
