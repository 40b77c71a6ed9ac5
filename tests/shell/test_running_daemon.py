"""Where a running daemon is found: by a file that is never believed for a process that is gone."""

import json
import os
from pathlib import Path

import pytest

from controller.clock import RealClock
from controller.daemon.checking import daemon_for_check
from controller.daemon.options import DEMO_SITE
from controller.errors import UserError
from controller.running_daemon import FILE, announce, find
from controller.web.access import Access


def test_a_daemon_is_found_while_it_lives(tmp_path: Path) -> None:
    assert find(tmp_path) is None
    announce(tmp_path, "http://127.0.0.1:8080")
    found = find(tmp_path)
    assert found is not None
    assert (found.url, found.pid) == ("http://127.0.0.1:8080", os.getpid())
    assert (tmp_path / FILE).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("text", ["", "[]", '{"url": "x"}', '{"url": "x", "pid": 2000000000}'])
def test_what_cannot_be_believed_is_nobody(tmp_path: Path, text: str) -> None:
    (tmp_path / FILE).write_text(text)
    assert find(tmp_path) is None


def test_a_folder_that_takes_nothing_costs_nothing_else(tmp_path: Path) -> None:
    announce(tmp_path / "nowhere", "http://127.0.0.1:8080")
    assert find(tmp_path / "nowhere") is None


async def test_no_second_daemon_is_started_beside_one_that_lives(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text(json.dumps({"url": "http://127.0.0.1:9", "pid": os.getpid()}))
    clock = RealClock()
    with pytest.raises(UserError, match="does not answer at http"):
        async with daemon_for_check(DEMO_SITE, tmp_path, clock):
            raise AssertionError("there is nobody to speak to")
    assert Access(tmp_path, clock).devices() == (), "the token is taken back"
