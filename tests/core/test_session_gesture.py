"""A drag is one word of the therapist: undo brings back what was before it, however many steps it had."""

import pytest
from core_fixtures import MIN, REST, Driver
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.core import commands as c
from controller.core import view
from controller.core.session import fold
from controller.core.state import zone_look

Step = tuple[str, float, int]
STEPS = st.lists(
    st.tuples(st.sampled_from(["ceiling", "volume"]), st.floats(0.0, 100.0), st.integers(20, 900)),
    min_size=1,
    max_size=12,
)


def drag(room: Driver, steps: list[Step], gesture: str) -> None:
    """Send the steps of one gesture, ``wait`` ms apart."""
    for channel, value, wait in steps:
        if channel == "volume":
            room.do(c.Volume(value / 10 - 8, gesture=gesture))
        else:
            room.do(c.Light(channel, value, fade_ms=300, gesture=gesture))
        room.wait(wait)


def test_undo_after_a_drag_brings_back_what_was_before_it() -> None:
    room = Driver().start().wait(6 * MIN)
    room.do(c.Light("ceiling", 60.0, fade_ms=0))
    room.wait(2_000)
    before = room.look()
    drag(room, [("ceiling", float(percent), 50) for percent in range(58, 20, -2)], "one")
    room.wait(1_000)
    assert room.look().lstar < before.lstar - 20
    held = room.look()
    room.do(c.Undo())
    assert room.look().lstar == pytest.approx(held.lstar)  # it comes back by a ramp, never at once
    room.wait(6_000)
    assert room.look() == before
    room.do(c.Undo())  # and the word before the drag is still there to be taken back
    assert room.state.undo[-1].name == "Start"


def test_two_drags_are_two_words() -> None:
    room = Driver().start().wait(6 * MIN)
    drag(room, [("ceiling", 40.0, 50), ("ceiling", 30.0, 50)], "one")
    drag(room, [("ceiling", 20.0, 50), ("ceiling", 10.0, 500)], "two")
    room.do(c.Undo())
    room.wait(6_000)
    assert room.look().percent == pytest.approx(30.0, abs=0.1)


def test_anothers_word_amid_a_drag_is_kept_apart() -> None:
    room = Driver().start().wait(6 * MIN)
    drag(room, [("ceiling", 40.0, 500)], "one")
    room.do(c.Light("bedside", 5.0, fade_ms=0), by="therapist:b")
    drag(room, [("ceiling", 10.0, 500)], "one")
    room.do(c.Undo())
    room.wait(6_000)
    assert room.look("ceiling").percent == pytest.approx(40.0, abs=0.1)
    assert room.look("bedside").percent == pytest.approx(5.0, abs=0.1)


def test_undo_counts_its_ten_seconds_from_the_last_step() -> None:
    room = Driver().start().wait(6 * MIN)
    plain = Driver().start().wait(6 * MIN)
    drag(room, [("ceiling", 60.0 - step, 1_000) for step in range(15)], "one")
    room.do(c.Undo())
    room.wait(6_000)
    plain.wait(21_000)
    assert room.look().lstar == pytest.approx(plain.look().lstar, abs=0.3)


@settings(max_examples=60, deadline=None)
@given(steps=STEPS, split=st.integers(0, 12))
def test_a_gesture_is_undone_whole_and_folds_the_same(steps: list[Step], split: int) -> None:
    """Also when the daemon was started anew amid the drag, from its records alone."""
    room = Driver().start().wait(6 * MIN)
    room.do(c.Light("ceiling", 50.0, fade_ms=0))
    room.do(c.VolumeTrim(-2.0))
    room.wait(2_000)
    trim = room.state.sound.volume
    drag(room, steps[:split], "one")
    room.state = fold(REST, room.records)
    drag(room, steps[split:], "one")
    room.do(c.Undo())
    again = fold(REST, room.records)
    assert again == room.state
    assert room.state.sound.volume == trim
    look = zone_look(again, "ceiling", room.now_ms + 6_000)
    assert look.percent == pytest.approx(50.0, abs=0.01)


def test_the_snapshot_names_the_profiles_anchors_and_when_they_were_given() -> None:
    room = Driver().start().wait(3 * MIN)
    around = view.Surroundings("garden", "Garden", 1, 1, words=lambda text: text.replace("Breathe", "Rest"))
    shown = view.make_snapshot(room.state, around, room.now_ms).session
    assert shown is not None
    assert [(one.anchor, one.marked_ms) for one in shown.profile_anchors] == [
        ("dose", None),
        ("supplement_given", None),
    ]
    room.do(c.Anchor("dose", minutes_ago=1))
    shown = view.make_snapshot(room.state, around, room.now_ms).session
    assert shown is not None
    assert shown.profile_anchors[0].marked_ms == 2 * MIN
    assert shown.anchors == ("dose",)


def test_the_snapshot_says_prompts_as_they_will_be_said() -> None:
    room = Driver().start()
    around = view.Surroundings("garden", "Garden", 1, 1, words=lambda text: text.replace("Breathe", "Rest"))
    shown = view.make_snapshot(room.state, around, room.now_ms).session
    assert shown is not None
    assert shown.next_cue is not None
    assert shown.next_cue.text == "Rest."
