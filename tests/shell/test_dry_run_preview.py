"""What a dry run answers: the new end, the phases' new times, and how far the music carries."""

import pytest

from controller.answers import preview
from controller.core import commands as c
from controller.core.light import look_from_percent
from controller.core.score import LightStep, MusicPlan, Phase, Score
from controller.core.session import step
from controller.core.state import RoomState, new_room

MIN = 60_000
T0 = 1_750_000_000_000
REST = {"ceiling": look_from_percent(30, 2700)}
HELD = {"long": 60 * MIN, "short": 15 * MIN, "ours": None}


def phase(name: str, minutes: int, pool: str | None) -> Phase:
    return Phase(name, name.title(), minutes * MIN, (LightStep(0, MIN, REST),), MusicPlan(pool=pool))


SCORE = Score(
    profile_id="small",
    title="Small",
    reviewed=False,
    phases=(
        phase("arrive", 10, "long"),
        phase("rise", 10, "short"),
        phase("rest", 10, None),
        phase("return", 20, "ours"),
        phase("talk", 10, "long"),
    ),
    resting=REST,
)


def after(*bodies: tuple[int, c.Body], excluded: tuple[str, ...] = ()) -> tuple[RoomState, int]:
    """The state after commands at minutes of the session, and the time of the last."""
    state, now = new_room(REST), T0
    start = c.Start("s" * 32, SCORE, c.SessionSheet(excluded_pools=excluded))
    for count, (minute, body) in enumerate(((0, start), *bodies)):
        now = T0 + minute * MIN
        state = step(state, c.Command(f"id-{count}", "therapist:a", body), now).state
    return state, now


def coverage(*bodies: tuple[int, c.Body], excluded: tuple[str, ...] = ()) -> float | None:
    state, now = after(*bodies, excluded=excluded)
    found = preview(state, now, lambda pool: HELD.get(pool, 0))
    assert found is not None
    return None if found.music_coverage_ms is None else found.music_coverage_ms / MIN


def test_it_says_the_new_end_and_the_phases_new_times() -> None:
    state, now = after((4, c.Extend(10)))
    found = preview(state, now, lambda _pool: None)
    assert found is not None
    assert found.planned_end_ms == T0 + 70 * MIN
    assert [(p.phase, p.start_ms // MIN, p.length_ms // MIN) for p in found.phases][:3] == [
        ("arrive", 0, 20),
        ("rise", 20, 10),
        ("rest", 30, 10),
    ]


@pytest.mark.parametrize(
    ("bodies", "minutes"),
    [
        ((), 60),  # all of it
        (((4, c.Extend(10)),), 66),  # the long pool carries arrival and talk
        (((12, c.Extend(4)),), 48 + 4),  # fourteen minutes of a pool of fifteen
        (((12, c.Extend(10)),), 15),  # its fifteen minutes, from now on: then pieces come round again
        (((4, c.NextPhase()), (5, c.Extend(6))), 55),  # one of its sixteen minutes is over
        (((4, c.NextPhase()), (5, c.Extend(7))), 15),
        (((2, c.End(anyway=True)),), None),
    ],
)
def test_it_says_how_far_the_music_carries(bodies: tuple[tuple[int, c.Body], ...], minutes: int) -> None:
    assert coverage(*bodies) == minutes


def test_a_pool_the_client_excluded_carries_nothing() -> None:
    assert coverage((2, c.Extend(1)), excluded=("short",)) == 9


def test_without_a_session_there_is_no_preview() -> None:
    assert preview(new_room(REST), T0, lambda _pool: None) is None
