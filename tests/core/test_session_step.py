"""The state machine: phases at their exact times, every command, what is refused, and fold."""

import pytest
from core_fixtures import HELP, MIN, PATH, SCORE, T0, Driver
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.core import commands as c
from controller.core import records as r
from controller.core.envelope import Authority
from controller.core.light import Mired, look_from_percent
from controller.core.music import music_target
from controller.core.refusal import Refused
from controller.core.score import Audience
from controller.core.session import Observed, PublishPrompt, Recovered, StoreNote, Tick, fold, step
from controller.core.state import RoomState, new_room, zone_authority
from controller.core.units import lstar_from_percent


def test_phases_come_in_order_at_their_exact_times() -> None:
    room = Driver().start().wait(60 * MIN)
    entered = [(at, rec.body.phase) for at, rec in room.of("phase_entered")]  # type: ignore[union-attr]
    assert entered == [(0, "arrival"), (10 * MIN, "peak"), (30 * MIN, "talk")]
    assert [(at, rec.body.reason) for at, rec in room.of("session_ended")] == [(45 * MIN, "planned")]  # type: ignore[union-attr]


def test_cues_go_out_once_at_their_times_and_not_at_the_peak() -> None:
    room = Driver().start().wait(60 * MIN)
    cued = [(at, rec.body.prompt, rec.body.audience) for at, rec in room.of("prompt_cued")]  # type: ignore[union-attr]
    assert cued == [
        (2 * MIN, "breath", Audience.CLIENT),
        (5 * MIN, "bp", Audience.THERAPIST),
        (15 * MIN, "water", Audience.THERAPIST),
        (18 * MIN, "bp", Audience.THERAPIST),
    ]
    assert [(at, rec.body.cue_id) for at, rec in room.of("prompt_suppressed")] == [(11 * MIN, "1.orient")]  # type: ignore[union-attr]
    published = [effect for effect in room.effects if isinstance(effect, PublishPrompt)]
    assert [effect.text for effect in published] == [
        "Breathe.",
        "Blood pressure.",
        "Offer water.",
        "Blood pressure.",
    ]


def test_a_tapped_prompt_goes_out_even_at_the_peak() -> None:
    room = Driver().start().wait(12 * MIN)
    room.do(c.PromptNow("feet"))
    assert room.effects[-1] == PublishPrompt(
        "p-id-2", "feet", "Feel both feet meet the floor.", Audience.CLIENT, 300
    )


def test_light_fades_evenly_in_lstar_and_mired() -> None:
    room = Driver().start()
    half = room.look(after_ms=150_000)
    assert half.lstar == pytest.approx((lstar_from_percent(30) + lstar_from_percent(45)) / 2)
    assert room.look(after_ms=5 * MIN) == look_from_percent(45, 2700)


def test_hold_stops_session_time_light_and_cues_and_resume_goes_on() -> None:
    room = Driver().start().wait(MIN)
    before = room.look()
    room.do(c.Hold())
    room.wait(30 * MIN)
    assert room.look() == before
    assert room.kinds().count("prompt_cued") == 0
    room.do(c.Resume())
    room.wait(60 * MIN)
    assert [at for at, rec in room.of("phase_entered")] == [0, 40 * MIN, 60 * MIN]
    with pytest.raises(Refused, match="no session"):
        room.do(c.Hold())


def test_extend_shifts_what_follows_without_a_seam() -> None:
    room = Driver().start().wait(2 * MIN)
    before = room.look()
    room.do(c.Extend(10))
    assert room.look() == before
    room.wait(90 * MIN)
    assert [at for at, _ in room.of("phase_entered")] == [0, 20 * MIN, 40 * MIN]
    assert room.of("session_ended")[0][0] == 55 * MIN


def test_shorten_leaves_at_least_a_minute() -> None:
    room = Driver().start().wait(2 * MIN)
    room.do(c.Extend(-60))
    room.wait(1 * MIN)
    assert [at for at, _ in room.of("phase_entered")] == [0, 3 * MIN]
    room.wait(19 * MIN + 30_000)
    with pytest.raises(Refused, match="shorter"):
        room.do(c.Extend(-5))


def test_next_phase_cuts_here_and_light_goes_on_from_where_it_is() -> None:
    room = Driver().start().wait(2 * MIN)
    before = room.look()
    room.do(c.NextPhase())
    assert room.look() == before
    assert room.of("phase_entered")[-1][0] == 2 * MIN
    room.wait(40 * MIN)
    assert room.of("session_ended")[0][0] == 37 * MIN


def test_goto_goes_back_and_lays_the_rest_behind() -> None:
    room = Driver().start().wait(31 * MIN)
    room.do(c.GotoPhase("peak"))
    room.wait(60 * MIN)
    assert [(at, rec.body.phase) for at, rec in room.of("phase_entered")][-2:] == [  # type: ignore[union-attr]
        (31 * MIN, "peak"),
        (51 * MIN, "talk"),
    ]
    with pytest.raises(Refused):
        Driver().start().do(c.GotoPhase("paek"))


def test_anchors_move_cards_and_phases() -> None:
    room = Driver().start().wait(3 * MIN)
    room.do(c.Anchor("dose"))
    room.do(c.Anchor("supplement_given"))
    room.wait(70 * MIN)
    bp = [at for at, rec in room.of("prompt_cued") if rec.body.prompt == "bp"]  # type: ignore[union-attr]
    assert bp == [3 * MIN, 11 * MIN]
    assert room.of("session_ended")[0][0] == 55 * MIN
    with pytest.raises(Refused, match="anchor"):
        Driver().start().do(c.Anchor("dosis"))


def test_end_before_the_minimum_needs_anyway() -> None:
    room = Driver().start().wait(5 * MIN)
    with pytest.raises(Refused, match="minimum") as refused:
        room.do(c.End())
    assert refused.value.code == "before_minimum"
    room.do(c.End(anyway=True))
    assert room.records[-1].body == r.SessionEnded("anyway")
    room = Driver().start().wait(12 * MIN)
    room.do(c.End())
    assert room.records[-1].body == r.SessionEnded("therapist")


def test_a_jump_to_the_end_does_not_end_before_the_minimum() -> None:
    room = Driver().start().wait(MIN)
    room.do(c.NextPhase())
    room.do(c.NextPhase())
    room.do(c.Extend(-60))
    room.wait(30 * MIN)
    assert room.of("session_ended")[0][0] == 12 * MIN


def test_a_light_override_wins_over_the_score_until_released() -> None:
    room = Driver().start().wait(MIN)
    before = room.look()
    room.do(c.Light("ceiling", 10.0))
    assert room.look() == before
    assert zone_authority(room.state, "ceiling", room.now_ms) is Authority.THERAPIST
    assert room.look(after_ms=5_000).lstar == pytest.approx(lstar_from_percent(10))
    room.wait(30 * MIN)
    assert room.look().lstar == pytest.approx(lstar_from_percent(10))
    assert isinstance(room.look().colour, Mired)
    room.do(c.LightRelease("ceiling"))
    assert room.look().lstar == pytest.approx(lstar_from_percent(10))
    assert room.look(after_ms=10_000) == room.look("bedside", after_ms=10_000)


def test_overrides_expire_with_minutes_and_with_the_phase() -> None:
    room = Driver().start().wait(MIN)
    room.do(c.Light("ceiling", 10.0, scope=c.Scope(c.ScopeKind.MINUTES, 3)))
    room.do(c.Light("bedside", 12.0, scope=c.Scope(c.ScopeKind.PHASE)))
    room.wait(20 * MIN)
    expired = [(at, rec.body.channel) for at, rec in room.of("override_expired")]  # type: ignore[union-attr]
    assert expired == [(4 * MIN, "light:ceiling"), (10 * MIN, "light:bedside")]
    assert room.look("ceiling") == room.look("bedside") == look_from_percent(2, 2000)


def test_trims_ride_on_the_score() -> None:
    room = Driver().start().wait(6 * MIN)
    room.do(c.LightTrim(c.Trim.DIMMER))
    assert room.look(after_ms=5_000).lstar == pytest.approx(lstar_from_percent(45) - 5)
    room.wait(20 * MIN)
    assert room.look().lstar == pytest.approx(lstar_from_percent(2) - 5)
    room.do(c.LightTrim(c.Trim.COOLER))
    colour = room.look(after_ms=5_000).colour
    assert isinstance(colour, Mired)
    assert colour.value == pytest.approx(475)
    for _ in range(2):
        room.do(c.LightTrim(c.Trim.DIMMER))
        room.wait(6_000)
    with pytest.raises(Refused, match="dimmer"):
        room.do(c.LightTrim(c.Trim.DIMMER))


def test_scenes_come_on_and_off_together_and_uncover_what_was_there() -> None:
    room = Driver().start().wait(MIN)
    room.do(c.Light("bedside", 15.0))
    room.wait(10_000)
    room.do(c.TakeScene(PATH))
    assert room.look("bedside", 5_000) == look_from_percent(6, 2000)
    assert music_target(room.state, room.now_ms).to_speakers
    room.wait(10 * MIN)
    assert room.of("scene_released")[-1][0] == 11 * MIN + 10_000
    assert room.look("bedside", 5_000).lstar == pytest.approx(lstar_from_percent(15))
    assert room.state.scenes == ()


def test_help_light_has_its_own_authority_and_lowers_the_music() -> None:
    room = Driver().start().wait(15 * MIN)
    room.do(c.TakeScene(HELP))
    assert zone_authority(room.state, "ceiling", room.now_ms) is Authority.HELP
    assert room.look(after_ms=3_000) == look_from_percent(50, 2700)
    assert music_target(room.state, room.now_ms).trim_db == -20.0
    room.do(c.SceneRelease("help"))
    assert room.look(after_ms=5_000) == look_from_percent(2, 2000)


def test_sound_commands() -> None:
    room = Driver().start().wait(MIN)
    room.do(c.VolumeTrim(-2))
    room.do(c.VolumeTrim(-2))
    assert music_target(room.state, room.now_ms).trim_db == -4
    room.do(c.Silence(fade_ms=100))
    target = music_target(room.state, room.now_ms)
    assert target.silent
    assert target.silence_fade_ms == 3_000
    room.do(c.Sound())
    assert not music_target(room.state, room.now_ms).silent
    room.do(c.Mood("vast"))
    assert music_target(room.state, room.now_ms).pool == "vast"
    room.do(c.SkipTrack(fade_ms=1))
    assert music_target(room.state, room.now_ms).skips == 1
    assert room.state.sound.skip_fade_ms == 4_000
    room.do(c.SoundRelease())
    assert music_target(room.state, room.now_ms).trim_db == 0
    assert music_target(room.state, room.now_ms).pool == "arrival"
    with pytest.raises(Refused):
        room.do(c.Sound())


def test_planned_silence_comes_and_goes_and_a_mood_breaks_it() -> None:
    room = Driver().start().wait(15 * MIN)
    assert music_target(room.state, room.now_ms).silent
    room.do(c.Mood("vast"))
    assert not music_target(room.state, room.now_ms).silent
    room.wait(2 * MIN)
    room.do(c.SoundRelease())
    assert not music_target(room.state, room.now_ms).silent


@pytest.mark.parametrize(
    "body",
    [
        c.Light("ceiling", 10.0),
        c.LightTrim(c.Trim.BRIGHTER),
        c.TakeScene(HELP),
        c.VolumeTrim(-2),
        c.Silence(),
        c.Mood("vast"),
        c.Extend(10),
        c.NextPhase(),
        c.GotoPhase("talk"),
        c.Hold(),
        c.Anchor("supplement_given"),
        c.Eyeshades(on=True),
        c.Headphones(on=True),
        c.End(anyway=True),
    ],
    ids=lambda body: type(body).__name__,
)
def test_undo_takes_any_command_back_without_a_jump(body: c.Body) -> None:
    room = Driver().start().wait(3 * MIN)
    plain = Driver().start().wait(3 * MIN)
    room.do(body)
    room.wait(4_000)
    before = room.look()
    room.do(c.Undo())
    assert room.look().lstar == pytest.approx(before.lstar)
    room.wait(12 * MIN)
    plain.wait(12 * MIN + 4_000)
    assert room.look().lstar == pytest.approx(plain.look().lstar, abs=0.6)
    assert room.state.live_session is not None
    assert plain.state.live_session is not None
    assert room.state.live_session.phase == plain.state.live_session.phase
    ours, theirs = (music_target(d.state, d.now_ms) for d in (room, plain))
    assert (ours.pool, ours.trim_db, ours.silent, ours.headphones) == (
        theirs.pool,
        theirs.trim_db,
        theirs.silent,
        theirs.headphones,
    )


def test_undo_is_over_after_ten_seconds() -> None:
    room = Driver().start().wait(MIN)
    room.do(c.Light("ceiling", 10.0))
    room.wait(10_001)
    with pytest.raises(Refused, match="10 s"):
        room.do(c.Undo())


def test_undoing_the_start_ends_the_session() -> None:
    room = Driver().start()
    room.do(c.Undo())
    assert room.state.live_session is None


def test_notes_keep_their_text_out_of_the_records() -> None:
    room = Driver().start()
    room.do(c.Note("n1", "tears", "a secret"))
    assert room.effects[-1] == StoreNote("n1", "tears", "a secret")
    assert "a secret" not in repr(room.records)


def test_recovery_goes_on_or_asks() -> None:
    room = Driver().start().wait(3 * MIN)
    room.now_ms += 5 * MIN
    room.event(Recovered(5 * MIN, ask=False))
    room.wait(2 * MIN)
    assert room.of("phase_entered")[-1][0] == 10 * MIN
    room.now_ms += 20 * MIN
    room.event(Recovered(20 * MIN, ask=True))
    assert room.state.live_session is not None
    assert room.state.live_session.status == "asking"
    target = music_target(room.state, room.now_ms)
    assert target.pool is None
    assert not target.silent
    room.do(c.Resume())
    assert room.state.live_session.session_ms(room.now_ms) == 10 * MIN


def test_a_long_outage_leaves_late_client_prompts_out() -> None:
    room = Driver().start()
    room.now_ms += 4 * MIN
    room.event(Recovered(4 * MIN, ask=False))
    room.event(Tick())
    assert [rec.body.reason for _, rec in room.of("prompt_suppressed")] == ["late"]  # type: ignore[union-attr]


def test_a_refused_command_changes_nothing() -> None:
    room = Driver().start()
    before = room.state
    with pytest.raises(Refused):
        step(before, c.Command("x", "t", c.Light("celing", 4.0)), room.now_ms)
    assert room.state is before


BODIES = st.one_of(
    st.builds(
        c.Light,
        zone=st.sampled_from([None, "ceiling", "bedside"]),
        brightness_percent=st.floats(0, 100),
        fade_ms=st.sampled_from([None, 0, 3_000, 600_000]),
        scope=st.sampled_from([c.Scope(), c.Scope(c.ScopeKind.PHASE), c.Scope(c.ScopeKind.MINUTES, 2.0)]),
    ),
    st.builds(c.LightTrim, trim=st.sampled_from(list(c.Trim)), steps=st.integers(1, 3)),
    st.builds(c.LightRelease, zone=st.sampled_from([None, "bedside"])),
    st.sampled_from(
        [
            c.Hold(),
            c.Resume(),
            c.NextPhase(),
            c.GotoPhase("arrival"),
            c.GotoPhase("talk"),
            c.Undo(),
            c.Sound(),
            c.SoundRelease(),
            c.SkipTrack(),
            c.TakeScene(HELP),
            c.TakeScene(PATH),
            c.SceneRelease(),
            c.Anchor("dose"),
            c.Anchor("supplement_given"),
            c.Eyeshades(on=True),
            c.PromptNow("feet"),
            c.Note("n", "tears", "x"),
            c.End(),
        ]
    ),
    st.builds(c.Extend, minutes=st.floats(-20, 20)),
    st.builds(c.VolumeTrim, delta_db=st.sampled_from([-2.0, 2.0])),
    st.builds(c.Silence, minutes=st.sampled_from([None, 2.0])),
    st.builds(c.Mood, pool=st.sampled_from(["a", "b"])),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 8 * MIN), BODIES), max_size=25))
def test_fold_equals_the_live_state_at_every_prefix(script: list[tuple[int, c.Body]]) -> None:
    room = Driver().start()
    for wait_ms, body in script:
        room.wait(wait_ms)
        try:
            room.do(body)
        except Refused:
            continue
        assert fold(SCORE_REST, room.records) == room.state


SCORE_REST = dict(SCORE.resting)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 4 * MIN), BODIES), max_size=20))
def test_no_command_makes_the_plan_jump(script: list[tuple[int, c.Body]]) -> None:
    room = Driver().start()
    for wait_ms, body in script:
        room.wait(wait_ms)
        before = room.look()
        try:
            room.do(body)
        except Refused:
            continue
        fade = getattr(body, "fade_ms", 1)
        if fade == 0:
            continue  # asked for at once: the envelope makes it gentle
        assert room.look().lstar == pytest.approx(before.lstar, abs=0.02)


def test_two_rooms_never_share_state() -> None:
    empty = new_room(SCORE_REST)
    Driver().start()
    assert empty == RoomState(resting=SCORE_REST, lights=empty.lights)
    assert step(empty, Observed(r.FaultRaised("player", "gone")), T0).state == empty
