"""A person's word begins at once: no fade under way, however well it fits for a while, is waited for."""

import pytest
from light_room import WARM, follow, ramp, world
from light_world import MIN, LightWorld, PathCurve, check_speeds, check_turns

from controller.core.curves import Constant
from controller.core.envelope import Authority
from controller.core.light import Look, Mired, look_from_percent


def waited_ms(room: LightWorld, fixture: str = "a") -> int:
    """How long after now the lamp gets a command."""
    began, before = room.clock.now, len(room.lights.sent)
    room.run(2_000, step_ms=10)
    later = [at for at, command in room.lights.sent[before:] if command.fixture == fixture]
    return later[0] - began if later else 2_000


def shifted(room: LightWorld, lstar: float, mired: float, over_ms: int = 5_000) -> PathCurve:
    start = room.desk.modelled("a")
    assert start is not None
    assert isinstance(start.colour, Mired)
    now = room.clock.now
    goal = Look(start.lstar + lstar, Mired(start.colour.value + mired))
    return PathCurve(((now, start), (now + over_ms, goal)))


@pytest.mark.parametrize("into_ms", range(100, 5_000, 300))
def test_a_gentle_word_on_colour_does_not_wait_for_the_last_words_fade(into_ms: int) -> None:
    room, _ = world()
    follow(room, Constant(WARM))
    room.run(10_000)
    dimmer = shifted(room, -5.0, 0.0)
    follow(room, dimmer, Authority.THERAPIST)
    room.run(into_ms, step_ms=10)
    now, end = room.clock.now, dimmer.points[1][0]
    live, goal = dimmer.look_at(now), dimmer.look_at(end)
    assert isinstance(goal.colour, Mired)
    warmer = Mired(goal.colour.value + 25.0 * (end - now) / 5_000)
    then = Look(goal.lstar, Mired(goal.colour.value + 25.0))
    follow(
        room,
        PathCurve(((now, live), (end, Look(goal.lstar, warmer)), (now + 5_000, then))),
        Authority.THERAPIST,
    )
    assert waited_ms(room) == 0


@pytest.mark.parametrize("into_ms", range(0, 60_000, 7_300))
def test_a_word_does_not_wait_for_the_scores_chord(into_ms: int) -> None:
    room, _ = world()
    now = room.clock.now
    score = PathCurve(((now, WARM), (now + 5 * MIN, look_from_percent(18, 2200))))
    follow(room, score)
    room.run(20_000 + into_ms)
    follow(room, shifted(room, 5.0, 0.0), Authority.THERAPIST)
    assert waited_ms(room) == 0
    for lamp in room.lights.lamps.values():
        check_speeds(lamp)
        check_turns(lamp)


def test_a_word_just_before_a_corner_of_the_plan_does_not_wait_for_it() -> None:
    room, _ = world()
    follow(room, Constant(WARM))
    room.run(10_000)
    curve = shifted(room, 6.0, 0.0)
    corner = curve.points[0][0] + 60
    bent = PathCurve((curve.points[0], (corner, curve.look_at(corner)), curve.points[1]))
    follow(room, bent, Authority.THERAPIST)
    assert waited_ms(room) == 0


def test_a_word_takes_its_own_lane_even_when_the_lamp_was_waiting_in_the_scores() -> None:
    room, _ = world()
    now = room.clock.now
    follow(room, PathCurve(((now, WARM), (now + 5 * MIN, look_from_percent(18, 2200)))))
    room.run(20_000)
    lamp = next(iter(room.lights.lamps))
    while lamp not in room.lights.woken:
        due = room.desk.next_due_ms()
        assert due is not None
        room.clock.now = max(due, room.clock.now + 1)
        room.desk.tick()
    assert room.lights.woken[lamp] is Authority.SCORE, "its chord has run out"
    follow(room, ramp(room, look_from_percent(60, 2500)), Authority.THERAPIST)
    assert room.lights.woken[lamp] is Authority.THERAPIST


def test_a_second_word_that_parts_from_the_first_only_later_is_a_word_all_the_same() -> None:
    room, _ = world()
    follow(room, Constant(WARM))
    room.run(10_000)
    brighter = ramp(room, look_from_percent(60, 2500), 8_000)
    follow(room, brighter, Authority.THERAPIST)
    room.run(1_500, step_ms=10)
    due = room.desk.next_due_ms()
    assert due is not None
    room.clock.now = now = due - 4
    room.desk.tick()
    lamp = next(iter(room.lights.lamps))
    assert lamp not in room.lights.woken, "its chord still runs"
    a, b = brighter.look_at(now), brighter.look_at(now + 6_000)
    follow(room, PathCurve(((now, a), (now + 6_000, Look(b.lstar - 5.0, b.colour)))), Authority.THERAPIST)
    assert room.lights.woken[lamp] is Authority.THERAPIST


def test_an_off_lamp_glows_at_once() -> None:
    room, _ = world(Look(0.0, Mired(400.0)))
    follow(room, Constant(Look(0.0, Mired(400.0))))
    room.run(10_000)
    follow(room, ramp(room, look_from_percent(30, 2500)), Authority.THERAPIST)
    assert waited_ms(room) == 0


def test_a_word_that_changes_nothing_sends_nothing() -> None:
    room, _ = world()
    follow(room, Constant(WARM))
    room.run(10_000)
    before = len(room.lights.sent)
    follow(room, Constant(WARM), Authority.THERAPIST)
    room.run(10_000)
    assert len(room.lights.sent) == before


def test_being_at_once_costs_few_commands_more() -> None:
    room, _ = world()
    follow(room, Constant(WARM))
    room.run(10_000)
    before = room.desk.command_counts()["a"]
    for way in (-4.0, 4.0, -4.0, 4.0):
        follow(room, shifted(room, way, 10.0 * way), Authority.THERAPIST)
        room.run(6_000)
    assert room.desk.command_counts()["a"] - before <= 4 * 5
    for lamp in room.lights.lamps.values():
        check_speeds(lamp)
        check_turns(lamp)


@pytest.mark.parametrize(("start", "end"), [(48, 42), (42, 48), (28, 22), (62, 68), (10, 4)])
def test_a_word_on_one_zone_is_no_word_on_another(start: float, end: float) -> None:
    look = look_from_percent(start, 2500)
    room, _ = world(look)
    follow(room, Constant(look))
    room.run(10_000)
    fade = ramp(room, look_from_percent(end, 2500), 2_000)
    follow(room, fade, Authority.THERAPIST)
    room.run(50, step_ms=10)
    for _ in range(36):
        # A word elsewhere: this zone's curve comes again, on the authority it still has.
        follow(room, PathCurve(fade.points), Authority.THERAPIST)
        assert Authority.THERAPIST not in room.lights.woken.values()
        room.run(50, step_ms=10)


def test_a_word_on_one_zone_leaves_another_in_the_scores_lane() -> None:
    room, _ = world()
    follow(room, Constant(WARM))
    room.run(10_000)
    fade = ramp(room, look_from_percent(80, 2500), 8_000)
    follow(room, fade, Authority.THERAPIST)
    room.run(1_500, step_ms=10)
    lamp = next(iter(room.lights.lamps))
    while lamp not in room.lights.woken:
        due = room.desk.next_due_ms()
        assert due is not None
        room.clock.now = max(due, room.clock.now + 1)
        room.desk.tick()
    for _ in range(5):
        room.clock.now += 20  # no token for it yet
        follow(room, PathCurve(fade.points), Authority.THERAPIST)
        assert room.lights.woken[lamp] is Authority.SCORE
