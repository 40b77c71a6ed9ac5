"""Debian's Chromium on the tablet's pages, around a fake room, through a cable that tests can cut."""

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

sys.path.insert(0, str(Path(__file__).parents[1] / "shell"))

CHROMIUM = Path("/usr/bin/chromium")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--no-first-run",
    "--disable-component-update",
    "--disable-sync",
]
SIZES = {"landscape": (1180, 820), "portrait": (820, 1180), "phone": (390, 844)}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    try:
        import playwright  # noqa: F401
    except ImportError:
        why = "needs the extra `browser` (playwright)"
    else:
        why = "" if CHROMIUM.exists() else f"needs Debian's chromium at {CHROMIUM}"
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)
            if why:
                item.add_marker(pytest.mark.skip(reason=why))


class Cable:
    """A TCP link that can be cut (connections end, new ones are refused) or stalled (bytes wait)."""

    def __init__(self) -> None:
        self.target = 0
        self.port = 0
        self._whole = True
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._ends: set[asyncio.StreamWriter] = set()

    async def _meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not self._whole:
            writer.transport.abort()
            return
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            writer.transport.abort()
            return
        self._ends |= {writer, far_writer}
        await asyncio.gather(self._carry(reader, far_writer), self._carry(far_reader, writer))
        self._ends -= {writer, far_writer}

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65536):
                await self._flowing.wait()
                writer.write(data)
                await writer.drain()
        except OSError:
            pass
        finally:
            writer.close()

    def cut(self) -> None:
        self._whole = False
        for writer in self._ends:
            writer.transport.abort()

    def stall(self) -> None:
        self._flowing.clear()

    def mend(self) -> None:
        self._whole = True
        self._flowing.set()

    async def pause_clock(self, page: Any) -> None:
        """From here a page's time passes only when a test says so, however slow the machine is."""
        from playwright.async_api import Error

        for _ in range(20):
            with suppress(Error):  # the machine took longer than that, and the moment has passed
                await page.clock.pause_at((await page.evaluate("Date.now()") + 500) / 1000)
                return
        raise AssertionError("the page's clock cannot be paused")

    async def mend_for(self, page: Any) -> None:
        """Mend it, and let a page's paused clock run in small steps until the page is back.

        Its longest wait between two tries, this early, is 2.4 s: less than what a command may wait.
        """
        self.mend()
        for _ in range(45):
            await page.clock.run_for(60)
            for _ in range(30):
                if await page.get_attribute("body", "data-link") == "live":
                    return
                await asyncio.sleep(0.01)
        raise AssertionError("the page did not come back")

    @asynccontextmanager
    async def laid(self) -> AsyncIterator["Cable"]:
        server = await asyncio.start_server(self._meet, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            self.mend()
            self.cut()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


class Bench:
    """The site, the cable to it, and tablets."""

    def __init__(self, site: Any, cable: Cable, browser: Any) -> None:
        self.site = site
        self.room = site.room
        self.cable = cable
        self._browser = browser
        self.complaints: list[str] = []
        self.expect_lost_link = False

    async def tablet(
        self,
        path: str | None = "/rooms/garden/live",
        *,
        role: str = "therapist",
        size: str = "landscape",
        **more: Any,
    ) -> Any:
        """A paired tablet's page."""
        width, height = SIZES[size]
        more.setdefault("reduced_motion", "reduce")
        context = await self._browser.new_context(viewport={"width": width, "height": height}, **more)
        token = self.site.access.issue_token(role, f"{size} tablet")
        if role:
            cookie = {"name": "stillroom", "value": token, "url": self.cable.url}
            await context.add_cookies([{**cookie, "httpOnly": True, "sameSite": "Strict"}])
        page = await context.new_page()
        page.on("console", self._hear)
        page.on("pageerror", lambda error: self.complaints.append(f"page error: {error}"))
        if path is not None:
            await page.goto(self.cable.url + path)
            if path.endswith("/live"):
                await page.wait_for_selector("[data-link=live]")
                await page.wait_for_selector("still-ribbon svg")
        return page

    def _hear(self, message: Any) -> None:
        lost = (
            "ERR_" in message.text
            or "WebSocket connection" in message.text
            or "Failed to load" in message.text
        )
        if message.type in {"error", "warning"} and not (self.expect_lost_link and lost):
            self.complaints.append(message.text)

    def commands(self) -> list[str]:
        return [request.command for request, _ in self.room.commands if not request.dry_run]

    async def until(self, true: Callable[[], bool | Awaitable[bool]], seconds: float = 30) -> None:
        """Wait until something is so."""
        async with asyncio.timeout(seconds):
            while True:
                found = true()
                if (await found) if isinstance(found, Awaitable) else found:
                    return
                await asyncio.sleep(0.01)

    async def until_sent(self, name: str, seconds: float = 30) -> Any:
        await self.until(lambda: name in self.commands(), seconds)
        return next(request for request, _ in self.room.commands if request.command == name)


@pytest_asyncio.fixture(loop_scope="session", scope="session")
async def chromium() -> AsyncIterator[Any]:
    """One browser for all; each tablet has its own context."""
    from playwright.async_api import async_playwright

    async with async_playwright() as play:
        browser = await play.chromium.launch(executable_path=str(CHROMIUM), args=ARGUMENTS)
        yield browser
        await browser.close()


@asynccontextmanager
async def benches(data: Path, browser: Any, *, running: bool = True) -> AsyncIterator[Bench]:
    from web_serving import served

    async with served(data, running=running) as site, Cable().laid() as cable:
        cable.target = int(site.url.rpartition(":")[2])
        bench = Bench(site, cable, browser)
        try:
            yield bench
        finally:
            for context in browser.contexts:
                await context.close()
        assert bench.complaints == []


@pytest_asyncio.fixture(loop_scope="session")
async def cable() -> AsyncIterator[Cable]:
    """A cable with no target yet."""
    async with Cable().laid() as found:
        yield found


@pytest_asyncio.fixture(loop_scope="session")
async def bench(tmp_path: Path, chromium: Any) -> AsyncIterator[Bench]:
    async with benches(tmp_path, chromium) as found:
        yield found


@pytest_asyncio.fixture(loop_scope="session")
async def idle_bench(tmp_path: Path, chromium: Any) -> AsyncIterator[Bench]:
    """No session runs yet."""
    async with benches(tmp_path, chromium, running=False) as found:
        yield found
