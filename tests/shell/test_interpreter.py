"""The collector of cyclic garbage looks everything through only when nobody is in session."""

import asyncio
import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from controller.clock import ManualClock
from controller.daemon.interpreter import (
    LOOK_MS,
    SWITCH_S,
    THOROUGH_MS,
    favour_the_loop,
    keep_house,
    put_aside_what_stays,
)


@pytest.fixture(autouse=True)
def as_it_was() -> Iterator[None]:
    thresholds, switch = gc.get_threshold(), sys.getswitchinterval()
    yield
    gc.unfreeze()
    gc.set_threshold(*thresholds)
    sys.setswitchinterval(switch)


@contextmanager
def looked_through() -> Iterator[list[int]]:
    """Note which generations are collected."""
    generations: list[int] = []

    def note(phase: str, info: dict[str, int]) -> None:
        if phase == "start":
            generations.append(info["generation"])

    gc.disable()  # but for what is asked for
    gc.callbacks.append(note)
    try:
        yield generations
    finally:
        gc.callbacks.remove(note)
        gc.enable()


def test_the_loop_is_favoured() -> None:
    favour_the_loop()
    assert sys.getswitchinterval() == pytest.approx(SWITCH_S)
    assert gc.get_threshold()[0] > 700


def test_what_was_built_is_never_looked_through_again() -> None:
    gc.unfreeze()
    put_aside_what_stays()
    assert gc.get_freeze_count() > 10_000


async def test_in_a_session_only_what_is_young_is_looked_through() -> None:
    clock = ManualClock()
    busy = True
    house = asyncio.create_task(keep_house(clock, lambda: busy))
    with looked_through() as generations:
        await clock.run_until(4 * THOROUGH_MS)
        assert generations
        assert 2 not in generations
        frozen = gc.get_freeze_count()
        assert frozen > 10_000
        busy = False
        generations.clear()
        await clock.run_until(5 * THOROUGH_MS)
        assert generations.count(2) in (1, 2), "once a quarter of an hour, not at every look"
        assert THOROUGH_MS > 10 * LOOK_MS
    house.cancel()
    await asyncio.wait([house])
