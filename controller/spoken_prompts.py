"""Spoken prompts: the client's words as sound, through the room's own player.

The clinic's recording comes first. A machine's voice is heard only where the site file asks for it
(docs/decisions/0011-who-speaks.md), and nothing is spoken here while a prompt device in the room does it. It
must never speak a prompt after its time, speak one twice, or wait for a voice on the room's path.
"""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, TypeAlias

from controller.core.score import Audience
from controller.errors import DriverError
from controller.ports import Clock, ItemFailed, PlayerCommand, PlayerEvent, Prompt, Speak, Speech, Spoken

DUCK_DB: Final = -12.0
MOST_WAITING: Final = 4
MOST_KNOWN: Final = 32
Speaks: TypeAlias = Literal["off", "recordings", "synthetic"]
"""Who may speak to the client: nobody, the clinic's own recordings, those and a machine's voice."""


@dataclass(frozen=True, slots=True)
class _Asked:
    prompt: Prompt
    until_ms: int


class SpokenPrompts:
    """One room's voice. Fulfils ``controller.ports.Prompts``; every method is called on the room's loop."""

    def __init__(
        self,
        send: Callable[[PlayerCommand], None],
        clock: Clock,
        speech: Speech,
        *,
        speaks: Speaks = "recordings",
        device_present: Callable[[], bool] = lambda: False,
        report: Callable[[str | None], None] = lambda _message: None,
    ) -> None:
        """``device_present``: a prompt device is there to speak. ``report``: what is not well, or None."""
        self._send, self._clock, self._speech, self._speaks = send, clock, speech, speaks
        self._device_present, self._report = device_present, report
        self._asked: asyncio.Queue[_Asked] = asyncio.Queue(MOST_WAITING)
        self._spoken: dict[str, _Asked] = {}
        self._faults: dict[str, str | None] = {}

    def publish(self, prompt: Prompt) -> None:
        """Speak a client's prompt, if it is to be heard here. Never blocks, never repeats."""
        if self._speaks == "off" or prompt.audience is not Audience.CLIENT or self._device_present():
            return
        if prompt.prompt_id in self._spoken:
            return
        asked = _Asked(prompt, self._clock.now_ms() + prompt.ttl_s * 1000 * self._clock.speed)
        self._spoken[prompt.prompt_id] = asked
        while len(self._spoken) > MOST_KNOWN:
            self._spoken.pop(next(iter(self._spoken)))
        if prompt.audio is not None:
            self._say(prompt, prompt.audio)
        else:
            self._speak_words(asked)

    def on_player(self, event: PlayerEvent) -> bool:
        """Take the player's word; True if it was about a recording of ours that it could not play."""
        if isinstance(event, Spoken) and self._was_recording(event.prompt_id):
            self._tell(recording=None)
        if not isinstance(event, ItemFailed):
            return False
        asked = self._spoken.get(event.item_id)
        if asked is None:
            return False
        self._tell(recording=f"a prompt's recording cannot be played: {event.reason}")
        if asked.prompt.audio is not None and self._clock.now_ms() < asked.until_ms:
            self._speak_words(asked)
        return True

    async def run(self, ahead: Iterable[str] = ()) -> None:
        """Render what is likely to be said (``ahead``), then what is asked for, until cancelled."""
        for text in ahead if self._speaks == "synthetic" else ():
            # A prompt that is cued meanwhile waits for one rendering at most.
            while not self._asked.empty():
                await self._answer(self._asked.get_nowait())
            if await self._render(text) is None:
                break  # no voice: said once, and each prompt tries again
        while True:
            await self._answer(await self._asked.get())

    async def _answer(self, asked: _Asked) -> None:
        path = await self._render(asked.prompt.text)
        if path is not None and self._clock.now_ms() < asked.until_ms and not self._device_present():
            self._say(asked.prompt, str(path))

    def _was_recording(self, prompt_id: str) -> bool:
        asked = self._spoken.get(prompt_id)
        return asked is not None and asked.prompt.audio is not None

    def _speak_words(self, asked: _Asked) -> None:
        if self._speaks != "synthetic" or not asked.prompt.text.strip():
            return
        path = self._speech.ready(asked.prompt.text)
        if path is not None:
            self._say(asked.prompt, str(path))
        elif not self._asked.full():
            self._asked.put_nowait(asked)

    async def _render(self, text: str) -> Path | None:
        try:
            path = await self._speech.render(text)
        except DriverError as error:
            self._tell(voice=f"{error}; prompts without a recording are shown only")
            return None
        self._tell(voice=None)
        return path

    def _tell(self, **news: str | None) -> None:
        self._faults |= news
        self._report("; ".join(line for line in self._faults.values() if line) or None)

    def _say(self, prompt: Prompt, path: str) -> None:
        self._send(Speak(prompt.prompt_id, path, duck_db=DUCK_DB))


HOURS: Final = (8, 14, 20, 2)
"""One hour in each part of the day."""


def words_ahead(texts: Iterable[str], fill: Callable[[str, int], str]) -> tuple[str, ...]:
    """Return the words of these prompts as they may be said, in every part of the day; each once."""
    return tuple(dict.fromkeys(fill(text, hour) for text in texts for hour in HOURS))
