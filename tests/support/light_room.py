"""A room of two lamps at a light desk, for the desk's tests."""

from light_world import EyeLamp, LightWorld, PathCurve, StepLights, StillClock, infos

from controller.core.curves import Curve
from controller.core.envelope import Authority, Limits
from controller.core.light import Look, look_from_percent
from controller.light_desk import LightDesk

DIM = look_from_percent(2, 2000)
WARM = look_from_percent(35, 2500)


class Told:
    """What the desk told the room."""

    def __init__(self) -> None:
        self.hands: list[tuple[str, str]] = []
        self.health: list[tuple[str, str | None]] = []


def world(
    start: Look = WARM,
    names: tuple[str, ...] = ("a", "b"),
    *,
    speed: int = 1,
    polls: bool = True,
    **more: object,
) -> tuple[LightWorld, Told]:
    clock = StillClock(speed=speed)
    lamps = {n: EyeLamp(start.percent / 100, start.colour, clock.now) for n in names}
    lights = StepLights(clock, lamps, infos(names, **more))
    told = Told()
    desk = LightDesk(
        lights.infos,
        dict.fromkeys(names, "zone"),
        dict.fromkeys(names, lights),
        Limits(),
        clock,
        on_manual=lambda fixture, attribute: told.hands.append((fixture, attribute)),
        on_health=lambda part, message: told.health.append((part, message)),
    )
    return LightWorld(clock, lights, desk, polls=polls), told


def follow(room: LightWorld, curve: Curve | None, word: Authority = Authority.SCORE) -> None:
    room.desk.follow({} if curve is None else {"zone": curve}, {"zone": word})


def ramp(room: LightWorld, to: Look, over_ms: int = 5_000) -> PathCurve:
    start = room.desk.modelled("a")
    assert start is not None
    now = room.clock.now
    return PathCurve(((now, start), (now + over_ms, to)))


def percent(room: LightWorld, fixture: str = "a") -> float:
    return room.lights.lamps[fixture].y(room.clock.now) * 100
