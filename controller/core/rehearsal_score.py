"""A score run together for a rehearsal in the real room: every time in it divided, nothing else changed.

Session time still passes as it always does, so the envelope, the crossfades and a therapist's own ramps keep
real time: light and sound never move faster than in a session. It must never be taken for the profile itself:
its title says what it is.
"""

from dataclasses import replace

from controller.core.score import (
    AnchorCue,
    AnchorShift,
    Cue,
    LightStep,
    MusicPlan,
    Phase,
    PlannedSilence,
    Score,
)

LEAST_PHASE_MS = 1_000
"""However fast, each phase is gone through."""


def at_rehearsal_speed(score: Score, speed: int) -> Score:
    """Return a score whose times are those of ``score`` divided by ``speed`` (1 or more), title marked.

    Raises:
        ValueError: the speed is below 1.
    """
    if speed < 1:
        raise ValueError("a rehearsal is at least as fast as the session")
    return replace(
        score,
        title=f"{score.title} (rehearsal, {speed} times as fast)"
        if speed > 1
        else f"{score.title} (rehearsal)",
        phases=tuple(_phase(phase, speed) for phase in score.phases),
        minimum_ms=0,
        anchor_cues=tuple(_anchor_cue(cue, speed) for cue in score.anchor_cues),
        anchor_shifts=tuple(_shift(shift, speed) for shift in score.anchor_shifts),
    )


def _phase(phase: Phase, speed: int) -> Phase:
    return replace(
        phase,
        length_ms=max(phase.length_ms // speed, LEAST_PHASE_MS),
        light=tuple(_step(step, speed) for step in phase.light),
        music=_music(phase.music, speed),
        cues=tuple(_cue(cue, speed) for cue in phase.cues),
    )


def _step(step: LightStep, speed: int) -> LightStep:
    return replace(step, offset_ms=step.offset_ms // speed, fade_ms=step.fade_ms // speed)


def _music(plan: MusicPlan, speed: int) -> MusicPlan:
    silences = (PlannedSilence(gap.from_ms // speed, gap.to_ms // speed) for gap in plan.silences)
    return replace(plan, silences=tuple(gap for gap in silences if gap.to_ms > gap.from_ms))


def _cue(cue: Cue, speed: int) -> Cue:
    return replace(cue, offset_ms=cue.offset_ms // speed)


def _anchor_cue(cue: AnchorCue, speed: int) -> AnchorCue:
    return replace(cue, offset_ms=round(cue.offset_ms / speed))


def _shift(shift: AnchorShift, speed: int) -> AnchorShift:
    return replace(shift, delta_ms=round(shift.delta_ms / speed))
