"""The link to an MQTT broker: it comes back by itself, and brings nothing stale with it.

It fulfils ``controller.ports.MqttClient`` over one ``Connection`` (``hardware/mqtt_paho.py``) after the
other. It never blocks, never raises for the broker's sake, and never sends a message that is past its
time or that was already on the wire and must not be repeated.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from math import ceil
from typing import Final

from controller.ports import Clock, MqttMessage, MqttWill
from hardware.mqtt_outbox import DEFAULT_WAIT_S, Outbox, Outgoing
from hardware.mqtt_paho import Connection, topic_matches
from hardware.mqtt_retry import End, Retry
from hardware.mqtt_socket import MqttTls, make_tls_context
from hardware.mqtt_terms import BrokerAddress, Limits

__all__ = ["MqttLink", "MqttSettings", "MqttTls"]

_log = logging.getLogger(__name__)

SESSION_EXPIRY_S: Final = 5
"""How long a v5 broker keeps our subscriptions and what came for us: as long as a command stays fresh."""
ANSWER_TIMEOUT_MS: Final = 3_000
TICK_MS: Final = 1_000
WINDOW: Final = 20
"""Messages on the wire without an acknowledgement, unless the broker allows fewer."""


@dataclass(frozen=True, slots=True)
class MqttSettings:
    """Where the broker is, who we are, and what we may speak. ``client_id`` must be ours alone."""

    host: str
    port: int
    client_id: str
    username: str | None = None
    password: str | None = None
    tls: MqttTls | None = None
    allow_v5: bool = True
    session_expiry_s: int = SESSION_EXPIRY_S


class MqttLink:
    """One link. Use on one event loop; ``run`` holds it.

    Raises:
        UserError: a TLS file cannot be read.
    """

    def __init__(self, clock: Clock, settings: MqttSettings, will: MqttWill | None = None) -> None:
        self._clock = clock
        self._will = will
        self._allow_v5 = settings.allow_v5
        self._address = BrokerAddress(
            settings.host,
            settings.port,
            settings.client_id,
            settings.username,
            settings.password,
            make_tls_context(settings.tls) if settings.tls is not None else None,
            will,
            settings.session_expiry_s,
        )
        self._subscriptions: dict[str, tuple[int, Callable[[MqttMessage], None]]] = {}
        self._wild: tuple[str, ...] = ()
        self._up_callbacks: list[Callable[[], None]] = []
        self._down_callbacks: list[Callable[[str], None]] = []
        self._outbox = Outbox()
        self._unacked: dict[int, Outgoing] = {}
        self._connection: Connection | None = None
        self._answer_due_ms = 0
        self._up_since_ms = 0
        self._up = False
        self._v5 = settings.allow_v5
        self._limits = Limits()
        self._health: str | None = f"{self._address}: not connected yet"
        self._refused_filters: set[str] = set()
        self._refused_topics: set[str] = set()

    # ------------------------------------------------------------ the port

    @property
    def up(self) -> bool:
        """Whether the broker has accepted us and has not gone since."""
        return self._up

    @property
    def speaks_v5(self) -> bool:
        """Whether this connection speaks MQTT v5."""
        return self._v5

    @property
    def health(self) -> str | None:
        """What is not well, in one clear line, or None."""
        if self._health is None and self._refused_filters:
            return f"{self._address}: we may not subscribe to {', '.join(sorted(self._refused_filters))}"
        return self._health

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
            ValueError: the topic is empty, too long, or has a wildcard: our bug, not the broker's.
        """
        if not topic or "+" in topic or "#" in topic or "\0" in topic or len(topic) > 16_000:
            raise ValueError(f"not a topic to publish on: {topic[:80]!r}")
        wait_s = DEFAULT_WAIT_S if expiry_s is None else expiry_s
        item = Outgoing(
            topic,
            payload,
            qos,
            retain,
            worthless_at_ms=self._clock.now_ms() + int(wait_s * 1000 * self._clock.speed),
            expires=expiry_s is not None,
            repeat=repeat,
            correlation_data=correlation_data,
        )
        if self._up and (qos == 0 or (not self._outbox and len(self._unacked) < self._window)):
            self._send(item)
        elif qos:
            self._outbox.put(item)

    def subscribe(self, topic_filter: str, handler: Callable[[MqttMessage], None], *, qos: int = 1) -> None:
        """Call ``handler`` on the loop for every message that matches, over every reconnect."""
        self._subscriptions[topic_filter] = (qos, handler)
        self._wild = tuple(name for name in self._subscriptions if "+" in name or "#" in name)
        if self._up and self._connection is not None:
            self._connection.subscribe({topic_filter: qos})

    def on_up(self, callback: Callable[[], None]) -> None:
        """Call back each time the broker has accepted us; at once if it already has."""
        self._up_callbacks.append(callback)
        if self._up:
            callback()

    def on_down(self, callback: Callable[[str], None]) -> None:
        """Call back with one clear line each time the broker is lost or refuses us."""
        self._down_callbacks.append(callback)

    async def run(self) -> None:
        """Hold the link until cancelled; then say goodbye, the will's message included."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._tick_on(), name="mqtt-tick")
                group.create_task(self._hold(), name="mqtt-hold")
        finally:
            self._say_goodbye()

    # ------------------------------------------------------------ holding the link

    @property
    def _window(self) -> int:
        return min(WINDOW, self._limits.window or WINDOW)

    async def _hold(self) -> None:
        retry = Retry(allow_v5=self._allow_v5)
        while True:
            end, message = await self._connect_once(v5=retry.v5)
            lasted_ms = (self._clock.now_ms() - self._up_since_ms) // self._clock.speed if self._up else None
            self._let_go()
            delay_ms = retry.ended(end, lasted_ms=lasted_ms)
            if retry.fights:
                message += f"; does another program use our client id {self._address.client_id!r}?"
            if end is not End.OTHER_VERSION:
                self._report_down(message)
            await self._clock.sleep_until(self._clock.now_ms() + delay_ms * self._clock.speed)

    async def _connect_once(self, *, v5: bool) -> tuple[End, str]:
        """Dial, then stay until the connection ends; return how it ended and one clear line."""
        self._v5 = v5
        self._connection = connection = Connection(self._address, self, v5=v5)
        await connection.open()
        self._answer_due_ms = self._clock.now_ms() + ANSWER_TIMEOUT_MS * self._clock.speed
        return await connection.ended

    async def _tick_on(self) -> None:
        while True:
            now = self._clock.now_ms()
            self._outbox.drop_stale(now)
            connection = self._connection
            if connection is not None and connection.is_open:
                if not connection.answered and now >= self._answer_due_ms:
                    connection.end(End.NO_ANSWER, f"{self._address} does not answer as an MQTT broker")
                connection.tick()
            await self._clock.sleep_until(now + TICK_MS * self._clock.speed)

    def _let_go(self) -> None:
        """Close the connection; what was not acknowledged waits again, if it may be repeated."""
        connection, self._connection = self._connection, None
        self._up = False
        if connection is not None:
            connection.close()
        unacked, self._unacked = self._unacked, {}
        self._outbox.put_back(unacked.values())

    def _say_goodbye(self) -> None:
        if self._up and self._will is not None and self._connection is not None:
            # A clean goodbye suppresses the will, so we say ourselves what it would have said.
            self._connection.publish(self._will.topic, self._will.payload, qos=0, retain=self._will.retain)
        self._let_go()
        self._health = f"{self._address}: not connected"

    def _report_down(self, message: str) -> None:
        if message == self._health:
            return
        self._health = message
        _log.warning("%s", message)
        for callback in self._down_callbacks:
            callback(message)

    # ------------------------------------------------------------ what the connection tells

    def accepted(self, limits: Limits) -> None:
        """The broker took us: subscribe first, so that we obey; then announce; then send what waited."""
        self._limits = limits
        self._up_since_ms = self._clock.now_ms()
        self._up, self._health = True, None
        self._refused_filters.clear()
        self._refused_topics.clear()
        _log.info("%s is up, MQTT %s", self._address, "5" if self._v5 else "3.1.1")
        if self._connection is not None:
            self._connection.subscribe({name: qos for name, (qos, _) in self._subscriptions.items()})
        for callback in self._up_callbacks:
            callback()
        self._pump()

    def subscribed(self, topic_filter: str, refusal: str | None) -> None:
        """Note a refused subscription; ``health`` says it until the next connection."""
        if refusal is not None:
            self._refused_filters.add(topic_filter)
            _log.error("%s refuses our subscription to %s: %s", self._address, topic_filter, refusal)

    def acknowledged(self, mid: int, refusal: str | None) -> None:
        """Forget an acknowledged message and send the next; a refusal is said once per topic."""
        item = self._unacked.pop(mid, None)
        if item is not None and refusal is not None and item.topic not in self._refused_topics:
            if len(self._refused_topics) < 100:
                self._refused_topics.add(item.topic)
            _log.error("%s refuses what we publish on %s: %s", self._address, item.topic, refusal)
        self._pump()

    def arrived(self, message: MqttMessage) -> None:
        """Hand a message to whoever asked for its topic."""
        exact = self._subscriptions.get(message.topic)
        if exact is not None:
            self._hand_on(message, exact[1])
        for topic_filter in self._wild:
            if topic_matches(topic_filter, message.topic):
                self._hand_on(message, self._subscriptions[topic_filter][1])

    def _hand_on(self, message: MqttMessage, handler: Callable[[MqttMessage], None]) -> None:
        try:
            handler(message)
        except Exception:  # noqa: BLE001 - see below
            # A fault of ours in one handler must not cost the link, and with it every other one.
            _log.exception("a message on %s could not be handled", message.topic)

    # ------------------------------------------------------------ sending

    def _pump(self) -> None:
        while self._up and len(self._unacked) < self._window:
            item = self._outbox.take(self._clock.now_ms())
            if item is None:
                return
            self._send(item)

    def _send(self, item: Outgoing) -> None:
        if self._connection is None:
            return
        most = self._limits.packet_bytes
        if most is not None and len(item.payload) + len(item.topic) + 64 > most:
            _log.error("%s takes no message as long as the one for %s", self._address, item.topic)
            return
        expiry_s = None
        if item.expires:
            left_ms = item.worthless_at_ms - self._clock.now_ms()
            expiry_s = max(1, ceil(left_ms / (1000 * self._clock.speed)))
        mid = self._connection.publish(
            item.topic,
            item.payload,
            qos=item.qos,
            retain=item.retain,
            expiry_s=expiry_s,
            correlation_data=item.correlation_data,
        )
        if item.qos:
            self._unacked[mid] = item
