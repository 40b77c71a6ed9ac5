"""The MQTT documents are true: the AsyncAPI file is fresh, and the page's examples do what they say."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import jsonschema
import pytest
from mqtt_brokers import Mosquitto, running, until
from mqtt_fake_room import MqttFakeRoom
from pydantic import TypeAdapter

from controller.clock import RealClock
from controller.core.records import NoteTaken, Record
from controller.core.score import Audience
from controller.core.snapshot import Snapshot
from controller.mqtt_api import MqttApi, MqttPrompts
from controller.mqtt_asyncapi import asyncapi_document, write_document
from controller.mqtt_messages import encode_event, encode_prompt
from controller.mqtt_topics import will_for
from controller.ports import Prompt
from controller.wire import Reply, command_names
from hardware.mqtt_link import MqttLink, MqttSettings

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/mqtt.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)


def test_the_stored_document_is_fresh(tmp_path: Path) -> None:
    write_document(tmp_path / "made.json")
    stored = (ROOT / "schemas/asyncapi.json").read_text(encoding="utf-8")
    assert (tmp_path / "made.json").read_text(encoding="utf-8") == stored, (
        "run: python -m controller.mqtt_asyncapi schemas/asyncapi.json"
    )


def references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for value in node.values():
            yield from references(value)
    elif isinstance(node, list):
        for value in node:
            yield from references(value)


def test_every_reference_leads_somewhere() -> None:
    document = asyncapi_document()
    found = set(references(document))
    assert len(found) > 40
    for reference in found:
        node: Any = document
        for part in reference.removeprefix("#/").split("/"):
            node = node[part]


def test_every_command_is_in_it() -> None:
    command = asyncapi_document()["components"]["schemas"]["Command"]
    assert len(command["oneOf"]) == len(command_names())
    assert command["discriminator"] == "command"


def test_what_really_goes_out_fits_the_schemas() -> None:
    document = asyncapi_document()
    room = MqttFakeRoom(RealClock())
    samples = {
        "Snapshot": TypeAdapter(Snapshot).dump_json(room.snapshot()),
        "PromptMessage": encode_prompt(Prompt("p-1", "feet", None, Audience.CLIENT, 60)),
        "EventMessage": encode_event(Record(1, "x", NoteTaken("n", "tears", has_text=False))),
        "Reply": Reply(id=uuid4(), ok=True).model_dump_json().encode(),
        "PromptAckMessage": b'{"id": "p-1", "by": "pillow", "result": "spoken"}',
        "Command": json.dumps({"id": str(uuid4()), "command": "light", "brightness": 4}).encode(),
    }
    for name, payload in samples.items():
        # AsyncAPI's discriminator is a name; JSON Schema passes it over.
        schema = {"$ref": f"#/components/schemas/{name}", **document}
        jsonschema.validate(json.loads(payload), schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"command": "light"}, {"$ref": "#/components/schemas/Command", **document})


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[tuple[int, MqttFakeRoom, MqttPrompts]]:
    broker = Mosquitto(tmp_path)
    await broker.start()
    clock = RealClock()
    room = MqttFakeRoom(clock)
    link = MqttLink(clock, MqttSettings("127.0.0.1", broker.port, "stillroom-garden"), will_for("garden"))
    async with running(MqttApi({"garden": link}, {"garden": room}, clock).run):
        await until(lambda: link.up)
        yield broker.port, room, MqttPrompts(link, "garden")
    await broker.kill()


@pytest.mark.parametrize("example", EXAMPLES, ids=[re.sub(r"\W+", "-", text[:70]) for text in EXAMPLES])
async def test_an_example_of_the_page(example: str, site: tuple[int, MqttFakeRoom, MqttPrompts]) -> None:
    port, room, prompts = site
    assert "-h localhost -p 1883" in example
    script = example.replace("-h localhost -p 1883", f"-h 127.0.0.1 -p {port}")
    process = await asyncio.create_subprocess_exec(
        "/bin/sh", "-c", script, cwd=ROOT, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )

    async def cue() -> None:
        for number in range(50):
            prompts.publish(Prompt(f"p-{number}", "Feel both feet.", None, Audience.CLIENT, 60))
            await asyncio.sleep(0.1)

    if "prompt/client" in example:
        async with running(cue):
            out, err = await process.communicate()
    else:
        out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    if "command" in example:
        await until(lambda: room.applied)
        assert room.names[0] in example
    if "mosquitto_rr" in example:
        assert json.loads(out)["ok"]
    elif "garden/status" in example:
        assert out == b"online\n"
    elif "garden/state" in example:
        assert json.loads(out)["room"] == "garden"
    elif "prompt/client" in example:
        assert json.loads(out)["text"] == "Feel both feet."
    elif "prompt/ack" in example:
        await until(lambda: room.names == ["prompt_ack"])


def test_there_are_as_many_examples_as_kinds_of_topic() -> None:
    assert len(EXAMPLES) >= 8


def test_the_node_red_flow_hangs_together() -> None:
    flow = json.loads((ROOT / "docs/examples/node-red-flow.json").read_text(encoding="utf-8"))
    ids = {node["id"] for node in flow}
    assert len(ids) == len(flow)
    for node in flow:
        for wire in node.get("wires", []):
            assert set(wire) <= ids
        if node["type"].startswith("mqtt "):
            assert node["broker"] in ids
            assert node.get("retain", "false") == "false"
            assert node["topic"].startswith("stillroom/garden/")
