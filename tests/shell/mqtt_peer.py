"""A separate MQTT client for tests, as any program in a clinic could be."""

import asyncio
from types import TracebackType

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion


class Peer:
    """A paho client on its own thread, its messages on an asyncio queue."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._messages: asyncio.Queue[tuple[str, bytes]] = asyncio.Queue()
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv311)

    async def __aenter__(self) -> "Peer":
        return self

    async def __aexit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    async def connect(self, topic_filter: str) -> None:
        """Connect and subscribe."""
        loop = asyncio.get_running_loop()
        subscribed = asyncio.Event()

        def on_message(_client: object, _data: object, message: mqtt.MQTTMessage) -> None:
            loop.call_soon_threadsafe(self._messages.put_nowait, (message.topic, bytes(message.payload)))

        def on_subscribe(*_rest: object) -> None:
            loop.call_soon_threadsafe(subscribed.set)

        self._client.on_message = on_message
        self._client.on_connect = lambda client, *_rest: client.subscribe(topic_filter, 1)
        self._client.on_subscribe = on_subscribe
        async with asyncio.timeout(15):
            while True:
                try:
                    await asyncio.to_thread(self._client.connect, "127.0.0.1", self._port)
                    break
                except OSError:
                    await asyncio.sleep(0.1)
            self._client.loop_start()
            await subscribed.wait()

    def publish(self, topic: str, payload: str) -> None:
        """Send a message."""
        self._client.publish(topic, payload, qos=1)

    async def next_payload(self, topic: str, seconds: float) -> bytes:
        """The next message on a topic."""
        async with asyncio.timeout(seconds):
            while True:
                name, payload = await self._messages.get()
                if name == topic:
                    return payload
