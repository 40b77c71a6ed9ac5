"""The lanes at work: asks the light desk for commands, sends them within budget, and lives through outages.

One runner per bridge or bus. Drivers give it a ``Sender``; it never knows what a bridge speaks, never sends a
command twice, and never keeps one that could go stale: what failed is asked for anew.
"""

import asyncio
from collections.abc import Callable, Collection, Coroutine, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final, Protocol, TypeAlias

from controller.clock import Alarm
from controller.core.envelope import Authority
from controller.core.score import FixtureId
from controller.ports import Clock, LampCommand, LampReport, LightSource
from hardware.faults import DeviceError, Scope
from hardware.lanes import Budget, Patience, TokenBucket, WaitingRoom

POLL_MS: Final = 4_000.0
POLL_MISSING_MS: Final = 1_000.0
HELD_MS: Final = 200.0
"""How long a command pulled for a group may wait to be sent by itself before it is asked for anew."""
UNANSWERED_REST_MS: Final = 2_000.0

Chore: TypeAlias = Callable[[], Coroutine[None, None, None]]


@dataclass(frozen=True, slots=True)
class LampGroup:
    """A set of lamps that the bridge can command at once."""

    key: str
    members: frozenset[FixtureId]


@dataclass(frozen=True, slots=True)
class Batch:
    """What goes out in one request: one lamp's command, or a whole group's equal ones."""

    commands: tuple[LampCommand, ...]
    group: LampGroup | None = None


@dataclass(frozen=True, slots=True)
class LaneState:
    """How a bridge's lanes are: is it away, how many lamps wait, how many requests are out, what is wrong."""

    away: bool
    waiting: int
    in_flight: int
    problem: str | None


class Sender(Protocol):
    """What a driver does for the lanes. Its methods raise ``DeviceError`` and nothing else."""

    def send(self, batch: Batch) -> Coroutine[None, None, None]:
        """Begin to send one batch, before this returns if that can be; await until the bridge took all of it.

        Raises nothing itself; what it returns is always awaited.
        """
        ...

    async def probe(self) -> Sequence[LampReport]:
        """Find out whether the bridge is there and how its lamps are."""
        ...

    def groups(self) -> Sequence[LampGroup]:
        """Return the groups that can be used now."""
        ...

    def alike(self, commands: Sequence[LampCommand]) -> bool:
        """Say whether these commands are one and the same to the bridge."""
        ...

    def complaint(self) -> str | None:
        """Return what is wrong although the bridge answers, such as a lamp it does not have; or None."""
        ...

    def next_chore(self) -> Chore | None:
        """Return something to do when nothing else is, or None."""
        ...


class LaneRunner:
    """Serves one bridge. See the module's docstring."""

    def __init__(
        self,
        device: str,
        clock: Clock,
        sender: Sender,
        fixtures: Sequence[FixtureId],
        *,
        budget: Budget | None = None,
        poll_ms: float = POLL_MS,
    ) -> None:
        self._device = device
        self._clock = clock
        self._sender = sender
        self._fixtures = tuple(fixtures)
        self._budget = budget or Budget()
        self._poll_ms = poll_ms
        self._lights = TokenBucket(self._budget.lights_per_s, self._budget.burst)
        self._groups = TokenBucket(self._budget.groups_per_s, 1.0)
        self._room = WaitingRoom()
        self._held: dict[FixtureId, tuple[LampCommand, float]] = {}
        self._superseded: set[FixtureId] = set()
        self._busy: set[FixtureId] = set()
        self._touched: set[FixtureId] = set()
        self._missing: set[FixtureId] = set()
        self._rests: dict[FixtureId, Patience] = {}
        self._patience = Patience(200.0, 1_000.0)
        self._away = True
        self._in_flight = 0
        self._poll_due_ms = 0.0
        self._health: str | None = None
        self._changed = Alarm(clock)
        self._source: LightSource | None = None
        self._tasks: asyncio.TaskGroup | None = None

    @property
    def away(self) -> bool:
        """Whether the bridge cannot be used now (or has not been found yet)."""
        return self._away

    def state(self) -> LaneState:
        """Return how the lanes are now, for whoever sets them up."""
        return LaneState(self._away, len(self._room.waiting()), self._in_flight, self._health)

    def wake(self, fixtures: Collection[FixtureId], authority: Authority) -> None:
        """Let lamps wait for their turn; see ``controller.ports.Lights.wake``.

        A person's wish that can be sent now has been handed to the sender when this returns: what else its
        command leads to (news, records, an answer) comes after the light.
        """
        known = [fixture for fixture in fixtures if fixture in self._fixtures]
        self._room.wake(known, authority)
        self._superseded.update(fixture for fixture in known if fixture in self._held)
        if authority is not Authority.SCORE:
            self._send_what_can_be(self._now())
        self._changed.set()

    def recheck(self) -> None:
        """Probe as soon as possible: something outside changed, such as a new pairing."""
        self._patience.succeed()
        self._poll_due_ms = 0.0
        self._changed.set()

    async def run(self, source: LightSource) -> None:
        """Serve until cancelled."""
        self._source = source
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            try:
                while True:
                    self._changed.clear()
                    self._send_what_can_be(self._now())
                    if (chore := self._next_chore(self._now())) is not None:
                        self._start(chore)
                    await self._pause(self._look_again_at(self._now()))
            finally:
                self._tasks = None

    # ------------------------------------------------------------ deciding

    def _now(self) -> float:
        """Real time, ms: bridges and their patience live in it, whatever the room's clock does."""
        return self._clock.now_ms() / self._clock.speed

    async def _pause(self, until_ms: float) -> None:
        """Wait until something changes, or for that real time."""
        await self._changed.wait_until(int(until_ms * self._clock.speed) + 1)

    def _send_what_can_be(self, now: float) -> None:
        if self._tasks is None:
            return
        while self._may_ask(now) and not self._away and (batch := self._next_batch(now)) is not None:
            names = {command.fixture for command in batch.commands}
            self._busy |= names
            self._touched |= names
            sending = self._sender.send(batch)
            # If it is cancelled before its first step, nobody has awaited what was begun.
            self._start(self._deliver(batch, sending)).add_done_callback(partial(_close, sending))

    def _start(self, job: Coroutine[None, None, None]) -> asyncio.Task[None]:
        if self._tasks is None:
            raise RuntimeError("the lanes were used while nobody runs them")
        self._in_flight += 1
        return self._tasks.create_task(job)

    def _may_ask(self, now: float) -> bool:
        """Say whether the bridge can be asked anything; after a failure one thing at a time."""
        return now >= self._patience.until_ms and not (self._patience.failures and self._in_flight)

    def _next_chore(self, now: float) -> Coroutine[None, None, None] | None:
        """Return a poll or a driver's chore if it is time for one and nothing is under way."""
        if self._in_flight or not self._may_ask(now):
            return None
        if self._away:
            return self._probe()
        idle = self._room.first(self._not_now(now)) is None
        if now >= self._poll_due_ms + (0.0 if idle else 2.0 * self._poll_ms):
            return self._probe()
        if idle and not self._held and now >= self._lights.ready_at(now, self._budget.reserve):
            chore = self._sender.next_chore()
            return None if chore is None else self._do_chore(chore, now)
        return None

    def _look_again_at(self, now: float) -> float:
        """Return when a decision may fall out differently without anything else happening."""
        if now < self._patience.until_ms:
            return self._patience.until_ms
        times = [max(self._poll_due_ms, now + 5.0), self._lights.ready_at(now, self._budget.reserve)]
        if self._room.first(self._not_now(now)) is not None:
            times.append(self._lights.ready_at(now))
        times.extend(p.until_ms for f, p in self._rests.items() if p.until_ms and f in self._room.waiting())
        later = [at for at in times if at > now]
        return min(later, default=now + self._poll_ms)

    def _not_now(self, now: float) -> set[FixtureId]:
        """Return the lamps that cannot be served at this instant."""
        resting = {fixture for fixture, patience in self._rests.items() if now < patience.until_ms}
        # A lamp that does not answer is left to the poll; a person's wish is still tried.
        missing = {f for f in self._missing if self._room.authority(f) is Authority.SCORE}
        return self._busy | resting | missing

    def _next_batch(self, now: float) -> Batch | None:
        while (top := self._room.first(self._not_now(now))) is not None:
            fixture, authority = top
            if self._in_flight >= (1 if authority is Authority.SCORE else self._budget.in_flight):
                return None
            batch = self._group_batch(authority, now)
            if batch is not None:
                return batch
            reserve = self._budget.reserve if authority is Authority.SCORE else 0.0
            if now < self._lights.ready_at(now, reserve):
                return None
            command = self._pull(fixture, now)
            if command is not None:
                self._held.pop(fixture, None)
                self._room.leave(fixture)
                self._lights.take(now)
                return Batch((command,))
        return None

    def _group_batch(self, authority: Authority, now: float) -> Batch | None:
        """Pull a lane's lamps together where they may make a group, and send the largest that is alike."""
        if now < self._groups.ready_at(now):
            return None
        waiting = self._room.lane(authority, self._not_now(now))
        groups = [g for g in self._sender.groups() if len(g.members) > 1 and g.members <= waiting]
        if not groups:
            return None
        for fixture in sorted(frozenset[FixtureId]().union(*(g.members for g in groups))):
            self._pull(fixture, now)
        if self._held:
            # The try itself costs the group's token: a slider in somebody's hand is not pulled at for ever.
            self._groups.take(now)
        for group in sorted(groups, key=lambda g: (-len(g.members), g.key)):
            held = [self._held[fixture][0] for fixture in sorted(group.members) if fixture in self._held]
            if len(held) == len(group.members) and self._sender.alike(held):
                for fixture in group.members:
                    self._held.pop(fixture)
                    self._room.leave(fixture)
                return Batch(tuple(held), group)
        return None

    def _pull(self, fixture: FixtureId, now: float) -> LampCommand | None:
        """Ask the desk for a lamp's command, or take the one just pulled for a group if it is still good."""
        source = self._desk()
        held = self._held.pop(fixture, None)
        if held is not None:
            if fixture not in self._superseded and now - held[1] <= HELD_MS:
                self._held[fixture] = held
                return held[0]
            source.withdrawn(held[0])
        self._superseded.discard(fixture)
        command = source.next_command(fixture)
        if command is None:
            self._room.leave(fixture)
            return None
        self._held[fixture] = (command, now)
        return command

    def _desk(self) -> LightSource:
        if self._source is None:
            raise RuntimeError("the lanes were used before run() began")
        return self._source

    # ------------------------------------------------------------ doing

    async def _deliver(self, batch: Batch, sending: Coroutine[None, None, None]) -> None:
        source = self._desk()
        try:
            await sending
        except DeviceError as fault:
            self._note_fault(fault, batch)
            for command in batch.commands:
                source.failed(command, str(fault))
        else:
            self._note_success()
            for command in batch.commands:
                self._delivered(command)
        finally:
            self._busy.difference_update(command.fixture for command in batch.commands)
            self._end_job()

    def _delivered(self, command: LampCommand) -> None:
        fixture = command.fixture
        if fixture in self._missing:
            # The bridge says yes for a lamp it cannot hear. The poll will tell when to ask again.
            self._rest(fixture).until_ms = self._now() + UNANSWERED_REST_MS
            self._room.wake((fixture,), Authority.SCORE)
            self._desk().failed(command, "the lamp does not answer")
            return
        self._rests.pop(fixture, None)
        self._desk().delivered(command)

    async def _probe(self) -> None:
        was_away = self._away
        self._touched = set(self._busy)
        try:
            reports = await self._sender.probe()
        except DeviceError as fault:
            self._note_fault(fault, None)
        else:
            self._away = False
            self._note_success()
            self._take_reports(reports, was_away=was_away)
        finally:
            self._end_job()

    def _take_reports(self, reports: Sequence[LampReport], *, was_away: bool) -> None:
        missing = {report.fixture for report in reports if not report.reachable}
        back = self._missing - missing
        self._missing = missing
        for fixture in back:
            self._rests.pop(fixture, None)
        self._poll_due_ms = self._now() + (min(POLL_MISSING_MS, self._poll_ms) if missing else self._poll_ms)
        # What was commanded while the poll was under way may have been read before or after: it says nothing.
        news = [report for report in reports if report.fixture not in self._touched]
        if news:
            self._desk().observed(news)
        # Whoever missed something while its bridge or its own mains was away is asked for anew.
        self._room.wake(self._fixtures if was_away else back, Authority.SCORE)

    async def _do_chore(self, chore: Chore, now: float) -> None:
        self._lights.take(now)
        try:
            await chore()
        except DeviceError as fault:
            self._note_fault(fault, None)
        finally:
            self._end_job()

    def _end_job(self) -> None:
        self._in_flight -= 1
        self._changed.set()

    # ------------------------------------------------------------ health

    def _rest(self, fixture: FixtureId) -> Patience:
        return self._rests.setdefault(fixture, Patience(250.0, 4_000.0))

    def _note_fault(self, fault: DeviceError, batch: Batch | None) -> None:
        now = self._now()
        match fault.scope:
            case Scope.LAMP:
                for command in batch.commands if batch is not None else ():
                    self._rest(command.fixture).fail(now)
            case Scope.BUSY:
                self._patience.fail(now)
                if self._patience.failures >= 3:
                    self._say(f"{self._device}: {fault.plain}")
            case Scope.AWAY:
                self._patience.fail(now)
                self._away = True
                self._say(f"{self._device}: {fault.plain}")
        if batch is not None and fault.may_retry:
            for command in batch.commands:
                self._room.wake((command.fixture,), command.authority)

    def _note_success(self) -> None:
        self._patience.succeed()
        self._say(self._sender.complaint())

    def _say(self, message: str | None) -> None:
        if message != self._health:
            self._health = message
            self._desk().driver_health(self._device, message)


def _close(sending: Coroutine[None, None, None], _task: asyncio.Task[None]) -> None:
    sending.close()
