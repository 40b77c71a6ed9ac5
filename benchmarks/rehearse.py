"""A rehearsal of an 8 h profile: how long it takes, and how that grows with the number of cues.

Targets: at least 50,000 times real time, and linear growth from 1 to 64 times the cues. Growth is judged by
what one more cue costs: at 64 times it may cost at most half as much again as at 16 times (a quadratic
engine would need four times as much).
"""

import json
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from statistics import median
from time import process_time

import profiles
from controller.core.score import Score
from controller.daemon.rehearsing import prepare_rehearsal
from controller.rehearsal import Rehearsal

PROFILE = "psilocybin"
TIMES = (1, 4, 16, 64)
RUNS = 3
TARGET_TIMES_REAL = 50_000
TARGET_COST_GROWTH = 1.5
SITE = Path(profiles.__file__).parent / "library" / "demo-site.yaml"


def with_cues(score: Score, times: int) -> Score:
    """The score with every cue and card so many times, spread behind the first."""
    phases = []
    for phase in score.phases:
        step = max((phase.length_ms - 1) // (times * max(len(phase.cues), 1) + 1), 1)
        cues = [
            replace(cue, cue_id=f"{cue.cue_id}~{i}", offset_ms=(cue.offset_ms + i * step) % phase.length_ms)
            for i in range(times)
            for cue in phase.cues
        ]
        phases.append(replace(phase, cues=tuple(cues)))
    cards = [
        replace(cue, cue_id=f"{cue.cue_id}~{i}", offset_ms=cue.offset_ms + i * 7_000)
        for i in range(times)
        for cue in score.anchor_cues
    ]
    return replace(score, phases=tuple(phases), anchor_cues=tuple(cards))


def rehearse(data: Path, times: int) -> tuple[float, int, float]:
    """Rehearse once: processor seconds, cues that went out or were left out, session seconds."""
    plain = prepare_rehearsal(PROFILE, SITE, None, data)
    session = plain.state.session
    if session is None:
        raise RuntimeError("the rehearsal did not start")
    score = with_cues(session.timeline.score, times)
    rehearsal = Rehearsal(plain.room, score)
    begun = process_time()
    report = rehearsal.run()
    took = process_time() - begun
    cues = sum(line.kind in ("prompt_cued", "prompt_suppressed") for line in report.happenings)
    return took, cues, report.virtual_ms / 1000


def main() -> int:
    figures: dict[str, float] = {}
    took: dict[int, float] = {}
    cues: dict[int, int] = {}
    session_s = 0.0
    with tempfile.TemporaryDirectory() as folder:
        rehearse(Path(folder), 1)  # warm
        for times in TIMES:
            runs = [rehearse(Path(folder), times) for _ in range(RUNS)]
            took[times], cues[times], session_s = median(run[0] for run in runs), runs[0][1], runs[0][2]
            figures[f"x{times}_cues"] = cues[times]
            figures[f"x{times}_s"] = round(took[times], 3)
            print(
                f"{cues[times]:5} cues: {took[times]:.3f} s, {session_s / took[times]:,.0f} times real time"
            )
    low = (took[16] - took[1]) / (cues[16] - cues[1])
    high = (took[64] - took[16]) / (cues[64] - cues[16])
    figures["hours"] = round(session_s / 3600, 2)
    figures["times_real_time"] = round(session_s / took[1])
    figures["ms_per_cue_up_to_x16"] = round(1000 * low, 3)
    figures["ms_per_cue_up_to_x64"] = round(1000 * high, 3)
    figures["cost_growth"] = round(high / low, 2)
    ok = figures["times_real_time"] >= TARGET_TIMES_REAL and figures["cost_growth"] <= TARGET_COST_GROWTH
    print(f"one more cue costs {1000 * low:.3f} ms up to x16, {1000 * high:.3f} ms from there to x64")
    print(json.dumps({"benchmark": "rehearse", "ok": ok, "figures": figures}))
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
