"""Between paho and its socket: no byte lost, doubled or out of order, and few calls."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mqtt_brokers import Mosquitto, running, until
from paho.mqtt import client as paho

from controller.clock import RealClock
from controller.ports import MqttMessage
from hardware.mqtt_link import MqttLink, MqttSettings
from hardware.mqtt_stream import READ_BYTES, ReadAhead, WriteBehind


class Source:
    """A socket that has these bytes, in pieces of at most so many; then nothing."""

    def __init__(self, data: bytes, piece: int) -> None:
        self.left, self.piece, self.calls = data, piece, 0

    def recv(self, most: int) -> bytes:
        self.calls += 1
        if not self.left:
            raise BlockingIOError
        taken, self.left = self.left[: min(most, self.piece)], self.left[min(most, self.piece) :]
        return taken


@given(st.binary(max_size=5_000), st.integers(1, 2_000), st.lists(st.integers(1, 700), min_size=1))
def test_read_ahead_hands_out_what_came_in_order(data: bytes, piece: int, asked: list[int]) -> None:
    source, ahead, got = Source(data, piece), ReadAhead(), bytearray()
    for turn in range(len(data) + 1):
        ahead.begin_turn()
        try:
            while True:
                some = ahead.take(asked[turn % len(asked)], source.recv)
                assert 0 < len(some) <= asked[turn % len(asked)]
                got += some
        except BlockingIOError:
            assert not len(ahead)
    assert bytes(got) == data


def test_a_turn_asks_the_socket_once_if_that_emptied_it() -> None:
    source, ahead = Source(b"x" * 100, 1_000), ReadAhead()
    ahead.begin_turn()
    assert b"".join(ahead.take(7, source.recv) for _ in range(15)) == b"x" * 100
    with pytest.raises(BlockingIOError):
        ahead.take(7, source.recv)
    assert source.calls == 1


def test_what_was_more_than_one_read_is_read_on_in_the_same_turn() -> None:
    source, ahead, got = Source(b"x" * (READ_BYTES + 5), 10**9), ReadAhead(), 0
    ahead.begin_turn()
    for _ in range(3):
        got += len(ahead.take(READ_BYTES, source.recv)) if got < READ_BYTES + 5 else 0
    assert got == READ_BYTES + 5


def test_the_other_sides_end_is_told() -> None:
    assert ReadAhead().take(1, lambda _: b"") == b""


@given(st.lists(st.binary(max_size=50)), st.lists(st.integers(0, 60), min_size=1))
def test_write_behind_writes_everything_in_order_whatever_the_socket_takes(
    parts: list[bytes], takes: list[int]
) -> None:
    written, behind, turn = bytearray(), WriteBehind(), 0

    def send(data: bytes) -> int:
        nonlocal turn
        turn += 1
        most = takes[turn % len(takes)] or (turn % 3 == 0)
        if not most:
            raise BlockingIOError
        written.extend(data[:most])
        return len(data[:most])

    for part in parts:
        assert behind.put(part) == len(part)
        behind.flush(send)
    for _ in range(3 * sum(map(len, parts)) + 3):
        behind.flush(send)
    assert bytes(written) == b"".join(parts)
    assert not len(behind)


async def test_a_rooms_words_take_one_write_and_few_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sixteen messages queued in one turn: paho itself would write sixteen times and read fifty times."""
    calls: dict[str, int] = {"send": 0, "recv": 0}

    def counted(name: str, call: Callable[..., object]) -> Callable[..., object]:
        def count(client: paho.Client, argument: object) -> object:
            calls[name] += 1
            return call(client, argument)

        return count

    # What our client falls back on to touch the socket.
    monkeypatch.setattr(paho.Client, "_sock_send", counted("send", paho.Client._sock_send))
    monkeypatch.setattr(paho.Client, "_sock_recv", counted("recv", paho.Client._sock_recv))
    broker = Mosquitto(tmp_path)
    await broker.start()
    clock = RealClock()
    sender = MqttLink(clock, MqttSettings("127.0.0.1", broker.port, "sender"))
    receiver = MqttLink(clock, MqttSettings("127.0.0.1", broker.port, "receiver"))
    got: list[MqttMessage] = []
    receiver.subscribe("lamps/#", got.append)
    async with running(sender.run, receiver.run):
        await until(lambda: sender.up and receiver.up, 30)
        while not got:  # until the subscription stands
            sender.publish("lamps/mark", b"mark")
            await asyncio.sleep(0.02)
        await asyncio.sleep(0.1)
        got.clear()
        calls.update(send=0, recv=0)
        for number in range(16):
            sender.publish(f"lamps/{number}", b"words for a lamp", repeat=False)
        await until(lambda: len(got) >= 16, 30)
    await broker.kill()
    assert [message.topic for message in got] == [f"lamps/{number}" for number in range(16)]
    # One write of ours; the broker may hand them on in several segments, and a ping may fall in between.
    assert calls["send"] <= 3
    assert calls["recv"] <= 20
