"""The link: what it says of a broker that is not well, what it repeats, what it never does."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from mqtt_brokers import Embedded, Mosquitto, Stranger, free_port, running, until

from controller.clock import RealClock
from controller.errors import UserError
from controller.ports import MqttMessage
from hardware.mqtt_link import MqttLink, MqttSettings, MqttTls
from hardware.mqtt_outbox import Outbox, Outgoing
from hardware.mqtt_retry import FAST_MS, SLOW_MS, End, Retry


def item(name: str, *, retain: bool = False, until_ms: int = 1_000, repeat: bool = True) -> Outgoing:
    return Outgoing(name, name.encode(), 1, retain, worthless_at_ms=until_ms, expires=True, repeat=repeat)


def taken(outbox: Outbox, now_ms: int = 0) -> list[str]:
    found = []
    while (entry := outbox.take(now_ms)) is not None:
        found.append(entry.topic)
    return found


class TestOutbox:
    def test_oldest_first_and_nothing_stale(self) -> None:
        outbox = Outbox()
        outbox.put(item("a", until_ms=10))
        outbox.put(item("b", until_ms=30))
        outbox.put(item("c", until_ms=20))
        assert taken(outbox, now_ms=20) == ["b"]
        assert outbox.dropped == 2

    def test_of_a_retained_topic_the_newest_counts(self) -> None:
        outbox = Outbox()
        for name in ("state", "event", "state"):
            outbox.put(item(name, retain=name == "state"))
        assert taken(outbox) == ["event", "state"]

    def test_unacknowledged_ones_come_first_but_not_what_must_not_be_repeated(self) -> None:
        outbox = Outbox()
        outbox.put(item("new"))
        outbox.put(item("state", retain=True))
        outbox.put_back(
            [item("old"), item("prompt", repeat=False), item("state", retain=True), item("older")]
        )
        assert taken(outbox) == ["old", "older", "new", "state"]

    def test_it_is_bounded(self) -> None:
        outbox = Outbox(limit=3)
        for name in "abcde":
            outbox.put(item(name))
        assert taken(outbox) == ["c", "d", "e"]

    def test_an_outage_does_not_fill_it(self) -> None:
        outbox = Outbox()
        outbox.put(item("a", until_ms=5))
        outbox.put(item("b", until_ms=50, retain=True))
        outbox.drop_stale(10)
        assert len(outbox) == 1
        outbox.put(item("b", until_ms=60, retain=True))
        assert taken(outbox) == ["b"]


class TestRetry:
    def test_a_broker_that_is_gone_is_asked_quickly_for_ever(self) -> None:
        retry = Retry(allow_v5=True)
        delays = [retry.ended(End.LOST, lasted_ms=9_999)]
        delays += [retry.ended(End.LOST, lasted_ms=None) for _ in range(1_000)]
        assert delays[0] == 0
        assert max(delays) == FAST_MS[-1] < 300

    def test_a_broker_that_refuses_us_is_asked_slower_and_slower(self) -> None:
        retry = Retry(allow_v5=True)
        delays = [retry.ended(End.REFUSED, lasted_ms=None) for _ in range(9)]
        assert delays == sorted(delays)
        assert delays[-1] == SLOW_MS[-1]

    def test_an_old_broker_is_asked_in_its_own_version_at_once_and_in_v5_after_it_was_away(self) -> None:
        retry = Retry(allow_v5=True)
        for _ in range(9):
            retry.ended(End.LOST, lasted_ms=None)
        versions = [retry.v5]
        assert retry.ended(End.OTHER_VERSION, lasted_ms=None) == 0
        versions.append(retry.v5)
        retry.ended(End.LOST, lasted_ms=9_999)
        versions.append(retry.v5)
        assert versions == [True, False, True]

    def test_v3_only_stays_v3(self) -> None:
        retry = Retry(allow_v5=False)
        retry.ended(End.NO_ANSWER, lasted_ms=None)
        assert not retry.v5

    def test_a_broker_that_throws_us_out_again_and_again_is_left_in_peace(self) -> None:
        retry = Retry(allow_v5=True)
        delays = [retry.ended(End.LOST, lasted_ms=20) for _ in range(5)]
        assert delays == [0, 0, *SLOW_MS[:3]]
        assert retry.fights

    def test_a_broker_that_itself_dies_again_and_again_is_not(self) -> None:
        retry = Retry(allow_v5=True)
        for _ in range(9):
            assert retry.ended(End.LOST, lasted_ms=20) == 0
            assert retry.ended(End.LOST, lasted_ms=None) == FAST_MS[1]


def make_link(port: int, name: str = "link", **settings: object) -> MqttLink:
    return MqttLink(RealClock(), MqttSettings("127.0.0.1", port, name, **settings))  # type: ignore[arg-type]


@asynccontextmanager
async def fake_server(answer: bytes | None, *, close: bool = False) -> AsyncIterator[int]:
    """Listen and answer any greeting with these bytes."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1_000)
        if answer:
            writer.write(answer)
        if not close:
            await reader.read()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


async def test_nobody_listens() -> None:
    link = make_link(free_port())
    said: list[str] = []
    link.on_down(said.append)
    async with running(link.run):
        await until(lambda: said)
        await asyncio.sleep(0.4)  # several tries, one line
    assert len(said) == 1
    assert "cannot be reached: Connection refused" in said[0]
    assert not link.up


@pytest.mark.parametrize(
    ("answer", "close", "says"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", True, "broker"),
        (b"\x20\xff\xff\xff\xff\xff", False, "broker"),
        (b"\x30\x05\x00\x01", True, "hung up before it answered"),
        (None, True, "hung up before it answered"),
        (b"\x20\x03\x00\x86\x00", False, "the user name or password is not accepted"),
        (b"\x20\x03\x00\x88\x00", False, "is not ready: Server unavailable"),
    ],
)
async def test_a_server_that_does_not_want_us_or_speaks_no_mqtt(
    answer: bytes | None, close: bool, says: str
) -> None:
    async with fake_server(answer, close=close) as port:
        link = make_link(port)
        async with running(link.run):
            await until(lambda: "not connected" not in str(link.health))
            health = str(link.health)
    assert says in health
    assert "\n" not in health


async def test_it_never_blocks_while_the_broker_does_not_answer() -> None:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        sock.listen(0)
        link = make_link(sock.getsockname()[1])
        async with running(link.run):
            longest = 0.0
            loop = asyncio.get_running_loop()
            for _ in range(50):
                start = loop.time()
                link.publish("a", b"b", qos=1)
                await asyncio.sleep(0.001)
                longest = max(longest, loop.time() - start)
    assert longest < 0.1


async def test_a_wrong_topic_is_our_bug() -> None:
    link = make_link(1)
    for topic in ("", "a/+/b", "#", "a\0"):
        with pytest.raises(ValueError, match="topic"):
            link.publish(topic, b"")


async def test_tls_files_that_cannot_be_read_are_the_users_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"mqtt\.tls"):
        make_link(1, tls=MqttTls(ca_file=str(tmp_path / "none.pem")))


@pytest.mark.parametrize("make", [Mosquitto, lambda _folder: Embedded()])
async def test_more_than_the_window_arrives_in_order(
    make: Callable[[Path], Mosquitto], tmp_path: Path
) -> None:
    broker = make(tmp_path)
    await broker.start()
    sender, receiver = make_link(broker.port, "sender"), make_link(broker.port, "receiver")
    got: list[MqttMessage] = []
    receiver.subscribe("n/#", got.append)
    async with running(sender.run, receiver.run):
        await until(lambda: sender.up and receiver.up)
        while not got:  # until the subscription stands
            sender.publish("n/mark", b"mark")
            await asyncio.sleep(0.02)
        await asyncio.sleep(0.05)
        got.clear()
        for number in range(300):
            sender.publish(f"n/{number % 7}", str(number).encode(), qos=1)
        await until(lambda: len(got) >= 300)
    await broker.kill()
    assert [int(message.payload) for message in got] == list(range(300))


async def test_a_fault_in_a_handler_costs_only_its_message(tmp_path: Path) -> None:
    broker = Mosquitto(tmp_path)
    await broker.start()
    link = make_link(broker.port)
    good: list[bytes] = []

    def bad(message: MqttMessage) -> None:
        raise KeyError(message.topic)

    link.subscribe("bad", bad)
    link.subscribe("good", lambda message: good.append(message.payload))
    async with running(link.run), Stranger(broker.port) as stranger:
        await until(lambda: link.up)
        await asyncio.sleep(0.05)
        stranger.publish("bad", b"1")
        stranger.publish("good", b"2")
        await until(lambda: good)
        assert link.up
    await broker.kill()


async def test_two_programs_with_one_client_id_do_not_fight(tmp_path: Path) -> None:
    broker = Mosquitto(tmp_path)
    await broker.start()
    first, second = make_link(broker.port, "same"), make_link(broker.port, "same")
    async with running(first.run):
        await until(lambda: first.up)
        async with running(second.run):
            await until(lambda: second.up)
            links = (first, second)
            await until(lambda: any("client id 'same'" in str(link.health) for link in links))
            await until(lambda: any(link.up for link in links))
    await broker.kill()
