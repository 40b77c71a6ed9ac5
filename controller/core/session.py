"""The session's state machine: ``step`` and ``fold``.

``step(state, event, now_ms)`` gives the state after the event, the records of what happened, the effects to
carry out and when to come again. ``fold(records)`` gives the same state from the records alone. An event that
is not allowed raises ``Refused`` and changes nothing.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TypeAlias

from controller.core import commands as c
from controller.core import records as r
from controller.core.channels import Held
from controller.core.cues import due_bodies, next_cue_ms, sent_keys
from controller.core.decide import decide
from controller.core.evolve import evolve
from controller.core.evolve_light import is_over
from controller.core.light import Look
from controller.core.music import next_music_edge
from controller.core.score import Audience, Score
from controller.core.state import RoomState, SessionState, new_room

EXPIRY_FADE_MS = 30_000
"""An override that ends by itself goes back slowly: nobody has touched anything."""
SOUND_RETURN_FADE_MS = 15_000


@dataclass(frozen=True, slots=True)
class Tick:
    """Time has passed."""


@dataclass(frozen=True, slots=True)
class Observed:
    """Something happened in the room that nobody commanded: a track began, a lamp was switched by hand."""

    body: (
        r.TrackStarted | r.TrackFailed | r.LampChangedByHand | r.FaultRaised | r.FaultCleared | r.RoomChecked
    )


@dataclass(frozen=True, slots=True)
class Recovered:
    """The daemon is back after ``away_ms``; ``ask`` if that is more than the site allows.

    ``sent`` are prompts that went out before though no record of them could be written.
    """

    away_ms: int
    ask: bool
    sent: tuple[str, ...] = ()


Event: TypeAlias = c.Command | Tick | Observed | Recovered


@dataclass(frozen=True, slots=True)
class PublishPrompt:
    """Send a prompt out, once its record is on disk."""

    prompt_id: str
    prompt: str
    text: str
    audience: Audience
    ttl_s: int
    by_score: bool = False


@dataclass(frozen=True, slots=True)
class StoreNote:
    """Put a note's free text into the notes' own table."""

    note_id: str
    chip: str
    text: str


Effect: TypeAlias = PublishPrompt | StoreNote


@dataclass(frozen=True, slots=True)
class Step:
    """The outcome of one event. ``next_due_ms`` is the room time to come again with a ``Tick``, if any."""

    state: RoomState
    records: tuple[r.Record, ...]
    effects: tuple[Effect, ...]
    next_due_ms: int | None


def step(state: RoomState, event: Event, now_ms: int, speed: int = 1) -> Step:
    """Return what ``event`` makes of ``state`` at room time ``now_ms``.

    What fell due before it happens first, so a command always meets the phase that the clock says.
    ``speed`` is the clock's, noted when a session starts.

    Raises:
        Refused: a command that is not allowed now.
    """
    found: tuple[r.Record, ...] = ()
    if isinstance(event, Recovered):
        # First of all: after a long absence nothing more may fall due before somebody has been asked.
        found = (_record(state, r.SessionRecovered(event.away_ms, event.ask), now_ms, "daemon", None),)
        state = evolve(state, found[0])
        for key in sent_keys(state.live_session, event.sent):
            found += (_record(state, r.PromptSuppressed(key, "sent"), now_ms, "daemon", None),)
            state = evolve(state, found[-1])
    after, records = _catch_up(state, now_ms)
    effects = _effects(after, records)
    records = found + records
    fresh: tuple[r.Record, ...] = ()
    match event:
        case Tick() | Recovered():
            pass
        case Observed():
            fresh = (_record(after, event.body, now_ms, "room", None),)
        case c.Command():
            bodies = decide(after, event, now_ms)
            fresh = tuple(_stamped(after, body, now_ms, event, speed) for body in bodies)
            effects += _note(event.body)
    for record in fresh:
        after = evolve(after, record)
    effects += _effects(after, fresh, event)
    records += fresh
    if fresh:
        # A phase left by hand ends what was asked for until its end, and may cue something at once.
        after, more = _catch_up(after, now_ms)
        effects += _effects(after, more)
        records += more
    return Step(after, records, effects, next_due(after, now_ms))


def _catch_up(state: RoomState, now_ms: int) -> tuple[RoomState, tuple[r.Record, ...]]:
    records: list[r.Record] = []
    # Each pass may make another thing due (a phase entered cues its first prompt); every pass uses one up.
    while bodies := _due(state, now_ms):
        for body in bodies:
            record = _record(state, body, now_ms, "score", None)
            state = evolve(state, record)
            records.append(record)
    return state, tuple(records)


def _due(state: RoomState, now_ms: int) -> tuple[r.RecordBody, ...]:
    session = state.live_session
    if session is not None and session.runs:
        now = session.session_ms(now_ms)
        slot = session.timeline.slot_at(now)
        if slot > session.entered_slot:
            following = session.entered_slot + 1
            return (r.PhaseEntered(session.timeline.phase_of(following).phase_id, following),)
        if bodies := due_bodies(session, now):
            return bodies
        if now >= session.due_end_ms():
            return (r.SessionEnded("planned"),)
    return tuple(_expired(state, now_ms))


def _expired(state: RoomState, now_ms: int) -> Iterable[r.RecordBody]:
    for on in state.scenes:
        if on.until_ms is not None and now_ms >= on.until_ms:
            yield r.SceneReleased(on.scene.name)
    tempo = 1 if state.session is None else state.session.speed
    for zone, over in state.lights.items():
        if is_over(state, over.lstar, now_ms) or is_over(state, over.colour, now_ms):
            yield r.OverrideExpired(f"light:{zone}", EXPIRY_FADE_MS * tempo)
    sound, entered = state.sound, None if state.live_session is None else state.live_session.entered_slot
    if sound.silence is not None and sound.silence.until_ms is not None and now_ms >= sound.silence.until_ms:
        yield r.OverrideExpired("silence:", SOUND_RETURN_FADE_MS)
    for kind, held in (("volume:", sound.volume), ("mood:", sound.mood)):
        if held is None:
            continue
        timed = held.until_ms is not None and now_ms >= held.until_ms
        if timed or (held.until_slot is not None and held.until_slot != entered):
            yield r.OverrideExpired(kind, SOUND_RETURN_FADE_MS)


def next_due(state: RoomState, now_ms: int) -> int | None:
    """Return the next room time at which something happens by itself, or None."""
    sound = state.sound
    untils = [on.until_ms for on in state.scenes]
    untils += [held.until_ms for held in (sound.silence, sound.volume, sound.mood) if held is not None]
    for over in state.lights.values():
        untils += [channel.until_ms for channel in (over.lstar, over.colour) if isinstance(channel, Held)]
    times = [until for until in untils if until is not None]
    session = state.live_session
    if session is not None and session.runs:
        times.extend(session.room_ms(at) for at in _session_times(session, session.session_ms(now_ms)))
    return min(times, default=None)


def _session_times(session: SessionState, now: int) -> Iterable[int]:
    last = len(session.timeline.slots) - 1
    yield session.due_end_ms() if session.entered_slot == last else session.slot.end_ms
    edge = next_music_edge(session, now)
    if edge is not None:
        yield edge
    cue_ms = next_cue_ms(session, now)
    if cue_ms is not None:
        yield cue_ms


def _record(state: RoomState, body: r.RecordBody, at_ms: int, by: str, command_id: str | None) -> r.Record:
    session_id = None if state.live_session is None else state.live_session.session_id
    return r.Record(at_ms, by, body, command_id, session_id)


def _stamped(state: RoomState, body: r.RecordBody, at_ms: int, command: c.Command, speed: int) -> r.Record:
    record = _record(state, body, at_ms, command.by, command.command_id)
    if isinstance(command.body, c.Start):
        if isinstance(body, r.SessionStarted):
            body = replace(body, speed=speed)
        return r.Record(at_ms, command.by, body, command.command_id, command.body.session_id)
    if state.session is not None and record.session_id is None:
        # A note after the end still belongs to the session that has just ended.
        return r.Record(at_ms, command.by, body, command.command_id, state.session.session_id)
    return record


def _effects(
    state: RoomState, records: tuple[r.Record, ...], event: Event | None = None
) -> tuple[Effect, ...]:
    said = event.body.text if isinstance(event, c.Command) and isinstance(event.body, c.PromptNow) else None
    effects: list[Effect] = []
    for record in records:
        body = record.body
        if isinstance(body, r.PromptCued) and state.session is not None:
            text = said if said is not None else prompt_text(state.session.timeline.score, body)
            by_score = body.cue_id is not None
            effects.append(
                PublishPrompt(body.prompt_id, body.prompt, text, body.audience, body.ttl_s, by_score)
            )
    return tuple(effects)


def prompt_text(score: Score, body: r.PromptCued) -> str:
    """Return the words of a cued prompt, from its cue or from the score's prompts."""
    if body.cue_id is not None:
        name = body.cue_id.partition(".")[2]
        for phase in score.phases:
            for cue in phase.cues:
                if cue.cue_id == name:
                    return cue.text
        for anchor_cue in score.anchor_cues:
            if anchor_cue.cue_id == name:
                return anchor_cue.text
    return score.prompts.get(body.prompt, "")


def _note(body: c.Body) -> tuple[Effect, ...]:
    if isinstance(body, c.Note) and body.text:
        return (StoreNote(body.note_id, body.chip, body.text),)
    return ()


def prepare(state: RoomState) -> RoomState:
    """Return the state of a room made ready for a session: lights and bed at rest, nothing started."""
    return state if state.live_session is not None else replace(state, prepared=True, session=None)


def fold(resting: dict[str, Look], records: Iterable[r.Record]) -> RoomState:
    """Return the state of a room after its records."""
    state = new_room(resting)
    for record in records:
        state = evolve(state, record)
    return state
