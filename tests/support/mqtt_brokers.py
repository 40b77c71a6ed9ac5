"""Brokers and strangers for the MQTT tests: real Mosquitto, the embedded broker, paho in its own thread."""

import asyncio
import socket
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, Self

from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

from hardware.broker_embedded import EmbeddedBroker

MOSQUITTO = "/usr/sbin/mosquitto"


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


async def until(condition: Callable[[], object], timeout_s: float = 30.0, what: str = "it") -> None:
    """Wait for something another process does."""
    try:
        async with asyncio.timeout(timeout_s):
            while not condition():
                await asyncio.sleep(0.005)
    except TimeoutError:
        raise AssertionError(f"{what} did not happen in {timeout_s} s") from None


class AnyBroker(Protocol):
    port: int

    async def start(self) -> None: ...

    async def kill(self) -> None: ...


class Mosquitto:
    """A real broker as a process of its own, on a port of its own."""

    def __init__(self, folder: Path, config: str | None = None, port: int = 0) -> None:
        self.port = port or free_port()
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._config = folder / "test-mosquitto.conf"
        self._config.write_text(
            config
            if config is not None
            else f"listener {self.port} 127.0.0.1\nallow_anonymous true\nset_tcp_nodelay true\nuser root\n"
            f"persistence true\npersistence_location {folder}/\n"
            "autosave_on_changes true\nautosave_interval 1\n"
        )
        self._process: subprocess.Popen[bytes] | None = None
        self.log = folder / "mosquitto.log"

    async def start(self) -> None:
        with self.log.open("ab") as log:
            self._process = subprocess.Popen([MOSQUITTO, "-c", str(self._config)], stdout=log, stderr=log)

        def listens() -> bool:
            assert self._process is not None
            assert self._process.poll() is None, self.log.read_text()
            with socket.socket() as sock:
                return sock.connect_ex(("127.0.0.1", self.port)) == 0

        await until(listens, what="mosquitto's start")

    async def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


class Embedded:
    """The embedded broker, killed and started again on the same port."""

    def __init__(self, port: int = 0) -> None:
        self.port = port or free_port()
        self._broker: EmbeddedBroker | None = None

    async def start(self) -> None:
        self._broker = EmbeddedBroker(port=self.port)
        await self._broker.start()

    async def kill(self) -> None:
        if self._broker is not None:
            await self._broker.close()
            self._broker = None


class Wire:
    """A stretch of network between a client and its broker that can be cut and mended."""

    def __init__(self, to_port: int) -> None:
        self.port = free_port()
        self._to_port = to_port
        self._server: asyncio.Server | None = None
        self._ends: set[asyncio.StreamWriter] = set()

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._carry, "127.0.0.1", self.port)

    async def kill(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        for end in tuple(self._ends):
            end.transport.abort()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", self._to_port)
        self._ends |= {writer, back}

        async def pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
            try:
                while data := await source.read(65_536):
                    sink.write(data)
                    await sink.drain()
            except OSError:
                pass
            finally:
                sink.close()

        try:
            await asyncio.gather(pump(reader, back), pump(there, writer))
        finally:
            self._ends -= {writer, back}


@dataclass
class Got:
    topic: str
    payload: bytes
    qos: int
    retain: bool
    properties: Any

    @property
    def text(self) -> str:
        return self.payload.decode()


class Stranger:
    """Somebody else on the broker: paho with a thread of its own, none of our code."""

    def __init__(
        self,
        port: int,
        client_id: str = "stranger",
        *,
        v5: bool = True,
        username: str | None = None,
        password: str | None = None,
        tls: Any = None,
        will: tuple[str, bytes] | None = None,
        comes_back: bool = False,
    ) -> None:
        self.port, self.v5 = port, v5
        self.client = paho.Client(
            CallbackAPIVersion.VERSION2,
            client_id=client_id,
            protocol=MQTTProtocolVersion.MQTTv5 if v5 else MQTTProtocolVersion.MQTTv311,
            reconnect_on_failure=comes_back,
        )
        if username is not None:
            self.client.username_pw_set(username, password)
        if tls is not None:
            self.client.tls_set_context(tls)
        if will is not None:
            self.client.will_set(*will, qos=1)
        self.got: list[Got] = []
        self.connack: Any = None
        self.suback: list[Any] | None = None
        self._filters: list[str] = []
        self.client.on_connect = self._on_connect
        self.client.on_subscribe = lambda _c, _u, _m, codes, _p: setattr(self, "suback", codes)
        self.client.on_message = lambda _c, _u, m: self.got.append(
            Got(m.topic, bytes(m.payload), m.qos, m.retain, m.properties)
        )

    def _on_connect(self, client: Any, userdata: Any, flags: Any, reason: Any, properties: Any) -> None:
        self.connack = reason
        for name in self._filters:
            self._ask(name)

    def _ask(self, topic_filter: str) -> None:
        if self.v5:
            self.client.subscribe([(topic_filter, SubscribeOptions(qos=1, retainAsPublished=True))])
        else:
            self.client.subscribe(topic_filter, 1)

    async def __aenter__(self) -> Self:
        self.client.connect("127.0.0.1", self.port, 10)
        self.client.loop_start()
        await until(lambda: self.connack is not None, what="the stranger's connection")
        return self

    async def __aexit__(self, *exc: object) -> None:
        self.client.disconnect()
        await asyncio.to_thread(self.client.loop_stop)

    async def subscribe(self, topic_filter: str) -> list[Any]:
        self._filters.append(topic_filter)
        self.suback = None
        self._ask(topic_filter)
        await until(lambda: self.suback is not None, what="the SUBACK")
        return list(self.suback or ())

    def publish(
        self,
        topic: str,
        payload: bytes | str,
        *,
        qos: int = 1,
        retain: bool = False,
        response_topic: str | None = None,
        correlation: bytes | None = None,
    ) -> paho.MQTTMessageInfo:
        properties = None
        if response_topic is not None:
            properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
            properties.ResponseTopic = response_topic
            if correlation is not None:
                properties.CorrelationData = correlation
        return self.client.publish(topic, payload, qos, retain, properties)

    def on(self, topic: str) -> list[Got]:
        return [message for message in tuple(self.got) if message.topic == topic]

    async def wait_for(self, topic: str, count: int = 1, timeout_s: float = 30.0) -> Got:
        await until(lambda: len(self.on(topic)) >= count, timeout_s, f"message {count} on {topic}")
        return self.on(topic)[count - 1]


@asynccontextmanager
async def running(*tasks: Callable[[], Any]) -> AsyncIterator[list["asyncio.Task[Any]"]]:
    """Run coroutines beside the test and cancel them at its end."""
    started: list[asyncio.Task[Any]] = [asyncio.create_task(task()) for task in tasks]
    try:
        yield started
    finally:
        for task in started:
            task.cancel()
        results = await asyncio.gather(*started, return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException) and not isinstance(result, asyncio.CancelledError):
                raise result
