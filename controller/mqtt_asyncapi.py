"""The AsyncAPI 3 document of the MQTT interface, made from the models that the door itself uses.

``python -m controller.mqtt_asyncapi FILE`` writes it; a test checks that the stored one is fresh.
"""

import json
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from pydantic import TypeAdapter
from pydantic.json_schema import models_json_schema

from controller.core.snapshot import Snapshot
from controller.mqtt_homeassistant import Discovery
from controller.mqtt_messages import EventMessage, PromptAckMessage, PromptMessage
from controller.mqtt_topics import Topics
from controller.wire import CommandRequest, Reply

_REF: Final = "#/components/schemas/{model}"
_ROOM: Final = "{room}"


def asyncapi_document() -> dict[str, Any]:
    """Return the document as plain JSON values."""
    channels = _channels()
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Stillroom over MQTT",
            "version": version("stillroom"),
            "description": (
                "One session room's light, music and prompts, seen and commanded over MQTT. MQTT v5 is "
                "spoken where the broker can; on a 3.1.1 broker answers come on `reply` and nothing expires."
            ),
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "servers": {
            "site": {
                "host": "localhost:1883",
                "protocol": "mqtt",
                "protocolVersion": "5",
                "description": "The site's broker",
            }
        },
        "channels": channels,
        "operations": _operations(),
        "components": {"messages": _messages(), "schemas": _schemas()},
    }


def write_document(path: Path) -> None:
    """Write the document, readable and stable from run to run."""
    text = json.dumps(asyncapi_document(), indent=1, sort_keys=True, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8")


def _schemas() -> dict[str, Any]:
    models = [(model, "validation") for model in (PromptMessage, PromptAckMessage, EventMessage)]
    _, shared = models_json_schema(
        [*models, (Reply, "serialization")],  # type: ignore[list-item]
        ref_template=_REF,
    )
    found: dict[str, Any] = dict(shared["$defs"])
    adapters: dict[str, TypeAdapter[Any]] = {
        "Snapshot": TypeAdapter(Snapshot),
        "Command": TypeAdapter(CommandRequest),
    }
    for name, adapter in adapters.items():
        mode = "serialization" if name == "Snapshot" else "validation"
        schema = adapter.json_schema(ref_template=_REF, mode=mode)  # type: ignore[arg-type]
        found.update(schema.pop("$defs", {}))
        if "discriminator" in schema:
            schema["discriminator"] = "command"  # AsyncAPI wants the field's name alone
        found[name] = schema
    return found


def _messages() -> dict[str, Any]:
    def message(schema: str, summary: str, **more: object) -> dict[str, Any]:
        return {
            "name": schema,
            "summary": summary,
            "payload": {"$ref": _REF.format(model=schema)},
            **more,
        }

    return {
        "Status": {
            "name": "Status",
            "summary": "Whether the room's daemon is there. Retained; `offline` comes from the broker too.",
            "contentType": "text/plain",
            "payload": {"type": "string", "enum": ["online", "offline"]},
        },
        "State": message("Snapshot", "Everything a tablet shows. Retained; at every change and every 10 s."),
        "Command": message(
            "Command",
            "One command. Never retained; refused when `sent_at_ms` is more than 5 s old; the same `id` "
            "again is answered with the first answer and changes nothing.",
            correlationId={
                "description": "MQTT v5 correlation data, given back with the answer",
                "location": "$message.header#/correlationData",
            },
            headers={"type": "object", "properties": {"correlationData": {"type": "string"}}},
        ),
        "Reply": message("Reply", "What was applied and journaled, or why it was refused."),
        "Prompt": message(
            "PromptMessage", "A prompt. QoS 1, expires with its `ttl_s`, never retained, never repeated."
        ),
        "PromptAck": message("PromptAckMessage", "What became of a prompt."),
        "Event": message("EventMessage", "A journal record, free text left out."),
        "PromptDevice": {
            "name": "PromptDevice",
            "summary": "Whether a prompt device is there. Retained, with a will.",
            "contentType": "text/plain",
            "payload": {"type": "string", "enum": ["online", "offline"]},
        },
        "Discovery": {
            "name": "Discovery",
            "summary": f"Home Assistant discovery ({', '.join(item.value for item in Discovery)}). Retained.",
            "payload": {"type": "object"},
        },
    }


def _channels() -> dict[str, Any]:
    topics = Topics(_ROOM)
    addresses = {
        "status": (topics.status, "Status"),
        "state": (topics.state, "State"),
        "command": (topics.command, "Command"),
        "reply": (topics.reply, "Reply"),
        "response": (None, "Reply"),
        "promptClient": (topics.prompt("client"), "Prompt"),
        "promptTherapist": (topics.prompt("therapist"), "Prompt"),
        "promptAck": (topics.prompt_ack, "PromptAck"),
        "promptDevice": (topics.prompt_device("{device}"), "PromptDevice"),
        "event": (topics.event, "Event"),
        "discovery": ("homeassistant/device/stillroom_{room}/config", "Discovery"),
    }
    parameters = {
        "room": {"description": "the room's id, as in the site file"},
        "device": {"description": "the prompt device's name"},
    }
    found: dict[str, Any] = {}
    for name, (address, message) in addresses.items():
        channel: dict[str, Any] = {
            "address": address,
            "messages": {message: {"$ref": f"#/components/messages/{message}"}},
        }
        used = {key: value for key, value in parameters.items() if address and f"{{{key}}}" in address}
        if used:
            channel["parameters"] = used
        found[name] = channel
    return found


def _operations() -> dict[str, Any]:
    def operation(
        action: str,
        channel: str,
        message: str,
        summary: str,
        *,
        qos: int,
        retain: bool = False,
        **more: object,
    ) -> dict[str, Any]:
        return {
            "action": action,
            "channel": {"$ref": f"#/channels/{channel}"},
            "messages": [{"$ref": f"#/channels/{channel}/messages/{message}"}],
            "summary": summary,
            "bindings": {"mqtt": {"qos": qos, "retain": retain, "bindingVersion": "0.2.0"}},
            **more,
        }

    answer = {
        "address": {"location": "$message.header#/responseTopic", "description": "MQTT v5 response topic"},
        "channel": {"$ref": "#/channels/response"},
        "messages": [{"$ref": "#/channels/response/messages/Reply"}],
    }
    return {
        "announceStatus": operation(
            "send", "status", "Status", "Say whether the room is there", qos=1, retain=True
        ),
        "sendState": operation("send", "state", "State", "Say what the room is doing", qos=0, retain=True),
        "obeyCommand": operation("receive", "command", "Command", "Obey a command", qos=1, reply=answer),
        "answerWithoutResponseTopic": operation("send", "reply", "Reply", "Answer who named no topic", qos=1),
        "cueClient": operation("send", "promptClient", "Prompt", "Cue words to the client", qos=1),
        "cueTherapist": operation("send", "promptTherapist", "Prompt", "Show the therapist a card", qos=1),
        "hearAcknowledgement": operation(
            "receive", "promptAck", "PromptAck", "Hear what became of a prompt", qos=1
        ),
        "knowPromptDevice": operation(
            "receive",
            "promptDevice",
            "PromptDevice",
            "Know which prompt devices are there",
            qos=1,
            retain=True,
        ),
        "tellEvent": operation("send", "event", "Event", "Tell what happened", qos=1),
        "describeRoom": operation("send", "discovery", "Discovery", "Describe the room", qos=1, retain=True),
    }


if __name__ == "__main__":
    write_document(Path(sys.argv[1] if len(sys.argv) > 1 else "schemas/asyncapi.json"))
