"""Lamps that are shown or tried: they swell or sink gently, come back, and give way to a person's word."""

import pytest
from light_room import DIM, WARM, follow, percent, world
from light_world import LightWorld, check_speeds, check_turns

from controller.core.curves import Constant
from controller.core.envelope import Authority
from controller.core.lamp_model import LampTraits
from controller.core.lamp_trial import blinking, returning, sinking
from controller.core.light import Look, Mired, look_from_percent

OFF = Look(0.0, Mired(400.0))


def extremes(room: LightWorld, for_ms: int, fixture: str = "a") -> tuple[float, float]:
    seen = []
    for _ in range(for_ms // 100):
        room.run(100)
        seen.append(percent(room, fixture))
    return min(seen), max(seen)


@pytest.mark.parametrize("start", [OFF, DIM, WARM, look_from_percent(90, 2700)])
@pytest.mark.parametrize("led", [True, False])
def test_a_lamp_blinks_gently_and_is_back(start: Look, led: bool) -> None:
    room, _ = world(start)
    if led:
        follow(room, Constant(start))
    room.run(6_000)
    room.desk.borrow("a", blinking(room.desk.modelled("a") or start, room.clock.now))
    low, high = extremes(room, 11_000)
    assert high - low > 3.0, "somebody can see it"
    room.desk.give_back("a")
    room.run(20_000)
    assert percent(room) == pytest.approx(start.percent, abs=0.5)
    assert percent(room, "b") == pytest.approx(start.percent, abs=0.5)
    check_speeds(room.lights.lamps["a"])
    check_turns(room.lights.lamps["a"])
    assert {
        command.fixture for _, command in room.lights.sent if command.authority is not Authority.SCORE
    } <= {"a"}


def test_a_lamp_goes_down_to_its_floor_and_rests_there() -> None:
    room, _ = world(WARM)
    follow(room, Constant(WARM))
    room.run(6_000)
    room.desk.borrow("a", sinking(WARM, LampTraits().floor_lstar, room.clock.now))
    room.run(4_800)
    low, high = extremes(room, 4_900)
    assert (low, high) == pytest.approx((100 / 254, 100 / 254))
    room.desk.borrow("a", returning(WARM, LampTraits().floor_lstar, room.clock.now))
    room.run(4_500)
    room.desk.give_back("a")
    room.run(500)
    assert percent(room) == pytest.approx(WARM.percent, abs=0.3)
    check_speeds(room.lights.lamps["a"])


def test_a_persons_word_on_the_zone_ends_it() -> None:
    room, _ = world(WARM)
    follow(room, Constant(WARM))
    room.run(6_000)
    room.desk.borrow("a", blinking(WARM, room.clock.now))
    room.run(1_000)
    follow(room, Constant(DIM))  # the score may go on beside it
    assert room.desk.is_borrowed("a")
    follow(room, Constant(look_from_percent(10, 2500)), Authority.THERAPIST)
    assert not room.desk.is_borrowed("a")
    room.run(9_000)
    assert percent(room) == pytest.approx(10.0, abs=0.3)
    room.desk.give_back("a")
    room.run(1_000)
    assert percent(room) == pytest.approx(10.0, abs=0.3)


def test_given_back_in_the_middle_it_goes_home_at_the_scores_pace() -> None:
    room, _ = world(WARM)
    follow(room, Constant(WARM))
    room.run(6_000)
    room.desk.borrow("a", sinking(WARM, 3.0, room.clock.now))
    room.run(4_500)
    room.desk.give_back("a")
    room.run(3_000)
    assert percent(room) < 5.0
    room.run(60_000)
    assert percent(room) == pytest.approx(WARM.percent, abs=0.3)
    check_speeds(room.lights.lamps["a"])


def test_what_a_hand_did_is_still_the_hands_afterwards() -> None:
    room, told = world(WARM)
    follow(room, Constant(WARM))
    room.run(8_000)
    room.lights.lamps["a"].by_hand(look_from_percent(80, 2500), room.clock.now)
    room.run(12_000)
    assert ("a", "brightness") in told.hands
    room.desk.borrow("a", blinking(room.desk.modelled("a") or WARM, room.clock.now))
    room.run(11_000)
    room.desk.give_back("a")
    room.run(20_000)
    assert [view.changed_by_hand for view in room.desk.lamp_views(room.clock.now)] == [True, False]
    assert percent(room) == pytest.approx(80.0, abs=1.0)


def test_polls_are_kept() -> None:
    room, _ = world(WARM)
    room.run(5_000)
    at_ms, report = room.desk.reports["a"]
    assert report.percent == pytest.approx(WARM.percent)
    assert room.clock.now - at_ms <= 2_000
