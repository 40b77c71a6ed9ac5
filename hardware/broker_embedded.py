"""An MQTT broker inside the daemon, for a room with nothing installed: the only module that knows amqtt.

A gate of ours stands before amqtt (docs/decisions/0006-embedded-broker.md): it reads the first packet
under a time limit, refuses what amqtt cannot speak in the caller's own version, checks the password, the
will's topic and the client id, and only then lets amqtt see the connection. It listens on loopback unless
told otherwise, never opens to a network without users, and speaks MQTT 3.1.1 only.
"""

import asyncio
import errno
import logging
import socket
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any, Final

from amqtt.adapters import BufferReader, StreamReaderAdapter, StreamWriterAdapter
from amqtt.broker import Broker
from amqtt.contexts import Action
from amqtt.errors import AMQTTError, MQTTError, NoDataError
from amqtt.mqtt.connect import ConnectPacket
from amqtt.plugins.base import BaseAuthPlugin, BaseTopicPlugin
from amqtt.session import Session

from controller.core.broker_access import BrokerUser, Grants, covers, password_matches
from controller.errors import PortInUseError, UserError

_log = logging.getLogger(__name__)

GREETING_TIMEOUT_S: Final = 5.0
MAX_GREETING_BYTES: Final = 4_096
MAX_PACKET_BYTES: Final = 512 * 1024
MAX_CONNECTIONS: Final = 64
_LISTENER: Final = "default"

_REFUSED_VERSION_V3: Final = bytes((0x20, 2, 0, 1))
_REFUSED_VERSION_V5: Final = bytes((0x20, 3, 0, 0x84, 0))
_REFUSED_ID: Final = bytes((0x20, 2, 0, 2))
_REFUSED_PASSWORD: Final = bytes((0x20, 2, 0, 4))
_REFUSED_RIGHTS: Final = bytes((0x20, 2, 0, 5))


class Admitted(BaseAuthPlugin):  # type: ignore[misc]
    """amqtt's question "who is it?", already answered at our gate."""

    async def authenticate(self, *, session: Session) -> bool | None:
        """Say yes."""
        del session
        return True


class RoomAccess(BaseTopicPlugin):  # type: ignore[misc]
    """amqtt's question "may they?", answered from our grants."""

    @dataclass
    class Config:
        """Grants by user name; None: nobody is asked (loopback without users)."""

        grants: dict[str, Any] | None = field(default=None)

    async def topic_filtering(
        self, *, session: Session | None = None, topic: str | None = None, action: Action | None = None
    ) -> bool | None:
        """Whether a session may publish on, subscribe to or receive a topic."""
        table: dict[str, Grants] | None = self.config.grants
        if table is None:
            return True
        grants = table.get(session.username or "") if session is not None else None
        if grants is None or topic is None:
            return False
        patterns = grants.write if action == Action.PUBLISH else grants.read
        return any(covers(pattern, topic) for pattern in patterns)


class _Broker(Broker):  # type: ignore[misc]
    """amqtt's broker, with one leak closed."""

    async def _publish_retained_messages_for_subscription(
        self, subscription: tuple[str, int], session: Session
    ) -> None:
        # amqtt sends a client, as it connects, the retained messages of everybody's subscriptions.
        theirs = self.subscriptions.get(subscription[0], ())
        if any(other.client_id == session.client_id for other, _ in theirs):
            await super()._publish_retained_messages_for_subscription(subscription, session)


class _Reader(StreamReaderAdapter):  # type: ignore[misc]
    """Gives amqtt the greeting again that the gate has read, then the stream, in bounded pieces."""

    def __init__(self, greeting: bytes, stream: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        super().__init__(stream)
        self._greeting = greeting
        self._writer = writer

    async def read(self, n: int = -1) -> bytes:
        """Read ``n`` bytes; more than a packet may have ends the connection."""
        if n > MAX_PACKET_BYTES:
            _log.warning("the embedded broker ended a connection that sent a message of %d bytes", n)
            self._writer.transport.abort()
            raise asyncio.IncompleteReadError(b"", n)
        if self._greeting:
            part, self._greeting = self._greeting[:n], self._greeting[n:]
            return part
        return bytes(await super().read(n))


@dataclass(slots=True)
class _Guest:
    """One live connection."""

    user: str
    writer: asyncio.StreamWriter
    gone: asyncio.Event = field(default_factory=asyncio.Event)


class EmbeddedBroker:
    """A broker on ``host:port`` (port 0: any free one). Without users everybody on loopback may do all.

    Raises:
        UserError: it would be open to a network without users.
    """

    def __init__(
        self, host: str = "127.0.0.1", port: int = 1883, *, users: Sequence[BrokerUser] = ()
    ) -> None:
        if not users and not _is_loopback(host):
            raise UserError(f"mqtt: the embedded broker is not opened to {host} without users and passwords")
        self._host, self._port = host, port
        self._users = {user.name: user for user in users}
        self._server: asyncio.Server | None = None
        self._broker: _Broker | None = None
        self._guests: dict[str, _Guest] = {}
        self._connections: set[asyncio.StreamWriter] = set()

    @property
    def port(self) -> int:
        """The port it listens on, once started."""
        return self._port

    async def start(self) -> None:
        """Begin to listen.

        Raises:
            PortInUseError: another program has the port.
            UserError: the address is not ours.
        """
        for name in ("amqtt", "transitions"):
            logging.getLogger(name).setLevel(logging.CRITICAL)
        try:
            self._server = await asyncio.start_server(self._receive, self._host, self._port)
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise PortInUseError(
                    f"mqtt: port {self._port} on {self._host} belongs to another program (is a broker "
                    "running already? name it in the site file, or choose another port)"
                ) from None
            raise UserError(
                f"mqtt: cannot listen on {self._host}:{self._port}: {error.strerror or error}"
            ) from None
        self._port = self._server.sockets[0].getsockname()[1]
        grants = {name: user.grants for name, user in self._users.items()} or None
        here = __name__
        self._broker = _Broker(
            {
                "listeners": {_LISTENER: {"type": "external"}},
                "plugins": {f"{here}.Admitted": {}, f"{here}.RoomAccess": {"grants": grants}},
            }
        )
        await self._broker.start()
        _log.info("the embedded broker listens on %s:%d", self._host, self._port)

    async def run(self) -> None:
        """Serve until cancelled. Starts it first if nobody has."""
        if self._broker is None:
            await self.start()
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            await self.close()

    async def close(self) -> None:
        """Stop listening and end every connection."""
        server, self._server = self._server, None
        broker, self._broker = self._broker, None
        if server is not None:
            server.close()
        for writer in tuple(self._connections):
            writer.transport.abort()
        if broker is not None:
            for guest in tuple(self._guests.values()):
                with suppress(TimeoutError):
                    async with asyncio.timeout(1):
                        await guest.gone.wait()
            with suppress(AMQTTError, MQTTError):
                await broker.shutdown()

    # ------------------------------------------------------------ the gate

    async def _receive(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection from its first byte to its last. Faults in it end it alone."""
        self._connections.add(writer)
        try:
            await self._admit(reader, writer)
        except (
            OSError,
            EOFError,
            ValueError,
            IndexError,
            TimeoutError,
            AMQTTError,
            MQTTError,
            NoDataError,
        ) as error:
            _log.info("an MQTT connection was ended: %s", str(error) or type(error).__name__)
        except asyncio.CancelledError:
            pass  # the server is closing; asyncio logs a cancelled connection as an error otherwise
        except Exception:  # noqa: BLE001 - amqtt raises bare types on malformed packets
            _log.warning("an MQTT connection was ended by a fault in its broker", exc_info=True)
        finally:
            self._connections.discard(writer)
            writer.close()

    async def _admit(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._connections) > MAX_CONNECTIONS:
            _log.warning("the embedded broker has %d connections and takes no more", MAX_CONNECTIONS)
            return
        async with asyncio.timeout(GREETING_TIMEOUT_S):
            greeting = await _read_greeting(reader)
        version = greeting[greeting.index(b"MQ") + 4] if b"MQTT" in greeting[:10] else 3
        if version != 4:
            writer.write(_REFUSED_VERSION_V5 if version >= 5 else _REFUSED_VERSION_V3)
            await writer.drain()
            return
        packet = await ConnectPacket.from_stream(BufferReader(greeting))
        refusal = await self._refusal(packet)
        if refusal is not None:
            writer.write(refusal)
            await writer.drain()
            return
        client_id = packet.payload.client_id
        guest = _Guest(packet.username or "", writer)
        await self._take_over(client_id)
        if self._broker is None:
            return
        self._guests[client_id] = guest
        sock = writer.get_extra_info("socket")
        if sock is not None:
            with suppress(OSError):
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            await self._broker.external_connected(
                _Reader(greeting, reader, writer), StreamWriterAdapter(writer), _LISTENER
            )
        finally:
            guest.gone.set()
            if self._guests.get(client_id) is guest:
                del self._guests[client_id]

    async def _refusal(self, packet: ConnectPacket) -> bytes | None:
        """Return the answer that refuses a greeting, or None if it is welcome."""
        client_id = packet.payload.client_id
        user = packet.username or ""
        if self._users:
            known = self._users.get(user)
            password = (packet.password or "").encode()
            # Slow by design, so not on the loop: somebody guessing passwords must not slow the room.
            if known is None or not await asyncio.to_thread(password_matches, password, known.password_hash):
                _log.warning("the embedded broker refused a wrong user name or password")
                return _REFUSED_PASSWORD
            topic = packet.will_topic
            if packet.will_flag and not any(covers(pattern, topic) for pattern in known.grants.write):
                _log.warning("the embedded broker refused user %r: its will is for a topic not its own", user)
                return _REFUSED_RIGHTS
        guest = self._guests.get(client_id)
        if guest is not None and guest.user != user:
            _log.warning("the embedded broker refused user %r: its client id is in use by another", user)
            return _REFUSED_ID
        return None

    async def _take_over(self, client_id: str) -> None:
        """End an older connection of the same client; amqtt would keep both."""
        older = self._guests.get(client_id)
        if older is None:
            return
        older.writer.transport.abort()
        with suppress(TimeoutError):
            async with asyncio.timeout(1):
                await older.gone.wait()


async def _read_greeting(reader: asyncio.StreamReader) -> bytes:
    """Return the raw first packet.

    Raises:
        ValueError: it is not a CONNECT, or longer than any honest one.
    """
    head = await reader.readexactly(2)
    if head[0] != 0x10:
        raise ValueError("the first packet was not an MQTT CONNECT")
    length, shift = head[1] & 0x7F, 7
    while head[-1] & 0x80:
        head += await reader.readexactly(1)
        length |= (head[-1] & 0x7F) << shift
        shift += 7
        if shift > 28 or length > MAX_GREETING_BYTES:
            break
    if length > MAX_GREETING_BYTES or head[-1] & 0x80:
        raise ValueError("the first packet was too long")
    return head + await reader.readexactly(length)


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
