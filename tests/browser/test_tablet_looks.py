"""How the pages look: dark, in their place at every size, readable, and clean for axe-core."""

import asyncio
import os
import shutil
import subprocess
import tarfile
import tempfile
from base64 import b64encode
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from controller.certificates import make_certificate

Bench = Any  # tests/browser/conftest.py
pytestmark = pytest.mark.asyncio(loop_scope="session")  # one browser for all

SIZES = ["landscape", "portrait", "phone"]
AXE = "axe-core@4.10.3"
PICTURES = os.environ.get("STILLROOM_PICTURES")
"""A folder to keep the pictures in; without, they are only looked at by these tests."""


MEASURE = """async (data) => {
  const image = new Image();
  image.src = 'data:image/png;base64,' + data;
  await image.decode();
  const canvas = new OffscreenCanvas(image.width, image.height).getContext('2d');
  canvas.drawImage(image, 0, 0);
  const rgba = canvas.getImageData(0, 0, image.width, image.height).data;
  const linear = (v) => (v <= 10 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4);
  let [sum, bluer] = [0, -255];
  for (let i = 0; i < rgba.length; i += 4) {
    sum += 0.2126 * linear(rgba[i]) + 0.7152 * linear(rgba[i + 1]) + 0.0722 * linear(rgba[i + 2]);
    bluer = Math.max(bluer, rgba[i + 2] - rgba[i], rgba[i + 2] - 160);  // nor anything near white
  }
  return [sum / (rgba.length / 4), bluer];
}"""


async def luminance_and_blue(page: Any, png: bytes) -> tuple[float, int]:
    """Mean relative luminance of a picture, and how far blue exceeds red, or what amber has of it."""
    blank = await page.context.new_page()
    mean, bluer = await blank.evaluate(MEASURE, b64encode(png).decode())
    await blank.close()
    return mean, bluer


async def picture(page: Any, name: str) -> bytes:
    png: bytes = await page.screenshot()
    if PICTURES:
        (Path(PICTURES) / f"{name}.png").write_bytes(png)
    return png


LEAST = {"landscape": 72, "portrait": 72, "phone": 44}
"""The least side of a target, px: a thumb in the dark, and on a phone a finger."""

OUT_OF_PLACE = """(least) => {
  const found = [];
  const keys = [...document.querySelectorAll('.keys .key')];
  const boxes = keys.map(key => key.getBoundingClientRect());
  boxes.forEach((box, i) => {
    const name = keys[i].dataset.key;
    if (box.width < least || box.height < least) found.push(`${name} is ${box.width}x${box.height}`);
    const inside = box.left >= 0 && box.right <= innerWidth && box.bottom <= innerHeight;
    if (!inside) found.push(`${name} is out of sight`);
    const label = keys[i].querySelector('.label');
    if (label.scrollWidth > label.clientWidth) found.push(`${name}: its label is cut`);
    const text = label.getBoundingClientRect();
    if (text.bottom > box.bottom || text.top < box.top) found.push(`${name}: its label leaves it`);
    boxes.slice(i + 1).forEach((other, j) => {
      const beside = box.right <= other.left || other.right <= box.left;
      const apart = beside || box.bottom <= other.top || other.bottom <= box.top;
      if (!apart) found.push(`${name} covers ${keys[i + 1 + j].dataset.key}`);
    });
  });
  if (document.documentElement.scrollWidth > innerWidth) found.push('the page scrolls sideways');
  return found;
}"""


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("language", ["en", "de"])
async def test_keys_keep_their_place_and_their_words(bench: Bench, size: str, language: str) -> None:
    page = await bench.tablet(f"/rooms/garden/live?lang={language}", size=size)
    await page.wait_for_selector("[data-link=live]")
    assert await page.evaluate(OUT_OF_PLACE, LEAST[size]) == []
    places = "JSON.stringify([...document.querySelectorAll('.key')].map(k => k.getBoundingClientRect()))"
    before = await page.evaluate(places)
    for key in ("dimmer", "plus", "hold", "shades", "silence", "path"):
        await page.click(f"[data-key={key}]")
        await page.wait_for_selector(f"[data-key={key}][data-sent=applied]")
    assert await page.evaluate(places) == before
    assert await page.evaluate(OUT_OF_PLACE, LEAST[size]) == []
    await picture(page, f"live-{language}-{size}-changed")


@pytest.mark.parametrize("size", SIZES)
async def test_right_to_left_turns_the_page_and_keeps_it_whole(bench: Bench, size: str) -> None:
    page = await bench.tablet(size=size)
    first = "document.querySelector('[data-key=hold]').getBoundingClientRect().left"
    before = await page.evaluate(first)
    await page.evaluate("document.documentElement.dir = 'rtl'")
    await page.set_viewport_size(
        {"width": page.viewport_size["width"] - 1, "height": page.viewport_size["height"]}
    )
    assert await page.evaluate(first) > before
    assert await page.evaluate(OUT_OF_PLACE, LEAST[size]) == []
    await picture(page, f"live-rtl-{size}")


# What of a list of elements cannot be seen whole, cannot be tapped, or is smaller than a finger.
OUT_OF_REACH = """([what, least]) => {
  const found = [];
  for (const each of document.querySelectorAll(what)) {
    if (!each.checkVisibility()) continue;
    each.scrollIntoView({ block: 'nearest' });
    const box = each.getBoundingClientRect();
    const name = each.textContent.trim() || each.getAttribute('aria-label');
    if (least && Math.min(box.width, box.height) < least) found.push(`${name}: ${box.width}x${box.height}`);
    const top = document.elementFromPoint(box.left + box.width / 2, box.top + box.height / 2);
    if (!each.contains(top)) found.push(`${name} is covered or out of sight`);
  }
  return found;
}"""


@pytest.mark.parametrize("size", SIZES)
async def test_everything_is_seen_and_within_reach(bench: Bench, size: str) -> None:
    page = await bench.tablet(size=size)
    await page.click("[data-key=dimmer]")
    await page.click("[data-key=quieter]")
    await page.wait_for_selector("[data-release=music]", state="visible")
    cells = await page.evaluate(
        "[...document.querySelectorAll('.cell')].map(c => [c.getBoundingClientRect().bottom,"
        " document.querySelector('.middle').getBoundingClientRect().bottom])"
    )
    assert len(cells) == 4  # three zones and the music, all of them without scrolling
    assert all(bottom <= edge for bottom, edge in cells)
    assert await page.evaluate(OUT_OF_REACH, [".cell button, #cue button", LEAST[size]]) == []
    for key in ("lights", "music", "prompts", "notes", "more"):
        await page.click(f"[data-key={key}]")
        inside = f"#view-{key} button, #view-{key} still-slider, #view-{key} textarea"
        await page.wait_for_selector(f"#view-{key} :is(button, still-slider)")
        assert await page.evaluate(OUT_OF_REACH, [inside, LEAST[size]]) == [], key
    assert await page.evaluate(OUT_OF_PLACE, LEAST[size]) == []


async def test_live_page_is_small(bench: Bench) -> None:
    """Everything a tablet fetches until the live page stands, uncompressed: under 150 kB."""
    page = await bench.tablet(None)
    sizes: dict[str, int] = {}

    async def weigh(response: Any) -> None:
        sizes[response.url] = len(await response.body())

    weighing: list[Any] = []
    page.on("response", lambda response: weighing.append(asyncio.ensure_future(weigh(response))))
    await page.goto(bench.cable.url + "/rooms/garden/live")
    await page.wait_for_selector("[data-link=live]")
    await page.wait_for_selector("still-ribbon svg", state="attached")
    await page.wait_for_selector("[data-prompt]", state="attached")
    await asyncio.gather(*weighing, return_exceptions=True)
    assert len(sizes) > 15
    assert sum(sizes.values()) < 150_000, sizes


@pytest.mark.parametrize("size", SIZES)
async def test_live_page_is_dark(bench: Bench, size: str) -> None:
    page = await bench.tablet(size=size)
    mean, bluer = await luminance_and_blue(page, await picture(page, f"live-{size}"))
    assert mean < 0.02
    assert bluer <= 2
    for key in ("lights", "music", "prompts", "notes", "more"):
        await page.click(f"[data-key={key}]")
        mean, _ = await luminance_and_blue(page, await picture(page, f"live-{size}-{key}"))
        assert mean < 0.02, key


@pytest.fixture(scope="session")
def axe() -> str:
    """axe-core from npm, kept in a temporary folder between runs; skips without npm or a network."""
    folder = Path(tempfile.gettempdir()) / f"stillroom-{AXE}"
    script = folder / "package" / "axe.min.js"
    if not script.exists():
        npm = shutil.which("npm")
        if npm is None:
            pytest.skip("axe-core comes from npm, which is not installed")
        folder.mkdir(parents=True, exist_ok=True)
        packed = subprocess.run(
            [npm, "pack", AXE, "--silent"], cwd=folder, capture_output=True, timeout=60, check=False
        )
        if packed.returncode != 0:
            pytest.skip("axe-core could not be fetched from npm")
        with tarfile.open(next(folder.glob("*.tgz"))) as archive:
            archive.extractall(folder, filter="data")
    return script.read_text(encoding="utf-8")


RUN_AXE = """async () => (await axe.run(document, { resultTypes: ['violations'],
    runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] }))
    .violations.map(v => v.id + ': ' + v.nodes.map(n => n.target + ' ' + n.failureSummary).join('; '))"""


@pytest.mark.parametrize("size", ["landscape", "phone"])
async def test_live_page_is_clean_for_axe(bench: Bench, axe: str, size: str) -> None:
    page = await bench.tablet(size=size, bypass_csp=True)
    await page.click("[data-key=dimmer]")
    await page.wait_for_selector("[data-release=ceiling]", state="visible")
    await page.evaluate(axe)
    assert await page.evaluate(RUN_AXE) == []
    for key in ("lights", "music", "prompts", "notes", "more"):
        await page.click(f"[data-key={key}]")
        assert await page.evaluate(RUN_AXE) == [], key


@pytest.mark.parametrize(
    ("path", "role", "name"),
    [
        ("/rooms/garden", "therapist", "home"),
        ("/rooms/garden/sessions", "therapist", "sessions"),
        ("/rooms/garden/sessions/5f2e", "therapist", "report"),
        ("/rooms/garden/display", "display", "display"),
        ("/setup", "therapist", "setup"),
        ("/setup", "installer", "setup-installer"),
        ("/pair", "therapist", "pair"),
        ("/offline", "therapist", "offline"),
        ("/rooms/garden/sessions", "display", "forbidden"),
        ("/install-ca", "therapist", "install-ca"),
    ],
)
async def test_other_pages_are_clean_and_whole(
    idle_bench: Bench, tmp_path: Path, axe: str, path: str, role: str, name: str
) -> None:
    bench = idle_bench
    bench.expect_lost_link = name == "forbidden"  # Chromium reports the 403 as a failed load
    if name == "install-ca":
        make_certificate(tmp_path, ["stillroom.local"], datetime(2026, 3, 1, tzinfo=UTC))
    page = await bench.tablet(path, role=role, bypass_csp=True)
    if name == "home":
        await page.click("[data-profile=psilocybin]")
        await page.wait_for_selector("still-ribbon svg")
    if name == "setup-installer":
        await page.wait_for_selector("#devices button")
    await page.evaluate(axe)
    assert await page.evaluate(RUN_AXE) == []
    for width, height, size in ((1180, 820, "landscape"), (820, 1180, "portrait"), (390, 844, "phone")):
        await page.set_viewport_size({"width": width, "height": height})
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth"), size
        mean, _ = await luminance_and_blue(page, await picture(page, f"{name}-{size}"))
        assert mean < 0.02, size
        _, bluer = await luminance_and_blue(page, await page.screenshot(full_page=True))
        assert bluer <= 2, size
    small = await page.evaluate(
        "[...document.querySelectorAll('button, a, input, select, textarea, label.tick')]"
        ".filter(e => e.offsetParent).filter(e => !e.closest('label.tick') || e.matches('label.tick'))"
        ".map(e => [e.textContent || e.name, e.getBoundingClientRect().height]).filter(([, h]) => h < 44)"
    )
    assert small == []
