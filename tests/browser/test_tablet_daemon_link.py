"""The link to the real daemon, down to lamp and journal: two tablets, drags across a cut cable, the doors."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from daemon_rig import Rig
from page_waits import until_so

# One browser for all; the daemon runs on real time.
pytestmark = pytest.mark.asyncio(loop_scope="session")

Cable = Any  # tests/browser/conftest.py
SLIDER = "still-slider[data-zone=bedside]"
BEDSIDE_LAMP = "3"
LIMIT_MS = 30_000


@pytest_asyncio.fixture(loop_scope="session")
async def rig(tmp_path: Path, cable: Cable) -> AsyncIterator[Rig]:
    """A daemon in a session, behind a cable."""
    rig = Rig(tmp_path)
    await rig.start()
    cable.target = rig.port
    yield rig
    await rig.clean_up()


class Tablets:
    """Paired tablets of one browser, all on the same cable."""

    def __init__(self, browser: Any, rig: Rig, cable: Cable) -> None:
        self._browser, self._rig, self._cable = browser, rig, cable
        self._contexts: list[Any] = []

    async def one(self, role: str = "therapist", *, clock: bool = False) -> Any:
        context = await self._browser.new_context(
            viewport={"width": 1180, "height": 820}, reduced_motion="reduce", locale="en-GB"
        )
        self._contexts.append(context)
        token = self._rig.make_token(role)
        cookie = {"name": "stillroom", "value": token, "url": self._cable.url, "sameSite": "Strict"}
        await context.add_cookies([cookie])
        page = await context.new_page()
        if clock:
            await page.clock.install()
        await page.goto(f"{self._cable.url}/rooms/garden/live")
        await page.wait_for_selector("[data-link=live]", timeout=LIMIT_MS)
        return page

    async def away(self) -> None:
        for context in self._contexts:
            await context.close()


@pytest_asyncio.fixture(loop_scope="session")
async def tablets(chromium: Any, rig: Rig, cable: Cable) -> AsyncIterator[Tablets]:
    found = Tablets(chromium, rig, cable)
    yield found
    await found.away()


async def held(rig: Rig) -> list[float]:
    """Every L* the journal has a therapist holding the bedside at, in order."""
    session = (await rig.snapshot())["session"]["session_id"]
    async with rig.web() as web:
        report = (await web.get(f"/api/v1/sessions/{session}/report")).json()
    return [record["body"]["lstar"] for record in report if record["body"]["kind"] == "light_held"]


async def lamp(rig: Rig) -> float:
    """How bright an eye sees the bedside lamp, percent."""
    percent: float = (await rig.bridge("/sim/live"))["lights"][BEDSIDE_LAMP]["percent"]
    return percent


async def grip(page: Any) -> tuple[float, float, float]:
    await page.click("[data-key=lights]")
    box = await page.locator(SLIDER).bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    await page.mouse.move(x, y)
    await page.mouse.down()
    return x, y, box["width"]


async def percent_shown(page: Any) -> float:
    text = await page.get_attribute(SLIDER, "aria-valuetext")
    return float(text.removesuffix(" %"))


async def test_two_tablets_see_each_others_hand(rig: Rig, tablets: Tablets) -> None:
    one, two = await tablets.one(), await tablets.one()
    await one.click("[data-key=brighter]")
    await two.click("[data-key=quieter]")
    for page in (one, two):
        await page.wait_for_selector("[data-release=bedside]", state="visible", timeout=LIMIT_MS)
        await page.wait_for_selector("[data-release=music]", state="visible", timeout=LIMIT_MS)
    await two.click("[data-release=bedside]")
    await one.wait_for_selector("[data-release=bedside]", state="hidden", timeout=LIMIT_MS)
    await one.click("[data-key=hold]")
    await two.wait_for_selector("[data-key=hold][aria-pressed=true]", timeout=LIMIT_MS)
    await two.click("[data-key=hold]")
    await one.wait_for_selector("[data-key=hold][aria-pressed=false]", timeout=LIMIT_MS)


async def test_a_drag_across_three_seconds_without_a_link(rig: Rig, tablets: Tablets, cable: Cable) -> None:
    page = await tablets.one(clock=True)
    await cable.pause_clock(page)
    before = await held(rig)
    x, y, width = await grip(page)
    start = await page.evaluate(f"document.querySelector('{SLIDER}').value")
    await page.mouse.move(x + width * 0.05, y)
    await rig.until(lambda: _more(rig, len(before)), 30)
    cable.cut()
    await page.wait_for_selector("[data-link=down]", timeout=LIMIT_MS)
    for part in range(30):
        await page.mouse.move(x + width * (0.06 + 0.01 * part), y)
        await page.clock.run_for(100)
    known = len(await held(rig))
    await cable.mend_for(page)
    await page.mouse.up()
    await rig.until(lambda: _more(rig, known), 30)
    await page.clock.run_for(1000)
    after = await held(rig)
    assert len(after) == known + 1  # three seconds of finger: one command
    value = await page.evaluate(f"document.querySelector('{SLIDER}').value")
    assert after[-1] == pytest.approx(value, abs=0.01)
    shown = await percent_shown(page)

    async def arrived() -> bool:
        return abs(await lamp(rig) - shown) < 1.0

    await rig.until(arrived, 30)
    # The whole drag was one word: undo leads the lamp back to before the finger came.
    await page.click("[data-key=lights]")
    await page.click("[data-key=undo]")
    await page.wait_for_selector("[data-release=bedside]", state="hidden", timeout=LIMIT_MS)

    async def back() -> bool:
        zones = {zone["zone"]: zone for zone in (await rig.snapshot())["zones"]}
        return bool(zones["bedside"]["overrides"] == [] and abs(zones["bedside"]["lstar"] - start) < 30)

    await rig.until(back, 30)


async def _more(rig: Rig, than: int) -> bool:
    return bool(len(await held(rig)) > than)


async def test_a_drag_across_a_minute_without_a_link(rig: Rig, tablets: Tablets, cable: Cable) -> None:
    page = await tablets.one(clock=True)
    x, y, width = await grip(page)
    await page.mouse.move(x + width * 0.05, y)
    await rig.until(lambda: _more(rig, 0), 30)
    await page.clock.run_for(300)
    known = await held(rig)
    cable.cut()
    await page.wait_for_selector("[data-link=down]", timeout=LIMIT_MS)
    for second in range(60):
        await page.mouse.move(x + width * (0.06 + 0.004 * second), y)
        await page.clock.run_for(1000)
    await page.mouse.up()
    await page.clock.run_for(6000)
    assert "no link" in await page.inner_text("#linkwords")
    cable.mend()
    for _ in range(10):
        await page.clock.run_for(600)
    await page.wait_for_selector("[data-link=live]", timeout=LIMIT_MS)
    await page.clock.run_for(1000)
    assert await held(rig) == known  # nothing of the minute was kept for later
    value = await page.evaluate(f"document.querySelector('{SLIDER}').value")
    assert value == pytest.approx(known[-1], abs=1.0)  # and the slider shows what is so


async def test_the_daemons_own_doors(rig: Rig, tablets: Tablets, chromium: Any) -> None:
    """Ten wrong PINs, roles, and a page of somebody else's."""
    base = f"http://127.0.0.1:{rig.port}"
    designer = await tablets.one("designer")
    await designer.click("[data-key=dimmer]")
    await designer.wait_for_selector("[data-key=dimmer][data-sent=refused]", timeout=LIMIT_MS)
    stranger = await chromium.new_context(locale="de-DE")
    try:
        page = await stranger.new_page()
        await page.goto(f"{base}/pair")
        answers = []
        for number in range(10):
            await page.fill("#pin", f"{number:06d}")
            async with page.expect_response("**/api/v1/pair") as answer:
                await page.click("button[type=submit]")
            answers.append((await answer.value).status)
            await until_so(page, "/PIN/.test(document.getElementById('said').textContent)")
        assert set(answers) <= {401, 429}
        assert answers[-1] == 429
        assert "zu viele falsche PINs" in await page.inner_text("#said")
        assert await stranger.cookies() == []
        await page.goto(f"{base}/rooms/garden/live")
        assert page.url.endswith("/pair")
    finally:
        await stranger.close()
    body = json.dumps({"id": "7f0b0a52-6a0e-4d4e-9a39-6f2f5a3a9b11", "command": "hold"})
    foreign = {"Origin": "http://evil.example", "Cookie": f"stillroom={rig.token}"}
    async with httpx.AsyncClient(trust_env=False) as web:
        answer = await web.post(f"{base}/api/v1/rooms/garden/commands", content=body, headers=foreign)
    assert answer.status_code == 403
    state = await rig.snapshot()
    assert state["session"]["status"] == "running"
    assert all(zone["overrides"] == [] for zone in state["zones"])
