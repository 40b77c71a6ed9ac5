"""The real daemon, from outside: a session that runs, every door, and a crash in the middle."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from uuid import uuid4

import pytest
import pytest_asyncio
import websockets
from daemon_rig import Rig
from mqtt_peer import Peer


@pytest_asyncio.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    rig = Rig(tmp_path)
    yield rig
    await rig.clean_up()


async def test_one_command_leads_to_light_sound_a_prompt_and_a_page(rig: Rig) -> None:
    async with Peer(rig.mqtt_port) as peer:
        await rig.start()
        await peer.connect("stillroom/garden/#")

        async def playing() -> bool:
            return bool((await rig.snapshot())["music"]["state"] == "playing")

        await rig.until(playing)
        state = await rig.snapshot()
        assert state["session"]["profile"] == "tiny"
        assert state["session"]["unreviewed"]
        assert state["music"]["title"]
        assert await rig.puts()
        prompt = json.loads(await peer.next_payload("stillroom/garden/prompt/client", 12))
        assert prompt["text"].startswith("Feel both feet")
        async with rig.web() as web:
            page = await web.get("/", follow_redirects=True)
            assert page.status_code == 200
            assert "Stillroom" in page.text
        assert await rig.stop() == 0


async def test_a_command_by_any_door_reaches_the_bridge_and_its_id_counts_once(rig: Rig) -> None:
    await rig.start()
    reply = await rig.command("light", zone="bedside", brightness=60, fade_s=1)
    assert reply["ok"]
    assert reply["journaled"]

    async def bedside_at(percent: float) -> bool:
        live = (await rig.bridge("/sim/live"))["lights"]["3"]
        return bool(abs(live["percent"] - percent) < 1.0)

    await rig.until(lambda: bedside_at(60))

    async with Peer(rig.mqtt_port) as peer:
        await peer.connect("stillroom/garden/#")
        body = {"id": str(uuid4()), "command": "light", "zone": "bedside", "brightness": 20, "fade_s": 1}
        peer.publish("stillroom/garden/command", json.dumps(body))
        await rig.until(lambda: bedside_at(20))

        again = await rig.command("light", **{**body, "brightness": 90})
        assert again["ok"]
        assert again["repeated"]

    url = f"ws://127.0.0.1:{rig.port}/api/v1/rooms/garden/live"
    headers = {"Authorization": f"Bearer {rig.token}"}
    async with websockets.connect(url, additional_headers=headers) as socket:
        await socket.send(
            json.dumps(
                {"id": str(uuid4()), "command": "light", "zone": "path", "brightness": 33, "fade_s": 1}
            )
        )

        async def path_at_33() -> bool:
            live = (await rig.bridge("/sim/live"))["lights"]["5"]
            return bool(abs(live["percent"] - 33) < 1.0)

        await rig.until(path_at_33)

    session = (await rig.snapshot())["session"]["session_id"]
    async with rig.web() as web:
        report = (await web.get(f"/api/v1/sessions/{session}/report")).json()
    held = [row for row in json.dumps(report).split('"kind"') if '"light_held"' in row[:20]]
    assert len(held) == 3
    assert await bedside_at(20)


async def test_a_killed_daemon_comes_back_into_its_session(rig: Rig) -> None:
    await rig.start()
    assert (await rig.command("light", zone="ceiling", brightness=55, fade_s=1))["journaled"]
    assert (await rig.command("extend", minutes=10))["journaled"]

    async def arrived() -> bool:
        return bool(abs((await rig.bridge("/sim/live"))["lights"]["1"]["percent"] - 55) < 1)

    await rig.until(arrived)
    await asyncio.sleep(2.5)
    before = await rig.snapshot()
    rig.kill()
    await asyncio.sleep(1.0)
    after_kill = (await rig.bridge("/sim/live"))["lights"]["1"]["percent"]
    assert after_kill == pytest.approx(55, abs=1)
    await rig.start(profile=None)
    after = await rig.snapshot()
    assert after["session"]["session_id"] == before["session"]["session_id"]
    assert after["session"]["planned_end_ms"] == before["session"]["planned_end_ms"]
    assert after["session"]["session_ms"] > before["session"]["session_ms"]
    ceiling = next(zone for zone in after["zones"] if zone["zone"] == "ceiling")
    assert ceiling["brightness_percent"] == pytest.approx(55, abs=0.1)
    assert ceiling["overrides"]

    async def same_track() -> bool:
        music = (await rig.snapshot())["music"]
        return bool(music["state"] == "playing" and music["title"])

    await rig.until(same_track)
    assert (await rig.command("light_release"))["ok"]


async def test_bridge_gone_and_broker_port_taken_leave_the_rest_running(rig: Rig) -> None:
    rig.write_site()
    site = rig.folder / "stillroom.yaml"
    gone = "{id: hue, driver: hue, address: '127.0.0.1:9'}"
    site.write_text(site.read_text().replace("{id: hue, driver: simulated-hue}", gone))
    taken = await asyncio.start_server(lambda _r, _w: None, "127.0.0.1", rig.mqtt_port)
    async with taken:
        await rig.start()

        async def both() -> bool:
            faults = {fault["part"] for fault in (await rig.snapshot())["faults"]}
            return "lights.hue" in faults and "mqtt" in faults

        await rig.until(both)
        state = await rig.snapshot()
        assert str(rig.mqtt_port) in next(f["message"] for f in state["faults"] if f["part"] == "mqtt")

        async def playing() -> bool:
            return bool((await rig.snapshot())["music"]["state"] == "playing")

        await rig.until(playing)
        assert (await rig.command("hold"))["ok"]
        async with rig.web() as web:
            assert (await web.get("/healthz")).status_code == 503


@pytest.mark.parametrize(
    ("break_it", "expected"),
    [
        (lambda text: text.replace("driver: simulated-hue", "driver: simulated-hu"), "driver"),
        (lambda text: text.replace("zone: path}", "zone: paht}", 1), "path"),
        (lambda text: text + "\nenvelop: {}\n", "envelop"),
    ],
)
async def test_a_bad_site_file_is_refused_with_file_line_and_key(
    rig: Rig, break_it: Callable[[str], str], expected: str
) -> None:
    site = rig.write_site()
    site.write_text(break_it(site.read_text()))
    with pytest.raises(AssertionError) as ended:
        await rig.start()
    assert rig.process is not None
    assert rig.process.returncode == 2
    lines = str(ended.value).splitlines()
    assert any("stillroom.yaml:" in line and expected in line for line in lines)


async def test_a_port_in_use_is_one_clear_line(rig: Rig) -> None:
    taken = await asyncio.start_server(lambda _r, w: w.close(), "127.0.0.1", rig.port)
    async with taken:
        rig.data.mkdir()
        rig.write_site()
        rig.place_music()
        import sys

        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "controller.cli", "run", f"--site={rig.folder / 'stillroom.yaml'}"),
            *(f"--data={rig.data}", f"--port={rig.port}", f"--mqtt-port={rig.mqtt_port}", "--no-render"),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        _, err = await process.communicate()
        assert process.returncode == 2
        assert err.decode().count("\n") == 1
        assert str(rig.port) in err.decode()
