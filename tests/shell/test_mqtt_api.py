"""The MQTT door against real brokers: what a stranger with plain paho sees and can do."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import uuid4

import pytest
from mqtt_brokers import AnyBroker, Embedded, Mosquitto, Stranger, running, until
from mqtt_fake_room import MqttFakeRoom

from controller.clock import RealClock
from controller.core.records import NoteTaken, PromptCued
from controller.core.score import Audience
from controller.mqtt_api import MqttApi, MqttPrompts
from controller.mqtt_homeassistant import Discovery
from controller.mqtt_topics import will_for
from controller.ports import Prompt
from hardware.mqtt_link import MqttLink, MqttSettings

COMMAND = "stillroom/garden/command"


class House:
    """A fake room behind the real door on the real link."""

    def __init__(self, port: int, *, allow_v5: bool = True) -> None:
        self.clock = RealClock()
        self.room = MqttFakeRoom(self.clock)
        settings = MqttSettings("127.0.0.1", port, "stillroom-garden", allow_v5=allow_v5)
        self.link = MqttLink(self.clock, settings, will_for("garden"))
        self.faults: list[str | None] = []
        self.api = MqttApi(
            {"garden": self.link},
            {"garden": self.room},
            self.clock,
            discovery=Discovery.OFF,
            report=lambda _room, line: self.faults.append(line),
        )


def command(name: str = "hold", **fields: object) -> str:
    return json.dumps({"id": str(uuid4()), "command": name, **fields})


@pytest.fixture(params=["mosquitto-v5", "mosquitto-v3", "embedded"])
async def setting(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[tuple[AnyBroker, House]]:
    broker: AnyBroker = Embedded() if request.param == "embedded" else Mosquitto(tmp_path)
    await broker.start()
    house = House(broker.port, allow_v5=request.param != "mosquitto-v3")
    try:
        async with running(house.api.run):
            await until(lambda: house.link.up)
            yield broker, house
    finally:
        await broker.kill()


@asynccontextmanager
async def stranger_on(setting: tuple[AnyBroker, House], *filters: str) -> AsyncIterator[Stranger]:
    broker, _ = setting
    async with Stranger(broker.port, v5=isinstance(broker, Mosquitto)) as stranger:
        for topic_filter in filters:
            await stranger.subscribe(topic_filter)
        yield stranger


async def test_a_stranger_finds_status_and_state_retained(setting: tuple[AnyBroker, House]) -> None:
    async with stranger_on(setting, "stillroom/garden/#") as stranger:
        status = await stranger.wait_for("stillroom/garden/status")
        state = await stranger.wait_for("stillroom/garden/state")
    assert (status.payload, status.retain) == (b"online", True)
    plain = json.loads(state.payload)
    assert state.retain
    assert plain["room"] == "garden"
    assert plain["session"]["phase"] == "sit"


async def test_a_command_is_obeyed_once_and_answered(setting: tuple[AnyBroker, House]) -> None:
    _, house = setting
    async with stranger_on(setting, "stillroom/garden/reply") as stranger:
        text = command("volume_trim", db=-2)
        stranger.publish(COMMAND, text)
        first = json.loads((await stranger.wait_for("stillroom/garden/reply")).payload)
        stranger.publish(COMMAND, text)
        second = json.loads((await stranger.wait_for("stillroom/garden/reply", 2)).payload)
    assert first["ok"]
    assert first["journaled"]
    assert first["id"] == json.loads(text)["id"]
    assert not first["repeated"]
    assert second == {**first, "repeated": True}
    assert house.room.names == ["volume_trim"]
    assert house.room.applied[0][1] == "mqtt"


async def test_the_answer_goes_where_v5_says(tmp_path: Path) -> None:
    broker = Mosquitto(tmp_path)
    await broker.start()
    house = House(broker.port)
    async with running(house.api.run), Stranger(broker.port) as stranger:
        await until(lambda: house.link.up)
        await stranger.subscribe("pedal/answers")
        await stranger.subscribe("stillroom/garden/reply")
        stranger.publish(COMMAND, command(), response_topic="pedal/answers", correlation=b"\x00\x07")
        answer = await stranger.wait_for("pedal/answers")
        assert answer.properties.CorrelationData == b"\x00\x07"
        assert json.loads(answer.payload)["ok"]
        # An answer must not be made to command another room, or to look like this one's state.
        for topic in ("stillroom/other/command", "stillroom/garden/state", "homeassistant/x/config"):
            stranger.publish(COMMAND, command(), response_topic=topic)
        await stranger.wait_for("stillroom/garden/reply", 3)
    await broker.kill()


@pytest.mark.parametrize(
    ("payload", "code", "says"),
    [
        (lambda: command("hold", zoen="x"), "invalid", "unknown field"),
        (lambda: command("light", brightnes=4), "invalid", "did you mean 'brightness'?"),
        (lambda: command("hodl"), "invalid", "did you mean 'hold'?"),
        (lambda: command("light", brightness=101), "invalid", "brightness"),
        (lambda: command("hold", sent_at_ms=1_000_000_000_000), "stale", "s old"),
        (lambda: "{" + "[" * 9_000, "invalid", ""),
        (lambda: b"\xff\xfe\x00", "invalid", ""),
        (lambda: "x" * 20_000, "too_large", "16384"),
    ],
)
async def test_what_is_not_a_command_changes_nothing(
    tmp_path: Path, payload: Callable[[], str | bytes], code: str, says: str
) -> None:
    broker = Embedded()
    await broker.start()
    house = House(broker.port)
    async with running(house.api.run), Stranger(broker.port, v5=False) as stranger:
        await until(lambda: house.link.up)
        await stranger.subscribe("stillroom/garden/reply")
        stranger.publish(COMMAND, payload())
        answer = json.loads((await stranger.wait_for("stillroom/garden/reply")).payload)
    await broker.kill()
    assert not answer["ok"]
    assert answer["refused"]["code"] == code
    assert says in answer["refused"]["message"]
    assert house.room.submitted == 0


async def test_a_retained_command_is_never_obeyed(setting: tuple[AnyBroker, House], tmp_path: Path) -> None:
    broker, house = setting
    async with stranger_on(setting) as stranger:
        stranger.publish(COMMAND, command("hold"), retain=True)
        await asyncio.to_thread(stranger.publish(COMMAND, command("resume")).wait_for_publish, 5)
        await until(lambda: "resume" in house.room.names)
        if house.link.speaks_v5:
            assert house.room.names == ["resume"]
        # Whoever comes later is given it by the broker, marked as kept: nobody obeys it.
        later = House(broker.port)
        later.link = MqttLink(later.clock, MqttSettings("127.0.0.1", broker.port, "second"), None)
        later.api = MqttApi({"garden": later.link}, {"garden": later.room}, later.clock)
        async with running(later.api.run):
            await until(lambda: later.link.up)
            stranger.publish(COMMAND, command("undo"))
            await until(lambda: "undo" in later.room.names)
        assert later.room.names == ["undo"]


async def test_a_fault_of_ours_is_answered_and_the_door_stays_open(setting: tuple[AnyBroker, House]) -> None:
    _, house = setting
    house.room.break_on = "undo"
    house.room.refuse = "end"
    async with stranger_on(setting, "stillroom/garden/reply") as stranger:
        stranger.publish(COMMAND, command("undo"))
        stranger.publish(COMMAND, command("end"))
        stranger.publish(COMMAND, command("hold"))
        await stranger.wait_for("stillroom/garden/reply", 3)
        answers = [json.loads(message.payload) for message in stranger.on("stillroom/garden/reply")]
    assert [answer["refused"] and answer["refused"]["code"] for answer in answers] == [
        "internal",
        "not_now",
        None,
    ]


async def test_a_flood_is_cut_and_the_rest_of_the_world_is_heard(tmp_path: Path) -> None:
    broker = Mosquitto(tmp_path)
    await broker.start()
    house = House(broker.port)
    async with (
        running(house.api.run),
        Stranger(broker.port, "flood") as flood,
        Stranger(broker.port) as pedal,
    ):
        await until(lambda: house.link.up)
        await pedal.subscribe("pedal")
        for _ in range(900):
            flood.publish(COMMAND, command("hold"), qos=0)
        pedal.publish(COMMAND, command("resume"), response_topic="pedal")
        assert json.loads((await pedal.wait_for("pedal")).payload)["ok"]
    await broker.kill()
    assert 300 < len(house.room.applied) < 800


async def test_prompts_go_out_once_with_their_time_and_are_acknowledged(
    setting: tuple[AnyBroker, House],
) -> None:
    _, house = setting
    prompts = MqttPrompts(house.link, "garden")
    async with stranger_on(setting, "stillroom/garden/prompt/#") as stranger:
        prompts.publish(Prompt("p-1", "Feel both feet meet the floor.", "feet.flac", Audience.CLIENT, 90))
        prompts.publish(Prompt("p-2", "Offer water.", None, Audience.THERAPIST, 1800))
        client = await stranger.wait_for("stillroom/garden/prompt/client")
        therapist = await stranger.wait_for("stillroom/garden/prompt/therapist")
        assert json.loads(client.payload) == {
            "id": "p-1",
            "text": "Feel both feet meet the floor.",
            "audio": "feet.flac",
            "ttl_s": 90,
        }
        assert json.loads(therapist.payload)["audio"] is None
        assert (client.qos, client.retain) == (1, False)
        if house.link.speaks_v5:
            assert client.properties.MessageExpiryInterval in (89, 90)
        ack = json.dumps({"id": "p-1", "by": "Bedside speaker", "result": "spoken"})
        stranger.publish("stillroom/garden/prompt/ack", ack)
        stranger.publish("stillroom/garden/prompt/ack", ack)
        stranger.publish("stillroom/garden/prompt/ack", '{"id": "p-1", "reslut": "spoken"}')
        stranger.publish(
            "stillroom/garden/prompt/ack", json.dumps({"id": "p-1", "by": "", "result": "shown"})
        )
        await until(lambda: len(house.room.applied) == 2)
    acks = [(request.model_dump()["result"], by) for request, by in house.room.applied]
    assert acks == [("spoken", "prompt-device:bedside-speaker"), ("shown", "prompt-device")]


async def test_events_carry_records_without_free_text(setting: tuple[AnyBroker, House]) -> None:
    _, house = setting
    async with stranger_on(setting, "stillroom/garden/event") as stranger:
        house.room.change(
            PromptCued("p-1", "breath", Audience.CLIENT, None, 60),
            NoteTaken("n1", "she said a name", has_text=True),
        )
        await stranger.wait_for("stillroom/garden/event", 2)
        cued, note = (json.loads(message.payload) for message in stranger.on("stillroom/garden/event"))
    assert cued["kind"] == "prompt_cued"
    assert cued["record"]["prompt"] == "breath"
    assert note["record"] == {"kind": "note_taken", "note_id": "n1", "has_text": True}
    assert "name" not in json.dumps(note)


async def test_many_changes_make_few_states_and_the_last_is_right(setting: tuple[AnyBroker, House]) -> None:
    _, house = setting
    async with stranger_on(setting, "stillroom/garden/state") as stranger:
        await stranger.wait_for("stillroom/garden/state")
        for _ in range(200):
            house.room.change()
            await asyncio.sleep(0.001)
        last = house.room.revision

        def seen() -> bool:
            return bool(json.loads(stranger.got[-1].payload)["revision"] == last)

        await until(seen)
        assert len(stranger.got) < 30


async def test_the_room_is_offline_when_the_daemon_goes_and_when_it_dies(
    setting: tuple[AnyBroker, House],
) -> None:
    broker, _ = setting
    second = MqttLink(RealClock(), MqttSettings("127.0.0.1", broker.port, "other"), will_for("other"))
    async with stranger_on(setting, "stillroom/other/status") as stranger:
        async with running(second.run):
            await until(lambda: second.up)
            second.publish("stillroom/other/status", b"online", qos=1, retain=True)
            await stranger.wait_for("stillroom/other/status")
        assert (await stranger.wait_for("stillroom/other/status", 2)).payload == b"offline"
        async with running(second.run):
            await until(lambda: second.up)
            connection = second._connection
            assert connection is not None
            sock = connection._socket()
            assert sock is not None
            sock.shutdown(2)  # as if the process had died
            assert (await stranger.wait_for("stillroom/other/status", 3)).payload == b"offline"


async def test_a_prompt_device_is_known_while_it_is_there(setting: tuple[AnyBroker, House]) -> None:
    _, house = setting
    async with stranger_on(setting) as stranger:
        assert not house.api.prompt_device_present("garden")
        stranger.publish("stillroom/garden/prompt/device/pillow", b"online", retain=True)
        await until(lambda: house.api.prompt_device_present("garden"))
        stranger.publish("stillroom/garden/prompt/device/pillow", b"offline", retain=True)
        await until(lambda: not house.api.prompt_device_present("garden"))
