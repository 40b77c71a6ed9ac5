"""What every lights driver must do, proved on each device that we have a driver for."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from functools import partial
from operator import contains
from pathlib import Path

import lights_backends as devices
import pytest

from controller.core.envelope import Authority
from hardware.sim.bridge_child import BridgeChild
from hardware.sim.wish_desk import WishDesk

KINDS = ["direct", "http", "https", "npm", "zigbee", "sacn", "lifx"]


@pytest.fixture(scope="module")
def http_bridge() -> Iterator[BridgeChild]:
    yield from devices.hue_child(https=False)


@pytest.fixture(scope="module")
def https_bridge() -> Iterator[BridgeChild]:
    yield from devices.hue_child(https=True)


@pytest.fixture(scope="module")
def npm_url() -> Iterator[str]:
    yield from devices.npm_bridge()


@pytest.fixture(scope="module")
def lifx_place() -> Iterator[tuple[int, str]]:
    yield from devices.lifx_emulator()


@pytest.fixture(params=KINDS)
async def backend(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[devices.Backend]:
    match request.param:
        case "direct":
            context = devices.direct_backend()
        case "http":
            context = devices.hue_backend(request.getfixturevalue("http_bridge"), tmp_path)
        case "https":
            context = devices.hue_backend(request.getfixturevalue("https_bridge"), tmp_path)
        case "zigbee":
            context = devices.zigbee_backend(tmp_path)
        case "lifx":
            context = devices.lifx_backend(request.getfixturevalue("lifx_place"), tmp_path)
        case "sacn":
            context = devices.sacn_backend(tmp_path)
        case _:
            context = devices.npm_backend(request.getfixturevalue("npm_url"), tmp_path)
    async with context as device:
        yield device


Run = Callable[[], Awaitable[WishDesk]]


@pytest.fixture
async def desk(backend: devices.Backend) -> AsyncIterator[WishDesk]:
    """Run the driver beside the test, as the daemon does."""
    wishes = WishDesk()
    async with asyncio.TaskGroup() as tasks:
        run = tasks.create_task(backend.lights.run(wishes))
        yield wishes
        run.cancel()


async def shows(backend: devices.Backend, fixture: str, percent: float, *, within_s: float = 3.0) -> None:
    """Wait until a lamp shows a level."""
    seen = backend.shown(fixture)
    for _ in range(int(within_s / 0.02)):
        seen = backend.shown(fixture)
        if abs(seen.percent - percent) <= backend.step_percent and seen.on == (percent > 0):
            return
        await asyncio.sleep(0.02)
    raise AssertionError(f"{fixture} shows {seen}, not {percent} %")


async def test_knows_its_lamps_by_our_names(backend: devices.Backend, desk: WishDesk) -> None:
    infos = {info.fixture: info for info in backend.lights.fixtures()}
    assert list(infos) == ["left", "right"]
    assert all(0 < info.floor_percent < 5 for info in infos.values())


async def test_starting_changes_no_lamp(backend: devices.Backend, desk: WishDesk) -> None:
    before = [backend.shown(fixture) for fixture in ("left", "right")]
    backend.lights.wake(("left", "right"), Authority.SCORE)
    async with asyncio.timeout(5):
        while not {"left", "right"} <= set(desk.asked):
            await asyncio.sleep(0.01)
    assert [backend.shown(fixture) for fixture in ("left", "right")] == before
    assert desk.failures == []


async def test_a_wish_is_shown_and_reported_delivered(backend: devices.Backend, desk: WishDesk) -> None:
    command = desk.wish("left", 40, kelvin=2500)
    backend.lights.wake(("left",), Authority.THERAPIST)
    await desk.until(lambda: command in desk.done)
    await shows(backend, "left", 40)
    assert backend.shown("left").mired == pytest.approx(400, abs=1)
    assert not backend.shown("right").on
    assert desk.done.count(command) == 1


async def test_the_newest_word_wins(backend: devices.Backend, desk: WishDesk) -> None:
    desk.wish("left", 5, fade_ms=30_000)
    backend.lights.wake(("left",), Authority.SCORE)
    await desk.until(lambda: len(desk.done) == 1)
    for percent in range(20, 61):
        desk.wish("left", percent, fade_ms=100)
        backend.lights.wake(("left",), Authority.THERAPIST)
    await shows(backend, "left", 60)
    assert "left" not in desk.wishes


async def test_off_is_off_and_on_comes_back_where_asked(backend: devices.Backend, desk: WishDesk) -> None:
    for percent in (30.0, 0.0, 12.0):
        command = desk.wish("right", percent)
        backend.lights.wake(("right",), Authority.THERAPIST)
        await desk.until(partial(contains, desk.done, command))
        await shows(backend, "right", percent)


async def test_a_transition_runs_in_time_and_is_taken_over_from_the_live_level(
    backend: devices.Backend, desk: WishDesk
) -> None:
    if not backend.timed:
        pytest.skip("this device has no transitions in time")
    desk.wish("left", 80, fade_ms=2_000)
    backend.lights.wake(("left",), Authority.THERAPIST)
    await desk.until(lambda: len(desk.done) == 1)
    await asyncio.sleep(0.5)
    midway = backend.shown("left").percent
    assert 5 < midway < 60
    desk.wish("left", 1, fade_ms=1_000)
    backend.lights.wake(("left",), Authority.THERAPIST)
    await desk.until(lambda: len(desk.done) == 2)
    highest = max([backend.shown("left").percent for _ in range(10)])
    assert highest < midway + 12
    await shows(backend, "left", 1)


async def test_a_room_at_once(backend: devices.Backend, desk: WishDesk) -> None:
    for fixture in ("left", "right"):
        desk.wish(fixture, 50, fade_ms=300, authority=Authority.HELP)
    backend.lights.wake(("left", "right"), Authority.HELP)
    await desk.until(lambda: len(desk.done) == 2)
    for fixture in ("left", "right"):
        await shows(backend, fixture, 50)


async def test_polling_tells_of_a_change_by_hand(backend: devices.Backend, desk: WishDesk) -> None:
    if backend.turn_by_hand is None:
        pytest.skip("nobody but us can change these lamps")
    await desk.until(lambda: len(desk.reports) > 0)
    backend.turn_by_hand("right", 77)

    def seen() -> bool:
        reports = {report.fixture: report for report in desk.reports[-1]}
        found = reports.get("right")
        return found is not None and found.on is True and abs((found.percent or 0) - 77) < 1

    await desk.until(seen)


async def test_letting_go_leaves_the_lamps_as_they_are(backend: devices.Backend) -> None:
    wishes = WishDesk()
    async with asyncio.TaskGroup() as tasks:
        run = tasks.create_task(backend.lights.run(wishes))
        wishes.wish("left", 35, fade_ms=0)
        backend.lights.wake(("left",), Authority.SCORE)
        await wishes.until(lambda: len(wishes.done) == 1)
        run.cancel()
    await backend.lights.close()
    assert backend.shown("left").percent == pytest.approx(35, abs=0.5)
    backend.lights.wake(("left",), Authority.SCORE)
