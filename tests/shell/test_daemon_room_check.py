"""The room check of the real daemon with its simulated bridge: what is wrong fails, and nothing else does."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from daemon_rig import Rig

from controller.running_daemon import FILE

MACHINES_OWN = ("machine", "tablets")
"""Clock and disk are those of whatever runs the tests."""


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    rig = Rig(tmp_path)
    site = rig.write_site()
    text = site.read_text(encoding="utf-8")
    site.write_text(text.replace("audio: {output: null", "audio: {output: silent"), encoding="utf-8")
    yield rig
    await rig.clean_up()


async def sim(rig: Rig, path: str, body: object) -> None:
    address = json.loads((rig.data / "simulated-hue.json").read_text())["address"]
    async with httpx.AsyncClient(trust_env=False) as web:
        assert (await web.post(f"http://{address}{path}", json=body)).status_code == 200


async def checked(rig: Rig, **body: Any) -> dict[str, dict[str, str]]:
    """A whole check; its lines by id."""
    path = "/api/v1/rooms/garden/check"
    async with rig.web() as web:
        answer = await web.post(path, json={"ask": False, **body})
        assert answer.status_code == 201, answer.text

        async def done() -> Any:
            view = (await web.get(path)).json()
            return None if view["running"] else view

        view = await rig.until(done, seconds=130)
    return {line["id"]: line for line in view["lines"]}


def outcomes(lines: dict[str, dict[str, str]], outcome: str) -> dict[str, str]:
    return {name: line["message"] for name, line in lines.items() if line["outcome"] == outcome}


async def until_read(rig: Rig) -> None:
    async def reachable() -> bool:
        return all(lamp["reachable"] for lamp in (await rig.snapshot())["lamps"])

    await rig.until(reachable, seconds=30)


async def test_exactly_what_is_wrong_fails(rig: Rig) -> None:
    await rig.start(profile=None)
    await until_read(rig)
    floors = [f"lamp.{lamp['fixture']}.floor" for lamp in (await rig.snapshot())["lamps"]]
    well = await checked(rig, skip=(*MACHINES_OWN, *floors))
    assert outcomes(well, "failed") == {}

    await sim(rig, "/sim/reachable", {"lights": [1], "reachable": False})
    await sim(rig, "/sim/startup", {"lights": [4], "settable": False})
    (rig.folder / "music" / "nature" / "nature-1.flac").unlink()
    lines = await checked(rig, skip=MACHINES_OWN)
    failed = outcomes(lines, "failed")
    assert set(failed) == {"lamp.ceiling-left.answers", "lamp.bedside-right.power_on", "music.nature"}
    assert "cannot be told how to start" in failed["lamp.bedside-right.power_on"]
    assert failed["music.nature"] == "nature-1.flac: is missing"
    skipped = outcomes(lines, "skipped")
    assert skipped["lamp.ceiling-left.floor"] == "not tried: it does not answer"
    assert skipped["sound.speakers"] == "the site file gives this room no sound device"
    assert lines["mqtt.broker"]["outcome"] == "passed"
    assert lines["lamp.ceiling-right.floor"]["outcome"] == "passed"


async def test_lamps_went_down_to_their_floor_and_came_back_gently(rig: Rig) -> None:
    await rig.start(profile=None)
    await until_read(rig)
    await rig.command("light", zone="bedside", brightness=40.0, kelvin=2500)
    before = await rig.until(lambda: _level(rig, "3", lambda percent: abs(percent - 40.0) < 0.5), 30)
    had = len(await rig.bridge("/sim/history/3"))
    await checked(rig, skip=(*MACHINES_OWN, "music", "sound", "lamps.power_cut"))
    segments = (await rig.bridge("/sim/history/3"))[had:]
    assert 1 in [segment["level_to"] for segment in segments], "it was at its floor"
    after = await rig.until(lambda: _level(rig, "3", lambda percent: abs(percent - before) < 1.0), 30)
    assert after == pytest.approx(before, abs=1.0)
    for segment in segments:
        step = abs(segment["level_to"] - segment["level_from"])
        assert step <= 3 or segment["level_ms"] >= 100, "never a jump"


async def _level(rig: Rig, lamp: str, holds: Any) -> float | None:
    percent = float((await rig.bridge("/sim/live"))["lights"][lamp]["percent"])
    return percent if holds(percent) else None


async def test_a_check_is_refused_in_a_session_and_kept_with_the_next(rig: Rig) -> None:
    await rig.start(profile=None)
    await until_read(rig)
    lines = await checked(rig, skip=("lamps", "sound", "mqtt.prompts", *MACHINES_OWN))
    assert (rig.data / "checks" / "garden.json").stat().st_mode & 0o777 == 0o600
    assert (await rig.command("start", profile="tiny"))["ok"]
    async with rig.web() as web:
        refused = await web.post("/api/v1/rooms/garden/check", json={})
        assert (refused.status_code, "a session runs" in refused.json()["detail"]) == (409, True)
        session = (await rig.snapshot())["session"]["session_id"]
        records = (await web.get(f"/api/v1/sessions/{session}/report")).json()
    kept = [record["body"] for record in records if record["body"]["kind"] == "room_checked"]
    assert [line["line_id"] for line in kept[0]["lines"]] == list(lines)
    assert {line["outcome"] for line in kept[0]["lines"]} <= {"passed", "failed", "skipped"}
    installer = {"Authorization": f"Bearer {rig.make_token('installer')}"}
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{rig.port}", headers=installer) as web:
        for path in ("lamps/path-door/blink", "outputs/speakers/tone"):
            answer = await web.post(f"/api/v1/rooms/garden/{path}")
            assert answer.status_code == 409, path
            assert "a session runs" in answer.json()["detail"]


async def run_check(rig: Rig, *more: str) -> tuple[int, dict[str, Any], str]:
    command = [sys.executable, "-m", "controller.cli", "check", "--json", f"--data={rig.data}", *more]
    process = await asyncio.create_subprocess_exec(
        *command,
        f"--site={rig.folder / 'stillroom.yaml'}",
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        stdin=asyncio.subprocess.DEVNULL,
    )
    async with asyncio.timeout(150):
        out, err = await process.communicate()
    assert process.returncode is not None
    return process.returncode, json.loads(out) if out.strip() else {}, err.decode()


SKIPPED = [f"--skip={group}" for group in (*MACHINES_OWN, "lamps", "sound")]


async def test_the_command_line_asks_the_daemon_that_runs(rig: Rig) -> None:
    await rig.start(profile=None)
    devices = rig.data / "access.json"
    before = json.loads(devices.read_text())
    status, view, err = await run_check(rig, *SKIPPED, "--profile=tiny")
    assert (status, view["ok"], err) == (1, False, "")  # sixty minutes out of a minute of music
    failed = [line for line in view["lines"] if line["outcome"] == "failed"]
    assert [line["id"] for line in failed] == ["music.cover"]
    assert json.loads(devices.read_text()) == before, "its token is taken back"
    status, _, err = await run_check(rig, "--profile=tinny")
    assert (status, "tinny" in err, err.count("\n")) == (2, True, 1)


async def test_the_command_line_starts_a_daemon_for_the_time(rig: Rig) -> None:
    rig.data.mkdir()
    rig.place_music()
    site = rig.folder / "stillroom.yaml"
    text = site.read_text(encoding="utf-8")
    site.write_text(text.replace("mqtt: {host: null}", f"mqtt: {{host: null, port: {rig.mqtt_port}}}"))
    status, view, err = await run_check(rig, *SKIPPED)
    assert (status, view.get("ok"), err) == (0, True, "")
    assert {line["outcome"] for line in view["lines"]} <= {"passed", "skipped"}
    pid = json.loads((rig.data / FILE).read_text())["pid"]
    assert not Path(f"/proc/{pid}").exists(), "it is gone again"


async def test_an_open_session_is_not_gone_on_with_only_to_check(rig: Rig) -> None:
    await rig.start()
    rig.kill()
    assert rig.process is not None
    await rig.process.wait()
    status, _, err = await run_check(rig)
    assert status == 2
    assert "has an open session" in err
