"""What the simulation found: the edges of holds, jumps, crashes and levels."""

from core_fixtures import MIN, SCORE, Driver

from controller.core import commands as c
from controller.core.music import music_target
from controller.core.session import Recovered, fold
from controller.core.state import new_room

PHASE = c.Scope(c.ScopeKind.PHASE)


def test_what_was_asked_for_this_phase_ends_in_the_step_that_leaves_it() -> None:
    room = Driver().start().wait(MIN)
    room.do(c.Volume(-8.0, PHASE))
    done = room.do(c.NextPhase())
    assert "override_expired" in [record.body.kind for record in done.records]
    assert music_target(room.state, room.now_ms).trim_db == 0.0


def test_after_a_long_absence_nothing_falls_due_before_somebody_was_asked() -> None:
    room = Driver().start().wait(MIN)
    records = list(room.records)
    room = Driver(now_ms=room.now_ms + 60 * MIN, state=fold(room.state.resting, records))  # type: ignore[arg-type]
    done = room.event(Recovered(60 * MIN, ask=True))
    assert [record.body.kind for record in done.records] == ["session_recovered"]
    assert done.effects == ()
    session = room.state.live_session
    assert session is not None
    assert (session.status, session.session_ms(room.now_ms)) == ("asking", MIN)
    assert fold(new_room(SCORE.resting).resting, [*records, *done.records]) == room.state  # type: ignore[arg-type]


def test_only_a_persons_word_counts_as_a_touch_of_the_sound() -> None:
    room = Driver().start().wait(MIN)
    before = room.state.sound.touches
    room.do(c.Volume(-8.0, c.Scope(c.ScopeKind.MINUTES, 2.0)))
    assert room.state.sound.touches == before + 1
    room.wait(3 * MIN)
    assert room.state.sound.volume.trim_db == 0.0
    assert room.state.sound.touches == before + 1, "it ended by itself"
    room.do(c.Volume(-8.0))
    room.do(c.Undo())
    assert room.state.sound.touches == before + 3
