"""The designer in Chromium on the real daemon: from nothing to a session; an edit without a scratch."""

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from daemon_rig import Rig
from design_bench import EVENING, lines_that_differ
from test_tablet_looks import RUN_AXE, axe, luminance_and_blue, picture  # noqa: F401 - axe is a fixture

pytestmark = pytest.mark.asyncio(loop_scope="session")  # one browser, one daemon

PATIENCE = 30_000
SIZES = {"landscape": (1180, 820), "portrait": (820, 1180), "phone": (390, 844)}


class Desk:
    """A daemon, and desks and tablets paired with it."""

    def __init__(self, rig: Rig, browser: Any) -> None:
        self.rig, self._browser = rig, browser
        self.complaints: list[str] = []

    async def page(self, path: str, role: str = "designer", size: str = "landscape", **more: Any) -> Any:
        width, height = SIZES[size]
        context = await self._browser.new_context(
            viewport={"width": width, "height": height}, reduced_motion="reduce", locale="en-GB", **more
        )
        url = f"http://127.0.0.1:{self.rig.port}"
        cookie = {"name": "stillroom", "value": self.rig.make_token(role), "url": url}
        await context.add_cookies([{**cookie, "httpOnly": True, "sameSite": "Strict"}])
        page = await context.new_page()
        page.set_default_timeout(PATIENCE)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", self._hear)
        await page.goto(url + path)
        return page

    def _hear(self, message: Any) -> None:
        if message.type == "error" and "status of 4" not in message.text:
            self.complaints.append(message.text)

    async def get(self, path: str, role: str = "designer") -> Any:
        headers = {"Authorization": f"Bearer {self.rig.make_token(role)}"}
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{self.rig.port}", headers=headers) as web:
            return (await web.get(path)).json()


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def rig(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Rig]:
    rig = Rig(tmp_path_factory.mktemp("designer"))
    rig.write_site()
    (rig.folder / "tiny.yaml").write_text(EVENING, encoding="utf-8")
    await rig.start(profile=None)
    yield rig
    await rig.clean_up()


@pytest_asyncio.fixture(loop_scope="session")
async def desk(rig: Rig, chromium: Any) -> AsyncIterator[Desk]:
    desk = Desk(rig, chromium)
    yield desk
    for context in chromium.contexts:
        await context.close()
    assert desk.complaints == []


async def ready(page: Any) -> None:
    await page.wait_for_selector("body[data-ready=yes]", state="attached")


async def says(page: Any, selector: str, words: str) -> None:
    """Wait until a part of the page says something."""
    await page.locator(selector).filter(has_text=words).first.wait_for()


async def checked(page: Any) -> None:
    """Wait until the server has looked at the draft and found no fault."""
    await page.wait_for_selector("body[data-checked=well]", state="attached")
    await page.wait_for_selector("#savekey[aria-disabled=false]")


async def slide(page: Any, name: str, value: float) -> None:
    """Move one of the sliders as a hand would: its value changes, and it says so."""
    await page.get_by_label(name, exact=True).evaluate(
        "(input, value) => { input.value = value; input.dispatchEvent(new Event('input')); }", value
    )


async def save(page: Any) -> None:
    await checked(page)
    await page.click("#savekey")
    await page.wait_for_url(re.compile(r"saved=\d+"))
    await ready(page)


# ---------------------------------------------------------------- from nothing to a session


async def test_a_preset_from_nothing_on_the_lamps_and_into_a_session(desk: Desk) -> None:
    page = await desk.page("/design/rooms/garden")
    await page.click("#newpreset")
    await ready(page)
    await page.fill("input[name=title]", "Blue hour")
    assert await page.input_value("#newid") == "blue-hour"
    await page.click("still-room [data-zone=bedside]")
    await slide(page, "Brightness", 40)
    await page.click("[data-way=colour]")
    await page.click("#zones [data-zone=path]")
    await page.click("[data-way=as]")
    await page.click("#live")
    await says(page, "#said", "lamps now")

    async def bedside_is_bright() -> bool:
        zones = (await desk.get("/api/v1/rooms/garden"))["zones"]
        return any(z["zone"] == "bedside" and z["brightness_percent"] > 39 for z in zones)

    await desk.rig.until(bedside_is_bright, 30)
    await page.click("#live")
    await page.wait_for_selector("#live[aria-pressed=false]")

    async def back_at_rest() -> bool:
        zones = (await desk.get("/api/v1/rooms/garden"))["zones"]
        return all(abs(z["brightness_percent"] - 20) < 0.5 for z in zones if z["zone"] != "path")

    await desk.rig.until(back_at_rest, 60)
    await save(page)
    written = (desk.rig.data / "designs" / "presets.yaml").read_text(encoding="utf-8")
    assert "blue-hour:" in written
    assert re.search(r"bedside: \{brightness_percent: 40(\.0)?, colour: ['\"]#[0-9a-f]{6}['\"]\}", written)
    assert "path" not in written
    names = [preset["name"] for preset in await desk.get("/api/v1/presets?room=garden")]
    assert "blue-hour" in names


async def test_a_profile_from_nothing_is_saved_rehearsed_at_a_hundred_times_and_run(desk: Desk) -> None:
    page = await desk.page("/design/rooms/garden/profile")
    await ready(page)
    await page.fill("input[name=title]", "First light")
    await page.fill("input[name=minutes]", "6")
    await slide(page, "Brightness", 25)
    await page.click("#addcue")
    await page.locator(".cueline select").first.select_option("feet")
    await page.click("#addphase")
    await page.fill("input[name=phasetitle]", "Deep")
    await page.get_by_label("Music from").select_option("drone")
    for _ in range(4):
        await page.focus("still-phases .end[data-phase='2']")
        await page.keyboard.press("ArrowLeft")
    await says(page, "#length", "42 min")  # the ribbon has its new measure
    knob = page.locator("still-phases .knob[data-phase='1']")
    await knob.scroll_into_view_if_needed()
    box = await knob.bounding_box()
    await page.mouse.move(box["x"] + 22, box["y"] + 22)
    await page.mouse.down()
    await page.mouse.move(box["x"] + 22, box["y"] + 52, steps=4)
    await page.mouse.up()
    await save(page)
    data = (await desk.get("/api/v1/design/profiles/first-light?room=garden"))["data"]
    assert [phase["minutes"] for phase in data["phases"]] == [6, 10, 16, 10]
    assert data["phases"][0]["light"]["brightness_percent"] == 25
    assert data["phases"][0]["cues"] == [{"prompt": "feet", "at_minute": 1}]
    assert data["phases"][1]["title"] == "Deep"
    assert data["phases"][1]["light"]["brightness_percent"] < 20
    assert data["status"] == "unreviewed"

    await page.click("a[href*='/rehearse']")
    await ready(page)
    assert await page.input_value("#profile") == "first-light"
    await page.click("#addfault")
    await page.get_by_label("after minutes").fill("2")
    await page.click("#start")
    await page.wait_for_selector("body[data-rehearsal=running]", state="attached")
    await page.wait_for_selector("still-ribbon .now[visibility=visible]", state="attached")
    await page.wait_for_selector("body[data-rehearsal=done]", state="attached", timeout=60_000)
    await page.wait_for_selector("#report:not([hidden])")
    await says(page, "#figures", "0:42:00")
    await says(page, "#outcomes", "back on the plan")
    await says(page, "#log", "session ended")

    tablet = await desk.page("/rooms/garden", role="therapist")
    await tablet.click("[data-profile=first-light]")
    await tablet.click("#start")
    await tablet.wait_for_url(re.compile("/live$"))
    state = await desk.get("/api/v1/rooms/garden")
    assert (state["session"]["title"], state["session"]["status"]) == ("First light", "running")

    again = await desk.page("/design/rooms/garden/preset?id=rest")
    await ready(again)
    await again.click("#live")
    await says(again, "#said", "session")
    assert (await desk.rig.command("end", anyway=True))["ok"]


async def test_a_rehearsal_in_the_real_room_is_a_marked_session(desk: Desk) -> None:
    page = await desk.page("/rooms/garden/rehearse?profile=psilocybin", role="therapist")
    await ready(page)
    await page.click("input[name=realspeed][value='100']")
    await page.click("#startreal")
    await page.wait_for_url(re.compile("/live$"))
    session = (await desk.get("/api/v1/rooms/garden"))["session"]
    assert session["rehearsal_speed"] == 100
    assert "rehearsal" in session["title"]
    assert session["phases"][-1]["start_ms"] == 420 * 600  # 420 min, a hundred times as fast
    assert (await desk.rig.command("end"))["ok"]


# ---------------------------------------------------------------- what others wrote


async def test_an_edit_leaves_comments_and_what_the_form_does_not_know(desk: Desk) -> None:
    file = desk.rig.folder / "tiny.yaml"
    page = await desk.page("/design/rooms/garden/profile?id=evening")
    await ready(page)
    await says(page, "#wholefields", "anchor")
    await page.get_by_role("button", name="Resting").click()
    await says(page, "#also", "steps")
    await page.fill("input[name=minutes]", "45")
    await slide(page, "Warmth", 2100)
    await save(page)
    assert lines_that_differ(EVENING, file.read_text(encoding="utf-8")) == [
        "-    minutes: 40",
        "+    minutes: 45",
        "-      kelvin: 2000",
        "+      kelvin: 2100",
    ]
    await says(page, "#versions", "phase rest, length: 40 min → 45 min")


async def test_two_desks_do_not_write_over_each_other(desk: Desk) -> None:
    file = desk.rig.folder / "tiny.yaml"
    mine, theirs = [await desk.page("/design/rooms/garden/profile?id=evening") for _ in range(2)]
    for page, minutes in ((mine, "11"), (theirs, "12")):
        await ready(page)
        await page.fill("input[name=minutes]", minutes)
        await checked(page)
    await save(theirs)
    await mine.click("#savekey")
    await mine.wait_for_selector("#conflict:not([hidden])")
    await says(mine, "#conflict", "length: 10 min → 12 min")
    assert "minutes: 12" in file.read_text(encoding="utf-8")
    await mine.get_by_role("button", name="Save mine over it").click()
    await mine.wait_for_url(re.compile(r"saved=\d+"))
    assert "minutes: 11" in file.read_text(encoding="utf-8")
    await ready(mine)
    await says(mine, "#versions", "12 min")


async def test_faults_are_said_as_one_goes_and_keep_it_from_being_saved(desk: Desk) -> None:
    page = await desk.page("/design/rooms/garden/profile?id=evening")
    await ready(page)
    await page.get_by_role("button", name="Resting").click()
    await page.fill("input[name=minutes]", "5")
    await page.wait_for_selector("body[data-checked=faulty]", state="attached")
    await says(page, "#faults", "expected a minute inside the phase")
    assert await page.get_attribute("#savekey", "aria-disabled") == "true"
    await page.fill("input[name=minutes]", "30")
    await checked(page)


async def test_two_roles_sign_and_the_mark_goes(desk: Desk) -> None:
    for role in ("designer", "therapist"):
        page = await desk.page("/design/rooms/garden/profile?id=quiet-room", role=role)
        await ready(page)
        assert await page.inner_text("#status") == "unreviewed"
        await page.click("#sign")
        await says(page, "#signed", role)
    await page.get_by_text("reviewed", exact=True).wait_for()
    listed = {p["name"]: p["reviewed"] for p in await desk.get("/api/v1/profiles?room=garden")}
    assert listed["quiet-room"] is True
    assert listed["psilocybin"] is False


async def test_a_therapist_looks_and_cannot_change(desk: Desk) -> None:
    page = await desk.page("/design/rooms/garden/profile?id=mdma", role="therapist")
    await ready(page)
    assert await page.locator("#savekey, #addphase, #addcue").count() == 0
    assert await page.locator("#fields input:enabled, #fields select:enabled").count() == 0
    index = await desk.page("/design/rooms/garden", role="therapist")
    await ready(index)
    assert await index.locator("#newprofile, #newpreset, #bringin").count() == 0
    display = await desk.page("/design/rooms/garden", role="display")
    assert await display.locator("#profiles").count() == 0


async def test_a_design_is_taken_along_and_brought_in(desk: Desk, tmp_path: Path) -> None:
    page = await desk.page("/design/rooms/garden")
    await ready(page)
    async with page.expect_download() as started:
        await page.get_by_role("link", name="Take Quiet room along as a file").click()
    file = tmp_path / "quiet-room.zip"
    await (await started.value).save_as(file)
    await page.set_input_files("#file", file)
    await page.fill("#asid", "from-afar")
    await page.get_by_role("button", name="Bring in").click()
    await page.wait_for_selector("[data-open=from-afar]")
    await page.set_input_files("#file", {"name": "x.zip", "mimeType": "", "buffer": b"PK no zip"})
    await page.get_by_role("button", name="Bring in").click()
    await says(page, "#said", "damaged")


# ---------------------------------------------------------------- how it looks

PAGES = {
    "designs": "/design/rooms/garden",
    "design-profile": "/design/rooms/garden/profile?id=psilocybin",
    "design-preset": "/design/rooms/garden/preset?id=talk",
    "rehearse": "/rooms/garden/rehearse?profile=quiet-room",
}


@pytest.mark.parametrize("name", PAGES)
async def test_pages_are_dark_whole_and_clean(desk: Desk, request: Any, name: str) -> None:
    role = "therapist" if name == "rehearse" else "designer"
    page = await desk.page(PAGES[name], role=role, bypass_csp=True)
    await ready(page)
    if name == "rehearse":
        await page.click("#addfault")
        await page.click("input[name=speed][value=max]")
        await page.click("#start")
        await page.wait_for_selector("#report:not([hidden])")
    await page.evaluate(request.getfixturevalue("axe"))
    assert await page.evaluate(RUN_AXE) == []
    for size, (width, height) in SIZES.items():
        await page.set_viewport_size({"width": width, "height": height})

        async def fits() -> bool:
            return bool(await page.evaluate("document.documentElement.scrollWidth <= innerWidth"))

        await desk.rig.until(fits, 30)  # the ribbon is drawn anew once the page has its new size
        mean, bluer = await luminance_and_blue(page, await picture(page, f"{name}-{size}"))
        assert mean < 0.03, size
        assert bluer <= 2, size
    small = await page.evaluate(
        "[...document.querySelectorAll('button, a, input, select, label.tick')].filter(e => e.offsetParent)"
        ".filter(e => !e.closest('label.tick') || e.matches('label.tick'))"
        ".map(e => [e.textContent || e.name, e.getBoundingClientRect().height]).filter(([, h]) => h < 44)"
    )
    assert small == []


async def test_the_whole_page_turns_for_right_to_left(desk: Desk) -> None:
    page = await desk.page("/design/rooms/garden/profile?id=psilocybin")
    await ready(page)
    await page.wait_for_selector("still-phases .end[data-phase='0'][aria-valuenow]")
    left = "document.querySelector(\"still-phases .end[data-phase='0']\").getBoundingClientRect().left"
    before = await page.evaluate(left)
    await page.evaluate("document.documentElement.dir = 'rtl'")
    await page.set_viewport_size({"width": 1181, "height": 820})

    async def has_turned() -> bool:
        return bool(await page.evaluate(left) > before + 300)

    await desk.rig.until(has_turned, 30)
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
