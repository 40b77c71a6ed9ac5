"""Who speaks to the client, and when: recordings first, a machine's voice only where it was asked for."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from controller.clock import ManualClock
from controller.core.score import Audience
from controller.errors import DriverError
from controller.ports import ItemFailed, PlayerCommand, Prompt, Speak, Spoken
from controller.spoken_prompts import MOST_WAITING, Speaks, SpokenPrompts, words_ahead


@dataclass
class FakeSpeech:
    """Renders at once, or when told; knows which words it was asked for."""

    kept: set[str] = field(default_factory=set)
    asked: list[str] = field(default_factory=list)
    fault: str | None = None
    gate: asyncio.Event | None = None

    def ready(self, text: str) -> Path | None:
        return Path(f"/speech/{text}.wav") if text in self.kept else None

    async def render(self, text: str) -> Path:
        self.asked.append(text)
        if self.gate is not None:
            await self.gate.wait()
        if self.fault is not None:
            raise DriverError("speech", "render", self.fault, may_retry=False)
        self.kept.add(text)
        return Path(f"/speech/{text}.wav")


class Voice:
    def __init__(self, speaks: Speaks, *, device: bool = False) -> None:
        self.clock, self.speech = ManualClock(), FakeSpeech()
        self.sent: list[PlayerCommand] = []
        self.said: list[str | None] = []
        self.device = device
        self.prompts = SpokenPrompts(
            self.sent.append,
            self.clock,
            self.speech,
            speaks=speaks,
            device_present=lambda: self.device,
            report=self.said.append,
        )

    @property
    def paths(self) -> list[str]:
        return [command.path for command in self.sent if isinstance(command, Speak)]

    @asynccontextmanager
    async def running(self, *ahead: str) -> AsyncIterator[None]:
        async with asyncio.TaskGroup() as group:
            task = group.create_task(self.prompts.run(ahead))
            await self.clock.settle()
            yield
            task.cancel()


def prompt(key: str = "p1", *, audio: str | None = None, audience: Audience = Audience.CLIENT) -> Prompt:
    return Prompt(key, "Feel your feet.", audio, audience, 30)


def test_a_recording_is_heard_under_a_ducked_programme() -> None:
    voice = Voice("recordings")
    voice.prompts.publish(prompt(audio="/clinic/feet.wav"))
    assert voice.sent == [Speak("p1", "/clinic/feet.wav", duck_db=-12.0)]


def test_without_being_asked_for_no_machine_speaks() -> None:
    voice = Voice("recordings")
    voice.speech.kept.add("Feel your feet.")
    voice.prompts.publish(prompt())
    assert voice.sent == []


def test_off_means_nobody_speaks() -> None:
    voice = Voice("off")
    voice.prompts.publish(prompt(audio="/clinic/feet.wav"))
    assert voice.sent == []


def test_a_card_for_the_therapist_is_never_spoken() -> None:
    voice = Voice("synthetic")
    voice.speech.kept.add("Feel your feet.")
    voice.prompts.publish(prompt(audience=Audience.THERAPIST, audio="/clinic/feet.wav"))
    assert voice.sent == []


def test_a_prompt_device_in_the_room_speaks_instead() -> None:
    voice = Voice("synthetic", device=True)
    voice.prompts.publish(prompt(audio="/clinic/feet.wav"))
    assert voice.sent == []


def test_the_same_prompt_is_not_spoken_twice() -> None:
    voice = Voice("recordings")
    for _ in range(2):
        voice.prompts.publish(prompt(audio="/clinic/feet.wav"))
    assert len(voice.sent) == 1


async def test_what_was_rendered_ahead_is_spoken_at_once() -> None:
    voice = Voice("synthetic")
    async with voice.running("Feel your feet."):
        asked = len(voice.speech.asked)
        voice.prompts.publish(prompt())
        assert voice.paths == ["/speech/Feel your feet..wav"]
    assert asked == 1


async def test_nothing_is_rendered_where_no_machine_speaks() -> None:
    voice = Voice("recordings")
    async with voice.running("Feel your feet."):
        pass
    assert voice.speech.asked == []


async def test_new_words_are_rendered_first_and_then_spoken() -> None:
    voice = Voice("synthetic")
    async with voice.running():
        voice.prompts.publish(prompt())
        assert voice.sent == []
        await voice.clock.settle()
    assert voice.paths == ["/speech/Feel your feet..wav"]


async def test_words_that_took_too_long_are_not_spoken_late() -> None:
    voice = Voice("synthetic")
    voice.speech.gate = asyncio.Event()
    async with voice.running():
        voice.prompts.publish(prompt())
        await voice.clock.settle()
        voice.clock.advance_by(30_001)
        voice.speech.gate.set()
        await voice.clock.settle()
    assert voice.sent == []


async def test_a_flood_of_new_words_does_not_pile_up() -> None:
    voice = Voice("synthetic")
    for number in range(20):
        voice.prompts.publish(prompt(f"p{number}"))
    async with voice.running():
        await voice.clock.settle(40)
    assert len(voice.sent) == MOST_WAITING


async def test_no_voice_is_said_and_a_voice_that_returns_clears_it() -> None:
    voice = Voice("synthetic")
    voice.speech.fault = "no voice is installed"
    async with voice.running("a", "b"):
        assert voice.speech.asked == ["a"], "one try is enough to know"
        assert "no voice is installed" in (voice.said[-1] or "")
        voice.speech.fault = None
        voice.prompts.publish(prompt())
        await voice.clock.settle()
    assert voice.said[-1] is None
    assert len(voice.sent) == 1


async def test_a_broken_recording_is_said_and_the_words_are_spoken_instead() -> None:
    voice = Voice("synthetic")
    async with voice.running():
        voice.prompts.publish(prompt(audio="/clinic/broken.wav"))
        assert voice.prompts.on_player(ItemFailed("p1", "", "the file is missing"))
        await voice.clock.settle()
    assert voice.paths == ["/clinic/broken.wav", "/speech/Feel your feet..wav"]
    assert "the file is missing" in (voice.said[-1] or "")


async def test_a_rendered_file_that_fails_is_not_tried_for_ever() -> None:
    voice = Voice("synthetic")
    async with voice.running("Feel your feet."):
        voice.prompts.publish(prompt())
        assert voice.prompts.on_player(ItemFailed("p1", "", "damaged"))
        await voice.clock.settle()
    assert len(voice.sent) == 1


def test_a_track_that_fails_is_the_rooms_business() -> None:
    voice = Voice("recordings")
    assert not voice.prompts.on_player(ItemFailed("track-1", "t", "missing"))


def test_a_recording_that_is_heard_again_clears_the_fault() -> None:
    voice = Voice("recordings")
    voice.prompts.publish(prompt("p1", audio="/clinic/a.wav"))
    voice.prompts.on_player(ItemFailed("p1", "", "missing"))
    voice.prompts.publish(prompt("p2", audio="/clinic/b.wav"))
    assert not voice.prompts.on_player(Spoken("p2")), "the room acknowledges it"
    assert voice.said[-1] is None


@pytest.mark.parametrize(
    ("texts", "words"),
    [
        (["Breathe."], ("Breathe.",)),
        (["It is {part}."], ("It is 8.", "It is 14.", "It is 20.", "It is 2.")),
    ],
)
def test_words_are_made_ahead_for_every_part_of_the_day(texts: list[str], words: tuple[str, ...]) -> None:
    assert words_ahead(texts, lambda text, hour: text.replace("{part}", str(hour))) == words
