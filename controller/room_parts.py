"""What a room is made of. The composition root brings it together; nothing here acts by itself."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from controller.conductor import Conductor
from controller.core.light import Look
from controller.core.records import RoomChecked
from controller.core.score import FixtureId, ZoneId
from controller.light_desk import LightDesk
from controller.ports import Clock, LampCommand, LampReport, Prompts
from controller.room_commands import RoomLibrary
from controller.room_writer import RoomJournal
from controller.sound_meter import SoundMeter


@dataclass(frozen=True, slots=True)
class RoomParts:
    """What a room is made of; the composition root brings it together."""

    room_id: str
    title: str
    resting: dict[ZoneId, Look]
    clock: Clock
    journal: RoomJournal
    desk: LightDesk
    conductor: Conductor
    library: RoomLibrary
    prompts: Sequence[Prompts]
    new_session_id: Callable[[], str]
    meter: SoundMeter = field(default_factory=SoundMeter)
    silent_by_choice: bool = False
    recovery_limit_ms: int = 600_000
    checked: Callable[[], RoomChecked | None] = lambda: None
    """The room's last check, while it still says something of a session that starts now."""


@dataclass(frozen=True, slots=True)
class WakingSource:
    """The light desk as the drivers see it: every word of theirs may move what the room's loop waits for."""

    desk: LightDesk
    wake: Callable[[], None]

    def next_command(self, fixture: FixtureId) -> LampCommand | None:
        """Return the transition this lamp needs at this instant, or None."""
        command = self.desk.next_command(fixture)
        self.wake()
        return command

    def delivered(self, command: LampCommand) -> None:
        """The lamp's bridge took the whole command."""
        self.desk.delivered(command)
        self.wake()

    def failed(self, command: LampCommand, message: str) -> None:
        """The command, or part of it, was not taken."""
        self.desk.failed(command, message)
        self.wake()

    def withdrawn(self, command: LampCommand) -> None:
        """Nothing of the command was sent."""
        self.desk.withdrawn(command)
        self.wake()

    def observed(self, reports: Sequence[LampReport]) -> None:
        """A poll's findings."""
        self.desk.observed(reports)
        self.wake()

    def driver_health(self, driver: str, message: str | None) -> None:
        """A bridge is not well, or well again."""
        self.desk.driver_health(driver, message)
        self.wake()
