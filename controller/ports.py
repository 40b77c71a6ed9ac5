"""The ports: what the shell needs of the world, as Protocols with their value types.

Drivers in ``hardware/`` fulfil them; tests fulfil them with fakes that pass the same contract suite.
Nothing here may import a driver.

Times are integer milliseconds of *room time*: a steady count that starts from Unix time once and
never jumps, whatever the wall clock does (``controller/clock.py``).
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Literal, Protocol, TypeAlias

from controller.core.envelope import Authority, Transition
from controller.core.records import Record
from controller.core.score import Audience, FixtureId

# ---------------------------------------------------------------- clock


class Clock(Protocol):
    """The only source of time. ``controller.clock`` has the real, the fast and the virtual one."""

    @property
    def speed(self) -> int:
        """How many room milliseconds pass in one real one (1 in a real session)."""
        ...

    def now_ms(self) -> int:
        """Room time now, ms. Never goes back, never jumps."""
        ...

    def local_time(self) -> datetime:
        """The wall clock's local time, for "it is afternoon" and for bookings; nothing else."""
        ...

    async def sleep_until(self, at_ms: int) -> None:
        """Return at or just after room time ``at_ms``; at once if it has passed."""
        ...

    def call_at(self, at_ms: int, callback: Callable[[], None]) -> Callable[[], None]:
        """Call back on the loop at or just after room time ``at_ms``, never from within this call.

        What is returned takes it back; afterwards it does nothing.
        """
        ...


# ---------------------------------------------------------------- lights


@dataclass(frozen=True, slots=True)
class FixtureInfo:
    """One lamp as its driver knows it.

    ``floor_percent`` is the dimmest it can glow without being off. A mired range of None means no
    white tuning. ``has_colour``: it can show chromaticities inside its gamut. ``brightness_steps``: into how
    many even steps of luminance its driver cuts a target (Hue 254), or None for practically none.
    """

    fixture: FixtureId
    name: str
    driver: str
    floor_percent: float = 0.4
    mired_range: tuple[float, float] | None = (153.0, 500.0)
    has_colour: bool = True
    reachable: bool = True
    brightness_steps: int | None = 254


@dataclass(frozen=True, slots=True)
class FixtureConfig:
    """One lamp as the site file names it: our id, the driver's address for it (a Hue light's number …)."""

    fixture: FixtureId
    address: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class LampCommand:
    """One approved transition for one lamp, made at the instant of sending."""

    fixture: FixtureId
    transition: Transition
    authority: Authority


@dataclass(frozen=True, slots=True)
class LampReport:
    """What polling found of a lamp. None where the lamp does not say."""

    fixture: FixtureId
    on: bool | None
    percent: float | None
    mired: float | None
    xy: tuple[float, float] | None
    reachable: bool


class LightSource(Protocol):
    """The light desk, as a driver sees it. Called on the event loop only, and never blocks."""

    def next_command(self, fixture: FixtureId) -> LampCommand | None:
        """Return the transition this lamp needs at this instant, already inside the envelope, or None.

        Called when the driver is about to send: so nothing it sends can be stale. The desk takes the
        transition as begun; ``failed`` tells it otherwise.
        """
        ...

    def delivered(self, command: LampCommand) -> None:
        """The lamp's bridge took the whole command."""
        ...

    def failed(self, command: LampCommand, message: str) -> None:
        """The command, or part of it, was not taken. The driver retries by asking again."""
        ...

    def withdrawn(self, command: LampCommand) -> None:
        """Nothing of the command was sent. No fault: a fresh one may be asked for at once."""
        ...

    def observed(self, reports: Sequence[LampReport]) -> None:
        """A poll's findings (manual changes, lamps that came back)."""
        ...

    def driver_health(self, driver: str, message: str | None) -> None:
        """A bridge is not well (a clear line) or well again (None)."""
        ...


class Lights(Protocol):
    """One bridge or bus of lamps."""

    def fixtures(self) -> tuple[FixtureInfo, ...]:
        """The lamps it knows."""
        ...

    def wake(self, fixtures: Collection[FixtureId], authority: Authority) -> None:
        """Say that these lamps want a command now. Returns at once; the driver's lanes ask for it.

        Lanes: help before therapist before score; the latest wake of a lamp stands for all before.
        """
        ...

    async def run(self, source: LightSource) -> None:
        """Serve until cancelled. Device faults are reported, never raised."""
        ...

    async def close(self) -> None:
        """Let go of sockets and threads. Lamps stay as they are."""
        ...


# ---------------------------------------------------------------- music


@dataclass(frozen=True, slots=True)
class PlayItem:
    """One thing to play. ``gain_db`` is the track's loudness correction, fixed before the session.

    ``start_ms`` and ``end_ms`` cut the file's silent edges; ``position_ms`` starts further in (a resume).
    ``fade_ms`` is the crossfade into it. A ``path`` starting with ``bed:`` names a generated bed.
    """

    item_id: str
    track_id: str
    path: str
    gain_db: float = 0.0
    start_ms: int = 0
    end_ms: int | None = None
    position_ms: int = 0
    fade_ms: int = 12_000
    title: str = ""
    artist: str = ""


@dataclass(frozen=True, slots=True)
class QueueItems:
    """Replace what comes after the current item. Empty: the bed follows."""

    items: tuple[PlayItem, ...]
    kind: Literal["queue"] = "queue"


@dataclass(frozen=True, slots=True)
class CrossfadeTo:
    """Crossfade to an item now, from whatever is heard, in mid-fade too."""

    item: PlayItem
    fade_ms: int
    kind: Literal["crossfade"] = "crossfade"


@dataclass(frozen=True, slots=True)
class SetLevel:
    """Move a bus to a level, evenly in dB, in ``over_ms``. At or below -60 dB it is mute.

    Levels are absolute in dB over the bus's unity, so a repeat changes nothing. The bed lies under the
    programme, and both under the master: what silences the programme silences the bed.
    """

    bus: Literal["programme", "bed", "prompt", "master"]
    level_db: float
    over_ms: int
    kind: Literal["level"] = "level"


@dataclass(frozen=True, slots=True)
class Speak:
    """Play a prompt's recording on the prompt bus, the music ducked smoothly under it."""

    prompt_id: str
    path: str
    duck_db: float = -12.0
    gain_db: float = 0.0
    kind: Literal["speak"] = "speak"


@dataclass(frozen=True, slots=True)
class Route:
    """Which outputs sound. Unknown outputs are ignored."""

    speakers: bool
    headphones: bool
    kind: Literal["route"] = "route"


@dataclass(frozen=True, slots=True)
class StopPlayer:
    """Fade out and end the player process."""

    fade_ms: int = 2_000
    kind: Literal["stop"] = "stop"


PlayerCommand: TypeAlias = QueueItems | CrossfadeTo | SetLevel | Speak | Route | StopPlayer


@dataclass(frozen=True, slots=True)
class PlayerStatus:
    """What the player is doing, four times a second."""

    item_id: str | None
    track_id: str | None
    position_ms: int
    length_ms: int | None
    queue: tuple[str, ...]
    programme_db: float
    peak_dbfs: float
    loudness_lufs: float
    on_bed: bool
    device: str
    device_ok: bool
    frames_written: int
    underruns: int
    kind: Literal["status"] = "status"


@dataclass(frozen=True, slots=True)
class ItemStarted:
    """An item began to be heard (its fade-in began)."""

    item_id: str
    track_id: str
    kind: Literal["started"] = "started"


@dataclass(frozen=True, slots=True)
class ItemEnded:
    """An item is no longer heard."""

    item_id: str
    track_id: str
    kind: Literal["ended"] = "ended"


@dataclass(frozen=True, slots=True)
class ItemFailed:
    """An item could not be played or broke off; the next one or the bed took over."""

    item_id: str
    track_id: str
    reason: str
    kind: Literal["failed"] = "failed"


@dataclass(frozen=True, slots=True)
class Spoken:
    """A prompt's recording has been heard to its end."""

    prompt_id: str
    kind: Literal["spoken"] = "spoken"


@dataclass(frozen=True, slots=True)
class PlayerHealth:
    """The player or its device is not well (a clear line), or well again (None)."""

    message: str | None
    kind: Literal["health"] = "health"


PlayerEvent: TypeAlias = PlayerStatus | ItemStarted | ItemEnded | ItemFailed | Spoken | PlayerHealth


class Player(Protocol):
    """The player process, seen from the daemon."""

    def send(self, command: PlayerCommand) -> None:
        """Hand a command over. Never blocks; kept (the newest of its kind) while the player is away."""
        ...

    async def run(self, listener: Callable[[PlayerEvent], None]) -> None:
        """Start or find the player process, keep it alive, deliver its events on the loop, until cancelled.

        On cancel the player plays on.
        """
        ...

    async def close(self, *, stop_player: bool) -> None:
        """Let go of the link; with ``stop_player`` fade out and end the process."""
        ...


# ---------------------------------------------------------------- prompts and MQTT


@dataclass(frozen=True, slots=True)
class Prompt:
    """A prompt as it goes out. ``audio`` names a recording or is None."""

    prompt_id: str
    text: str
    audio: str | None
    audience: Audience
    ttl_s: int


class Speech(Protocol):
    """Whatever turns words into a recording (``hardware/speech.py``)."""

    def ready(self, text: str) -> Path | None:
        """Return the recording of these words if it is there already."""
        ...

    async def render(self, text: str) -> Path:
        """Return the recording of these words, made now if it has to be; never blocks the loop.

        Raises:
            DriverError: no voice could make it.
        """
        ...


class Prompts(Protocol):
    """Whatever brings prompts to people."""

    def publish(self, prompt: Prompt) -> None:
        """Hand a prompt over. Never blocks, never repeats by itself."""
        ...


@dataclass(frozen=True, slots=True)
class MqttMessage:
    """One message that came in. The last two are None on a broker that speaks only MQTT 3.1.1."""

    topic: str
    payload: bytes
    qos: int
    retain: bool
    response_topic: str | None = None
    correlation_data: bytes | None = None


@dataclass(frozen=True, slots=True)
class MqttWill:
    """What the broker says in our name when we are gone without a word."""

    topic: str
    payload: bytes
    qos: int = 1
    retain: bool = True


class MqttClient(Protocol):
    """One link to an MQTT broker (``hardware/mqtt_link.py``). Called on the event loop only."""

    @property
    def up(self) -> bool:
        """Whether the broker has accepted us and has not gone since."""
        ...

    @property
    def speaks_v5(self) -> bool:
        """Whether this connection has response topics and message expiry."""
        ...

    @property
    def health(self) -> str | None:
        """What is not well, in one clear line, or None."""
        ...

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
        """Hand a message over. Never blocks, never raises for the broker's sake.

        While the broker is away, QoS 0 is dropped and the rest waits for at most ``expiry_s`` (real
        seconds; 30 without), of a retained topic the newest only. ``repeat=False``: once it has been put
        on the wire it is never sent again, even if the broker went before it acknowledged.
        """
        ...

    def subscribe(self, topic_filter: str, handler: Callable[[MqttMessage], None], *, qos: int = 1) -> None:
        """Call ``handler`` on the loop for every message that matches, from now on, over every reconnect."""
        ...

    def on_up(self, callback: Callable[[], None]) -> None:
        """Call back each time the broker has accepted us: the moment to announce everything anew."""
        ...

    def on_down(self, callback: Callable[[str], None]) -> None:
        """Call back with one clear line each time the broker is lost or refuses us."""
        ...

    async def run(self) -> None:
        """Hold the link until cancelled; then say goodbye (the will's message included)."""
        ...


# ---------------------------------------------------------------- journal


@dataclass(frozen=True, slots=True)
class StoredNote:
    """A note's free text, kept apart from the records."""

    note_id: str
    session_id: str
    at_ms: int
    chip: str
    text: str


@dataclass(frozen=True, slots=True)
class SessionSummary:
    """A session in the list of sessions."""

    session_id: str
    profile_id: str
    title: str
    started_at_ms: int
    ended_at_ms: int | None
    unreviewed: bool = field(default=False)


class Journal(Protocol):
    """The append-only store of one room's records."""

    async def append(self, records: Sequence[Record]) -> None:
        """Store records durably, in order.

        Raises:
            JournalError: they could not be stored; the room goes on without.
        """
        ...

    async def add_note(self, note: StoredNote) -> None:
        """Store a note's free text in its own table."""
        ...

    async def records(self, session_id: str) -> tuple[Record, ...]:
        """Return one session's records in order."""
        ...

    async def open_session(self) -> tuple[Record, ...]:
        """Return the records of the session that has not ended, or an empty tuple."""
        ...

    async def sessions(self) -> tuple[SessionSummary, ...]:
        """Return all sessions, newest first."""
        ...

    async def close(self) -> None:
        """Flush and close."""
        ...
