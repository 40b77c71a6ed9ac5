"""Listening in over HTTP: who may, how many, and what becomes of one who stalls or leaves."""

import asyncio
import socket
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from web_serving import Served, served

from controller.errors import DriverError
from controller.web import listen_calls
from controller.web.access import Role

LISTEN = "/api/v1/rooms/garden/listen"


@dataclass
class FakeMix:
    """A mix that never ends; counts who is listening."""

    open: int = 0
    fault: str | None = None
    page: bytes = b"OggS" + bytes(996)
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    async def __call__(self, room: str) -> AsyncGenerator[bytes, None]:
        assert room == "garden"
        if self.fault is not None:
            raise DriverError("listening in", "open", self.fault, may_retry=True)
        self.open += 1
        try:
            while True:
                yield self.page
                await asyncio.sleep(0)
        finally:
            self.open -= 1
            if not self.open:
                self.ended.set()


@pytest.mark.parametrize(
    ("role", "status"),
    [(None, 401), (Role.DISPLAY, 403), (Role.DESIGNER, 403), (Role.INSTALLER, 200), (Role.THERAPIST, 200)],
)
async def test_only_a_therapist_or_an_installer_may_listen(
    tmp_path: Path, role: Role | None, status: int
) -> None:
    mix = FakeMix()
    async with served(tmp_path, listen=mix) as site:
        async with site.client(role) as client, client.stream("GET", LISTEN) as answer:
            assert answer.status_code == status
            if status == 200:
                assert answer.headers["content-type"] == "audio/ogg; codecs=opus"
                assert answer.headers["cache-control"] == "no-store"
                assert "media-src 'self'" in answer.headers["content-security-policy"]
                assert (await anext(answer.aiter_raw())).startswith(b"OggS")
        if status == 200:
            await asyncio.wait_for(mix.ended.wait(), 5)


async def test_no_player_and_no_such_room_are_said(tmp_path: Path) -> None:
    async with (
        served(tmp_path, listen=FakeMix(fault="no player offers its mix")) as site,
        site.client() as client,
    ):
        answer = await client.get(LISTEN)
        assert (answer.status_code, "no player" in answer.text) == (503, True)
        assert (await client.get("/api/v1/rooms/cellar/listen")).status_code == 404


async def test_a_site_without_listening_in_says_so(tmp_path: Path) -> None:
    async with served(tmp_path) as site, site.client() as client:
        assert (await client.get(LISTEN)).status_code == 503


async def test_a_few_may_listen_at_once_and_a_place_comes_free(tmp_path: Path) -> None:
    mix = FakeMix()
    async with served(tmp_path, listen=mix) as site, site.client() as client:
        streams = [client.stream("GET", LISTEN) for _ in range(listen_calls.MOST_LISTENERS)]
        for stream in streams:
            await stream.__aenter__()
        assert (await client.get(LISTEN)).status_code == 503
        for stream in streams:
            await stream.__aexit__(None, None, None)
        await asyncio.wait_for(mix.ended.wait(), 5)
        async with client.stream("GET", LISTEN) as answer:
            assert answer.status_code == 200


def request_from(site: Served, reading: int) -> socket.socket:
    """A listener with a small window who never reads."""
    host, port = site.url.removeprefix("http://").split(":")
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, reading)
    connection.connect((host, int(port)))
    token = site.access.issue_token(Role.THERAPIST, "slow")
    connection.sendall(
        f"GET {LISTEN} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n\r\n".encode()
    )
    return connection


async def test_a_listener_who_stalls_is_dropped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listen_calls, "STALLED_S", 0.3)
    mix = FakeMix(page=bytes(16_384))
    async with served(tmp_path, listen=mix) as site:
        with await asyncio.to_thread(request_from, site, 4_096):
            await asyncio.wait_for(mix.ended.wait(), 10)


async def test_the_server_ends_while_somebody_listens(tmp_path: Path) -> None:
    mix = FakeMix()
    async with asyncio.timeout(10), served(tmp_path, listen=mix) as site:
        client = site.client()
        stream = client.stream("GET", LISTEN)
        answer = await stream.__aenter__()
        assert answer.status_code == 200
    await client.aclose()
    assert mix.open == 0
