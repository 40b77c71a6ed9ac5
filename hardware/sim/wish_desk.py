"""A light desk that only hands out wishes it was given: what a driver's tests stand on.

No envelope, no score, no model of the lamps: it must never be used in a room.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from controller.core.envelope import Authority, Transition
from controller.core.light import look_from_percent
from controller.core.score import FixtureId
from controller.ports import LampCommand, LampReport


@dataclass(slots=True)
class WishDesk:
    """``controller.ports.LightSource`` for tests: newest wish per lamp, and a record of all that was said."""

    wishes: dict[FixtureId, LampCommand] = field(default_factory=dict)
    asked: list[FixtureId] = field(default_factory=list)
    taken: list[LampCommand] = field(default_factory=list)
    done: list[LampCommand] = field(default_factory=list)
    failures: list[tuple[LampCommand, str]] = field(default_factory=list)
    withdrawals: list[LampCommand] = field(default_factory=list)
    reports: list[Sequence[LampReport]] = field(default_factory=list)
    health: list[tuple[str, str | None]] = field(default_factory=list)
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    keeps_failed: bool = True

    def wish(
        self,
        fixture: FixtureId,
        percent: float,
        *,
        kelvin: float = 2700.0,
        fade_ms: int = 200,
        authority: Authority = Authority.THERAPIST,
    ) -> LampCommand:
        """Wish for a look; percent 0 is off without a transition."""
        look = look_from_percent(percent, kelvin)
        transition = Transition(look, 0 if percent == 0 else fade_ms, power_off=percent == 0)
        command = LampCommand(fixture, transition, authority)
        self.wishes[fixture] = command
        return command

    def next_command(self, fixture: FixtureId) -> LampCommand | None:
        """Hand the newest wish out, once."""
        self.asked.append(fixture)
        command = self.wishes.pop(fixture, None)
        if command is not None:
            self.taken.append(command)
        return command

    def delivered(self, command: LampCommand) -> None:
        """Note it."""
        self.done.append(command)
        self.changed.set()

    def failed(self, command: LampCommand, message: str) -> None:
        """Note it, and wish for it again unless something newer is wished for."""
        self.failures.append((command, message))
        if self.keeps_failed:
            self.wishes.setdefault(command.fixture, command)
        self.changed.set()

    def withdrawn(self, command: LampCommand) -> None:
        """Note it, and wish for it again unless something newer is wished for."""
        self.withdrawals.append(command)
        self.wishes.setdefault(command.fixture, command)

    def observed(self, reports: Sequence[LampReport]) -> None:
        """Note them."""
        self.reports.append(tuple(reports))
        self.changed.set()

    def driver_health(self, driver: str, message: str | None) -> None:
        """Note it."""
        self.health.append((driver, message))
        self.changed.set()

    async def until(self, condition: Callable[[], bool], timeout_s: float = 5.0) -> None:
        """Wait until a condition holds that only changes when the driver says something.

        Raises:
            TimeoutError: it did not come to hold.
        """
        async with asyncio.timeout(timeout_s):
            while not condition():
                self.changed.clear()
                await self.changed.wait()
