"""Ten minutes of the eight hours, on every run of the tests; and a proof that the comparison can fail."""

from pathlib import Path

import numpy as np
import pytest
from eight_hours import RATE, Expected, check, plan, write_pieces

pytestmark = pytest.mark.real_time


def test_ten_minutes_of_a_session_are_sample_exact_and_memory_stays_flat() -> None:
    verdict = check(10.0)
    assert verdict.frames > 8 * 60 * RATE
    assert verdict.items >= 2
    assert (verdict.wrong, verdict.first_wrong, verdict.failed) == (0, None, 0)
    assert verdict.dip_db <= 0.1
    assert verdict.ok


def test_one_sample_out_of_place_does_not_fit_the_plan(tmp_path: Path) -> None:
    items = plan(tmp_path / "plan", 12.0, [tmp_path / "any.wav"])
    _, signs = write_pieces(tmp_path, 1.0)
    expected = Expected(items, [np.tile(sign, (600, 1)) for sign in signs])
    here, alone = expected.part(60 * RATE, RATE)
    late, _ = expected.part(60 * RATE + 1, RATE)
    assert alone
    assert (here != late).any(axis=1).mean() > 0.5
