"""Who is kept out, as a browser meets it: wrong PINs, foreign pages; and a link that is gone for a minute."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from page_waits import until_so

Bench = Any  # tests/browser/conftest.py
pytestmark = pytest.mark.asyncio(loop_scope="session")  # one browser for all

SLIDER = "still-slider[data-zone=ceiling]"


async def test_ten_wrong_pins_shut_the_door_for_the_right_one_too(idle_bench: Bench) -> None:
    from web_serving import PIN

    bench = idle_bench
    bench.expect_lost_link = True  # Chromium reports each refusal as a failed load
    page = await bench.tablet(None, role="display")
    await page.context.clear_cookies()
    await page.goto(f"{bench.cable.url}/pair")
    answers = []
    for number in range(10):
        await page.fill("#pin", f"{number:06d}")
        async with page.expect_response("**/api/v1/pair") as answer:
            await page.click("button[type=submit]")
        answers.append((await answer.value).status)
        await until_so(page, "/PIN/.test(document.getElementById('said').textContent)")
    assert answers == [401] * 5 + [429] * 5
    assert "wait" in await page.inner_text("#said")
    await page.fill("#pin", PIN)
    async with page.expect_response("**/api/v1/pair") as answer:
        await page.click("button[type=submit]")
    assert (await answer.value).status == 429
    assert page.url.endswith("/pair")
    assert await page.context.cookies() == []


@asynccontextmanager
async def foreign_page() -> AsyncIterator[str]:
    """A page of somebody else on the same host: to a browser the same site, so our cookie goes along."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        page = b"<!doctype html><link rel=icon href=data:,><title>foreign</title>"
        head = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\n\r\n"
        writer.write(head + page)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"


async def test_a_foreign_page_can_neither_command_nor_listen(bench: Bench) -> None:
    bench.expect_lost_link = True
    page = await bench.tablet()
    body = '{"id": "7f0b0a52-6a0e-4d4e-9a39-6f2f5a3a9b11", "command": "light_trim", "trim": "dimmer"}'

    other = await page.context.new_page()
    async with foreign_page() as url:
        await other.goto(url)
        await other.evaluate(
            """async ([url, body]) => {
                const how = { method: 'POST', mode: 'no-cors', credentials: 'include', body };
                await fetch(url, how).catch(() => {});
            }""",
            [f"{bench.cable.url}/api/v1/rooms/garden/commands", body],
        )
        heard = await other.evaluate(
            """(url) => new Promise((done) => {
                const socket = new WebSocket(url);
                socket.onmessage = () => done('a message');
                socket.onclose = () => done('closed');
            })""",
            f"{bench.cable.url.replace('http', 'ws')}/api/v1/rooms/garden/live",
        )
    assert heard == "closed"
    assert bench.commands() == []
    await page.click("[data-key=dimmer]")
    await bench.until_sent("light_trim")


async def test_link_cut_for_a_minute_during_a_drag(bench: Bench) -> None:
    """The minute passes on the page's clock; sockets fail and open as they do."""
    bench.expect_lost_link = True
    page = await bench.tablet(None)
    await page.clock.install()
    await page.goto(f"{bench.cable.url}/rooms/garden/live")
    await page.wait_for_selector("[data-link=live]")
    await page.click("[data-key=lights]")
    box = await page.locator(SLIDER).bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    await page.mouse.move(x, y)
    await page.mouse.down()
    await page.mouse.move(x - box["width"] * 0.1, y)
    await bench.until_sent("light")
    await asyncio.sleep(0.3)
    known, sent = bench.room.zones["ceiling"].brightness_percent, len(bench.commands())
    bench.cable.cut()
    await page.wait_for_selector("[data-link=down]")
    for second in range(60):
        await page.mouse.move(x - box["width"] * (0.1 + 0.004 * second), y)
        await page.clock.run_for(1000)
    await page.mouse.up()
    assert "no link" in await page.inner_text("#linkwords")
    age = int("".join(c for c in await page.inner_text("#linkwords") if c.isdigit()))
    assert 58 <= age <= 75
    assert len(bench.commands()) == sent
    await page.clock.run_for(6000)  # the last of the drag is lost too
    bench.cable.mend()
    for _ in range(10):  # its longest back-off, and a little
        await page.clock.run_for(600)
    await page.wait_for_selector("[data-link=live]")
    await page.clock.run_for(1000)
    assert len(bench.commands()) == sent  # nothing of the minute was kept for later
    shown = await page.get_attribute(SLIDER, "aria-valuetext")
    assert shown == f"{round(known)} %"
    await page.click("[data-key=dimmer]")
    await bench.until_sent("light_trim")
