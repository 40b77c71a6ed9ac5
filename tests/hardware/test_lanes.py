"""The lanes: who goes first, within which budget, and how they live through outages. On a manual clock."""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.clock import ManualClock
from controller.core.envelope import Authority
from controller.ports import LampCommand, LampReport
from hardware.faults import DeviceError, Scope
from hardware.lane_runner import HELD_MS, Batch, Chore, LampGroup, LaneRunner
from hardware.lanes import Patience, TokenBucket, WaitingRoom
from hardware.sim.wish_desk import WishDesk

LAMPS = tuple(f"lamp{n}" for n in range(1, 9))
SETTLE = 25


@dataclass
class FakeSender:
    """A bridge that takes ``latency_ms`` for everything, and fails as told."""

    clock: ManualClock
    latency_ms: int = 20
    begun: list[Batch] = field(default_factory=list)
    sent: list[tuple[int, Batch]] = field(default_factory=list)
    attempts: list[int] = field(default_factory=list)
    probes: list[int] = field(default_factory=list)
    faults: list[Scope] = field(default_factory=list)
    away: bool = False
    reachable: dict[str, bool] = field(default_factory=dict)
    known_groups: tuple[LampGroup, ...] = ()
    chores: list[Chore] = field(default_factory=list)
    in_flight: int = 0
    most_in_flight: int = 0
    lamps_in_flight: set[str] = field(default_factory=set)

    def send(self, batch: Batch) -> Coroutine[None, None, None]:
        self.begun.append(batch)
        return self._send(batch)

    async def _send(self, batch: Batch) -> None:
        names = {command.fixture for command in batch.commands}
        assert not names & self.lamps_in_flight, "two commands for one lamp under way at once"
        self.lamps_in_flight |= names
        self.attempts.append(self.clock.now_ms())
        try:
            await self._work("send")
        finally:
            self.lamps_in_flight -= names
        self.sent.append((self.attempts[-1], batch))

    async def probe(self) -> Sequence[LampReport]:
        self.probes.append(self.clock.now_ms())
        await self._work("probe")
        return [LampReport(f, True, 50.0, 370.0, None, self.reachable.get(f, True)) for f in LAMPS]

    async def _work(self, operation: str) -> None:
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            await self.clock.sleep_until(self.clock.now_ms() + self.latency_ms)
        finally:
            self.in_flight -= 1
        if self.away:
            raise DeviceError("fake", operation, "away", scope=Scope.AWAY)
        if operation == "send" and self.faults:
            scope = self.faults.pop(0)
            raise DeviceError("fake", operation, f"told to be {scope}", scope=scope)

    def groups(self) -> Sequence[LampGroup]:
        return self.known_groups

    def alike(self, commands: Sequence[LampCommand]) -> bool:
        return all(command.transition == commands[0].transition for command in commands)

    def complaint(self) -> str | None:
        return None

    def next_chore(self) -> Chore | None:
        return self.chores.pop(0) if self.chores else None


@dataclass
class TimedDesk(WishDesk):
    """A wish desk that notes when each wish was last taken."""

    clock: ManualClock = field(default_factory=ManualClock)
    taken_at: dict[LampCommand, int] = field(default_factory=dict)

    def next_command(self, fixture: str) -> LampCommand | None:
        command = WishDesk.next_command(self, fixture)
        if command is not None:
            self.taken_at[command] = self.clock.now_ms()
        return command


@dataclass
class Bench:
    clock: ManualClock
    sender: FakeSender
    desk: TimedDesk
    lanes: LaneRunner

    async def pass_ms(self, ms: int) -> None:
        await self.clock.run_until(self.clock.now_ms() + ms, settle=SETTLE)

    def wish(self, lamp: str, percent: float, authority: Authority = Authority.SCORE) -> None:
        self.desk.wish(lamp, percent, authority=authority)
        self.lanes.wake((lamp,), authority)

    def singles(self) -> list[int]:
        return [at for at, batch in self.sender.sent if batch.group is None]


@asynccontextmanager
async def bench(**options: object) -> AsyncIterator[Bench]:
    clock = ManualClock(1_000_000)
    sender = FakeSender(clock, **options)  # type: ignore[arg-type]
    desk = TimedDesk(clock=clock)
    lanes = LaneRunner("fake", clock, sender, LAMPS)
    async with asyncio.TaskGroup() as tasks:
        run = tasks.create_task(lanes.run(desk))
        made = Bench(clock, sender, desk, lanes)
        await made.pass_ms(1_000)
        yield made
        run.cancel()


def most_in_a_second(times: Sequence[int]) -> int:
    return max((sum(1 for t in times if start <= t < start + 1000) for start in times), default=0)


async def test_help_goes_before_therapist_before_score() -> None:
    async with bench(latency_ms=200) as b:
        for lamp in LAMPS[5:7]:
            b.wish(lamp, 10, Authority.THERAPIST)  # as many as may be under way
        for lamp in LAMPS[:3]:
            b.wish(lamp, 10, Authority.SCORE)
        b.wish(LAMPS[3], 10, Authority.THERAPIST)
        b.wish(LAMPS[4], 10, Authority.HELP)
        await b.pass_ms(4_000)
        order = [batch.commands[0].fixture for _, batch in b.sender.sent]
        assert order == [*LAMPS[5:7], LAMPS[4], LAMPS[3], *LAMPS[:3]]


async def test_a_lamp_keeps_the_better_of_its_lanes_and_its_place() -> None:
    room = WaitingRoom()
    room.wake(("a", "b"), Authority.SCORE)
    room.wake(("b",), Authority.HELP)
    room.wake(("b",), Authority.SCORE)
    room.wake(("a",), Authority.SCORE)
    assert room.first(()) == ("b", Authority.HELP)
    room.leave("b")
    assert room.first(()) == ("a", Authority.SCORE)
    assert room.first(("a",)) is None


async def test_the_budget_holds_in_every_second() -> None:
    async with bench() as b:
        for percent in range(1, 60):
            for lamp in LAMPS:
                b.wish(lamp, percent, Authority.THERAPIST)
            await b.pass_ms(40)
        await b.pass_ms(3_000)
        assert 8 <= most_in_a_second(b.singles()) <= 10
        assert b.sender.most_in_flight <= 2


async def test_a_hundred_step_drag_ends_on_the_last_value_within_budget() -> None:
    async with bench() as b:
        for step in range(1, 101):
            b.wish(LAMPS[0], step, Authority.THERAPIST)
            await b.pass_ms(20)
        await b.pass_ms(500)
        assert b.desk.done[-1].transition.look.percent == pytest.approx(100)
        assert len(b.sender.sent) <= 21, "eight a second for two seconds, and what was saved up"


async def test_the_therapist_never_waits_for_the_score() -> None:
    async with bench(latency_ms=60) as b:
        for _ in range(20):
            for lamp in LAMPS[:7]:
                b.wish(lamp, 20, Authority.SCORE)
            await b.pass_ms(333)
            before = b.clock.now_ms()
            b.wish(LAMPS[7], 30, Authority.THERAPIST)
            await b.pass_ms(2)
            assert b.sender.attempts[-1] - before <= 1
            assert LAMPS[7] in b.sender.lamps_in_flight


async def test_a_persons_wish_is_with_the_sender_before_anything_else_happens() -> None:
    async with bench() as b:
        b.desk.wish(LAMPS[0], 30, authority=Authority.THERAPIST)
        b.lanes.wake((LAMPS[0],), Authority.THERAPIST)
        assert [batch.commands[0].fixture for batch in b.sender.begun] == [LAMPS[0]], (
            "no turn of the loop later"
        )
        await b.pass_ms(100)
        assert len(b.desk.done) == 1


async def test_the_scores_wish_waits_for_the_lanes_turn() -> None:
    async with bench() as b:
        b.wish(LAMPS[0], 30, Authority.SCORE)
        assert b.sender.begun == []
        await b.pass_ms(100)
        assert len(b.desk.done) == 1


async def test_a_wish_before_the_lanes_run_is_kept() -> None:
    clock = ManualClock(1_000_000)
    sender, desk = FakeSender(clock), TimedDesk(clock=clock)
    lanes = LaneRunner("fake", clock, sender, LAMPS)
    desk.wish(LAMPS[0], 30, authority=Authority.THERAPIST)
    lanes.wake((LAMPS[0],), Authority.THERAPIST)
    assert sender.begun == []
    async with asyncio.TaskGroup() as tasks:
        run = tasks.create_task(lanes.run(desk))
        await clock.run_until(clock.now_ms() + 1_000, settle=SETTLE)
        run.cancel()
    assert len(desk.done) == 1


async def test_on_a_slow_bridge_the_score_leaves_a_place_and_no_lamp_is_commanded_twice_at_once() -> None:
    async with bench(latency_ms=700) as b:
        for lamp in LAMPS[:4]:
            b.wish(lamp, 20, Authority.SCORE)
        await b.pass_ms(400)
        assert b.sender.in_flight == 1
        b.wish(LAMPS[7], 30, Authority.THERAPIST)
        await b.pass_ms(300)
        b.wish(LAMPS[7], 40, Authority.THERAPIST)
        await b.pass_ms(6_000)
        assert [c.transition.look.percent for c in b.desk.done if c.fixture == LAMPS[7]] == pytest.approx(
            [30, 40]
        )
        assert b.sender.most_in_flight == 2


async def test_one_group_command_for_a_look_that_fits_a_group() -> None:
    group = LampGroup("3", frozenset(LAMPS[:6]))
    async with bench(known_groups=(group,)) as b:
        for lamp in LAMPS[:6]:
            b.desk.wish(lamp, 50, fade_ms=3000, authority=Authority.HELP)
        b.lanes.wake(LAMPS[:6], Authority.HELP)
        await b.pass_ms(200)
        assert [batch.group for _, batch in b.sender.sent] == [group]
        assert len(b.desk.done) == 6


async def test_the_largest_group_that_is_alike_and_single_commands_for_the_rest() -> None:
    whole, pair = LampGroup("1", frozenset(LAMPS)), LampGroup("2", frozenset(LAMPS[:3]))
    async with bench(known_groups=(whole, pair)) as b:
        for n, lamp in enumerate(LAMPS):
            b.desk.wish(lamp, 50 if n < 3 else 20 + n, authority=Authority.THERAPIST)
        b.lanes.wake(LAMPS, Authority.THERAPIST)
        await b.pass_ms(2_000)
        assert b.sender.sent[0][1].group == pair
        assert len(b.sender.sent) == 6
        assert len(b.desk.done) == 8
        assert b.desk.failures == []


async def test_nothing_pulled_for_a_group_is_sent_late() -> None:
    group = LampGroup("1", frozenset(LAMPS))
    async with bench(known_groups=(group,)) as b:
        for n, lamp in enumerate(LAMPS):
            b.desk.wish(lamp, 10 + n, authority=Authority.THERAPIST)
        b.lanes.wake(LAMPS, Authority.THERAPIST)
        await b.pass_ms(2_000)
        assert [batch.group for _, batch in b.sender.sent] == [None] * 8
        late = [at for at, batch in b.sender.sent if at - b.desk.taken_at[batch.commands[0]] > HELD_MS]
        assert late == []
        assert len(b.desk.withdrawals) > 0
        assert b.desk.failures == []


async def test_what_was_pulled_for_a_group_gives_way_to_a_newer_word() -> None:
    group = LampGroup("1", frozenset(LAMPS[:3]))
    async with bench(known_groups=(group,)) as b:
        for n, lamp in enumerate(LAMPS[:3]):
            b.desk.wish(lamp, 10 + n, authority=Authority.THERAPIST)
        b.lanes.wake(LAMPS[:3], Authority.THERAPIST)
        await b.pass_ms(5)
        b.wish(LAMPS[2], 77, Authority.THERAPIST)
        await b.pass_ms(1_000)
        last = [c.commands[0] for _, c in b.sender.sent if c.commands[0].fixture == LAMPS[2]]
        assert [round(command.transition.look.percent) for command in last] == [77]


@pytest.mark.parametrize("scope", [Scope.LAMP, Scope.BUSY, Scope.AWAY])
async def test_a_fault_is_told_and_the_lamp_is_asked_for_anew(scope: Scope) -> None:
    async with bench(faults=[scope]) as b:
        b.wish(LAMPS[0], 10, Authority.THERAPIST)
        await b.pass_ms(100)
        assert len(b.desk.failures) == 1
        b.desk.wish(LAMPS[0], 33, authority=Authority.THERAPIST)  # newer, and nobody wakes the driver again
        await b.pass_ms(1_000)
        assert b.desk.done[-1].transition.look.percent == pytest.approx(33)


async def test_a_bridge_that_is_away_is_probed_gently_told_once_and_found_again_soon() -> None:
    async with bench() as b:
        b.sender.away = True
        b.wish(LAMPS[0], 10, Authority.THERAPIST)
        await b.pass_ms(30_000)
        assert [h for h in b.desk.health if h[1] is not None] == [("fake", "fake: away")]
        probes = len(b.sender.probes)
        assert 20 <= probes <= 35, "about one a second"
        assert len(b.sender.attempts) == 1, "nothing is sent to a bridge that is away"
        b.sender.away = False
        b.desk.wish(LAMPS[0], 44, authority=Authority.THERAPIST)
        before = b.clock.now_ms()
        await b.pass_ms(2_000)
        assert b.desk.health[-1] == ("fake", None)
        assert b.sender.sent[0][0] - before < 1_200
        assert b.sender.sent[0][1].commands[0].transition.look.percent == pytest.approx(44), "nothing stale"


async def test_on_return_every_lamp_is_asked_for() -> None:
    async with bench() as b:
        b.sender.away = True
        await b.pass_ms(10_000)
        b.desk.asked.clear()
        b.sender.away = False
        await b.pass_ms(2_000)
        assert set(b.desk.asked) == set(LAMPS)


async def test_an_overloaded_bridge_gets_rest_and_is_not_called_away() -> None:
    async with bench(faults=[Scope.BUSY] * 2) as b:
        b.wish(LAMPS[0], 10, Authority.THERAPIST)
        await b.pass_ms(2_000)
        gaps = [b - a for a, b in zip(b.sender.attempts, b.sender.attempts[1:], strict=False)]
        assert gaps == sorted(gaps)
        assert gaps[0] >= 200
        assert len(b.desk.done) == 1
        assert b.desk.health == [], "two hiccups are not worth a word"


async def test_an_unreachable_lamp_is_reported_and_not_hammered() -> None:
    async with bench(reachable={LAMPS[0]: False}) as b:
        b.wish(LAMPS[0], 10, Authority.SCORE)
        b.wish(LAMPS[1], 10, Authority.SCORE)
        await b.pass_ms(20_000)
        assert [batch.commands[0].fixture for _, batch in b.sender.sent] == [LAMPS[1]]
        b.wish(LAMPS[0], 20, Authority.THERAPIST)
        await b.pass_ms(10_000)
        tries = [batch for _, batch in b.sender.sent if batch.commands[0].fixture == LAMPS[0]]
        assert 1 <= len(tries) <= 2, "a person's wish is tried, not repeated"
        assert all(command.fixture != LAMPS[0] for command in b.desk.done)
        b.sender.reachable[LAMPS[0]] = True
        await b.pass_ms(1_500)
        assert b.desk.done[-1].fixture == LAMPS[0]


async def test_polls_are_few_when_idle_and_give_way_when_busy() -> None:
    async with bench() as b:
        b.sender.probes.clear()
        await b.pass_ms(60_000)
        assert 13 <= len(b.sender.probes) <= 16
        assert len(b.desk.reports) >= 13


async def test_a_poll_says_nothing_of_a_lamp_that_was_commanded_meanwhile() -> None:
    async with bench(latency_ms=300) as b:
        await b.pass_ms(3_100)
        b.desk.reports.clear()
        for _ in range(50):
            if b.sender.in_flight:
                break
            await b.pass_ms(50)
        b.wish(LAMPS[0], 30, Authority.THERAPIST)
        await b.pass_ms(600)
        assert [report.fixture for report in b.desk.reports[0]] == list(LAMPS[1:])
        await b.pass_ms(5_000)
        assert [report.fixture for report in b.desk.reports[-1]] == list(LAMPS)


async def test_chores_are_done_when_nothing_else_is() -> None:
    done: list[int] = []
    async with bench() as b:

        async def chore() -> None:
            done.append(b.clock.now_ms())
            await b.clock.sleep_until(b.clock.now_ms() + 10)

        b.sender.chores.extend([chore, chore, chore])
        b.wish(LAMPS[0], 10)
        await b.pass_ms(5_000)
        assert len(done) == 3
        assert b.sender.attempts[0] <= done[0]


async def test_unknown_lamps_are_not_asked_for() -> None:
    async with bench() as b:
        b.desk.asked.clear()
        b.lanes.wake(("nobody's lamp",), Authority.HELP)
        await b.pass_ms(500)
        assert b.desk.asked == []


def test_a_token_bucket_never_gives_more_than_its_rate() -> None:
    bucket, now, taken = TokenBucket(8.0, 2.0), 0.0, list[int]()
    while now < 10_000:
        if bucket.ready_at(now) <= now:
            bucket.take(now)
            taken.append(int(now))
        now += 1
    assert most_in_a_second(taken) <= 10
    assert 80 <= len(taken) <= 83


def test_rest_doubles_up_to_its_cap() -> None:
    patience, rests = Patience(200, 1_000), list[float]()
    for _ in range(6):
        patience.fail(0)
        rests.append(patience.until_ms)
    assert rests == [200, 400, 800, 1000, 1000, 1000]
    patience.succeed()
    assert patience.until_ms == 0


happenings = st.lists(
    st.one_of(
        st.tuples(
            st.just("wish"), st.sampled_from(LAMPS[:4]), st.integers(1, 100), st.sampled_from(list(Authority))
        ),
        st.tuples(st.just("fault"), st.sampled_from(list(Scope))),
        st.tuples(st.just("away"), st.booleans()),
        st.tuples(st.just("pass"), st.integers(1, 3_000)),
    ),
    max_size=25,
)


@settings(max_examples=40, deadline=None)
@given(happenings)
def test_whatever_happens_each_lamp_ends_on_its_last_word(events: list[tuple[object, ...]]) -> None:
    asyncio.run(_live_through(events))


async def _live_through(events: list[tuple[object, ...]]) -> None:
    group = LampGroup("1", frozenset(LAMPS[:4]))
    async with bench(known_groups=(group,)) as b:
        last: dict[str, float] = {}
        for event in events:
            match event:
                case ("wish", str(lamp), int(percent), Authority() as authority):
                    b.wish(lamp, percent, authority)
                    last[lamp] = percent
                case ("fault", Scope() as scope):
                    b.sender.faults.append(scope)
                case ("away", bool(away)):
                    b.sender.away = away
                case ("pass", int(ms)):
                    await b.pass_ms(ms)
        b.sender.away = False
        await b.pass_ms(60_000)
        ended = {c.fixture: c.transition.look.percent for _, batch in b.sender.sent for c in batch.commands}
        assert ended == pytest.approx(last)
        assert most_in_a_second(b.singles()) <= 10
        assert b.sender.most_in_flight <= 2
