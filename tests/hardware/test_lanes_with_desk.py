"""The real light desk over the lanes: a look that does not fit a group costs no doubt and no delay."""

import asyncio
from collections.abc import Sequence

from light_world import PathCurve

from controller.clock import ManualClock
from controller.core.envelope import Authority, Limits
from controller.core.light import look_from_percent
from controller.light_desk import LightDesk
from controller.ports import FixtureConfig, FixtureInfo, LampCommand, LampReport
from hardware.lane_runner import Batch, Chore, LampGroup, LaneRunner
from hardware.sim.direct_lights import DirectLights

LAMPS = ("a", "b", "c", "d", "e", "f")


class GroupedLamps:
    """Simulated lamps behind lanes: 30 ms an answer, one group of all."""

    def __init__(self, clock: ManualClock) -> None:
        self.clock = clock
        self.batches: list[tuple[int, Batch]] = []
        self.lamps = DirectLights(clock, [FixtureConfig(lamp, lamp) for lamp in LAMPS])
        self.now: LampCommand | None = None

    async def send(self, batch: Batch) -> None:
        self.batches.append((self.clock.now_ms(), batch))
        await self.clock.sleep_until(self.clock.now_ms() + 30)

    async def probe(self) -> Sequence[LampReport]:
        await self.clock.sleep_until(self.clock.now_ms() + 30)
        return self.lamps.reports()

    def groups(self) -> Sequence[LampGroup]:
        return [LampGroup("1", frozenset(LAMPS))]

    def alike(self, commands: Sequence[LampCommand]) -> bool:
        return all(command.transition == commands[0].transition for command in commands)

    def complaint(self) -> str | None:
        return None

    def next_chore(self) -> Chore | None:
        return None


async def sent_for(looks: dict[str, float], authority: Authority) -> tuple[GroupedLamps, LightDesk, int]:
    clock = ManualClock(1_700_000_000_000)
    sender = GroupedLamps(clock)
    lanes = LaneRunner("fake", clock, sender, LAMPS)

    class Woken:
        def fixtures(self) -> tuple[FixtureInfo, ...]:
            return tuple(FixtureInfo(lamp, lamp, "fake") for lamp in LAMPS)

        wake = staticmethod(lanes.wake)

        async def run(self, source: object) -> None: ...

        async def close(self) -> None: ...

    driver = Woken()
    zones = {lamp: lamp for lamp in LAMPS}
    desk = LightDesk(driver.fixtures(), zones, dict.fromkeys(LAMPS, driver), Limits(), clock)
    async with asyncio.TaskGroup() as tasks:
        run = tasks.create_task(lanes.run(desk))
        start = look_from_percent(0.0, 2700)
        desk.follow({lamp: PathCurve(((clock.now_ms(), start),)) for lamp in LAMPS}, {})
        for _ in range(60):
            desk.tick()
            await clock.run_until(clock.now_ms() + 100, settle=30)
        sender.batches.clear()
        began = clock.now_ms()
        curves = {
            lamp: PathCurve(((began, start), (began + 3_000, look_from_percent(p, 2700))))
            for lamp, p in looks.items()
        }
        desk.follow(curves, dict.fromkeys(looks, authority))
        for _ in range(20):
            desk.tick()
            await clock.run_until(clock.now_ms() + 50, settle=30)
        run.cancel()
    return sender, desk, began


async def test_a_look_that_fits_the_group_is_one_command() -> None:
    sender, _, began = await sent_for(dict.fromkeys(LAMPS, 50.0), Authority.HELP)
    first_at, first = sender.batches[0]
    assert first.group is not None
    assert len(first.commands) == 6
    assert first_at - began <= 200


async def test_a_look_that_does_not_fit_goes_lamp_by_lamp_without_doubt_or_delay() -> None:
    looks = {lamp: 20.0 + 8 * n for n, lamp in enumerate(LAMPS)}
    sender, desk, began = await sent_for(looks, Authority.THERAPIST)
    glow_at, glow = sender.batches[0]
    assert glow.group is not None, "all come on at the floor, which is one look"
    assert glow_at == began
    firsts: dict[str, int] = {}
    for at, batch in sender.batches[1:]:
        firsts.setdefault(batch.commands[0].fixture, at - began)
    assert set(firsts) == set(LAMPS)
    assert max(firsts.values()) <= 650, "eight a second: the sixth lamp after half a second"
    assert all(batch.group is None for _, batch in sender.batches[1:7])
    assert all(view.reachable for view in desk.lamp_views(sender.clock.now_ms()))
