"""A small world of lamps for tests of the envelope, the planner and the light desk.

The lamps here are written apart from ``controller.core.lamp_model``: straight pieces of luminance between
instants, as an eye would see them. So a mistake in the model shows.
"""

import itertools
from bisect import bisect_right
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from controller.core.envelope import Authority, Transition
from controller.core.light import Colour, Look, Mired, colour_distance_mired, mix_colours
from controller.core.score import FixtureId
from controller.core.units import lerp, lstar_from_luminance, luminance_from_lstar
from controller.light_desk import LightDesk
from controller.ports import FixtureInfo, LampCommand, LampReport, LightSource

MIN = 60_000
FLOOR = 1 / 254


@dataclass
class StillClock:
    """A Clock that stands where it is put."""

    now: int = 1_700_000_000_000
    speed: int = 1

    def now_ms(self) -> int:
        return self.now

    def local_time(self) -> datetime:
        return datetime.fromtimestamp(self.now / 1000, tz=UTC)

    async def sleep_until(self, at_ms: int) -> None:
        raise AssertionError("nothing here may sleep")

    def call_at(self, at_ms: int, callback: Callable[[], None]) -> Callable[[], None]:
        raise AssertionError("nothing here may wait")


@dataclass(frozen=True)
class PathCurve:
    """A curve through points (ms, look), even in L* and mired between them."""

    points: tuple[tuple[int, Look], ...]

    def look_at(self, at_ms: int) -> Look:
        index = bisect_right(self.points, at_ms, key=lambda point: point[0])
        if index == 0:
            return self.points[0][1]
        if index == len(self.points):
            return self.points[-1][1]
        (t0, a), (t1, b) = self.points[index - 1], self.points[index]
        share = (at_ms - t0) / (t1 - t0)
        return Look(lerp(a.lstar, b.lstar, share), mix_colours(a.colour, b.colour, share))

    def knots(self, from_ms: int, until_ms: int) -> tuple[int, ...]:
        return tuple(t for t, _ in self.points if from_ms < t < until_ms)


@dataclass(frozen=True)
class Piece:
    """A straight piece of a lamp's life."""

    at_ms: int
    from_y: float
    to_y: float
    over_ms: int
    from_colour: Colour
    to_colour: Colour
    why: str

    def y(self, at_ms: float) -> float:
        if self.over_ms <= 0 or at_ms >= self.at_ms + self.over_ms:
            return self.to_y
        return self.from_y + (self.to_y - self.from_y) * (at_ms - self.at_ms) / self.over_ms

    def colour(self, at_ms: float) -> Colour:
        if self.over_ms <= 0:
            return self.to_colour
        return mix_colours(self.from_colour, self.to_colour, (at_ms - self.at_ms) / self.over_ms)


@dataclass
class EyeLamp:
    """A lamp as an eye sees it. ``told`` is what readback says."""

    y0: float = 0.0
    colour0: Colour = field(default_factory=lambda: Mired(370.0))
    at_ms: int = 0
    steps: int | None = 254
    pieces: list[Piece] = field(default_factory=list)
    powered: bool = True

    def __post_init__(self) -> None:
        self.pieces.append(Piece(self.at_ms, self.y0, self.y0, 0, self.colour0, self.colour0, "start"))

    def y(self, at_ms: int) -> float:
        return self.pieces[-1].y(at_ms)

    def look(self, at_ms: int) -> Look:
        return Look(lstar_from_luminance(self.y(at_ms)), self.pieces[-1].colour(at_ms))

    def told_y(self) -> float:
        return self.pieces[-1].to_y

    def take(self, transition: Transition, at_ms: int, why: str) -> None:
        if not self.powered:
            return
        y, colour = self.y(at_ms), self.pieces[-1].colour(at_ms)
        if transition.power_off:
            assert transition.look.lstar == 0.0
            assert transition.duration_ms == 0
            self.pieces.append(Piece(at_ms, 0.0, 0.0, 0, colour, colour, "off"))
            return
        to_y = luminance_from_lstar(transition.look.lstar)
        assert to_y > 0.0, "a lamp that is on is never told 0"
        if self.steps is not None:
            assert abs(to_y * self.steps - round(to_y * self.steps)) < 1e-6, "not a step it can be told"
        if y <= 0.0:
            y, colour, why = min(FLOOR, to_y), transition.look.colour, f"on, {why}"
        self.pieces.append(Piece(at_ms, y, to_y, transition.duration_ms, colour, transition.look.colour, why))

    def by_hand(self, look: Look, at_ms: int) -> None:
        y = luminance_from_lstar(look.lstar)
        self.pieces.append(Piece(at_ms, y, y, 0, look.colour, look.colour, "hand"))

    def cut_power(self, at_ms: int) -> None:
        self.powered = False
        self.pieces.append(Piece(at_ms, 0.0, 0.0, 0, Mired(366.0), Mired(366.0), "hand"))

    def give_power(self, at_ms: int) -> None:
        self.powered = True
        self.pieces.append(Piece(at_ms, 1.0, 1.0, 0, Mired(366.0), Mired(366.0), "hand"))

    def lived(self) -> list[tuple[Piece, int]]:
        """Pieces with the time each really lasted."""
        ends = [piece.at_ms for piece in self.pieces[1:]] + [self.pieces[-1].at_ms + self.pieces[-1].over_ms]
        return [
            (piece, min(end - piece.at_ms, piece.over_ms))
            for piece, end in zip(self.pieces, ends, strict=True)
        ]


def fastest_lstar(piece: Piece, lived_ms: int) -> float:
    """Fastest L* per second while a piece lived, by looking 100 times."""
    if lived_ms <= 0:
        return 0.0
    ticks = [piece.at_ms + lived_ms * i / 100 for i in range(101)]
    lstars = [lstar_from_luminance(piece.y(t)) for t in ticks]
    return max(abs(b - a) for a, b in itertools.pairwise(lstars)) / (lived_ms / 100) * 1000.0


def fastest_mired(piece: Piece, lived_ms: int) -> float:
    if lived_ms <= 0:
        return 0.0
    ticks = [piece.at_ms + lived_ms * i / 12 for i in range(13)]
    colours = [piece.colour(t) for t in ticks]
    far = max(colour_distance_mired(a, b) for a, b in itertools.pairwise(colours))
    return far / (lived_ms / 12) * 1000.0


LSTAR_LIMIT: Mapping[str, float] = {"score": 2.0, "therapist": 25.0}
MIRED_LIMIT: Mapping[str, float] = {"score": 2.0, "therapist": 50.0}


def check_speeds(
    lamp: EyeLamp, *, slack: float = 1.0, speed: int = 1, blind_ms: int = 0, doubt: bool = False
) -> None:
    """Every piece of our own doing was inside the envelope.

    For ``blind_ms`` after somebody else changed the lamp nobody can have known of it, nor until the
    transition has run out that was sent before or meanwhile: polls then tell only its end. With ``doubt``,
    help may dim a lamp of which it did not know how bright it was, as a therapist may.
    """
    blind_until = sent_end = -(10**15)
    for index, (piece, lived_ms) in enumerate(lamp.lived()):
        why = piece.why.removeprefix("on, ")
        before = lamp.pieces[index - 1].y(piece.at_ms) if index else piece.from_y
        if why == "hand":
            blind_until = max(piece.at_ms + blind_ms, sent_end + 1) if blind_ms else blind_until
        if why in ("start", "hand"):
            continue
        sent_end = piece.at_ms + piece.over_ms
        if piece.at_ms < blind_until:
            blind_until = max(blind_until, sent_end)
            continue
        if why == "off":
            assert before <= FLOOR * 1.03, f"switched off from {before:.3f}"
            continue
        came_on = piece.why != why
        jump = abs(lstar_from_luminance(piece.y(piece.at_ms)) - lstar_from_luminance(before))
        assert jump < 1e-6 or (came_on and piece.y(piece.at_ms) <= FLOOR * 1.001), (index, piece, before)
        if why == "help" and doubt and piece.to_y < piece.from_y:
            why = "therapist"
        if why == "help":
            assert (piece.to_y - piece.from_y) / max(piece.over_ms, 1) * 1000 <= 0.5 / 3 / speed * 1.001, (
                piece
            )
            assert piece.to_y >= piece.from_y - 1e-9, "help dimmed"
            continue
        assert fastest_lstar(piece, lived_ms) <= LSTAR_LIMIT[why] / speed * slack, (index, piece)
        assert fastest_mired(piece, lived_ms) <= MIRED_LIMIT[why] / speed * slack, (index, piece)


def turn_times(lamp: EyeLamp, threshold: float = 0.10) -> list[float]:
    """Instants at which brightness had turned back by more than the threshold, hands' doings left out."""
    times: list[float] = []
    way, extreme = 0, lamp.pieces[0].from_y
    low = high = extreme
    for piece, lived_ms in lamp.lived():
        if piece.why == "hand":
            way, low, high = 0, piece.to_y, piece.to_y
            continue
        a, b = piece.y(piece.at_ms), piece.y(piece.at_ms + lived_ms)
        if way == 0:
            low, high = min(low, a, b), max(high, a, b)
            if b - low > threshold + 1e-6:
                way, extreme = 1, b
            elif high - b > threshold + 1e-6:
                way, extreme = -1, b
            continue
        extreme = max(extreme, a) if way > 0 else min(extreme, a)
        back = (extreme - b) * way
        if back > threshold + 1e-6:
            line = extreme - way * threshold
            times.append(piece.at_ms + lived_ms * ((line - a) / (b - a) if b != a else 0.0))
            way, extreme = -way, b
        else:
            extreme = max(extreme, b) if way > 0 else min(extreme, b)
    return times


def check_turns(lamp: EyeLamp, window_ms: int = 2_000) -> None:
    times = turn_times(lamp)
    for first, second in itertools.pairwise(times):
        assert second - first >= window_ms, f"turned at {first} and {second}"


@dataclass
class StepLights:
    """A driver without a lane: it asks for a command as soon as its lamp is woken, in ``serve``.

    ``fate`` of the next commands: ``ok``, ``refused`` (not taken), ``timeout`` (taken, but said to have
    failed), ``slow`` (taken, answer comes at the next serve), ``lost`` (not taken, but said to be).
    """

    clock: StillClock
    lamps: dict[FixtureId, EyeLamp]
    infos: tuple[FixtureInfo, ...]
    fates: list[str] = field(default_factory=list)
    woken: dict[FixtureId, Authority] = field(default_factory=dict)
    answers: list[LampCommand] = field(default_factory=list)
    sent: list[tuple[int, LampCommand]] = field(default_factory=list)

    def fixtures(self) -> tuple[FixtureInfo, ...]:
        return self.infos

    def wake(self, fixtures: Collection[FixtureId], authority: Authority) -> None:
        self.woken.update(dict.fromkeys(fixtures, authority))

    async def run(self, source: LightSource) -> None:
        raise AssertionError("driven by hand")

    async def close(self) -> None:
        return

    def serve(self, desk: LightDesk) -> None:
        late, self.answers = self.answers, []
        for answered in late:
            desk.delivered(answered)
        for fixture in list(self.woken):
            del self.woken[fixture]
            command = desk.next_command(fixture)
            if command is None:
                continue
            self.sent.append((self.clock.now, command))
            fate = self.fates.pop(0) if self.fates else "ok"
            if fate not in ("refused", "lost"):
                self.lamps[fixture].take(command.transition, self.clock.now, command.authority.value)
            if fate in ("ok", "lost"):
                desk.delivered(command)
            elif fate == "slow":
                self.answers.append(command)
            else:
                desk.failed(command, "the bridge does not answer")

    def reports(self) -> list[LampReport]:
        """What a poll says: the target, as bridges do."""
        found = []
        for fixture, lamp in self.lamps.items():
            colour = lamp.pieces[-1].to_colour
            xy = None if isinstance(colour, Mired) else (colour.x, colour.y)
            mired = colour.value if isinstance(colour, Mired) else None
            y = lamp.told_y()
            found.append(LampReport(fixture, y > 0.0, y * 100 if y > 0 else 40.0, mired, xy, lamp.powered))
        return found


@dataclass
class LightWorld:
    """A desk, its driver and its lamps."""

    clock: StillClock
    lights: StepLights
    desk: LightDesk
    polls: bool = True
    next_poll_ms: int = 0

    def run(self, for_ms: int, step_ms: int = 50) -> None:
        """Let time pass, never past an instant at which something is due."""
        until = self.clock.now + for_ms
        while True:
            if self.polls and self.clock.now >= self.next_poll_ms:
                self.next_poll_ms = self.clock.now + 2_000 * self.clock.speed
                self.desk.observed(self.lights.reports())
            self.desk.tick()
            self.lights.serve(self.desk)
            if self.clock.now >= until:
                return
            due = self.desk.next_due_ms()
            ahead = until if due is None else min(max(due, self.clock.now + 1), until)
            ahead = min(ahead, self.clock.now + step_ms) if self.lights.answers else ahead
            if self.polls:
                ahead = min(ahead, max(self.next_poll_ms, self.clock.now + 1))
            self.clock.now = ahead


def infos(names: Sequence[str], **more: object) -> tuple[FixtureInfo, ...]:
    return tuple(FixtureInfo(name, name.title(), "fake", **more) for name in names)  # type: ignore[arg-type]
