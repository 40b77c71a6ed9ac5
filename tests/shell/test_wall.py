"""The front desk's wall: what it shows, what it never shows, and who may see it."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mqtt_brokers import Mosquitto, Stranger, running, until
from mqtt_fake_room import MqttFakeRoom
from web_serving import served

from controller.broker_config import BrokerPlan, read_password, write_broker_config
from controller.clock import ManualClock, RealClock
from controller.core.broker_access import wall_grants
from controller.daemon.wall import run_wall
from controller.mqtt_api import MqttApi
from controller.mqtt_topics import will_for
from controller.ports import MqttMessage
from controller.wall import (
    MOST_ROOMS,
    SILENT_AFTER_MS,
    WallBoard,
    WallLine,
    line_of_message,
    line_of_snapshot,
)
from controller.web.access import Role
from hardware.mqtt_link import MqttLink, MqttSettings

FORBIDDEN = ("quiet", "s1", "Bowls", "undo", "touch", "session_id", "profile")
"""What a room's state holds and the wall must not: profile, session id, what is heard."""


class Said:
    """A link that is spoken to by hand."""

    def __init__(self) -> None:
        self.handlers: dict[str, Callable[[MqttMessage], None]] = {}

    def subscribe(self, topic_filter: str, handler: Callable[[MqttMessage], None], *, qos: int = 1) -> None:
        self.handlers[topic_filter] = handler

    def say(self, room: str, part: str, payload: bytes, *, retain: bool = False) -> None:
        message = MqttMessage(f"stillroom/{room}/{part}", payload, 0, retain=retain)
        self.handlers[f"stillroom/+/{part}"](message)


def state_of(room: MqttFakeRoom) -> bytes:
    from pydantic import TypeAdapter

    from controller.core.snapshot import Snapshot

    return TypeAdapter(Snapshot).dump_json(room.snapshot())


def board() -> tuple[WallBoard, Said, ManualClock]:
    clock, link = ManualClock(), Said()
    wall = WallBoard(clock)
    wall.listen(link)  # type: ignore[arg-type]
    return wall, link, clock


def test_the_line_of_a_message_is_the_line_of_its_snapshot() -> None:
    room = MqttFakeRoom(ManualClock())
    line = line_of_message("garden", state_of(room))
    assert line == line_of_snapshot(room.snapshot())
    assert line is not None
    assert (line.session, line.phase) == ("running", "Sit")
    assert line.planned_end_ms == room.snapshot().now_ms + 1_800_000
    room.running = False
    assert line_of_message("garden", state_of(room)) == WallLine("garden", "Garden room", "online")


def test_a_room_that_says_nothing_is_called_silent_and_one_that_left_offline() -> None:
    wall, link, clock = board()
    room = MqttFakeRoom(clock)
    link.say("garden", "status", b"online", retain=True)
    assert [line.link for line in wall.lines()] == ["silent"]
    link.say("garden", "state", state_of(room), retain=True)
    assert [line.session for line in wall.lines()] == ["running"]
    clock.advance_by(SILENT_AFTER_MS + 1)
    assert wall.lines() == (WallLine("garden", "Garden room", "silent"),)
    link.say("garden", "state", state_of(room))
    link.say("garden", "status", b"offline")
    assert wall.lines() == (WallLine("garden", "Garden room", "offline"),)


@given(st.binary(max_size=200) | st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.sampled_from(["session", "status", "faults", "title", "planned_end_ms"]), inner),
    max_leaves=8,
).map(lambda plain: json.dumps(plain).encode()))  # fmt: skip
def test_whatever_a_stranger_sends_costs_nothing(payload: bytes) -> None:
    line = line_of_message("garden", payload)
    assert line is None or (
        line.room == "garden" and line.session in ("none", "running", "held", "asking", "ended")
    )


def test_a_flood_of_room_names_does_not_fill_the_memory() -> None:
    wall, link, _ = board()
    for number in range(MOST_ROOMS + 50):
        link.say(f"r{number}", "status", b"online")
    assert len(wall.lines()) == MOST_ROOMS


async def test_the_program_shows_rooms_of_many_daemons_and_nothing_of_a_client(tmp_path: Path) -> None:
    broker = Mosquitto(tmp_path / "broker")
    await broker.start()
    clock = RealClock()
    attic, garden = MqttFakeRoom(clock, "attic"), MqttFakeRoom(clock)
    attic.running = False

    def door(room: MqttFakeRoom) -> MqttApi:
        settings = MqttSettings("127.0.0.1", broker.port, f"test-{room.room_id}")
        return MqttApi(
            {room.room_id: MqttLink(clock, settings, will_for(room.room_id))}, {room.room_id: room}, clock
        )

    port: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    wall = lambda: run_wall(clock, "127.0.0.1", broker.port, page_port=0, started=port.set_result)  # noqa: E731
    try:
        async with running(wall, door(garden).run) as tasks, httpx.AsyncClient() as web:
            url = f"http://127.0.0.1:{await port}"
            shown: list[dict[str, object]] = []

            async def ask(rooms: int) -> bool:
                answer = await web.get(f"{url}/api/v1/wall")
                assert not any(word in answer.text for word in FORBIDDEN)
                shown[:] = answer.json()["rooms"]
                return len(shown) == rooms and all(row["link"] == "online" for row in shown)

            async with running(door(attic).run):
                async with asyncio.timeout(10):
                    while not await ask(2):
                        await asyncio.sleep(0.05)
                assert {str(row["room"]): row["session"] for row in shown} == {
                    "attic": "none",
                    "garden": "running",
                }
            async with asyncio.timeout(10):
                while await ask(2):
                    await asyncio.sleep(0.05)
            assert [row["link"] for row in shown if row["room"] == "attic"] == ["offline"]
            page = await web.get(f"{url}/")
            assert "/static/wall.js" in page.text
            assert (await web.get(f"{url}/static/wall.js")).status_code == 200
            assert (await web.get(f"{url}/", headers={"Host": "elsewhere.example"})).status_code == 400
            await broker.kill()
            async with asyncio.timeout(10):
                while (await web.get(f"{url}/api/v1/wall")).json()["problem"] is None:
                    await asyncio.sleep(0.05)
            assert tasks
    finally:
        await broker.kill()


async def test_the_written_wall_user_sees_every_room_and_says_nothing(tmp_path: Path) -> None:
    broker = Mosquitto(tmp_path / "run", "")
    plan = BrokerPlan(("attic", "garden"), port=broker.port, state_folder=str(tmp_path), run_as="root")
    written = write_broker_config(tmp_path, plan)
    broker = Mosquitto(tmp_path / "run", written.conf.read_text(), broker.port)
    await broker.start()
    try:
        login = {name: read_password(tmp_path, name) for name in ("wall", "garden-controller")}
        async with (
            Stranger(broker.port, "w", username="wall", password=login["wall"]) as wall,
            Stranger(
                broker.port, "c", username="garden-controller", password=login["garden-controller"]
            ) as room,
        ):
            await wall.subscribe("stillroom/+/state")
            await wall.subscribe("stillroom/#")
            await room.subscribe("stillroom/garden/command")
            wall.publish("stillroom/garden/command", "{}")
            room.publish("stillroom/garden/prompt/client", "words")
            room.publish("stillroom/garden/state", "{}")
            await until(lambda: wall.on("stillroom/garden/state"), what="the state")
            assert {message.topic for message in wall.got} == {"stillroom/garden/state"}
            assert room.on("stillroom/garden/command") == []
        assert wall_grants().write == ()
    finally:
        await broker.kill()


@pytest.mark.parametrize("role", list(Role))
async def test_the_daemon_s_wall_is_for_displays_and_therapists(tmp_path: Path, role: Role) -> None:
    may = role in (Role.DISPLAY, Role.THERAPIST)
    async with served(tmp_path) as house, house.client(role) as web, house.client(None) as stranger:
        found = await web.get("/api/v1/wall")
        page = await web.get("/wall")
        assert (found.status_code, page.status_code) == ((200, 200) if may else (403, 403))
        if may:
            assert [row["room"] for row in found.json()["rooms"]] == ["garden"]
            assert "wall.js" in page.text
        assert (await stranger.get("/api/v1/wall")).status_code == 401
        assert (await stranger.get("/wall")).status_code == 303
