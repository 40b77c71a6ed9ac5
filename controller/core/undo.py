"""Undoing: compensation. The state a command changed comes back from wherever the room is now.

Nothing jumps: every channel the command touched ramps from its live value, and session time never runs back.
"""

from dataclasses import replace

from controller.core.channels import FOLLOWING, Channel, Following, from_live
from controller.core.light import Colour
from controller.core.score import ZoneId
from controller.core.state import RoomState, SessionState, ZoneChannels, zone_look

UNDO_FADE_MS = 5_000


def undone(state: RoomState, command_id: str, at_ms: int) -> RoomState:
    """Return the state with the newest undoable command taken back, if it is ``command_id``."""
    if not state.undo or state.undo[-1].command_id != command_id:
        return state
    before = state.undo[-1].before
    session = _session(state.session, before.session, at_ms)
    retimed = (
        session is not None
        and state.session is not None
        and (session.timeline != state.session.timeline or session.status != state.session.status)
    )
    fade = UNDO_FADE_MS * (1 if session is None else session.speed)
    lights = {zone: _zone(state, before, zone, at_ms, fade, always=retimed) for zone in state.lights}
    sound = replace(
        before.sound,
        skips=state.sound.skips,
        return_fade_ms=state.sound.return_fade_ms,
        touches=state.sound.touches + 1,
    )
    if before.sound.skips != state.sound.skips:
        # A skip is taken back by the conductor, which crossfades to where the track was.
        sound = replace(sound, skips=before.sound.skips)
    return replace(
        state, session=session, lights=lights, sound=sound, scenes=before.scenes, undo=state.undo[:-1]
    )


def _zone(
    state: RoomState, before: RoomState, zone: ZoneId, at_ms: int, fade_ms: int, *, always: bool
) -> ZoneChannels:
    now, then = state.lights[zone], before.lights.get(zone, ZoneChannels())
    live = zone_look(state, zone, at_ms)
    lstar: Channel[float] = now.lstar
    colour: Channel[Colour] = now.colour
    if now.lstar != then.lstar or (always and isinstance(now.lstar, Following)):
        lstar = from_live(then.lstar, live.lstar, at_ms, fade_ms, by_hand=True)
    if now.colour != then.colour or (always and isinstance(now.colour, Following)):
        colour = from_live(then.colour, live.colour, at_ms, fade_ms, by_hand=True)
    return ZoneChannels(lstar or FOLLOWING, colour or FOLLOWING)


def _session(now: SessionState | None, then: SessionState | None, at_ms: int) -> SessionState | None:
    if now is None or then is None or now.session_id != then.session_id:
        return now
    session = replace(
        now,
        timeline=then.timeline,
        anchors=then.anchors,
        eyeshades=then.eyeshades,
        headphones=then.headphones,
        deferred=then.deferred,
    )
    if then.stopped_at_ms is None and now.stopped_at_ms is not None:
        away = max(at_ms - now.stopped_at_ms, 0)
        session = replace(
            session, status=then.status, stopped_at_ms=None, held_total_ms=now.held_total_ms + away
        )
    elif then.stopped_at_ms is not None and now.stopped_at_ms is None:
        session = replace(session, status=then.status, stopped_at_ms=at_ms)
    else:
        session = replace(session, status=then.status)
    return replace(session, entered_slot=session.timeline.slot_at(session.session_ms(at_ms)))
