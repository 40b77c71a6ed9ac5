"""The names of a room's MQTT topics, and what is never a topic to answer on. Pure."""

from dataclasses import dataclass
from typing import Final

from controller.core.broker_access import DISCOVERY_PREFIX, PREFIX
from controller.ports import MqttWill

ONLINE: Final = b"online"
OFFLINE: Final = b"offline"
MAX_RESPONSE_TOPIC: Final = 256

OUR_TOPICS: Final = frozenset({"status", "state", "command", "prompt", "event"})
"""What ``stillroom/{room}/…`` means to others: an answer there would be taken for something else."""


@dataclass(frozen=True, slots=True)
class Topics:
    """One room's topics."""

    room: str

    @property
    def base(self) -> str:
        """What all of them begin with."""
        return f"{PREFIX}/{self.room}"

    @property
    def status(self) -> str:
        """``online`` or ``offline``, retained."""
        return f"{self.base}/status"

    @property
    def state(self) -> str:
        """The snapshot, retained."""
        return f"{self.base}/state"

    @property
    def command(self) -> str:
        """Commands come in here."""
        return f"{self.base}/command"

    @property
    def reply(self) -> str:
        """Answers for whoever named no response topic."""
        return f"{self.base}/reply"

    @property
    def event(self) -> str:
        """Journal records."""
        return f"{self.base}/event"

    def prompt(self, audience: str) -> str:
        """Prompts for ``client`` or ``therapist``."""
        return f"{self.base}/prompt/{audience}"

    @property
    def prompt_ack(self) -> str:
        """What became of a prompt."""
        return f"{self.base}/prompt/ack"

    def prompt_device(self, name: str) -> str:
        """Whether a prompt device is there: ``online`` or ``offline``, retained."""
        return f"{self.base}/prompt/device/{name}"


def will_for(room: str) -> MqttWill:
    """Return the will that a room's link must be opened with."""
    return MqttWill(Topics(room).status, OFFLINE, qos=1, retain=True)


def may_answer_on(topic: str, room: str) -> bool:
    """Whether a response topic that a stranger named may be published on with our rights.

    Never one that means something to somebody else: our own topics, another room's, the broker's, the
    discovery's, a lamp's.
    """
    if not topic or len(topic) > MAX_RESPONSE_TOPIC or any(sign in topic for sign in "+#\0"):
        return False
    levels = topic.split("/")
    if (
        topic.startswith("$")
        or levels[0] in {DISCOVERY_PREFIX, "zigbee2mqtt"}
        or levels[-1] in {"set", "config"}
    ):
        return False
    if levels[0] != PREFIX:
        return True
    return len(levels) >= 3 and levels[1] == room and levels[2] not in OUR_TOPICS
