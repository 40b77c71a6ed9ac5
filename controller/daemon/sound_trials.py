"""A room's sound outputs for set-up and the room check: what is known of them, and a quiet tone on each.

The tone goes the way of a prompt: under the player's ceilings, over a ducked bed. It must never sound in a
session, and never leave the outputs switched as it needed them.
"""

import asyncio
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

from controller.calibration import Calibrations
from controller.clock import Alarm
from controller.core.room_check import Sentence, sentence
from controller.errors import RefusedError
from controller.ports import (
    Clock,
    ItemFailed,
    PlayerEvent,
    PlayerHealth,
    PlayerStatus,
    Route,
    Speak,
    Spoken,
)
from controller.room_hardware import OutputFacts, OutputName
from controller.sound_meter import SILENT_DEVICE, SoundMeter
from hardware.player.client import PlayerProcess
from playlists.check_tone import TONE_S, render_tone
from profiles.site import AudioModel

TONE_FILE: Final = "check-tone.flac"
LONGEST_MS: Final = (TONE_S + 7) * 1_000
"""The tone itself, ducking and reading it before, and a slow machine."""
LIST_S: Final = 15.0
SWITCH_MS: Final = 400


@dataclass(slots=True)
class SoundTrials:
    """One room's sound."""

    audio: AudioModel
    player: PlayerProcess
    meter: SoundMeter
    calibrations: Calibrations
    clock: Clock
    data: Path
    in_session: Callable[[], bool]
    _status: PlayerStatus | None = field(default=None, init=False)
    _problem: str | None = field(default=None, init=False)
    _tone: str | None = field(default=None, init=False)
    _over: Alarm | None = field(default=None, init=False)
    _failure: str | None = field(default=None, init=False)
    _count: int = field(default=0, init=False)

    def on_player(self, event: PlayerEvent) -> None:
        """Take the player's word; called beside the room's own listener."""
        match event:
            case PlayerStatus():
                self._status = event
            case PlayerHealth():
                self._problem = event.message
            case Spoken() if event.prompt_id == self._tone:
                self._ring(None)
            case ItemFailed() if event.item_id == self._tone:
                self._ring(event.reason)
            case _:
                pass

    def _ring(self, failure: str | None) -> None:
        self._failure = failure
        if self._over is not None:
            self._over.set()

    # ------------------------------------------------------------ what is known

    def outputs(self) -> tuple[OutputFacts, ...]:
        """The outputs that the site file names, the speakers first."""
        names: list[OutputName] = ["speakers"]
        if self.audio.headphones_output is not None:
            names.append("headphones")
        return tuple(self._output(name) for name in names)

    def _output(self, name: OutputName) -> OutputFacts:
        status, headphones = self._status, name == "headphones"
        found = [] if status is None else status.device.split(" + ")
        device = found[headphones] if len(found) > headphones else None
        wanted = self.audio.headphones_output if headphones else self.audio.output
        known = None if device is None else self.calibrations.by_device.get(device)
        by_site = self.audio.headphones_k_db if headphones else self.audio.k_db
        return OutputFacts(
            output=name,
            wanted=wanted,
            device=device,
            ok=status is not None and status.device_ok,
            silent=_silence(device, wanted),
            k_db=by_site if known is None else known.k_db,
            measured_on=None if known is None else known.measured_on or None,
            level_dba=None if headphones else self.meter.level_now_dba,
            problem=self._problem
            if status is not None
            else self._problem or "the player has not started yet",
        )

    async def devices(self) -> tuple[str, ...]:
        """Names of this machine's outputs, asked of a process of its own: the library may abort."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "hardware.player",
            "--list",
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            async with asyncio.timeout(LIST_S):
                listed, _ = await process.communicate()
            names = json.loads(listed)
        except (TimeoutError, ValueError):
            return ()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        return tuple(str(name) for name in names) if isinstance(names, list) else ()

    # ------------------------------------------------------------ the tone

    async def tone(self, output: OutputName) -> Sentence | None:
        """Play the tone on one output; what was wrong, or None once it was played to its end.

        Raises:
            RefusedError: a session runs, or a tone sounds already.
            AudioFileError: the tone could not be made.
        """
        if self.in_session():
            raise RefusedError("session", "a session runs: no tone is played")
        if self._tone is not None:
            raise RefusedError("tone", "a tone sounds already")
        self._count += 1
        self._tone, self._failure = f"check-tone-{self._count}", None
        route, speed = self.player.route, self.clock.speed
        try:
            path = await asyncio.to_thread(render_tone, self.data / TONE_FILE)
            over = self._over = Alarm(self.clock)
            self.player.send(Route(speakers=output == "speakers", headphones=output == "headphones"))
            await self.clock.sleep_until(self.clock.now_ms() + SWITCH_MS * speed)
            self.player.send(Speak(self._tone, str(path)))
            heard = await over.wait_until(self.clock.now_ms() + LONGEST_MS * speed)
        finally:
            self._tone, self._over = None, None
            # A session that began meanwhile has said itself where it wants to be heard.
            if self.player.route == Route(speakers=output == "speakers", headphones=output == "headphones"):
                self.player.send(route)
        if not heard:
            return sentence("the player did not play the tone: {reason}", reason=self._problem or "no answer")
        return None if self._failure is None else sentence("{reason}", reason=self._failure)


def _silence(device: str | None, wanted: str | None) -> Literal["no", "by_choice", "no_device"]:
    if wanted == SILENT_DEVICE:
        return "by_choice"
    return "no_device" if device == SILENT_DEVICE else "no"
