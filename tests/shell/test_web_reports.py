"""Reports over HTTP: for whom, in which form, and free text only where it was asked for."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from web_serving import Served, served

from controller.reports.desk import Wanted
from controller.web.access import Role


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Served]:
    async with served(tmp_path) as found:
        yield found


async def session_of(site: Served) -> str:
    return (await site.room.sessions())[0].session_id


async def test_a_report_is_a_file_of_its_kind(site: Served) -> None:
    base = f"/api/v1/rooms/garden/sessions/{await session_of(site)}"
    async with site.client() as client:
        paper = await client.get(f"{base}/timeline.pdf")
        assert paper.status_code == 200
        assert paper.headers["content-type"] == "application/pdf"
        assert paper.headers["content-disposition"].startswith('attachment; filename="timeline-')
        assert paper.headers["cache-control"] == "no-store"
        drawing = await client.get(f"{base}/timeline.svg")
        assert drawing.headers["content-disposition"].startswith("inline")
        await client.get(f"{base}/setting.html?notes=true")
        await client.get(f"{base}/timeline.html?notes=true")
    assert site.reports.wanted == [
        Wanted("pdf"),
        Wanted("svg"),
        Wanted("html", setting=True),
        Wanted("html", with_notes=True),
    ]


@pytest.mark.parametrize(
    "path", ["rooms/garden/sessions/none/timeline.pdf", "rooms/attic/sessions/x/records.csv"]
)
async def test_what_is_not_there_is_not_found(site: Served, path: str) -> None:
    async with site.client() as client:
        assert (await client.get(f"/api/v1/{path}")).status_code == 404
    assert site.reports.wanted == []


async def test_what_cannot_be_made_is_said_in_one_line(site: Served) -> None:
    base = f"/api/v1/rooms/garden/sessions/{await session_of(site)}"
    async with site.client() as client:
        answer = await client.get(f"{base}/records.parquet")
        assert answer.status_code == 422
        assert answer.json()["detail"] == "Parquet needs the extra 'research'"
        for odd in ("timeline.exe", "diary.pdf"):
            assert (await client.get(f"{base}/{odd}")).status_code == 422


@pytest.mark.parametrize(("role", "status"), [(Role.DISPLAY, 403), (Role.INSTALLER, 403), (None, 401)])
async def test_reports_are_for_those_who_may_read_them(site: Served, role: Role | None, status: int) -> None:
    base = f"/api/v1/rooms/garden/sessions/{await session_of(site)}"
    async with site.client(role) as client:
        assert (await client.get(f"{base}/timeline.pdf?notes=true")).status_code == status
    assert site.reports.wanted == []
