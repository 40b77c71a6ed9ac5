"""The real daemon, killed at random instants under load: what was acknowledged is kept, once.

``kill_daemon.py`` beside this does it as often as is asked for.
"""

from pathlib import Path

from kill_daemon import kill_often

TIMES = 3
PATIENCE_S = 20.0
"""A busy machine is slow to start anything: holding the 3 s is the command's business."""


async def test_a_daemon_that_is_killed_again_and_again_loses_nothing(tmp_path: Path) -> None:
    toll = await kill_often(tmp_path, TIMES, seed=11, say=lambda _line: None)
    assert len(toll.resumed_s) == TIMES
    assert max(toll.resumed_s) < PATIENCE_S
    assert len(toll.acknowledged) > TIMES
