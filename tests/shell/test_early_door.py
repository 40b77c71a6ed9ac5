"""The early door: commands and health at once, all else for the app; never more lenient than it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from web_fake_room import FakeRoom

from controller.clock import ManualClock
from controller.daemon.late import Late
from controller.log_lines import LogLines
from controller.web.access import Access
from controller.web.early_door import EarlyDoor


@pytest.fixture
def access(tmp_path: Path) -> Access:
    return Access(tmp_path, ManualClock())


def door(access: Access, problems: tuple[str, ...] = ()) -> tuple[EarlyDoor, httpx.AsyncClient]:
    clock = ManualClock()
    early = EarlyDoor({"garden": FakeRoom(clock)}, access, lambda: problems)
    return early, httpx.AsyncClient(transport=httpx.ASGITransport(early), base_url="http://room")


def bearer(access: Access, role: str = "therapist") -> dict[str, str]:
    return {"Authorization": f"Bearer {access.issue_token(role, 'test')}"}


def hold() -> dict[str, object]:
    return {"id": str(uuid4()), "command": "volume_trim", "db": -2}


async def test_a_command_is_carried_out_before_the_app_has_come(access: Access) -> None:
    _, web = door(access)
    answer = await web.post("/api/v1/rooms/garden/commands", json=hold(), headers=bearer(access))
    assert answer.status_code in (200, 409)
    assert "ok" in answer.json()
    assert answer.headers["x-content-type-options"] == "nosniff"


async def test_what_is_no_command_is_refused_with_its_reason(access: Access) -> None:
    _, web = door(access)
    answer = await web.post("/api/v1/rooms/garden/commands", content=b"{", headers=bearer(access))
    assert answer.status_code == 422
    assert answer.json()["refused"]["code"] == "invalid"


@pytest.mark.parametrize("problems", [(), ("the bridge is away",)])
async def test_health_is_said(access: Access, problems: tuple[str, ...]) -> None:
    _, web = door(access, problems)
    answer = await web.get("/healthz")
    assert answer.status_code == (503 if problems else 200)
    assert answer.json() == {"ok": not problems, "reasons": list(problems)}


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/api/v1/rooms/garden/commands", {}),
        ("/api/v1/rooms/garden/commands", {"Authorization": "Bearer wrong"}),
        ("/api/v1/rooms/garden/commands", {"role": "display"}),
        ("/api/v1/rooms/garden/commands", {"role": "therapist", "Origin": "http://elsewhere"}),
        ("/api/v1/rooms/nowhere/commands", {"role": "therapist"}),
        ("/api/v1/pair", {"role": "therapist"}),
    ],
)
async def test_all_else_waits_for_the_app(access: Access, path: str, headers: dict[str, str]) -> None:
    early, web = door(access)
    if "role" in headers:
        headers = {**headers, **bearer(access, headers["role"])}
    asked = asyncio.create_task(web.post(path, json=hold(), headers=headers))
    for _ in range(50):
        await asyncio.sleep(0)
    assert not asked.done()
    app = Starlette(routes=[Route("/{rest:path}", _served_by_the_app, methods=["POST"])])
    await hand_over(early, app)
    assert (await asked).text == "the app"


async def _served_by_the_app(_request: object) -> PlainTextResponse:
    return PlainTextResponse("the app")


async def hand_over(early: EarlyDoor, app: Starlette) -> None:
    """Live the door's life as a server does, up to the app's arrival."""
    entered, ends = asyncio.Event(), asyncio.Event()

    @asynccontextmanager
    async def life() -> AsyncIterator[None]:
        entered.set()
        yield

    started = False

    async def receive() -> dict[str, str]:
        nonlocal started
        if started:
            await ends.wait()
        started = True
        return {"type": "lifespan.startup"}

    sent: list[str] = []

    async def send(message: object) -> None:
        sent.append(str(message["type"]))  # type: ignore[index]

    living = asyncio.create_task(early({"type": "lifespan"}, receive, send))
    early.hand_over(app, life)
    await entered.wait()
    assert sent == ["lifespan.startup.complete"]
    ends.set()
    await living
    assert sent[-1] == "lifespan.shutdown.complete"


def test_a_late_thing_is_made_once() -> None:
    made: list[int] = []

    def make() -> int:
        made.append(1)
        return len(made)

    late = Late(make)
    assert made == []
    assert (late.get(), late.get()) == (1, 1)


def test_lines_said_before_the_log_is_open_come_first_and_in_order() -> None:
    lines, out = LogLines(), []
    lines.info("one", n=1)
    lines.warning("two")
    lines.open(lambda level, event, fields: out.append((level, event, fields)))
    lines.error("three")
    assert out == [("info", "one", {"n": 1}), ("warning", "two", {}), ("error", "three", {})]
