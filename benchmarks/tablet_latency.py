"""How soon a tap on the tablet is on the bridge's socket, and confirmed to the eye, while eight lamps fade.

A whole daemon runs as its own process, with a simulated Hue bridge in another. Chromium shows the live
page of one tablet; three more hold their live links open and read all that comes. A tap is a real pointer
event: its time is taken in the page at ``pointerdown``, the lamp command's at the bridge's socket. All clocks
are the machine's monotonic one, tied to the page's by the shortest of many round trips; half of that is the
error that is printed. "To the eye" ends when the frame is painted in which the key says that its command was
applied. A tap's lamp command is the first that tells some lamp to be dimmer (warmer, …) than it had been told
before, to one lamp or to all as a group: one that only carries on the fade of an earlier tap the other way is
not taken for it. When the last of the eight lamps had its own is printed too, and is the bridge's budget of
eight commands a second. One round of taps goes before, uncounted: until then the lamps still rise from the
room at rest to the session's first look. A tap that never arrives counts as infinitely late. Prints a table
and, last, one JSON line.
"""

import argparse
import asyncio
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from override_latency import INFINITE, LAMPS, USER, Daemon, Put, daemon, figures, puts, wait_ready
from playwright.async_api import Page, async_playwright
from websockets.asyncio.client import connect

from hardware.sim.bridge_child import BridgeChild

TARGET_BRIDGE_P99_MS = 50.0
TARGET_EYE_P99_MS = 100.0
TABLETS = 4
CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
KEYS = ("dimmer", "warmer", "brighter", "cooler")
SETTLE_S = 8.0
TAP_S = 1.6
"""A tap moves all eight lamps at eight commands a second, and brightness may turn once in 2 s."""

WATCH = """() => {
    window.taps = [];
    for (const key of document.querySelectorAll('.key.light')) {
        key.addEventListener('pointerdown', () => {
            window.taps.push({ at: performance.now(), seen: null });
        }, true);
        new MutationObserver(() => {
            const tap = window.taps.at(-1);
            if (key.dataset.sent !== 'applied' || !tap || tap.seen !== null) return;
            // A message that is posted in a frame's callback arrives once that frame has been painted.
            requestAnimationFrame(() => {
                const painted = new MessageChannel();
                painted.port1.onmessage = () => { tap.seen ??= performance.now(); };
                painted.port2.postMessage(null);
            });
        }).observe(key, { attributes: true, attributeFilter: ['data-sent'] });
    }
}"""


async def page_offset(page: Page) -> tuple[float, float]:
    """Return what to add to the page's ms to have the machine's, and by how much that may be wrong."""
    best = (0.0, float("inf"))
    for _ in range(40):
        before = time.monotonic_ns() / 1e6
        inside = await page.evaluate("performance.now()")
        after = time.monotonic_ns() / 1e6
        if (after - before) / 2 < best[1]:
            best = ((before + after) / 2 - inside, (after - before) / 2)
    return best


async def read_all(found: Daemon, opened: asyncio.Semaphore) -> None:
    """Be one more tablet: hold a live link open and read what comes."""
    url = f"ws://127.0.0.1:{found.port}/api/v1/rooms/garden/live"
    async with connect(url, additional_headers={"Authorization": f"Bearer {found.token}"}) as link:
        opened.release()
        async for _ in link:
            pass


async def tap(page: Page, count: int) -> None:
    """Tap each way in turn, at the pace that the bridge's budget allows."""
    places = []
    for key in KEYS:
        box = await page.locator(f"[data-key={key}]").bounding_box()
        if box is None:
            raise SystemExit(f"the key {key} is not to be seen")
        places.append((box["x"] + box["width"] / 2, box["y"] + box["height"] / 2))
    for number in range(count):
        await page.mouse.move(*places[number % len(KEYS)])
        await page.mouse.down()
        await page.mouse.up()
        await asyncio.sleep(TAP_S)


async def measure(found: Daemon, bridge: BridgeChild, count: int) -> dict[str, Any]:
    """Tap ``count`` times with four tablets connected; the figures."""
    async with async_playwright() as play, asyncio.TaskGroup() as group:
        browser = await play.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        page = await (await browser.new_context(viewport={"width": 1180, "height": 820})).new_page()
        base = f"http://127.0.0.1:{found.port}"
        await page.goto(f"{base}/pair#token={found.token}")
        await page.wait_for_url("**/rooms/garden")
        await page.goto(f"{base}/rooms/garden/live")
        await page.wait_for_selector("[data-link=live]")
        opened = asyncio.Semaphore(0)
        others = [group.create_task(read_all(found, opened)) for _ in range(TABLETS - 1)]
        for _ in others:
            await opened.acquire()
        await page.evaluate(WATCH)
        await asyncio.sleep(1.0)
        offset, error = await page_offset(page)
        await tap(page, len(KEYS) + count)
        await asyncio.sleep(1.0)
        taps = (await page.evaluate("window.taps"))[len(KEYS) :]
        for other in others:
            other.cancel()
        await browser.close()
    found = [(one["at"] + offset, one["seen"] and one["seen"] - one["at"]) for one in taps]
    return judge(found, puts(bridge), error)


def judge(taps: list[tuple[float, float | None]], seen: list[Put], error: float) -> dict[str, Any]:
    """Find each tap's own lamp commands before the next tap, and when its key said so; the figures."""
    ends = [at for at, _ in taps[1:]] + [INFINITE]
    first, last = [], []
    for number, ((at, _), end) in enumerate(zip(taps, ends, strict=True)):
        moments = [
            own_command(KEYS[number % len(KEYS)], lamp, at - error, end, seen) - at
            for lamp in range(1, LAMPS + 1)
        ]
        first.append(min(moments))
        last.append(max(moments))
    to_eye = [INFINITE if took is None else took for _, took in taps]
    for number, (bridge_ms, last_ms, eye_ms) in enumerate(zip(first, last, to_eye, strict=True)):
        line = f"{KEYS[number % len(KEYS)]:<10} {bridge_ms:8.1f} {last_ms:8.1f} {eye_ms:8.1f}"
        print(line, file=sys.stderr)
    reached = [took for took in last if took < INFINITE]
    rows = {"to_bridge": figures(first), "to_eye": figures(to_eye), "to_last_lamp": figures(reached)}
    return {**rows, "clock_error_ms": round(error, 2), "lamps": LAMPS, "tablets": TABLETS}


def own_command(key: str, lamp: int, begin: float, end: float, seen: list[Put]) -> float:
    """Return when a lamp was first told to go the key's way, against what it had been told before."""
    mine = [put for put in seen if lamp in put.lamps]
    told = next((put for put in reversed(mine) if put.at_ms < begin), None)
    for put in mine:
        if put.at_ms < begin:
            continue
        if put.at_ms >= end:
            break
        more = (
            told is None
            or {
                "dimmer": put.bri < told.bri,
                "brighter": put.bri > told.bri,
                "warmer": put.ct > told.ct,
                "cooler": put.ct < told.ct,
            }[key]
        )
        if more:
            return put.at_ms
        told = put
    return INFINITE


def run(count: int) -> dict[str, Any]:
    bridge = BridgeChild.start("--port", "0", "--lights", str(LAMPS), "--user", USER)
    try:
        with (
            tempfile.TemporaryDirectory(prefix="stillroom-tablet-") as name,
            daemon(Path(name), bridge.url) as found,
        ):
            wait_ready(found, bridge)
            time.sleep(SETTLE_S)
            return asyncio.run(measure(found, bridge, count))
    finally:
        bridge.stop()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--taps", type=int, default=16, help="how often (200 takes 6 min)")
    count = parser.parse_args().taps
    found = run(count)
    print(
        f"{'from the tap':<14} {'p50':>7} {'p99':>7} {'max':>7}  ms, {found['clock_error_ms']} ms uncertain"
    )
    for way in ("to_bridge", "to_last_lamp", "to_eye"):
        row = found[way]
        print(f"{way:<14} {row['p50_ms']:>7} {row['p99_ms']:>7} {row['max_ms']:>7}")
    ok = (
        found["to_bridge"]["commands"] == found["to_eye"]["commands"] == count
        and found["to_bridge"]["p99_ms"] <= TARGET_BRIDGE_P99_MS
        and found["to_eye"]["p99_ms"] <= TARGET_EYE_P99_MS
        and not found["to_bridge"]["lost"]
        and not found["to_eye"]["lost"]
    )
    line = {"benchmark": "tablet_latency", "ok": ok, "figures": found}
    print(json.dumps(line).replace("Infinity", "null"))
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
