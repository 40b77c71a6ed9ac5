"""Each shipped profile's score, compared exactly with the golden file that was looked at and committed."""

from dataclasses import fields

import golden_scores
import pytest

from controller.core.score import AnchorCue, AnchorShift, Cue, MusicPlan, Phase, Scene, Score

TEXTS = golden_scores.golden_texts()


@pytest.mark.parametrize("name", TEXTS)
def test_the_score_is_the_golden_one(name: str) -> None:
    golden = (golden_scores.FOLDER / name).read_text(encoding="utf-8")
    assert TEXTS[name] == golden, "to accept the change: .venv/bin/python tests/golden/golden_scores.py"


def test_there_is_a_golden_file_for_each_shipped_profile_and_no_other() -> None:
    assert {path.name for path in golden_scores.FOLDER.glob("*.json")} == set(TEXTS)


def test_the_golden_files_leave_nothing_of_a_score_out() -> None:
    # A field that the contract gains must be written down here too, or a change of it would pass unseen.
    assert [field.name for field in fields(Score)] == [
        *("profile_id", "title", "reviewed", "phases", "resting", "minimum_ms"),
        *("anchors", "anchor_cues", "anchor_shifts", "prompts", "scenes"),
    ]
    assert len(fields(Phase)) == 8
    assert len(fields(MusicPlan)) == 8
    assert len(fields(Cue)) == 6
    assert len(fields(AnchorCue)) == 7
    assert len(fields(AnchorShift)) == 3
    assert len(fields(Scene)) == 7
