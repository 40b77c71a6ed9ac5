"""One connection to a broker: the only module that knows paho.

Theory of operation: paho never gets a thread of its own. We drive its socket from the event loop, so a
message is handled in the same turn in which it was read. Only dialling (TCP and TLS hand-shake, which
paho does blocking) happens in a worker thread that touches nothing but paho's new client and ends with
the connection. Every connection has a fresh paho client: what paho would remember across connections, it
would repeat without asking whether it is stale.

It never reconnects, never decides what is sent again, and lets no paho exception or type out.
"""

import asyncio
import socket
import ssl
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Final

from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from controller.ports import MqttMessage
from hardware.mqtt_retry import End
from hardware.mqtt_socket import acknowledge_quickly, tune
from hardware.mqtt_stream import ReadAhead, WriteBehind
from hardware.mqtt_terms import BrokerAddress, Limits, Listener

KEEPALIVE_S: Final = 10
MESSAGES_A_TURN: Final = 8
"""After so many of a flood everything else on the event loop gets its turn."""
DIAL_TIMEOUT_S: Final = 2.0

_REFUSALS: Final = {
    "Bad user name or password": "the user name or password is not accepted",
    "Not authorized": "this user is not allowed to connect",
    "Client identifier not valid": "the client id is not accepted",
    "Banned": "this client is banned",
}


class _Client(paho.Client):
    """paho, reading and writing its socket in few large strokes once ``gathers`` is set.

    Should a later paho not come through these two methods, it is slower and nothing else.
    """

    def __init__(self, *, client_id: str, protocol: MQTTProtocolVersion, clean_session: bool | None) -> None:
        super().__init__(
            CallbackAPIVersion.VERSION2,
            client_id=client_id,
            protocol=protocol,
            clean_session=clean_session,
            reconnect_on_failure=False,
        )
        self.ahead, self.behind = ReadAhead(), WriteBehind()
        self.gathers = False

    def _sock_recv(self, bufsize: int) -> bytes:
        return self.ahead.take(bufsize, super()._sock_recv) if self.gathers else super()._sock_recv(bufsize)

    def _sock_send(self, buf: bytes | bytearray) -> int:
        return self.behind.put(buf) if self.gathers else super()._sock_send(buf)

    def write_out(self) -> None:
        """Write what waits, in as few segments as it fits. An ``OSError``: the connection is gone."""
        self.loop_write()
        self.behind.flush(super()._sock_send)

    def has_unwritten(self) -> bool:
        """Whether the socket did not take everything yet."""
        return self.want_write() or bool(self.behind)


class Connection:
    """From dialling to the end. ``ended`` becomes how it ended and one clear line."""

    def __init__(self, address: BrokerAddress, listener: Listener, *, v5: bool) -> None:
        self._address = address
        self._listener = listener
        self._v5 = v5
        self._client = self._make_client()
        self._fd: int | None = None
        self._asked: dict[int, tuple[str, ...]] = {}
        self._flush_due = self._read_due = self._waits_to_write = False
        self._answered, self._heard = False, 0
        self.ended: asyncio.Future[tuple[End, str]] = asyncio.get_running_loop().create_future()

    async def open(self) -> None:
        """Dial and greet. A failure is told by ``ended``, not raised."""
        loop = asyncio.get_running_loop()
        worker = ThreadPoolExecutor(1, thread_name_prefix="mqtt-dial")
        try:
            await loop.run_in_executor(worker, self._dial)
        except ssl.SSLError as error:
            reason = getattr(error, "verify_message", "") or error.reason or error
            self.end(End.REFUSED, f"{self._address}: TLS failed: {reason}")
        except OSError as error:
            self.end(End.LOST, f"{self._address} cannot be reached: {error.strerror or error}")
        finally:
            worker.shutdown(wait=False)
        sock = self._socket()
        if sock is None:
            self.end(End.LOST, f"{self._address} hung up at once")
            return
        self._fd = sock.fileno()
        self._client.gathers = True
        loop.add_reader(self._fd, self._readable)
        self._flush()

    @property
    def is_open(self) -> bool:
        """Whether dialling is over and the socket is still there."""
        return self._fd is not None

    @property
    def answered(self) -> bool:
        """Whether the broker has answered our greeting, either way."""
        return self._answered

    def subscribe(self, wanted: Mapping[str, int]) -> None:
        """Ask for topic filters, each with its QoS."""
        if not wanted:
            return
        if self._v5:
            # Retain as published: a retained command is then known as one even while we listen.
            options = [
                (name, SubscribeOptions(qos=qos, retainAsPublished=True)) for name, qos in wanted.items()
            ]
            _, mid = self._client.subscribe(options)
        else:
            _, mid = self._client.subscribe(list(wanted.items()))
        if mid is not None:
            self._asked[mid] = tuple(wanted)
        self._flush_soon()

    def publish(
        self,
        topic: str,
        payload: bytes,
        *,
        qos: int,
        retain: bool,
        expiry_s: int | None = None,
        correlation_data: bytes | None = None,
    ) -> int:
        """Put a message on the wire at the end of this turn; returns the id it is acknowledged by."""
        properties = None
        if self._v5 and (expiry_s is not None or correlation_data is not None):
            properties = _make_properties(PacketTypes.PUBLISH)
            if expiry_s is not None:
                properties.MessageExpiryInterval = expiry_s
            if correlation_data is not None:
                properties.CorrelationData = correlation_data
        mid = self._client.publish(topic, payload, qos, retain, properties).mid
        self._flush_soon()
        return mid

    def tick(self) -> None:
        """Look after the keep-alive; once a second is enough."""
        self._drive(self._client.loop_misc)
        self._flush()

    def end(self, end: End, message: str) -> None:
        """Settle how this connection ended; the first word counts."""
        if not self.ended.done():
            self.ended.set_result((end, message))

    def close(self) -> None:
        """Say goodbye if there is somebody, and let go of the socket."""
        self.end(End.LOST, f"{self._address}: closed")
        self._flush()
        if not self._client.has_unwritten():  # else our goodbye would come in the middle of another packet
            with suppress(Exception):
                self._client.gathers = False
                self._client.disconnect()
                self._client.loop_write()
        sock = self._socket()
        self._unwatch()
        if sock is not None:
            with suppress(OSError):
                sock.close()

    # ------------------------------------------------------------ making

    def _make_client(self) -> _Client:
        address = self._address
        client = _Client(
            client_id=address.client_id,
            protocol=MQTTProtocolVersion.MQTTv5 if self._v5 else MQTTProtocolVersion.MQTTv311,
            # 3.1.1 has no session expiry: a kept session would bring old commands back. So none is kept.
            clean_session=None if self._v5 else True,
        )
        client.connect_timeout = DIAL_TIMEOUT_S
        client.max_inflight_messages_set(0)  # the link keeps the window: it must know what is on the wire
        if address.username is not None:
            client.username_pw_set(address.username, address.password)
        if address.tls is not None:
            client.tls_set_context(address.tls)
        if address.will is not None:
            will = address.will
            client.will_set(will.topic, will.payload, qos=will.qos, retain=will.retain)
        client.on_socket_open = _opened
        client.on_socket_close = self._closes
        client.on_socket_register_write = _ignored  # with it set, paho queues; we write once per turn
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_subscribe = self._on_subscribe
        client.on_publish = self._on_publish
        client.on_message = self._on_message
        return client

    def _dial(self) -> None:
        """Connect, blocking, in the worker thread. Touches nothing but the new client."""
        address = self._address
        if not self._v5:
            self._client.connect(address.host, address.port, KEEPALIVE_S)
            return
        properties = _make_properties(PacketTypes.CONNECT)
        properties.SessionExpiryInterval = address.session_expiry_s
        self._client.connect(
            address.host,
            address.port,
            KEEPALIVE_S,
            clean_start=address.session_expiry_s == 0,
            properties=properties,
        )

    # ------------------------------------------------------------ the socket

    def _socket(self) -> socket.socket | None:
        sock = self._client.socket()
        return sock if isinstance(sock, socket.socket) else None

    def _closes(self, client: paho.Client, userdata: object, sock: object) -> None:
        del client, userdata, sock
        self._unwatch()

    def _unwatch(self) -> None:
        if self._fd is not None:
            loop = asyncio.get_running_loop()
            loop.remove_reader(self._fd)
            loop.remove_writer(self._fd)
            self._fd = None

    def _drive(self, step: Callable[[], object]) -> None:
        """Let paho work. Whatever it raises on what a broker sent ends the connection, not us."""
        try:
            step()
        except OSError as error:
            self.end(End.LOST, f"{self._address} is gone ({error.strerror or error})")
        except Exception as error:  # noqa: BLE001 - paho raises bare types on malformed packets
            self.end(
                End.NO_ANSWER, f"{self._address} sent something that is not MQTT ({type(error).__name__})"
            )

    def _readable(self) -> None:
        if not self._read_due:  # else the rest of the turn before comes first
            self._read()

    def _read(self) -> None:
        self._read_due = False
        client, sock, heard = self._client, self._socket(), self._heard
        while self._fd is not None:
            client.ahead.begin_turn()
            self._drive(client.loop_read)
            sock = self._socket()
            if self.ended.done():
                self._unwatch()
                return
            # TLS may hold decrypted bytes that the selector cannot see.
            if not client.ahead and not (isinstance(sock, ssl.SSLSocket) and sock.pending()):
                break
            if self._heard - heard >= MESSAGES_A_TURN:
                self._read_due = True
                asyncio.get_running_loop().call_soon(self._read)
                break
        if sock is not None:
            acknowledge_quickly(sock)
        asyncio.get_running_loop().call_soon(self._flush_soon)  # a lamp's word, on another link, goes first

    def _flush_soon(self) -> None:
        if not self._flush_due:
            self._flush_due = True
            asyncio.get_running_loop().call_soon(self._flush)

    def _flush(self) -> None:
        """Write what is queued, in as few segments as it fits."""
        self._flush_due = False
        client = self._client
        if self._socket() is None or not client.has_unwritten():
            return
        self._drive(client.write_out)
        waits = client.has_unwritten()
        if self._fd is not None and waits != self._waits_to_write:
            loop, self._waits_to_write = asyncio.get_running_loop(), waits
            if waits:
                loop.add_writer(self._fd, self._flush)
            else:
                loop.remove_writer(self._fd)

    # ------------------------------------------------------------ what paho tells, on the loop

    def _on_connect(
        self,
        client: paho.Client,
        userdata: object,
        flags: object,
        reason: ReasonCode,
        properties: Properties | None,
    ) -> None:
        del client, userdata, flags
        self._answered = True
        if not reason.is_failure:
            self._listener.accepted(
                Limits(
                    getattr(properties, "ReceiveMaximum", None),
                    getattr(properties, "MaximumPacketSize", None),
                )
            )
            return
        name = reason.getName()
        if name == "Unsupported protocol version":
            self.end(End.OTHER_VERSION, f"{self._address} does not speak this version of MQTT")
        elif name in _REFUSALS:
            self.end(End.REFUSED, f"{self._address}: {_REFUSALS[name]}")
        else:
            self.end(End.LOST, f"{self._address} is not ready: {name}")

    def _on_disconnect(
        self, client: paho.Client, userdata: object, flags: object, reason: ReasonCode, properties: object
    ) -> None:
        del client, userdata, flags, properties
        name = reason.getName()
        if name == "Session taken over":
            self.end(
                End.REFUSED,
                f"{self._address}: another program uses our client id {self._address.client_id!r}",
            )
        elif not self._answered:
            self.end(End.NO_ANSWER, f"{self._address} hung up before it answered")
        else:
            self.end(End.LOST, f"{self._address} is gone ({name})")

    def _on_subscribe(
        self, client: paho.Client, userdata: object, mid: int, reasons: list[ReasonCode], properties: object
    ) -> None:
        del client, userdata, properties
        for topic_filter, reason in zip(self._asked.pop(mid, ()), reasons, strict=False):
            self._listener.subscribed(topic_filter, reason.getName() if reason.is_failure else None)

    def _on_publish(
        self, client: paho.Client, userdata: object, mid: int, reason: ReasonCode, properties: object
    ) -> None:
        del client, userdata, properties
        self._listener.acknowledged(mid, reason.getName() if reason.is_failure else None)

    def _on_message(self, client: paho.Client, userdata: object, message: paho.MQTTMessage) -> None:
        del client, userdata
        self._heard += 1
        with suppress(UnicodeDecodeError):  # a topic that is not UTF-8 can match nothing of ours
            self._listener.arrived(
                MqttMessage(
                    message.topic,
                    bytes(message.payload),
                    message.qos,
                    message.retain,
                    getattr(message.properties, "ResponseTopic", None),
                    getattr(message.properties, "CorrelationData", None),
                )
            )


def topic_matches(topic_filter: str, topic: str) -> bool:
    """Whether a topic matches a filter with ``+`` and ``#``."""
    return topic_filter == topic or bool(paho.topic_matches_sub(topic_filter, topic))


def _make_properties(packet: int) -> Properties:
    return Properties(packet)  # type: ignore[no-untyped-call]


def _opened(client: paho.Client, userdata: object, sock: object) -> None:
    """Tune a new socket, in the dialling thread."""
    del client, userdata
    if isinstance(sock, socket.socket):
        tune(sock)


def _ignored(client: paho.Client, userdata: object, sock: object) -> None:
    """Stand for a callback that paho needs to see set."""
    del client, userdata, sock
