"""A broker in memory, for rehearsals on a virtual clock and for tests: no socket, no process, no waiting.

``MemoryLink`` keeps the same contract as the real link (tests/contract): retained messages, wills, expiry,
a queue that drops what is stale while the broker is away, and nothing repeated that must not be.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace

from controller.core.broker_access import covers
from controller.ports import Clock, MqttMessage, MqttWill
from hardware.mqtt_outbox import DEFAULT_WAIT_S, Outbox, Outgoing


@dataclass(frozen=True, slots=True)
class _Kept:
    message: MqttMessage
    until_ms: int | None


class MemoryBus:
    """The broker. ``go_away`` and ``come_back`` are its outages; it keeps what is retained over them."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._kept: dict[str, _Kept] = {}
        self._links: list[MemoryLink] = []
        self.here = True

    def go_away(self) -> None:
        """Be gone, for every link at once."""
        self.here = False
        for link in tuple(self._links):
            link.lose()

    def come_back(self) -> None:
        """Be there again."""
        self.here = True
        for link in tuple(self._links):
            link.regain()

    def join(self, link: "MemoryLink") -> None:
        """A link begins to run."""
        self._links.append(link)

    def leave(self, link: "MemoryLink") -> None:
        """A link has ended."""
        self._links.remove(link)

    def carry(self, message: MqttMessage, until_ms: int | None) -> None:
        """Bring a message to whoever listens, in the loop's next turn; keep it if it is retained."""
        if message.retain:
            self._kept.pop(message.topic, None)
            if message.payload:
                self._kept[message.topic] = _Kept(message, until_ms)
        loop = asyncio.get_running_loop()
        for link in tuple(self._links):
            loop.call_soon(link.hear, message)

    def kept_for(self, topic_filter: str) -> list[MqttMessage]:
        """Return the retained messages that a new subscription is sent."""
        now = self._clock.now_ms()
        kept = [entry for entry in self._kept.values() if entry.until_ms is None or now < entry.until_ms]
        return [entry.message for entry in kept if covers(topic_filter, entry.message.topic)]


class MemoryLink:
    """One link to a ``MemoryBus``. Fulfils ``controller.ports.MqttClient``."""

    def __init__(self, bus: MemoryBus, clock: Clock, will: MqttWill | None = None) -> None:
        self._bus = bus
        self._clock = clock
        self._will = will
        self._subscriptions: dict[str, Callable[[MqttMessage], None]] = {}
        self._up_callbacks: list[Callable[[], None]] = []
        self._down_callbacks: list[Callable[[str], None]] = []
        self._outbox = Outbox()
        self._up = False

    @property
    def up(self) -> bool:
        """Whether the bus is there and this link runs."""
        return self._up

    @property
    def speaks_v5(self) -> bool:
        """It expires messages and says who was retained, as v5 does."""
        return True

    @property
    def health(self) -> str | None:
        """One clear line while the bus is away."""
        return None if self._up else "the simulated broker is away"

    def publish(
        self,
        topic: str,
        payload: bytes,
        *,
        qos: int = 0,
        retain: bool = False,
        expiry_s: float | None = None,
        repeat: bool = True,
        correlation_data: bytes | None = None,
    ) -> None:
        """Hand a message over: see ``controller.ports.MqttClient``.

        Raises:
            ValueError: the topic is empty or has a wildcard.
        """
        if not topic or "+" in topic or "#" in topic or "\0" in topic:
            raise ValueError(f"not a topic to publish on: {topic[:80]!r}")
        wait_s = DEFAULT_WAIT_S if expiry_s is None else expiry_s
        until_ms = self._clock.now_ms() + int(wait_s * 1000 * self._clock.speed)
        item = Outgoing(topic, payload, qos, retain, until_ms, expiry_s is not None, repeat, correlation_data)
        if self._up:
            self._send(item)
        elif qos:
            self._outbox.put(item)

    def subscribe(self, topic_filter: str, handler: Callable[[MqttMessage], None], *, qos: int = 1) -> None:
        """Call ``handler`` for every message that matches, from now on."""
        del qos
        self._subscriptions[topic_filter] = handler
        if self._up:
            self._send_kept(topic_filter)

    def on_up(self, callback: Callable[[], None]) -> None:
        """Call back each time the bus is there; at once if it is."""
        self._up_callbacks.append(callback)
        if self._up:
            callback()

    def on_down(self, callback: Callable[[str], None]) -> None:
        """Call back with one clear line each time the bus goes."""
        self._down_callbacks.append(callback)

    async def run(self) -> None:
        """Be on the bus until cancelled; then say goodbye as the will would."""
        self._bus.join(self)
        if self._bus.here:
            self.regain()
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            if self._up and self._will is not None:
                self.publish(self._will.topic, self._will.payload, retain=self._will.retain)
            self._up = False
            self._bus.leave(self)

    def lose(self) -> None:
        """The bus went away."""
        if self._up:
            self._up = False
            for callback in self._down_callbacks:
                callback("the simulated broker is away")

    def regain(self) -> None:
        """The bus is there: announce, and send what waited and is not stale."""
        self._up = True
        for topic_filter in tuple(self._subscriptions):
            self._send_kept(topic_filter)
        for callback in self._up_callbacks:
            callback()
        while (item := self._outbox.take(self._clock.now_ms())) is not None:
            self._send(item)

    def hear(self, message: MqttMessage) -> None:
        """A message comes by."""
        if self._up:
            for topic_filter, handler in tuple(self._subscriptions.items()):
                if covers(topic_filter, message.topic):
                    handler(message)

    def _send(self, item: Outgoing) -> None:
        message = MqttMessage(
            item.topic, item.payload, item.qos, item.retain, correlation_data=item.correlation_data
        )
        self._bus.carry(message, item.worthless_at_ms if item.expires else None)

    def _send_kept(self, topic_filter: str) -> None:
        loop = asyncio.get_running_loop()
        for message in self._bus.kept_for(topic_filter):
            loop.call_soon(self.hear, replace(message, retain=True))
