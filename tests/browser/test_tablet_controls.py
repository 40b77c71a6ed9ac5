"""The live page in Chromium: a session from pairing to its end, and every control once."""

import asyncio
from typing import Any

import pytest
from page_waits import until_so

from controller.core.snapshot import CardView
from controller.errors import RefusedError

Bench = Any  # tests/browser/conftest.py
pytestmark = pytest.mark.asyncio(loop_scope="session")  # one browser for all


async def tap(page: Any, key: str) -> None:
    await page.click(f"[data-key={key}]")


async def test_pair_prepare_start(idle_bench: Bench) -> None:
    bench = idle_bench
    from web_serving import PIN

    page = await bench.tablet(None, role="display")
    await page.context.clear_cookies()
    await page.goto(f"{bench.cable.url}/pair#pin={PIN}")
    assert await page.input_value("#pin") == PIN
    assert PIN not in page.url  # not left in the address, nor in the history
    await page.fill("#name", "tablet by the window")
    await page.click("button[type=submit]")
    await page.wait_for_url("**/rooms/garden")
    await page.click("[data-profile=psilocybin]")
    await page.wait_for_selector("still-ribbon svg")
    assert "unreviewed" in await page.inner_text("#about")
    await page.check("[name=touch][value=no]")
    await page.check("[name=excluded][value=vast]")
    await page.fill("[name=intention]", "to rest")
    await page.click("#start")
    await page.wait_for_url("**/live")
    await page.wait_for_selector("[data-link=live]")
    assert bench.room.sheet.touch == "no"
    assert bench.room.sheet.excluded_pools == ("vast",)
    assert bench.room.intention == "to rest"
    assert bench.commands() == ["start"]
    assert bench.room.commands[0][1] == "therapist:tablet by the window"
    assert await page.inner_text("#phase") == "Arrival"
    assert await page.is_visible("#unreviewed")


async def test_book_the_room_and_cancel(idle_bench: Bench) -> None:
    idle_bench.expect_lost_link = True  # Chromium reports the refusal's 409 as a failed load
    page = await idle_bench.tablet("/rooms/garden")
    await page.click("[data-profile=quiet_room]")
    await page.fill("#book [name=at]", "2031-05-06T14:30")
    await page.click("#bookit")
    await page.wait_for_selector("#booked button")
    assert "quiet room" in await page.inner_text("#booked")
    assert "May 6, 2031" in await page.inner_text("#booked")
    await page.click("#bookit")
    await idle_bench.until(lambda: page.evaluate("document.getElementById('booksaid').textContent !== ''"))
    assert "booked at that time" in await page.inner_text("#booksaid")
    await page.click("#booked button")
    await page.wait_for_selector("#booked button", state="detached")
    assert idle_bench.commands() == []  # a booking starts nothing


PLAIN: list[tuple[str, str, dict[str, Any]]] = [
    ("quieter", "volume_trim", {"db": -2.0}),
    ("louder", "volume_trim", {"db": 2.0}),
    ("skip", "skip_track", {}),
    ("silence", "silence", {}),
    ("dimmer", "light_trim", {"trim": "dimmer", "zone": None}),
    ("brighter", "light_trim", {"trim": "brighter"}),
    ("warmer", "light_trim", {"trim": "warmer"}),
    ("cooler", "light_trim", {"trim": "cooler"}),
    ("path", "scene", {"scene": "path"}),
    ("shades", "eyeshades", {"on": True}),
    ("phones", "headphones", {"on": True}),
    ("hold", "hold", {}),
]


async def test_every_key_sends_its_command_and_shows_it_applied(bench: Bench) -> None:
    page = await bench.tablet()
    for key, name, fields in PLAIN:
        bench.room.commands.clear()
        await tap(page, key)
        request = await bench.until_sent(name)
        for field, value in fields.items():
            assert getattr(request, field) == value, key
        await page.wait_for_selector(f"[data-key={key}][data-sent=applied]")
    for key, label in (
        ("silence", "Sound"),
        ("shades", "Eyeshades on"),
        ("phones", "Headphones on"),
        ("hold", "Resume"),
    ):
        assert (await page.inner_text(f"[data-key={key}] .label")) == label
        assert await page.get_attribute(f"[data-key={key}]", "aria-pressed") == "true"
    bench.room.commands.clear()
    for key, name in (("hold", "resume"), ("silence", "sound"), ("path", "scene_release"), ("undo", "undo")):
        await tap(page, key)
        await bench.until_sent(name)
    assert await page.inner_text("#answer") != ""


GHOST = "still-ribbon .ghost"


async def rest(page: Any, key: str) -> None:
    """Put a finger on a key and leave it there."""
    await page.hover(f"[data-key={key}]")
    await page.mouse.down()


async def test_a_plain_tap_moves_the_plan_at_once(bench: Bench) -> None:
    page = await bench.tablet()
    before = list(bench.room.minutes)
    await tap(page, "plus")
    assert (await bench.until_sent("extend")).minutes == 10
    await tap(page, "next")
    await bench.until_sent("next_phase")
    await until_so(page, "document.getElementById('phase').textContent === 'Onset'")
    assert bench.commands() == ["extend", "next_phase"]
    assert bench.room.minutes[2] == before[2] + 10
    await page.wait_for_selector(GHOST, state="detached")


@pytest.mark.parametrize("key", ["plus", "next", "hold"])
async def test_a_resting_finger_is_shown_what_it_would_do_and_lifting_does_it(bench: Bench, key: str) -> None:
    page = await bench.tablet()
    name = await page.inner_text(f"[data-key={key}] .label")
    await rest(page, key)
    await page.wait_for_selector(GHOST, state="attached")
    await page.wait_for_selector(f"[data-key={key}].offer")
    assert "ends" in await page.inner_text(f"[data-key={key}] .label")
    assert bench.commands() == []
    await page.mouse.up()
    await page.wait_for_selector(GHOST, state="detached")
    await bench.until(lambda: len(bench.commands()) == 1)
    await page.wait_for_selector(f"[data-key={key}].offer", state="detached")
    if key != "hold":
        assert await page.inner_text(f"[data-key={key}] .label") == name


async def test_only_the_profiles_anchors_are_offered_and_only_what_still_makes_sense(bench: Bench) -> None:
    bench.room.known_anchors = ["dose", "supplement_given", "supplement_declined"]
    page = await bench.tablet()
    await tap(page, "more")
    offered = "[...document.querySelectorAll('[data-anchor]')].map(key => key.dataset.anchor).join()"

    async def offers(*anchors: str) -> None:
        await until_so(page, f"{offered} === '{','.join(anchors)}'")

    await offers("dose", "supplement_given", "supplement_declined")
    await page.click("[data-anchor=supplement_declined]")
    await offers("dose", "supplement_given")  # she may still change her mind
    await page.click("[data-anchor=supplement_given]")
    await offers("dose")
    await page.click("[data-anchor=dose]")
    await offers()
    assert "Supplement given at 0 min" in await page.inner_text("#given")
    sent = [request.anchor for request, _ in bench.room.commands if request.command == "anchor"]
    assert sent == ["supplement_declined", "supplement_given", "dose"]
    bench.room.anchors.remove("supplement_declined")
    bench.room.changed()
    await until_so(page, "!document.getElementById('given').textContent.includes('declined')")
    await offers()  # nothing is left to decline once it was given


async def test_the_drawing_says_where_the_music_comes_round_again(bench: Bench) -> None:
    page = await bench.tablet()
    await rest(page, "plus")
    await page.wait_for_selector(".ghost.end", state="attached")
    assert await page.query_selector(".ghost.round") is None
    await page.hover("[data-key=dimmer]")
    await page.mouse.up()
    bench.room.music_short_ms = 60 * 60_000
    await rest(page, "plus")
    await page.wait_for_selector(".ghost.round", state="attached")


async def test_sliding_away_withdraws_and_changes_nothing(bench: Bench) -> None:
    page = await bench.tablet()
    before = list(bench.room.minutes)
    await rest(page, "plus")
    await page.wait_for_selector(GHOST, state="attached")
    await page.hover("[data-key=dimmer]")
    await page.wait_for_selector(GHOST, state="detached")
    await page.mouse.up()
    assert await page.inner_text("[data-key=plus] .label") == "+10 min"
    await tap(page, "dimmer")  # what comes next is taken as ever
    await bench.until_sent("light_trim")
    assert bench.commands() == ["light_trim"]
    assert bench.room.minutes == before


async def test_the_keyboard_sees_before_it_does(bench: Bench) -> None:
    page = await bench.tablet()
    await page.focus("[data-key=undo]")
    await page.keyboard.press("Shift+Tab")  # the keys before it, as a keyboard comes to them
    await page.evaluate("document.querySelector('[data-key=next]').focus({ focusVisible: true })")
    await page.wait_for_selector("[data-key=next].offer")
    assert bench.commands() == []
    await page.keyboard.press("Enter")
    await bench.until_sent("next_phase")
    assert bench.commands() == ["next_phase"]


async def test_without_an_answer_nothing_is_drawn_and_the_tap_counts(bench: Bench) -> None:
    page = await bench.tablet()
    asked = asyncio.Event()
    answered = bench.room._dry

    def unanswered(request: Any) -> Any:
        asked.set()
        raise RefusedError("busy", "not now")

    bench.room._dry = unanswered
    await rest(page, "plus")
    await asyncio.wait_for(asked.wait(), 30)
    await page.mouse.up()
    await bench.until_sent("extend")
    assert await page.query_selector(GHOST) is None
    assert await page.inner_text("[data-key=plus] .label") == "+10 min"
    bench.room._dry = answered


async def test_help_light_wants_a_second(bench: Bench) -> None:
    page = await bench.tablet()
    await tap(page, "help")
    await bench.until(
        lambda page=page: page.evaluate(
            "document.getElementById('answer').textContent.includes('one second')"
        )
    )
    assert bench.commands() == []
    await page.click("[data-key=help]", delay=1150)
    assert (await bench.until_sent("scene")).scene == "help"
    await page.wait_for_selector("[data-key=help][aria-pressed=true]")
    await tap(page, "help")  # off again needs no patience
    await bench.until_sent("scene_release")


async def test_help_light_by_keyboard(bench: Bench) -> None:
    page = await bench.tablet()
    await page.focus("[data-key=help]")
    await page.keyboard.down("Enter")
    await asyncio.sleep(1.2)
    await page.keyboard.up("Enter")
    assert (await bench.until_sent("scene")).scene == "help"
    assert bench.commands() == ["scene"]
    await page.focus("[data-key=dimmer]")
    await page.keyboard.press("Space")
    await bench.until_sent("light_trim")


async def test_panels_open_in_their_place(bench: Bench) -> None:
    page = await bench.tablet()
    keys_before = await page.evaluate("document.querySelector('.keys').getBoundingClientRect().top")
    await tap(page, "music")
    await page.click("[data-pool=tender]")
    assert (await bench.until_sent("mood")).pool == "tender"
    await tap(page, "prompts")
    assert await page.is_hidden("#view-music")
    await page.click("[data-prompt=feet]")
    assert (await bench.until_sent("prompt")).prompt == "feet"
    await tap(page, "notes")
    await page.click("[data-chip=tears]")
    assert (await bench.until_sent("note")).chip == "tears"
    await page.fill("#note", "asked for water")
    await page.click("#savenote")
    await bench.until(lambda: ("", "asked for water") in bench.room.notes)
    await bench.until(lambda page=page: page.evaluate("document.getElementById('note').value === ''"))
    await tap(page, "more")
    assert await page.inner_text("#anchors") == "Dose taken"  # no supplement: this profile has none
    await page.click("[data-anchor=dose]")
    assert (await bench.until_sent("anchor")).anchor == "dose"
    await page.wait_for_selector("#anchors button", state="detached")
    assert "Dose taken at 0 min" in await page.inner_text("#given")
    await page.click("#phases button >> text=Descent")
    assert (await bench.until_sent("goto_phase")).phase == "descent"
    await tap(page, "lights")
    await page.click("[data-preset=reading]")
    await bench.until_sent("scene")
    await tap(page, "lights")
    assert await page.is_visible("#view-now")
    keys_after = await page.evaluate("document.querySelector('.keys').getBoundingClientRect().top")
    assert keys_before == keys_after


async def test_end_before_the_minimum_is_refused_then_anyway(bench: Bench) -> None:
    page = await bench.tablet()
    await tap(page, "more")
    await page.click("#end")
    assert bench.commands() == []
    await page.click("#end", delay=1150)
    await bench.until_sent("end")
    await page.wait_for_selector("#endanyway", state="visible")
    assert "300 min" in await page.inner_text("#answer")
    assert not bench.room.ended
    await page.click("#endanyway")
    await bench.until(lambda: bench.room.ended)
    await bench.until(
        lambda page=page: page.evaluate("document.getElementById('phase').textContent === 'No session'")
    )


async def test_overrides_are_seen_and_given_back(bench: Bench) -> None:
    page = await bench.tablet()
    assert await page.is_hidden("[data-release=ceiling]")
    await tap(page, "dimmer")
    await page.wait_for_selector("[data-release=ceiling]", state="visible")
    assert "yours" in await page.inner_text("#cells")
    await page.click("[data-release=bedside]")
    assert (await bench.until_sent("light_release")).zone == "bedside"
    await page.wait_for_selector("[data-release=bedside]", state="hidden")
    assert await page.is_visible("[data-release=ceiling]")
    await tap(page, "quieter")
    await page.wait_for_selector("[data-release=music]", state="visible")
    await page.click("[data-release=music]")
    await bench.until_sent("sound_release")


async def test_cards_and_faults_appear_in_their_place(bench: Bench) -> None:
    from controller.core.snapshot import FaultView

    page = await bench.tablet()
    shape = "JSON.stringify([...document.querySelectorAll('.key')].map(k => k.getBoundingClientRect()))"
    before = await page.evaluate(shape)
    bench.room.cards.append(CardView("card-1", "water", "Offer water.", 0, 10**15))
    bench.room.faults.append(FaultView("lights.hue", "The bridge does not answer; lamps hold.", 0))
    bench.room.changed()
    await page.click("#cards button")
    assert (await bench.until_sent("prompt_ack")).prompt_id == "card-1"
    await page.wait_for_selector("#cards button", state="detached")
    assert "bridge does not answer" in await page.inner_text("#faults")
    await page.click("#cue button")
    assert (await bench.until_sent("prompt_defer")).cue == "c1"
    assert await page.evaluate(shape) == before


async def test_refusal_is_said_quietly(bench: Bench) -> None:
    page = await bench.tablet()
    await page.click("[data-key=undo]", force=True)  # nothing to undo: the key is off, so nothing is sent
    assert bench.commands() == []
    # As when another tablet undid it just now. In one breath: the next state would turn the key off again.
    await page.evaluate(
        "(key => { key.setAttribute('aria-disabled', 'false'); key.click(); })"
        "(document.querySelector('[data-key=undo]'))"
    )
    await page.wait_for_selector("[data-key=undo][data-sent=refused]")
    assert "nothing to undo" in await page.inner_text("#answer .warn")


@pytest.mark.parametrize("role", ["designer", "installer"])
async def test_others_see_but_are_told_they_do_not_control(bench: Bench, role: str) -> None:
    page = await bench.tablet(role=role)
    await tap(page, "dimmer")
    await page.wait_for_selector("[data-key=dimmer][data-sent=refused]")
    assert bench.commands() == []


async def test_display_role_is_kept_from_the_live_page(bench: Bench) -> None:
    bench.expect_lost_link = True  # Chromium reports the 403 as a failed load
    page = await bench.tablet(None, role="display")
    answer = await page.goto(bench.cable.url + "/rooms/garden/live")
    assert answer.status == 403
    assert "Not for this device" in await page.inner_text("h1")
    await page.goto(bench.cable.url + "/")
    assert page.url.endswith("/rooms/garden/display")
