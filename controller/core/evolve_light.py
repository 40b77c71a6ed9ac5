"""Evolving the lights: what light and scene records make of a zone's two channels.

Every change starts from the live value at the record's time, so no record can make a lamp's plan jump.
"""

from dataclasses import replace
from typing import TypeVar, assert_never

from controller.core import records as r
from controller.core.channels import FOLLOWING, Channel, Following, Held, Returning, from_live, move_colour
from controller.core.commands import Scope, ScopeKind
from controller.core.light import Colour, Look
from controller.core.score import Scene, ZoneId
from controller.core.state import RoomState, SceneOn, ZoneChannels, base_look, zone_look
from controller.core.units import MS_PER_MIN, clamp

V = TypeVar("V")

SCENE_RELEASE_FADE_MS = 5_000


def tempo(state: RoomState) -> int:
    """How many room ms a ramp's millisecond is: a therapist's ramps keep real time in a fast rehearsal."""
    return 1 if state.session is None else state.session.speed


def expiry(state: RoomState, scope: Scope, at_ms: int) -> tuple[int | None, int | None]:
    """Return the room time and the slot at which an override of this scope ends."""
    match scope.kind:
        case ScopeKind.UNTIL_RELEASED:
            return None, None
        case ScopeKind.MINUTES:
            return at_ms + round((scope.minutes or 0.0) * MS_PER_MIN), None
        case ScopeKind.PHASE:
            session = state.live_session
            return None, None if session is None else session.entered_slot
        case _:
            assert_never(scope.kind)


def evolve_light(
    state: RoomState, record: r.Record, body: r.LightHeld | r.LightTrimmed | r.LightReleased
) -> RoomState:
    """Return the state after a light record; a zone that this room lacks changes nothing."""
    if body.zone not in state.lights:
        return state
    at_ms, over = record.at_ms, state.lights[body.zone]
    live = zone_look(state, body.zone, at_ms)
    match body:
        case r.LightHeld():
            over = _held(state, body, record, over, live)
        case r.LightTrimmed():
            over = ZoneChannels(
                _trimmed_lstar(state, body, record, over.lstar, live) if body.delta_lstar else over.lstar,
                _trimmed_colour(body, record, over.colour, live) if body.delta_mired else over.colour,
            )
        case r.LightReleased():
            over = ZoneChannels(
                _let_go(over.lstar, live.lstar, at_ms, body.fade_ms, by_hand=True),
                _let_go(over.colour, live.colour, at_ms, body.fade_ms, by_hand=True),
            )
        case _:
            assert_never(body)
    return replace(state, lights={**state.lights, body.zone: over})


def _held(
    state: RoomState, body: r.LightHeld, record: r.Record, over: ZoneChannels, live: Look
) -> ZoneChannels:
    until_ms, until_slot = expiry(state, body.scope, record.at_ms)
    lstar: Channel[float] = over.lstar
    colour: Channel[Colour] = over.colour
    if body.lstar is not None:
        lstar = Held(
            live.lstar,
            record.at_ms,
            body.fade_ms,
            body.lstar,
            0.0,
            body.scope,
            record.by,
            until_ms,
            until_slot,
        )
    if body.colour is not None:
        colour = Held(
            live.colour,
            record.at_ms,
            body.fade_ms,
            body.colour,
            0.0,
            body.scope,
            record.by,
            until_ms,
            until_slot,
        )
    return ZoneChannels(lstar, colour)


def _trimmed_lstar(
    state: RoomState, body: r.LightTrimmed, record: r.Record, before: Channel[float], live: Look
) -> Channel[float]:
    scope, until_ms, until_slot = Scope(), None, None
    target, offset = None, body.delta_lstar
    if isinstance(before, Held):
        scope, until_ms, until_slot = before.scope, before.until_ms, before.until_slot
        if before.target is not None:
            target, offset = clamp(before.target + offset, 0.0, 100.0), 0.0
        else:
            offset += before.offset
    if target is None:
        # A trim does not wind up beyond what can be seen: the first tap back is felt at once.
        base = base_look(state, body.zone, record.at_ms).lstar
        offset = clamp(offset, -base, 100.0 - base)
    return Held(
        live.lstar, record.at_ms, body.fade_ms, target, offset, scope, record.by, until_ms, until_slot
    )


def _trimmed_colour(
    body: r.LightTrimmed, record: r.Record, before: Channel[Colour], live: Look
) -> Channel[Colour]:
    scope, until_ms, until_slot = Scope(), None, None
    target: Colour | None = None
    offset = body.delta_mired
    if isinstance(before, Held):
        scope, until_ms, until_slot = before.scope, before.until_ms, before.until_slot
        if before.target is not None:
            target, offset = move_colour(before.target, offset), 0.0
        else:
            offset += before.offset
    return Held(
        live.colour, record.at_ms, body.fade_ms, target, offset, scope, record.by, until_ms, until_slot
    )


def _let_go(channel: Channel[V], live: V, at_ms: int, fade_ms: int, *, by_hand: bool) -> Channel[V]:
    return channel if isinstance(channel, Following) else Returning(live, at_ms, fade_ms, by_hand)


def expire_light(state: RoomState, zone: ZoneId, at_ms: int, fade_ms: int) -> RoomState:
    """Return the state with those of a zone's channels let go whose time is over."""
    before, live = state.lights[zone], zone_look(state, zone, at_ms)
    after = ZoneChannels(
        _let_go(before.lstar, live.lstar, at_ms, fade_ms, by_hand=False)
        if is_over(state, before.lstar, at_ms)
        else before.lstar,
        _let_go(before.colour, live.colour, at_ms, fade_ms, by_hand=False)
        if is_over(state, before.colour, at_ms)
        else before.colour,
    )
    return replace(state, lights={**state.lights, zone: after})


def is_over(state: RoomState, channel: Channel[float] | Channel[Colour], at_ms: int) -> bool:
    """Whether a held channel's own time has come."""
    if not isinstance(channel, Held):
        return False
    if channel.until_ms is not None and at_ms >= channel.until_ms:
        return True
    session = state.live_session
    return channel.until_slot is not None and (session is None or session.entered_slot != channel.until_slot)


def take_scene(state: RoomState, record: r.Record, scene: Scene) -> RoomState:
    """Return the state with a scene laid over every zone it names."""
    at_ms, fade_ms = record.at_ms, scene.fade_ms * tempo(state)
    lights = dict(state.lights)
    for zone, look in scene.looks.items():
        if zone not in lights:
            continue
        live, over = zone_look(state, zone, at_ms), lights[zone]
        lights[zone] = ZoneChannels(
            _under_scene(over.lstar, live.lstar, look.lstar, record, scene, fade_ms),
            _under_scene(over.colour, live.colour, look.colour, record, scene, fade_ms),
        )
    until = None if scene.returns_after_ms is None else at_ms + scene.returns_after_ms
    others = tuple(on for on in state.scenes if on.scene.name != scene.name)
    return replace(state, lights=lights, scenes=(*others, SceneOn(scene, at_ms, until, record.by)))


def _under_scene(
    over: Channel[V], live: V, target: V, record: r.Record, scene: Scene, fade_ms: int
) -> Channel[V]:
    beneath: Channel[V] | None = over
    if isinstance(over, Held) and over.scene == scene.name:
        beneath = over.beneath
    return Held(
        live,
        record.at_ms,
        fade_ms,
        target,
        0.0,
        Scope(),
        record.by,
        None,
        None,
        scene.name,
        scene.is_help,
        beneath,
    )


def release_scene(state: RoomState, name: str, at_ms: int, *, by_hand: bool) -> RoomState:
    """Return the state with a scene taken off; what it covered comes back from the live value.

    ``by_hand``: a person took it off; one that returns by itself lends nothing a person's speed.
    """
    fade_ms = SCENE_RELEASE_FADE_MS * tempo(state)
    lights = {}
    for zone, over in state.lights.items():
        live = zone_look(state, zone, at_ms)
        lights[zone] = ZoneChannels(
            _uncovered(over.lstar, live.lstar, name, at_ms, fade_ms, by_hand=by_hand),
            _uncovered(over.colour, live.colour, name, at_ms, fade_ms, by_hand=by_hand),
        )
    return replace(state, lights=lights, scenes=tuple(on for on in state.scenes if on.scene.name != name))


def _uncovered(
    over: Channel[V], live: V, name: str, at_ms: int, fade_ms: int, *, by_hand: bool
) -> Channel[V]:
    if not isinstance(over, Held):
        return over
    if over.scene == name:
        return from_live(over.beneath or FOLLOWING, live, at_ms, fade_ms, by_hand=by_hand)
    if over.beneath is not None and isinstance(over.beneath, Held) and over.beneath.scene == name:
        return replace(over, beneath=over.beneath.beneath)
    return over
