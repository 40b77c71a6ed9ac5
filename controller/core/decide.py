"""Deciding: which records a command brings about, or why it is refused. It changes nothing itself."""

from difflib import get_close_matches
from typing import assert_never

from controller.core import commands as c
from controller.core import records as r
from controller.core.channels import move_colour, move_lstar
from controller.core.cues import expected_cues
from controller.core.light import Mired
from controller.core.refusal import Refused
from controller.core.score import Audience, ZoneId
from controller.core.state import UNDO_WINDOW_MS, RoomState, SessionState, zone_look
from controller.core.units import MS_PER_MIN, clamp, lstar_from_percent

TRIM_LSTAR = 5.0
"""One tap of dimmer or brighter: a clear step that nobody is startled by."""
TRIM_MIRED = 25.0
LIGHT_FADE_MS = 5_000
"""Ramp of a therapist's light command (shared practice: 5 s)."""
RELEASE_FADE_MS = 10_000
SKIP_FADE_MS = 12_000
SILENCE_FADE_MS = 6_000
SILENCE_FADE_MIN_MS = 3_000
CROSSFADE_MIN_MS, CROSSFADE_MAX_MS = 4_000, 30_000
VOLUME_LOW_DB, VOLUME_HIGH_DB = -40.0, 12.0
LEAST_PHASE_MS = 60_000
_AT_LIMIT = {
    c.Trim.DIMMER: "the light cannot become any dimmer",
    c.Trim.BRIGHTER: "the light cannot become any brighter",
    c.Trim.WARMER: "the light cannot become any warmer",
    c.Trim.COOLER: "the light cannot become any cooler",
}


def decide(state: RoomState, command: c.Command, now_ms: int) -> tuple[r.RecordBody, ...]:  # noqa: C901, PLR0911, PLR0912
    """Return the records of a command, at least one.

    Raises:
        Refused: it is not allowed now.
    """
    body = command.body
    match body:
        case c.Start():
            return _start(state, body)
        case c.End():
            return _end(state, body, now_ms)
        case c.Hold():
            if _live(state).status != "running":
                raise Refused("already_held", "the session is already held")
            return (r.SessionHeld(),)
        case c.Resume():
            if _live(state).status == "running":
                raise Refused("not_held", "the session is not held")
            return (r.SessionResumed(),)
        case c.Extend():
            return _extend(_live(state), body, now_ms)
        case c.NextPhase():
            return _next_phase(_live(state))
        case c.GotoPhase():
            return _goto(_live(state), body)
        case c.Anchor():
            return _anchor(_live(state), body, now_ms)
        case c.Light():
            return _light(state, body)
        case c.LightTrim():
            return _light_trim(state, body, now_ms)
        case c.LightRelease():
            fade = _tempo(state) * (RELEASE_FADE_MS if body.fade_ms is None else body.fade_ms)
            return tuple(r.LightReleased(zone, fade) for zone in _zones(state, body.zone))
        case c.Volume():
            trim = clamp(body.trim_db, VOLUME_LOW_DB, VOLUME_HIGH_DB)
            return (r.VolumeSet(trim, body.scope, gesture=body.gesture),)
        case c.VolumeTrim():
            trim = clamp(state.sound.volume.trim_db + body.delta_db, VOLUME_LOW_DB, VOLUME_HIGH_DB)
            return (r.VolumeSet(trim, c.UNTIL_RELEASED),)
        case c.Mood() | c.SkipTrack() | c.Silence() | c.Sound() | c.SoundRelease():
            return _sound(state, body, now_ms)
        case c.PromptNow() | c.PromptDefer() | c.PromptAck():
            return _prompt(state, command, body, now_ms)
        case c.TakeScene():
            known = {zone: look for zone, look in body.scene.looks.items() if zone in state.lights}
            if not known:
                raise Refused(
                    "empty_scene", "scene '{scene}' has no light for this room's zones", scene=body.scene.name
                )
            return (r.SceneTaken(body.scene),)
        case c.SceneRelease():
            return _scene_release(state, body)
        case c.Eyeshades():
            _live(state)
            return (r.EyeshadesChanged(body.on),)
        case c.Headphones():
            _live(state)
            return (r.HeadphonesChanged(body.on),)
        case c.Note():
            if state.session is None:
                raise Refused("no_session", "there is no session to note anything in")
            return (r.NoteTaken(body.note_id, body.chip, has_text=bool(body.text)),)
        case c.Undo():
            return _undo(state, now_ms)
        case _:
            assert_never(body)


def _live(state: RoomState) -> SessionState:
    session = state.live_session
    if session is None:
        raise Refused("no_session", "no session is running in this room")
    return session


def _tempo(state: RoomState) -> int:
    return 1 if state.session is None else state.session.speed


def _zones(state: RoomState, zone: ZoneId | None) -> tuple[ZoneId, ...]:
    if zone is None:
        return state.zones
    if zone not in state.lights:
        raise Refused("unknown_zone", "unknown zone '{zone}'", hint=_nearest(zone, state.zones), zone=zone)
    return (zone,)


def _nearest(name: str, known: tuple[str, ...]) -> str:
    near = get_close_matches(name, known, n=1)
    return f" (did you mean {near[0]!r}?)" if near else f" (known: {', '.join(known)})"


def _start(state: RoomState, body: c.Start) -> tuple[r.RecordBody, ...]:
    if state.live_session is not None:
        raise Refused("session_running", "a session is already running in this room; end it first")
    if not body.score.phases:
        raise Refused("empty_profile", "profile '{profile}' has no phases", profile=body.score.profile_id)
    if missing := [zone for zone in state.zones if zone not in body.score.resting]:
        raise Refused(
            "wrong_room", "the score was made for another room: it lacks zone '{zone}'", zone=missing[0]
        )
    return (
        r.SessionStarted(body.session_id, body.score, body.sheet, rehearsal_speed=body.rehearsal_speed),
        r.PhaseEntered(body.score.phases[0].phase_id, 0),
    )


def _end(state: RoomState, body: c.End, now_ms: int) -> tuple[r.RecordBody, ...]:
    session = _live(state)
    minimum = session.timeline.score.minimum_ms
    if now_ms - session.started_at_ms >= minimum:
        return (r.SessionEnded("therapist"),)
    if not body.anyway:
        left = -(-(minimum - (now_ms - session.started_at_ms)) // MS_PER_MIN)
        raise Refused(
            "before_minimum",
            "the profile's minimum is {minimum} min and {left} min are left; "
            "end it with 'anyway' if it must end now",
            minimum=minimum // MS_PER_MIN,
            left=left,
        )
    return (r.SessionEnded("anyway"),)


def _extend(session: SessionState, body: c.Extend, now_ms: int) -> tuple[r.RecordBody, ...]:
    delta = round(body.minutes * MS_PER_MIN)
    if delta < 0:
        left = session.slot.end_ms - session.session_ms(now_ms)
        delta = -min(-delta, max(left - LEAST_PHASE_MS, 0))
    if delta == 0:
        raise Refused("nothing_to_change", "this phase cannot become any shorter; use next_phase to leave it")
    return (r.PhaseExtended(session.phase.phase_id, delta),)


def _next_phase(session: SessionState) -> tuple[r.RecordBody, ...]:
    slots = session.timeline.slots
    if session.entered_slot + 1 >= len(slots):
        raise Refused("last_phase", "this is the last phase; end the session instead")
    phase = session.timeline.phase_of(session.entered_slot + 1)
    return r.PhaseJumped(phase.phase_id), r.PhaseEntered(phase.phase_id, session.entered_slot + 1)


def _goto(session: SessionState, body: c.GotoPhase) -> tuple[r.RecordBody, ...]:
    known = tuple(phase.phase_id for phase in session.timeline.score.phases)
    if body.phase not in known:
        raise Refused(
            "unknown_phase", "unknown phase '{phase}'", hint=_nearest(body.phase, known), phase=body.phase
        )
    if body.phase == session.phase.phase_id:
        raise Refused("nothing_to_change", "the session is in phase '{phase}' already", phase=body.phase)
    return r.PhaseJumped(body.phase), r.PhaseEntered(body.phase, session.entered_slot + 1)


def _anchor(session: SessionState, body: c.Anchor, now_ms: int) -> tuple[r.RecordBody, ...]:
    known = session.timeline.score.known_anchors
    if body.anchor not in known:
        raise Refused(
            "unknown_anchor",
            "this profile has no anchor '{anchor}'",
            hint=_nearest(body.anchor, known),
            anchor=body.anchor,
        )
    if body.anchor in session.anchors:
        raise Refused(
            "already_marked",
            "'{anchor}' was marked already; undo it first if it was wrong",
            anchor=body.anchor,
        )
    at = max(session.session_ms(now_ms) - round(body.minutes_ago * MS_PER_MIN), 0)
    return (r.AnchorMarked(body.anchor, at),)


def _light(state: RoomState, body: c.Light) -> tuple[r.RecordBody, ...]:
    if body.brightness_percent is None and body.colour is None:
        raise Refused("nothing_to_change", "give a brightness, a colour, or both")
    lstar = None if body.brightness_percent is None else lstar_from_percent(body.brightness_percent)
    fade = _tempo(state) * (LIGHT_FADE_MS if body.fade_ms is None else body.fade_ms)
    return tuple(
        r.LightHeld(zone, lstar, body.colour, fade, body.scope, gesture=body.gesture)
        for zone in _zones(state, body.zone)
    )


def _light_trim(state: RoomState, body: c.LightTrim, now_ms: int) -> tuple[r.RecordBody, ...]:
    sign = 1.0 if body.trim in (c.Trim.BRIGHTER, c.Trim.WARMER) else -1.0
    lstar = sign * TRIM_LSTAR * body.steps if body.trim in (c.Trim.BRIGHTER, c.Trim.DIMMER) else 0.0
    mired = sign * TRIM_MIRED * body.steps if body.trim in (c.Trim.WARMER, c.Trim.COOLER) else 0.0
    settled = now_ms + _tempo(state) * LIGHT_FADE_MS
    bodies: list[r.RecordBody] = []
    for zone in _zones(state, body.zone):
        look = zone_look(state, zone, settled)
        if lstar and move_lstar(look.lstar, lstar) == look.lstar:
            continue
        if mired and isinstance(look.colour, Mired) and move_colour(look.colour, mired) == look.colour:
            continue
        bodies.append(r.LightTrimmed(zone, lstar, mired, settled - now_ms))
    if not bodies:
        raise Refused("at_limit", _AT_LIMIT[body.trim])
    return tuple(bodies)


def _sound(
    state: RoomState, body: c.Mood | c.SkipTrack | c.Silence | c.Sound | c.SoundRelease, now_ms: int
) -> tuple[r.RecordBody, ...]:
    match body:
        case c.Mood():
            excluded = () if state.session is None else state.session.sheet.excluded_pools
            if body.pool in excluded:
                raise Refused("excluded", "pool '{pool}' was excluded before the session", pool=body.pool)
            return (r.MoodSet(body.pool, body.scope),)
        case c.SkipTrack():
            fade = SKIP_FADE_MS if body.fade_ms is None else body.fade_ms
            return (r.TrackSkipped(round(clamp(fade, CROSSFADE_MIN_MS, CROSSFADE_MAX_MS))),)
        case c.Silence():
            fade = max(SILENCE_FADE_MS if body.fade_ms is None else body.fade_ms, SILENCE_FADE_MIN_MS)
            until = None if body.minutes is None else now_ms + round(body.minutes * MS_PER_MIN)
            return (r.SilenceBegan(fade, until),)
        case c.Sound():
            if state.sound.silence is None:
                raise Refused("not_silent", "there is no silence to end; the music is as the score says")
            return (r.SoundReturned(SILENCE_FADE_MS if body.fade_ms is None else body.fade_ms),)
        case c.SoundRelease():
            return (r.SoundReleased(),)
        case _:
            assert_never(body)


def _prompt(
    state: RoomState, command: c.Command, body: c.PromptNow | c.PromptDefer | c.PromptAck, now_ms: int
) -> tuple[r.RecordBody, ...]:
    session = _live(state)
    match body:
        case c.PromptNow():
            known = session.timeline.score.prompts
            if body.text is None and body.prompt not in known:
                raise Refused(
                    "unknown_prompt",
                    "unknown prompt '{prompt}'",
                    hint=_nearest(body.prompt, tuple(known)),
                    prompt=body.prompt,
                )
            ttl = 300 if body.audience is Audience.CLIENT else 1800
            return (r.PromptCued(f"p-{command.command_id}", body.prompt, body.audience, None, ttl),)
        case c.PromptDefer():
            if body.cue_id in session.cued:
                raise Refused("already_cued", "cue '{cue}' has gone out already", cue=body.cue_id)
            waiting = {cue.key: cue.due_ms for cue in expected_cues(session)}
            if body.cue_id not in waiting:
                raise Refused(
                    "unknown_cue",
                    "no cue '{cue}' waits",
                    hint=_nearest(body.cue_id, tuple(waiting)),
                    cue=body.cue_id,
                )
            due = max(waiting[body.cue_id], session.session_ms(now_ms))
            until = due + round(body.minutes * MS_PER_MIN)
            return (r.PromptDeferred(body.cue_id, until),)
        case c.PromptAck():
            if not any(card.prompt_id == body.prompt_id for card in session.cards):
                raise Refused(
                    "unknown_prompt",
                    "no prompt '{prompt}' waits for an acknowledgement",
                    prompt=body.prompt_id,
                )
            return (r.PromptAcknowledged(body.prompt_id, body.result),)
        case _:
            assert_never(body)


def _scene_release(state: RoomState, body: c.SceneRelease) -> tuple[r.RecordBody, ...]:
    on = tuple(scene.scene.name for scene in state.scenes)
    if body.name is not None and body.name not in on:
        raise Refused("not_on", "scene '{scene}' is not on", scene=body.name)
    if not on:
        raise Refused("not_on", "no scene is on")
    names = on if body.name is None else (body.name,)
    return tuple(r.SceneReleased(name) for name in reversed(names))


def _undo(state: RoomState, now_ms: int) -> tuple[r.RecordBody, ...]:
    if not state.undo or now_ms - state.undo[-1].at_ms > UNDO_WINDOW_MS * _tempo(state):
        raise Refused("nothing_to_undo", "there is no command of the last 10 s to take back")
    point = state.undo[-1]
    if point.before.live_session is None and state.live_session is not None and point.name == "Start":
        return r.CommandUndone(point.command_id), r.SessionEnded("undone")
    return (r.CommandUndone(point.command_id),)
