"""The room as its doors see it: the web app, the MQTT API and the terminal all speak to a ``RoomApi``.

A door validates (``controller/wire.py``) and hands over; it never decides and never touches a driver.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from controller.core.commands import SessionSheet
from controller.core.records import Record
from controller.core.snapshot import Ribbon, Snapshot
from controller.ports import SessionSummary
from controller.wire import CommandRequest, Reply


@dataclass(frozen=True, slots=True)
class RoomChange:
    """One change of a room: what was journaled for it. Who shows the room asks it for its snapshot."""

    records: tuple[Record, ...]


Listener: TypeAlias = Callable[[RoomChange], None]


@dataclass(frozen=True, slots=True)
class Named:
    """A profile, pool, preset or prompt in a list a door offers."""

    name: str
    title: str
    detail: str = ""
    reviewed: bool = True


class RoomApi(Protocol):
    """One room."""

    @property
    def room_id(self) -> str:
        """The room's id, as in URLs and topics."""
        ...

    def snapshot(self) -> Snapshot:
        """The room's state now."""
        ...

    async def submit(self, request: CommandRequest, by: str) -> Reply:
        """Carry out one command.

        The lamps and the player have been told when this returns; ``Reply.journaled`` says whether the
        record is on disk. The same id again returns the first reply and changes nothing.
        """
        ...

    def watch(self, listener: Listener) -> Callable[[], None]:
        """Call ``listener`` on the loop at every change; returns what ends it. It must not block."""
        ...

    def ribbon(self, profile: str | None = None) -> Ribbon | None:
        """The plan of the whole session as a drawing needs it: light, music and cues over session time.

        Without a profile that of the running session (holds, extensions and jumps in it), None when there
        is none. With one, what that profile would be in this room; None when there is no such profile.
        """
        ...

    def profiles(self) -> tuple[Named, ...]:
        """The profiles that can be started here."""
        ...

    def pools(self) -> tuple[Named, ...]:
        """The pools music can come from."""
        ...

    def presets(self) -> tuple[Named, ...]:
        """The room's presets (scenes)."""
        ...

    def prompts(self) -> tuple[Named, ...]:
        """The prompts that can be tapped: key, and the words as ``detail``."""
        ...

    async def sessions(self) -> tuple[SessionSummary, ...]:
        """Past and present sessions, newest first."""
        ...

    async def records(self, session_id: str) -> tuple[Record, ...]:
        """One session's records."""
        ...

    def set_sheet(self, sheet: SessionSheet, intention: str) -> None:
        """Fill the session sheet before the start. Refused while a session runs."""
        ...


Rooms: TypeAlias = Mapping[str, RoomApi]
