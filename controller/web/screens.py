"""The client's prompt display: what is shown there, and who is watching.

It fulfils the ``Prompts`` port, so the daemon hands it each client's prompt beside the MQTT link. It must
never repeat a prompt: a display that reconnects gets the one that still waits, under the same id.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from controller.core.score import Audience
from controller.ports import Clock, Prompt

LONGEST_WAIT_MS: Final = 60_000
"""A display that was away longer does not show an old prompt, whatever its time to live."""


@dataclass(frozen=True, slots=True)
class ShownPrompt:
    """A prompt on its way to a display."""

    prompt_id: str
    text: str
    ttl_s: int


class PromptScreen:
    """One room's displays."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._watchers: set[asyncio.Queue[ShownPrompt]] = set()
        self._waiting: tuple[int, ShownPrompt] | None = None

    def publish(self, prompt: Prompt) -> None:
        """Show a client's prompt on every display; others are not for this screen."""
        if prompt.audience is not Audience.CLIENT or not prompt.text:
            return
        shown = ShownPrompt(prompt.prompt_id, prompt.text, prompt.ttl_s)
        wait_ms = min(prompt.ttl_s * 1000, LONGEST_WAIT_MS) * self._clock.speed
        self._waiting = (self._clock.now_ms() + wait_ms, shown)
        for queue in self._watchers:
            if queue.full():
                queue.get_nowait()
            queue.put_nowait(shown)

    def acknowledged(self, prompt_id: str) -> None:
        """A display showed it: nobody who comes later needs it."""
        if self._waiting is not None and self._waiting[1].prompt_id == prompt_id:
            self._waiting = None

    def join(self) -> asyncio.Queue[ShownPrompt]:
        """Return a new display's queue; the prompt that still waits is in it."""
        queue: asyncio.Queue[ShownPrompt] = asyncio.Queue(maxsize=4)
        if self._waiting is not None and self._clock.now_ms() < self._waiting[0]:
            queue.put_nowait(self._waiting[1])
        self._watchers.add(queue)
        return queue

    def leave(self, queue: asyncio.Queue[ShownPrompt]) -> None:
        """A display went away."""
        self._watchers.discard(queue)

    @property
    def watched(self) -> int:
        """How many displays are connected."""
        return len(self._watchers)


PromptScreens = Mapping[str, PromptScreen]
