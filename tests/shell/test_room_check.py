"""The room check over fake hardware: exactly what is wrong fails, people are asked, nothing runs on."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import pytest
from check_fake_room import MACHINE, NOT_DOWN, FakeHardware, lamp, output

from controller.check_lines import SAID
from controller.clock import ManualClock
from controller.core.room_check import Answer, CheckList, Line, Outcome, begin, sentence
from controller.errors import RefusedError
from controller.room_check import LIMIT_MS, RoomCheck
from controller.room_hardware import BrokerFacts, PoolFacts, PromptDeviceFacts, TabletFacts


@dataclass
class Bench:
    clock: ManualClock
    hardware: FakeHardware
    check: RoomCheck
    kept: list[CheckList]

    async def run(self, answers: dict[str, Answer] | None = None, **how: Any) -> CheckList:
        """Run a check to its end; questions are answered as given, a second after they are asked."""
        self.check.start(**how)
        while self.check.running:
            await self.clock.settle()
            asking = self.check.current and self.check.current.asking
            if asking and answers is not None:
                await self.clock.run_until(self.clock.now_ms() + 1_000)
                if self.check.current and self.check.current.asking == asking:
                    self.check.answer(asking.line_id, answers.get(asking.line_id, Answer.YES))
                continue
            await self.clock.run_until(self.clock.now_ms() + 500)
        assert self.check.current is not None
        return self.check.current

    def outcomes(self, outcome: Outcome) -> set[str]:
        assert self.check.current is not None
        return {line.line_id for line in self.check.current.lines if line.outcome is outcome}


@asynccontextmanager
async def benches(**how: Any) -> AsyncIterator[Bench]:
    clock = ManualClock(1_770_000_000_000)
    hardware = FakeHardware(clock, **how)
    kept: list[CheckList] = []
    check = RoomCheck("garden", hardware, clock, kept.append)
    task = asyncio.ensure_future(check.serve())
    try:
        yield Bench(clock, hardware, check, kept)
    finally:
        task.cancel()


async def test_a_room_where_all_is_well_passes_every_line() -> None:
    async with benches() as bench:
        done = await bench.run({}, profile="quiet-room")
        assert {line.outcome for line in done.lines} == {Outcome.PASSED}
        assert all(str(line.said) for line in done.lines)
        assert done.ended_at_ms is not None
        assert done.ended_at_ms - done.began_at_ms < 60_000
        assert bench.kept == [done]


async def test_exactly_what_is_wrong_fails() -> None:
    async with benches() as bench:
        wrong = bench.hardware
        wrong.lamp_list[0] = lamp("ceiling-left", reachable=False)
        wrong.lamp_list[1] = lamp("ceiling-right", power_on_ok=False, power_on="comes up at full brightness")
        wrong.floors["path-door"] = NOT_DOWN
        wrong.pool_list["tender"] = PoolFacts("tender", "Tender", 3, 2, ("rain.flac: is missing",))
        wrong.tones["headphones"] = sentence("{reason}", reason="the device is gone")
        wrong.lacks["quiet-room"] = ("'nature' holds 12 min for 45 min of sit",)
        done = await bench.run({}, profile="quiet-room")
        failed = {
            "lamp.ceiling-left.answers": "does not answer: is its switch on?",
            "lamp.ceiling-right.power_on": "comes up at full brightness",
            "lamp.path-door.floor": "was told so and still says 20 %",
            "music.tender": "rain.flac: is missing",
            "music.cover": "'nature' holds 12 min for 45 min of sit",
            "sound.headphones": "the device is gone",
        }
        assert {line.line_id: str(line.said) for line in done.failed} == failed
        assert bench.outcomes(Outcome.SKIPPED) == {"lamp.ceiling-left.floor"}
        assert "dim ceiling-right bedside-left path-door" in wrong.did


@pytest.mark.parametrize(
    ("change", "line", "outcome"),
    [
        ({"tablet_facts": TabletFacts(0, 0, 0)}, "tablets.here", Outcome.FAILED),
        ({"tablet_facts": TabletFacts(3, 0, 0)}, "tablets.here", Outcome.FAILED),
        ({"machine_facts": replace(MACHINE, disk_free_bytes=10_000)}, "machine.disk", Outcome.FAILED),
        ({"machine_facts": replace(MACHINE, clock_synchronised=False)}, "machine.clock", Outcome.FAILED),
        ({"machine_facts": replace(MACHINE, clock_synchronised=None)}, "machine.clock", Outcome.SKIPPED),
        ({"machine_facts": replace(MACHINE, clock_problem="it jumped")}, "machine.clock", Outcome.FAILED),
        ({"machine_facts": replace(MACHINE, certificate=None)}, "machine.certificate", Outcome.SKIPPED),
        ({"machine_facts": replace(MACHINE, certificate_problem="x")}, "machine.certificate", Outcome.FAILED),
        ({"output_list": [output(silent="by_choice")]}, "sound.speakers", Outcome.SKIPPED),
        ({"output_list": [output(silent="no_device")]}, "sound.speakers", Outcome.FAILED),
        ({"output_list": [output(ok=False, problem="gone")]}, "sound.speakers", Outcome.FAILED),
        ({"lamp_list": [lamp("path-door", known=False)]}, "lamp.path-door.answers", Outcome.FAILED),
        ({"lamp_list": [lamp("path-door", readable=False)]}, "lamp.path-door.answers", Outcome.SKIPPED),
        ({"lamp_list": [lamp("path-door", power_on_ok=None)]}, "lamp.path-door.power_on", Outcome.SKIPPED),
        ({"lamp_list": []}, "lamps.power_cut", Outcome.SKIPPED),
        ({"breaks": "dim"}, "lamp.path-door.floor", Outcome.FAILED),
        ({"breaks": "decode"}, "music.nature", Outcome.FAILED),
        ({"breaks": "tone"}, "sound.speakers", Outcome.FAILED),
    ],
)
async def test_each_fact_has_its_line(change: dict[str, Any], line: str, outcome: Outcome) -> None:
    async with benches(**change) as bench:
        done = await bench.run({})
        assert done.line(line).outcome is outcome, done.line(line)
        assert str(done.line(line).said)


@pytest.mark.parametrize(
    ("facts", "outcome"),
    [
        (BrokerFacts("b:1", False, True, False, "b:1: connection refused", None, ()), Outcome.FAILED),
        (BrokerFacts("b:1", False, True, False, None, None, ()), Outcome.FAILED),
        (BrokerFacts("b:1", False, True, True, None, None, ()), Outcome.PASSED),
    ],
)
async def test_the_broker(facts: BrokerFacts, outcome: Outcome) -> None:
    async with benches(broker_facts=facts) as bench:
        done = await bench.run({})
        assert done.line("mqtt.broker").outcome is outcome
        assert done.line("mqtt.prompts").outcome is Outcome.SKIPPED, "nothing was ever there"


async def test_a_prompt_device_that_was_there_and_is_off_fails() -> None:
    off = BrokerFacts("b:1", False, True, True, None, None, (PromptDeviceFacts("screen", False),))
    async with benches(broker_facts=off) as bench:
        done = await bench.run({})
        assert (done.line("mqtt.prompts").outcome, str(done.line("mqtt.prompts").said)) == (
            Outcome.FAILED,
            "screen is switched off or cut off",
        )


async def test_what_a_person_saw_and_heard_decides() -> None:
    async with benches() as bench:
        answers = {
            "lamps.power_cut": Answer.NO,
            "sound.speakers": Answer.NO,
            "sound.headphones": Answer.SKIP,
        }
        done = await bench.run(answers)
        assert done.line("lamps.power_cut").outcome is Outcome.FAILED
        assert done.line("sound.speakers").outcome is Outcome.FAILED
        assert done.line("sound.headphones").outcome is Outcome.SKIPPED
        assert str(done.line("sound.headphones").said) == "skipped by hand"


async def test_nobody_answers_and_it_still_ends_within_two_minutes() -> None:
    async with benches() as bench:
        done = await bench.run(None)
        assert done.ended_at_ms is not None
        assert done.ended_at_ms - done.began_at_ms <= LIMIT_MS
        assert bench.outcomes(Outcome.SKIPPED) >= {"sound.speakers", "sound.headphones", "lamps.power_cut"}
        assert str(done.line("sound.speakers").said) == "nobody answered"
        assert not done.failed


async def test_without_a_person_nothing_is_asked() -> None:
    async with benches() as bench:
        done = await bench.run(None, asks=False)
        assert done.ended_at_ms is not None
        assert done.ended_at_ms - done.began_at_ms < 15_000
        assert str(done.line("lamps.power_cut").said) == "nobody was there to be asked"
        assert done.line("sound.speakers").outcome is Outcome.SKIPPED


async def test_a_trial_that_hangs_fails_in_the_end() -> None:
    async with benches(takes_ms=600_000) as bench:
        done = await bench.run({})
        assert done.line("lamp.path-door.answers").outcome is Outcome.FAILED
        assert str(done.line("lamp.path-door.answers").said) == "no answer within two minutes"
        assert done.line("lamps.power_cut").outcome is Outcome.SKIPPED


async def test_it_is_refused_in_a_session_and_a_session_ends_it() -> None:
    async with benches(session=True) as bench:
        with pytest.raises(RefusedError, match="a session runs"):
            bench.check.start()
        bench.hardware.session = False
        bench.check.start()
        await bench.clock.run_until(bench.clock.now_ms() + 1_000)
        bench.hardware.session = True
        await bench.clock.run_until(bench.clock.now_ms() + 1_000)
        assert not bench.check.running
        assert bench.kept[0].line("lamps.power_cut").said == SAID["session_began"]


async def test_one_at_a_time_and_broken_off_by_hand() -> None:
    async with benches() as bench:
        bench.check.start()
        with pytest.raises(RefusedError, match="already"):
            bench.check.start()
        await bench.clock.run_until(bench.clock.now_ms() + 600)
        bench.check.break_off()
        await bench.clock.run_until(bench.clock.now_ms() + 600)
        assert not bench.check.running
        done = await bench.run({})
        assert not done.failed, "the next one begins anew"


async def test_lines_and_groups_can_be_left_out() -> None:
    async with benches() as bench:
        done = await bench.run({}, skip=("sound", "lamps.power_cut", "machine.clock"))
        left_out = {line.line_id for line in done.lines if line.said == SAID["left_out"]}
        assert left_out == {"sound.speakers", "sound.headphones", "lamps.power_cut", "machine.clock"}
        assert not any(what.startswith("tone") for what in bench.hardware.did)


async def test_an_unknown_profile_and_a_stray_answer_are_refused() -> None:
    async with benches() as bench:
        with pytest.raises(RefusedError, match="no profile"):
            bench.check.start(profile="nonsense")
        with pytest.raises(RefusedError, match="nothing is asked"):
            bench.check.answer("lamps.power_cut", Answer.YES)
        assert not bench.check.running


async def test_a_fault_of_ours_ends_the_check_and_not_the_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    async with benches() as bench:

        async def broken() -> None:
            raise KeyError("a mistake")

        monkeypatch.setattr(bench.hardware, "read_lamps_anew", broken)
        done = await bench.run({})
        assert done.line("lamps.power_cut").outcome is Outcome.SKIPPED
        monkeypatch.undo()
        assert not (await bench.run({})).failed


def test_a_settled_line_stays_settled() -> None:
    listed = begin("garden", 0, [Line("a", "g", "A", "is"), Line("b", "g", "B", "is")])
    listed = listed.put("a", Outcome.FAILED, sentence("no")).put("a", Outcome.PASSED, sentence("yes"))
    assert (listed.line("a").outcome, str(listed.line("a").said)) == (Outcome.FAILED, "no")
    ended = listed.put("b", Outcome.TRYING, sentence("…")).end(5, sentence("late"))
    assert ended.line("b").outcome is Outcome.FAILED
    with pytest.raises(KeyError):
        listed.line("c")
    with pytest.raises(ValueError, match="one id"):
        begin("garden", 0, [Line("a", "g", "A", "is"), Line("a", "g", "A", "is")])
