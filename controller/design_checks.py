"""Warnings while somebody designs: what will not be as written, or should be known before anyone lies down.

Pure: a score, the pools and the room's limits go in. It computes with the very envelope that holds in a
session; it never forbids, that is the validation's business.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, Literal

from controller.core.envelope import Limits
from controller.core.light import Look, colour_distance_mired
from controller.core.score import Audience, Phase, Score, ZoneId
from controller.core.units import MS_PER_MIN, MS_PER_S
from playlists.catalogue import Pools
from playlists.coverage import coverage

PROMPT_GAP_MS: Final = 2 * MS_PER_MIN
"""Two prompts to the client nearer than this talk into each other."""
CLOSE_PROMPTS: Final = 3

WarningKind = Literal["coverage", "envelope", "minimum", "unreviewed", "prompts", "level"]


@dataclass(frozen=True, slots=True)
class DesignWarning:
    """One thing to know. ``phase`` is the first phase it is about, or empty; ``grave``: not as written."""

    kind: WarningKind
    phase: str
    message: str
    grave: bool


def warnings_of(score: Score, pools: Pools, limits: Limits) -> tuple[DesignWarning, ...]:
    """Return every warning about a score in a room with these limits, in the order of its phases."""
    found = [*_envelope(score, limits), *_music(score, pools, limits), *_prompts(score), *_whole(score)]
    order = {phase.phase_id: index for index, phase in enumerate(score.phases)}
    return tuple(sorted(found, key=lambda warning: order.get(warning.phase, -1)))


# ---------------------------------------------------------------- light


def _envelope(score: Score, limits: Limits) -> Iterator[DesignWarning]:
    looks = dict(score.resting)
    for phase in score.phases:
        ends = [step.offset_ms for step in phase.light[1:]] + [phase.length_ms]
        slowest: tuple[int, int, ZoneId] | None = None
        for step, end in zip(phase.light, ends, strict=True):
            for zone, look in step.looks.items():
                needed = _needed_ms(looks.get(zone, look), look, limits)
                if needed > step.fade_ms and (slowest is None or needed > slowest[0]):
                    slowest = (needed, step.fade_ms, zone)
                if needed > end - step.offset_ms:
                    yield _late(phase, zone, needed, end - step.offset_ms)
                looks[zone] = look
        if slowest is not None:
            yield _slower(phase, *slowest)


def _needed_ms(before: Look, after: Look, limits: Limits) -> int:
    """The shortest fade the envelope allows the score between two looks, ms."""
    light = abs(after.lstar - before.lstar) / limits.score_lstar_per_s
    colour = colour_distance_mired(before.colour, after.colour) / limits.score_mired_per_s
    # A lamp that is off takes its colour as it comes on.
    return round(MS_PER_S * (light if before.lstar <= 0.0 else max(light, colour)))


def _slower(phase: Phase, needed: int, wanted: int, zone: ZoneId) -> DesignWarning:
    text = (
        f"{phase.title}: {zone} fades in {_span(needed)} instead of {_span(wanted)}: "
        "light never changes faster"
    )
    return DesignWarning("envelope", phase.phase_id, text, grave=False)


def _late(phase: Phase, zone: ZoneId, needed: int, there: int) -> DesignWarning:
    text = f"{phase.title}: {zone} needs {_span(needed)} to get there and has {_span(there)}"
    return DesignWarning("envelope", phase.phase_id, text, grave=True)


# ---------------------------------------------------------------- music and prompts


def _music(score: Score, pools: Pools, limits: Limits) -> Iterator[DesignWarning]:
    for warning in coverage(score, pools, ceiling_dba=limits.ceiling_dba):
        yield DesignWarning("coverage", warning.phases[0], warning.message, warning.grave)
    for phase in score.phases:
        if phase.music.pool is not None and phase.music.level_dba > limits.ceiling_dba:
            text = (
                f"{phase.title}: {phase.music.level_dba:g} dB(A) is above this room's ceiling of "
                f"{limits.ceiling_dba:g}: it will be held down"
            )
            yield DesignWarning("level", phase.phase_id, text, grave=True)


def _prompts(score: Score) -> Iterator[DesignWarning]:
    for phase in score.phases:
        due = sorted(
            cue.offset_ms
            for cue in phase.cues
            if cue.audience is Audience.CLIENT and cue.offset_ms < phase.length_ms
        )
        close = sum(b - a < PROMPT_GAP_MS for a, b in pairwise(due))
        if close:
            text = f"{phase.title}: prompts to the client come less than 2 min apart"
            yield DesignWarning("prompts", phase.phase_id, text, grave=False)
        elif len(due) > CLOSE_PROMPTS and phase.length_ms / len(due) < 5 * PROMPT_GAP_MS:
            text = f"{phase.title}: {len(due)} prompts to the client in {_span(phase.length_ms)}"
            yield DesignWarning("prompts", phase.phase_id, text, grave=False)


# ---------------------------------------------------------------- the whole


def _whole(score: Score) -> Iterator[DesignWarning]:
    if score.minimum_ms == 0:
        text = "no minimum is set: one tap ends the session at any time"
        yield DesignWarning("minimum", "", text, grave=False)
    elif score.minimum_ms > score.length_ms:
        text = (
            f"the minimum of {_span(score.minimum_ms)} is more than the session's {_span(score.length_ms)}: "
            "the last phase goes on until then"
        )
        yield DesignWarning("minimum", "", text, grave=True)
    if not score.reviewed:
        yield DesignWarning("unreviewed", "", "no two roles have signed this version", grave=False)


def _span(ms: int) -> str:
    if ms < 2 * MS_PER_MIN:
        return f"{ms / MS_PER_S:.0f} s"
    return f"{ms / MS_PER_MIN:g} min" if ms % MS_PER_MIN == 0 else f"{ms / MS_PER_MIN:.1f} min"
