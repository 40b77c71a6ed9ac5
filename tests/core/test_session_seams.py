"""What comes back from beneath, or by undo, starts from the live value: no plan ever jumps."""

import pytest
from core_fixtures import MIN, PATH, Driver

from controller.core import commands as c
from controller.core.units import lstar_from_percent


def test_what_a_scene_covered_comes_back_from_the_live_value() -> None:
    room = Driver().start().wait(MIN)
    room.do(c.Light("bedside", 60.0))
    room.wait(10_000)
    room.do(c.TakeScene(PATH))
    room.wait(MIN)
    covered = room.look("bedside").lstar
    assert covered == pytest.approx(lstar_from_percent(6))
    room.do(c.SceneRelease("path"))
    assert room.look("bedside").lstar == pytest.approx(covered)
    assert covered < room.look("bedside", 2_500).lstar < lstar_from_percent(60)
    assert room.look("bedside", 5_000).lstar == pytest.approx(lstar_from_percent(60))


def test_an_undo_goes_back_to_an_older_override_from_the_live_value() -> None:
    room = Driver().start().wait(MIN)
    room.do(c.Light("ceiling", 60.0))
    room.wait(20_000)
    room.do(c.Light("ceiling", 5.0))
    room.wait(8_000)
    live = room.look().lstar
    assert live == pytest.approx(lstar_from_percent(5))
    room.do(c.Undo())
    assert room.look().lstar == pytest.approx(live)
    assert live < room.look(after_ms=2_500).lstar < lstar_from_percent(60)
    assert room.look(after_ms=5_000).lstar == pytest.approx(lstar_from_percent(60))
