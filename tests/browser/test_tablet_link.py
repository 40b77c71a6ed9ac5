"""The link in Chromium: tablets that converge, a cut cable, a stalled one, a daemon that restarts."""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

Bench = Any  # tests/browser/conftest.py
pytestmark = pytest.mark.asyncio(loop_scope="session")  # one browser for all

SLIDER = "still-slider[data-zone=ceiling]"


WATCH_SLIDER = f"""() => {{
    const slider = document.querySelector('{SLIDER}');
    window.shown = [slider.value];
    new MutationObserver(() => window.shown.push(slider.value))
        .observe(slider, {{ attributes: true, attributeFilter: ['aria-valuenow'] }});
}}"""


async def tap(page: Any, key: str) -> None:
    await page.click(f"[data-key={key}]")


async def health(page: Any, wanted: str, seconds: float = 30) -> None:
    await page.wait_for_selector(f"body[data-link={wanted}]", timeout=seconds * 1000)


async def grip(page: Any) -> tuple[float, float, float]:
    """Put the pointer down on the ceiling's slider; return x, y and its width."""
    box = await page.locator(SLIDER).bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    await page.mouse.move(x, y)
    await page.mouse.down()
    return x, y, box["width"]


async def test_two_tablets_converge(bench: Bench) -> None:
    one, two = await bench.tablet(), await bench.tablet(size="portrait")
    await tap(one, "dimmer")
    await tap(two, "warmer")
    await tap(one, "quieter")
    await tap(two, "plus")
    await bench.until(lambda: len(bench.commands()) == 4)
    texts = ("#cells", "#ends", "#phase")
    for page in (one, two):
        await bench.until(
            lambda page=page: page.evaluate(
                "document.querySelectorAll('[data-release]:not([hidden])').length === 4"
            )
        )
    await asyncio.sleep(1.1)  # one beat
    assert [await one.inner_text(t) for t in texts] == [await two.inner_text(t) for t in texts]
    ends = "document.querySelector('still-ribbon').getAttribute('aria-label')"
    assert await one.evaluate(ends) == await two.evaluate(ends)


async def page_with_a_clock(bench: Bench) -> Any:
    """A tablet whose time passes only when the test says so; sockets fail and open as they do."""
    bench.expect_lost_link = True
    page = await bench.tablet(None)
    await page.clock.install()
    await page.goto(f"{bench.cable.url}/rooms/garden/live")
    await health(page, "live")
    await bench.cable.pause_clock(page)
    return page


async def test_tap_during_a_cut_of_three_seconds_happens_once(bench: Bench) -> None:
    page = await page_with_a_clock(bench)
    bench.cable.cut()
    await health(page, "down")
    assert "no link" in await page.inner_text("#linkwords")
    await tap(page, "dimmer")
    await page.wait_for_selector("[data-key=dimmer][data-sent=waiting]")
    for _ in range(30):
        await page.clock.run_for(100)
    await bench.cable.mend_for(page)
    await page.wait_for_selector("[data-key=dimmer][data-sent=applied]")
    await page.clock.run_for(500)
    assert bench.commands() == ["light_trim"]


async def test_cut_of_three_seconds_during_a_drag_ends_on_the_last_value(bench: Bench) -> None:
    page = await page_with_a_clock(bench)
    await tap(page, "lights")
    # A lamp in a fade: whatever is asked of it, it is still nearly where it was, and says so.
    bench.room._moved = lambda zone, request, by: replace(zone, fading=True)
    await page.evaluate(WATCH_SLIDER)
    x, y, width = await grip(page)
    await page.mouse.move(x - width * 0.1, y)
    await bench.until_sent("light")
    sent = len(bench.commands())
    bench.cable.cut()
    await health(page, "down")
    for part in range(1, 31):
        await page.mouse.move(x - width * (0.1 + 0.01 * part), y)
        await page.clock.run_for(100)
    # The first state that comes back knows nothing of the finger's last three seconds.
    bench.room.zones["ceiling"] = replace(bench.room.zones["ceiling"], fading=False)
    await bench.cable.mend_for(page)
    await bench.until(lambda: len(bench.commands()) > sent, 30)
    await page.mouse.up()
    await page.clock.run_for(500)
    bench.room.changed()  # the fade goes on, from a level the finger left long ago
    await page.clock.run_for(500)
    last = [request for request, _ in bench.room.commands][-1]
    shown = await page.get_attribute(SLIDER, "aria-valuetext")
    assert shown == (f"{last.brightness:.1f} %" if last.brightness < 9.95 else f"{round(last.brightness)} %")
    assert len(bench.commands()) == sent + 1  # of three seconds one word went out: the last
    values = await page.evaluate("window.shown")
    assert values == sorted(values, reverse=True)  # and the finger was never overruled
    gestures = {request.gesture for request, _ in bench.room.commands}
    assert len(gestures) == 1
    assert None not in gestures


async def test_long_cut_during_a_drag_says_lost_and_shows_what_is_so(bench: Bench) -> None:
    bench.expect_lost_link = True
    page = await bench.tablet()
    await tap(page, "lights")
    x, y, width = await grip(page)
    await page.mouse.move(x - width * 0.1, y)
    await bench.until_sent("light")
    await asyncio.sleep(0.3)
    known = bench.room.zones["ceiling"].brightness_percent
    sent = len(bench.commands())
    bench.cable.cut()
    await health(page, "down")
    shown = await page.evaluate(f"document.querySelector('{SLIDER}').value")
    for part in range(10):
        await page.mouse.move(x - width * (0.1 + 0.02 * part), y)
        await asyncio.sleep(0.02)
    assert await page.evaluate(f"document.querySelector('{SLIDER}').value") < shown  # the finger is followed
    await page.mouse.up()
    await tap(page, "quieter")
    await page.wait_for_selector("[data-key=quieter][data-sent=lost]", timeout=30_000)
    assert "lost, it was not sent" in await page.inner_text("#answer")
    bench.cable.mend()
    await health(page, "live")
    await asyncio.sleep(0.5)
    assert len(bench.commands()) == sent  # nothing was kept for later
    assert bench.room.zones["ceiling"].brightness_percent == known
    value = await page.evaluate(f"document.querySelector('{SLIDER}').getAttribute('aria-valuetext')")
    assert value == f"{round(known)} %"


async def test_stalled_link_marks_values_old_and_never_acts_late(bench: Bench) -> None:
    bench.expect_lost_link = True
    page = await bench.tablet()
    bench.cable.stall()
    await health(page, "old")
    opacity = "getComputedStyle(document.getElementById('view-now')).opacity"
    assert float(await page.evaluate(opacity)) < 1
    await tap(page, "dimmer")  # into the stalled socket: TCP would deliver it whenever it can
    await health(page, "down")
    await page.wait_for_selector("[data-key=dimmer][data-sent=unknown]", timeout=30_000)
    assert "not confirmed" in await page.inner_text("#answer")
    await asyncio.sleep(1.5)
    bench.cable.mend()
    await health(page, "live")
    await asyncio.sleep(0.5)
    assert bench.commands() == []
    assert float(await page.evaluate(opacity)) == 1


async def test_daemon_restarts_under_the_page(bench: Bench, tmp_path: Path) -> None:
    from web_serving import served

    bench.expect_lost_link = True
    page = await bench.tablet()
    async with served(tmp_path) as after:  # the same data folder: the token stands
        bench.cable.target = int(after.url.rpartition(":")[2])
        bench.cable.cut()
        await health(page, "down")
        bench.cable.mend()
        await health(page, "live")
        await tap(page, "dimmer")
        await bench.until(lambda: len(after.room.commands) == 1)
    assert bench.commands() == []


async def test_drag_shows_at_once_sends_little_and_never_jumps_back(bench: Bench) -> None:
    page = await bench.tablet()
    await tap(page, "lights")
    await page.evaluate(WATCH_SLIDER)
    start = bench.room.zones["ceiling"]
    # A lamp in a fade: whatever is asked of it, it is still nearly where it was.
    bench.room._moved = lambda zone, request, by: replace(zone, fading=True)
    x, y, width = await grip(page)
    loop = asyncio.get_running_loop()
    began = loop.time()
    for part in range(1, 41):
        await page.mouse.move(x - width * 0.01 * part, y)
        bench.room.changed()
        await asyncio.sleep(0.02)
    took = loop.time() - began
    await page.mouse.up()
    await asyncio.sleep(0.5)
    bench.room.changed()  # the fade goes on after the finger left
    await asyncio.sleep(0.3)
    shown = await page.evaluate("window.shown")
    assert shown == sorted(shown, reverse=True)
    assert len(shown) > 20
    assert len(bench.commands()) <= took * 20 + 3
    last = [request for request, _ in bench.room.commands][-1]
    final = await page.evaluate(f"document.querySelector('{SLIDER}').getAttribute('aria-valuetext')")
    assert final == (f"{last.brightness:.1f} %" if last.brightness < 9.95 else f"{round(last.brightness)} %")
    # The fade is over, and somebody else has set it: now the room counts.
    bench.room.zones["ceiling"] = replace(start, fading=False, brightness_percent=80.0)
    bench.room.changed()
    await bench.until(
        lambda page=page: page.evaluate(
            f"document.querySelector('{SLIDER}').getAttribute('aria-valuetext') === '80 %'"
        )
    )


async def test_touching_a_slider_changes_nothing(bench: Bench) -> None:
    page = await bench.tablet()
    await tap(page, "lights")
    await page.click(SLIDER, position={"x": 5, "y": 20})
    await asyncio.sleep(0.3)
    assert bench.commands() == []
    await page.focus(SLIDER)
    await page.keyboard.press("ArrowLeft")
    assert (await bench.until_sent("light")).zone == "ceiling"


async def test_a_token_taken_back_leads_to_the_pairing_page(bench: Bench) -> None:
    page = await bench.tablet()
    for device in bench.site.access.devices():
        bench.site.access.revoke(device.token_id)
    await page.wait_for_url("**/pair", timeout=30_000)


async def test_without_a_link_the_page_opens_and_says_so(bench: Bench) -> None:
    bench.expect_lost_link = True
    page = await bench.tablet()
    await page.evaluate("navigator.serviceWorker.ready.then(() => true)")
    await page.reload()
    await health(page, "live")
    bench.cable.cut()
    await page.reload()
    await health(page, "down")
    assert "no link" in await page.inner_text("#linkwords")
    await page.goto(bench.cable.url + "/setup")
    assert "No link to the room" in await page.inner_text("h1")
    kept = await page.evaluate(
        "caches.keys().then(async names => (await Promise.all(names.map(async n =>"
        " (await (await caches.open(n)).keys()).map(r => r.url)))).flat())"
    )
    assert not any("/api/" in url for url in kept)  # nothing of a room is kept
    bench.cable.mend()


async def test_display_shows_and_fades_and_says_so(bench: Bench) -> None:
    from controller.core.score import Audience
    from controller.ports import Prompt

    page = await bench.tablet("/rooms/garden/display", role="display")
    await bench.until(lambda: bench.site.screen.watched == 1)
    assert await page.inner_text("#prompt") == ""
    bench.site.screen.publish(Prompt("p9", "Feel both feet meet the floor.", None, Audience.CLIENT, 60))
    await page.wait_for_selector("#prompt.shown")
    assert await page.inner_text("#prompt") == "Feel both feet meet the floor."
    ack = await bench.until_sent("prompt_ack")
    assert (ack.prompt_id, ack.result) == ("p9", "shown")
