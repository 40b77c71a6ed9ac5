"""Seeded sessions with faults: no promise is broken. ``--seed N`` lives through one again.

``run.py`` beside this lives through as many as are asked for.
"""

from dataclasses import asdict

import pytest
from sim_lamps import BrokenPromiseError, EyeLamp, Level, Tint
from sim_world import simulate

from controller.core.envelope import Transition
from controller.core.light import Mired, look_from_percent

SEEDS = 60
GROUP = 10
WARM = Mired(370.0)


@pytest.mark.parametrize("first", range(0, SEEDS, GROUP))
def test_no_promise_is_broken(first: int, request: pytest.FixtureRequest) -> None:
    asked = request.config.getoption("--seed", default=None)
    if asked is not None:
        if first == 0:
            assert simulate(asked).virtual_ms > 0
        return
    for seed in range(first, first + GROUP):
        simulate(seed)


def test_a_seed_is_the_same_session_every_time() -> None:
    assert asdict(simulate(7)) == asdict(simulate(7))


def lamp(percent: float) -> EyeLamp:
    return EyeLamp("a", Level(0, percent / 100, percent / 100, 0, "world"), Tint(0, WARM, WARM, 0, "world"))


@pytest.mark.parametrize(
    ("percent", "over_ms", "why", "promise"),
    [
        (2.0, 5_000, "score", "light"),
        (2.0, 900, "therapist", "light"),
        (100.0, 0, "therapist", "light"),
        (100.0, 3_000, "help", "help"),
    ],
)
def test_the_eye_sees_what_is_too_fast(percent: float, over_ms: int, why: str, promise: str) -> None:
    eye = lamp(30.0)
    eye.take(Transition(look_from_percent(percent, 2700), over_ms), 0, why)
    with pytest.raises(BrokenPromiseError) as broken:
        eye.live_until(over_ms)
    assert broken.value.promise == promise


def test_the_eye_sees_a_strobe() -> None:
    eye = lamp(90.0)

    def flicker() -> None:
        for turn in range(4):
            told = Transition(look_from_percent((60.0, 90.0)[turn % 2], 2700), 900)
            eye.take(told, turn * 900, "therapist")
        eye.live_until(3_600)

    with pytest.raises(BrokenPromiseError) as broken:
        flicker()
    assert broken.value.promise == "strobe"
