"""The simulated lamp behaves in time as a real one does."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.core.light import Mired, Xy
from hardware.sim.lamp import Change, SimulatedLamp, Startup


def lit(bri: int = 100) -> SimulatedLamp:
    lamp = SimulatedLamp()
    lamp.apply(Change(on=True, bri=bri, colour=Mired(370)), 0.0)
    return lamp


def test_a_transition_runs_evenly_in_brightness_and_mired() -> None:
    lamp = lit(100)
    lamp.apply(Change(on=True, bri=200, colour=Mired(470), transition_ms=1000), 5000.0)
    assert lamp.level_at(5000) == 100
    assert lamp.level_at(5250) == pytest.approx(125)
    assert lamp.level_at(5500) == pytest.approx(150)
    assert lamp.look_at(5500).colour == Mired(420)
    assert lamp.level_at(6000) == lamp.level_at(99_000) == 200


def test_readback_gives_the_target_in_mid_transition() -> None:
    lamp = lit(100)
    lamp.apply(Change(on=True, bri=10, transition_ms=60_000), 1000.0)
    assert lamp.bri == 10
    assert lamp.level_at(2000) > 98


def test_an_interruption_takes_over_from_the_live_level() -> None:
    lamp = lit(200)
    lamp.apply(Change(on=True, bri=1, transition_ms=10_000), 0.0)
    lamp.apply(Change(on=True, bri=200, transition_ms=1_000), 5_000.0)
    assert lamp.level_at(5_000) == pytest.approx(100.5)
    assert lamp.level_at(5_500) == pytest.approx(150.25)
    assert lamp.level_at(2_500) == pytest.approx(150.25), "the past stays as it was"


def test_a_colour_command_alone_lets_the_brightness_run_on() -> None:
    lamp = lit(100)
    lamp.apply(Change(on=True, bri=200, transition_ms=10_000), 0.0)
    lamp.apply(Change(colour=Mired(450), transition_ms=1_000), 5_000.0)
    assert lamp.level_at(7_500) == pytest.approx(175)
    assert lamp.look_at(6_000).colour == Mired(450)


def test_off_with_a_transition_comes_back_at_the_dimmest() -> None:
    lamp = lit(200)
    lamp.apply(Change(on=False, transition_ms=2_000, dims_off=True), 0.0)
    assert not lamp.on
    assert lamp.level_at(1_000) == pytest.approx(100)
    assert lamp.level_at(2_000) == 0
    lamp.apply(Change(on=True), 3_000.0)
    assert lamp.level_at(3_001) == 1


def test_a_dark_lamp_comes_on_at_its_dimmest_in_the_colour_asked_for() -> None:
    lamp = SimulatedLamp()
    lamp.apply(Change(on=True, bri=101, colour=Mired(450), transition_ms=1_000), 50.0)
    assert lamp.level_at(49) == 0
    assert lamp.level_at(50) == 1
    assert lamp.level_at(550) == pytest.approx(51)
    assert lamp.look_at(50).colour == Mired(450)


def test_off_at_once_remembers_its_brightness() -> None:
    lamp = lit(200)
    lamp.apply(Change(on=False), 10.0)
    assert lamp.level_at(10) == 0
    lamp.apply(Change(on=True), 20.0)
    assert lamp.level_at(20) == 200


@pytest.mark.parametrize(
    ("startup", "level"),
    [(Startup.SAFETY, 254), (Startup.POWERFAIL, 7), (Startup.LAST_ON, 7), (Startup.CUSTOM, 30)],
)
def test_power_returns_as_configured(startup: Startup, level: int) -> None:
    lamp = lit(7)
    lamp.startup, lamp.custom_bri = startup, 30
    lamp.cut_power(100.0)
    assert lamp.level_at(100) == 0
    lamp.apply(Change(on=True, bri=200), 150.0)
    assert lamp.level_at(160) == 0, "a lamp without mains is deaf"
    lamp.restore_power(200.0)
    assert lamp.level_at(200) == level


def test_a_lamp_that_was_off_stays_off_after_a_power_cut_when_told_so() -> None:
    lamp = SimulatedLamp(startup=Startup.POWERFAIL)
    lamp.cut_power(0.0)
    lamp.restore_power(10.0)
    assert lamp.level_at(10) == 0


def test_the_first_on_after_power_may_ignore_its_transition() -> None:
    lamp = lit(7)
    lamp.ignores_first_transition = True
    lamp.cut_power(0.0)
    lamp.restore_power(10.0)
    lamp.apply(Change(on=True, bri=20, transition_ms=5_000), 20.0)
    assert lamp.level_at(20) == 20
    lamp.apply(Change(on=True, bri=120, transition_ms=1_000), 30.0)
    assert lamp.level_at(530) == pytest.approx(70)


@given(
    st.lists(
        st.tuples(
            st.integers(1, 254),
            st.integers(0, 5_000),
            st.floats(1, 3_000),
            st.sampled_from([Mired(300), Xy(0.5, 0.4)]),
        ),
        min_size=1,
        max_size=12,
    )
)
def test_the_level_never_jumps_except_where_told(steps: list[tuple[int, int, float, Mired | Xy]]) -> None:
    lamp, now = lit(100), 10.0
    for bri, length, gap, colour in steps:
        before = lamp.level_at(now)
        lamp.apply(Change(on=True, bri=bri, colour=colour, transition_ms=length), now)
        if length > 0:
            assert lamp.level_at(now) == pytest.approx(before)
        assert lamp.level_at(now + length) == pytest.approx(bri)
        now += gap
    assert 0 <= lamp.level_at(now) <= 254
