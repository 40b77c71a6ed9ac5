"""Rehearsals from the tablet: one at a time, at their speed, beside everything else; over HTTP by role."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from design_bench import Bench
from web_fake_room import FakeRoom

from controller.clock import ManualClock
from controller.core.snapshot import Snapshot
from controller.daemon.rehearsing import RehearsalStage
from controller.errors import RefusedError, UserError
from controller.rehearsal_desk import RehearsalDesk
from controller.rehearsal_faults import Fault
from controller.web.access import Access
from controller.web.app import create_app
from controller.web.drawing import Drawing


class QuietRoom(FakeRoom):
    """A room at rest; prepared for a session when told."""

    is_prepared = False

    def snapshot(self) -> Snapshot:
        return replace(super().snapshot(), prepared=self.is_prepared)


class Site:
    """A desk on a clock of its own, with its task."""

    def __init__(self, folder: Path) -> None:
        self.bench = Bench(folder)
        self.clock: ManualClock = self.bench.clock
        work = self.bench.desk.workshop
        stage = RehearsalStage(work.files.site, work.catalogues, work.pools)
        ids = iter(f"r{n}" for n in range(99))
        self.desk = RehearsalDesk(self.clock, stage, lambda: next(ids))


@pytest_asyncio.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    found = Site(tmp_path)
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(found.desk.run())
        yield found
        task.cancel()


async def test_at_a_hundred_times_real_time_it_takes_a_hundredth(site: Site) -> None:
    run = await site.desk.start("garden", "evening", 100.0, ())
    begun = site.clock.now_ms()
    await site.clock.run_until(begun + 18_000)
    assert site.desk.current is run
    assert run.session_ms(site.clock.now_ms(), 1) == pytest.approx(1_800_000, abs=1_000)
    await site.clock.run_until(begun + 37_000)
    assert run.status == "done"
    assert run.ended_ms is not None
    assert run.ended_ms - begun == pytest.approx(36_000, abs=500)
    assert run.staged.stage.lines()[-1].kind == "session_ended"


async def test_as_fast_as_it_goes_it_still_lets_others_have_their_turn(site: Site) -> None:
    run = await site.desk.start("garden", "psilocybin", None, (Fault("bridge-gone", 60_000),))
    turns = 0
    await site.clock.settle()
    while run.status == "running":
        due = site.clock.next_due_ms()
        assert due is not None
        await site.clock.run_until(due)
        turns += 1
        assert turns < 5_000
    assert run.status == "done"
    assert turns > 20
    report: Any = run.staged.stage.summary()
    assert report["ended_ms"] == 480 * 60_000
    assert report["faults"][0]["outcome"]


async def test_one_at_a_time_and_it_can_be_stopped(site: Site) -> None:
    run = await site.desk.start("garden", "evening", 1.0, ())
    with pytest.raises(RefusedError, match="Evening runs already"):
        await site.desk.start("garden", "evening", 1.0, ())
    assert site.desk.stop(run.run_id)
    assert not site.desk.stop("another")
    assert (run.status, site.desk.current) == ("stopped", None)
    with pytest.raises(UserError, match="no profile"):
        await site.desk.start("garden", "no-such", None, ())
    for _ in range(12):
        site.desk.stop((await site.desk.start("garden", "evening", 1.0, ())).run_id)
    assert site.desk.get(run.run_id) is None  # only the last few are kept


# ---------------------------------------------------------------- over HTTP


@pytest_asyncio.fixture
async def web(site: Site, tmp_path: Path) -> AsyncIterator[Any]:
    access = Access(tmp_path / "data", site.clock, "123456")
    room = QuietRoom(site.clock, running=False)
    drawing = Drawing(site.bench.desk, site.desk)
    app = create_app({"garden": room}, access, tuple, site.clock, drawing=drawing)

    async def ask(role: str, method: str, path: str, **more: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {access.issue_token(role, 'test')}"} if role else {}
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://room", headers=headers) as client:
            return await client.request(method, path, **more)

    ask.room = room  # type: ignore[attr-defined]
    yield ask


DRAFT = {"data": {"profile": "fresh", "title": "Fresh", "phases": []}, "base": ""}
LOOK = {"looks": [{"zone": "ceiling", "brightness_percent": 10, "kelvin": 2500}]}
WRITES: list[tuple[str, str, dict[str, Any]]] = [
    ("PUT", "/api/v1/design/profiles/fresh", {"json": DRAFT}),
    ("POST", "/api/v1/design/profiles/evening/restore", {"json": {"base": "", "number": 1}}),
    ("POST", "/api/v1/design/profiles?room=garden", {"content": b"profile: x"}),
    ("GET", "/api/v1/design/profiles/evening/export?room=garden", {}),
    ("PUT", "/api/v1/design/rooms/garden/presets/dusk", {"json": {"data": {}, "base": ""}}),
    ("POST", "/api/v1/design/rooms/garden/presets/dusk/restore", {"json": {"base": "", "number": 1}}),
    ("POST", "/api/v1/design/rooms/garden/try", {"json": LOOK}),
    ("POST", "/api/v1/design/rooms/garden/take_off", {"json": {"zones": ["ceiling"]}}),
]
LOOKS: list[tuple[str, str, dict[str, Any]]] = [
    ("GET", "/api/v1/design/profiles/evening?room=garden", {}),
    ("POST", "/api/v1/design/profiles/evening/check?room=garden", {"json": {"data": {}}}),
    ("GET", "/api/v1/design/profiles/evening/versions", {}),
    ("GET", "/api/v1/design/rooms/garden/zones", {}),
    ("GET", "/api/v1/design/rooms/garden/presets/dusk", {}),
    ("GET", "/design/rooms/garden", {}),
    ("GET", "/design/rooms/garden/profile?id=evening", {}),
]
REHEARSE: tuple[str, str, dict[str, Any]] = (
    "POST",
    "/api/v1/rehearsals",
    {"json": {"room": "garden", "profile": "evening", "speed": 100}},
)


@pytest.mark.parametrize("role", ["therapist", "installer", "display", ""])
async def test_nobody_but_a_designer_writes(web: Any, role: str) -> None:
    for method, path, more in WRITES:
        answer = await web(role, method, path, **more)
        assert answer.status_code == (403 if role else 401), path
    assert web.room.commands == []


async def test_a_therapist_looks_and_a_display_does_not(web: Any) -> None:
    for method, path, more in LOOKS:
        assert (await web("therapist", method, path, **more)).status_code == 200, path
        assert (await web("display", method, path, **more)).status_code == 403, path
    assert (await web("installer", *REHEARSE[:2], **REHEARSE[2])).status_code == 403


async def test_a_designer_and_a_therapist_sign_and_rehearse(web: Any, site: Site) -> None:
    for role in ("designer", "therapist"):
        found = (await web(role, "GET", "/api/v1/design/profiles/evening?room=garden")).json()
        body = {"base": found["base"]}
        answer = await web(role, "POST", "/api/v1/design/profiles/evening/sign", json=body)
        assert answer.status_code == 200
    assert site.bench.desk.catalogues.current.profile("evening").status == "reviewed"
    started = await web("therapist", *REHEARSE[:2], **REHEARSE[2])
    assert started.status_code == 201
    again = await web("designer", *REHEARSE[:2], **REHEARSE[2])
    assert again.status_code == 409
    await site.clock.run_until(site.clock.now_ms() + 40_000)
    state = (await web("designer", "GET", f"/api/v1/rehearsals/{started.json()['rehearsal']}?since=2")).json()
    assert (state["status"], state["report"]["ended_ms"]) == ("done", 3_600_000)
    assert state["next_line"] == 2 + len(state["lines"])


async def test_faults_and_speeds_out_of_bounds_are_refused(web: Any) -> None:
    for wrong in (
        {"speed": 0},
        {"speed": -5},
        {"faults": [{"kind": "fire", "at_minutes": 1}]},
        {"room": "x"},
    ):
        body = {"room": "garden", "profile": "evening", **wrong}
        assert (await web("designer", "POST", "/api/v1/rehearsals", json=body)).status_code in (404, 422)


async def test_a_look_is_tried_between_sessions_only(web: Any) -> None:
    answer = await web("designer", "POST", "/api/v1/design/rooms/garden/try", json=LOOK)
    assert answer.status_code == 204
    request, by = web.room.commands[0]
    assert (request.command, request.zone, request.minutes, by) == ("light", "ceiling", 3.0, "designer:test")
    web.room.is_prepared = True
    assert (await web("designer", "POST", "/api/v1/design/rooms/garden/try", json=LOOK)).status_code == 409
    web.room._start("psilocybin")
    before = len(web.room.commands)
    for path, body in (("try", LOOK), ("take_off", {"zones": ["ceiling"]})):
        answer = await web("designer", "POST", f"/api/v1/design/rooms/garden/{path}", json=body)
        assert answer.status_code == 409
    assert len(web.room.commands) == before
