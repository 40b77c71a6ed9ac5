"""The front desk's wall: of each room whether a session is on, its phase, planned end and faults.

Nothing of the client is in it, nor what the session is for: no profile, no prompt, no session id. It reads
what rooms say and commands nothing. What it has not heard of lately it calls silent, never well.
"""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

from controller.core.broker_access import PREFIX
from controller.core.snapshot import Snapshot
from controller.mqtt_topics import OFFLINE, ONLINE
from controller.ports import Clock, MqttClient, MqttMessage

SILENT_AFTER_MS: Final = 30_000
"""A room says its state every 10 s; three missed are no blip."""
MOST_ROOMS: Final = 2_000
MOST_BYTES: Final = 262_144
MOST_FAULTS: Final = 20
MOST_SIGNS: Final = 200

Link: TypeAlias = Literal["online", "offline", "silent"]
Stage: TypeAlias = Literal["none", "running", "held", "asking", "ended"]
STAGES: Final[tuple[Stage, ...]] = ("none", "running", "held", "asking", "ended")


@dataclass(frozen=True, slots=True)
class WallLine:
    """One room. ``planned_end_ms`` is room time (Unix-based ms); None without a session under way."""

    room: str
    title: str
    link: Link
    session: Stage = "none"
    phase: str = ""
    planned_end_ms: int | None = None
    faults: tuple[str, ...] = ()


def line_of_snapshot(snapshot: Snapshot) -> WallLine:
    """Return a room's line from its state."""
    session = snapshot.session
    under_way = session is not None and session.status != "ended"
    return WallLine(
        room=snapshot.room,
        title=snapshot.title,
        link="online",
        session="none" if session is None else session.status,
        phase=session.phase_title if session is not None and under_way else "",
        planned_end_ms=session.planned_end_ms if session is not None and under_way else None,
        faults=tuple(fault.message for fault in snapshot.faults),
    )


def line_of_message(room: str, payload: bytes) -> WallLine | None:
    """Return a room's line from its ``state`` message, or None if it is none: anybody may have sent it."""
    if len(payload) > MOST_BYTES:
        return None
    try:
        plain = json.loads(payload)
    except (ValueError, RecursionError):
        return None
    if not isinstance(plain, dict) or "session" not in plain:
        return None
    session = plain["session"] if isinstance(plain["session"], dict) else None
    said = None if session is None else session.get("status")
    status: Stage = next((stage for stage in STAGES if stage == said), "none")
    end = session.get("planned_end_ms") if session is not None and status not in ("none", "ended") else None
    faults = plain.get("faults")
    return WallLine(
        room=room,
        title=_text(plain.get("title")) or room,
        link="online",
        session=status,
        phase=_text(session.get("phase_title")) if session is not None and end is not None else "",
        planned_end_ms=end if isinstance(end, int) and not isinstance(end, bool) else None,
        faults=tuple(_fault(fault) for fault in faults[:MOST_FAULTS]) if isinstance(faults, list) else (),
    )


class WallBoard:
    """What many rooms say over MQTT, whichever broker, bridge or cluster carries it."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lines: dict[str, WallLine] = {}
        self._heard_ms: dict[str, int] = {}
        self._status: dict[str, bytes] = {}

    def listen(self, link: MqttClient) -> None:
        """Take the word of every room on the link's broker."""
        link.subscribe(f"{PREFIX}/+/status", self._on_status, qos=1)
        link.subscribe(f"{PREFIX}/+/state", self._on_state, qos=0)

    def lines(self) -> tuple[WallLine, ...]:
        """Every room that was ever heard of, by title."""
        rooms = sorted(self._status | self._lines, key=lambda room: (self._line(room).title.casefold(), room))
        return tuple(self._line(room) for room in rooms)

    def _line(self, room: str) -> WallLine:
        said = self._lines.get(room)
        title = room if said is None else said.title
        if self._status.get(room) == OFFLINE:
            return WallLine(room, title, "offline")
        heard_ms = self._heard_ms.get(room)
        patience_ms = SILENT_AFTER_MS * self._clock.speed
        if said is None or heard_ms is None or self._clock.now_ms() - heard_ms > patience_ms:
            return WallLine(room, title, "silent")
        return said

    def _on_status(self, message: MqttMessage) -> None:
        room = message.topic.split("/")[1]
        if message.payload in (ONLINE, OFFLINE) and self._has_place(room):
            self._status[room] = message.payload

    def _on_state(self, message: MqttMessage) -> None:
        room = message.topic.split("/")[1]
        line = line_of_message(room, message.payload)
        if line is None or not self._has_place(room):
            return
        self._lines[room] = line
        # A kept state may be old: it is believed for no longer than any other, unless `status` says offline.
        self._heard_ms[room] = self._clock.now_ms()

    def _has_place(self, room: str) -> bool:
        return room in self._status or room in self._lines or len(self._status | self._lines) < MOST_ROOMS


def lines_of(snapshots: Iterable[Snapshot]) -> tuple[WallLine, ...]:
    """Return the lines of rooms in this process, by title."""
    lines = (line_of_snapshot(snapshot) for snapshot in snapshots)
    return tuple(sorted(lines, key=lambda line: (line.title.casefold(), line.room)))


def _text(value: Any) -> str:  # noqa: ANN401 - whatever a stranger's JSON holds
    return re.sub(r"[^\S ]|[\x00-\x1f\x7f]", " ", value)[:MOST_SIGNS] if isinstance(value, str) else ""


def _fault(value: Any) -> str:  # noqa: ANN401 - whatever a stranger's JSON holds
    return (_text(value.get("message")) if isinstance(value, dict) else "") or "a fault"
