"""The timeline: a score laid out over session time, and what extend, skip and go-to make of it.

Session time is milliseconds since the start, less holds. It never runs back: a jump, even to an earlier
phase, cuts the current slot where it is and lays new slots behind it. So light is seamless by
construction: every fade starts from where the slot before it had got to.
"""

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from controller.core.light import Look, mix_colours
from controller.core.score import AnchorCue, Cue, Phase, Score, ZoneId
from controller.core.units import lerp


@dataclass(frozen=True, slots=True)
class Slot:
    """One stay in a phase: which, from when, how long (session ms).

    ``lit_ms``: for so long its light moved, where that is less than its length: a last phase that ran on.
    """

    phase_index: int
    start_ms: int
    length_ms: int
    lit_ms: int | None = None

    @property
    def end_ms(self) -> int:
        """Session time at which the slot ends."""
        return self.start_ms + self.length_ms

    @property
    def light_ms(self) -> int:
        """For how long from its start the phase's light moves."""
        return self.length_ms if self.lit_ms is None else min(self.lit_ms, self.length_ms)


@dataclass(frozen=True, slots=True)
class Fade:
    """A zone goes evenly (L*, mired) from one look to another between two session times."""

    start_ms: int
    end_ms: int
    start: Look
    end: Look

    def look_at(self, session_ms: int) -> Look:
        """The look at a session time; before and after, the ends."""
        if session_ms >= self.end_ms:
            return self.end
        return mix_looks(self.start, self.end, (session_ms - self.start_ms) / (self.end_ms - self.start_ms))


@dataclass(frozen=True, slots=True)
class ZoneTrack:
    """A zone's light over the whole session: its first look and every fade, in order."""

    first: Look
    fades: tuple[Fade, ...]
    starts: tuple[int, ...]

    def look_at(self, session_ms: int) -> Look:
        """The look the score wants at a session time."""
        index = bisect_right(self.starts, session_ms) - 1
        return self.first if index < 0 else self.fades[index].look_at(session_ms)

    def knots(self, from_ms: int, until_ms: int) -> tuple[int, ...]:
        """Corner times strictly between two session times, rising."""
        corners: set[int] = set()
        index = max(bisect_right(self.starts, from_ms) - 1, 0)
        for fade in self.fades[index:]:
            if fade.start_ms >= until_ms:
                break
            corners.update(t for t in (fade.start_ms, fade.end_ms) if from_ms < t < until_ms)
        return tuple(sorted(corners))


PlacedCue: TypeAlias = tuple[int, str, Cue]
PlacedCard: TypeAlias = tuple[int, str, AnchorCue]


@dataclass(frozen=True, slots=True)
class Timeline:
    """The slots of a session as planned now, with each zone's light laid out over them."""

    score: Score
    slots: tuple[Slot, ...]
    tracks: Mapping[ZoneId, ZoneTrack] = field(compare=False, repr=False)
    cues: tuple[tuple[PlacedCue, ...], ...] = field(compare=False, repr=False, default=())
    """Each slot's cues by session time, with the name each goes by in that stay."""
    cards: Mapping[str, tuple[PlacedCard, ...]] = field(compare=False, repr=False, default_factory=dict)
    """Each anchor's cards by offset, with their names."""

    @property
    def end_ms(self) -> int:
        """Session time at which the last slot ends."""
        return self.slots[-1].end_ms

    def slot_at(self, session_ms: int) -> int:
        """Index of the slot in force; the last one after the end. An empty slot is never in force."""
        for index in range(len(self.slots) - 1, -1, -1):
            slot = self.slots[index]
            if slot.start_ms <= session_ms and (slot.length_ms > 0 or index == len(self.slots) - 1):
                return index
        return 0

    def phase_of(self, slot: int) -> Phase:
        """The phase that a slot is a stay in."""
        return self.score.phases[self.slots[slot].phase_index]


def mix_looks(start: Look, end: Look, fraction: float) -> Look:
    """Return the look a fraction of the way, evenly in L* and colour."""
    if start == end or fraction <= 0.0:
        return start
    return Look(
        lerp(start.lstar, end.lstar, fraction), mix_colours(start.colour, end.colour, min(fraction, 1.0))
    )


def lay_out(score: Score) -> Timeline:
    """Return the timeline of a score as it was written."""
    return _end_to_end(score, [Slot(index, 0, phase.length_ms) for index, phase in enumerate(score.phases)])


def _end_to_end(score: Score, stays: list[Slot]) -> Timeline:
    """Return the timeline of stays, each begun where the one before it ends."""
    slots: list[Slot] = []
    at = 0
    for stay in stays:
        slots.append(replace(stay, start_ms=at))
        at += stay.length_ms
    frozen = tuple(slots)
    tracks = {zone: _track(score, frozen, zone) for zone in score.resting}
    return Timeline(score, frozen, tracks, _place_cues(score, frozen), _place_cards(score))


def cue_key(slot: int, cue: Cue) -> str:
    """Return the name a cue goes by in one stay in its phase; a phase that is entered again cues again."""
    return f"{slot}.{cue.cue_id}"


def _place_cues(score: Score, slots: tuple[Slot, ...]) -> tuple[tuple[PlacedCue, ...], ...]:
    return tuple(
        tuple(
            sorted(
                (
                    (slot.start_ms + cue.offset_ms, cue_key(index, cue), cue)
                    for cue in score.phases[slot.phase_index].cues
                    if cue.offset_ms < slot.length_ms
                ),
                key=_when,
            )
        )
        for index, slot in enumerate(slots)
    )


def _place_cards(score: Score) -> dict[str, tuple[PlacedCard, ...]]:
    placed: dict[str, list[PlacedCard]] = {}
    for cue in score.anchor_cues:
        placed.setdefault(cue.anchor, []).append((cue.offset_ms, f"a.{cue.cue_id}", cue))
    return {anchor: tuple(sorted(cards, key=_when)) for anchor, cards in placed.items()}


def _when(placed: PlacedCue | PlacedCard) -> int:
    return placed[0]


def resized(timeline: Timeline, slot: int, delta_ms: int, session_ms: int) -> Timeline:
    """Lengthen (or shorten) a slot; a slot in force cannot end before ``session_ms``."""
    stays = list(timeline.slots)
    least = max(0, session_ms - stays[slot].start_ms) if slot <= timeline.slot_at(session_ms) else 0
    stays[slot] = _lasting(stays[slot], max(stays[slot].length_ms + delta_ms, least), session_ms)
    return _end_to_end(timeline.score, stays)


def _lasting(slot: Slot, length_ms: int, session_ms: int) -> Slot:
    """Return a slot with another length. One that ran on beyond its plan keeps the light that it had.

    In a longer plan a fade that was cut at its end would have gone on in the past, and the light would jump.
    """
    lit_ms = slot.light_ms if session_ms > slot.start_ms + slot.light_ms else slot.lit_ms
    return replace(slot, length_ms=length_ms, lit_ms=lit_ms)


def jumped(timeline: Timeline, session_ms: int, phase_index: int) -> Timeline:
    """Cut the slot in force at ``session_ms`` and go on with a phase and those after it.

    Lengths that were planned for later phases (an extension, an anchor's shift) are kept.
    """
    now = timeline.slot_at(session_ms)
    planned = {slot.phase_index: slot.length_ms for slot in timeline.slots[now + 1 :]}
    stays = list(timeline.slots[: now + 1])
    stays[now] = _lasting(stays[now], session_ms - stays[now].start_ms, session_ms)
    phases = timeline.score.phases
    stays += [
        Slot(index, 0, planned.get(index, phases[index].length_ms))
        for index in range(phase_index, len(phases))
    ]
    return _end_to_end(timeline.score, stays)


def _track(score: Score, slots: tuple[Slot, ...], zone: ZoneId) -> ZoneTrack:
    first = live = score.resting[zone]
    fades: list[Fade] = []
    for slot in slots:
        for fade in _slot_fades(score.phases[slot.phase_index], slot, zone, live):
            fades.append(fade)
            live = fade.end
    return ZoneTrack(first, tuple(fades), tuple(fade.start_ms for fade in fades))


def _slot_fades(phase: Phase, slot: Slot, zone: ZoneId, live: Look) -> list[Fade]:
    # In a phase of frozen light nothing moves once its one look has arrived, whatever made the score.
    steps = tuple(step for step in phase.light if step.offset_ms == 0 or not phase.light_frozen)
    mine = [step for step in steps if zone in step.looks and step.offset_ms < slot.light_ms]
    fades: list[Fade] = []
    for index, step in enumerate(mine):
        start_ms = slot.start_ms + step.offset_ms
        following = mine[index + 1].offset_ms if index + 1 < len(mine) else slot.light_ms
        whole = Fade(start_ms, start_ms + step.fade_ms, live, step.looks[zone])
        cut_ms = min(whole.end_ms, slot.start_ms + following)
        # A fade cut short by the next step or the slot's end stops where it has got to: no jump.
        live = whole.look_at(cut_ms)
        if whole.start != live:
            fades.append(Fade(start_ms, cut_ms, whole.start, live))
    return fades
