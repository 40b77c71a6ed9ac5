"""Throws a great many payloads at a room's command and acknowledgement topics.

``python tests/shell/mqtt_fuzz.py 1000000`` says how many were thrown, refused and obeyed, and how memory
went; it fails on any exception, on a change of state by what is not a command, and on memory that grows.
"""

import asyncio
import json
import logging
import random
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from uuid import UUID

if __name__ == "__main__":  # run as a program: find our own fakes and the product
    sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[2])]

from mqtt_fake_room import MqttFakeRoom

from controller.clock import ManualClock
from controller.errors import RefusedError
from controller.mqtt_api import RoomMqtt
from controller.mqtt_homeassistant import Discovery
from controller.mqtt_messages import parse_ack
from controller.ports import MqttMessage
from controller.wire import command_names, parse_command

COMMAND, ACK = "stillroom/garden/command", "stillroom/garden/prompt/ack"
WORDS = [
    "id", "command", "sent_at_ms", "dry_run", "zone", "brightness", "kelvin", "colour", "fade_s", "until",
    "minutes", "profile", "db", "trim", "steps", "text", "prompt", "audience", "result", "by",
]  # fmt: skip


class FakeLink:
    """A broker link that is always up and keeps nothing but a count."""

    up, speaks_v5, health = True, True, None

    def __init__(self) -> None:
        self.handlers: dict[str, Callable[[MqttMessage], None]] = {}
        self.published: list[tuple[str, bytes]] = []
        self.count = 0

    def publish(self, topic: str, payload: bytes, **more: object) -> None:
        self.count += 1
        self.published = [*self.published[-50:], (topic, payload)]

    def subscribe(self, topic_filter: str, handler: Callable[[MqttMessage], None], *, qos: int = 1) -> None:
        self.handlers[topic_filter] = handler

    def on_up(self, callback: Callable[[], None]) -> None:
        callback()

    def on_down(self, callback: Callable[[str], None]) -> None: ...

    async def run(self) -> None: ...


class Target:
    """A room's door without a broker, on a clock that is moved by hand."""

    def __init__(self) -> None:
        self.clock = ManualClock(1_790_000_000_000)
        self.room = MqttFakeRoom(self.clock)
        self.link = FakeLink()
        self.door = RoomMqtt(self.link, self.room, self.clock, discovery=Discovery.OFF)
        self._task: asyncio.Task[None] | None = None

    async def open(self) -> None:
        self._task = asyncio.create_task(self.door.run())
        await settle()

    async def close(self) -> None:
        assert self._task is not None
        assert not self._task.done(), "the door fell shut"
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    def throw(self, topic: str, payload: bytes, *, retain: bool = False, response: str | None = None) -> None:
        self.clock.advance_by(20)
        self.link.handlers[topic](
            MqttMessage(topic, payload, 1, retain, response, b"c" if response else None)
        )


def is_command(payload: bytes) -> bool:
    try:
        parse_command(payload)
    except RefusedError:
        return False
    return True


def is_ack(payload: bytes) -> bool:
    try:
        parse_ack(payload)
    except RefusedError:
        return False
    return True


async def settle() -> None:
    for _ in range(3):
        await asyncio.sleep(0)


def any_json(source: random.Random, depth: int = 0) -> object:
    kind = source.randrange(11 if depth < 4 else 8)
    match kind:
        case 0:
            return None
        case 1:
            return source.random() < 0.5
        case 2:
            return source.choice([0, -1, 1, 2**63, -(2**70), 10**300, source.randrange(-(10**6), 10**6)])
        case 3:
            return source.choice([0.1, -0.0, 1e308, -1e-308, float("inf"), float("nan")])
        case 4:
            return source.choice(WORDS)
        case 5:
            return str(UUID(int=source.getrandbits(128)))
        case 6:
            return "".join(chr(source.choice([0, 10, 34, 92, 0xD7FF, 0xE000, 0x1F600, 65])) for _ in range(5))
        case 7:
            return source.choice(command_names())
        case 8:
            return [any_json(source, depth + 1) for _ in range(source.randrange(4))]
        case _:
            return {source.choice(WORDS): any_json(source, depth + 1) for _ in range(source.randrange(6))}


def payload(source: random.Random) -> bytes:
    """One payload: noise, almost JSON, JSON of any shape, or a command gone wrong."""
    kind = source.randrange(6)
    if kind == 0:
        return source.randbytes(source.randrange(64))
    if kind == 1:
        return b"[" * source.randrange(3_000) + source.randbytes(4)
    if kind == 2:
        return json.dumps(any_json(source)).encode()
    command: dict[str, object] = {
        "id": str(UUID(int=source.getrandbits(128))),
        "command": source.choice(command_names()),
    }
    for _ in range(source.randrange(4)):
        command[source.choice(WORDS)] = any_json(source, 3)
    text = bytearray(json.dumps(command).encode())
    if kind == 3:
        text[source.randrange(len(text))] = source.randrange(256)
    elif kind == 4:
        del text[source.randrange(len(text)) :]
    return bytes(text)


def memory_kb() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


async def run(count: int, seed: int = 7) -> dict[str, object]:
    source = random.Random(seed)
    target = Target()
    await target.open()
    obeyed, settled, may = 0, 0, 0
    started = time.monotonic()
    for number in range(count):
        thrown = payload(source)
        topic = ACK if number % 10 == 9 else COMMAND
        retain = number % 7 == 0
        response = source.choice([None, "a/b", "stillroom/garden/state", "x" * 300, "+", f"r/{number % 999}"])
        target.throw(topic, thrown, retain=retain, response=response)
        may += not retain and (is_command(thrown) if topic == COMMAND else is_ack(thrown))
        if number % 20 == 0:
            await settle()
            assert target.room.submitted <= may, "something that is no command was obeyed"
        if number == count // 4:
            settled = memory_kb()
        if number % 1_000 == 0:
            obeyed += len(target.room.applied)
            target.room.applied.clear()
            target.room._answers.clear()
    obeyed += len(target.room.applied)
    await target.close()
    grown = memory_kb() - settled
    assert grown < 8_192, f"memory grew by {grown} kB"
    seconds = time.monotonic() - started
    return {"thrown": count, "obeyed": obeyed, "memory_grown_kb": grown, "seconds": round(seconds, 1)}


if __name__ == "__main__":
    logging.disable(logging.CRITICAL)
    print(json.dumps(asyncio.run(run(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000))))  # noqa: T201
