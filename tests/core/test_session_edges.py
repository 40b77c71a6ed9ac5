"""What the simulation found: the edges of holds, jumps, crashes and levels."""

from dataclasses import replace

import pytest
from core_fixtures import MIN, SCORE, Driver

from controller.core import commands as c
from controller.core.light import look_from_percent
from controller.core.music import music_target
from controller.core.score import LightStep
from controller.core.session import PublishPrompt, Recovered, fold
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


@pytest.mark.parametrize("shorten", [True, False])
def test_a_cue_put_off_comes_when_it_was_said_whatever_becomes_of_its_phase(shorten: bool) -> None:
    room = Driver().start().wait(MIN)
    room.do(c.GotoPhase("peak"))
    room.wait(MIN)
    room.do(c.PromptDefer("1.water", 11.0))  # due after 5 min of the phase: now at 16
    if shorten:
        room.do(c.Extend(-19.0))
        room.do(c.NextPhase())
    else:
        room.do(c.Extend(20.0))
    room.wait(30 * MIN)
    out = [(at, rec) for at, rec in room.of("prompt_cued") if rec.body.prompt == "water"]  # type: ignore[union-attr]
    assert [at for at, _ in out] == [17 * MIN]


def test_a_cue_put_off_in_a_last_phase_that_was_shortened_still_comes() -> None:
    room = Driver().start().wait(MIN)
    room.do(c.GotoPhase("peak"))
    room.do(c.PromptDefer("1.water", 10.0))
    room.do(c.Extend(-19.0))
    room.do(c.NextPhase())
    room.wait(40 * MIN)
    assert "water" in [rec.body.prompt for _, rec in room.of("prompt_cued")]  # type: ignore[union-attr]


def test_a_card_put_off_comes_at_its_time_though_its_anchor_moved() -> None:
    room = Driver().start().wait(MIN)
    room.do(c.PromptDefer("a.bp-after", 1.0))  # dose expected at 10 min, the card 8 min after it: at 19
    room.do(c.Extend(20.0))
    room.wait(45 * MIN)
    out = [at for at, rec in room.of("prompt_cued") if rec.body.cue_id == "a.bp-after"]  # type: ignore[union-attr]
    assert out == [19 * MIN]


def test_a_cue_of_a_slot_that_was_jumped_away_keeps_nobody_awake() -> None:
    room = Driver().start().wait(MIN)
    room.do(c.PromptDefer("1.water", 5.0))
    room.do(c.GotoPhase("talk"))
    room.wait(20 * MIN)
    assert "water" not in [rec.body.prompt for _, rec in room.of("prompt_cued")]  # type: ignore[union-attr]


@pytest.mark.parametrize("body", [c.GotoPhase("arrival"), c.Extend(1.0), c.Extend(30.0)])
def test_a_last_phase_that_ran_on_leaves_the_light_where_it_was(body: c.Body) -> None:
    # Talk fades up for 5 min and is cut after 1; the session goes on to its minimum, and then somebody jumps.
    room = Driver().start(replace(SCORE, minimum_ms=40 * MIN))
    room.do(c.GotoPhase("talk"))
    room.wait(10_000)
    room.do(c.Extend(-14.0))
    room.wait(20 * MIN)
    before = room.look()
    room.do(body)
    assert room.look().lstar == pytest.approx(before.lstar)
    assert room.look(after_ms=1_000).lstar == pytest.approx(before.lstar, abs=0.5)


def test_a_prompt_that_went_out_unwritten_is_not_sent_again() -> None:
    room = Driver().start()
    records = list(room.records)  # the disk is full from here on
    room.wait(2 * MIN)
    (sent,) = [effect.prompt_id for effect in room.effects if isinstance(effect, PublishPrompt)]
    room = Driver(now_ms=room.now_ms + 20_000, state=fold(room.state.resting, records), records=records)  # type: ignore[arg-type]
    room.event(Recovered(140_000, ask=False, sent=(sent, "c-other.0.breath", "p-7")))
    assert room.effects == []
    assert [rec.body.reason for _, rec in room.of("prompt_suppressed")] == ["sent"]  # type: ignore[union-attr]
    assert fold(room.state.resting, room.records) == room.state  # type: ignore[arg-type]
    room.wait(MIN)
    assert room.effects == []


def test_in_a_phase_of_frozen_light_nothing_moves_once_it_has_arrived() -> None:
    arrival = SCORE.phases[0]
    later = LightStep(6 * MIN, MIN, {zone: look_from_percent(80, 2700) for zone in SCORE.resting})
    frozen = replace(arrival, light=(*arrival.light, later), light_frozen=True)
    room = Driver().start(replace(SCORE, phases=(frozen, *SCORE.phases[1:])))
    room.wait(5 * MIN)
    arrived = room.look()
    room.wait(4 * MIN)
    assert room.look() == arrived
    assert arrived.percent == pytest.approx(45.0)
