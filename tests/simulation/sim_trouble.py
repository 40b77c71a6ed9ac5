"""What goes wrong in a simulated room, and when: out of the seed alone."""

from collections.abc import Callable
from random import Random
from typing import TYPE_CHECKING

from sim_score import LAMPS

from controller.core.light import Mired, look_from_percent

if TYPE_CHECKING:
    from sim_world import World

S = 1_000
MIN = 60_000
POWER_ON = Mired(366.0)
CALM_MS = 360_000


class Trouble:
    """Faults at random instants of a world."""

    def __init__(self, world: "World", rng: Random, end_ms: int) -> None:
        self.world, self.rng = world, rng
        self._killed_ms = 0
        kinds = [
            self._bridge_away,
            self._bridge_trouble,
            self._power_cut,
            self._radio_lost,
            self._hand,
            self._player_killed,
            self._daemon_killed,
            self._daemon_killed,
            self._disk_full,
            self._stall,
            self._all_power,
        ]
        begin = world.clock.now_ms()
        for _ in range(rng.choice((0, 2, 6, 14))):
            world.at(rng.randrange(begin, end_ms), self._one(rng.choice(kinds)))

    def _one(self, kind: Callable[[], None]) -> Callable[[], None]:
        def happen() -> None:
            self.world.summary.faults += 1
            kind()

        return happen

    def _later(self, least_ms: int, most_ms: int) -> int:
        return self.world.clock.now_ms() + self.rng.randrange(least_ms, most_ms)

    def _disturb_all(self) -> None:
        for name in LAMPS:
            self.world.around.bridge.disturbed(name, CALM_MS)

    def _bridge_away(self) -> None:
        bridge = self.world.around.bridge
        if bridge.away:
            return
        bridge.away = True
        self._health("bridge: no route to host")
        self.world.at(self._later(5 * S, 10 * MIN), self._bridge_back)

    def _bridge_back(self) -> None:
        self.world.around.bridge.away = False
        self._disturb_all()
        self._health(None)

    def _health(self, message: str | None) -> None:
        daemon = self.world.daemon
        if daemon is not None:
            daemon.desk.driver_health("bridge", message)

    def _bridge_trouble(self) -> None:
        bridge = self.world.around.bridge
        bridge.trouble = self.rng.choice((0.1, 0.5, 1.0))

        def well() -> None:
            bridge.trouble = 0.0
            self._disturb_all()

        self.world.at(self._later(20 * S, 8 * MIN), well)

    def _some_lamps(self) -> list[str]:
        return self.rng.sample(sorted(LAMPS), self.rng.randrange(1, len(LAMPS) + 1))

    def _power_cut(self) -> None:
        self._cut(self._some_lamps(), self._later(1 * S, 5 * MIN))

    def _cut(self, names: list[str], back_ms: int) -> None:
        now, lamps = self.world.clock.now_ms(), self.world.around.bridge.lamps
        for name in names:
            lamp = lamps[name]
            if lamp.powered:
                lamp.powered, lamp.seen_away = False, False
                lamp.set_by_world(0.0, POWER_ON, now)

        def back() -> None:
            for name in names:
                lamp = lamps[name]
                if lamp.powered:
                    continue
                lamp.powered = True
                lamp.set_by_world(1.0, POWER_ON, self.world.clock.now_ms())
                lamp.blind = lamp.blind or not lamp.seen_away
                self.world.around.bridge.disturbed(name, CALM_MS)

        self.world.at(back_ms, back)

    def _radio_lost(self) -> None:
        names, lamps = self._some_lamps(), self.world.around.bridge.lamps
        for name in names:
            lamps[name].reachable, lamps[name].seen_away = False, False

        def back() -> None:
            for name in names:
                lamps[name].reachable = True
                self.world.around.bridge.disturbed(name, CALM_MS)

        self.world.at(self._later(2 * S, 6 * MIN), back)

    def _hand(self) -> None:
        name = self.rng.choice(sorted(LAMPS))
        lamp = self.world.around.bridge.lamps[name]
        if not lamp.powered:
            return
        look = look_from_percent(self.rng.choice((0.0, 10.0, 80.0, 100.0)), 3000)
        lamp.set_by_world(look.percent / 100, look.colour, self.world.clock.now_ms())
        lamp.blind = lamp.by_hand = True

    def _player_killed(self) -> None:
        now = self.world.clock.now_ms()
        if now - self._killed_ms > 20 * S and self.world.daemon is not None:
            self._killed_ms = now
            self.world.around.speaker.kill(self.rng.randrange(100, 1_500))

    def _daemon_killed(self) -> None:
        away = self.rng.choice((300, 2 * S, 20 * S, 3 * MIN, 15 * MIN))
        self._crash(away + self.rng.randrange(1 * S))

    def _crash(self, for_ms: int) -> None:
        """Kill the daemon at any instant between two of its checkpoints, which are 2 to 3 s apart."""
        if self.world.daemon is not None:
            self.world.daemon.checkpoint()
        self.world.at(self._later(0, 3 * S), lambda: self.world.crash(for_ms))

    def _disk_full(self) -> None:
        disk = self.world.around.disk
        if disk.full:
            return
        disk.full = True

        def room() -> None:
            disk.full = False
            disk.flush()

        self.world.at(self._later(1 * S, 10 * MIN), room)

    def _stall(self) -> None:
        """The machine did nothing for a while: everything comes late."""
        world = self.world
        world.checks.late = True
        world.around.speaker.reset()
        world.clock.advance_by(self.rng.choice((200, 1_500, 30_000)))
        self._disturb_all()

    def _all_power(self) -> None:
        """The building's mains: lamps, player and daemon at once."""
        world = self.world
        away = self.rng.choice((5 * S, 2 * MIN, 14 * MIN))
        if world.daemon is None:
            return
        world.daemon.checkpoint()
        world.crash(away + 20 * S)
        world.around.speaker.kill(away)
        world.around.speaker.daemon_died()
        self._cut(sorted(LAMPS), world.clock.now_ms() + away)
