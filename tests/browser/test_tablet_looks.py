"""How the pages look: dark, in their place at every size, readable, and clean for axe-core."""

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
    bluer = Math.max(bluer, rgba[i + 2] - rgba[i]);
  }
  return [sum / (rgba.length / 4), bluer];
}"""


async def luminance_and_blue(page: Any, png: bytes) -> tuple[float, int]:
    """Mean relative luminance of a picture, and how far blue exceeds red anywhere (levels)."""
    blank = await page.context.new_page()
    mean, bluer = await blank.evaluate(MEASURE, b64encode(png).decode())
    await blank.close()
    return mean, bluer


async def picture(page: Any, name: str) -> bytes:
    png: bytes = await page.screenshot()
    if PICTURES:
        (Path(PICTURES) / f"{name}.png").write_bytes(png)
    return png


OUT_OF_PLACE = """() => {
  const found = [];
  const keys = [...document.querySelectorAll('.keys .key')];
  const boxes = keys.map(key => key.getBoundingClientRect());
  boxes.forEach((box, i) => {
    const name = keys[i].dataset.key;
    if (box.width < 72 || box.height < 72) found.push(`${name} is ${box.width}x${box.height}`);
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
    assert await page.evaluate(OUT_OF_PLACE) == []
    places = "JSON.stringify([...document.querySelectorAll('.key')].map(k => k.getBoundingClientRect()))"
    before = await page.evaluate(places)
    for key in ("dimmer", "plus", "hold", "shades", "silence", "path"):
        await page.click(f"[data-key={key}]")
        await page.wait_for_selector(f"[data-key={key}][data-sent=applied]")
    assert await page.evaluate(places) == before
    assert await page.evaluate(OUT_OF_PLACE) == []
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
    assert await page.evaluate(OUT_OF_PLACE) == []
    await picture(page, f"live-rtl-{size}")


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


async def test_page_is_painted_soon(bench: Bench) -> None:
    page = await bench.tablet()
    await page.goto(bench.cable.url + "/rooms/garden/live")
    await page.wait_for_selector("[data-link=live]")
    first = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? 1e9"
    painted = await page.evaluate(first)
    assert painted < 2000  # the target of 500 ms is benchmarks/' to measure, on a quiet machine


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
        ("/install-ca", "therapist", "install-ca"),
    ],
)
async def test_other_pages_are_clean_and_whole(
    idle_bench: Bench, tmp_path: Path, axe: str, path: str, role: str, name: str
) -> None:
    bench = idle_bench
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
        await picture(page, f"{name}-{size}")
    small = await page.evaluate(
        "[...document.querySelectorAll('button, a, input, select, textarea, label.tick')]"
        ".filter(e => e.offsetParent).filter(e => !e.closest('label.tick') || e.matches('label.tick'))"
        ".map(e => [e.textContent || e.name, e.getBoundingClientRect().height]).filter(([, h]) => h < 44)"
    )
    assert small == []
