"""/metrics: figures for this machine or an installer, and nothing of a client."""

from pathlib import Path
from uuid import uuid4

import httpx
import pytest
from web_fake_room import FakeRoom

from controller.clock import ManualClock
from controller.metrics import Histogram, gauge
from controller.web.access import Access
from controller.web.app import create_app


def web(tmp_path: Path, client: str) -> tuple[httpx.AsyncClient, Access]:
    clock = ManualClock()
    access = Access(tmp_path, clock)
    app = create_app({"garden": FakeRoom(clock)}, access, tuple, clock)
    transport = httpx.ASGITransport(app, client=(client, 1234))
    return httpx.AsyncClient(transport=transport, base_url="http://room"), access


async def test_this_machine_reads_the_figures_and_a_command_counts(tmp_path: Path) -> None:
    calls, access = web(tmp_path, "127.0.0.1")
    headers = {"Authorization": f"Bearer {access.issue_token('therapist', 'test')}"}
    before = _count((await calls.get("/metrics")).text)
    body = {"id": str(uuid4()), "command": "volume_trim", "db": -2}
    await calls.post("/api/v1/rooms/garden/commands", json=body, headers=headers)
    answer = await calls.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert _count(answer.text) == before + 1
    assert 'stillroom_lamps_unreachable{room="garden"}' in answer.text
    assert "stillroom_well 1" in answer.text


def _count(text: str) -> int:
    (line,) = [row for row in text.splitlines() if row.startswith("stillroom_command_seconds_count")]
    return int(line.split()[1])


@pytest.mark.parametrize(("role", "status"), [(None, 401), ("therapist", 401), ("installer", 200)])
async def test_others_need_an_installers_token(tmp_path: Path, role: str | None, status: int) -> None:
    calls, access = web(tmp_path, "192.168.1.9")
    headers = {} if role is None else {"Authorization": f"Bearer {access.issue_token(role, 'test')}"}
    assert (await calls.get("/metrics", headers=headers)).status_code == status


def test_a_histogram_counts_up_and_labels_are_escaped() -> None:
    found = Histogram("h", "x")
    for seconds in (0.001, 0.02, 9.0):
        found.observe(seconds)
    lines = list(found.lines())
    assert 'h_bucket{le="0.002"} 1' in lines
    assert 'h_bucket{le="0.025"} 2' in lines
    assert 'h_bucket{le="+Inf"} 3' in lines
    assert list(gauge("g", "x", {(("a", 'b"c\n'),): 1}))[2] == 'g{a="b\\"c\\n"} 1'
