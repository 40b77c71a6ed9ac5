"""What the link and its connection say to each other: plain words, no socket and no paho."""

import ssl
from dataclasses import dataclass
from typing import Protocol

from controller.ports import MqttMessage, MqttWill


@dataclass(frozen=True, slots=True)
class BrokerAddress:
    """Where a broker is and who we are to it."""

    host: str
    port: int
    client_id: str
    username: str | None = None
    password: str | None = None
    tls: ssl.SSLContext | None = None
    will: MqttWill | None = None
    session_expiry_s: int = 0

    def __str__(self) -> str:
        return f"broker {self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Limits:
    """What the broker allows. ``window`` is how many messages may wait for an acknowledgement."""

    window: int | None = None
    packet_bytes: int | None = None


class Listener(Protocol):
    """What the link hears from its connection, on the event loop."""

    def accepted(self, limits: Limits) -> None:
        """The broker took us."""
        ...

    def subscribed(self, topic_filter: str, refusal: str | None) -> None:
        """A subscription was granted (None) or refused."""
        ...

    def acknowledged(self, mid: int, refusal: str | None) -> None:
        """A message of QoS 1 or 2 is the broker's now, or was refused."""
        ...

    def arrived(self, message: MqttMessage) -> None:
        """A message came in."""
        ...
