"""The view: a room's state and what its parts report, as the snapshot that every tablet shows.

It computes; it never decides. Nothing of the client passes through here.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

from controller.core import snapshot as s
from controller.core.channels import Channel, Following, Held, settled_at
from controller.core.commands import Scope, ScopeKind
from controller.core.cues import DueCue, next_cue
from controller.core.light import Colour, Mired, as_xy, rgb_hex
from controller.core.music import MusicTarget, music_target
from controller.core.records import PromptCued
from controller.core.score import Audience, ZoneId
from controller.core.session import prompt_text
from controller.core.state import UNDO_WINDOW_MS, RoomState, SessionState, zone_look
from controller.core.timeline import Timeline
from controller.core.units import kelvin_from_mired

COMMAND_OF_RECORD = {
    "Start": "start",
    "SessionEnded": "end",
    "SessionHeld": "hold",
    "SessionResumed": "resume",
    "PhaseExtended": "extend",
    "PhaseJumped": "next_phase",
    "AnchorMarked": "anchor",
    "LightHeld": "light",
    "LightTrimmed": "light_trim",
    "LightReleased": "light_release",
    "VolumeSet": "volume",
    "MoodSet": "mood",
    "TrackSkipped": "skip_track",
    "SilenceBegan": "silence",
    "SoundReturned": "sound",
    "SoundReleased": "sound_release",
    "PromptDeferred": "prompt_defer",
    "SceneTaken": "scene",
    "SceneReleased": "scene_release",
    "EyeshadesChanged": "eyeshades",
    "HeadphonesChanged": "headphones",
}


@dataclass(frozen=True, slots=True)
class Playing:
    """What the player reports of itself."""

    state: Literal["playing", "silence", "bed", "stopped"] = "stopped"
    title: str = ""
    artist: str = ""
    position_ms: int = 0
    length_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Heard:
    """What the sound meter says: levels in dB(A), None where nothing was measured."""

    calibrated: bool = False
    level_now_dba: float | None = None
    dose_laeq_dba: float | None = None


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the shell knows of a room besides its state."""

    room: str
    title: str
    revision: int
    speed: int
    lamps: tuple[s.LampView, ...] = ()
    playing: Playing = Playing()
    heard: Heard = Heard()
    faults: tuple[s.FaultView, ...] = ()
    words: Callable[[str], str] = str
    """Fills in what a prompt's words leave open (the part of the day)."""


def make_snapshot(state: RoomState, around: Surroundings, now_ms: int) -> s.Snapshot:
    """Return the snapshot of a room at ``now_ms``."""
    by_hand: dict[ZoneId, tuple[str, ...]] = {}
    for lamp in around.lamps:
        if lamp.changed_by_hand:
            by_hand[lamp.zone] = (*by_hand.get(lamp.zone, ()), lamp.fixture)
    return s.Snapshot(
        version=s.SNAPSHOT_VERSION,
        revision=around.revision,
        room=around.room,
        title=around.title,
        now_ms=now_ms,
        speed=around.speed,
        session=None
        if state.session is None
        else _spoken(_session(state, state.session, now_ms), around.words),
        zones=tuple(_zone(state, zone, by_hand.get(zone, ()), now_ms) for zone in state.zones),
        lamps=around.lamps,
        music=_music(state, around, now_ms),
        faults=around.faults,
        prepared=state.prepared,
    )


def _scope(scope: Scope) -> Literal["until_released", "phase", "minutes"]:
    match scope.kind:
        case ScopeKind.UNTIL_RELEASED:
            return "until_released"
        case ScopeKind.PHASE:
            return "phase"
        case ScopeKind.MINUTES:
            return "minutes"


def _zone(state: RoomState, zone: ZoneId, by_hand: tuple[str, ...], now_ms: int) -> s.ZoneView:
    look, over = zone_look(state, zone, now_ms), state.lights[zone]
    xy = None if isinstance(look.colour, Mired) else as_xy(look.colour)
    named: tuple[tuple[str, Channel[float] | Channel[Colour]], ...] = (
        ("brightness", over.lstar),
        ("colour", over.colour),
    )
    overrides = tuple(
        s.OverrideView(name, _scope(channel.scope), channel.by, channel.until_ms, channel.scene)
        for name, channel in named
        if isinstance(channel, Held)
    )
    return s.ZoneView(
        zone=zone,
        brightness_percent=round(look.percent, 2),
        lstar=round(look.lstar, 2),
        kelvin=round(kelvin_from_mired(look.colour.value)) if isinstance(look.colour, Mired) else None,
        xy=None if xy is None else (round(xy.x, 4), round(xy.y, 4)),
        swatch=rgb_hex(look),
        fading=_is_fading(state, zone, now_ms),
        overrides=overrides,
        changed_by_hand=by_hand,
    )


def _is_fading(state: RoomState, zone: ZoneId, now_ms: int) -> bool:
    over = state.lights[zone]
    for channel in (over.lstar, over.colour):
        settled = settled_at(channel)
        if settled is not None and now_ms < settled:
            return True
    if not (isinstance(over.lstar, Following) or isinstance(over.colour, Following)):
        return False
    return zone_look(state, zone, now_ms) != zone_look(state, zone, now_ms + 1_000)


def _music(state: RoomState, around: Surroundings, now_ms: int) -> s.MusicView:
    target, sound, playing = music_target(state, now_ms), state.sound, around.playing
    overrides: list[s.OverrideView] = []
    if sound.volume.by:
        volume = sound.volume
        overrides.append(s.OverrideView("volume", _scope(volume.scope), volume.by, volume.until_ms))
    if sound.mood is not None:
        mood = sound.mood
        overrides.append(s.OverrideView("mood", _scope(mood.scope), mood.by, mood.until_ms))
    if sound.silence is not None:
        silence = sound.silence
        scope: Literal["until_released", "minutes"] = (
            "until_released" if silence.until_ms is None else "minutes"
        )
        overrides.append(s.OverrideView("silence", scope, silence.by, silence.until_ms))
    heard = playing.state
    if target.silent and heard != "stopped":
        heard = "silence"
    return s.MusicView(
        state=heard,
        pool=target.pool,
        mood=target.mood,
        energy=target.energy,
        title=playing.title,
        artist=playing.artist,
        position_ms=playing.position_ms,
        length_ms=playing.length_ms,
        level_dba=round(_level(target), 1),
        trim_db=round(target.trim_db, 1),
        calibrated=around.heard.calibrated,
        overrides=tuple(overrides),
        level_now_dba=_rounded(around.heard.level_now_dba),
        dose_laeq_dba=_rounded(around.heard.dose_laeq_dba),
    )


def _rounded(level_dba: float | None) -> float | None:
    return None if level_dba is None else round(level_dba, 1)


def _level(target: MusicTarget) -> float:
    return 0.0 if target.silent else target.level_with_trim_dba


def _cue(cue: DueCue) -> s.CueView:
    return s.CueView(cue.key, cue.prompt, cue.audience.value, cue.text, cue.due_ms)


def _session(state: RoomState, session: SessionState, now_ms: int) -> s.SessionView:
    now = session.session_ms(now_ms)
    slot, phase = session.slot, session.phase
    undo = state.undo[-1] if state.undo else None
    if undo is not None and now_ms - undo.at_ms > UNDO_WINDOW_MS * session.speed:
        undo = None
    following = next_cue(session) if session.status != "ended" else None
    stood = 0 if session.stopped_at_ms is None else max(now_ms - session.stopped_at_ms, 0)
    return s.SessionView(
        session_id=session.session_id,
        profile=session.timeline.score.profile_id,
        title=session.timeline.score.title,
        unreviewed=not session.timeline.score.reviewed,
        status=session.status,
        started_at_ms=session.started_at_ms,
        session_ms=now,
        phase=phase.phase_id,
        phase_title=phase.title,
        phase_elapsed_ms=max(now - slot.start_ms, 0),
        phase_left_ms=max(slot.end_ms - now, 0),
        planned_end_ms=session.room_ms(session.due_end_ms()) + stood,
        minimum_ms=session.timeline.score.minimum_ms,
        phases=phase_views(session.timeline, session.entered_slot),
        anchors=tuple(session.anchors),
        eyeshades=session.eyeshades,
        headphones=session.headphones,
        touch=session.sheet.touch,
        scenes=tuple(on.scene.name for on in state.scenes),
        next_cue=None if following is None else _cue(following),
        cards=_cards(session, now_ms),
        undo=None if undo is None else COMMAND_OF_RECORD.get(undo.name, undo.name),
        undo_until_ms=None if undo is None else undo.at_ms + UNDO_WINDOW_MS * session.speed,
        profile_anchors=tuple(
            s.AnchorView(anchor, session.anchors.get(anchor))
            for anchor in session.timeline.score.known_anchors
        ),
        rehearsal_speed=session.rehearsal_speed,
    )


def _spoken(session: s.SessionView, words: Callable[[str], str]) -> s.SessionView:
    """Return the session with its prompts as they will be said."""
    cue = session.next_cue
    return replace(
        session,
        next_cue=None if cue is None else replace(cue, text=words(cue.text)),
        cards=tuple(replace(card, text=words(card.text)) for card in session.cards),
    )


def phase_views(timeline: Timeline, entered_slot: int) -> tuple[s.PhaseView, ...]:
    """Return the phases of a timeline, each with its state seen from the slot that was entered last."""
    views: list[s.PhaseView] = []
    for index, slot in enumerate(timeline.slots):
        phase = timeline.phase_of(index)
        state: Literal["past", "now", "next"] = "now"
        if index != entered_slot:
            state = "past" if index < entered_slot else "next"
        views.append(
            s.PhaseView(
                slot=index,
                phase=phase.phase_id,
                title=phase.title,
                start_ms=slot.start_ms,
                length_ms=slot.length_ms,
                state=state,
                pool=phase.music.pool,
                level_dba=phase.music.level_dba,
            )
        )
    return tuple(views)


def _cards(session: SessionState, now_ms: int) -> tuple[s.CardView, ...]:
    score = session.timeline.score
    shown: list[s.CardView] = []
    for card in session.cards:
        expires = card.since_ms + card.ttl_s * 1000 * session.speed
        if card.audience is Audience.CLIENT or now_ms >= expires:
            continue
        cued = PromptCued(card.prompt_id, card.prompt, card.audience, card.cue_id, card.ttl_s)
        shown.append(
            s.CardView(card.prompt_id, card.prompt, prompt_text(score, cued), card.since_ms, expires)
        )
    return tuple(shown)
