"""Carries a room check out: tries lamps, sound, files and links, and asks a person what only eyes can tell.

One check at a time, two minutes at most, never in a session; one that begins meanwhile ends it. It goes
through ``RoomHardware`` alone, so nothing here can pass the envelope.
"""

import asyncio
import logging
from collections.abc import Callable, Collection, Coroutine
from dataclasses import dataclass
from typing import Final

from controller.check_lines import (
    SAID,
    broker_line,
    certificate_line,
    clock_line,
    disk_line,
    lamp_answers,
    lamp_power_on,
    lines_of,
    pool_line,
    prompts_line,
    tablets_line,
)
from controller.clock import Alarm
from controller.core.room_check import Answer, CheckList, Line, Outcome, Sentence, begin, sentence
from controller.errors import RefusedError, StillroomError
from controller.ports import Clock
from controller.room_hardware import LampFacts, OutputFacts, RoomHardware

LIMIT_MS: Final = 120_000
TONE_ANSWER_MS: Final = 30_000
PLUG_ANSWER_MS: Final = 60_000
DECODE_MS: Final = 75_000
"""How long reading files may take; what is left then was read in part, and that is said."""
LOOK_MS: Final = 250
_log: Final = logging.getLogger(__name__)


@dataclass(slots=True)
class _Question:
    line_id: str
    answered: Alarm
    answer: Answer | None = None


class RoomCheck:
    """One room's checks. ``keep`` is given each that was ended."""

    def __init__(
        self, room: str, hardware: RoomHardware, clock: Clock, keep: Callable[[CheckList], None]
    ) -> None:
        self._room, self._hardware, self._clock, self._keep = room, hardware, clock, keep
        self._list: CheckList | None = None
        self._wanted = asyncio.Event()
        self._broken_off = asyncio.Event()
        self._asks = True
        self._skip: frozenset[str] = frozenset()
        self._question: _Question | None = None

    @property
    def current(self) -> CheckList | None:
        """The check that runs, or the last one since the start."""
        return self._list

    @property
    def running(self) -> bool:
        """Whether one runs now."""
        return self._list is not None and self._list.ended_at_ms is None

    def start(
        self, *, profile: str | None = None, skip: Collection[str] = (), asks: bool = True
    ) -> CheckList:
        """Begin a check; ``serve`` carries it out. ``skip``: groups or lines to leave out.

        Raises:
            RefusedError: a session runs, a check runs already, or there is no such profile.
        """
        if self.running:
            raise RefusedError("checking", "the room is being checked already")
        if self._hardware.in_session():
            raise RefusedError("session", "a session runs: the room is checked before or after it")
        if profile is not None:
            self._hardware.coverage(profile)
        self._list = begin(self._room, self._clock.now_ms(), lines_of(self._hardware, profile), profile)
        self._asks, self._skip = asks, frozenset(skip)
        self._broken_off.clear()
        self._wanted.set()
        return self._list

    def answer(self, line_id: str, answer: Answer) -> CheckList:
        """Take a person's answer.

        Raises:
            RefusedError: nothing is asked there.
        """
        question = self._question
        if self._list is None or question is None or question.line_id != line_id:
            raise RefusedError("not_asked", "nothing is asked there now")
        if question.answer is None:
            question.answer = answer
            question.answered.set()
        return self._list

    def break_off(self) -> None:
        """End the check that runs; what was not tried yet counts as skipped."""
        self._broken_off.set()

    async def serve(self) -> None:
        """Carry out the checks that are started, until cancelled."""
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            try:
                await self._run()
            except Exception:  # noqa: BLE001 - a fault of ours in a check must not take the tablets' pages along
                _log.exception("room %s: the check failed", self._room)
                self._end(SAID["broken_off"])

    # ------------------------------------------------------------ one check

    async def _run(self) -> None:
        for line in self._now().lines:
            if {line.line_id, line.group} & self._skip:
                self._put(line.line_id, Outcome.SKIPPED, SAID["left_out"])
        said = SAID["left_out"]
        async with asyncio.TaskGroup() as group:
            work = group.create_task(self._work())
            watch = group.create_task(self._watch())
            await asyncio.wait({work, watch}, return_when=asyncio.FIRST_COMPLETED)
            if watch.done():
                said = watch.result()
            work.cancel()
            watch.cancel()
        self._end(said)

    def _end(self, said: Sentence) -> None:
        self._question = None
        self._list = self._now().end(self._clock.now_ms(), said)
        self._keep(self._list)

    async def _watch(self) -> Sentence:
        """Return why the check has to end, once it has to."""
        end_ms = self._now().began_at_ms + LIMIT_MS * self._clock.speed
        while self._clock.now_ms() < end_ms:
            if self._hardware.in_session():
                return SAID["session_began"]
            if self._broken_off.is_set():
                return SAID["broken_off"]
            await self._clock.sleep_until(min(self._clock.now_ms() + LOOK_MS * self._clock.speed, end_ms))
        return SAID["too_long"]

    async def _work(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._guarded(self._facts(), "mqtt", "tablets", "machine"))
            group.create_task(self._guarded(self._music(), "music"))
            lamps = group.create_task(self._guarded(self._lamps(), "lamps"))
            for output in self._hardware.outputs():
                await self._guarded(self._sound(output), "sound")
            await lamps
            await self._guarded(self._power_cut(), "lamps")

    async def _guarded(self, step: Coroutine[None, None, None], *groups: str) -> None:
        """Let one step's fault be that step's: its lines fail with what it said."""
        try:
            await step
        except StillroomError as error:
            for line in self._now().lines:
                if line.group in groups and not line.is_settled:
                    self._put(line.line_id, Outcome.FAILED, sentence("{reason}", reason=str(error)))

    def _now(self) -> CheckList:
        if self._list is None:
            raise RuntimeError("no check was started")
        return self._list

    def _put(self, line_id: str, outcome: Outcome, said: Sentence) -> None:
        self._list = self._now().put(line_id, outcome, said)

    def _open(self, line_id: str) -> bool:
        """Say whether a line is there and still to be settled."""
        return any(line.line_id == line_id and not line.is_settled for line in self._now().lines)

    def _settle(self, line_id: str, found: tuple[Outcome, Sentence]) -> None:
        self._put(line_id, *found)

    # ------------------------------------------------------------ what is asked of the machine

    async def _facts(self) -> None:
        machine = await self._hardware.machine()
        self._settle("machine.disk", disk_line(machine))
        self._settle("machine.clock", clock_line(machine))
        self._settle("machine.certificate", certificate_line(machine))
        tablets, broker = self._hardware.tablets(), self._hardware.broker()
        self._settle("tablets.here", tablets_line(tablets))
        self._settle("mqtt.broker", broker_line(broker))
        self._settle("mqtt.prompts", prompts_line(broker, tablets))

    async def _music(self) -> None:
        profile = self._now().profile
        if profile is None:
            self._put("music.cover", Outcome.SKIPPED, SAID["no_profile"])
        else:
            lacks = self._hardware.coverage(profile)
            covered = (Outcome.FAILED, sentence("{reason}", reason=lacks[0])) if lacks else None
            self._settle("music.cover", covered or (Outcome.PASSED, SAID["covered"]))
        until_ms = self._now().began_at_ms + DECODE_MS * self._clock.speed
        for pool in self._hardware.pools():
            if self._open(f"music.{pool}"):
                self._put(f"music.{pool}", Outcome.TRYING, SAID["reading"])
                self._settle(f"music.{pool}", pool_line(await self._hardware.decode(pool, until_ms)))

    # ------------------------------------------------------------ lamps

    async def _lamps(self) -> None:
        for line in self._lines_of_lamps("answers", "power_on"):
            self._put(line.line_id, Outcome.TRYING, SAID["reading"])
        await self._hardware.read_lamps_anew()
        tried: list[LampFacts] = []
        for lamp in self._hardware.lamps():
            self._settle(f"lamp.{lamp.fixture}.answers", lamp_answers(lamp))
            self._settle(f"lamp.{lamp.fixture}.power_on", lamp_power_on(lamp))
            if not (lamp.reachable and lamp.known):
                self._put(f"lamp.{lamp.fixture}.floor", Outcome.SKIPPED, SAID["lamp_away"])
            elif self._open(f"lamp.{lamp.fixture}.floor"):
                tried.append(lamp)
        if not tried:
            return
        for lamp in tried:
            self._put(f"lamp.{lamp.fixture}.floor", Outcome.TRYING, SAID["dimming"])
        found = await self._hardware.dim_to_floor([lamp.fixture for lamp in tried])
        for lamp in tried:
            wrong = found.get(lamp.fixture)
            down = sentence("down to {percent} % and back", percent=f"{lamp.floor_percent:.2g}")
            passed = (Outcome.PASSED, down) if lamp.readable else (Outcome.SKIPPED, SAID["lamp_mute"])
            self._settle(f"lamp.{lamp.fixture}.floor", passed if wrong is None else (Outcome.FAILED, wrong))

    def _lines_of_lamps(self, *whats: str) -> list[Line]:
        return [line for line in self._now().lines if line.line_id.rpartition(".")[2] in whats]

    async def _power_cut(self) -> None:
        lamp = self._plug()
        if lamp is None:
            self._put("lamps.power_cut", Outcome.SKIPPED, SAID["no_plug"])
            return
        question = sentence(
            "Pull the plug of {lamp} for five seconds and put it back. Did it come on gently?", lamp=lamp.name
        )
        answer = await self._ask("lamps.power_cut", question, PLUG_ANSWER_MS)
        gentle = sentence("{lamp} came on gently after its plug was pulled", lamp=lamp.name)
        bright = sentence(
            "{lamp} came on bright: after a power cut it can be a sudden light. Give it a lamp that can be "
            "told how to start",
            lamp=lamp.name,
        )
        self._judge("lamps.power_cut", answer, gentle, bright)

    def _plug(self) -> LampFacts | None:
        """Return the lamp to be unplugged: one that should pass, if there is one."""
        here = [lamp for lamp in self._hardware.lamps() if lamp.reachable and lamp.known]
        return next((lamp for lamp in here if lamp.power_on_ok), here[0] if here else None)

    # ------------------------------------------------------------ sound, and people

    async def _sound(self, output: OutputFacts) -> None:
        line_id = f"sound.{output.output}"
        if not self._open(line_id):
            return
        if output.silent == "by_choice":
            self._put(line_id, Outcome.SKIPPED, SAID["silent_by_choice"])
            return
        if output.silent == "no_device" or not output.ok:
            reason = output.problem or "there is no sound device"
            self._put(line_id, Outcome.FAILED, sentence("{reason}", reason=reason))
            return
        self._put(line_id, Outcome.TRYING, SAID["tone"])
        wrong = await self._hardware.tone(output.output)
        if wrong is not None:
            self._put(line_id, Outcome.FAILED, wrong)
            return
        question = sentence("Did you hear the quiet tone from {device}?", device=output.device or "it")
        answer = await self._ask(line_id, question, TONE_ANSWER_MS)
        heard = sentence("the tone was heard from {device}", device=output.device or "it")
        unheard = sentence(
            "the player played the tone on {device} and nobody heard it: look at amplifier, mixer and cable",
            device=output.device or "it",
        )
        self._judge(line_id, answer, heard, unheard)

    def _judge(self, line_id: str, answer: Answer | None, yes: Sentence, no: Sentence) -> None:
        match answer:
            case Answer.YES:
                self._put(line_id, Outcome.PASSED, yes)
            case Answer.NO:
                self._put(line_id, Outcome.FAILED, no)
            case Answer.SKIP:
                self._put(line_id, Outcome.SKIPPED, SAID["skipped"])
            case None:
                self._put(line_id, Outcome.SKIPPED, SAID["unanswered" if self._asks else "unasked"])

    async def _ask(self, line_id: str, question: Sentence, wait_ms: int) -> Answer | None:
        """Ask a person; None if nobody answers in time, or nobody is there to be asked."""
        if not self._asks or not self._open(line_id):
            return None
        self._put(line_id, Outcome.ASKING, question)
        self._question = asked = _Question(line_id, Alarm(self._clock))
        try:
            await asked.answered.wait_until(self._clock.now_ms() + wait_ms * self._clock.speed)
        finally:
            self._question = None
        return asked.answer
