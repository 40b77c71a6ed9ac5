"""Pairing a Hue bridge from the set-up page: the real daemon, over real sockets to simulated bridges."""

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from daemon_rig import Rig, free_port

from controller.daemon.bridge_pairing import _target
from controller.errors import RefusedError
from hardware.hue.store import Credential
from hardware.sim.bridge_child import BridgeChild
from profiles.site import BridgeModel

PAIR = "/api/v1/rooms/garden/bridges/hue/pair"


@pytest.fixture
def bridges() -> Iterator[list[BridgeChild]]:
    started: list[BridgeChild] = []
    yield started
    for child in started:
        child.stop()


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    rig = Rig(tmp_path)
    site = rig.write_site()
    text = site.read_text(encoding="utf-8").replace("driver: simulated-hue", "driver: hue")
    site.write_text(text.replace("audio: {output: null", "audio: {output: silent"), encoding="utf-8")
    await rig.start(profile=None)
    yield rig
    await rig.clean_up()


@asynccontextmanager
async def installer(rig: Rig, role: str = "installer") -> AsyncIterator[httpx.AsyncClient]:
    headers = {"Authorization": f"Bearer {rig.make_token(role)}"}
    url = f"http://127.0.0.1:{rig.port}"
    async with httpx.AsyncClient(base_url=url, headers=headers, timeout=30, trust_env=False) as web:
        yield web


async def bridge_of(web: httpx.AsyncClient) -> dict[str, Any]:
    found: dict[str, Any] = (await web.get("/api/v1/rooms/garden/hardware")).json()["bridges"][0]
    return found


def start(bridges: list[BridgeChild], *more: str) -> BridgeChild:
    bridges.append(BridgeChild.start("--port=0", "--lights=6", *more))
    return bridges[-1]


async def test_a_bridge_is_paired_pinned_and_used_at_once(rig: Rig, bridges: list[BridgeChild]) -> None:
    child = start(bridges, "--https", "--kinds=colour,ambiance,dimmable")
    kept = rig.data / "hue-credentials.json"
    async with installer(rig) as web:
        before = await bridge_of(web)
        assert (before["paired"], before["away"], before["fingerprint"]) == (False, True, None)

        waiting = await web.post(PAIR, json={"address": child.url})
        assert (waiting.status_code, waiting.json()) == (202, {"waiting": True})
        assert not kept.exists(), "nothing is kept while nobody pressed the button"

        child.call("POST", "/sim/press")
        paired = await web.post(PAIR, json={"address": child.url})
        assert paired.status_code == 200, paired.text
        assert paired.json()["fingerprint"] == child.certificate_pin()
        assert paired.json()["in_use"] is True
        assert kept.stat().st_mode & 0o777 == 0o600
        username = json.loads(kept.read_text())["hue"]["username"]
        assert username not in paired.text

        after = await bridge_of(web)
        assert (after["paired"], after["away"], after["problem"]) == (True, False, None)
        assert after["fingerprint"] == child.certificate_pin()
        hardware = await web.get("/api/v1/rooms/garden/hardware")
        assert username not in hardware.text
        # What was guessed of the lamps before their bridge was read is known now.
        shows = [lamp["shows"] for lamp in hardware.json()["lamps"]]
        assert shows == ["colours", "whites", "one_white"] * 2
        assert (await web.post("/api/v1/rooms/garden/lamps/path-door/blink")).status_code == 204
        levels = [segment["level_to"] for segment in child.call("GET", "/sim/history/5")]  # type: ignore[attr-defined]
        assert max(levels) > 5, "somebody can see which lamp it is"


async def test_another_bridge_is_taken_only_when_that_is_said(rig: Rig, bridges: list[BridgeChild]) -> None:
    first, second = start(bridges, "--https"), start(bridges, "--https", "--seed=2")
    async with installer(rig) as web:
        first.call("POST", "/sim/press")
        one = (await web.post(PAIR, json={"address": first.url})).json()
        second.call("POST", "/sim/press")
        wrong = await web.post(PAIR, json={"address": second.url})
        assert (wrong.status_code, wrong.json()["code"]) == (409, "other_bridge")
        assert one["hue_id"] in wrong.json()["detail"]
        assert (await bridge_of(web))["fingerprint"] == first.certificate_pin()
        taken = await web.post(PAIR, json={"address": second.url, "replace": True})
        assert taken.status_code == 200, taken.text
        assert taken.json()["hue_id"] != one["hue_id"]
        assert (await bridge_of(web))["fingerprint"] == second.certificate_pin()


async def test_what_goes_wrong_is_one_clear_line(rig: Rig, bridges: list[BridgeChild]) -> None:
    child = start(bridges)
    nobody = f"http://127.0.0.1:{free_port()}"
    async with installer(rig) as web:
        for address, status, words in (
            (f"http://127.0.0.1:{rig.port}", 502, "no Hue bridge there"),
            (nobody, 502, "cannot be reached"),
            ("ftp://192.0.2.9", 502, "is not a bridge's address"),
            (None, 409, "type its address"),
        ):
            answer = await web.post(PAIR, json={"address": address})
            detail = answer.json()["detail"]
            assert (answer.status_code, words in detail) == (status, True), (address, answer.text)
            assert "\n" not in detail
        child.set_faults(hang=-1)
        slow = await web.post(PAIR, json={"address": child.url})
        assert (slow.status_code, "did not answer within 2 s" in slow.json()["detail"]) == (502, True)
        child.set_faults(hang=0)
        unknown = await web.post(PAIR.replace("/hue/", "/attic/"), json={"address": child.url})
        assert (unknown.status_code, unknown.json()["code"]) == (409, "unknown_bridge")
        assert (await web.post(PAIR.replace("garden", "cellar"), json={})).status_code == 404
        child.call("POST", "/sim/press")
        plain = await web.post(PAIR, json={"address": child.url})
        assert (plain.status_code, plain.json()["fingerprint"]) == (200, None), "an old bridge speaks HTTP"


async def test_only_the_installer_may(rig: Rig, bridges: list[BridgeChild]) -> None:
    child = start(bridges)
    child.call("POST", "/sim/press")
    calls = (
        ("POST", PAIR),
        ("POST", "/api/v1/bridges/find"),
        ("GET", "/api/v1/rooms/garden/hardware"),
        ("GET", "/api/v1/rooms/garden/hardware/devices"),
        ("POST", "/api/v1/rooms/garden/lamps/path-door/blink"),
        ("POST", "/api/v1/rooms/garden/outputs/speakers/tone"),
    )
    for role in ("therapist", "designer", "display"):
        async with installer(rig, role) as web:
            for method, path in calls:
                answer = await web.request(method, path, json={"address": child.url})
                assert answer.status_code == 403, (role, path)
            assert (await web.get("/rooms/garden/setup")).status_code == 403
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{rig.port}", trust_env=False) as web:
        for method, path in calls:
            assert (await web.request(method, path, json={})).status_code == 401, path
    assert not (rig.data / "hue-credentials.json").exists()


def test_the_site_files_address_is_the_one_that_counts() -> None:
    model = BridgeModel(id="hue", driver="hue", address="192.168.1.20")
    assert _target(model, "https://192.168.1.20:443", None) == "192.168.1.20"
    with pytest.raises(RefusedError, match="the site file says"):
        _target(model, "192.168.1.21", None)
    free = BridgeModel(id="hue", driver="hue")
    assert _target(free, None, Credential("u", "https://10.0.0.4:443", "ab")) == "https://10.0.0.4:443"
