"""Speech: renders a prompt's words to a sound file ahead of time, in programs of their own.

It tries the voices a machine has, best first: Piper with a voice in the data folder, espeak-ng, flite. What
it made is kept by its content, so the same words are rendered once. It must never block the loop, never
reach for the network, and never leave half a file where the player could find it.
"""

import asyncio
import shutil
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from controller.errors import DriverError

MOST_S: Final = 30.0
"""A voice that takes longer for a prompt hangs."""
MOST_CHARACTERS: Final = 600
_MADE_AS: Final = "1"
"""Changes when the way recordings are made does: what is in the cache is then made anew."""
_ESPEAK: Final = ("-s", "130", "-p", "38", "-g", "6", "-a", "80")
"""Words a minute (its own default is 175), pitch 0-99 (50), pause between words (10 ms each), amplitude."""
_FLITE: Final = ("--setf", "duration_stretch=1.2", "--setf", "int_f0_target_mean=95")
_PIPER_SLOWER: Final = "1.2"
_NOTHING: Final = asyncio.subprocess.DEVNULL


@dataclass(frozen=True, slots=True)
class Voice:
    """One way to speak. ``command`` may hold ``{out}`` and ``{text}``; without it words come on stdin."""

    name: str
    command: tuple[str, ...]

    def arguments(self, out: Path, text: str) -> list[str]:
        """Return the program and its arguments."""
        return [{"{out}": str(out), "{text}": text}.get(word, word) for word in self.command]

    @property
    def by_stdin(self) -> bool:
        """Whether the words are given on its standard input."""
        return "{text}" not in self.command


def find_voices(voices_folder: Path, language: str = "en") -> tuple[Voice, ...]:
    """Return the voices of this machine for a language, best first.

    A Piper voice is a pair of files ``NAME.onnx`` and ``NAME.onnx.json`` in ``voices_folder``; its name
    begins with its language, like ``de_DE-…`` (Piper's own way of naming them).
    """
    found: list[Voice] = []
    base = language.split("-", maxsplit=1)[0].casefold()
    piper = _piper()
    models = sorted(voices_folder.glob("*.onnx")) if piper else []
    for model in models:
        spoken = model.name.replace("-", "_").split("_", maxsplit=1)[0].casefold()
        if spoken == base and model.with_name(model.name + ".json").is_file():
            command = (*piper, "--model", str(model), "--length_scale", _PIPER_SLOWER)
            found.append(Voice(f"piper {model.stem}", (*command, "--output_file", "{out}")))
    for program in ("espeak-ng", "espeak"):
        if (path := shutil.which(program)) is not None:
            found.append(Voice(program, (path, "--stdin", "-v", base, *_ESPEAK, "-w", "{out}")))
            break
    if base == "en" and (path := shutil.which("flite")) is not None:
        found.append(Voice("flite", (path, *_FLITE, "-t", "{text}", "-o", "{out}")))
    return tuple(found)


def _piper() -> tuple[str, ...]:
    if (path := shutil.which("piper")) is not None:
        return (path,)
    return (sys.executable, "-m", "piper") if find_spec("piper") is not None else ()


class SpeechRenderer:
    """Renders words to files in a folder. One at a time: it runs beside sessions and must not be felt."""

    def __init__(self, folder: Path, voices: Sequence[Voice]) -> None:
        self._folder, self._voices = folder, tuple(voices)
        self._made = "|".join((_MADE_AS, *(" ".join(voice.command) for voice in self._voices)))
        self._turn = asyncio.Lock()

    @property
    def can_speak(self) -> bool:
        """Whether there is any voice at all."""
        return bool(self._voices)

    def ready(self, text: str) -> Path | None:
        """Return the file of these words if they have been rendered."""
        path = self._path(text)
        return path if path.is_file() else None

    async def render(self, text: str) -> Path:
        """Return the file of these words, made now if it has to be.

        Raises:
            DriverError: no voice could make it, or it cannot be kept.
        """
        async with self._turn:
            if (kept := self.ready(text)) is not None:
                return kept
            return await self._render(text[:MOST_CHARACTERS], self._path(text))

    def _path(self, text: str) -> Path:
        key = sha256(f"{self._made}\n{text}".encode()).hexdigest()[:32]
        return self._folder / f"{key}.wav"

    async def _render(self, text: str, path: Path) -> Path:
        if not self._voices:
            raise DriverError(
                "speech", "render", "no voice is installed (espeak-ng would do)", may_retry=False
            )
        raw, done = path.with_suffix(".raw.wav"), path.with_suffix(".new.wav")
        faults: list[str] = []
        try:
            await asyncio.to_thread(_make_folder, self._folder)
            for voice in self._voices:
                fault = await _speak(voice, raw, text)
                if fault is None:
                    # The words are the client's moment: as little as a title of theirs is logged.
                    fault = await asyncio.to_thread(_finish, raw, done)
                if fault is None:
                    done.replace(path)
                    return path
                faults.append(f"{voice.name}: {fault}")
        except OSError as error:
            raise DriverError(
                "speech", "render", f"{self._folder}: {error.strerror or error}", may_retry=True
            ) from None
        finally:
            for part in (raw, done):
                with suppress(OSError):
                    part.unlink(missing_ok=True)
        raise DriverError("speech", "render", "; ".join(faults), may_retry=True)


def _make_folder(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)


async def _speak(voice: Voice, out: Path, text: str) -> str | None:
    """Let a voice write a file; returns what went wrong, or None."""
    words = (text + "\n").encode() if voice.by_stdin else None
    nicely = ("nice", "-n10") if shutil.which("nice") else ()
    try:
        process = await asyncio.create_subprocess_exec(
            *nicely,
            *voice.arguments(out, text),
            stdin=_NOTHING if words is None else asyncio.subprocess.PIPE,
            stdout=_NOTHING,
            stderr=_NOTHING,
        )
    except OSError as error:
        return f"cannot be run: {error.strerror or error}"
    try:
        async with asyncio.timeout(MOST_S):
            await process.communicate(words)
    except TimeoutError:
        return "did not end and was stopped"
    finally:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    if process.returncode != 0:
        return f"ended with status {process.returncode}"
    return None


def _finish(raw: Path, done: Path) -> str | None:
    """Bring a recording to its level; numpy and libsndfile are read in only now: no start waits for them."""
    from hardware.player.spoken_file import finish_recording  # noqa: PLC0415

    return finish_recording(raw, done)
