"""The Hue driver against a simulated bridge in its own process: faults, power cuts, groups, drags."""

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from controller.clock import RealClock
from controller.core.envelope import Authority
from controller.errors import UserError
from controller.ports import FixtureConfig
from hardware.hue.store import Credential, store_in
from hardware.lights_hue import HueLights, open_lights
from hardware.sim.bridge_child import BridgeChild
from hardware.sim.wish_desk import WishDesk

FIXTURES = tuple(FixtureConfig(f"lamp{n}", str(n)) for n in range(1, 7))
NAMES = tuple(config.fixture for config in FIXTURES)


@pytest.fixture(scope="module")
def child() -> Iterator[BridgeChild]:
    bridge = BridgeChild.start(
        "--port",
        "0",
        "--lights",
        "6",
        "--user",
        "u",
        "--kinds",
        "colour,colour,colour,colour,ambiance,dimmable",
    )
    yield bridge
    bridge.stop()


@pytest.fixture
def bridge(child: BridgeChild) -> BridgeChild:
    child.call("POST", "/sim/reset")
    return child


@asynccontextmanager
async def driving(
    url: str, folder: Path, fixtures: tuple[FixtureConfig, ...] = FIXTURES, **options: str | float | bool
) -> AsyncIterator[tuple[HueLights, WishDesk]]:
    settings: dict[str, str | int | float | bool] = {"username": "u", "poll_ms": 200, "set_startup": False}
    lights = open_lights("hue", url, settings | options, fixtures, folder, RealClock())
    desk = WishDesk()
    try:
        async with asyncio.TaskGroup() as tasks:
            run = tasks.create_task(lights.run(desk))
            yield lights, desk
            run.cancel()
    finally:
        await lights.close()


def puts(bridge: BridgeChild, part: str = "/state") -> list[dict[str, Any]]:
    return [dict(entry) for entry in bridge.log() if str(entry["path"]).endswith(part)]


def most_in_a_second(entries: list[dict[str, Any]]) -> int:
    times = [entry["at_ms"] for entry in entries]
    return max(sum(1 for t in times if start <= t < start + 1000) for start in times)


async def wish(
    lights: HueLights, desk: WishDesk, lamp: str, percent: float, *, fade_ms: int = 100, kelvin: float = 2700
) -> None:
    command = desk.wish(lamp, percent, fade_ms=fade_ms, kelvin=kelvin)
    lights.wake((lamp,), Authority.THERAPIST)
    await desk.until(lambda: command in desk.done)


async def test_capabilities_are_read_at_the_start(bridge: BridgeChild, tmp_path: Path) -> None:
    async with driving(bridge.url, tmp_path) as (lights, desk):
        before = {info.fixture: info for info in lights.fixtures()}
        assert before["lamp6"].has_colour, "a guess until it was read"
        await desk.until(lambda: len(desk.reports) > 0)
        infos = {info.fixture: info for info in lights.fixtures()}
        assert (infos["lamp1"].mired_range, infos["lamp1"].has_colour) == ((153, 500), True)
        assert (infos["lamp5"].mired_range, infos["lamp5"].has_colour) == ((153, 454), False)
        assert (infos["lamp6"].mired_range, infos["lamp6"].has_colour) == (None, False)
        assert infos["lamp1"].name == "Ceiling left"
        assert desk.health == []


async def test_what_is_sent_is_whole_and_carries_on(bridge: BridgeChild, tmp_path: Path) -> None:
    async with driving(bridge.url, tmp_path) as (lights, desk):
        await wish(lights, desk, "lamp1", 10, fade_ms=12_340)
        await wish(lights, desk, "lamp1", 0)
        bodies = [entry["body"] for entry in puts(bridge)]
        assert bodies == [
            {"on": True, "bri": 25, "ct": 370, "transitiontime": 124},
            {"on": False, "transitiontime": 0},
        ]


@pytest.mark.parametrize(
    "fault",
    [
        {"internal": 2},
        {"half": 1},
        {"status": 503, "status_count": 2},
        {"status": 429, "status_count": 1},
        {"hang_up": 2},
    ],
    ids=["901", "half", "503", "429", "hang-up"],
)
async def test_each_fault_is_told_retried_and_got_over(
    bridge: BridgeChild, tmp_path: Path, fault: Mapping[str, float]
) -> None:
    async with driving(bridge.url, tmp_path, poll_ms=60_000) as (lights, desk):
        await desk.until(lambda: len(desk.reports) > 0)
        bridge.set_faults(**fault)
        await wish(lights, desk, "lamp2", 40, kelvin=2500)
        assert len(desk.failures) >= 1
        await asyncio.sleep(0.15)
        lamp = bridge.live()[2]
        assert lamp["percent"] == pytest.approx(40, abs=0.3)
        assert lamp["mired"] == pytest.approx(400)
        assert desk.health == [] or desk.health[-1][1] is None


async def test_a_bridge_that_dies_is_one_line_and_back_within_two_seconds(tmp_path: Path) -> None:
    bridge = BridgeChild.start("--port", "0", "--lights", "6", "--user", "u")
    port = bridge.url.rpartition(":")[2]
    async with driving(bridge.url, tmp_path) as (lights, desk):
        await desk.until(lambda: len(desk.reports) > 0)
        bridge.process.send_signal(signal.SIGKILL)
        bridge.stop()
        await desk.until(lambda: len(desk.health) == 1)
        assert desk.health[0][0] == "hue"
        desk.wish("lamp1", 20)
        lights.wake(("lamp1",), Authority.SCORE)
        await asyncio.sleep(2.5)
        assert "lamp1" in desk.wishes, "nothing was taken from the desk that could not be sent"
        desk.wish("lamp1", 60)  # the score has moved on
        reborn = BridgeChild.start("--port", port, "--lights", "6", "--user", "u")
        began = time.monotonic()
        await desk.until(lambda: len(desk.done) == 1)
        assert time.monotonic() - began < 2.0
        assert desk.health[-1] == ("hue", None)
        await asyncio.sleep(0.25)
        assert reborn.live()[1]["percent"] == pytest.approx(60, abs=0.3)
        assert [entry["body"]["bri"] for entry in puts(reborn)] == [152], "what was stale was dropped"
        reborn.stop()


async def test_a_bridge_that_hangs_costs_two_seconds_and_is_said(bridge: BridgeChild, tmp_path: Path) -> None:
    async with driving(bridge.url, tmp_path) as (_, desk):
        await desk.until(lambda: len(desk.reports) > 0)
        bridge.set_faults(hang=-1)
        await desk.until(lambda: len(desk.health) == 1)
        assert "did not answer within 2 s" in str(desk.health[0][1])
        bridge.set_faults(hang=0)
        await desk.until(lambda: desk.health[-1][1] is None)


async def test_away_from_the_start_is_reported_and_lived_with(tmp_path: Path) -> None:
    async with driving("127.0.0.1:9", tmp_path) as (lights, desk):
        await desk.until(lambda: len(desk.health) == 1)
        assert desk.health == [("hue", "hue: cannot be reached: Connection refused")]
        assert [info.fixture for info in lights.fixtures()] == list(NAMES)


async def test_an_unpaired_bridge_is_said_and_used_as_soon_as_it_is_paired(
    bridge: BridgeChild, tmp_path: Path
) -> None:
    async with driving(bridge.url, tmp_path, username="") as (_, desk):
        await desk.until(lambda: len(desk.health) == 1)
        assert "not paired yet: press its link button" in str(desk.health[0][1])
        store_in(tmp_path).save("hue", Credential("u"))
        await desk.until(lambda: len(desk.reports) > 0)
        assert desk.health[-1] == ("hue", None)


async def test_a_bridge_that_forgot_us_is_said(bridge: BridgeChild, tmp_path: Path) -> None:
    async with driving(bridge.url, tmp_path, username="stranger") as (_, desk):
        await desk.until(lambda: len(desk.health) == 1)
        assert "pair it again" in str(desk.health[0][1])


async def test_a_lamp_the_bridge_does_not_have_is_named_with_its_nearest(
    bridge: BridgeChild, tmp_path: Path
) -> None:
    fixtures = (FixtureConfig("by-name", "Ceiling right"), FixtureConfig("typo", "Cieling left"))
    async with driving(bridge.url, tmp_path, fixtures) as (lights, desk):
        await desk.until(lambda: len(desk.health) == 1)
        assert desk.health[0][1] == "hue: typo: the bridge has no lamp 'Cieling left' (nearest: Ceiling left)"
        await wish(lights, desk, "by-name", 30)
        await asyncio.sleep(0.15)
        assert bridge.live()[2]["percent"] == pytest.approx(30, abs=0.3)
        assert [check.ok for check in lights.lamp_checks()] == [False, False]


async def test_help_light_is_one_group_command(bridge: BridgeChild, tmp_path: Path) -> None:
    # Lamps 1 to 4 are alike, so they can go together; the bridge has others, so group 0 will not do.
    async with driving(bridge.url, tmp_path, FIXTURES[:4]) as (lights, desk):
        async with asyncio.timeout(5):
            while len(await asyncio.to_thread(bridge.call, "GET", "/api/u/groups")) == 0:  # type: ignore[arg-type]
                await asyncio.sleep(0.05)
        await asyncio.sleep(0.3)
        for lamp in NAMES[:4]:
            desk.wish(lamp, 50, fade_ms=3_000, authority=Authority.HELP)
        lights.wake(NAMES[:4], Authority.HELP)
        await desk.until(lambda: len(desk.done) == 4)
        assert puts(bridge) == []
        assert [entry["path"] for entry in puts(bridge, "/action")] == ["/api/u/groups/1/action"]


async def test_a_group_that_vanished_is_not_missed(bridge: BridgeChild, tmp_path: Path) -> None:
    number = bridge.call("POST", "/api/u/groups", {"name": "mine", "lights": ["1", "2"]})
    assert number == [{"success": {"id": "1"}}]
    async with driving(bridge.url, tmp_path, FIXTURES[:2], poll_ms=60_000) as (lights, desk):
        await desk.until(lambda: len(desk.reports) > 0)
        bridge.call("DELETE", "/api/u/groups/1")
        for lamp in NAMES[:2]:
            desk.wish(lamp, 50)
        lights.wake(NAMES[:2], Authority.HELP)
        await desk.until(lambda: len(desk.done) == 2)
        assert len(puts(bridge)) == 2
        assert len(desk.failures) == 2


async def test_group_zero_serves_when_all_the_bridges_lamps_are_ours(tmp_path: Path) -> None:
    bridge = BridgeChild.start("--port", "0", "--lights", "2", "--user", "u")
    async with driving(bridge.url, tmp_path, FIXTURES[:2]) as (lights, desk):
        await desk.until(lambda: len(desk.reports) > 0)
        for lamp in NAMES[:2]:
            desk.wish(lamp, 50)
        lights.wake(NAMES[:2], Authority.HELP)
        await desk.until(lambda: len(desk.done) == 2)
        assert [entry["path"] for entry in puts(bridge, "/action")] == ["/api/u/groups/0/action"]
        assert bridge.call("GET", "/api/u/groups") == {}
    bridge.stop()


async def test_a_drag_of_a_hundred_steps_ends_on_the_last_within_budget(
    bridge: BridgeChild, tmp_path: Path
) -> None:
    async with driving(bridge.url, tmp_path, make_groups=False) as (lights, desk):
        await desk.until(lambda: len(desk.reports) > 0)
        for step in range(1, 101):
            for lamp in NAMES[:2]:
                desk.wish(lamp, step, fade_ms=100)
            lights.wake(NAMES[:2], Authority.THERAPIST)
            await asyncio.sleep(0.02)
        await desk.until(lambda: not desk.wishes)
        await asyncio.sleep(0.4)
        live = bridge.live()
        assert [live[n]["percent"] for n in (1, 2)] == [100, 100]
        entries = puts(bridge)
        assert most_in_a_second(entries) <= 10
        assert all(entry["status"] == 200 for entry in entries)
        assert desk.failures == []


async def test_a_lamp_without_mains_is_reported_and_found_again(bridge: BridgeChild, tmp_path: Path) -> None:
    async with driving(bridge.url, tmp_path, make_groups=False) as (lights, desk):
        await wish(lights, desk, "lamp1", 5)
        bridge.call("POST", "/sim/power", {"lights": [1], "on": False})
        await desk.until(lambda: not {r.fixture: r for r in desk.reports[-1]}["lamp1"].reachable)
        assert not {info.fixture: info for info in lights.fixtures()}["lamp1"].reachable
        desk.asked.clear()
        bridge.call("POST", "/sim/power", {"lights": [1], "on": True})
        await desk.until(lambda: "lamp1" in desk.asked)
        back = {r.fixture: r for r in desk.reports[-1]}["lamp1"]
        assert back.on
        assert back.percent == 100, "it came up bright, and the desk is told"


async def test_start_up_is_made_calm_where_the_lamp_allows_it(bridge: BridgeChild, tmp_path: Path) -> None:
    async with driving(bridge.url, tmp_path, FIXTURES[:3], set_startup=True, make_groups=False) as (
        lights,
        desk,
    ):
        await desk.until(lambda: len(desk.reports) > 0)
        async with asyncio.timeout(5):
            while not all(check.ok for check in lights.lamp_checks()):
                await asyncio.sleep(0.02)
        await wish(lights, desk, "lamp1", 5)
        await asyncio.sleep(0.15)
        bridge.call("POST", "/sim/power", {"lights": [1], "on": False})
        bridge.call("POST", "/sim/power", {"lights": [1], "on": True})
        assert bridge.live()[1]["percent"] == pytest.approx(5, abs=0.3)
        modes = [entry["body"] for entry in puts(bridge, "/config")]
        assert modes == [{"startup": {"mode": "powerfail"}}] * 3


@pytest.mark.real_time
async def test_from_a_wish_to_the_bridges_socket_takes_under_ten_ms(
    bridge: BridgeChild, tmp_path: Path
) -> None:
    bridge.set_faults(limits=0)
    waits: list[float] = []
    async with driving(bridge.url, tmp_path, make_groups=False, poll_ms=60_000) as (lights, desk):
        await desk.until(lambda: len(desk.reports) > 0)
        for n in range(20):
            await asyncio.sleep(0.14)
            waits.append(time.monotonic_ns() / 1e6)
            await wish(lights, desk, "lamp1", 10 + n)
    arrived = [entry["at_ms"] for entry in puts(bridge)]
    assert len(arrived) == len(waits)
    late = sorted(b - a for a, b in zip(waits, arrived, strict=True))
    print(f"wish to socket: median {late[10]:.2f} ms, most {late[-1]:.2f} ms")  # noqa: T201
    assert late[10] < 10


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"usernam": "x"}, "did you mean username"),
        ({"poll_ms": "4"}, "expected float"),
        ({"pin": 3}, "expected str"),
    ],
)
def test_bad_options_are_said(tmp_path: Path, options: dict[str, str | int], words: str) -> None:
    with pytest.raises(UserError, match=words):
        open_lights("hue", "1.2.3.4", options, FIXTURES, tmp_path, RealClock())
