"""The HTTP API through real sockets: what it answers, to whom, and what it refuses."""

import json
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from web_serving import PIN, Served, command, served

from controller.web.access import Role


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Served]:
    async with served(tmp_path) as found:
        yield found


COMMANDS = "/api/v1/rooms/garden/commands"


async def test_health_needs_no_token_and_names_the_reasons(site: Served) -> None:
    async with site.client(None) as client:
        assert (await client.get("/healthz")).json() == {"ok": True, "reasons": []}
        site.reasons.append("garden: the bridge does not answer")
        answer = await client.get("/healthz")
        assert answer.status_code == 503
        assert answer.json()["reasons"] == ["garden: the bridge does not answer"]


async def test_nothing_else_opens_without_a_token(site: Served) -> None:
    paths = ("rooms", "rooms/garden", "rooms/garden/ribbon", "profiles", "presets", "pools", "prompts")
    async with site.client(None) as client:
        for path in (*paths, "sessions", "sessions/5f2e/report", "me", "devices"):
            assert (await client.get(f"/api/v1/{path}")).status_code == 401, path
        for path, body in (
            ("rooms/garden/commands", command("hold")),
            ("rooms/garden/sheet", {}),
            ("pin", None),
        ):
            assert (await client.post(f"/api/v1/{path}", json=body)).status_code == 401, path
        assert (await client.delete("/api/v1/devices/x")).status_code == 401
    assert site.room.commands == []


async def test_pairing_gives_a_token_and_a_cookie_that_scripts_cannot_read(site: Served) -> None:
    async with site.client(None) as client:
        answer = await client.post("/api/v1/pair", json={"pin": PIN, "name": "tablet by\nthe window"})
        assert answer.status_code == 200
        assert answer.json()["role"] == "therapist"
        assert answer.json()["name"] == "tablet by the window"
        cookie = answer.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=strict" in cookie
        assert "Secure" not in cookie
        assert (await client.get("/api/v1/rooms")).status_code == 200  # by the cookie
    async with httpx.AsyncClient(base_url=site.url, trust_env=False) as other:
        bearer = {"Authorization": f"Bearer {answer.json()['token']}"}
        assert (await other.get("/api/v1/me", headers=bearer)).json()["name"] == "tablet by the window"


async def test_ten_wrong_pins(site: Served) -> None:
    async with site.client(None) as client:
        found = [await client.post("/api/v1/pair", json={"pin": "000000"}) for _ in range(10)]
        assert [answer.status_code for answer in found] == [401] * 5 + [429] * 5
        assert int(found[-1].headers["retry-after"]) > 0
        assert (await client.post("/api/v1/pair", json={"pin": PIN})).status_code == 429
        assert "set-cookie" not in found[0].headers
    async with site.client() as paired:
        assert (await paired.get("/api/v1/rooms")).status_code == 200  # who is in stays in


async def test_pairing_as_installer_needs_the_command_line(site: Served) -> None:
    async with site.client(None) as client:
        answer = await client.post("/api/v1/pair", json={"pin": PIN, "role": "installer"})
        assert answer.status_code == 401
        token = site.access.issue_token("installer", "laptop")
        assert (await client.post("/api/v1/pair/token", json={"token": token})).json()["role"] == "installer"
        assert (await client.get("/api/v1/devices")).status_code == 200
        own = {"Origin": site.url}
        bad = await client.post("/api/v1/pair/token", json={"token": "x" * 43}, headers=own)
        assert bad.status_code == 401


async def test_rooms_state_and_ribbon(site: Served) -> None:
    async with site.client() as client:
        rooms = (await client.get("/api/v1/rooms")).json()
        line = {"room": "garden", "title": "Garden room", "session": "Psilocybin"}
        assert rooms == [line | {"status": "running", "faults": 0}]
        state = (await client.get("/api/v1/rooms/garden")).json()
        assert state["session"]["phase"] == "settle"
        assert state["session"]["unreviewed"] is True
        ribbon = (await client.get("/api/v1/rooms/garden/ribbon")).json()
        assert [zone["zone"] for zone in ribbon["zones"]] == ["ceiling", "bedside", "path"]
        other = (await client.get("/api/v1/rooms/garden/ribbon", params={"profile": "quiet_room"})).json()
        assert other["profile"] == "quiet_room"
        unknown = (
            "rooms/attic",
            "rooms/attic/ribbon",
            "rooms/garden/ribbon?profile=none",
            "pools?room=attic",
        )
        for path in unknown:
            assert (await client.get(f"/api/v1/{path}")).status_code == 404, path


async def test_commands_are_applied_once(site: Served) -> None:
    async with site.client() as client:
        body = command("light_trim", trim="dimmer")
        before = site.room.zones["ceiling"].brightness_percent
        first = await client.post(COMMANDS, json=body)
        after = site.room.zones["ceiling"].brightness_percent
        second = await client.post(COMMANDS, json=body)
        assert (first.status_code, second.status_code) == (200, 200)
        assert first.json()["ok"] is True
        assert first.json()["journaled"] is True
        assert second.json()["repeated"] is True
        assert before > after == site.room.zones["ceiling"].brightness_percent
        assert site.room.commands[0][1] == "therapist:test"


async def test_refusals_answer_with_the_reply(site: Served) -> None:
    async with site.client() as client:
        refused = await client.post(COMMANDS, json=command("resume"))
        assert refused.status_code == 409
        assert refused.json()["refused"]["code"] == "not_held"
        wrong = await client.post(COMMANDS, json=command("hodl"))
        assert wrong.status_code == 422
        assert "did you mean 'hold'" in wrong.json()["refused"]["message"]
        for body in (b"", b"[", b"[]", b'"x"', b"{}", b'{"id": 5, "command": "hold"}', b"\xff\xfe"):
            answer = await client.post(COMMANDS, content=body)
            assert answer.status_code == 422, body
            assert answer.json()["ok"] is False
        assert (await client.post("/api/v1/rooms/attic/commands", json=command("hold"))).status_code == 404


async def test_large_bodies_are_refused(site: Served) -> None:
    async with site.client() as client:
        long = await client.post(COMMANDS, json=command("note", text="x" * 17_000))
        assert long.status_code == 413
        larger = await client.post(COMMANDS, content=b"x" * 70_000)
        assert larger.status_code == 413

        async def chunks() -> AsyncIterator[bytes]:
            for _ in range(20):
                yield b"x" * 8_000

        endless = await client.post(COMMANDS, content=chunks())
        assert endless.status_code == 413
    assert site.room.notes == []


@pytest.mark.parametrize("role", [Role.DESIGNER, Role.INSTALLER, Role.DISPLAY])
async def test_only_the_therapist_controls(site: Served, role: Role) -> None:
    async with site.client(role) as client:
        assert (await client.post(COMMANDS, json=command("hold"))).status_code == 403
        assert (await client.post("/api/v1/rooms/garden/sheet", json={})).status_code == 403
        assert (await client.get("/api/v1/sessions")).status_code == 403
        seen = 403 if role is Role.DISPLAY else 200
        assert (await client.get("/api/v1/rooms/garden")).status_code == seen
        listed = 200 if role is Role.INSTALLER else 403
        assert (await client.get("/api/v1/devices")).status_code == listed
    assert site.room.commands == []


async def test_foreign_origin_is_refused_even_with_a_token(site: Served) -> None:
    async with site.client(Origin="http://evil.example") as client:
        assert (await client.post(COMMANDS, json=command("hold"))).status_code == 403
        assert (await client.post("/api/v1/pair", json={"pin": PIN})).status_code == 403
    async with site.client(Origin=site.url) as client:
        assert (await client.post(COMMANDS, json=command("hold"))).status_code == 200
    assert len(site.room.commands) == 1


@pytest.mark.parametrize("origin", ["null", "http://127.0.0.1", "file://", "http://127.0.0.1:1", "x"])
async def test_odd_origins_are_foreign(site: Served, origin: str) -> None:
    async with site.client(Origin=origin) as client:
        assert (await client.post(COMMANDS, json=command("hold"))).status_code == 403


async def test_a_cookie_without_origin_is_not_believed(site: Served) -> None:
    token = site.access.issue_token("therapist", "a")
    async with httpx.AsyncClient(base_url=site.url, cookies={"stillroom": token}, trust_env=False) as client:
        assert (await client.post(COMMANDS, json=command("hold"))).status_code == 403
        good = await client.post(COMMANDS, json=command("hold"), headers={"Origin": site.url})
        assert good.status_code == 200


async def test_revoked_device_is_out_at_once(site: Served) -> None:
    async with site.client(Role.THERAPIST) as tablet, site.client(Role.INSTALLER) as installer:
        device = (await tablet.get("/api/v1/me")).json()
        assert (await installer.delete(f"/api/v1/devices/{device['token_id']}")).status_code == 204
        assert (await tablet.get("/api/v1/rooms")).status_code == 401
        assert (await installer.delete(f"/api/v1/devices/{device['token_id']}")).status_code == 404


async def test_unpair_forgets_this_device(site: Served) -> None:
    async with site.client() as client:
        assert (await client.post("/api/v1/unpair")).status_code == 204
        assert (await client.get("/api/v1/me")).status_code == 401


async def test_new_pin(site: Served) -> None:
    async with site.client(Role.INSTALLER) as client:
        answer = await client.post("/api/v1/pin")
        assert answer.status_code == 204
        assert answer.content == b""


async def test_sheet_before_the_start_only(site: Served) -> None:
    async with site.client() as client:
        body = {"touch": "no", "excluded_pools": ["vast"], "intention": "to rest"}
        locked = await client.post("/api/v1/rooms/garden/sheet", json=body)
        assert locked.status_code == 409
        assert locked.json()["code"] == "session_running"
        site.room.ended = True
        assert (await client.post("/api/v1/rooms/garden/sheet", json=body)).status_code == 204
        assert site.room.sheet is not None
        assert site.room.sheet.touch == "no"
        assert site.room.sheet.excluded_pools == ("vast",)
        assert site.room.intention == "to rest"
        odd = await client.post("/api/v1/rooms/garden/sheet", json={"diagnosis": "x"})
        assert odd.status_code == 422


async def test_lists_and_report_hold_no_free_text(site: Served) -> None:
    async with site.client() as client:
        listed = {"profiles": "psilocybin", "pools": "warm", "prompts": "breath", "presets": "path"}
        for path, name in listed.items():
            found = (await client.get(f"/api/v1/{path}", params={"room": "garden"})).json()
            assert name in {item["name"] for item in found}
            assert set(found[0]) == {"name", "title", "detail", "reviewed"}
        await client.post(COMMANDS, json=command("note", chip="tears", text="SECRET WORDS"))
        sessions = (await client.get("/api/v1/sessions")).json()
        report = await client.get(f"/api/v1/sessions/{sessions[0]['session_id']}/report")
        assert [record["body"]["kind"] for record in report.json()] == ["note_taken"]
        assert "SECRET" not in report.text
        assert (await client.get("/api/v1/sessions/none/report")).status_code == 404
        assert "SECRET" not in (await client.get("/api/v1/rooms/garden")).text
    assert site.room.notes == [("tears", "SECRET WORDS")]


async def test_openapi_names_every_call_and_resolves(site: Served) -> None:
    async with site.client(None) as client:
        document = (await client.get("/api/openapi.json")).json()
    assert document["paths"].keys() >= {
        "/healthz",
        "/api/v1/pair",
        "/api/v1/rooms",
        "/api/v1/rooms/{room}",
        "/api/v1/rooms/{room}/commands",
        "/api/v1/sessions/{session_id}/report",
    }
    text = json.dumps(document)
    parts = document["components"]["schemas"]
    names = {part.split('"')[0] for part in text.split("#/components/schemas/")[1:]}
    assert names <= parts.keys()
    assert "$defs" not in text
    assert "StartRequest" in parts
    assert "Snapshot" in parts


async def test_headers_bind_the_browser(site: Served) -> None:
    async with site.client() as client:
        for path in ("/pair", "/api/v1/rooms", "/static/base.css", "/healthz"):
            headers = (await client.get(path)).headers
            assert "default-src 'none'" in headers["content-security-policy"]
            assert "unsafe" not in headers["content-security-policy"]
            assert "frame-ancestors 'none'" in headers["content-security-policy"]
            assert headers["x-content-type-options"] == "nosniff"
            assert headers["cache-control"] == ("no-cache" if "static" in path else "no-store")
            assert "server" not in headers


async def test_policy_is_not_written_by_the_host_header(site: Served) -> None:
    async with site.client(Host="evil; script-src *") as client:
        assert "evil" not in (await client.get("/pair")).headers["content-security-policy"]


async def test_same_id_over_http_and_socket_is_one_command(site: Served) -> None:
    body = command("volume_trim", db=-2)
    async with site.client() as client, site.live() as socket:
        await client.post(COMMANDS, json=body)
        await socket.send(json.dumps(body))
        async for text in socket:
            message = json.loads(text)
            if message["type"] == "reply":
                assert message["reply"]["repeated"] is True
                break
    assert site.room.trim_db == -2
    assert uuid.UUID(body["id"]) == site.room.commands[0][0].id
