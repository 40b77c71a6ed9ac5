"""Nothing of a session leaves the machine, and free text is only where somebody asked for it."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parent


def can_be_sealed() -> bool:
    """Whether a network of its own can be had here."""
    if shutil.which("unshare") is None or shutil.which("ip") is None:
        return False
    tried = subprocess.run(
        ["unshare", "--net", "ip", "link", "add", "out", "type", "veth"], capture_output=True, check=False
    )
    return tried.returncode == 0


def test_a_whole_session_sends_no_packet_and_keeps_its_words(tmp_path: Path) -> None:
    if not can_be_sealed():
        pytest.skip("needs a network namespace (root, unshare and ip)")
    paths = os.pathsep.join(str(TESTS.parent / name) for name in ("shell", "support"))
    done = subprocess.run(
        ["unshare", "--net", sys.executable, str(TESTS / "sealed_session.py"), str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
        env={**os.environ, "PYTHONPATH": paths},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["control"] >= 1, "the ear heard nothing of what was sent to be heard"
    assert told["left"] == []
    found = {name: words for name, words in told["found"].items() if words}
    assert found == {"asked for": ["intention", "note"]}
    assert {"state", "log", "mqtt", "records.csv", "timeline.html"} <= told["found"].keys()
