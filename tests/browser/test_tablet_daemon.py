"""The tablet in Chromium on the real daemon: from its PIN to the lamp and the record on disk."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from daemon_rig import Rig
from page_waits import until_so

# One browser for all; the daemon runs on real time.
pytestmark = pytest.mark.asyncio(loop_scope="session")

Lamps = dict[str, dict[str, Any]]
Change = Callable[[dict[str, Any], dict[str, Any]], bool]
CEILING, BEDSIDE, PATH = "1", "3", "5"
"""One lamp of each zone, by its number on the bridge."""


@pytest_asyncio.fixture(loop_scope="session")
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    rig = Rig(tmp_path)
    yield rig
    await rig.clean_up()


@pytest_asyncio.fixture(loop_scope="session")
async def page(chromium: Any) -> AsyncIterator[Any]:
    context = await chromium.new_context(
        viewport={"width": 1180, "height": 820}, reduced_motion="reduce", locale="en-GB"
    )
    complaints: list[str] = []
    page = await context.new_page()
    page.on("pageerror", lambda error: complaints.append(str(error)))
    yield page
    await context.close()
    assert complaints == []


async def pin_of(rig: Rig) -> str:
    """The PIN as the daemon shows it to the person who started it."""
    assert rig.process is not None
    assert rig.process.stdout is not None
    async with asyncio.timeout(30):
        while line := (await rig.process.stdout.readline()).decode():
            if found := re.search(r"PIN (\d{6})", line):
                return found[1]
    raise AssertionError("the daemon showed no PIN")


LONGER = (
    ("minutes: 2,", "minutes: 30,"),  # no phase ends by itself while its controls are tried
    ("level_dba: 42}}", "level_dba: 42},\n     cues: [{prompt: water, at_minute: 50}]}"),
)
"""What this session has more of than the rig's."""


class Witness:
    """What the journal has of the session, and what an eye in the room sees of the lamps."""

    def __init__(self, rig: Rig, web: httpx.AsyncClient) -> None:
        self._rig, self._web = rig, web
        self._url = f"http://127.0.0.1:{rig.port}/api/v1"
        self._auth = {"Authorization": f"Bearer {rig.token}"}
        self._lamps = json.loads((rig.data / "simulated-hue.json").read_text())["address"]

    async def room(self) -> dict[str, Any]:
        state: dict[str, Any] = (await self._web.get(f"{self._url}/rooms/garden", headers=self._auth)).json()
        return state

    async def records(self) -> list[dict[str, Any]]:
        session = (await self.room())["session"]["session_id"]
        answer = await self._web.get(f"{self._url}/sessions/{session}/report", headers=self._auth)
        found: list[dict[str, Any]] = answer.json()
        return found

    async def bodies(self) -> list[dict[str, Any]]:
        return [record["body"] for record in await self.records()]

    async def count(self, kind: str) -> int:
        return [body["kind"] for body in await self.bodies()].count(kind)

    async def expect(self, kind: str, more_than: int = 0) -> None:
        """Wait until the journal has a further record of a kind."""
        await self._until(f"no further {kind}", lambda: self._more(kind, more_than))

    async def _more(self, kind: str, than: int) -> bool:
        return await self.count(kind) > than

    async def lamps(self) -> Lamps:
        found: Lamps = (await self._web.get(f"http://{self._lamps}/sim/live")).json()["lights"]
        return found

    async def see(self, lamp: str, before: Lamps, changed: Change, what: str) -> None:
        """Wait until a lamp has changed so, as the eye would see it."""

        async def holds() -> bool:
            return changed(before[lamp], (await self.lamps())[lamp])

        await self._until(f"{what}: lamp {lamp} did not follow from {before[lamp]}", holds)

    async def stand_still(self, lamp: str) -> None:
        """Wait until a lamp has arrived, so that what comes next is the next tap's doing."""

        async def still() -> bool:
            was = (await self.lamps())[lamp]
            await asyncio.sleep(0.6)
            now = (await self.lamps())[lamp]
            return bool(abs(now["percent"] - was["percent"]) < 0.4 and abs(now["mired"] - was["mired"]) < 1)

        await self._until(f"lamp {lamp} does not arrive", still)

    async def _until(self, otherwise: str, holds: Callable[[], Awaitable[bool]]) -> None:
        try:
            async with asyncio.timeout(60):
                while not await holds():
                    await asyncio.sleep(0.1)
        except TimeoutError:
            raise AssertionError(f"{otherwise}; now {await self.lamps()}") from None


@asynccontextmanager
async def witness(rig: Rig) -> AsyncIterator[Witness]:
    async with httpx.AsyncClient(trust_env=False) as web:
        yield Witness(rig, web)


async def applied(page: Any, selector: str, **how: Any) -> None:
    await page.click(selector, **how)
    await page.wait_for_selector(f"{selector}[data-sent=applied]")


async def start_session(rig: Rig, page: Any) -> None:
    """Pair by the PIN, fill the session sheet, start."""
    await page.goto(f"http://127.0.0.1:{rig.port}/pair")
    await page.fill("#pin", await pin_of(rig))
    await page.fill("#name", "tablet by the window")
    await page.click("button[type=submit]")
    await page.wait_for_url("**/rooms/garden")
    await page.click("[data-profile=tiny]")
    await page.wait_for_selector("still-ribbon svg")
    await page.check("[name=touch][value=no]")
    await page.check("[name=headphones_planned]")
    await page.fill("[name=intention]", "to rest")
    await page.click("#start")
    await page.wait_for_url("**/live")
    await page.wait_for_selector("[data-link=live]")
    await page.wait_for_selector("still-ribbon svg")


LIGHT_KEYS: tuple[tuple[str, str, Change], ...] = (
    ("dimmer", "light_trimmed", lambda was, now: now["percent"] < was["percent"] - 1),
    ("brighter", "light_trimmed", lambda was, now: now["percent"] > was["percent"] + 3),
    ("warmer", "light_trimmed", lambda was, now: now["mired"] > was["mired"] + 5),
    ("cooler", "light_trimmed", lambda was, now: now["mired"] < was["mired"] - 5),
)
OTHER_KEYS: tuple[tuple[str, str], ...] = (
    ("quieter", "volume_set"),
    ("louder", "volume_set"),
    ("skip", "track_skipped"),
    ("silence", "silence_began"),
    ("silence", "sound_returned"),
    ("shades", "eyeshades_changed"),
    ("phones", "headphones_changed"),
    ("hold", "session_held"),
    ("hold", "session_resumed"),
)


async def what_was_agreed(found: Witness) -> None:
    started = (await found.bodies())[0]
    assert (started["kind"], started["score"]["profile_id"]) == ("session_started", "tiny")
    assert started["sheet"]["touch"] == "no"
    assert started["sheet"]["headphones_planned"] is True
    assert (await found.records())[0]["by"] == "therapist:tablet by the window"


async def lights(page: Any, found: Witness) -> None:
    # A drag first: the therapist's light moves at once, the score's own comes up at 2 L* a second.
    await page.click("[data-key=lights]")
    box = await page.locator("still-slider[data-zone=bedside]").bounding_box()
    y, before = box["y"] + box["height"] / 2, await found.lamps()
    await page.mouse.move(box["x"] + box["width"] * 0.3, y)
    await page.mouse.down()
    await page.mouse.move(box["x"] + box["width"] * 0.5, y, steps=8)
    await page.mouse.up()
    await found.expect("light_held")
    await found.see(BEDSIDE, before, lambda was, now: now["percent"] > was["percent"] + 10, "drag")
    await page.click("[data-key=lights]")
    for key, kind, changed in LIGHT_KEYS:
        await found.stand_still(BEDSIDE)
        before, had = await found.lamps(), await found.count(kind)
        await applied(page, f"[data-key={key}]")
        await found.expect(kind, had)
        await found.see(BEDSIDE, before, changed, key)
    await applied(page, "[data-key=undo]")
    await found.expect("command_undone")


async def sound_and_time(page: Any, found: Witness) -> None:
    for key, kind in OTHER_KEYS:
        had = await found.count(kind)
        await applied(page, f"[data-key={key}]")
        await found.expect(kind, had)


async def scenes(page: Any, found: Witness) -> None:
    await applied(page, "[data-key=path]")
    await found.see(PATH, await found.lamps(), lambda _was, now: 5 <= now["percent"] <= 8, "path")
    await page.click("[data-key=path]")
    await found.expect("scene_released")
    await applied(page, "[data-key=help]", delay=1150)
    await found.see(CEILING, await found.lamps(), lambda _was, now: now["percent"] > 45, "help")
    await page.click("[data-key=help]")
    await found.expect("scene_released", 1)
    taken = [body["scene"]["name"] for body in await found.bodies() if body["kind"] == "scene_taken"]
    assert taken == ["path", "help"]


async def panels(page: Any, found: Witness) -> None:
    await page.click("[data-key=music]")
    await applied(page, "[data-pool=drone]")
    await page.click("[data-key=prompts]")
    await applied(page, "[data-prompt=breath]")
    await page.click("[data-key=notes]")
    await applied(page, "[data-chip=tears]")
    await page.fill("#note", "asked for water")
    await applied(page, "#savenote")
    await page.click("[data-key=more]")
    assert await page.inner_text("#anchors") == ""  # this profile has no dose to mark
    await page.click("[data-key=more]")
    for override in ("bedside", "music"):
        await page.click(f"[data-release={override}]")
        await page.wait_for_selector(f"[data-release={override}]", state="hidden")  # given back


async def cards_and_volume(page: Any, found: Witness, rig: Rig) -> None:
    await rig.command("prompt", prompt="water", audience="therapist")
    await page.click("#cards button")
    await found.expect("prompt_acknowledged")
    await page.wait_for_selector("#cards button", state="detached")
    await page.click("#cue button")  # the card that this profile has for later
    await found.expect("prompt_deferred")
    had = await found.count("volume_set")
    await page.click("[data-key=music]")
    box = await page.locator("#volume still-slider").bounding_box()
    y = box["y"] + box["height"] / 2
    await page.mouse.move(box["x"] + box["width"] * 0.6, y)
    await page.mouse.down()
    await page.mouse.move(box["x"] + box["width"] * 0.4, y, steps=4)
    await page.mouse.up()
    await found.expect("volume_set", had)
    await page.click("[data-key=lights]")
    await found.stand_still(BEDSIDE)
    before = await found.lamps()
    await applied(page, "[data-preset=welcome]")
    await found.see(BEDSIDE, before, lambda was, now: now["percent"] > was["percent"] + 3, "a preset")
    await page.click("[data-preset=welcome]")
    await found.expect("scene_released", 2)
    await page.click("[data-key=lights]")
    await page.click("[data-release=music]")
    await page.wait_for_selector("[data-release=music]", state="hidden")


async def plan_and_end(page: Any, found: Witness) -> None:
    end = (await found.room())["session"]["planned_end_ms"]
    await page.hover("[data-key=plus]")
    await page.mouse.down()
    await page.wait_for_selector("[data-key=plus].offer")
    await page.wait_for_selector("still-ribbon .ghost.end", state="attached")
    assert (await found.room())["session"]["planned_end_ms"] == end
    await page.mouse.up()
    await page.wait_for_selector("[data-key=plus][data-sent=applied]")
    assert (await found.room())["session"]["planned_end_ms"] == end + 600_000
    await applied(page, "[data-key=next]")
    await until_so(page, "document.getElementById('phase').textContent === 'Sit'")
    await page.click("[data-key=more]")
    await page.click("#phases button >> text=Settle")
    await found.expect("phase_jumped", 1)
    await page.click("#end", delay=1150)
    await until_so(page, "/ended|No session/.test(document.getElementById('phase').textContent)")

    kinds = {body["kind"] for body in await found.bodies()}
    assert kinds >= {
        "mood_set", "prompt_cued", "note_taken", "light_released", "sound_released",
        "phase_extended", "phase_jumped", "session_ended",
    }  # fmt: skip


async def test_every_control_reaches_the_lamp_and_the_journal(rig: Rig, page: Any) -> None:
    rig.write_site()
    plan = rig.folder / "tiny.yaml"
    text = plan.read_text(encoding="utf-8")
    for short, long in LONGER:
        assert short in text
        text = text.replace(short, long)
    plan.write_text(text, encoding="utf-8")
    await rig.start(profile=None)
    await start_session(rig, page)
    async with witness(rig) as found:
        await what_was_agreed(found)
        await lights(page, found)
        await sound_and_time(page, found)
        await scenes(page, found)
        await panels(page, found)
        await cards_and_volume(page, found, rig)
        await plan_and_end(page, found)


async def test_daemon_killed_under_the_page_is_said_and_gone_on_with(rig: Rig, page: Any) -> None:
    await rig.start()
    await page.goto(f"http://127.0.0.1:{rig.port}/pair#token={rig.make_token('therapist')}")
    await page.wait_for_url("**/rooms/garden")
    assert rig.token not in page.url
    await page.goto(f"http://127.0.0.1:{rig.port}/rooms/garden/live")
    await page.wait_for_selector("[data-link=live]")
    await applied(page, "[data-key=dimmer]")
    before = await rig.snapshot()
    rig.kill()
    await page.wait_for_selector("[data-link=down]")
    assert "no link" in await page.inner_text("#linkwords")
    assert await page.inner_text("#phase") == "Settle"  # what was so stays, marked as old
    await page.click("[data-key=warmer]")
    await page.wait_for_selector("[data-key=warmer][data-sent=waiting]")
    await page.wait_for_selector("[data-key=warmer][data-sent=lost]", timeout=30_000)
    await rig.start(profile=None)
    await page.wait_for_selector("[data-link=live]", timeout=30_000)
    after = await rig.snapshot()
    assert after["session"]["session_id"] == before["session"]["session_id"]
    async with witness(rig) as found:
        kinds = [body["kind"] for body in await found.bodies()]
    assert kinds.count("light_trimmed") == 3  # one for each zone: the lost tap stays lost
    assert "session_recovered" in kinds
    assert await page.is_visible("[data-release=bedside]")  # and the kept one is kept
    await applied(page, "[data-key=brighter]")
