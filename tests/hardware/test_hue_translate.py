"""What is asked of a Hue lamp, for every transition and every kind of lamp."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.core.envelope import Transition
from controller.core.light import Colour, Look, Mired, Xy, look_from_percent, xy_from_mired
from hardware.hue.translate import MAX_TRANSITION_DS, capability_from_json, hue_state
from hardware.lamp_colour import Capability, Gamut, into_gamut, mired_from_xy
from hardware.sim.bridge_api import describe_light
from hardware.sim.bridge_model import Light
from hardware.sim.lamp import DIMMABLE, EXTENDED_COLOUR, GAMUT_C, WHITE_AMBIANCE, SimulatedLamp

COLOUR = Capability((153.0, 500.0), GAMUT_C)
AMBIANCE = Capability((153.0, 454.0), None)
PLAIN = Capability(None, None)
COLOUR_ONLY = Capability(None, GAMUT_C)

colours: st.SearchStrategy[Colour] = st.one_of(
    st.builds(Mired, st.floats(100, 600)), st.builds(Xy, st.floats(0.02, 0.78), st.floats(0.02, 0.8))
)
looks = st.builds(Look, st.floats(0, 100), colours)
transitions = st.builds(Transition, looks, st.integers(0, 20_000_000), st.booleans())


def inside(x: float, y: float, gamut: Gamut, slack: float = 2e-4) -> bool:
    a, b, c = gamut

    def cross(p: tuple[float, float], q: tuple[float, float]) -> float:
        return (q[0] - p[0]) * (y - p[1]) - (q[1] - p[1]) * (x - p[0])

    sides = [cross(a, b), cross(b, c), cross(c, a)]
    return all(s >= -slack for s in sides) or all(s <= slack for s in sides)


@given(transitions, st.sampled_from([COLOUR, AMBIANCE, PLAIN, COLOUR_ONLY]), st.sampled_from([1, 60]))
def test_whatever_is_wished_what_is_sent_is_safe(
    transition: Transition, capability: Capability, speed: int
) -> None:
    state = hue_state(transition, capability, speed=speed)
    assert set(state) <= {"on", "bri", "ct", "xy", "transitiontime"}
    json.dumps(state)
    if transition.power_off:
        assert state == {"on": False, "transitiontime": 0}
        return
    assert state["on"] is True
    assert 1 <= state["bri"] <= 254
    assert 0 <= state["transitiontime"] <= MAX_TRANSITION_DS
    if state["transitiontime"] < MAX_TRANSITION_DS:
        assert state["transitiontime"] * 100 * speed >= transition.duration_ms - 1, (
            "never faster than approved"
        )
    assert not ("ct" in state and "xy" in state)
    if "ct" in state:
        assert capability.mired_range is not None
        assert capability.mired_range[0] <= state["ct"] <= capability.mired_range[1]
    if "xy" in state:
        assert capability.gamut is not None
        assert inside(state["xy"][0], state["xy"][1], capability.gamut)


def test_warmer_than_its_whites_is_amber_where_the_lamp_has_colour() -> None:
    wish = Transition(look_from_percent(2, 1800), 1000)
    state = hue_state(wish, COLOUR)
    expected = xy_from_mired(1e6 / 1800)
    assert state["xy"] == pytest.approx([expected.x, expected.y], abs=1e-4)
    assert hue_state(wish, AMBIANCE)["ct"] == 454
    assert "ct" not in hue_state(wish, PLAIN)
    assert "xy" in hue_state(Transition(look_from_percent(2, 2700), 1000), COLOUR_ONLY)


def test_a_colour_outside_the_gamut_moves_to_its_nearest_edge() -> None:
    inside_point = Xy(0.45, 0.41)
    assert into_gamut(inside_point, GAMUT_C) == inside_point
    green = into_gamut(Xy(0.05, 0.8), GAMUT_C)
    assert (green.x, green.y) == pytest.approx((0.17, 0.7))
    edge = into_gamut(Xy(0.6, 0.5), GAMUT_C)
    assert inside(edge.x, edge.y, GAMUT_C)
    assert (edge.x, edge.y) != (0.6, 0.5)


@given(colours)
def test_moving_into_the_gamut_is_idempotent_and_ends_inside(colour: Colour) -> None:
    xy = colour if isinstance(colour, Xy) else xy_from_mired(colour.value)
    moved = into_gamut(xy, GAMUT_C)
    assert inside(moved.x, moved.y, GAMUT_C)
    again = into_gamut(moved, GAMUT_C)
    assert (again.x, again.y) == pytest.approx((moved.x, moved.y), abs=1e-9)


@pytest.mark.parametrize("kelvin", [2000, 2200, 2700, 4000, 6500])
def test_a_colour_on_the_locus_is_found_as_white(kelvin: int) -> None:
    assert mired_from_xy(xy_from_mired(1e6 / kelvin)) == pytest.approx(1e6 / kelvin, rel=0.03)


def test_capabilities_are_read_as_bridges_describe_them() -> None:
    def read(model: object) -> Capability:
        return capability_from_json(describe_light(Light(1, "x", SimulatedLamp(model))))  # type: ignore[arg-type]

    assert read(EXTENDED_COLOUR) == COLOUR
    assert read(WHITE_AMBIANCE) == AMBIANCE
    assert read(DIMMABLE) == PLAIN


@pytest.mark.parametrize(
    "light",
    [
        {},
        {"state": None},
        {
            "state": {"bri": 1, "ct": 3, "xy": [0, 0]},
            "capabilities": {"control": {"ct": {"min": 0, "max": 65535}}},
        },
        {"state": {"bri": 1, "xy": 3}, "capabilities": {"control": {"colorgamut": [[0, 0], [0, 0], [0, 0]]}}},
        {"capabilities": []},
    ],
)
def test_strange_descriptions_give_usable_capabilities(light: dict[str, object]) -> None:
    capability = capability_from_json(light)
    state = hue_state(Transition(look_from_percent(10, 2700), 100), capability)
    assert state["on"] is True
    if capability.mired_range is not None:
        assert 100 < capability.mired_range[0] < capability.mired_range[1] <= 500
