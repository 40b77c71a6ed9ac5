"""Faults thrown into a rehearsal, and a rehearsal run together for the real room: light keeps real time."""

from itertools import pairwise
from pathlib import Path

import pytest

from controller.cli.rehearse import rehearse
from controller.core.rehearsal_score import at_rehearsal_speed
from controller.daemon.options import DEMO_SITE
from controller.daemon.rehearsing import load_score, prepare_rehearsal, rehearsal_of
from controller.errors import UserError
from controller.rehearsal import START_MS, Rehearsal
from controller.rehearsal_faults import Fault, parse_fault
from profiles.catalogue import load_catalogue, load_site

MINUTE = 60_000


@pytest.fixture
def staged(tmp_path: Path) -> Rehearsal:
    return prepare_rehearsal("psilocybin", DEMO_SITE, None, tmp_path)


def test_a_bridge_that_goes_leaves_the_lamps_and_is_caught_up_within_the_envelope(staged: Rehearsal) -> None:
    staged.throw(Fault("bridge-gone", 2 * MINUTE, 5 * MINUTE))
    seen: list[tuple[int, float]] = []
    at = START_MS
    while staged.session_ms() < 9 * MINUTE:
        staged.advance()
        while at < staged.clock.now_ms():
            seen.append((at - START_MS, staged.lights.live("bedside-left", at).lstar))
            at += 500
    gone = [lstar for ms, lstar in seen if 6 * MINUTE < ms < 7 * MINUTE - 1_000]  # the fade it was in is over
    assert max(gone) - min(gone) < 0.5
    lit = [(a, b) for (_, a), (_, b) in pairwise(seen) if a and b]  # a lamp that is off comes on at its floor
    assert max(abs(b - a) for a, b in lit) <= 2.0 * 0.5 * 1.1
    kinds = [line.kind for line in staged.lines() if line.kind.startswith("fault")]
    assert kinds == ["fault", "fault_raised", "fault_cleared", "fault_over"]
    assert "back on the plan" in staged.report.faults[0].outcome


def test_a_missing_track_is_replaced_at_once(staged: Rehearsal) -> None:
    staged.throw(Fault("track-missing", 20 * MINUTE))
    report = staged.run()
    at = [line for line in report.happenings if line.session_ms == 20 * MINUTE]
    assert [line.kind for line in at] == [
        "fault",
        "track_skipped",
        "track_failed",
        "track_started",
        "fault_over",
    ]
    assert report.faults[0].outcome.endswith("took its place at once")
    assert report.ended_ms == report.planned_ms


def test_a_lost_tablet_loses_taps_and_nothing_else(staged: Rehearsal) -> None:
    from controller.core import commands as c

    staged.throw(Fault("tablet-lost", 61 * MINUTE, 10 * MINUTE))
    staged.later(65 * MINUTE, c.Hold())
    report = staged.run()
    assert [line.what for line in report.happenings if line.kind == "tap_lost"] == ["Hold"]
    assert "session_held" not in {line.kind for line in report.happenings}
    assert report.ended_ms == report.planned_ms
    assert "1 prompts" in report.faults[0].outcome


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("bridge-gone@10m", Fault("bridge-gone", 600_000, 120_000)),
        ("track-missing@1h", Fault("track-missing", 3_600_000, 120_000)),
        ("tablet-lost@90s+5m", Fault("tablet-lost", 90_000, 300_000)),
        ("bridge-gone@1.5+30s", Fault("bridge-gone", 90_000, 30_000)),
    ],
)
def test_faults_are_written_short(text: str, fault: Fault) -> None:
    assert parse_fault(text) == fault


@pytest.mark.parametrize(
    "text", ["bridge-gone", "bridge-gon@10m", "x@1", "bridge-gone@-1", "@", "", "bridge-gone@1d"]
)
def test_what_is_no_fault_says_what_is(text: str) -> None:
    with pytest.raises(UserError, match=r"expected|did you mean|known"):
        parse_fault(text)


def test_the_terminal_refuses_faults_and_haste_in_the_real_room(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="simulated room only"):
        rehearse("quiet-room", "20", None, None, tmp_path, False, ["bridge-gone@1m"], True)
    for speed in ("max", "2.5", "101"):
        with pytest.raises(UserError, match="whole number"):
            rehearse("quiet-room", speed, None, None, tmp_path, False, None, True)


@pytest.mark.parametrize("speed", [1, 20, 100])
def test_a_score_run_together_keeps_light_inside_the_envelope_of_real_time(
    tmp_path: Path, speed: int
) -> None:
    score = at_rehearsal_speed(load_score("quiet-room", DEMO_SITE, None, tmp_path), speed)
    assert score.length_ms == pytest.approx(45 * MINUTE / speed, abs=10)
    site = load_site(DEMO_SITE)
    plain = prepare_rehearsal("quiet-room", DEMO_SITE, None, tmp_path)
    run = rehearsal_of(site, site.site.rooms[0], load_catalogue(site), score, plain.room.pools)
    at, steps, last = START_MS, [0.0], 0.0
    while run.advance():
        while at < run.clock.now_ms():
            now = run.lights.live("bedside-left", at).lstar
            if last and now:  # a lamp that is off comes on at its floor
                steps.append(abs(now - last))
            last, at = now, at + 100
    assert max(steps) <= 0.2 * 1.1
    assert sum(steps) > 5.0
    assert run.summary()["ended_ms"] == run.report.planned_ms


def test_a_rehearsal_in_the_room_says_what_it_is(tmp_path: Path) -> None:
    score = load_score("mdma", DEMO_SITE, None, tmp_path)
    quick = at_rehearsal_speed(score, 60)
    assert "rehearsal, 60 times" in quick.title
    assert [p.phase_id for p in quick.phases] == [p.phase_id for p in score.phases]
    assert len(quick.anchor_cues) == len(score.anchor_cues)
    assert quick.anchor_shifts[0].delta_ms == score.anchor_shifts[0].delta_ms / 60
    with pytest.raises(ValueError, match="at least"):
        at_rehearsal_speed(score, 0)
