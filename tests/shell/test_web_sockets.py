"""The live link and the client's display, through real WebSockets."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest
from web_serving import Served, command, receive, served
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed, InvalidStatus

from controller.core.score import Audience
from controller.errors import JournalError
from controller.ports import Prompt
from controller.web.access import Role
from controller.wire import CommandRequest, Reply


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Served]:
    async with served(tmp_path) as found:
        yield found


LIVE = "/api/v1/rooms/garden/live"


async def test_snapshot_first_then_patches_and_replies(site: Served) -> None:
    async with site.live() as socket:
        first = json.loads(await socket.recv())
        assert first["type"] == "snapshot"
        assert first["snapshot"]["room"] == "garden"
        await socket.send(json.dumps(command("hold")))
        reply = await receive(socket, "reply")
        assert reply["reply"]["applied"] == ["session_held"]
        patch = await receive(socket, "patch")
        assert patch["set"]["session.status"] == "held"
        assert patch["seq"] == first["seq"] + 1


async def test_two_tablets_see_each_other(site: Served) -> None:
    async with site.live() as one, site.live() as two:
        await receive(one, "snapshot")
        await receive(two, "snapshot")
        await one.send(json.dumps(command("light", zone="bedside", brightness=12)))
        patch = await receive(two, "patch")
        while "zones" not in patch["set"]:
            patch = await receive(two, "patch")
        assert patch["set"]["zones"][1]["brightness_percent"] == 12
        assert patch["set"]["zones"][1]["overrides"][0]["by"] == "therapist:tablet"


async def test_a_beat_comes_each_second(site: Served) -> None:
    async with site.live() as socket:
        await receive(socket, "snapshot")
        stamps = [(await receive(socket, "patch"))["link_ms"] for _ in range(2)]
        assert 900 <= stamps[1] - stamps[0] <= 1500


async def test_commands_held_up_too_long_are_refused(site: Served) -> None:
    async with site.live() as socket:
        link_ms = (await receive(socket, "snapshot"))["link_ms"]
        await socket.send(json.dumps(command("hold", link_ms=link_ms - 5_200)))
        reply = (await receive(socket, "reply"))["reply"]
        assert reply["refused"]["code"] == "stale"
        assert reply["id"] is not None
        await socket.send(json.dumps(command("hold", link_ms=link_ms - 4_000)))
        assert (await receive(socket, "reply"))["reply"]["ok"] is True
    assert [request.command for request, _ in site.room.commands] == ["hold"]


@pytest.mark.parametrize("text", ["", "[", "[]", "5", "{}", '{"id": "x", "command": "hold"}', "[" * 5000])
async def test_nonsense_is_answered_and_the_link_lives(site: Served, text: str) -> None:
    async with site.live() as socket:
        await socket.send(text)
        reply = (await receive(socket, "reply"))["reply"]
        assert reply["ok"] is False
        await socket.send(json.dumps(command("hold")))
        assert (await receive(socket, "reply"))["reply"]["ok"] is True


async def test_binary_and_oversized_messages(site: Served) -> None:
    async with site.live() as socket:
        await socket.send(b"\x00\x01")
        assert (await receive(socket, "reply"))["reply"]["ok"] is False
        await socket.send(json.dumps(command("note", text="x" * 20_000)))
        assert (await receive(socket, "reply"))["reply"]["refused"]["code"] == "too_large"
        await socket.send("x" * 100_000)
        await all_until_closed(socket)
    assert site.room.commands == []


async def all_until_closed(socket: ClientConnection) -> int | None:
    with suppress(ConnectionClosed):
        async with asyncio.timeout(4):
            async for _ in socket:
                pass
    return socket.close_code


async def closed_with(site: Served, path: str, role: Role | None) -> int | None:
    headers = {} if role is None else {"Authorization": f"Bearer {site.access.issue_token(role, 'x')}"}
    async with site.socket(path, headers) as socket:
        with pytest.raises(ConnectionClosed) as caught:
            await socket.recv()
        assert caught.value.rcvd is not None
        return caught.value.rcvd.code


async def test_who_may_connect(site: Served) -> None:
    assert await closed_with(site, LIVE, None) == 4401
    assert await closed_with(site, LIVE, Role.DISPLAY) == 4403
    assert await closed_with(site, "/api/v1/rooms/attic/live", Role.THERAPIST) == 4404
    assert await closed_with(site, "/api/v1/rooms/garden/display", Role.DESIGNER) == 4403


async def test_foreign_pages_cannot_connect(site: Served) -> None:
    token = site.access.issue_token("therapist", "x")
    with pytest.raises(InvalidStatus) as caught:
        async with site.socket(LIVE, {"Cookie": f"stillroom={token}"}, origin="http://evil.example"):
            pass
    assert caught.value.response.status_code == 403
    async with site.socket(LIVE, {"Cookie": f"stillroom={token}"}, origin=site.url) as socket:
        await receive(socket, "snapshot")


async def test_a_room_that_fails_still_answers(site: Served) -> None:
    async def broken(request: CommandRequest, by: str) -> Reply:
        raise JournalError("the disk is full")

    site.room.submit = broken  # type: ignore[method-assign]
    async with site.live() as socket, site.client() as client:
        await socket.send(json.dumps(command("hold")))
        reply = (await receive(socket, "reply"))["reply"]
        assert (reply["refused"]["code"], reply["refused"]["message"]) == ("failed", "the disk is full")
        answer = await client.post("/api/v1/rooms/garden/commands", json=command("hold"))
        assert answer.status_code == 409
        assert answer.json()["id"] is not None


async def test_designer_sees_but_does_not_control(site: Served) -> None:
    async with site.live(Role.DESIGNER) as socket:
        await receive(socket, "snapshot")
        await socket.send(json.dumps(command("hold")))
        assert (await receive(socket, "reply"))["reply"]["refused"]["code"] == "forbidden"
    assert site.room.commands == []


async def test_revoked_tablet_is_put_out(site: Served) -> None:
    token = site.access.issue_token("therapist", "lost tablet")
    grant = site.access.grant_of(token)
    assert grant is not None
    async with site.socket(LIVE, {"Authorization": f"Bearer {token}"}) as socket:
        await receive(socket, "snapshot")
        site.access.revoke(grant.token_id)
        await socket.send(json.dumps(command("hold")))
        assert await all_until_closed(socket) == 4401
    assert site.room.commands == []


async def test_a_tablet_that_leaves_is_let_go(site: Served) -> None:
    async with site.live() as socket:
        await receive(socket, "snapshot")
    async with asyncio.timeout(3), site.live() as socket:
        await receive(socket, "snapshot")
        await socket.send(json.dumps(command("skip_track")))
        await receive(socket, "reply")


def prompt(prompt_id: str, audience: Audience = Audience.CLIENT, ttl_s: int = 60) -> Prompt:
    return Prompt(prompt_id, "Feel both feet meet the floor.", None, audience, ttl_s)


async def test_display_shows_client_prompts_only_and_acknowledges(site: Served) -> None:
    async with site.live(Role.DISPLAY, "display") as socket:
        await receive(socket, "beat")
        site.screen.publish(prompt("p0", Audience.THERAPIST))
        site.screen.publish(prompt("p1"))
        shown = await receive(socket, "prompt")
        assert shown == {"type": "prompt", "id": "p1", "text": "Feel both feet meet the floor.", "ttl_s": 60}
        await socket.send(json.dumps(command("hold")))  # a display may say one thing only
        await socket.send(json.dumps(command("prompt_ack", prompt_id="p1", result="shown")))
        async with asyncio.timeout(2):
            while not site.room.commands:
                await receive(socket, "beat")
    assert [(request.command, by) for request, by in site.room.commands] == [("prompt_ack", "display:tablet")]


async def test_display_that_comes_late_gets_what_waits_and_never_twice(site: Served) -> None:
    site.screen.publish(prompt("p2"))
    async with site.live(Role.DISPLAY, "display") as socket:
        assert (await receive(socket, "prompt"))["id"] == "p2"
        await socket.send(json.dumps(command("prompt_ack", prompt_id="p2", result="shown")))
        async with asyncio.timeout(2):
            while not site.room.commands:
                await receive(socket, "beat")
    async with site.live(Role.DISPLAY, "display") as socket:
        for _ in range(2):
            assert json.loads(await socket.recv())["type"] == "beat"
