"""The prompt device: a small program for another machine that shows and speaks the client's prompts.

A prompt is put in the ring of those seen, on disk, before anybody sees it: whatever happens after that,
to the broker, the network or this machine, it is never shown again. It is acknowledged when it has been.
It holds no session, decides nothing, and knows nothing of the client but the words of the moment.
"""

import asyncio
import json
import logging
import os
import signal
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

from controller.clock import RealClock
from controller.core.broker_access import PREFIX
from controller.errors import UserError
from controller.ports import Clock, MqttClient, MqttMessage, MqttWill
from hardware.mqtt_link import MqttLink, MqttSettings, MqttTls
from hardware.prompt_screen import Backlight, PageScreen, Screen, TerminalScreen
from hardware.prompt_voice import Speaker, Voice
from hardware.systemd_notify import ServiceManager

_log = logging.getLogger(__name__)

RING_SIZE: Final = 512
MOST_WAITING: Final = 4
MOST_BYTES: Final = 16_384
SHOWN_MS: Final = 30_000
SESSION_EXPIRY_S: Final = 60
"""The broker keeps prompts for us over a blip; their own expiry sees to it that none is stale."""

Result = Literal["shown", "spoken"]


@dataclass(frozen=True, slots=True)
class HeardPrompt:
    """A prompt as it came."""

    prompt_id: str
    text: str
    audio: str | None
    ttl_s: int


def parse_prompt(payload: bytes) -> HeardPrompt | None:
    """Return the prompt in a message, or None if it is none."""
    if len(payload) > MOST_BYTES:
        return None
    try:
        plain = json.loads(payload)
    except (ValueError, RecursionError):
        return None
    if not isinstance(plain, dict):
        return None
    key, text, audio, ttl = (plain.get(name) for name in ("id", "text", "audio", "ttl_s"))
    if not isinstance(key, str) or not 0 < len(key) <= 64 or not isinstance(text, str) or not text.strip():
        return None
    if not isinstance(ttl, int) or isinstance(ttl, bool) or ttl < 1:
        return None
    return HeardPrompt(key, text[:600], audio if isinstance(audio, str) else None, ttl)


class SeenRing:
    """The ids of the last prompts, on disk. Damaged or unwritable, it still works until the program ends.

    Without a path (a simulated device) it is in memory alone.
    """

    def __init__(self, path: Path | None, size: int = RING_SIZE) -> None:
        self._path = path
        self._ids: deque[str] = deque(maxlen=size)
        if path is None:
            return
        try:
            kept = json.loads(path.read_text(encoding="utf-8"))
            self._ids.extend(str(key) for key in kept if isinstance(key, str))
        except FileNotFoundError:
            pass
        except (OSError, ValueError, TypeError) as error:
            _log.warning("prompt device: %s cannot be read (%s); a new one is begun", path, error)

    def __contains__(self, key: str) -> bool:
        return key in self._ids

    def add(self, key: str) -> None:
        """Note an id, durably if the disk allows."""
        self._ids.append(key)
        if self._path is None:
            return
        beside = self._path.with_suffix(".new")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with beside.open("w", encoding="utf-8") as file:
                json.dump(list(self._ids), file)
                file.flush()
                os.fsync(file.fileno())
            beside.replace(self._path)
        except OSError as error:
            _log.warning("prompt device: %s cannot be written: %s", self._path, error.strerror or error)


class PromptDevice:
    """Shows, speaks and acknowledges what comes for one room's client."""

    def __init__(
        self,
        link: MqttClient,
        room: str,
        name: str,
        clock: Clock,
        ring: SeenRing,
        *,
        screen: Screen,
        voice: Speaker | None = None,
        backlight: Backlight | None = None,
    ) -> None:
        self._link = link
        self._base = f"{PREFIX}/{room}/prompt"
        self._name = name
        self._clock = clock
        self._ring = ring
        self._screen = screen
        self._voice = voice
        self._backlight = backlight
        self._waiting: asyncio.Queue[tuple[HeardPrompt, int]] = asyncio.Queue(MOST_WAITING)
        self._results: dict[str, Result] = {}
        self.manager = ServiceManager()
        """Who is told that prompts are waited for."""

    async def run(self) -> None:
        """Serve until cancelled. Whoever made the link runs it."""
        self._link.subscribe(f"{self._base}/client", self._on_prompt, qos=1)
        self._link.on_up(self._announce)
        while True:
            prompt, due_ms = await self._next()
            if self._clock.now_ms() < due_ms:
                await self._bring(prompt)

    def _announce(self) -> None:
        self._link.publish(f"{self._base}/device/{self._name}", b"online", qos=1, retain=True)

    def _on_prompt(self, message: MqttMessage) -> None:
        prompt = parse_prompt(message.payload)
        if prompt is None or message.retain:
            _log.warning("prompt device: a message that is no prompt was passed over")
            return
        if prompt.prompt_id in self._ring:
            # It was shown before; perhaps our word for it was lost. Say it again, show nothing.
            if prompt.prompt_id in self._results:
                self._acknowledge(prompt.prompt_id, self._results[prompt.prompt_id])
            return
        if self._waiting.full():
            _log.warning("prompt device: too many prompts at once; one was passed over")
            return
        self._ring.add(prompt.prompt_id)
        self._waiting.put_nowait((prompt, self._clock.now_ms() + prompt.ttl_s * 1000 * self._clock.speed))

    async def _next(self) -> tuple[HeardPrompt, int]:
        """Return the next prompt. While none comes, this loop goes on saying that it turns."""
        while True:
            self.manager.ping()
            with suppress(TimeoutError):
                async with asyncio.timeout(self.manager.ping_every_s):
                    return await self._waiting.get()

    async def _bring(self, prompt: HeardPrompt) -> None:
        began = self._clock.now_ms()
        try:
            await self._screen.show(prompt.text)
            await self._fade(up=True)
            self._acknowledge(prompt.prompt_id, "shown")
            if self._voice is not None and await self._voice.speak(prompt.text, prompt.audio):
                self._acknowledge(prompt.prompt_id, "spoken")
            stay_ms = min(SHOWN_MS, prompt.ttl_s * 1000)
            if self._waiting.empty():
                await self._clock.sleep_until(began + stay_ms * self._clock.speed)
        finally:
            await self._screen.clear()
            await self._fade(up=False)

    async def _fade(self, *, up: bool) -> None:
        if self._backlight is not None:
            await self._backlight.fade(up=up)

    def _acknowledge(self, prompt_id: str, result: Result) -> None:
        self._results[prompt_id] = result
        while len(self._results) > RING_SIZE:
            self._results.pop(next(iter(self._results)))
        payload = json.dumps({"id": prompt_id, "by": self._name, "result": result}).encode()
        self._link.publish(f"{self._base}/ack", payload, qos=1, expiry_s=120)


@dataclass(frozen=True, slots=True)
class PromptDeviceSettings:
    """What ``stillroom prompt-device`` was told."""

    room: str
    host: str
    port: int = 1883
    name: str = "prompt-1"
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: MqttTls | None = None
    state_folder: Path = Path("/var/lib/stillroom-prompt")
    recordings: Path | None = None
    page_port: int | None = 8090
    """Where its page is served on this machine; None shows the words in the terminal."""
    speak: bool = True


async def run_device(settings: PromptDeviceSettings, clock: Clock) -> None:
    """Run the whole program until cancelled.

    Raises:
        UserError: the name cannot be in a topic, the page's port is taken, a TLS file is unreadable.
    """
    for what, word in (("room", settings.room), ("name", settings.name)):
        if not word or any(sign in word for sign in "/+#\0 ") or not word.isprintable():
            raise UserError(f"prompt device: {what} {word!r} cannot be part of an MQTT topic")
    topic = f"{PREFIX}/{settings.room}/prompt/device/{settings.name}"
    link = MqttLink(
        clock,
        MqttSettings(
            settings.host,
            settings.port,
            f"stillroom-prompt-{settings.room}-{settings.name}",
            settings.username,
            settings.password,
            settings.tls,
            session_expiry_s=SESSION_EXPIRY_S,
        ),
        MqttWill(topic, b"offline"),
    )
    screen: Screen = TerminalScreen()
    page = PageScreen(settings.page_port) if settings.page_port is not None else None
    if page is not None:
        await page.open()
        screen = page
        _log.info("prompt device: its page is http://127.0.0.1:%d/", page.port)
    voice = Voice(settings.recordings) if settings.speak else None
    if voice is not None and not voice.can_speak:
        _log.warning(
            "prompt device: nothing to speak with was found (espeak-ng would do); words are shown only"
        )
        voice = None
    ring = SeenRing(settings.state_folder / f"{settings.room}-{settings.name}.json")
    backlight = Backlight.find(clock)
    manager = ServiceManager.from_environment()
    device = PromptDevice(
        link, settings.room, settings.name, clock, ring, screen=screen, voice=voice, backlight=backlight
    )
    device.manager = manager
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(device.run(), name="prompt-device")
            group.create_task(link.run(), name="prompt-link")
            manager.ready()
    finally:
        manager.stopping()
        if page is not None:
            await page.close()


def main(settings: PromptDeviceSettings) -> int:
    """Run as a program until SIGINT or SIGTERM; returns the exit status.

    Raises:
        UserError: as ``run_device``.
    """

    async def until_told() -> None:
        loop = asyncio.get_running_loop()
        task = asyncio.current_task()
        if task is not None:
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.add_signal_handler(number, task.cancel)
        with suppress(asyncio.CancelledError):
            await run_device(settings, RealClock())

    try:
        asyncio.run(until_told())
    except* UserError as group:
        error = group.exceptions[0]
        raise UserError(str(error)) from None
    return 0
