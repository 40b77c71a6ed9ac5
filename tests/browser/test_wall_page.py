"""The front desk's page in Chromium: what it says of each room, quietly, and nothing of a client."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from mqtt_brokers import Mosquitto, running
from mqtt_fake_room import MqttFakeRoom
from test_tablet_looks import luminance_and_blue, picture

from controller.clock import RealClock
from controller.core.snapshot import FaultView, Snapshot
from controller.daemon.wall import run_wall
from controller.mqtt_api import MqttApi
from controller.mqtt_topics import will_for
from controller.ports import Clock
from hardware.mqtt_link import MqttLink, MqttSettings

Bench = Any  # tests/browser/conftest.py
pytestmark = pytest.mark.asyncio(loop_scope="session")  # one browser for all

CLIENTS = ("Bowls", "quiet", "s1", "touch")
"""What the rooms hold of a session and the wall must not show."""
CARDS = "() => [...document.querySelectorAll('#rooms li')].map(li => [li.className, li.innerText])"


class WallRoom(MqttFakeRoom):
    """A room with a name of its own and, it may be, a fault."""

    def __init__(self, clock: Clock, title: str, *faults: str, running: bool = True) -> None:
        super().__init__(clock, title.split(maxsplit=1)[0].lower())
        self.title, self.faults, self.running = title, faults, running

    def snapshot(self) -> Snapshot:
        faults = tuple(FaultView("lamp.f1", fault, 1) for fault in self.faults)
        return replace(super().snapshot(), title=self.title, faults=faults)


@dataclass
class Front:
    """The wall's page, the rooms' broker, and a switch for one room."""

    page: Any
    broker: Mosquitto
    attic_off: asyncio.Event
    complaints: list[str]

    async def says(self, room: str, *words: str) -> str:
        """Wait until a room's card says all this; return its class."""
        async with asyncio.timeout(30):
            while True:
                for name, text in await self.page.evaluate(CARDS):
                    if room in text and all(word in text for word in words):
                        return str(name)
                await asyncio.sleep(0.05)

    async def link_says(self, word: str) -> None:
        """Wait until the line on the link has this word; an empty one: until it is empty."""
        async with asyncio.timeout(30):
            while not (word in (said := await self.page.inner_text("#link")) and bool(word) == bool(said)):
                await asyncio.sleep(0.05)


@asynccontextmanager
async def front(folder: Path, browser: Any, *, locale: str = "en-GB") -> AsyncIterator[Front]:
    """The wall's own program on a real broker with three rooms, each from its own link."""
    broker, clock, attic_off = Mosquitto(folder / "broker"), RealClock(), asyncio.Event()
    await broker.start()
    garden, attic = WallRoom(clock, "Garden room"), WallRoom(clock, "Attic room", running=False)
    cellar = WallRoom(clock, "Cellar room", "the lamp by the window does not answer")

    def door(room: MqttFakeRoom) -> MqttApi:
        link = MqttLink(clock, MqttSettings("127.0.0.1", broker.port, room.room_id), will_for(room.room_id))
        return MqttApi({room.room_id: link}, {room.room_id: room}, clock)

    async def attic_for_a_while() -> None:
        async with running(door(attic).run):
            await attic_off.wait()

    port: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    wall = lambda: run_wall(clock, "127.0.0.1", broker.port, page_port=0, started=port.set_result)  # noqa: E731
    context = await browser.new_context(viewport={"width": 1180, "height": 820}, locale=locale)
    complaints: list[str] = []
    try:
        async with running(wall, door(garden).run, door(cellar).run, attic_for_a_while):
            page = await context.new_page()
            page.on("pageerror", lambda error: complaints.append(str(error)))
            page.on(
                "console", lambda m: complaints.append(m.text) if m.type in ("error", "warning") else None
            )
            await page.goto(f"http://127.0.0.1:{await port}/")
            yield Front(page, broker, attic_off, complaints)
    finally:
        await context.close()
        await broker.kill()
    assert complaints == []


async def test_every_room_is_there_with_its_stage_its_end_and_its_faults(
    tmp_path: Path, chromium: Any
) -> None:
    async with front(tmp_path, chromium) as here:
        assert await here.says("Garden room", "In session", "Sit", "ends about") == "busy"
        assert await here.says("Attic room", "Free") == ""
        assert await here.says("Cellar room", "the lamp by the window does not answer") == "busy"
        words = await here.page.evaluate("document.body.innerText")
        assert not any(word in words for word in CLIENTS), words
        mean, bluer = await luminance_and_blue(here.page, await picture(here.page, "wall-landscape"))
        assert mean < 0.02
        assert bluer <= 2
        for size in ((820, 1180), (390, 844)):
            await here.page.set_viewport_size({"width": size[0], "height": size[1]})
            assert await here.page.evaluate("document.documentElement.scrollWidth <= innerWidth"), size
            await picture(here.page, f"wall-{size[0]}")


async def test_a_room_that_leaves_and_a_broker_that_dies_are_said_quietly(
    tmp_path: Path, chromium: Any
) -> None:
    async with front(tmp_path, chromium) as here:
        await here.says("Attic room", "Free")
        here.attic_off.set()
        assert await here.says("Attic room", "Switched off or cut off") == "lost"
        await here.broker.kill()
        await here.link_says("broker")
        await picture(here.page, "wall-broker-away")
        await here.broker.start()
        await here.link_says("")
        assert await here.says("Garden room", "In session") == "busy"


async def test_the_wall_speaks_german(tmp_path: Path, chromium: Any) -> None:
    async with front(tmp_path, chromium, locale="de-DE") as here:
        await here.says("Attic room", "Frei")
        await here.says("Garden room", "In Sitzung")


async def test_the_daemons_own_wall_follows_its_room_and_says_since_when_it_hears_nothing(
    bench: Bench,
) -> None:
    page = await bench.tablet("/wall", role="display")
    await page.wait_for_selector("#rooms li.busy")
    bench.room.faults.append(FaultView("player", "the player does not answer", 1))
    bench.room.changed()
    await page.wait_for_selector("#rooms .warn", timeout=30_000)
    assert "the player does not answer" in await page.inner_text("#rooms .warn")
    await page.clock.install()
    await page.reload()
    await page.wait_for_selector("#rooms li.busy")
    bench.expect_lost_link = True
    bench.cable.cut()
    for _ in range(60):  # the page's own seconds; how many real ones pass between does not matter
        await page.clock.run_for(500)
        await asyncio.sleep(0.02)
    assert "No link since" in await page.inner_text("#link")
    assert await page.locator("#rooms li.busy").count() == 1, "what was last known stays, and is called old"
    await picture(page, "wall-no-link")
    bench.cable.mend()
    for _ in range(60):
        await page.clock.run_for(500)
        await asyncio.sleep(0.02)
        if not await page.inner_text("#link"):
            break
    assert await page.inner_text("#link") == ""
