"""What a room is made of, as the set-up page and the room check see it: facts, and a few careful trials.

The daemon fulfils ``RoomHardware`` with the real parts (``controller/daemon/room_hardware.py``), tests with
fakes. Facts carry no password, no token and nothing of a client.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

from controller.core.room_check import Sentence
from controller.core.score import FixtureId

OutputName: TypeAlias = Literal["speakers", "headphones"]


@dataclass(frozen=True, slots=True)
class LampFacts:
    """One lamp. ``readable``: it tells how it is. ``power_on_ok`` None: its kind has no such setting to read.

    ``shows``: colours, whites of a range, or one white only. ``known``: its bridge has been read.
    """

    fixture: FixtureId
    name: str
    zone: str
    bridge: str
    reachable: bool
    known: bool
    readable: bool
    brightness_percent: float
    floor_percent: float
    swatch: str
    shows: Literal["colours", "whites", "one_white"]
    power_on_ok: bool | None
    power_on: str
    """What its power-on setting does, or why it cannot be told; one clear line."""


@dataclass(frozen=True, slots=True)
class BridgeFacts:
    """One bridge or bus. ``paired`` None: its kind is not paired. ``fingerprint``: SHA-256, or None."""

    bridge: str
    driver: str
    address: str
    paired: bool | None
    pairable: bool
    hue_id: str
    fingerprint: str | None
    away: bool | None
    waiting: int
    in_flight: int
    lamps: int
    problem: str | None


@dataclass(frozen=True, slots=True)
class OutputFacts:
    """One sound output. ``wanted``: the site file's name for its device, None for the machine's own."""

    output: OutputName
    wanted: str | None
    device: str | None
    ok: bool
    silent: Literal["no", "by_choice", "no_device"]
    k_db: float | None
    measured_on: str | None
    level_dba: float | None
    problem: str | None


@dataclass(frozen=True, slots=True)
class PromptDeviceFacts:
    """A prompt device that said something of itself on the broker."""

    name: str
    online: bool


@dataclass(frozen=True, slots=True)
class BrokerFacts:
    """The MQTT broker. ``users``: the names it knows, None when the site file names none."""

    address: str
    embedded: bool
    encrypted: bool
    up: bool
    problem: str | None
    users: tuple[str, ...] | None
    devices: tuple[PromptDeviceFacts, ...]


@dataclass(frozen=True, slots=True)
class CertificateFacts:
    """The certificate that tablets see; dates are ISO 8601 days."""

    made_on: str
    valid_until: str
    days_left: int


@dataclass(frozen=True, slots=True)
class MachineFacts:
    """Clock, disk, certificate. ``clock_synchronised`` None: it cannot be told."""

    local_time: str
    clock_synchronised: bool | None
    clock_problem: str | None
    disk_free_bytes: int
    disk_total_bytes: int
    certificate: CertificateFacts | None
    certificate_problem: str | None = None


@dataclass(frozen=True, slots=True)
class TabletFacts:
    """Therapists' tablets: how many are paired, how many of them were heard of lately; and displays shown."""

    paired: int
    seen_lately: int
    displays: int


@dataclass(frozen=True, slots=True)
class PoolFacts:
    """One pool's files after reading them: how many, how many from end to end, what is wrong with which."""

    pool: str
    title: str
    files: int
    read_whole: int
    problems: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FoundBridgeFacts:
    """A bridge that announced itself on the network."""

    hue_id: str
    address: str
    model: str


class RoomHardware(Protocol):
    """One room's parts. Everything is called on the event loop; what is slow is awaited, never blocking."""

    def in_session(self) -> bool:
        """Whether a session runs, is held, or asks: then nothing here may move light or sound."""
        ...

    def lamps(self) -> tuple[LampFacts, ...]:
        """The lamps, as last read."""
        ...

    def bridges(self) -> tuple[BridgeFacts, ...]:
        """The bridges."""
        ...

    def outputs(self) -> tuple[OutputFacts, ...]:
        """The sound outputs that the site file names, the speakers first."""
        ...

    def broker(self) -> BrokerFacts:
        """The MQTT broker as this room finds it."""
        ...

    def tablets(self) -> TabletFacts:
        """Tablets and displays."""
        ...

    def pools(self) -> Mapping[str, str]:
        """The pools that hold files or should: title by id."""
        ...

    async def machine(self) -> MachineFacts:
        """Clock, disk, certificate."""
        ...

    async def devices(self) -> tuple[str, ...]:
        """Names of the sound devices that this machine has, as the site file may name them."""
        ...

    async def read_lamps_anew(self) -> None:
        """Ask the bridges how their lamps are set, past what is remembered. One that is away is let be."""
        ...

    async def blink(self, fixture: FixtureId) -> None:
        """Let a lamp swell and sink twice, gently, so that somebody can find it; returns when it is back.

        Raises:
            RefusedError: a session runs, there is no such lamp, or it does not answer.
        """
        ...

    async def dim_to_floor(self, fixtures: Collection[FixtureId]) -> Mapping[FixtureId, Sentence | None]:
        """Take lamps to their faintest glow and back, together; what was wrong with each, or None.

        Raises:
            RefusedError: a session runs.
        """
        ...

    async def tone(self, output: OutputName) -> Sentence | None:
        """Play a quiet tone on one output; what was wrong, or None once the player has played it to its end.

        Raises:
            RefusedError: a session runs, or a tone sounds already.
        """
        ...

    async def decode(self, pool: str, until_ms: int) -> PoolFacts:
        """Read a pool's files: each at five places, and from end to end as far as there is time (room ms)."""
        ...

    def coverage(self, profile: str) -> tuple[str, ...]:
        """Return what the music of a profile lacks, with two hours to spare; one clear line each.

        Raises:
            RefusedError: there is no such profile.
        """
        ...
