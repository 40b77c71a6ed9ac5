"""How often a room says its state: at changes, seldom between them, and each second of a person's fade."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

from mqtt_brokers import running
from mqtt_fake_room import MqttFakeRoom

from controller.clock import ManualClock
from controller.core.records import SessionHeld
from controller.core.snapshot import OverrideView, Snapshot
from controller.mqtt_api import STATE_EVERY_MS, RoomMqtt
from controller.mqtt_topics import will_for
from hardware.sim.mqtt_bus import MemoryBus, MemoryLink


class CountedRoom(MqttFakeRoom):
    """A room that counts how often its snapshot is built; ``moving``: a person's fade is under way."""

    built = 0
    moving = False

    def snapshot(self) -> Snapshot:
        self.built += 1
        whole = super().snapshot()
        if not self.moving:
            return whole
        held = OverrideView("brightness", "until_released", "therapist:a", None)
        return replace(whole, zones=(replace(whole.zones[0], fading=True, overrides=(held,)),))


@dataclass
class Paced:
    """A room at its MQTT door, on a clock that stands."""

    clock: ManualClock
    room: CountedRoom

    async def built_in(self, ms: int) -> int:
        before = self.room.built
        await self.clock.run_until(self.clock.now_ms() + ms)
        return self.room.built - before


@asynccontextmanager
async def paced() -> AsyncIterator[Paced]:
    clock = ManualClock()
    room, link = CountedRoom(clock), MemoryLink(MemoryBus(clock), clock, will_for("garden"))
    async with running(link.run, RoomMqtt(link, room, clock).run):
        await clock.run_until(20_000)
        yield Paced(clock, room)


async def test_while_nothing_changes_the_state_is_said_every_nine_seconds_and_not_built_between() -> None:
    async with paced() as here:
        assert await here.built_in(10 * STATE_EVERY_MS) in (9, 10)


async def test_a_change_is_said_at_once_and_many_at_most_ten_times_a_second() -> None:
    async with paced() as here:
        here.room.change(SessionHeld())
        assert await here.built_in(1) == 1
        before = here.room.built
        for _ in range(100):
            here.room.change(SessionHeld())
            await here.clock.run_until(here.clock.now_ms() + 10)
        assert 5 <= here.room.built - before <= 11


async def test_a_persons_fade_is_said_every_second_until_it_has_settled() -> None:
    async with paced() as here:
        here.room.moving = True
        here.room.change(SessionHeld())
        assert 4 <= await here.built_in(5_000) <= 6
        here.room.moving = False
        await here.clock.run_until(here.clock.now_ms() + 1_200)
        assert await here.built_in(8_000) <= 1
