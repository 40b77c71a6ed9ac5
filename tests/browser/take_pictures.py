"""Takes pictures of every page at three sizes, on the real daemon, amid a session that began hours ago.

``.venv/bin/python tests/browser/take_pictures.py docs/pictures`` writes them anew; with names behind, only
the pages whose names begin so. Look at each as a tired therapist would at hour six.
"""

import asyncio
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from playwright.async_api import Browser, Page, async_playwright

TESTS: Final = Path(__file__).parents[1]
sys.path[:0] = [str(TESTS / "shell"), str(TESTS / "golden")]

from daemon_rig import Rig  # noqa: E402
from golden_scores import load  # noqa: E402

from controller.clock import RealClock  # noqa: E402
from controller.core import commands as c  # noqa: E402
from controller.core import records as r  # noqa: E402
from controller.core.score import Score  # noqa: E402
from controller.core.session import Observed, Tick, step  # noqa: E402
from controller.core.state import new_room  # noqa: E402
from controller.journal import journal_path, open_journal  # noqa: E402

SIZES: Final = {"landscape": (1180, 820), "portrait": (820, 1180), "phone": (390, 844)}
CHROMIUM: Final = "/usr/bin/chromium"
ARGUMENTS: Final = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
MIN: Final = 60_000
SESSION: Final = "3f9c1e52"
POOLS: Final = ("warm", "sparse", "reassuring", "steady", "building", "vast", "tender", "light", "faint")
BEFORE: Final = ("pair", "room-home", "setup", "install-ca", "offline")
AMID: Final = ("live", "room-running", "sessions", "report", "display")
TITLES: Final = ("Slow water", "Low cloud", "Stone and moss")


def hours_of_records(score: Score, now_ms: int, ago_ms: int) -> list[r.Record]:
    """Return the records of a session that began ``ago_ms`` ago and went as sessions go."""
    state, began = new_room(score.resting), now_ms - ago_ms
    happened: list[tuple[int, Any]] = [
        (0, c.Command("start", "therapist:tablet by the window", c.Start(SESSION, score))),
        (62, c.Command("dose", "therapist:tablet by the window", c.Anchor("dose"))),
        (88, c.Command("shades", "therapist:tablet by the window", c.Eyeshades(on=True))),
        (89, c.Command("phones", "therapist:tablet by the window", c.Headphones(on=True))),
        (131, c.Command("tears", "therapist:tablet by the window", c.Note("n1", "tears"))),
        (139, Observed(r.TrackStarted("vast-1", "vast/vast-1", "vast", "Low cloud", "Stillroom"))),
    ]
    happened = [(began + minute * MIN, event) for minute, event in happened if minute * MIN < ago_ms - MIN]
    happened.append((now_ms - 4_000, c.Command("bp", "therapist:tablet", c.Note("n2", "bp_done"))))
    records: list[r.Record] = []
    due: int | None = None
    for at_ms, event in happened:
        while due is not None and due <= at_ms:
            ticked = step(state, Tick(), due)
            state, due = ticked.state, ticked.next_due_ms
            records.extend(ticked.records)
        done = step(state, event, at_ms)
        state, due = done.state, done.next_due_ms
        records.extend(done.records)
    return records


async def journal_hours(data: Path, minutes: int) -> None:
    """Put a session into the room's journal, as if the daemon had run it for so long."""
    catalogue, site = load()
    score = catalogue.score("psilocybin", site.room("garden"), "en")
    journal = await open_journal(journal_path(data, "garden"))
    await journal.append(hours_of_records(score, RealClock().now_ms(), minutes * MIN))
    await journal.close()


def place_music(folder: Path) -> None:
    """Put a few quiet tones in every pool of the plan, with titles as a clinic's own music would have."""
    import mutagen.flac
    import numpy as np
    import soundfile as sf

    for pool in POOLS:
        place = folder / "music" / pool
        place.mkdir(parents=True)
        for number, title in enumerate(TITLES):
            seconds = np.arange(90 * 16_000) / 16_000
            tone = 0.05 * np.sin(2 * np.pi * (110.0 + 20 * number) * seconds)
            path = place / f"{pool}-{number}.flac"
            sf.write(path, np.stack([tone, tone], axis=1), 16_000)
            tags = mutagen.flac.FLAC(path)  # type: ignore[no-untyped-call]
            tags["title"], tags["artist"] = title, "Stillroom"
            tags.save()
        text = f"pool: {pool}\ntitle: {pool.capitalize()}\nmood: {pool}\nfiles: ['*.flac']\n"
        (place / "pool.yaml").write_text(text, encoding="utf-8")


def make_small(path: Path) -> None:
    """Keep a picture's 256 colours, which is nearly all it has, where Pillow is there to do it."""
    with suppress(ImportError):
        from PIL import Image

        few = Image.open(path).convert("RGB").quantize(256, dither=Image.Dither.NONE)
        few.save(path, optimize=True)


@dataclass(frozen=True)
class Studio:
    """A running daemon, a browser, and where the pictures go."""

    rig: Rig
    browser: Browser
    out: Path
    wanted: tuple[str, ...]

    @asynccontextmanager
    async def page(self, path: str, size: str, role: str, language: str) -> AsyncIterator[Page]:
        width, height = SIZES[size]
        context = await self.browser.new_context(
            viewport={"width": width, "height": height}, reduced_motion="reduce", locale=language
        )
        url = f"http://127.0.0.1:{self.rig.port}"
        if role:
            token = self.rig.make_token(role)
            cookie: Any = {"name": "stillroom", "value": token, "url": url, "sameSite": "Strict"}
            await context.add_cookies([cookie])
        page = await context.new_page()
        await page.goto(url + path)
        yield page
        await context.close()

    async def take(
        self,
        name: str,
        path: str,
        arrange: Callable[[Page], Awaitable[object]] | None = None,
        *,
        role: str = "therapist",
        language: str = "en-GB",
    ) -> None:
        """Take a page's picture at each size, once it is as ``arrange`` leaves it."""
        if self.wanted and not name.startswith(self.wanted):
            return
        for size in SIZES:
            async with self.page(path, size, role, language) as page:
                if path.endswith("/live"):
                    await page.wait_for_selector("[data-link=live]")
                    await page.wait_for_selector("still-ribbon svg", state="attached")
                if arrange is not None:
                    await arrange(page)
                await page.wait_for_timeout(400)
                path_to = self.out / f"{name}-{size}.png"
                await page.screenshot(path=path_to)
                make_small(path_to)


def opened(panel: str) -> Callable[[Page], Awaitable[object]]:
    """Return what opens a panel of the live page."""

    async def arrange(page: Page) -> None:
        await page.click(f"[data-key={panel}]")

    return arrange


async def rest_on_plus(page: Page) -> None:
    """Rest a finger on +10 min, until the ribbon shows what it would do."""
    await page.hover("[data-key=plus]")
    await page.mouse.down()
    await page.wait_for_selector("still-ribbon .ghost", state="attached")


async def choose_profile(page: Page) -> None:
    """Choose a profile on the room's page."""
    await page.click("[data-profile=psilocybin]")
    await page.wait_for_selector("still-ribbon svg")


async def before_the_session(studio: Studio) -> None:
    """The pages a site meets before a client is in the room."""
    await studio.take("pair", "/pair", role="")
    await studio.take("room-home", "/rooms/garden", choose_profile)
    await studio.take("setup", "/setup", lambda page: page.wait_for_selector("#lamps li"), role="installer")
    await studio.take("install-ca", "/install-ca")
    await studio.take("offline", "/offline")


async def amid_the_session(studio: Studio) -> None:
    """The live page, its panels, and what else is used while a session runs."""
    live = "/rooms/garden/live"
    await studio.take("live", live)
    await studio.take("live-german", live, language="de-DE")
    for panel in ("lights", "music", "prompts", "notes", "more"):
        await studio.take(f"live-{panel}", live, opened(panel))
    await studio.take("live-preview", live, rest_on_plus)
    await studio.take("room-running", "/rooms/garden", lambda page: page.wait_for_selector("#running a"))
    await studio.take("sessions", "/rooms/garden/sessions", lambda p: p.wait_for_selector("#sessions a"))
    await studio.take(
        "report", f"/rooms/garden/sessions/{SESSION}", lambda page: page.wait_for_selector("#records tr")
    )

    async def prompted(page: Page) -> None:
        await page.wait_for_timeout(1_500)  # a display is not sent what was said before it was there
        await studio.rig.command("prompt", prompt="feet")
        await page.wait_for_selector("#prompt.shown")

    await studio.take("display", "/rooms/garden/display", prompted, role="display")
    for command, fields in (
        ("scene", {"scene": "path"}),
        ("volume_trim", {"db": -2}),
        ("light", {"zone": "bedside", "brightness": 12, "kelvin": 2200}),
        ("hold", {}),
    ):
        await studio.rig.command(command, **fields)
    await asyncio.sleep(6)
    await studio.take("live-overridden", live)


async def main(out: Path, wanted: tuple[str, ...]) -> None:
    """Take them all."""
    out.mkdir(parents=True, exist_ok=True)
    async with async_playwright() as play:
        browser = await play.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        for minutes, take, names in ((0, before_the_session, BEFORE), (160, amid_the_session, AMID)):
            if wanted and not any(each.startswith(names) for each in wanted):
                continue
            with tempfile.TemporaryDirectory() as folder:
                rig = Rig(Path(folder))
                rig.data.mkdir()
                site = rig.write_site()
                site.write_text(site.read_text().replace("output: null", "output: silent", 1))
                place_music(rig.folder)
                if minutes:
                    await journal_hours(rig.data, minutes)
                try:
                    await rig.start(profile=None)
                    await take(Studio(rig, browser, out, wanted))
                finally:
                    await rig.clean_up()
        await browser.close()


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit("usage: take_pictures.py FOLDER [NAME …]")
    asyncio.run(main(Path(sys.argv[1]), tuple(sys.argv[2:])))
