"""Home Assistant discovery: its structure, and what every template does there."""

import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from jinja2 import Environment
from mqtt_fake_room import MqttFakeRoom
from pydantic import TypeAdapter

from controller.clock import ManualClock
from controller.core.records import PromptAcknowledged, PromptCued, Record, SessionHeld
from controller.core.score import Audience
from controller.core.snapshot import Snapshot
from controller.mqtt_homeassistant import Discovery, discovery_messages, withdrawal_messages
from controller.mqtt_messages import encode_event
from controller.wire import parse_command

NOW_MS = 1_790_000_000_123

# What Home Assistant 2024.3's MQTT platforms accept (their voluptuous schemas refuse anything else).
COMMON = {
    "name", "unique_id", "object_id", "icon", "device", "origin", "availability_topic", "qos",
    "entity_category", "platform",
}  # fmt: skip
ALLOWED = {
    "sensor": COMMON
    | {"state_topic", "value_template", "unit_of_measurement", "state_class", "device_class"},
    "button": COMMON | {"command_topic", "command_template"},
    "number": COMMON
    | {
        "state_topic",
        "value_template",
        "command_topic",
        "command_template",
        "min",
        "max",
        "step",
        "mode",
        "unit_of_measurement",
    },
    "select": COMMON | {"state_topic", "value_template", "command_topic", "command_template", "options"},
    "event": COMMON | {"state_topic", "value_template", "event_types"},
}
REQUIRED = {
    "sensor": {"state_topic"},
    "button": {"command_topic"},
    "number": {"command_topic"},
    "select": {"command_topic", "options"},
    "event": {"state_topic", "event_types"},
}


@pytest.fixture
def room() -> MqttFakeRoom:
    return MqttFakeRoom(ManualClock(NOW_MS))


def messages(room: MqttFakeRoom, discovery: Discovery) -> dict[str, dict[str, Any]]:
    return {topic: json.loads(payload) for topic, payload in discovery_messages(room, discovery)}


def components(room: MqttFakeRoom) -> dict[str, dict[str, Any]]:
    found = messages(room, Discovery.DEVICE)["homeassistant/device/stillroom_garden/config"]["components"]
    assert isinstance(found, dict)
    return found


def render(template: str, at_ms: int = NOW_MS, **values: object) -> str:
    """Render as Home Assistant does: its filters that we use, on jinja2."""
    environment = Environment(autoescape=False)
    environment.filters["as_datetime"] = lambda stamp: datetime.fromtimestamp(stamp, tz=UTC)
    environment.filters["to_json"] = json.dumps
    environment.globals["now"] = lambda: datetime.fromtimestamp(at_ms / 1000, tz=UTC)
    return environment.from_string(template).render(**values)


def state(room: MqttFakeRoom) -> Any:
    return json.loads(TypeAdapter(Snapshot).dump_json(room.snapshot()))


def test_one_message_for_the_device_and_one_for_each_entity(room: MqttFakeRoom) -> None:
    both = messages(room, Discovery.BOTH)
    device = both["homeassistant/device/stillroom_garden/config"]
    assert device["device"]["identifiers"] == ["stillroom_garden"]
    assert device["device"]["name"] == "Garden room"
    assert device["origin"]["name"] == "Stillroom"
    assert device["availability_topic"] == "stillroom/garden/status"
    wanted = {
        "sensor": {"phase", "session", "progress", "planned_end", "faults"},
        "button": {"hold", "resume", "next_phase", "help_light", "help_light_off", "silence", "sound"},
        "number": {"light", "volume"},
        "select": {"profile", "mood"},
        "event": {"prompts"},
    }
    for platform, keys in wanted.items():
        for key in keys:
            assert device["components"][key]["platform"] == platform
            assert f"homeassistant/{platform}/stillroom_garden/{key}/config" in both
    assert len(both) == 1 + sum(map(len, wanted.values()))
    assert messages(room, Discovery.OFF) == {}


def test_nothing_is_said_that_home_assistant_refuses(room: MqttFakeRoom) -> None:
    for topic, payload in messages(room, Discovery.COMPONENT).items():
        platform = topic.split("/")[1]
        assert set(payload) <= ALLOWED[platform] - {"platform"}, topic
        assert REQUIRED[platform] | {"unique_id", "device"} <= set(payload)
        assert payload["availability_topic"] == "stillroom/garden/status"
    for entity in components(room).values():
        assert set(entity) <= ALLOWED[entity["platform"]]
    ids = [entity["unique_id"] for entity in components(room).values()]
    assert len(ids) == len(set(ids))


def test_both_ways_describe_the_same_entities(room: MqttFakeRoom) -> None:
    device = components(room)
    for topic, payload in messages(room, Discovery.COMPONENT).items():
        key = topic.split("/")[3]
        alone = {name: value for name, value in device[key].items() if name != "platform"}
        assert alone.items() <= payload.items()


@pytest.mark.parametrize(
    ("key", "value", "wanted"),
    [
        ("hold", "PRESS", {"command": "hold"}),
        ("resume", "PRESS", {"command": "resume"}),
        ("next_phase", "PRESS", {"command": "next_phase"}),
        ("help_light", "PRESS", {"command": "scene", "scene": "help"}),
        ("help_light_off", "PRESS", {"command": "scene_release", "scene": "help"}),
        ("silence", "PRESS", {"command": "silence"}),
        ("sound", "PRESS", {"command": "sound"}),
        ("light", 35.0, {"command": "light", "brightness": 35.0}),
        ("volume", -6, {"command": "volume", "db": -6.0}),
        ("profile", "quiet", {"command": "start", "profile": "quiet"}),
        ("mood", "tender", {"command": "mood", "pool": "tender"}),
    ],
)
def test_what_an_entity_sends_is_a_command(
    room: MqttFakeRoom, key: str, value: object, wanted: dict[str, object]
) -> None:
    entity = components(room)[key]
    assert entity["command_topic"] == "stillroom/garden/command"
    request = parse_command(render(entity["command_template"], value=value))
    assert request.model_dump().items() >= wanted.items()
    assert request.sent_at_ms == NOW_MS


def test_a_second_press_has_another_id_and_two_entities_never_the_same(room: MqttFakeRoom) -> None:
    found: set[UUID] = set()
    other = MqttFakeRoom(ManualClock(NOW_MS), "attic")
    there = json.loads(discovery_messages(other, Discovery.DEVICE)[0][1])["components"]
    entities = [*components(room).values(), *there.values()]
    templates = [entity["command_template"] for entity in entities if "command_template" in entity]
    for template in templates:
        for at_ms in (NOW_MS, NOW_MS + 1):
            found.add(parse_command(render(template, at_ms, value=1)).id)
    assert len(found) == 2 * len(templates)


def test_what_an_entity_shows_is_the_rooms_state(room: MqttFakeRoom) -> None:
    found = components(room)

    def shown(key: str) -> str:
        return render(found[key]["value_template"], value_json=state(room))

    assert shown("phase") == "Sit"
    assert shown("session") == "running"
    assert shown("progress") == "25.0"
    assert shown("planned_end").startswith("2026-")
    assert shown("faults") == "none"
    assert shown("light") == "30"
    assert shown("volume") == "0"
    assert shown("profile") == "quiet"
    assert shown("mood") == "warm"
    room.running = False
    assert (shown("phase"), shown("session"), shown("progress")) == ("none", "none", "0")
    assert (shown("planned_end"), shown("profile")) == ("None", "None")


def test_prompts_are_events_and_other_records_are_none(room: MqttFakeRoom) -> None:
    template = components(room)["prompts"]["value_template"]

    def shown(body: Any) -> str:
        return render(template, value_json=json.loads(encode_event(Record(1, "x", body))))

    cued = json.loads(shown(PromptCued("p-1", "breath", Audience.CLIENT, None, 60)))
    assert cued == {"event_type": "prompt_cued", "prompt": "breath", "audience": "client", "result": ""}
    assert json.loads(shown(PromptAcknowledged("p-1", "spoken")))["result"] == "spoken"
    assert shown(SessionHeld()) == ""


def test_a_room_can_be_taken_out_again(room: MqttFakeRoom) -> None:
    gone = dict(withdrawal_messages(room))
    assert set(gone) == set(messages(room, Discovery.BOTH))
    assert set(gone.values()) == {b""}
