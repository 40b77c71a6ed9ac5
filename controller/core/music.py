"""What the room should hear: the score's music with the therapist's overrides laid over it.

It names pools and levels, never files: choosing tracks is ``playlists``' business, playing them the player's.
"""

from dataclasses import dataclass

from controller.core.envelope import Authority
from controller.core.score import MusicPlan, PoolId
from controller.core.state import RoomState, SessionState

LEAST_LEVEL_DBA = 20.0


@dataclass(frozen=True, slots=True)
class MusicTarget:
    """What should be heard at one instant.

    ``pool`` None with ``silent`` False means the bed. ``phase_left_ms`` is None while session time stands.
    ``silence_fade_ms`` and ``return_fade_ms`` are how fast silence comes and goes. ``touches`` changes
    whenever a person says how loud it should be: only then is ``authority`` a person's.
    """

    pool: PoolId | None
    mood: str
    energy: float
    words_allowed: bool
    unbroken: bool
    level_dba: float
    trim_db: float
    silent: bool
    authority: Authority
    silence_fade_ms: int
    return_fade_ms: int
    crossfade_ms: int
    slot: int
    phase_left_ms: int | None
    phase_ms: int | None
    excluded_pools: tuple[PoolId, ...]
    excluded_tracks: tuple[str, ...]
    skips: int
    skip_fade_ms: int
    headphones: bool
    to_speakers: bool
    touches: int = 0

    @property
    def level_with_trim_dba(self) -> float:
        """The programme's level in the room with the therapist's volume laid on."""
        return max(self.level_dba + self.trim_db, LEAST_LEVEL_DBA)


STOPPED_PLAN = MusicPlan(pool=None, level_dba=40.0)


def music_target(state: RoomState, at_ms: int) -> MusicTarget:
    """Return what the room should hear at a room time."""
    session = state.session
    if session is None or session.status == "ended":
        return _at_rest(state)
    plan, sound = session.phase.music, state.sound
    elapsed = session.session_ms(at_ms) - session.slot.start_ms
    planned_silence = any(gap.from_ms <= elapsed < gap.to_ms for gap in plan.silences)
    pool, mood = plan.pool, plan.mood
    planned_silence = planned_silence or pool is None
    if sound.mood is not None:
        # A mood asked for by hand is heard even where the plan is silent: the newest word wins.
        pool, mood, planned_silence = sound.mood.pool, sound.mood.pool, False
    if session.status == "asking":
        pool, planned_silence = None, False
    ends = _music_end_ms(session)
    scene_db = sum(on.scene.music_db for on in state.scenes)
    return MusicTarget(
        pool=pool,
        mood=mood,
        energy=plan.energy,
        words_allowed=plan.words_allowed and session.sheet.words_allowed,
        unbroken=plan.unbroken,
        level_dba=plan.level_dba,
        trim_db=sound.volume.trim_db + scene_db,
        silent=planned_silence or sound.silence is not None,
        authority=_authority(state),
        silence_fade_ms=6_000 if sound.silence is None else sound.silence.fade_ms,
        return_fade_ms=sound.return_fade_ms,
        crossfade_ms=plan.crossfade_ms,
        slot=session.entered_slot,
        phase_left_ms=max(ends - session.session_ms(at_ms), 0) if session.runs else None,
        phase_ms=ends - session.slot.start_ms,
        excluded_pools=session.sheet.excluded_pools,
        excluded_tracks=session.sheet.excluded_tracks,
        skips=sound.skips,
        skip_fade_ms=sound.skip_fade_ms,
        headphones=session.headphones,
        to_speakers=any(on.scene.to_speakers for on in state.scenes) or not session.headphones,
        touches=state.sound.touches,
    )


def _music_end_ms(session: SessionState) -> int:
    """Session time at which this phase's music ends: one unbroken piece goes on over phases that share it."""
    slots, timeline = session.timeline.slots, session.timeline
    plan, last = session.phase.music, session.entered_slot
    while plan.unbroken and last + 1 < len(slots):
        following = timeline.phase_of(last + 1).music
        if not following.unbroken or following.pool != plan.pool:
            break
        last += 1
    return slots[last].end_ms


def _authority(state: RoomState) -> Authority:
    if any(on.scene.is_help for on in state.scenes):
        return Authority.HELP
    touched = state.sound.silence is not None or state.sound.volume.by or state.scenes
    return Authority.THERAPIST if touched else Authority.SCORE


def _at_rest(state: RoomState) -> MusicTarget:
    prepared = state.prepared and state.session is None
    return MusicTarget(
        pool=None,
        mood="",
        energy=0.0,
        words_allowed=False,
        unbroken=False,
        level_dba=STOPPED_PLAN.level_dba,
        trim_db=state.sound.volume.trim_db,
        silent=not prepared or state.sound.silence is not None,
        authority=_authority(state),
        silence_fade_ms=6_000,
        return_fade_ms=state.sound.return_fade_ms,
        crossfade_ms=12_000,
        slot=-1,
        phase_left_ms=None,
        phase_ms=None,
        excluded_pools=(),
        excluded_tracks=(),
        skips=state.sound.skips,
        skip_fade_ms=state.sound.skip_fade_ms,
        headphones=False,
        to_speakers=True,
        touches=state.sound.touches,
    )


def next_music_edge(session: SessionState, now_session_ms: int) -> int | None:
    """Return the session time of the next planned silence's edge in this phase, or None."""
    start = session.slot.start_ms
    edges = (start + edge for gap in session.phase.music.silences for edge in (gap.from_ms, gap.to_ms))
    return min((edge for edge in edges if edge > now_session_ms), default=None)
