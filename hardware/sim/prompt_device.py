"""A prompt device without a screen or a voice: it takes its time as a real one does, and says so.

It is the real device's own core with simulated ends, so what it proves of acknowledgements and of
nothing being shown twice holds for the real one.
"""

from controller.ports import Clock, MqttClient
from hardware.prompt_device import PromptDevice, SeenRing

MS_PER_WORD = 400


class SimScreen:
    """Remembers what was shown and when (room ms); fading in takes ``fade_ms``."""

    def __init__(self, clock: Clock, fade_ms: int = 0) -> None:
        self._clock = clock
        self._fade_ms = fade_ms
        self.shown: list[tuple[int, str]] = []
        self.text = ""

    async def show(self, text: str) -> None:
        """Show words."""
        self.text = text
        self.shown.append((self._clock.now_ms(), text))
        await self._clock.sleep_until(self._clock.now_ms() + self._fade_ms * self._clock.speed)

    async def clear(self) -> None:
        """Be dark again."""
        self.text = ""


class SimVoice:
    """Speaks at two and a half words a second, unheard. ``works`` False: it never can be heard."""

    def __init__(self, clock: Clock, *, works: bool = True) -> None:
        self._clock = clock
        self.works = works
        self.spoken: list[str] = []

    async def speak(self, text: str, audio: str | None) -> bool:
        """Take as long as the words take."""
        del audio
        if not self.works:
            return False
        duration_ms = MS_PER_WORD * len(text.split()) * self._clock.speed
        await self._clock.sleep_until(self._clock.now_ms() + duration_ms)
        self.spoken.append(text)
        return True


class SimPromptDevice:
    """A room's simulated prompt device on a link, which whoever made it runs."""

    def __init__(
        self, link: MqttClient, room: str, clock: Clock, *, name: str = "simulated", speaks: bool = True
    ) -> None:
        self.screen = SimScreen(clock)
        self.voice = SimVoice(clock)
        self._device = PromptDevice(
            link,
            room,
            name,
            clock,
            SeenRing(None),
            screen=self.screen,
            voice=self.voice if speaks else None,
        )

    @property
    def shown(self) -> list[str]:
        """The words shown so far, in order."""
        return [text for _, text in self.screen.shown]

    async def run(self) -> None:
        """Serve until cancelled."""
        await self._device.run()
