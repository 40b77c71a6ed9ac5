"""Home Assistant's own code takes our discovery, shows the room, and its hold button holds the session.

``make test-homeassistant`` makes the environment it needs; without it these tests are skipped.
"""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from mqtt_brokers import Mosquitto

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests" / "shell"))

from daemon_rig import Rig  # noqa: E402

PYTHON = ROOT / ".venv-homeassistant" / "bin" / "python"
WANTED = "STILLROOM_TEST_HOMEASSISTANT"

pytestmark = [
    pytest.mark.real_time,
    pytest.mark.skipif(
        not PYTHON.exists() and WANTED not in os.environ,
        reason="Home Assistant is a large package: make test-homeassistant",
    ),
]

ENTITIES = {
    "sensor": ("phase", "session", "progress", "planned_end", "faults"),
    "button": ("hold", "resume", "next_phase", "help_light", "help_light_off", "silence", "sound"),
    "number": ("light", "volume"),
    "select": ("profile", "mood"),
    "event": ("prompts",),
}


class HomeAssistant:
    """The core in its own process."""

    def __init__(self, process: asyncio.subprocess.Process, log: Path) -> None:
        self._process, self._log = process, log

    async def ask(self, **question: object) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(question).encode() + b"\n")
        async with asyncio.timeout(20):
            line = await self._process.stdout.readline()
        found: dict[str, Any] = json.loads(line)
        assert "error" not in found, found
        return found

    async def press(self, entity: str) -> None:
        await self.ask(ask="call", domain="button", service="press", data={"entity_id": entity})

    async def state(self, entity: str, wanted: Callable[[str], bool], seconds: float = 15) -> str:
        """Wait until Home Assistant shows what is wanted."""
        value = "nothing"
        for _ in range(round(seconds / 0.1)):
            states = (await self.ask(ask="states"))["states"]
            value = str(states.get(entity, {}).get("state", "nothing"))
            if wanted(value):
                return value
            await asyncio.sleep(0.1)
        raise AssertionError(f"{entity} is {value!r}; of {sorted(states)}; {self._log.read_text()[-3000:]}")


@asynccontextmanager
async def home_assistant(folder: Path, port: int) -> AsyncIterator[HomeAssistant]:
    log = (folder / "homeassistant.log").open("wb")
    process = await asyncio.create_subprocess_exec(
        str(PYTHON),
        str(Path(__file__).with_name("homeassistant_core.py")),
        str(folder / "homeassistant"),
        str(port),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=log,
        limit=4_000_000,
    )
    try:
        assert process.stdout is not None
        async with asyncio.timeout(60):
            ready = await process.stdout.readline()
        assert ready, (folder / "homeassistant.log").read_text()[-3000:]
        yield HomeAssistant(process, folder / "homeassistant.log")
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        log.close()


@pytest.mark.parametrize("discovery", ["component", "both"])
async def test_home_assistant_shows_the_room_and_its_button_holds_the_session(
    tmp_path: Path, discovery: str
) -> None:
    rig = Rig(tmp_path)
    broker = Mosquitto(tmp_path / "broker", port=rig.mqtt_port)
    await broker.start()
    rig.write_site(mqtt=f"mqtt: {{host: 127.0.0.1, discovery: {discovery}}}")
    try:
        async with home_assistant(tmp_path, rig.mqtt_port) as home:
            await rig.start()
            node = "stillroom_garden"
            await home.state(f"sensor.{node}_session", lambda value: value == "running", 20)
            found = await home.ask(ask="states")
            for platform, keys in ENTITIES.items():
                for key in keys:
                    entity = f"{platform}.{node}_{key}"
                    assert entity in found["states"], f"{entity} is not shown"
                    assert found["states"][entity]["state"] != "unavailable", entity
                    assert found["platforms"][entity] == "mqtt"
            assert len(found["devices"]) == 1
            assert found["states"][f"sensor.{node}_phase"]["state"] == "Settle"
            assert "tiny" in found["states"][f"select.{node}_profile"]["attributes"]["options"]
            assert 0 <= float(found["states"][f"number.{node}_light"]["state"]) <= 100

            await home.press(f"button.{node}_hold")
            await home.state(f"sensor.{node}_session", lambda value: value == "held")
            assert (await rig.snapshot())["session"]["status"] == "held"
            await home.press(f"button.{node}_resume")
            await home.state(f"sensor.{node}_session", lambda value: value == "running")

            await rig.stop()
            await home.state(f"button.{node}_hold", lambda value: value == "unavailable")
        log = (tmp_path / "homeassistant.log").read_text()
        assert "Error while processing" not in log
        assert "Invalid config" not in log
        assert "Exception" not in log
    finally:
        if rig.process is not None:
            await rig.stop()
        await broker.kill()
