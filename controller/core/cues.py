"""Cues: which prompts and cards are due when, from the phases' offsets and from the anchors.

Everything here is in session time, so a hold holds the cues too. A cue is due once; ``cued`` remembers it.
"""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from controller.core import records as r
from controller.core.score import AnchorCue, Audience, Cue, Phase
from controller.core.state import SessionState
from controller.core.timeline import PlacedCard, PlacedCue

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
    last = session.timeline.slots[-1].end_ms + max(session.deferred.values(), default=0)
    final = len(session.timeline.slots) - 1
    found = [*_anchor_cues(session, last), *_deferred_cues(session, final)]
    for index in range(session.entered_slot, final + 1):
        found += _slot_cues(session, index, last)
    return tuple(sorted(found, key=_due))


def next_cue_ms(session: SessionState, now_session_ms: int) -> int | None:
    """Return the session time after ``now`` at which the next cue of this phase or card is due, or None.

    Everything due by ``now`` must have gone out already.
    """
    return min(_next_times(session, now_session_ms), default=None)


def _next_times(session: SessionState, now: int) -> Iterator[int]:
    cued, deferred = session.cued, session.deferred
    rows: list[tuple[int, Sequence[PlacedCue | PlacedCard]]] = [
        (0, session.timeline.cues[session.entered_slot])
    ]
    rows += _anchored(session)
    for start, placed in rows:
        for offset, key, _ in placed[bisect_right(placed, now - start, key=_when) :]:
            if key not in cued and key not in deferred:
                yield max(start + offset, 0)
                break
    # From where what is due comes from: a time at which nothing is due would be come back to for ever.
    yield from (cue.due_ms for cue in _deferred_cues(session, session.entered_slot))


def _when(placed: PlacedCue | PlacedCard) -> int:
    return placed[0]


def _due(cue: DueCue) -> int:
    return cue.due_ms


def _waiting(session: SessionState, until: int) -> Iterator[DueCue]:
    """What may fall due before this phase's end: later phases' cues wait for their phase."""
    yield from _slot_cues(session, session.entered_slot, until)
    yield from _anchor_cues(session, until)
    yield from _deferred_cues(session, session.entered_slot)


def _slot_cues(session: SessionState, index: int, until: int) -> Iterator[DueCue]:
    cued, deferred, phase = session.cued, session.deferred, session.timeline.phase_of(index)
    for due, key, cue in session.timeline.cues[index]:
        if due > until:
            break
        if key not in cued and key not in deferred:
            yield _due_cue(cue, key, due, phase)


def _deferred_cues(session: SessionState, last_slot: int) -> Iterator[DueCue]:
    """Cues that somebody put off, up to a slot's: put off is not called off.

    Whatever has become of their phase meanwhile (it ended, it was shortened), they come at the time that was
    said.
    """
    timeline = session.timeline
    for key, due in session.deferred.items():
        if key in session.cued:
            continue
        slot, _, name = key.partition(".")
        if slot == "a":
            for placed in timeline.cards.values():
                yield from (_due_cue(cue, key, due, session.phase) for _, its, cue in placed if its == key)
        elif int(slot) <= last_slot:
            phase = timeline.phase_of(max(int(slot), session.entered_slot))
            cues = timeline.phase_of(int(slot)).cues
            yield from (_due_cue(cue, key, due, phase) for cue in cues if cue.cue_id == name)


def _anchor_cues(session: SessionState, until: int) -> Iterator[DueCue]:
    for start, placed in _anchored(session):
        for offset, key, cue in placed:
            if start + offset > until:
                break
            if key not in session.cued and key not in session.deferred:
                yield _due_cue(cue, key, max(start + offset, 0), session.phase)


def _due_cue(cue: Cue | AnchorCue, key: str, due_ms: int, phase: Phase) -> DueCue:
    hushed = phase.client_prompts_suppressed and cue.audience is Audience.CLIENT
    return DueCue(key, due_ms, cue.prompt, cue.text, cue.audience, cue.ttl_s, hushed)


def _anchored(session: SessionState) -> list[tuple[int, tuple[PlacedCard, ...]]]:
    """Each anchor's session time, marked or expected, with its cards."""
    found: list[tuple[int, tuple[PlacedCard, ...]]] = []
    for anchor, placed in session.timeline.cards.items():
        at = session.anchors.get(anchor)
        if at is None:
            at = _expected_anchor(session, session.timeline.score.anchors.get(anchor))
        if at is not None:
            found.append((at, placed))
    return found


def _expected_anchor(session: SessionState, phase: str | None) -> int | None:
    """Session time at which an anchor that is not marked is planned: its phase's first start."""
    for index, slot in enumerate(session.timeline.slots):
        if session.timeline.phase_of(index).phase_id == phase:
            return slot.start_ms
    return None


def due_bodies(session: SessionState, now_session_ms: int) -> tuple[r.RecordBody, ...]:
    """Return the records of every cue that is due: cued, or left out and why."""
    bodies: list[r.RecordBody] = []
    due = [cue for cue in _waiting(session, now_session_ms) if cue.due_ms <= now_session_ms]
    for cue in sorted(due, key=_due):
        late_ms = now_session_ms - cue.due_ms
        allowed_ms = CLIENT_LATE_MS if cue.audience is Audience.CLIENT else cue.ttl_s * 1000
        if cue.suppressed:
            bodies.append(r.PromptSuppressed(cue.key, "phase"))
        elif late_ms > allowed_ms * session.speed:
            bodies.append(r.PromptSuppressed(cue.key, "late"))
        else:
            prompt_id = f"{_prefix(session)}{cue.key}"
            bodies.append(r.PromptCued(prompt_id, cue.prompt, cue.audience, cue.key, cue.ttl_s))
    return tuple(bodies)


def _prefix(session: SessionState) -> str:
    return f"c-{session.session_id[:8]}."


def sent_keys(session: SessionState | None, prompt_ids: Sequence[str]) -> tuple[str, ...]:
    """Return those cues of a session that went out under these ids and are not known to have."""
    if session is None:
        return ()
    prefix = _prefix(session)
    keys = (name.removeprefix(prefix) for name in prompt_ids if name.startswith(prefix))
    return tuple(key for key in dict.fromkeys(keys) if key not in session.cued)


def next_cue(session: SessionState) -> DueCue | None:
    """Return the next cue that will really go out, or None."""
    return next((cue for cue in expected_cues(session) if not cue.suppressed), None)
