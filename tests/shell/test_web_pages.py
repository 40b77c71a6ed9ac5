"""The pages as they are sent: small, nothing inline, nothing from elsewhere, each for its role."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from web_serving import Served, served

from controller.web import pages
from controller.web.access import Role

WEB = Path(pages.__file__).parent
PAGES = (
    "/rooms/garden",
    "/rooms/garden/live",
    "/rooms/garden/sessions",
    "/rooms/garden/sessions/5f2e",
    "/setup",
    "/pair",
    "/offline",
)


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Served]:
    async with served(tmp_path) as found:
        yield found


@pytest.mark.parametrize("language", ["en", "de"])
async def test_every_page_is_drawn_with_nothing_inline_and_nothing_foreign(
    site: Served, language: str
) -> None:
    async with site.client() as client:
        for path in (*PAGES, "/rooms/garden/display"):
            answer = await client.get(path, params={"lang": language})
            assert answer.status_code == 200, path
            assert f'<html lang="{language}" dir="ltr">' in answer.text
            scripts = re.findall(r"<script\b[^>]*>[^<]", answer.text)
            assert all('type="application/json"' in script for script in scripts), path
            assert not re.search(r"<style|\sstyle=|\son\w+=|javascript:", answer.text), path
            assert not re.search(r'(?:src|href)="(?:https?:)?//', answer.text), path


def test_nothing_we_serve_names_another_place() -> None:
    for file in (*WEB.glob("static/**/*"), *WEB.glob("templates/*")):
        if file.suffix in {".js", ".css", ".svg", ".html"}:
            found = set(re.findall(r"https?://[^\s\"'`$]+", file.read_text(encoding="utf-8")))
            assert found <= {"http://www.w3.org/2000/svg"}, file


def test_no_blue_and_no_white() -> None:
    for file in (*WEB.glob("static/*.css"), *WEB.glob("static/**/*.svg")):
        for colour in re.findall(r"#([0-9a-fA-F]{3,8})\b", file.read_text(encoding="utf-8")):
            assert len(colour) == 6, (file, colour)
            red, green, blue = (int(colour[i : i + 2], 16) for i in (0, 2, 4))
            assert red >= green >= blue, (file, colour)
            assert red <= 240, (file, colour)
            assert blue <= 110, (file, colour)
        assert not re.search(
            r"\b(?:white|blue)\b(?!-)", file.read_text(encoding="utf-8").split("*/", 1)[-1]
        ), file


async def test_live_page_is_small(site: Served) -> None:
    async with site.client() as client:
        page = await client.get("/rooms/garden/live", params={"lang": "de"})
        wanted = set(re.findall(r'(?:src|href)="(/static/[^"#]+)', page.text))
        sizes = {path: len((await client.get(path)).content) for path in wanted}
        assert len(wanted) > 10
        assert sum(sizes.values()) + len(page.content) < 150_000


async def test_strangers_are_shown_the_way_in(site: Served) -> None:
    async with site.client(None) as client:
        for path in (*PAGES[:5], "/"):
            answer = await client.get(path)
            assert (answer.status_code, answer.headers.get("location")) == (303, "/pair"), path
        assert (await client.get("/pair/qr.svg")).status_code == 401


async def test_each_page_is_for_its_role(site: Served) -> None:
    may = {
        "/rooms/garden/live": {Role.THERAPIST, Role.DESIGNER, Role.INSTALLER},
        "/rooms/garden/display": {Role.THERAPIST, Role.DISPLAY},
        "/rooms/garden/sessions": {Role.THERAPIST},
        "/rooms/garden/sessions/5f2e": {Role.THERAPIST},
        "/setup": {Role.THERAPIST, Role.DESIGNER, Role.INSTALLER},
    }
    for role in Role:
        async with site.client(role) as client:
            for path, roles in may.items():
                status = (await client.get(path)).status_code
                assert status == (200 if role in roles else 403), (role, path)
            qr = (await client.get("/pair/qr.svg")).status_code
            assert qr == (200 if role is Role.THERAPIST else 403)


async def test_unknown_rooms_are_404_and_never_echoed_raw(site: Served) -> None:
    async with site.client() as client:
        for path in ("/rooms/attic", "/rooms/attic/live", "/rooms/attic/sessions/x", "/rooms/%3Cscript%3E"):
            answer = await client.get(path)
            assert answer.status_code == 404
            assert "text/html" not in answer.headers["content-type"]


async def test_the_app_can_be_installed(site: Served) -> None:
    async with site.client() as client:
        manifest = (await client.get("/manifest.webmanifest")).json()
        for icon in manifest["icons"]:
            found = await client.get(icon["src"])
            assert found.status_code == 200
            assert found.headers["content-type"].startswith(icon["type"])
        worker = await client.get("/sw.js")
        assert worker.headers["content-type"].startswith("text/javascript")
        files = re.findall(r'"(/[^"]+)"', worker.text.split("];")[0])
        for path in files:
            assert (await client.get(path)).status_code == 200, path


async def test_pin_is_on_no_page(site: Served) -> None:
    from web_serving import PIN

    async with site.client() as client:
        for path in (*PAGES, "/api/v1/rooms/garden", "/healthz", "/api/openapi.json"):
            assert PIN not in (await client.get(path)).text, path
