"""The light desk and what its lamps can do: guessed until the bridge was read, then taken up."""

from dataclasses import replace

import pytest
from light_room import DIM, WARM, follow, percent, world
from light_world import MIN, PathCurve, check_speeds, check_turns

from controller.core.curves import Constant
from controller.core.envelope import Authority
from controller.core.light import Look, Mired, look_from_percent
from controller.ports import FixtureInfo, LampReport


def learned(room: object, **more: object) -> None:
    """The driver has read its bridge: from now on it knows better."""
    lights = room.lights  # type: ignore[attr-defined]
    lights.infos = tuple(replace(info, **more) for info in lights.infos)


def test_the_first_poll_brings_what_the_driver_has_learned() -> None:
    room, _ = world()
    follow(room, Constant(WARM))
    learned(room, name="Bedside", floor_percent=5.0, brightness_steps=100)
    room.run(5_000)
    assert [view.name for view in room.desk.lamp_views(room.clock.now)] == ["Bedside", "Bedside"]
    follow(room, Constant(look_from_percent(0.4, 2500)), Authority.THERAPIST)
    room.lights.lamps["a"].steps = room.lights.lamps["b"].steps = 100
    room.run(10_000)
    assert percent(room) == pytest.approx(5.0), "its own floor, not the guessed one"


def test_what_was_learned_changes_nothing_that_is_seen() -> None:
    room, _ = world()
    now = room.clock.now
    follow(room, PathCurve(((now, WARM), (now + 10 * MIN, DIM), (now + 60 * MIN, DIM))))
    room.run(3 * MIN)
    before = percent(room)
    learned(room, brightness_steps=None, floor_percent=0.1)
    room.lights.lamps["a"].steps = room.lights.lamps["b"].steps = None
    room.desk.learn(room.lights.fixtures())
    assert percent(room) == before
    room.run(12 * MIN)
    assert percent(room) == pytest.approx(2.0, abs=0.05)
    for lamp in room.lights.lamps.values():
        check_speeds(lamp)
        check_turns(lamp)


def test_learning_the_same_again_costs_nothing() -> None:
    room, _ = world()
    follow(room, Constant(WARM))
    room.run(10_000)
    sent, revision = len(room.lights.sent), room.desk.revision
    for _ in range(5):
        room.desk.learn(room.lights.fixtures())
        room.run(1_000)
    assert (len(room.lights.sent), room.desk.revision) == (sent, revision)


def test_a_lamp_of_one_white_is_no_longer_told_colours() -> None:
    room, _ = world(look_from_percent(35, 2732))
    learned(room, has_colour=False, mired_range=None)
    follow(room, Constant(look_from_percent(35, 2000)), Authority.THERAPIST)
    room.run(1)  # the guess: a lamp of colours
    room.run(20_000)
    colours = {command.transition.look.colour for _, command in room.lights.sent[-1:]}
    assert len(room.lights.sent) <= 2, "it is not led towards a colour it cannot show"
    assert Mired(500.0) not in colours


def test_a_fade_under_way_goes_on_from_where_it_is() -> None:
    room, _ = world(DIM)
    follow(room, Constant(DIM))
    room.run(5_000)
    follow(room, Constant(look_from_percent(60, 2500)), Authority.THERAPIST)
    room.run(900)
    here = percent(room)
    assert 2.5 < here < 59
    learned(room, floor_percent=1.0)
    room.desk.learn(room.lights.fixtures())
    room.run(50)
    assert percent(room) == pytest.approx(here, abs=5.0)
    room.run(8_000)
    assert percent(room) == pytest.approx(60.0, abs=0.4)
    for lamp in room.lights.lamps.values():
        check_speeds(lamp)
        check_turns(lamp)


def test_a_lamp_believed_fainter_than_it_can_be_is_believed_at_its_floor() -> None:
    room, _ = world(look_from_percent(0.4, 2500))
    follow(room, Constant(look_from_percent(0.4, 2500)))
    room.run(5_000)
    room.desk.learn(replace(info, floor_percent=3.0) for info in room.lights.infos)
    found = room.desk.modelled("a")
    assert found is not None
    assert found.percent == pytest.approx(3.0, abs=0.2)


def test_a_lamp_that_is_off_stays_off() -> None:
    off = Look(0.0, Mired(400.0))
    room, _ = world(off)
    follow(room, Constant(off))
    room.run(5_000)
    learned(room, floor_percent=3.0)
    room.run(30_000)
    assert percent(room) == 0.0
    assert all(command.transition.power_off for _, command in room.lights.sent)


def test_reachability_is_the_polls_business() -> None:
    room, told = world()
    room.desk.learn(replace(info, reachable=False) for info in room.lights.infos)
    assert all(view.reachable for view in room.desk.lamp_views(room.clock.now))
    room.desk.observed([LampReport("a", None, None, None, None, reachable=False)])
    room.desk.learn(room.lights.fixtures())
    assert [view.reachable for view in room.desk.lamp_views(room.clock.now)] == [False, True]
    assert told.health


def test_strangers_are_let_be() -> None:
    room, _ = world()
    room.desk.learn([FixtureInfo("nobody's", "Nobody's", "fake")])
    assert len(room.desk.lamp_views(room.clock.now)) == 2
