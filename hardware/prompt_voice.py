"""How a prompt device speaks: a clinician's own recording first, a synthetic voice else. One voice at a time.

It runs programs of the system with fixed arguments, never a shell, and takes nothing from outside as a
path: a recording is named by its file name in the device's own folder.
"""

import asyncio
import logging
import re
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Final, Protocol

_log = logging.getLogger(__name__)

MOST_S: Final = 60.0
_NAME: Final = re.compile(r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,80}$")
_PLAYERS: Final = (
    ("ffplay", "-nodisp", "-autoexit", "-loglevel", "error"),
    ("paplay",),
    ("aplay", "-q"),
)
_VOICES: Final = (
    ("espeak-ng", "-s", "125", "-a", "60", "-g", "8", "--"),
    ("espeak", "-s", "125", "-a", "60", "-g", "8", "--"),
    ("flite", "-t"),
)


class Speaker(Protocol):
    """Something that speaks."""

    async def speak(self, text: str, audio: str | None) -> bool:
        """Speak a prompt to its end; False if it could not be heard."""
        ...


class Voice:
    """Speaks prompts through whatever the machine has."""

    def __init__(self, recordings: Path | None = None) -> None:
        self._recordings = recordings
        self._player = _first(_PLAYERS)
        self._voice = _first(_VOICES)

    @property
    def can_speak(self) -> bool:
        """Whether there is any voice at all."""
        return self._voice is not None or (self._player is not None and self._recordings is not None)

    async def speak(self, text: str, audio: str | None) -> bool:
        """Speak a prompt to its end; False if it could not be heard."""
        recording = self._find(audio)
        if recording is not None and self._player is not None and await _run(*self._player, str(recording)):
            return True
        return self._voice is not None and await _run(*self._voice, text)

    def _find(self, audio: str | None) -> Path | None:
        if audio is None or self._recordings is None:
            return None
        name = audio.rsplit("/", 1)[-1]
        path = self._recordings / name
        return path if _NAME.match(name) and path.is_file() else None


def _first(programs: tuple[tuple[str, ...], ...]) -> tuple[str, ...] | None:
    return next((program for program in programs if shutil.which(program[0])), None)


async def _run(*command: str) -> bool:
    """Run a program to its end, at most a minute."""
    try:
        process = await asyncio.create_subprocess_exec(
            *command, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
    except OSError as error:
        _log.warning("prompt device: %s cannot be run: %s", command[0], error.strerror or error)
        return False
    try:
        async with asyncio.timeout(MOST_S):
            return await process.wait() == 0
    except TimeoutError:
        _log.warning("prompt device: %s did not end and was stopped", command[0])
        return False
    finally:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()
