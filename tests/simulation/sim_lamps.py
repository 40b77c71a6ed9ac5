"""Lamps as an eye sees them, written apart from the core's own lamp model, and a bridge that fails.

Brightness and colour are ramps of their own, since a bridge may take half of a command and drop the rest.
Every stretch that a lamp has lived is held against the envelope at its fastest instant.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from random import Random

from controller.clock import ManualClock
from controller.core.envelope import Authority, Transition
from controller.core.light import Colour, Look, Mired, colour_distance_mired, mix_colours
from controller.core.score import FixtureId
from controller.core.units import lstar_from_luminance, luminance_from_lstar
from controller.ports import FixtureInfo, LampCommand, LampReport, LightSource

STEPS = 254
FLOOR = 1 / STEPS
LSTAR_PER_S = {"score": 2.0, "therapist": 25.0}
MIRED_PER_S = {"score": 2.0, "therapist": 50.0}
HELP_MS = 3_000
HELP_LUMINANCE = 0.5
HELP_LUMINANCE_PER_S = HELP_LUMINANCE / 3.0
DOUBT_MS = 600_000
"""A lamp that may glow at its floor or stand at full can only be led by one chord; by the score's speed from
the floor to full that takes 474 s."""
TURN = 0.10
TURN_WINDOW_MS = 2_000
AUTHORITIES = (Authority.SCORE, Authority.THERAPIST, Authority.HELP)


class BrokenPromiseError(AssertionError):
    """The simulation found a promise broken; ``promise`` names it."""

    def __init__(self, promise: str, what: str) -> None:
        super().__init__(f"{promise}: {what}")
        self.promise = promise


@dataclass(slots=True)
class Level:
    """Luminance from ``start`` at ``at_ms`` evenly to ``end``; ``why`` is the authority, or ``world``."""

    at_ms: int
    start: float
    end: float
    over_ms: int
    why: str

    def at(self, now_ms: float) -> float:
        if self.over_ms <= 0 or now_ms >= self.at_ms + self.over_ms:
            return self.end
        return self.start + (self.end - self.start) * (now_ms - self.at_ms) / self.over_ms


@dataclass(slots=True)
class Tint:
    """Colour from ``start`` evenly to ``end``."""

    at_ms: int
    start: Colour
    end: Colour
    over_ms: int
    why: str

    def at(self, now_ms: float) -> Colour:
        if self.over_ms <= 0:
            return self.end
        return mix_colours(self.start, self.end, (now_ms - self.at_ms) / self.over_ms)


@dataclass
class EyeLamp:
    """One lamp. ``blind``: changed by the world behind the desk's back; what is then sent is not judged
    until it can know again."""

    name: str
    level: Level
    tint: Tint
    powered: bool = True
    reachable: bool = True
    seen_away: bool = False
    blind: bool = False
    by_hand: bool = False
    calm_from_ms: int = 0
    tint_calm_from_ms: int = 0
    doubt_until_ms: int = 0
    _way: int = 0
    _low: float = 0.0
    _high: float = 0.0
    _turned_ms: float = -1e18

    def __post_init__(self) -> None:
        self._low = self._high = self.level.start

    def look(self, now_ms: int) -> Look:
        return Look(lstar_from_luminance(self.level.at(now_ms)), self.tint.at(now_ms))

    def take(self, told: Transition, now_ms: int, why: str, half: str = "both") -> None:
        """Take a command, or half of one."""
        y, colour = self.level.at(now_ms), self.tint.at(now_ms)
        self.live_until(now_ms)
        if told.power_off:
            if y > FLOOR * 1.03 and not self.blind:
                raise BrokenPromiseError("light", f"{self.name} put out at {y:.3f} of its luminance")
            self.level = Level(now_ms, 0.0, 0.0, 0, "world")
            return
        end = luminance_from_lstar(told.look.lstar)
        if y <= 0.0:
            if half == "colour":  # it stays dark: nobody sees how its colour changes
                self.tint = Tint(now_ms, told.look.colour, told.look.colour, 0, "world")
                return
            y = min(FLOOR, end)
            if end > FLOOR * 1.03 and told.duration_ms <= 0:
                raise BrokenPromiseError("light", f"{self.name} came on at {end:.3f} of its luminance")
            if half == "both":  # else it comes on with the colour that it went out with
                colour = told.look.colour
                self.tint = Tint(now_ms, colour, colour, 0, "world")
        if half != "colour":
            self.level = Level(now_ms, y, end, told.duration_ms, self._blame(why))
        if half != "bri":
            self.tint = Tint(now_ms, colour, told.look.colour, told.duration_ms, self._blame(why))

    def _blame(self, why: str) -> str:
        return "world" if self.blind else why

    def set_by_world(self, y: float, colour: Colour, now_ms: int) -> None:
        """A hand, or the mains: at once, and nobody's fault."""
        self.live_until(now_ms)
        self.level = Level(now_ms, y, y, 0, "world")
        self.tint = Tint(now_ms, colour, colour, 0, "world")
        self._way, self._low, self._high = 0, y, y

    def live_until(self, now_ms: int) -> None:
        """Hold what has been lived of the running ramps against the envelope."""
        lived = min(now_ms - self.level.at_ms, self.level.over_ms)
        self._check_level(self.level, lived)
        self._check_tint(self.tint, min(now_ms - self.tint.at_ms, self.tint.over_ms))
        self._check_turns(self.level, lived)

    def _check_level(self, ramp: Level, lived_ms: int) -> None:
        if ramp.why == "world":
            return
        if ramp.over_ms <= 0:
            if abs(ramp.end - ramp.start) > 1e-6:
                raise BrokenPromiseError("light", f"{self.name} jumped {ramp}")
            return
        if lived_ms <= 0:
            return
        per_s = (ramp.end - ramp.start) / ramp.over_ms * 1000.0
        if ramp.why == "help":
            if per_s < -1e-9:
                if ramp.at_ms >= self.calm_from_ms:
                    raise BrokenPromiseError("help", f"{self.name} was dimmed by help: {ramp}")
                self._check_level(replace(ramp, why="therapist"), lived_ms)
            if ramp.end > max(HELP_LUMINANCE, ramp.start) + 1.0 / STEPS:
                raise BrokenPromiseError("help", f"{self.name} goes beyond the help light: {ramp}")
            if per_s > HELP_LUMINANCE_PER_S * 1.001:
                raise BrokenPromiseError("help", f"{self.name} rose {per_s:.3f}/s: {ramp}")
            return
        dark = min(ramp.start, ramp.at(ramp.at_ms + lived_ms))
        tiny = 1e-6
        steep = (lstar_from_luminance(dark + tiny) - lstar_from_luminance(dark)) / tiny
        if steep * abs(per_s) > LSTAR_PER_S[ramp.why] * 1.0005:
            raise BrokenPromiseError(
                "light", f"{self.name} moved {steep * abs(per_s):.2f} L*/s by the {ramp.why}: {ramp}"
            )

    def _check_tint(self, ramp: Tint, lived_ms: int) -> None:
        if ramp.why == "world":
            return
        whole = colour_distance_mired(ramp.start, ramp.end)
        if ramp.over_ms <= 0:
            if whole > 1.0 and self.level.at(ramp.at_ms) > 0.0:
                raise BrokenPromiseError("light", f"{self.name} changed colour at once: {ramp}")
            return
        if ramp.why == "help" and ramp.over_ms < HELP_MS:
            raise BrokenPromiseError("help", f"{self.name} changed colour in {ramp.over_ms} ms: {ramp}")
        if lived_ms <= 0 or ramp.why == "help":
            return
        if isinstance(ramp.start, Mired) and isinstance(ramp.end, Mired):
            per_s = whole / ramp.over_ms * 1000.0
        else:
            ticks = [ramp.at(ramp.at_ms + lived_ms * i / 12) for i in range(13)]
            far = max(colour_distance_mired(a, b) for a, b in pairwise(ticks))
            per_s = far / (lived_ms / 12) * 1000.0
        if per_s > MIRED_PER_S[ramp.why] * 1.001:
            raise BrokenPromiseError("light", f"{self.name} changed {per_s:.2f} mired/s: {ramp}")

    def _check_turns(self, ramp: Level, lived_ms: int) -> None:
        a, b = ramp.start, ramp.at(ramp.at_ms + lived_ms)
        if ramp.why == "world":
            if ramp.over_ms > 0 or a > 0.0:
                self._way, self._low, self._high = 0, min(a, b), max(a, b)
            return
        if self._way == 0:
            self._low, self._high = min(self._low, a, b), max(self._high, a, b)
            if b - self._low > TURN + 1e-6:
                self._way = 1
            elif self._high - b > TURN + 1e-6:
                self._way = -1
            self._low, self._high = (b, b) if self._way else (self._low, self._high)
            return
        self._low, self._high = min(self._low, a), max(self._high, a)
        extreme = self._high if self._way > 0 else self._low
        if (extreme - b) * self._way <= TURN + 1e-6:
            self._low, self._high = min(self._low, b), max(self._high, b)
            return
        line = extreme - self._way * TURN
        turned = ramp.at_ms + lived_ms * ((line - a) / (b - a) if b != a else 0.0)
        if turned - self._turned_ms < TURN_WINDOW_MS:
            raise BrokenPromiseError("strobe", f"{self.name} turned at {self._turned_ms} and {turned}")
        self._turned_ms, self._way, self._low, self._high = turned, -self._way, b, b


@dataclass
class FailingBridge:
    """``controller.ports.Lights`` in virtual time. ``trouble`` is how likely a command goes wrong."""

    clock: ManualClock
    rng: Random
    lamps: dict[FixtureId, EyeLamp]
    zone_of: dict[FixtureId, str]
    allowed: Callable[[FixtureId, Authority], bool]
    away: bool = False
    trouble: float = 0.0
    woken: dict[FixtureId, Authority] = field(default_factory=dict)
    answers: list[tuple[int, LampCommand]] = field(default_factory=list)
    sent: int = 0

    def fixtures(self) -> tuple[FixtureInfo, ...]:
        return tuple(FixtureInfo(name, name.title(), "bridge") for name in self.lamps)

    def wake(self, fixtures: Collection[FixtureId], authority: Authority) -> None:
        self.woken.update(dict.fromkeys(fixtures, authority))

    async def run(self, source: LightSource) -> None:
        raise AssertionError("driven by hand")

    async def close(self) -> None:
        return

    def next_due_ms(self) -> int | None:
        return self.answers[0][0] if self.answers else None

    def serve(self, desk: LightSource) -> None:
        """Ask for the commands of woken lamps and let each meet its fate; give late answers."""
        now = self.clock.now_ms()
        while self.answers and self.answers[0][0] <= now:
            desk.delivered(self.answers.pop(0)[1])
        for _ in range(8):
            woken, self.woken = self.woken, {}
            for fixture in woken:
                command = desk.next_command(fixture)
                if command is not None:
                    self._meet_fate(desk, command, now)
            if not self.woken:
                return

    def _meet_fate(self, desk: LightSource, command: LampCommand, now: int) -> None:
        self.sent += 1
        lamp = self.lamps[command.fixture]
        if not self.allowed(command.fixture, command.authority):
            raise BrokenPromiseError(
                "light", f"{lamp.name} moved with the authority of {command.authority} that nobody used"
            )
        why = command.authority.value
        if self.away or not (lamp.powered and lamp.reachable):
            desk.failed(command, f"bridge: {lamp.name} does not answer")
            return
        fate = "ok"
        if self.rng.random() < self.trouble:
            fate = self.rng.choice(("refused", "timeout", "slow", "bri", "colour"))
        match fate:
            case "ok":
                lamp.take(command.transition, now, why)
                desk.delivered(command)
            case "refused":
                desk.failed(command, "bridge: 503")
            case "timeout":
                lamp.take(command.transition, now, why)
                desk.failed(command, "bridge: no answer in 2 s")
            case "slow":
                lamp.take(command.transition, now, why)
                self.answers.append((now + self.rng.randrange(20, 2_500), command))
                self.answers.sort(key=lambda answer: answer[0])
            case half:
                lamp.take(command.transition, now, why, half)
                desk.failed(command, "bridge: half of the command was taken")
        if fate != "ok":
            self.disturbed(command.fixture, 360_000)

    def disturbed(self, fixture: FixtureId, calm_after_ms: int) -> None:
        """From now on, for so long, this lamp may be away from its plan."""
        lamp, until = self.lamps[fixture], self.clock.now_ms() + calm_after_ms
        lamp.calm_from_ms = max(lamp.calm_from_ms, until)
        lamp.tint_calm_from_ms = max(lamp.tint_calm_from_ms, until)
        lamp.doubt_until_ms = max(lamp.doubt_until_ms, self.clock.now_ms() + DOUBT_MS)

    def reports(self) -> Sequence[LampReport]:
        """What a poll finds: targets, as bridges tell them."""
        found = []
        for name, lamp in self.lamps.items():
            colour, y = lamp.tint.end, lamp.level.end
            xy = None if isinstance(colour, Mired) else (colour.x, colour.y)
            mired = colour.value if isinstance(colour, Mired) else None
            there = lamp.powered and lamp.reachable
            lamp.seen_away = lamp.seen_away or not there
            found.append(LampReport(name, y > 0.0, y * 100 if y > 0 else 40.0, mired, xy, there))
        return found
