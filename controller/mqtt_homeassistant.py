"""Home Assistant discovery: a room as one device with sensors, buttons, numbers, selects and an event.

It only describes: every entity reads the room's own topics and sends the room's own commands. Since
Home Assistant cannot make a UUID, each template builds one from the entity and the millisecond, so that a
message delivered twice counts once and a second press counts again.

Home Assistant from 2024.11 takes one message for the whole device; before, one per entity. ``BOTH`` is
understood by all (newer ones then log that the entities are already there).
"""

from collections.abc import Callable
from enum import StrEnum
from hashlib import sha256
from importlib.metadata import version
from typing import Any, Final

from pydantic_core import to_json

from controller.api import RoomApi
from controller.core.broker_access import DISCOVERY_PREFIX
from controller.mqtt_topics import Topics


class Discovery(StrEnum):
    """Which discovery messages are sent."""

    OFF = "off"
    DEVICE = "device"
    COMPONENT = "component"
    BOTH = "both"


Entity = dict[str, Any]

_SESSION: Final = "value_json.session"


def discovery_messages(room: RoomApi, discovery: Discovery) -> list[tuple[str, bytes]]:
    """Return the retained messages, topic and payload, that announce a room."""
    topics = Topics(room.room_id)
    entities = _entities(room, topics)
    shared = {
        "device": _device(room),
        "origin": {"name": "Stillroom", "sw": version("stillroom")},
    }
    node = _node(room.room_id)
    messages: list[tuple[str, bytes]] = []
    if discovery in (Discovery.DEVICE, Discovery.BOTH):
        payload = {**shared, "components": entities, **_availability(topics), "qos": 1}
        messages.append((f"{DISCOVERY_PREFIX}/device/{node}/config", to_json(payload)))
    if discovery in (Discovery.COMPONENT, Discovery.BOTH):
        for key, entity in entities.items():
            alone = {name: value for name, value in entity.items() if name != "platform"}
            payload = {**alone, **shared, **_availability(topics), "qos": 1}
            topic = f"{DISCOVERY_PREFIX}/{entity['platform']}/{node}/{key}/config"
            messages.append((topic, to_json(payload)))
    return messages


def withdrawal_messages(room: RoomApi) -> list[tuple[str, bytes]]:
    """Return the empty retained messages that take a room out of Home Assistant."""
    return [(topic, b"") for topic, _ in discovery_messages(room, Discovery.BOTH)]


def _node(room_id: str) -> str:
    safe = "".join(sign if sign.isalnum() and sign.isascii() else "_" for sign in room_id)
    return f"stillroom_{safe}"


def _device(room: RoomApi) -> dict[str, Any]:
    return {
        "identifiers": [_node(room.room_id)],
        "name": room.snapshot().title or room.room_id,
        "manufacturer": "Stillroom",
        "model": "Session room",
        "sw_version": version("stillroom"),
    }


def _availability(topics: Topics) -> dict[str, Any]:
    return {"availability_topic": topics.status}


def _command_template(key: str, fields: str) -> str:
    """Return a Jinja template that renders a command with an id and a timestamp of its own."""
    salt = sha256(key.encode()).hexdigest()
    now = "(now().timestamp() * 1000) | int"
    made = f"{salt[:8]}-{salt[8:12]}-4{salt[13:16]}-8{salt[17:20]}-{{{{ '%012x' | format({now}) }}}}"
    return f'{{"id": "{made}", "sent_at_ms": {{{{ {now} }}}}, {fields}}}'


def _entities(room: RoomApi, topics: Topics) -> dict[str, Entity]:
    node = _node(room.room_id)
    entities = {**_sensors(topics), **_buttons(topics), **_numbers(topics), **_selects(room, topics)}
    entities["prompts"] = {
        "platform": "event",
        "name": "Prompts",
        "icon": "mdi:message-text-outline",
        "state_topic": topics.event,
        "event_types": ["prompt_cued", "prompt_acknowledged"],
        "value_template": (
            "{% if value_json.kind in ('prompt_cued', 'prompt_acknowledged') %}"
            "{{ {'event_type': value_json.kind, 'prompt': value_json.record.prompt | default(''),"
            " 'audience': value_json.record.audience | default(''),"
            " 'result': value_json.record.result | default('')} | to_json }}{% endif %}"
        ),
    }
    for key, entity in entities.items():
        entity["unique_id"] = f"{node}_{key}"
        entity["object_id"] = f"{node}_{key}"
    return entities


def _sensors(topics: Topics) -> dict[str, Entity]:
    def sensor(name: str, template: str, **more: object) -> Entity:
        return {
            "platform": "sensor",
            "name": name,
            "state_topic": topics.state,
            "value_template": template,
            **more,
        }

    length = f"({_SESSION}.planned_end_ms - {_SESSION}.started_at_ms)"
    done = f"(value_json.now_ms - {_SESSION}.started_at_ms)"
    return {
        "phase": sensor(
            "Phase",
            f"{{{{ {_SESSION}.phase_title if {_SESSION} else 'none' }}}}",
            icon="mdi:timeline-clock-outline",
        ),
        "session": sensor(
            "Session", f"{{{{ {_SESSION}.status if {_SESSION} else 'none' }}}}", icon="mdi:meditation"
        ),
        "progress": sensor(
            "Progress",
            f"{{{{ [[(100 * {done} / {length}) | round(1), 0] | max, 100] | min"
            f" if {_SESSION} and {length} > 0 else 0 }}}}",
            unit_of_measurement="%",
            state_class="measurement",
            icon="mdi:progress-clock",
        ),
        "planned_end": sensor(
            "Planned end",
            f"{{{{ ({_SESSION}.planned_end_ms / 1000) | as_datetime if {_SESSION} else None }}}}",
            device_class="timestamp",
        ),
        "faults": sensor(
            "Faults",
            "{{ value_json.faults | map(attribute='part') | join(', ') or 'none' }}",
            icon="mdi:alert-circle-outline",
            entity_category="diagnostic",
        ),
    }


def _buttons(topics: Topics) -> dict[str, Entity]:
    def button(name: str, fields: str, icon: str) -> Callable[[str], Entity]:
        return lambda key: {
            "platform": "button",
            "name": name,
            "icon": icon,
            "command_topic": topics.command,
            "command_template": _command_template(f"{topics.base}/{key}", fields),
        }

    makers = {
        "hold": button("Hold", '"command": "hold"', "mdi:pause"),
        "resume": button("Resume", '"command": "resume"', "mdi:play"),
        "next_phase": button("Next phase", '"command": "next_phase"', "mdi:skip-next"),
        "help_light": button("Help light", '"command": "scene", "scene": "help"', "mdi:lightbulb-alert"),
        "help_light_off": button(
            "Help light off", '"command": "scene_release", "scene": "help"', "mdi:lightbulb-off-outline"
        ),
        "silence": button("Silence", '"command": "silence"', "mdi:volume-off"),
        "sound": button("Sound", '"command": "sound"', "mdi:volume-high"),
    }
    return {key: make(key) for key, make in makers.items()}


def _numbers(topics: Topics) -> dict[str, Entity]:
    return {
        "light": {
            "platform": "number",
            "name": "Light",
            "icon": "mdi:brightness-6",
            "state_topic": topics.state,
            "value_template": (
                "{{ (value_json.zones | map(attribute='brightness_percent') | sum"
                " / ([value_json.zones | count, 1] | max)) | round(0) | int }}"
            ),
            "command_topic": topics.command,
            "command_template": _command_template(
                f"{topics.base}/light", '"command": "light", "brightness": {{ value }}'
            ),
            "min": 0,
            "max": 100,
            "step": 1,
            "unit_of_measurement": "%",
            "mode": "slider",
        },
        "volume": {
            "platform": "number",
            "name": "Volume trim",
            "icon": "mdi:volume-medium",
            "state_topic": topics.state,
            "value_template": "{{ value_json.music.trim_db | round(0) | int }}",
            "command_topic": topics.command,
            "command_template": _command_template(
                f"{topics.base}/volume", '"command": "volume", "db": {{ value }}'
            ),
            "min": -40,
            "max": 12,
            "step": 1,
            "unit_of_measurement": "dB",
            "mode": "slider",
        },
    }


def _selects(room: RoomApi, topics: Topics) -> dict[str, Entity]:
    found: dict[str, Entity] = {}
    lists = {
        "profile": (
            "Start profile",
            [item.name for item in room.profiles()],
            f"{_SESSION}.profile",
            "start",
            "profile",
        ),
        "mood": ("Mood", [item.name for item in room.pools()], "value_json.music.pool", "mood", "pool"),
    }
    for key, (name, options, value, command, field) in lists.items():
        if not options:
            continue  # Home Assistant refuses a select without options
        present = f"{_SESSION} and {value}" if key == "profile" else value
        found[key] = {
            "platform": "select",
            "name": name,
            "icon": "mdi:playlist-music" if key == "mood" else "mdi:book-open-outline",
            "state_topic": topics.state,
            # "None" is Home Assistant's word for "nothing is selected".
            "value_template": f"{{{{ {value} if {present} else 'None' }}}}",
            "command_topic": topics.command,
            "command_template": _command_template(
                f"{topics.base}/{key}", f'"command": "{command}", "{field}": "{{{{ value }}}}"'
            ),
            "options": options,
        }
    return found
