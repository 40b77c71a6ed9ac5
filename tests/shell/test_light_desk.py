"""The light desk with lamps that behave in time: what a person in the room would see."""

import pytest
from light_room import DIM, WARM, follow, percent, ramp, world
from light_world import MIN, PathCurve, check_speeds

from controller.core.curves import Constant
from controller.core.envelope import Authority
from controller.core.lamp_model import LampTraits, shown
from controller.core.light import Look, Mired, look_from_percent
from controller.ports import LampReport, LightSource


def test_it_is_a_light_source() -> None:
    room, _ = world()
    source: LightSource = room.desk
    assert source.next_command("nobody's") is None


def test_lamps_follow_a_curve_and_rest_costs_nothing() -> None:
    room, _ = world()
    now = room.clock.now
    follow(
        room, PathCurve(((now, WARM), (now + 10 * MIN, WARM), (now + 30 * MIN, DIM), (now + 300 * MIN, DIM)))
    )
    room.run(9 * MIN)
    assert sum(room.desk.command_counts().values()) <= 2
    room.run(271 * MIN, step_ms=1_000)
    assert percent(room) == pytest.approx(2.0, abs=0.1)
    assert max(room.desk.command_counts().values()) < 40
    for lamp in room.lights.lamps.values():
        check_speeds(lamp)


def test_a_therapists_ramp_is_as_fast_as_she_asked_and_then_the_score_rules() -> None:
    room, _ = world()
    follow(room, Constant(WARM))
    room.run(10_000)
    follow(room, ramp(room, look_from_percent(5, 2200)), Authority.THERAPIST)
    room.run(5_300)
    assert percent(room) == pytest.approx(5.0, abs=0.3)
    room.run(5_000)
    sent = len(room.lights.sent)
    follow(room, Constant(look_from_percent(5, 2200)))
    room.run(60_000)
    assert len(room.lights.sent) == sent, "nothing to do"
    assert {command.authority for _, command in room.lights.sent[2:]} <= {
        Authority.THERAPIST,
        Authority.SCORE,
    }
    follow(room, Constant(look_from_percent(45, 2700)))
    room.run(4_000)
    assert room.lights.sent[-1][1].authority is Authority.SCORE
    for lamp in room.lights.lamps.values():
        check_speeds(lamp)


def test_a_hundred_step_drag_ends_on_the_last_value() -> None:
    room, _ = world()
    follow(room, Constant(WARM))
    room.run(10_000)
    for i in range(100):
        follow(room, ramp(room, look_from_percent(10 + i * 0.5, 2400), 1_000), Authority.THERAPIST)
        room.run(50)
    room.run(4_000)
    assert percent(room) == pytest.approx(59.5, abs=0.3)
    for lamp in room.lights.lamps.values():
        check_speeds(lamp)


@pytest.mark.parametrize("start", [DIM, Look(0.0, Mired(370.0))])
def test_help_is_three_seconds_from_anywhere(start: Look) -> None:
    room, _ = world(start)
    follow(room, Constant(start))
    room.run(10_000)
    follow(room, ramp(room, look_from_percent(50, 2700), 3_000), Authority.HELP)
    room.run(3_300)
    assert percent(room) == pytest.approx(50.0, abs=0.3)
    helped = [command for _, command in room.lights.sent if command.authority is Authority.HELP]
    assert len(helped) <= 2 * (1 if start.lstar else 2)
    assert len({command.transition for command in helped}) <= (1 if start.lstar else 2), "one group command"
    follow(room, ramp(room, DIM), Authority.THERAPIST)
    room.run(10_000)
    assert percent(room) == pytest.approx(2.0, abs=0.2)
    for lamp in room.lights.lamps.values():
        check_speeds(lamp)


def test_help_leaves_a_brighter_lamp_to_the_therapists_speed() -> None:
    room, _ = world(look_from_percent(90, 2700))
    follow(room, Constant(look_from_percent(90, 2700)))
    room.run(10_000)
    follow(room, ramp(room, look_from_percent(50, 2700), 3_000), Authority.HELP)
    room.run(5_000)
    assert percent(room) == pytest.approx(50.0, abs=0.5)
    for lamp in room.lights.lamps.values():
        check_speeds(lamp)


def test_off_and_on_again() -> None:
    room, _ = world()
    follow(room, Constant(WARM))
    room.run(5_000)
    follow(room, ramp(room, Look(0.0, Mired(400.0))), Authority.THERAPIST)
    room.run(10_000)
    assert percent(room) == 0.0
    follow(room, ramp(room, WARM), Authority.THERAPIST)
    room.run(10_000)
    assert percent(room) == pytest.approx(35.0, abs=0.3)
    assert [piece.why for piece in room.lights.lamps["a"].pieces].count("off") == 1
    for lamp in room.lights.lamps.values():
        check_speeds(lamp)


def test_a_lamp_that_comes_back_at_full_goes_down_and_only_down() -> None:
    room, told = world(DIM)
    follow(room, Constant(DIM))
    room.run(30_000)
    lamp = room.lights.lamps["a"]
    lamp.cut_power(room.clock.now)
    room.run(60_000)
    assert not room.desk.lamp_views(room.clock.now)[0].reachable
    lamp.give_power(room.clock.now)
    back = len(lamp.pieces)
    room.run(90_000)
    levels = [1.0] + [piece.to_y for piece in lamp.pieces[back:]]
    assert levels == sorted(levels, reverse=True)
    assert percent(room) == pytest.approx(2.0, abs=0.1)
    assert told.hands == []
    assert told.health == [("lamp.a", "A does not answer"), ("lamp.a", None)]
    check_speeds(lamp)


def test_a_power_cut_too_short_to_notice_is_put_right_once() -> None:
    room, told = world(DIM)
    follow(room, Constant(DIM))
    room.run(30_000)
    lamp = room.lights.lamps["a"]
    lamp.cut_power(room.clock.now)
    lamp.give_power(room.clock.now)
    room.run(90_000)
    assert percent(room) == pytest.approx(2.0, abs=0.1)
    assert told.hands == []
    lamp.by_hand(Look(100.0, Mired(366.0)), room.clock.now)
    room.run(60_000)
    assert percent(room) == pytest.approx(100.0), "twice is somebody's will"
    assert told.hands == [("a", "brightness"), ("a", "colour")]


def test_a_hand_on_a_lamp_is_told_left_alone_and_resumed() -> None:
    room, told = world()
    follow(room, Constant(DIM))
    room.run(120_000)
    lamp = room.lights.lamps["a"]
    lamp.by_hand(Look(70.0, Mired(500.0)), room.clock.now)
    room.run(60_000)
    assert told.hands == [("a", "brightness")]
    assert percent(room) == pytest.approx(Look(70.0, Mired(1.0)).percent, abs=0.2)
    assert [view.changed_by_hand for view in room.desk.lamp_views(room.clock.now)] == [True, False]
    follow(room, Constant(look_from_percent(4, 2000)))
    room.run(60_000)
    assert percent(room) == pytest.approx(Look(70.0, Mired(1.0)).percent, abs=0.2), (
        "the score does not fight a hand"
    )
    assert percent(room, "b") == pytest.approx(4.0, abs=0.2)
    room.desk.release_manual("zone")
    room.run(60_000)
    assert percent(room) == pytest.approx(4.0, abs=0.2)
    check_speeds(lamp)


def test_only_the_attribute_that_was_changed_is_left_alone() -> None:
    room, told = world()
    follow(room, Constant(WARM))
    room.run(30_000)
    lamp = room.lights.lamps["a"]
    lamp.by_hand(Look(lamp.look(room.clock.now).lstar, Mired(250.0)), room.clock.now)
    room.run(30_000)
    assert told.hands == [("a", "colour")]
    follow(room, Constant(look_from_percent(10, 2500)))
    room.run(60_000)
    assert percent(room) == pytest.approx(10.0, abs=0.3)
    assert lamp.look(room.clock.now).colour == Mired(250.0)


def test_a_switch_turned_off_stays_off_until_the_therapists_newer_word() -> None:
    room, told = world()
    follow(room, Constant(WARM))
    room.run(30_000)
    room.lights.lamps["a"].by_hand(Look(0.0, Mired(400.0)), room.clock.now)
    room.run(60_000)
    assert told.hands == [("a", "power")]
    assert percent(room) == 0.0
    follow(room, Constant(look_from_percent(20, 2500)), Authority.THERAPIST)
    room.run(20_000)
    assert percent(room) == pytest.approx(20.0, abs=0.3)
    assert not room.desk.lamp_views(room.clock.now)[0].changed_by_hand
    check_speeds(room.lights.lamps["a"])


def test_our_own_fades_are_never_taken_for_a_hand() -> None:
    room, told = world()
    now = room.clock.now
    points = tuple((now + i * 5 * MIN, DIM if i % 2 else WARM) for i in range(30))
    follow(room, PathCurve(points))
    room.run(150 * MIN, step_ms=1_000)
    assert told.hands == []


def test_a_command_that_got_lost_is_sent_again_and_is_no_hand() -> None:
    room, told = world()
    follow(room, Constant(WARM))
    room.run(30_000)
    room.lights.fates = ["lost", "ok", "lost", "ok"]
    follow(room, ramp(room, look_from_percent(36, 2500)), Authority.THERAPIST)
    room.run(30_000)
    room.lights.fates = ["lost"] * 40
    follow(room, ramp(room, DIM), Authority.THERAPIST)
    room.run(12_000)
    room.lights.fates = []
    room.run(60_000)
    assert told.hands == []
    assert percent(room) == pytest.approx(2.0, abs=0.1)


def test_failures_back_off_tell_once_and_recover() -> None:
    room, told = world(names=("a",))
    follow(room, Constant(WARM))
    room.run(10_000)
    room.lights.fates = ["refused"] * 12
    sent = len(room.lights.sent)
    follow(room, Constant(DIM))
    room.run(60_000)
    assert len(room.lights.sent) - sent <= 14
    room.run(240_000)
    assert percent(room) == pytest.approx(2.0, abs=0.1)
    assert told.health == [("lamp.a", "the bridge does not answer"), ("lamp.a", None)]
    check_speeds(room.lights.lamps["a"])


def test_a_bridge_that_is_well_again_is_used_at_once() -> None:
    room, told = world(names=("a",))
    follow(room, Constant(WARM))
    room.run(10_000)
    room.lights.fates = ["refused"] * 9
    follow(room, Constant(DIM))
    room.run(40_000)
    room.lights.fates = []
    room.desk.driver_health("fake", "the bridge is away")
    room.desk.driver_health("fake", None)
    room.lights.serve(room.desk)
    assert room.lights.sent[-1][0] == room.clock.now
    assert ("lights.fake", "the bridge is away") in told.health
    assert ("lights.fake", None) in told.health


def test_a_taken_command_that_was_said_to_have_failed_is_safe() -> None:
    room, _ = world(names=("a",))
    follow(room, Constant(DIM))
    room.run(120_000)
    room.lights.fates = ["timeout", "refused", "timeout"]
    follow(room, ramp(room, look_from_percent(50, 2700)), Authority.THERAPIST)
    room.run(1_000)
    follow(room, ramp(room, look_from_percent(5, 2200)), Authority.THERAPIST)
    room.run(60_000)
    assert percent(room) == pytest.approx(5.0, abs=0.3)
    check_speeds(room.lights.lamps["a"])


def test_an_unknown_lamp_waits_for_a_poll_and_then_comes_in_slowly() -> None:
    room, _ = world(look_from_percent(80, 2700), polls=False)
    follow(room, Constant(DIM))
    room.run(1_000)
    assert room.lights.sent == []
    room.desk.observed(room.lights.reports())
    room.run(90_000)
    assert percent(room) == pytest.approx(2.0, abs=0.1)
    check_speeds(room.lights.lamps["a"])


@pytest.mark.parametrize("start", [Look(100.0, Mired(366.0)), Look(0.0, Mired(366.0))])
def test_a_lamp_that_never_says_anything_is_led_safely_all_the_same(start: Look) -> None:
    room, _ = world(start, polls=False)
    follow(room, Constant(DIM))
    room.run(6 * MIN)
    assert percent(room) == pytest.approx(2.0, abs=0.1)
    check_speeds(room.lights.lamps["a"])


def test_a_rehearsal_at_speed_moves_real_lamps_no_faster() -> None:
    room, _ = world(speed=60)
    now = room.clock.now
    follow(room, PathCurve(((now, WARM), (now + MIN, DIM), (now + 30 * MIN, WARM))))
    room.run(40 * MIN, step_ms=500)
    for lamp in room.lights.lamps.values():
        check_speeds(lamp, speed=60)
    assert percent(room) == pytest.approx(35.0, abs=0.3)


def test_a_zone_without_a_curve_is_left_alone() -> None:
    room, told = world()
    follow(room, Constant(DIM))
    room.run(5_000)
    follow(room, None)
    sent = len(room.lights.sent)
    room.run(30_000)
    room.lights.lamps["a"].by_hand(Look(90.0, Mired(300.0)), room.clock.now)
    room.run(30_000)
    assert len(room.lights.sent) == sent
    assert told.hands == []
    assert room.desk.next_due_ms() is None
    follow(room, Constant(DIM))
    room.run(90_000)
    assert percent(room) == pytest.approx(2.0, abs=0.1)
    check_speeds(room.lights.lamps["a"])


def test_a_lamp_without_colours_is_not_sent_any() -> None:
    room, _ = world(mired_range=None, has_colour=False)
    level = look_from_percent(35, 2700).lstar
    follow(room, Constant(Look(level, Mired(370.0))))
    room.run(10_000)
    sent = len(room.lights.sent)
    now = room.clock.now
    follow(room, PathCurve(((now, Look(level, Mired(370.0))), (now + MIN, Look(level, Mired(450.0))))))
    room.run(2 * MIN)
    assert len(room.lights.sent) == sent


def test_a_driver_that_forgot_a_lamp_is_reminded() -> None:
    room, _ = world(names=("a",))
    room.desk.observed([LampReport("a", True, 35.0, 400.0, None, True)])
    follow(room, Constant(DIM))
    assert room.lights.woken == {"a": Authority.SCORE}
    room.lights.woken.clear()
    due = room.desk.next_due_ms()
    assert due is not None
    assert room.clock.now < due <= room.clock.now + 5_000
    room.clock.now = due
    room.desk.tick()
    assert "a" in room.lights.woken


@pytest.mark.parametrize("gap_ms", [0, 1_000, 8_000])
def test_mains_that_flicker_are_not_taken_for_a_hand(gap_ms: int) -> None:
    room, told = world(DIM, names=("a",))
    follow(room, Constant(DIM))
    room.run(30_000)
    lamp = room.lights.lamps["a"]
    for _ in range(3):
        lamp.cut_power(room.clock.now)
        lamp.give_power(room.clock.now)
        room.run(6_000 + gap_ms)
    room.run(3 * MIN)
    assert told.hands == []
    assert percent(room) == pytest.approx(2.0, abs=0.1)


def test_what_was_asked_while_a_lamp_was_away_lends_no_speed_when_it_is_back() -> None:
    room, _ = world(WARM, names=("a",))
    follow(room, Constant(WARM))
    room.run(10_000)
    lamp = room.lights.lamps["a"]
    lamp.cut_power(room.clock.now)
    room.run(5_000)
    follow(room, ramp(room, DIM), Authority.THERAPIST)
    room.run(60_000)
    sent = len(room.lights.sent)
    lamp.give_power(room.clock.now)
    room.run(3 * MIN)
    assert {command.authority for _, command in room.lights.sent[sent:]} == {Authority.SCORE}
    check_speeds(lamp, blind_ms=1)
    assert percent(room) == pytest.approx(2.0, abs=0.1)


def test_a_lamp_that_may_stand_at_full_is_put_out_in_stages() -> None:
    # One chord down to the floor would take eight minutes: its dark end sets its pace.
    room, _ = world(look_from_percent(50, 2700), names=("a",))
    follow(room, Constant(look_from_percent(50, 2700)))
    room.run(10_000)
    lamp = room.lights.lamps["a"]
    lamp.powered = False
    room.run(5_000)
    follow(room, Constant(Look(0.0, DIM.colour)))
    room.run(5_000)
    lamp.powered = True
    room.run(2 * MIN)
    assert percent(room) == 0.0
    check_speeds(lamp)


@pytest.mark.parametrize(("start", "end"), [(1.0, 0.0), (1.0, 6.0), (0.0, 1.0), (0.0, 50.0), (50.0, 0.0)])
def test_a_word_without_a_fade_is_done_soon_even_at_the_floor(start: float, end: float) -> None:
    # Its corner lies a millisecond ahead, nearer than a lamp can be timed.
    room, _ = world(Look(start, DIM.colour), names=("a",))
    follow(room, Constant(Look(start, DIM.colour)))
    room.run(10_000)
    now = room.clock.now
    steep = PathCurve(((now, Look(start, DIM.colour)), (now + 1, Look(end, DIM.colour))))
    follow(room, steep, Authority.THERAPIST)
    room.run(15_000)
    told = shown(Look(end, DIM.colour), LampTraits(100 / 254))
    assert room.lights.lamps["a"].look(room.clock.now).lstar == pytest.approx(told.lstar, abs=0.2)
    check_speeds(room.lights.lamps["a"])
