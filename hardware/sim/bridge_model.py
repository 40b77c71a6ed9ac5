"""What a simulated Hue bridge is: lamps, groups, users, and the faults it has been told to have.

State and plain operations only; ``bridge_api.py`` speaks the Hue v1 API over it and
``bridge_control.py`` the tests' controls. It must never read a clock: ``now_ms`` is always an argument.
"""

import hashlib
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from hardware.sim.lamp import MODELS, SimulatedLamp

LINK_BUTTON_MS: Final = 30_000.0
LIGHT_COMMANDS_PER_S: Final = 10.0
GROUP_COMMANDS_PER_S: Final = 1.0
MAX_AT_ONCE: Final = 3
DEMO_NAMES: Final = (
    "Ceiling left",
    "Ceiling right",
    "Bedside left",
    "Bedside right",
    "Path door",
    "Path bath",
)


@dataclass(slots=True)
class Faults:
    """What is wrong with the bridge now. Counts go down as they are used up; -1 lasts until cleared."""

    status: int = 0
    status_count: int = 0
    internal: int = 0
    drop: int = 0
    half: int = 0
    hang_up: int = 0
    hang: int = 0
    latency_ms: float = 0.0
    limits: bool = True

    def take(self, name: Literal["status_count", "internal", "drop", "half", "hang_up", "hang"]) -> bool:
        """Use one of a counted fault up; False if there is none."""
        left = int(getattr(self, name))
        if left > 0:
            setattr(self, name, left - 1)
        return left != 0


@dataclass(slots=True)
class Bucket:
    """A token bucket of the bridge's own patience."""

    per_s: float
    burst: float
    tokens: float = 0.0
    at_ms: float | None = None

    def take(self, now_ms: float) -> bool:
        """Take a token; False when the bridge is asked too fast."""
        elapsed = 0.0 if self.at_ms is None else now_ms - self.at_ms
        start = self.burst if self.at_ms is None else self.tokens
        self.tokens = min(start + elapsed / 1000.0 * self.per_s, self.burst)
        self.at_ms = now_ms
        if self.tokens < 1.0:
            return False
        self.tokens -= 1.0
        return True


@dataclass(slots=True)
class Light:
    """One lamp as the bridge lists it."""

    light_id: int
    name: str
    lamp: SimulatedLamp
    reachable: bool = True
    tells_startup: bool = True
    """Older lamps, and other makers', cannot be told what to do after a power cut, and do not say."""


@dataclass(slots=True)
class Group:
    """One group as the bridge lists it."""

    group_id: int
    name: str
    kind: str
    lights: tuple[int, ...]


@dataclass(slots=True)
class LogEntry:
    """One request to the API, in order of arrival; ``at_ms`` is the machine's monotonic time."""

    number: int
    at_ms: float
    method: str
    path: str
    body: object
    status: int
    reply: object


@dataclass(slots=True)
class SimulatedBridge:
    """A bridge with its lamps."""

    lights: dict[int, Light]
    seed: int = 1
    name: str = "Simulated bridge"
    groups: dict[int, Group] = field(default_factory=dict)
    users: dict[str, str] = field(default_factory=dict)
    faults: Faults = field(default_factory=Faults)
    log: deque[LogEntry] = field(default_factory=lambda: deque(maxlen=20_000))
    light_budget: Bucket = field(default_factory=lambda: Bucket(LIGHT_COMMANDS_PER_S, 10.0))
    group_budget: Bucket = field(default_factory=lambda: Bucket(GROUP_COMMANDS_PER_S, 2.0))
    pressed_until_ms: float = -1.0
    at_once: int = 0
    requests: int = 0

    @property
    def bridge_id(self) -> str:
        """The bridge's id, as real ones have it: 16 hexadecimal digits with FFFE in the middle."""
        digest = hashlib.sha256(f"bridge {self.seed}".encode()).hexdigest().upper()
        return f"{digest[:6]}FFFE{digest[6:12]}"

    def press(self, now_ms: float) -> None:
        """Press the link button: pairing is allowed for 30 s."""
        self.pressed_until_ms = now_ms + LINK_BUTTON_MS

    def pair(self, devicetype: str, now_ms: float) -> str | None:
        """Return a new user's name, or None while the button is not pressed."""
        if now_ms > self.pressed_until_ms:
            return None
        user = hashlib.sha256(f"user {self.seed} {len(self.users)}".encode()).hexdigest()[:40]
        self.users[user] = devicetype
        return user

    def group_lights(self, group_id: int) -> tuple[int, ...] | None:
        """Return a group's lights; group 0 is all of them; None if there is no such group."""
        if group_id == 0:
            return tuple(self.lights)
        group = self.groups.get(group_id)
        return None if group is None else group.lights

    def add_group(self, name: str, kind: str, lights: Sequence[int]) -> int:
        """Make a group; return its number."""
        number = max(self.groups, default=0) + 1
        self.groups[number] = Group(number, name, kind, tuple(lights))
        return number

    def cut_power(self, light_ids: Sequence[int], now_ms: float) -> None:
        """Take the mains from lamps."""
        for light_id in light_ids:
            self.lights[light_id].lamp.cut_power(now_ms)

    def restore_power(self, light_ids: Sequence[int], now_ms: float) -> None:
        """Give the mains back to lamps."""
        for light_id in light_ids:
            self.lights[light_id].lamp.restore_power(now_ms)

    def record(self, entry: LogEntry) -> None:
        """Keep a request in the log."""
        self.log.append(entry)


def make_bridge(
    lights: int = 6,
    *,
    names: Sequence[str] = (),
    kinds: Sequence[str] = (),
    seed: int = 1,
    users: Mapping[str, str] | None = None,
) -> SimulatedBridge:
    """Make a bridge with numbered lamps, all off.

    ``kinds`` are keys of ``lamp.MODELS``, used in turn; all are colour lamps when none are given.
    """
    made: dict[int, Light] = {}
    for number in range(1, lights + 1):
        fallback = DEMO_NAMES[number - 1] if number <= len(DEMO_NAMES) else f"Lamp {number}"
        name = names[number - 1] if number <= len(names) else fallback
        kind = kinds[(number - 1) % len(kinds)] if kinds else "colour"
        made[number] = Light(number, name, SimulatedLamp(MODELS[kind]))
    return SimulatedBridge(made, seed, users=dict(users or {}))
