"""The ribbon: a whole session sampled for a drawing. One layout serves tablet, designer and preview.

It shows the plan (holds, extensions and jumps in it), never an override.
"""

from typing import Final

from controller.core import snapshot as s
from controller.core.cues import DueCue
from controller.core.light import rgb_hex
from controller.core.score import Audience, Score
from controller.core.timeline import Timeline, cue_key, lay_out
from controller.core.view import phase_views

EVENLY: Final = 96
"""Samples spread over a session besides its corners, enough for curves in perceptual lightness."""


def ribbon_of_score(score: Score) -> s.Ribbon:
    """Return the drawing of a score as it is written."""
    return ribbon_of_timeline(lay_out(score), entered_slot=0)


def ribbon_of_timeline(timeline: Timeline, entered_slot: int) -> s.Ribbon:
    """Return the drawing of a session as it is planned now."""
    score = timeline.score
    return s.Ribbon(
        profile=score.profile_id,
        length_ms=timeline.end_ms,
        minimum_ms=score.minimum_ms,
        phases=phase_views(timeline, entered_slot),
        zones=tuple(s.RibbonZone(zone, _points(timeline, zone)) for zone in timeline.tracks),
        music=_music(timeline),
        cues=_cues(timeline),
    )


def _points(timeline: Timeline, zone: str) -> tuple[s.RibbonPoint, ...]:
    track, end = timeline.tracks[zone], timeline.end_ms
    times = {0, end, *track.knots(0, end), *(end * step // EVENLY for step in range(EVENLY))}
    points = []
    for at in sorted(times):
        look = track.look_at(at)
        points.append(s.RibbonPoint(at, round(look.percent, 2), rgb_hex(look)))
    return tuple(points)


def _music(timeline: Timeline) -> tuple[s.RibbonMusic, ...]:
    blocks: list[s.RibbonMusic] = []
    for index, slot in enumerate(timeline.slots):
        plan = timeline.phase_of(index).music
        at = 0
        edges = [(gap.from_ms, gap.to_ms) for gap in plan.silences if gap.from_ms < slot.length_ms]
        for start, stop in [*edges, (slot.length_ms, slot.length_ms)]:
            if start > at:
                blocks.append(
                    s.RibbonMusic(
                        slot.start_ms + at, start - at, plan.pool, plan.mood, plan.energy, plan.level_dba
                    )
                )
            stop = min(stop, slot.length_ms)  # noqa: PLW2901 - a silence never outlasts its phase
            if stop > start:
                blocks.append(s.RibbonMusic(slot.start_ms + start, stop - start, None, "", 0.0, 0.0))
            at = max(at, stop)
    return tuple(blocks)


def _cues(timeline: Timeline) -> tuple[s.CueView, ...]:
    cues: list[DueCue] = []
    for index, slot in enumerate(timeline.slots):
        phase = timeline.phase_of(index)
        for cue in phase.cues:
            hushed = phase.client_prompts_suppressed and cue.audience is Audience.CLIENT
            if cue.offset_ms < slot.length_ms and not hushed:
                key, due = cue_key(index, cue), slot.start_ms + cue.offset_ms
                cues.append(DueCue(key, due, cue.prompt, cue.text, cue.audience, cue.ttl_s, suppressed=False))
    return tuple(
        s.CueView(c.key, c.prompt, c.audience.value, c.text, c.due_ms)
        for c in sorted(cues, key=lambda c: c.due_ms)
    )
