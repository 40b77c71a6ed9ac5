"""Evolving: the state after a record. Total and deterministic: what has happened cannot be refused.

``fold`` is this, record by record. It never looks at a clock: every time comes from the record.
"""

from dataclasses import replace
from typing import Literal, assert_never

from controller.core import records as r
from controller.core.evolve_light import evolve_light, expire_light, expiry, release_scene, take_scene
from controller.core.score import Audience
from controller.core.state import (
    REMEMBERED_COMMANDS,
    Card,
    MoodOverride,
    RoomState,
    SessionState,
    SilenceOverride,
    Sound,
    UndoPoint,
    VolumeOverride,
    ZoneChannels,
    new_room,
)
from controller.core.timeline import jumped, lay_out, resized
from controller.core.undo import undone

UNDO_DEPTH = 8
NOT_UNDOABLE = (r.CommandUndone, r.NoteTaken, r.PromptAcknowledged, r.PromptCued)


def evolve(state: RoomState, record: r.Record) -> RoomState:
    """Return the state after ``record``."""
    after = _apply(state, record)
    command_id = record.command_id
    if command_id is None or (state.seen and state.seen[-1] == command_id):
        return after
    after = replace(after, seen=(*state.seen, command_id)[-REMEMBERED_COMMANDS:])
    if isinstance(record.body, NOT_UNDOABLE):
        return after
    if isinstance(record.body, r.SessionStarted):
        # What the room was before a session is not in the session's records: an undone start goes to rest.
        state = new_room(state.resting)
    point = UndoPoint(
        command_id,
        _command_name(record.body),
        record.at_ms,
        replace(state, undo=(), seen=()),
        _gesture(record.body),
    )
    if point.gesture is not None and after.undo and after.undo[-1].gesture == point.gesture:
        # A further step of the drag that was the last word: undo goes back to before its first step.
        earlier = after.undo[-1]
        return replace(after, undo=(*after.undo[:-1], replace(point, before=earlier.before)))
    return replace(after, undo=(*after.undo, point)[-UNDO_DEPTH:])


def _gesture(body: r.RecordBody) -> str | None:
    return body.gesture if isinstance(body, r.LightHeld | r.VolumeSet) else None


def _command_name(body: r.RecordBody) -> str:
    return "Start" if isinstance(body, r.SessionStarted) else type(body).__name__


def _apply(state: RoomState, record: r.Record) -> RoomState:  # noqa: PLR0911 - one match over all records
    body = record.body
    match body:
        case r.SessionStarted():
            return _started(state, body, record.at_ms)
        case r.LightHeld() | r.LightTrimmed() | r.LightReleased():
            return evolve_light(state, record, body)
        case r.SceneTaken():
            return _touched(take_scene(state, record, body.scene), record)
        case r.SceneReleased():
            by_hand = record.by != "score"
            return _touched(release_scene(state, body.name, record.at_ms, by_hand=by_hand), record)
        case r.OverrideExpired():
            return _expired(state, body, record.at_ms)
        case (
            r.VolumeSet()
            | r.MoodSet()
            | r.TrackSkipped()
            | r.SilenceBegan()
            | r.SoundReturned()
            | r.SoundReleased()
        ):
            return _touched(replace(state, sound=_sound(state, record, body)), record)
        case r.CommandUndone():
            return undone(state, body.undone_command_id, record.at_ms)
        case r.TrackFailed() | r.LampChangedByHand() | r.FaultRaised() | r.FaultCleared() | r.NoteTaken():
            return state
        case r.RoomChecked():
            return state
        case _:
            session = state.session
            if session is None:
                return state
            return replace(state, session=_session(session, record, body))


def _touched(state: RoomState, record: r.Record) -> RoomState:
    """Note that a person, not the score, had a word on the sound."""
    if record.by == "score":
        return state
    return replace(state, sound=replace(state.sound, touches=state.sound.touches + 1))


def _started(state: RoomState, body: r.SessionStarted, at_ms: int) -> RoomState:
    session = SessionState(
        session_id=body.session_id,
        sheet=body.sheet,
        timeline=lay_out(body.score),
        speed=body.speed,
        started_at_ms=at_ms,
        status="running",
        stopped_at_ms=None,
        held_total_ms=0,
        entered_slot=0,
        anchors={},
        cued=frozenset(),
        deferred={},
        cards=(),
        played=(),
        eyeshades=False,
        headphones=False,
        rehearsal_speed=body.rehearsal_speed,
    )
    lights = {zone: ZoneChannels() for zone in state.zones}
    return replace(
        state, session=session, prepared=True, lights=lights, sound=Sound(), scenes=(), undo=(), seen=()
    )


def _session(  # noqa: C901, PLR0911, PLR0912
    session: SessionState,
    record: r.Record,
    body: r.SessionEnded
    | r.SessionHeld
    | r.SessionResumed
    | r.SessionRecovered
    | r.PhaseEntered
    | r.PhaseExtended
    | r.PhaseJumped
    | r.AnchorMarked
    | r.PromptCued
    | r.PromptSuppressed
    | r.PromptDeferred
    | r.PromptAcknowledged
    | r.EyeshadesChanged
    | r.HeadphonesChanged
    | r.TrackStarted,
) -> SessionState:
    at_ms = record.at_ms
    match body:
        case r.SessionEnded():
            return _stopped(session, "ended", at_ms)
        case r.SessionHeld():
            return _stopped(session, "held", at_ms)
        case r.SessionResumed():
            return _running(session, at_ms)
        case r.SessionRecovered():
            return _recovered(session, body, at_ms)
        case r.PhaseEntered():
            return replace(session, entered_slot=body.slot)
        case r.PhaseExtended():
            now = session.session_ms(at_ms)
            longer = resized(session.timeline, session.entered_slot, body.delta_ms, now)
            return replace(session, timeline=longer)
        case r.PhaseJumped():
            phases = session.timeline.score.phases
            index = next(i for i, phase in enumerate(phases) if phase.phase_id == body.phase)
            return replace(session, timeline=jumped(session.timeline, session.session_ms(at_ms), index))
        case r.AnchorMarked():
            return _anchored(session, body, session.session_ms(at_ms))
        case r.PromptCued():
            card = Card(body.prompt_id, body.prompt, body.audience, body.cue_id, at_ms, body.ttl_s)
            kept = tuple(
                old for old in session.cards if at_ms < old.since_ms + old.ttl_s * 1000 * session.speed
            )
            if body.audience is Audience.CLIENT:
                # A new prompt for the client takes the place of the one before it.
                kept = tuple(old for old in kept if old.audience is not Audience.CLIENT)
            cued = session.cued if body.cue_id is None else session.cued | {body.cue_id}
            return replace(session, cards=(*kept, card), cued=cued)
        case r.PromptSuppressed():
            return replace(session, cued=session.cued | {body.cue_id})
        case r.PromptDeferred():
            return replace(session, deferred={**session.deferred, body.cue_id: body.until_session_ms})
        case r.PromptAcknowledged():
            return replace(session, cards=_acknowledged(session, body))
        case r.EyeshadesChanged():
            return replace(session, eyeshades=body.on)
        case r.HeadphonesChanged():
            return replace(session, headphones=body.on)
        case r.TrackStarted():
            return replace(session, played=(*session.played, body.track_id))
        case _:
            assert_never(body)


def _acknowledged(session: SessionState, body: r.PromptAcknowledged) -> tuple[Card, ...]:
    # A therapist's card stays until she dismisses it; "shown" by a device is not her word.
    return tuple(
        card
        for card in session.cards
        if card.prompt_id != body.prompt_id
        or (card.audience is Audience.THERAPIST and body.result != "dismissed")
    )


def _stopped(session: SessionState, status: Literal["held", "ended"], at_ms: int) -> SessionState:
    stopped = at_ms if session.stopped_at_ms is None else session.stopped_at_ms
    return replace(session, status=status, stopped_at_ms=stopped)


def _running(session: SessionState, at_ms: int) -> SessionState:
    away = 0 if session.stopped_at_ms is None else at_ms - session.stopped_at_ms
    return replace(
        session, status="running", stopped_at_ms=None, held_total_ms=session.held_total_ms + max(away, 0)
    )


def _recovered(session: SessionState, body: r.SessionRecovered, at_ms: int) -> SessionState:
    if not body.asked or session.status == "ended":
        return session
    # Too long away: session time stands where the daemon was lost, until somebody says how to go on.
    stopped = at_ms - body.away_ms if session.stopped_at_ms is None else session.stopped_at_ms
    return replace(session, status="asking", stopped_at_ms=stopped)


def _anchored(session: SessionState, body: r.AnchorMarked, now_session_ms: int) -> SessionState:
    timeline = session.timeline
    for shift in timeline.score.anchor_shifts:
        if shift.anchor != body.anchor:
            continue
        for index in range(session.entered_slot, len(timeline.slots)):
            if timeline.phase_of(index).phase_id == shift.phase:
                timeline = resized(timeline, index, shift.delta_ms, now_session_ms)
                break
    return replace(session, timeline=timeline, anchors={**session.anchors, body.anchor: body.session_ms})


def _expired(state: RoomState, body: r.OverrideExpired, at_ms: int) -> RoomState:
    kind, _, zone = body.channel.partition(":")
    sound = state.sound
    match kind:
        case "light":
            return expire_light(state, zone, at_ms, body.fade_ms)
        case "volume":
            sound = replace(sound, volume=VolumeOverride())
        case "mood":
            sound = replace(sound, mood=None)
        case "silence":
            sound = replace(sound, silence=None, return_fade_ms=body.fade_ms)
        case _:
            return state
    return replace(state, sound=sound)


def _sound(
    state: RoomState,
    record: r.Record,
    body: r.VolumeSet | r.MoodSet | r.TrackSkipped | r.SilenceBegan | r.SoundReturned | r.SoundReleased,
) -> Sound:
    sound, at_ms = state.sound, record.at_ms
    match body:
        case r.VolumeSet():
            until = expiry(state, body.scope, at_ms)
            return replace(sound, volume=VolumeOverride(body.trim_db, body.scope, record.by, *until))
        case r.MoodSet():
            until = expiry(state, body.scope, at_ms)
            return replace(sound, mood=MoodOverride(body.pool, body.scope, record.by, *until))
        case r.TrackSkipped():
            return replace(sound, skips=sound.skips + 1, skip_fade_ms=body.fade_ms)
        case r.SilenceBegan():
            return replace(sound, silence=SilenceOverride(at_ms, body.fade_ms, body.until_ms, record.by))
        case r.SoundReturned():
            return replace(sound, silence=None, return_fade_ms=body.fade_ms)
        case r.SoundReleased():
            return replace(sound, volume=VolumeOverride(), mood=None, silence=None)
        case _:
            assert_never(body)
