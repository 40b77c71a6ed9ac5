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
    found = [*_phase_cues(session), *_anchor_cues(session)]
    return tuple(sorted((cue for cue in found if cue.key not in session.cued), key=lambda cue: cue.due_ms))


def _phase_cues(session: SessionState) -> Iterator[DueCue]:
    timeline = session.timeline
    for index in range(session.entered_slot, len(timeline.slots)):
        slot, phase = timeline.slots[index], timeline.phase_of(index)
        for cue in phase.cues:
            if cue.offset_ms >= slot.length_ms:
                continue
            key = cue_key(index, cue)
            due = session.deferred.get(key, slot.start_ms + cue.offset_ms)
            hushed = phase.client_prompts_suppressed and cue.audience is Audience.CLIENT
            yield DueCue(key, due, cue.prompt, cue.text, cue.audience, cue.ttl_s, hushed)


def cue_key(slot: int, cue: Cue) -> str:
    """Return the name a cue goes by in one stay in its phase; a phase that is entered again cues again."""
    return f"{slot}.{cue.cue_id}"


def _anchor_cues(session: SessionState) -> Iterator[DueCue]:
    score = session.timeline.score
    for cue in score.anchor_cues:
        anchor_ms = session.anchors.get(cue.anchor)
        if anchor_ms is None:
            anchor_ms = _expected_anchor(session, score.anchors.get(cue.anchor))
            if anchor_ms is None:
                continue
        key = f"a.{cue.cue_id}"
        due = session.deferred.get(key, max(anchor_ms + cue.offset_ms, 0))
        yield DueCue(key, due, cue.prompt, cue.text, cue.audience, cue.ttl_s, suppressed=False)


def _expected_anchor(session: SessionState, phase: str | None) -> int | None:
    """Session time at which an anchor that is not marked is planned: its phase's first start."""
    for index, slot in enumerate(session.timeline.slots):
        if session.timeline.phase_of(index).phase_id == phase:
            return slot.start_ms
    return None


def due_bodies(session: SessionState, now_session_ms: int) -> tuple[r.RecordBody, ...]:
    """Return the records of every cue that is due: cued, or left out and why."""
    bodies: list[r.RecordBody] = []
    for cue in expected_cues(session):
        if cue.due_ms > now_session_ms:
            break
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
