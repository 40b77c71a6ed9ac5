"""A daemon that died in mid-fade: the lamps go on from the checkpoint, and from nothing worse than it."""

import json

import pytest
from light_room import DIM, WARM, Told, follow, percent, ramp, world
from light_world import MIN, LightWorld, PathCurve, check_speeds

from controller.core.curves import Constant
from controller.core.envelope import Authority, Limits
from controller.core.light import Look
from controller.light_desk import LightDesk


@pytest.mark.parametrize("saved_late", [False, True])
def test_a_crash_in_mid_fade_goes_on_from_the_checkpoint(saved_late: bool) -> None:
    room, _ = world()
    now = room.clock.now
    curve = PathCurve(((now + 10_000, WARM), (now + 20 * MIN, DIM)))
    follow(room, curve)
    room.run(5 * MIN)
    kept = json.loads(json.dumps(room.desk.checkpoint()))
    if saved_late:
        room.run(3 * MIN)
    lights = room.lights
    lights.woken.clear()
    room.clock.now += 20_000
    told = Told()
    desk = LightDesk(
        lights.infos,
        {"a": "zone", "b": "zone"},
        {"a": lights, "b": lights},
        Limits(),
        room.clock,
        on_manual=lambda fixture, attribute: told.hands.append((fixture, attribute)),
    )
    desk.restore(kept)
    after = LightWorld(room.clock, lights, desk)
    desk.follow({"zone": curve}, {})
    after.run(5 * MIN)
    error = lights.lamps["a"].look(after.clock.now).lstar - curve.look_at(after.clock.now).lstar
    assert abs(error) < 0.3
    assert told.hands == []
    for lamp in lights.lamps.values():
        check_speeds(lamp)


def test_a_damaged_checkpoint_is_left_out() -> None:
    room, _ = world()
    follow(room, Constant(WARM))
    room.run(10_000)
    good = room.desk.checkpoint()
    before = room.desk.modelled("a")
    for bad in (
        {},
        {"version": 9},
        {"version": 1, "lamps": {"a": {"states": [{"on": 1, "start": "x"}]}, "b": None}},
    ):
        room.desk.restore(bad)
    assert room.desk.modelled("a") == before
    assert isinstance(good["lamps"], dict)
    good["lamps"]["a"]["states"][0]["target"] = {"lstar": float("nan"), "mired": 300}
    room.desk.restore(good)
    assert room.desk.modelled("a") == before


@pytest.mark.parametrize("polled", [True, False])
def test_what_was_kept_may_be_older_than_the_last_command(polled: bool) -> None:
    room, _ = world(Look(0.0, DIM.colour), names=("a",))
    follow(room, Constant(Look(0.0, DIM.colour)))
    room.run(10_000)
    kept = json.loads(json.dumps(room.desk.checkpoint()))
    follow(room, ramp(room, WARM), Authority.THERAPIST)
    room.run(2_500)
    lights, lamp = room.lights, room.lights.lamps["a"]
    assert lamp.y(room.clock.now) > 0.02, "it came on after the checkpoint"
    lights.woken.clear()
    lights.answers.clear()
    room.clock.now += 500
    desk = LightDesk(lights.infos, {"a": "zone"}, {"a": lights}, Limits(), room.clock)
    desk.restore(kept)
    after = LightWorld(room.clock, lights, desk, polls=polled, next_poll_ms=room.clock.now + 400)
    desk.follow({"zone": Constant(WARM)}, {"zone": Authority.THERAPIST})
    after.run(90_000)
    check_speeds(lamp)
    assert percent(after) == pytest.approx(35.0, abs=0.3)
