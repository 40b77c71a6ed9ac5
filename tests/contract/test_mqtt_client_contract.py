"""What every ``MqttClient`` keeps: the real link on each kind of broker, and the one in memory."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from mqtt_brokers import AnyBroker, Embedded, Mosquitto, running, until

from controller.clock import RealClock
from controller.ports import MqttClient, MqttMessage, MqttWill
from hardware.mqtt_link import MqttLink, MqttSettings
from hardware.sim.mqtt_bus import MemoryBus, MemoryLink


class World:
    """Makes links to one broker, and takes the broker away."""

    def __init__(self, kind: str, folder: Path) -> None:
        self.clock = RealClock()
        self.kind = kind
        self.bus = MemoryBus(self.clock)
        self.broker: AnyBroker = Embedded() if kind == "embedded" else Mosquitto(folder)
        self._count = 0

    def link(self, will: MqttWill | None = None) -> MqttClient:
        self._count += 1
        if self.kind == "memory":
            return MemoryLink(self.bus, self.clock, will)
        settings = MqttSettings(
            "127.0.0.1", self.broker.port, f"link-{self._count}", allow_v5=self.kind == "mosquitto-v5"
        )
        return MqttLink(self.clock, settings, will)

    async def open(self) -> None:
        if self.kind == "memory":
            self.bus.come_back()
        else:
            await self.broker.start()

    async def close(self) -> None:
        if self.kind == "memory":
            self.bus.go_away()
        else:
            await self.broker.kill()


@pytest.fixture(params=["memory", "mosquitto-v5", "mosquitto-v3", "embedded"])
async def world(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[World]:
    made = World(request.param, tmp_path)
    await made.open()
    yield made
    await made.close()


async def listening(link: MqttClient, topic_filter: str, *, sender: MqttClient) -> list[MqttMessage]:
    """Subscribe, and return once the subscription stands."""
    got: list[MqttMessage] = []
    marks: list[MqttMessage] = []
    link.subscribe("mark/#", marks.append)
    link.subscribe(topic_filter, got.append)
    await until(lambda: link.up and sender.up)
    while not marks:
        sender.publish("mark/x", b"")
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.05)
    got.clear()
    return got


def payloads(got: list[MqttMessage]) -> list[bytes]:
    return [message.payload for message in got]


async def test_messages_arrive_where_the_filter_matches_and_nowhere_else(world: World) -> None:
    one, two = world.link(), world.link()
    async with running(one.run, two.run):
        got = await listening(two, "a/+/c", sender=one)
        for topic in ("a/c", "a/b/d", "a/b/c/d", "a/b/c", "a/x/c"):
            one.publish(topic, topic.encode(), qos=1)
        await until(lambda: len(got) >= 2)
        await asyncio.sleep(0.05)
    assert sorted(payloads(got)) == [b"a/b/c", b"a/x/c"]


async def test_what_is_retained_meets_a_newcomer_marked_as_such(world: World) -> None:
    one, two = world.link(), world.link()
    got: list[MqttMessage] = []
    async with running(one.run):
        await until(lambda: one.up)
        one.publish("r/kept", b"old", qos=1, retain=True)
        one.publish("r/kept", b"new", qos=1, retain=True)
        one.publish("r/gone", b"x", qos=1, retain=True)
        one.publish("r/gone", b"", qos=1, retain=True)
        await asyncio.sleep(0.1)
        two.subscribe("r/#", got.append)
        async with running(two.run):
            await until(lambda: got)
            await asyncio.sleep(0.1)
        one.publish("r/kept", b"", qos=1, retain=True)
        await asyncio.sleep(0.05)
    assert [(message.topic, message.payload, message.retain) for message in got] == [("r/kept", b"new", True)]


async def test_an_outage_keeps_what_is_worth_keeping(world: World) -> None:
    one = world.link()
    ups: list[int] = []
    downs: list[str] = []
    one.on_up(lambda: ups.append(1))
    one.on_down(downs.append)
    got: list[MqttMessage] = []
    one.subscribe("o/#", got.append)
    async with running(one.run):
        await until(lambda: ups)
        await world.close()
        await until(lambda: not one.up and downs)
        sick = one.health
        assert "\n" not in downs[0]
        one.publish("o/qos0", b"lost")
        one.publish("o/short", b"stale", qos=1, expiry_s=0.1)
        one.publish("o/long", b"kept", qos=1, expiry_s=60, repeat=False)
        await asyncio.sleep(0.3)
        await world.open()
        await until(lambda: len(ups) == 2)
        await until(lambda: got)
        await asyncio.sleep(0.1)
        well = one.health
    assert payloads(got) == [b"kept"]
    assert sick is not None
    assert well is None


async def test_a_link_that_ends_says_so(world: World) -> None:
    one, two = world.link(), world.link(MqttWill("w/status", b"offline"))
    async with running(one.run):
        async with running(two.run):
            got = await listening(one, "w/#", sender=two)
            two.publish("w/status", b"online", qos=1, retain=True)
            await until(lambda: got)
        await until(lambda: len(got) == 2)
        one.publish("w/status", b"", retain=True)
        await asyncio.sleep(0.05)
    assert payloads(got)[:2] == [b"online", b"offline"]


async def test_a_late_callback_is_called_at_once(world: World) -> None:
    link = world.link()
    ups: list[int] = []
    async with running(link.run):
        await until(lambda: link.up)
        link.on_up(lambda: ups.append(1))
        assert ups == [1]


@pytest.mark.parametrize("topic", ["", "a/#", "+"])
async def test_a_wrong_topic_is_our_bug(world: World, topic: str) -> None:
    with pytest.raises(ValueError, match="topic"):
        world.link().publish(topic, b"")


def test_each_is_a_client() -> None:
    kinds: tuple[Callable[..., Any], ...] = (MqttLink, MemoryLink)
    for kind in kinds:
        assert all(hasattr(kind, name) for name in ("publish", "subscribe", "on_up", "on_down", "run"))
