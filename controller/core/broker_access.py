"""Who may say and hear what on a room's topics: one table for every broker. Pure.

Both the Mosquitto files that we write and the embedded broker are made from these grants, so a clinic
that moves from one to the other keeps its rules. Nothing here knows a broker.
"""

import hashlib
import hmac
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

PREFIX: Final = "stillroom"
DISCOVERY_PREFIX: Final = "homeassistant"

PBKDF2_ITERATIONS: Final = 20_000
SALT_BYTES: Final = 12
_KEY_BYTES: Final = 64


class BrokerRole(StrEnum):
    """What a broker's user is to a room."""

    CONTROLLER = "controller"
    """The daemon itself."""
    PANEL = "panel"
    """A tablet, wall panel or foot pedal: sees the room and may command it."""
    PROMPT_DEVICE = "prompt_device"
    """Shows or speaks the client's prompts, and says so."""
    VIEWER = "viewer"
    """Sees whether the room is online and its state; nothing else."""
    HOME_AUTOMATION = "home_automation"
    """Home Assistant or Node-RED: a panel that also reads the discovery messages."""


@dataclass(frozen=True, slots=True)
class Grants:
    """Topic patterns (with ``+`` and ``#``) that may be read (subscribed to) and written (published)."""

    read: tuple[str, ...] = ()
    write: tuple[str, ...] = ()

    def __add__(self, other: "Grants") -> "Grants":
        return Grants(self.read + other.read, self.write + other.write)


@dataclass(frozen=True, slots=True)
class BrokerUser:
    """A user of a broker: a role and device, never a person's name. The hash is in Mosquitto's form."""

    name: str
    password_hash: str
    grants: Grants


def grants_for(role: BrokerRole, room: str, *, light_prefixes: Sequence[str] = ()) -> Grants:
    """Return what ``role`` may do in ``room``; ``light_prefixes`` are topics of lamps on MQTT."""
    base = f"{PREFIX}/{room}"
    sees = (f"{base}/status", f"{base}/state")
    panel = Grants(
        (*sees, f"{base}/event", f"{base}/reply/#", f"{base}/prompt/therapist"), (f"{base}/command",)
    )
    match role:
        case BrokerRole.CONTROLLER:
            lights = tuple(f"{prefix}/#" for prefix in light_prefixes)
            own = (f"{base}/#", *lights)
            return Grants((*own, f"{DISCOVERY_PREFIX}/status"), (*own, f"{DISCOVERY_PREFIX}/#"))
        case BrokerRole.PANEL:
            return panel
        case BrokerRole.PROMPT_DEVICE:
            return Grants(
                (f"{base}/status", f"{base}/prompt/client"), (f"{base}/prompt/ack", f"{base}/prompt/device/+")
            )
        case BrokerRole.VIEWER:
            return Grants(sees)
        case BrokerRole.HOME_AUTOMATION:
            return panel + Grants((f"{DISCOVERY_PREFIX}/#",), (f"{DISCOVERY_PREFIX}/status",))


def wall_grants() -> Grants:
    """Return what the front desk's wall may do: see every room's state, and say nothing."""
    return Grants((f"{PREFIX}/+/status", f"{PREFIX}/+/state"))


def covers(pattern: str, topic_filter: str) -> bool:
    """Whether every topic that ``topic_filter`` (or topic) matches is matched by ``pattern`` too."""
    allowed, asked = pattern.split("/"), topic_filter.split("/")
    for index, level in enumerate(allowed):
        if level == "#":
            # A bare wildcard never reaches the broker's own topics.
            return not (index == 0 and asked[0].startswith("$"))
        if index >= len(asked) or asked[index] == "#":
            return False
        if level == "+":
            if index == 0 and asked[0].startswith("$"):
                return False
        elif level != asked[index]:
            return False
    return len(allowed) == len(asked)


def hash_password(password: str, salt: bytes, iterations: int = PBKDF2_ITERATIONS) -> str:
    """Return a password's line in Mosquitto's ``$7$`` form (PBKDF2 with SHA-512)."""
    key = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, iterations, _KEY_BYTES)
    return f"$7${iterations}${b64encode(salt).decode()}${b64encode(key).decode()}"


def password_matches(password: bytes, stored: str) -> bool:
    """Whether a password fits a ``$7$`` hash; False too for a hash that cannot be read."""
    try:
        empty, version, iterations, salt, key = stored.split("$")
        expected = b64decode(key, validate=True)
        found = hashlib.pbkdf2_hmac(
            "sha512", password, b64decode(salt, validate=True), int(iterations), len(expected)
        )
    except (ValueError, Base64Error, OverflowError):
        return False
    return empty == "" and version == "7" and hmac.compare_digest(found, expected)
