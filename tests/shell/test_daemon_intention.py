"""The intention is the client's own words: it is kept with the notes, and nowhere else is it ever seen."""

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest_asyncio
import websockets
from daemon_rig import Rig
from mqtt_peer import Peer

from controller.journal import journal_path

WORDS = "to sit with Kastanienbaum and grief"
MARK = "Kastanienbaum"


@pytest_asyncio.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    rig = Rig(tmp_path)
    yield rig
    await rig.clean_up()


def stored_notes(data: Path) -> list[tuple[str, str]]:
    """Every free text in the room's journal."""
    with closing(sqlite3.connect(journal_path(data, "garden"))) as journal:
        return list(journal.execute("SELECT chip, text FROM notes"))


async def test_intention_is_with_the_notes_and_in_nothing_that_is_shown_or_sent(rig: Rig) -> None:
    async with Peer(rig.mqtt_port) as peer:
        await rig.start(profile=None)
        await peer.connect("#")
        headers = {"Authorization": f"Bearer {rig.token}"}
        url = f"ws://127.0.0.1:{rig.port}/api/v1/rooms/garden/live"
        async with rig.web() as web, websockets.connect(url, additional_headers=headers) as link:
            sheet = {"touch": "no", "intention": WORDS}
            assert (await web.post("/api/v1/rooms/garden/sheet", json=sheet)).is_success
            assert (await rig.command("start", profile="tiny"))["ok"]
            assert (await rig.command("light_trim", trim="dimmer"))["journaled"]
            session = (await rig.snapshot())["session"]["session_id"]
            seen = [
                (await web.get(path)).text
                for path in (
                    "/api/v1/rooms", "/api/v1/rooms/garden", "/api/v1/rooms/garden/ribbon",
                    "/api/v1/sessions", f"/api/v1/sessions/{session}/report",
                    f"/rooms/garden/sessions/{session}", "/rooms/garden",
                    "/rooms/garden/live", "/healthz",
                )
            ]  # fmt: skip
            report = seen[4]
            assert '"touch":"no"' in report.replace(" ", "")  # the sheet is there, the words are not
            await asyncio.sleep(1.5)  # whatever the change leads to has gone out by now
            while True:
                try:
                    async with asyncio.timeout(0.2):
                        seen.append(str(await link.recv()))
                except TimeoutError:
                    break
                if len(seen) > 200:
                    break
        sent = []
        while not peer._messages.empty():
            topic, payload = peer._messages.get_nowait()
            sent.append((topic, payload.decode(errors="replace")))
        assert any("session_started" in payload for topic, payload in sent if topic.endswith("/event"))
        assert await rig.stop() == 0
    seen += [json.dumps(sent), await rig.rest_of_output()]
    assert [text for text in seen if MARK in text] == []
    assert stored_notes(rig.data) == [("intention", WORDS)]
    plain = [path for path in rig.data.rglob("*") if path.is_file() and ".sqlite3" not in path.name]
    assert [path.name for path in plain if MARK.encode() in path.read_bytes()] == []
