"""Lamps on MQTT: what is published, what is believed, and what becomes of outages."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mqtt_brokers import Mosquitto, until
from zigbee_peer import ZigbeePeer

from controller.clock import RealClock
from controller.core.envelope import Authority, Transition
from controller.core.light import Look, Mired, look_from_percent
from controller.core.units import luminance_from_lstar
from controller.errors import UserError
from controller.ports import FixtureConfig, LampReport
from hardware.lights_mqtt import MqttLights, open_lights
from hardware.mqtt_lamps import (
    MAX_TRANSITION_S,
    MqttLamp,
    frames,
    look_between,
    read_availability,
    read_homeassistant_light,
    read_state,
    read_zigbee2mqtt_devices,
    split,
    zigbee2mqtt_lamp,
)
from hardware.mqtt_light_options import MqttLightOptions
from hardware.sim.wish_desk import WishDesk

FIXTURES = (FixtureConfig("left", "lamp-1"), FixtureConfig("right", "lamp-2"))


@dataclass
class World:
    broker: Mosquitto
    peer: ZigbeePeer
    lights: MqttLights
    desk: WishDesk = field(default_factory=WishDesk)

    async def wish(self, lamp: str, percent: float, **options: float) -> None:
        command = self.desk.wish(lamp, percent, **options)  # type: ignore[arg-type]
        self.lights.wake((lamp,), Authority.THERAPIST)
        await self.desk.until(lambda: command in self.desk.done)

    def report(self, lamp: str) -> LampReport:
        return {report.fixture: report for report in self.desk.reports[-1]}[lamp]


@asynccontextmanager
async def world(folder: Path, *fixtures: FixtureConfig, **options: str) -> AsyncIterator[World]:
    broker = Mosquitto(folder / "broker")
    await broker.start()
    peer = ZigbeePeer(broker.port, ("lamp-1", "lamp-2"))
    address = f"mqtt://127.0.0.1:{broker.port}"
    settings: dict[str, str | int | float | bool] = {"poll_ms": 200, **options}
    lights = open_lights("zb", address, settings, fixtures or FIXTURES, folder, RealClock())
    made = World(broker, peer, lights)
    async with asyncio.TaskGroup() as tasks:
        run = tasks.create_task(lights.run(made.desk))
        try:
            yield made
        finally:
            run.cancel()
    peer.close()
    await broker.kill()


async def test_brightness_and_colour_are_two_messages_and_abilities_are_read(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await w.wish("left", 40, kelvin=2500, fade_ms=1_250)
        assert w.peer.messages == [
            ("lamp-1", {"state": "ON", "transition": 1.3, "brightness": 102}),
            ("lamp-1", {"color_temp": 400, "transition": 1.3}),
        ]
        info = {info.fixture: info for info in w.lights.fixtures()}["left"]
        assert (info.mired_range, info.has_colour, info.brightness_steps) == ((153, 500), True, 254)
        await w.wish("left", 0)
        assert w.peer.messages[-1] == ("lamp-1", {"state": "OFF", "transition": 0})


async def test_a_lamp_that_does_not_confirm_is_a_failure_and_the_others_go_on(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await w.desk.until(lambda: len(w.desk.reports) > 0)
        w.peer.deaf.add("lamp-1")
        w.desk.wish("left", 30)
        w.lights.wake(("left",), Authority.THERAPIST)
        await w.wish("right", 30)
        await w.desk.until(lambda: len(w.desk.failures) > 0)
        assert "did not confirm" in w.desk.failures[0][1]
        w.peer.deaf.clear()
        await w.desk.until(lambda: len(w.desk.done) == 2)


async def test_availability_and_zigbee2mqtts_own_death_are_told(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await w.desk.until(lambda: len(w.desk.reports) > 0)
        w.peer.say("lamp-2/availability", {"state": "offline"}, retain=True)
        await w.desk.until(lambda: not w.report("right").reachable)
        w.peer.say("lamp-2/availability", "online", retain=True)
        await w.desk.until(lambda: w.report("right").reachable)
        w.peer.say("bridge/state", {"state": "offline"}, retain=True)
        await w.desk.until(lambda: len(w.desk.health) > 0 and w.desk.health[-1][1] is not None)
        assert w.desk.health[-1] == ("zb", "zb: Zigbee2MQTT is not running")
        w.peer.say("bridge/state", {"state": "online"}, retain=True)
        await w.desk.until(lambda: w.desk.health[-1] == ("zb", None))


async def test_a_broker_that_dies_is_told_and_nothing_stale_follows_its_return(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await w.wish("left", 10)
        await w.broker.kill()
        await w.desk.until(lambda: len(w.desk.health) > 0 and w.desk.health[-1][1] is not None)
        w.desk.wish("left", 20)
        w.lights.wake(("left",), Authority.THERAPIST)
        await asyncio.sleep(0.5)
        w.desk.wish("left", 60)
        await w.broker.start()
        await w.desk.until(lambda: len(w.desk.done) == 2, timeout_s=10)
        await until(lambda: w.peer.lamps["lamp-1"].bri == 152, what="the newest word")
        assert all(data.get("brightness") != 51 for _, data in w.peer.messages)


async def test_a_level_on_its_own_way_is_no_hand_and_a_hand_is_seen(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await w.wish("left", 10, fade_ms=0)
        w.peer.reports_on_the_way = True
        await w.wish("left", 80, fade_ms=5_000)
        await asyncio.sleep(0.3)
        w.peer._tell("lamp-1")
        await asyncio.sleep(0.1)
        assert w.report("left").percent == pytest.approx(80, abs=0.3)
        w.peer.reports_on_the_way = False
        w.peer.turn("lamp-1", 99)
        await w.desk.until(lambda: abs((w.report("left").percent or 0) - 99) < 1)


async def test_a_lamp_nobody_announced_is_named_with_its_nearest(tmp_path: Path) -> None:
    async with world(tmp_path, FixtureConfig("a", "lamp_1"), FixtureConfig("b", "0x0000000000000002")) as w:
        await w.desk.until(lambda: len(w.desk.health) > 0 and w.desk.health[-1][1] is not None)
        assert w.desk.health[-1][1] == "zb: no lamp 'lamp_1' has been announced (nearest: lamp-1)"
        await w.wish("b", 30)
        await until(lambda: w.peer.lamps["lamp-2"].bri == 76)


async def test_home_assistants_json_lights_are_found_by_their_announcements(tmp_path: Path) -> None:
    async with world(tmp_path, FixtureConfig("a", "wash-1"), dialect="homeassistant") as w:
        config = {
            "schema": "json", "uniq_id": "wash-1", "name": "Wash", "~": "zigbee2mqtt/lamp-1",
            "cmd_t": "~/set", "stat_t": "~", "bri_scl": 254,
            "supported_color_modes": ["color_temp"], "min_mireds": 200, "max_mireds": 400,
        }  # fmt: skip
        w.peer._client.publish("homeassistant/light/wash/config", json.dumps(config), retain=True)
        await until(lambda: w.lights.fixtures()[0].reachable)
        await asyncio.sleep(0.2)  # the subscription to its state is on its way to the broker
        await w.wish("a", 50, kelvin=2000)
        assert [data for _, data in w.peer.messages] == [
            {"state": "ON", "transition": 0.2, "brightness": 127},
            {"color_temp": 400, "transition": 0.2},
        ]
        assert w.lights.fixtures()[0].mired_range == (200, 400)


# ---------------------------------------------------------------- pure parts


@given(st.floats(0, 100), st.floats(1, 100), st.integers(0, 40_000_000), st.sampled_from([1, 60]))
def test_a_split_transition_is_the_whole_and_no_part_is_too_long(
    start: float, end: float, duration_ms: int, speed: int
) -> None:
    begin, whole = Look(start, Mired(300)), Transition(Look(end, Mired(400)), duration_ms)
    part, rest, elapsed, here = *split(whole, begin, speed=speed), 0, begin
    for _ in range(10):
        assert part.duration_ms <= MAX_TRANSITION_S * 1000 * speed
        assert frames(part, zigbee2mqtt_lamp("z", "a"), speed=speed)[0]["transition"] <= MAX_TRANSITION_S  # type: ignore[operator]
        elapsed += part.duration_ms
        on_the_way = look_between(begin, whole.look, elapsed / duration_ms if duration_ms else 1.0)
        assert luminance_from_lstar(part.look.lstar) == pytest.approx(
            luminance_from_lstar(on_the_way.lstar), abs=1e-9
        )
        here = part.look
        if rest is None:
            break
        part, rest = split(rest, here, speed=speed)
    assert elapsed == duration_ms
    assert here == whole.look


def test_no_single_message_holds_brightness_and_colour() -> None:
    lamp = MqttLamp("x", "x/set")
    for kelvin in (2000, 2700, 6500):
        for message in frames(Transition(look_from_percent(3, kelvin), 1000), lamp):
            assert not ({"brightness"} & set(message) and {"color_temp", "color"} & set(message))


@pytest.mark.parametrize(
    "payload", [b"", b"{", b"[]", b"3", b'{"devices": 1}', b'[{"friendly_name": 4}, 7]', b"\xff"]
)
def test_nonsense_from_the_broker_is_nothing(payload: bytes) -> None:
    assert read_zigbee2mqtt_devices("z", payload) == {}
    assert read_homeassistant_light(payload) is None
    assert read_availability(payload) is None
    state = read_state(payload, 254)
    assert state is None or state.on is None


@pytest.mark.parametrize(
    ("address", "options", "words"),
    [
        ("", {}, "not a broker's address"),
        ("h:nonsense", {}, "not a broker's address"),
        ("h", {"dialect": "morse"}, "one of zigbee2mqtt"),
        ("h", {"dialct": "x"}, "did you mean dialect"),
    ],
)
def test_bad_settings_are_said(address: str, options: dict[str, str], words: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=words):
        open_lights("zb", address, options, FIXTURES, tmp_path, RealClock())


def test_a_zigbee_radio_keeps_its_pace_and_the_site_file_may_say_more() -> None:
    zigbee, wifi = MqttLightOptions().budget(), MqttLightOptions(dialect="homeassistant").budget()
    assert (zigbee.lights_per_s, zigbee.in_flight) == (8.0, 2)
    assert wifi.burst - wifi.reserve >= 8  # a whole room at once, by the score too
    said = MqttLightOptions(lights_per_s=20.0, burst=10.0, in_flight=6).budget()
    assert (said.lights_per_s, said.burst, said.in_flight) == (20.0, 10.0, 6)


def test_a_budget_below_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="in_flight"):
        open_lights("lamps", "127.0.0.1", {"in_flight": -1}, (), tmp_path, RealClock())
