"""Cues: which prompts and cards are due when, from the phases' offsets and from the anchors.

Everything here is in session time, so a hold holds the cues too. A cue is due once; ``cued`` remembers it.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from controller.core import records as r
from controller.core.score import Audience, Cue
from controller.core.state import SessionState

CLIENT_LATE_MS = 60_000
"""Words for the client that are a minute late are left out: their moment has gone."""


@dataclass(frozen=True, slots=True)
class DueCue:
    """A cue with the session time at which it is due. ``key`` is what ``cued`` remembers."""

    key: str
    due_ms: int
    prompt: str
    text: str
    audience: Audience
    ttl_s: int
    suppressed: bool


def expected_cues(session: SessionState) -> tuple[DueCue, ...]:
    """Return every cue that has neither gone out nor been left out, by due time."""
    found = [*_waiting(session)]
    for index in range(session.entered_slot + 1, len(session.timeline.slots)):
        found += _slot_cues(session, index)
    return tuple(sorted(found, key=_due))


def next_cue_ms(session: SessionState) -> int | None:
    """Return the session time of the next cue before this phase's end, or None."""
    return min((cue.due_ms for cue in _waiting(session)), default=None)


def _due(cue: DueCue) -> int:
    return cue.due_ms


def _waiting(session: SessionState) -> Iterator[DueCue]:
    """What may fall due before this phase's end: later phases' cues wait for their phase."""
    yield from _slot_cues(session, session.entered_slot)
    yield from _kept_cues(session)
    yield from _anchor_cues(session)


def _slot_cues(session: SessionState, index: int) -> Iterator[DueCue]:
    timeline = session.timeline
    slot, phase, cued, deferred = timeline.slots[index], timeline.phase_of(index), session.cued, session.deferred
    for cue in phase.cues:
        key = cue_key(index, cue)
        if key in cued or cue.offset_ms >= slot.length_ms:
            continue
        due = slot.start_ms + cue.offset_ms if key not in deferred else deferred[key]
        hushed = phase.client_prompts_suppressed and cue.audience is Audience.CLIENT
        yield DueCue(key, due, cue.prompt, cue.text, cue.audience, cue.ttl_s, hushed)


def _kept_cues(session: SessionState) -> Iterator[DueCue]:
    """Cues that somebody put off beyond the end of their phase: put off is not called off."""
    for key, due in session.deferred.items():
        slot, _, name = key.partition(".")
        if slot == "a" or key in session.cued or int(slot) >= session.entered_slot:
            continue
        for cue in session.timeline.phase_of(int(slot)).cues:
            if cue.cue_id == name:
                hushed = session.phase.client_prompts_suppressed and cue.audience is Audience.CLIENT
                yield DueCue(key, due, cue.prompt, cue.text, cue.audience, cue.ttl_s, hushed)


def cue_key(slot: int, cue: Cue) -> str:
    """Return the name a cue goes by in one stay in its phase; a phase that is entered again cues again."""
    return f"{slot}.{cue.cue_id}"


def _anchor_cues(session: SessionState) -> Iterator[DueCue]:
    score, marked = session.timeline.score, dict[str, int | None](session.anchors)
    for cue in score.anchor_cues:
        key = f"a.{cue.cue_id}"
        if key in session.cued:
            continue
        if cue.anchor not in marked:
            marked[cue.anchor] = _expected_anchor(session, score.anchors.get(cue.anchor))
        anchor_ms = marked[cue.anchor]
        if anchor_ms is None:
            continue
        due = session.deferred.get(key, max(anchor_ms + cue.offset_ms, 0))
        hushed = session.phase.client_prompts_suppressed and cue.audience is Audience.CLIENT
        yield DueCue(key, due, cue.prompt, cue.text, cue.audience, cue.ttl_s, hushed)


def _expected_anchor(session: SessionState, phase: str | None) -> int | None:
    """Session time at which an anchor that is not marked is planned: its phase's first start."""
    for index, slot in enumerate(session.timeline.slots):
        if session.timeline.phase_of(index).phase_id == phase:
            return slot.start_ms
    return None


def due_bodies(session: SessionState, now_session_ms: int) -> tuple[r.RecordBody, ...]:
    """Return the records of every cue that is due: cued, or left out and why."""
    bodies: list[r.RecordBody] = []
    due = [cue for cue in _waiting(session) if cue.due_ms <= now_session_ms]
    for cue in sorted(due, key=_due):
        late_ms = now_session_ms - cue.due_ms
        allowed_ms = CLIENT_LATE_MS if cue.audience is Audience.CLIENT else cue.ttl_s * 1000
        if cue.suppressed:
            bodies.append(r.PromptSuppressed(cue.key, "phase"))
        elif late_ms > allowed_ms * session.speed:
            bodies.append(r.PromptSuppressed(cue.key, "late"))
        else:
            prompt_id = f"c-{session.session_id[:8]}.{cue.key}"
            bodies.append(r.PromptCued(prompt_id, cue.prompt, cue.audience, cue.key, cue.ttl_s))
    return tuple(bodies)


def next_cue(session: SessionState) -> DueCue | None:
    """Return the next cue that will really go out, or None."""
    return next((cue for cue in expected_cues(session) if not cue.suppressed), None)
