"""How soon the live page is painted in Chromium on loopback, and how much a tablet fetches for it.

A whole daemon runs as its own process, with a simulated Hue bridge in another, in a session. Each load is a
browser context of its own: nothing is cached, no service worker helps. "Painted" is the browser's own
first-contentful-paint, counted from the navigation; "live" ends when the first state from the room is on the
page (asked every frame). Bytes are the page, its styles, scripts and icons, uncompressed; not the room's own
data. Prints a table and, last, one JSON line. A page that is never painted counts as infinitely late.
"""

import argparse
import asyncio
import json
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from override_latency import USER, Daemon, daemon, figures
from playwright.async_api import Browser, async_playwright

from hardware.sim.bridge_child import BridgeChild

TARGET_PAINT_MS = 500.0
TARGET_BYTES = 150_000
CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
PAINTED = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? null"
LIVE = """() => new Promise((done) => {
    const isLive = () => document.body.dataset.link === 'live';
    const look = () => (isLive() ? done(performance.now()) : requestAnimationFrame(look));
    look();
})"""


def wait_served(found: Daemon) -> None:
    """Wait until the room's session is to be seen over HTTP."""
    until = time.monotonic() + 60
    headers = {"Authorization": f"Bearer {found.token}"}
    request = Request(f"http://127.0.0.1:{found.port}/api/v1/rooms/garden", headers=headers)
    while time.monotonic() < until:
        with suppress(OSError), urlopen(request, timeout=2) as answer:
            if json.load(answer)["session"] is not None:
                return
        time.sleep(0.2)
    raise SystemExit("the daemon did not start a session within a minute")


async def load(browser: Browser, found: Daemon) -> tuple[float, float, int]:
    """Open the live page once, in a browser that has never seen it: ms to paint, ms to live, bytes."""
    context = await browser.new_context(viewport={"width": 1180, "height": 820}, service_workers="block")
    base = f"http://127.0.0.1:{found.port}"
    cookie: Any = {"name": "stillroom", "value": found.token, "url": base, "sameSite": "Strict"}
    await context.add_cookies([cookie])
    page = await context.new_page()
    answers: list[Any] = []
    page.on("response", lambda answer: answers.append(answer))  # noqa: PLW0108 - a builtin takes no marks
    await page.goto(f"{base}/rooms/garden/live")
    live = await page.evaluate(LIVE)
    painted = await page.evaluate(PAINTED)
    kept = [answer for answer in answers if answer.status == 200 and "/api/" not in answer.url]
    sizes = [len(await answer.body()) for answer in kept]
    await context.close()
    return float("inf") if painted is None else float(painted), float(live), sum(sizes)


async def measure(found: Daemon, count: int) -> dict[str, Any]:
    """Load the page ``count`` times; the figures."""
    async with async_playwright() as play:
        browser = await play.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        await load(browser, found)  # the browser's own start is not the page's
        loads = [await load(browser, found) for _ in range(count)]
        await browser.close()
    for paint_ms, live_ms, size in loads:
        print(f"{paint_ms:8.1f} {live_ms:8.1f} {size:8d}", file=sys.stderr)
    return {
        "painted": figures([paint for paint, _, _ in loads]),
        "live": figures([live for _, live, _ in loads]),
        "bytes": max(size for _, _, size in loads),
        "loads": count,
    }


def run(count: int) -> dict[str, Any]:
    """Start a daemon in a session and load its live page ``count`` times; the figures."""
    bridge = BridgeChild.start("--port", "0", "--lights", "8", "--user", USER)
    try:
        with (
            tempfile.TemporaryDirectory(prefix="stillroom-paint-") as name,
            daemon(Path(name), bridge.url) as found,
        ):
            wait_served(found)
            return asyncio.run(measure(found, count))
    finally:
        bridge.stop()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--loads", type=int, default=20, help="how often the page is opened")
    count = parser.parse_args().loads
    found = run(count)
    print(f"{'of the page':<12} {'p50':>8} {'p99':>8} {'max':>8}  ms; {found['bytes']} bytes")
    for what in ("painted", "live"):
        row = found[what]
        print(f"{what:<12} {row['p50_ms']:>8} {row['p99_ms']:>8} {row['max_ms']:>8}")
    ok = (
        found["painted"]["commands"] == count
        and not found["painted"]["lost"]
        and found["painted"]["p99_ms"] <= TARGET_PAINT_MS
        and found["bytes"] < TARGET_BYTES
    )
    line = {"benchmark": "first_paint", "ok": ok, "figures": found}
    print(json.dumps(line).replace("Infinity", "null"))
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
