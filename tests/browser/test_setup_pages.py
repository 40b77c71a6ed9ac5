"""The hardware page and the room check in Chromium: what an installer does there, at three sizes."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from test_tablet_looks import RUN_AXE, axe  # noqa: F401 - a fixture is found by its name here
from web_fake_fitting import FakeSite
from web_serving import Served, served

pytestmark = pytest.mark.asyncio(loop_scope="session")  # one browser for all

SIZES = {"landscape": (1180, 820), "portrait": (820, 1180), "phone": (390, 844)}
PICTURES = os.environ.get("STILLROOM_PICTURES")

TOO_SMALL = """() => [...document.querySelectorAll('button, a.button, input, select, label.tick')]
  .filter(e => e.offsetParent && !(e.matches('input') && e.closest('label.tick')))
  .map(e => [e.textContent || e.name, e.getBoundingClientRect().height, e.getBoundingClientRect().width])
  .filter(([, h, w]) => h < 44 || w < 44)"""
SIDEWAYS = "document.documentElement.scrollWidth > innerWidth"


@asynccontextmanager
async def pages(
    tmp_path: Path, browser: Any, path: str, *, role: str = "installer", size: str = "landscape", **more: Any
) -> AsyncIterator[tuple[Any, FakeSite, Served]]:
    site = FakeSite()
    async with served(tmp_path, running=False, fit=site.fit) as found:
        width, height = SIZES[size]
        context = await browser.new_context(
            viewport={"width": width, "height": height}, reduced_motion="reduce", **more
        )
        try:
            token = found.access.issue_token(role, "laptop")
            await context.add_cookies(
                [{"name": "stillroom", "value": token, "url": found.url, "httpOnly": True}]
            )
            page = await context.new_page()
            complaints: list[str] = []
            page.on("pageerror", lambda error: complaints.append(str(error)))
            await page.goto(found.url + path)
            yield page, site, found
            assert complaints == []
        finally:
            await context.close()


async def picture(page: Any, name: str) -> None:
    if PICTURES:
        await page.screenshot(path=str(Path(PICTURES) / f"{name}.png"), full_page=True)


async def look_at_all_sizes(page: Any, name: str) -> None:
    for size, (width, height) in SIZES.items():
        await page.set_viewport_size({"width": width, "height": height})
        assert not await page.evaluate(SIDEWAYS), size
        assert await page.evaluate(TOO_SMALL) == [], size
        await picture(page, f"{name}-{size}")


@pytest.mark.parametrize("language", ["en", "de"])
async def test_hardware_is_shown_whole_at_every_size(tmp_path: Path, chromium: Any, language: str) -> None:
    async with pages(tmp_path, chromium, f"/rooms/garden/setup?lang={language}") as (page, _, _site):
        await page.wait_for_selector("[data-blink=path-door]")
        await page.wait_for_selector("#devices:not(:empty)")
        text = await page.inner_text("main")
        for words in ("Ceiling left", "hue", "Room speakers", "K 93.4 dB"):
            assert words in text
        await look_at_all_sizes(page, f"hardware-{language}")


async def test_a_lamp_is_found_and_a_tone_is_played(tmp_path: Path, chromium: Any) -> None:
    async with pages(tmp_path, chromium, "/rooms/garden/setup") as (page, site, _):
        assert site.hardware is not None
        await page.click("[data-blink=bedside-left]")
        await page.wait_for_selector("[data-blink=bedside-left][aria-disabled=true]")
        await page.wait_for_selector("[data-blink=bedside-left][aria-disabled=false]")
        await page.click("[data-tone=speakers]")
        await page.wait_for_selector("[data-tone=speakers][aria-disabled=false]")
        assert site.hardware.did == ["blink bedside-left", "tone speakers"]
        site.hardware.session = True
        await page.click("[data-blink=bedside-left]")
        await page.wait_for_selector("#said:has-text('a session runs')")


async def test_a_bridge_is_paired_while_somebody_walks_to_it(tmp_path: Path, chromium: Any) -> None:
    async with pages(tmp_path, chromium, "/rooms/garden/setup") as (page, site, _):
        assert site.pairing is not None
        await page.click("[data-pair=hue]")
        await page.click("text=https://192.168.1.20:443")
        assert await page.input_value("[data-address=hue]") == "https://192.168.1.20:443"
        await look_at_all_sizes(page, "pairing-found")
        await page.click("text=I am at the bridge")
        await page.wait_for_selector(".count:not(:empty)")
        await picture(page, "pairing-countdown")
        await page.wait_for_selector("[data-told=hue]", timeout=20_000)
        told = await page.inner_text("[data-told=hue]")
        assert "Paired with 001788FFFE0A1B2C" in told
        assert "in use" in told
        assert site.pairing.tries == [("https://192.168.1.20:443", False)] * 3
        await page.wait_for_selector("#bridges:has-text('ab:ab')")
        await look_at_all_sizes(page, "pairing-done")


async def test_the_wrong_bridge_and_nobody_are_said(tmp_path: Path, chromium: Any) -> None:
    async with pages(tmp_path, chromium, "/rooms/garden/setup") as (page, site, _):
        assert site.pairing is not None
        site.pairing.presses = 0
        await page.click("[data-pair=hue]")
        await page.fill("[data-address=hue]", "192.168.1.99")
        await page.click("text=I am at the bridge")
        await page.wait_for_selector("[data-told=hue]")
        assert "no route to host" in await page.inner_text("[data-told=hue]")
        await page.click("text=Try again")
        await page.fill("[data-address=hue]", "192.168.1.21")
        await page.click("text=I am at the bridge")
        await page.click("text=Take this one in its place")
        await page.wait_for_selector("[data-told=hue]:has-text('Paired with')")
        assert site.pairing.tries[-1] == ("192.168.1.21", True)


async def test_a_button_that_nobody_presses_ends_in_half_a_minute(tmp_path: Path, chromium: Any) -> None:
    async with pages(tmp_path, chromium, "/rooms/garden/setup") as (page, site, _):
        assert site.pairing is not None
        site.pairing.presses = 10_000
        await page.clock.install()
        await page.click("[data-pair=hue]")
        await page.click("text=I am at the bridge")
        await page.wait_for_selector(".count:not(:empty)")
        for _ in range(70):
            await page.clock.run_for(500)
            if await page.query_selector("[data-told=hue]"):
                break
        assert "not pressed within 30 s" in await page.inner_text("[data-told=hue]")


async def test_the_room_is_checked_and_asks_in_its_place(tmp_path: Path, chromium: Any) -> None:
    async with pages(tmp_path, chromium, "/rooms/garden/check", role="therapist") as (page, site, _):
        await page.wait_for_selector("#begin:not([hidden])")
        await look_at_all_sizes(page, "check-before")
        await page.set_viewport_size({"width": 1180, "height": 820})
        await page.click("#start")
        await page.wait_for_selector("#running:not([hidden])")
        for words in ("quiet tone from Room speakers", "quiet tone from Headphone amplifier"):
            await page.wait_for_selector(f"#asked:has-text('{words}')")
            if "speakers" in words:
                await look_at_all_sizes(page, "check-asking")
            await page.click("[data-answer=yes]")
        await page.wait_for_selector("#asked:has-text('Pull the plug')")
        await page.click("[data-answer=skip]")
        await page.wait_for_selector("#result:not([hidden])", timeout=30_000)
        failed = await page.inner_text("#failed")
        assert "Ceiling right: cannot be told how to start" in failed
        assert "Path door: does not answer: is its switch on?" in failed
        assert await page.inner_text("[data-line='lamps.power_cut'] .said") == "seen by eye: skipped by hand"
        await look_at_all_sizes(page, "check-after")
        assert len(site.kept) == 1
        await page.reload()
        await page.wait_for_selector("#result:not([hidden])")
        assert await page.inner_text("#failed") == failed


async def test_a_check_is_broken_off(tmp_path: Path, chromium: Any) -> None:
    async with pages(tmp_path, chromium, "/rooms/garden/check", role="therapist") as (page, site, _):
        await page.click("#start")
        await page.click("#stop")
        await page.wait_for_selector("#result:not([hidden])", timeout=30_000)
        assert "the check was broken off" in await page.inner_text("#groups")
        assert site.hardware is not None
        site.hardware.session = True
        await page.click("#start")
        await page.wait_for_selector("#said:has-text('a session runs')")


@pytest.mark.parametrize("path", ["/rooms/garden/setup", "/rooms/garden/check"])
async def test_pages_need_no_more_than_the_policy_allows(tmp_path: Path, chromium: Any, path: str) -> None:
    async with pages(tmp_path, chromium, path) as (page, _, _site):
        blocked: list[str] = []
        page.on("console", lambda message: blocked.append(message.text) if message.type == "error" else None)
        await page.reload()
        await page.wait_for_selector("[data-blink], #begin:not([hidden])")
        assert blocked == []


@pytest.mark.parametrize("size", ["landscape", "phone"])
async def test_pages_are_clean_for_axe(tmp_path: Path, chromium: Any, axe: str, size: str) -> None:  # noqa: F811
    async with pages(tmp_path, chromium, "/rooms/garden/setup", size=size, bypass_csp=True) as (
        page,
        _,
        site,
    ):
        await page.click("[data-pair=hue]")
        await page.wait_for_selector("text=https://192.168.1.20:443")
        await page.wait_for_selector("[data-tone=headphones]")
        await page.evaluate(axe)
        assert await page.evaluate(RUN_AXE) == []
        await page.goto(f"{site.url}/rooms/garden/check")
        await page.click("#start")
        await page.wait_for_selector("#asked:has-text('quiet tone')")
        await page.evaluate(axe)
        assert await page.evaluate(RUN_AXE) == []
