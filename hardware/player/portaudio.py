"""PyAudio, and nothing else imports it: opens an output stream by name and writes blocks to it.

Blocking writes (docs/decisions/0003). Its exceptions leave here as ``DeviceLostError`` only.
"""

import os
import threading
from typing import Final

import pyaudio

from controller.errors import DriverError
from hardware.player.clock import wait_s
from hardware.player.units import CHANNELS, FRAME_BYTES, RATE

FRAMES_PER_BUFFER: Final = 1_024
UNDERFLOWED: Final = -9980
HELD_FRAMES: Final = 32
"""Kept back of every block, so that writing them is waiting until the device asks for the next."""
HELD_BYTES: Final = HELD_FRAMES * FRAME_BYTES


class DeviceLostError(DriverError):
    """The sound device cannot be opened, or a write to it failed."""

    def __init__(self, device: str, operation: str, message: str) -> None:
        super().__init__(device, operation, message, may_retry=True)


class Stream:
    """An open output. Written to by one thread, in turns: wait until it asks for more, mix that, write it.

    What is mixed only when the device asks for it holds every command up to then. PortAudio offers no such
    wait, but a write does: so the last 32 frames (0.7 ms) of a block are written just before the next. Where
    they found room at once, the clock does the rest.
    """

    def __init__(self, name: str, stream: "pyaudio.PyAudio.Stream", lock: threading.Lock) -> None:
        self.name = name
        self._stream, self._lock = stream, lock
        self._held = bytes(HELD_BYTES)
        self.underruns = 0

    def await_room(self) -> None:
        """Return when the device asks for more.

        Raises:
            DeviceLostError: it is gone.
        """
        if not self._held:
            return
        held, self._held = self._held, b""
        self._put(held, HELD_FRAMES)
        missing = FRAMES_PER_BUFFER - HELD_FRAMES - self._room()
        if missing > 0:
            wait_s(min(missing, FRAMES_PER_BUFFER) / RATE)

    def write(self, sound: bytes) -> None:
        """Give the device more than 32 frames; returns when it has taken all but the last 32.

        Raises:
            DeviceLostError: it did not.
        """
        self.await_room()
        self._put(sound[:-HELD_BYTES], len(sound) // FRAME_BYTES - HELD_FRAMES)
        self._held = sound[-HELD_BYTES:]

    def _room(self) -> int:
        try:
            return int(self._stream.get_write_available())
        except OSError as error:
            raise DeviceLostError(self.name, "write", str(error)) from None

    def _put(self, sound: bytes, frames: int) -> None:
        try:
            self._stream.write(sound, frames, exception_on_underflow=True)
        except OSError as error:
            if error.errno != UNDERFLOWED and UNDERFLOWED not in error.args:
                raise DeviceLostError(self.name, "write", str(error)) from None
            self.underruns += 1

    def close(self) -> None:
        """Close it, whatever state it is in."""
        with self._lock:
            try:
                self._stream.close()
            except OSError:
                return


class PortAudio:
    """The library, started once; its list of devices is the one at that time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._audio = pyaudio.PyAudio()

    def outputs(self) -> list[str]:
        """Names of the devices that can play."""
        return [name for _, name in self._outputs()]

    def _outputs(self) -> list[tuple[int, str]]:
        infos = (self._audio.get_device_info_by_index(i) for i in range(self._audio.get_device_count()))
        return [
            (int(info["index"]), str(info["name"]))
            for info in infos
            if int(info["maxOutputChannels"]) >= CHANNELS
        ]

    def open(self, name: str | None) -> Stream:
        """Open a device by (part of) its name, or the default one.

        Raises:
            DeviceLostError: there is none by that name, or it does not open.
        """
        with self._lock:
            index, found = self._find(name)
            try:
                stream = self._audio.open(
                    rate=RATE,
                    channels=CHANNELS,
                    format=pyaudio.paFloat32,
                    output=True,
                    output_device_index=index,
                    frames_per_buffer=FRAMES_PER_BUFFER,
                )
            except (OSError, ValueError) as error:
                raise DeviceLostError(found, "open", str(error)) from None
        return Stream(found, stream, self._lock)

    def _find(self, name: str | None) -> tuple[int, str]:
        try:
            known = self._outputs()
            if name is None:
                info = self._audio.get_default_output_device_info()
                return int(info["index"]), str(info["name"])
        except OSError as error:
            raise DeviceLostError(name or "default", "find", str(error)) from None
        exact = [pair for pair in known if pair[1] == name]
        partly = [pair for pair in known if name.casefold() in pair[1].casefold()]
        if not (exact or partly):
            raise DeviceLostError(
                name, "find", f"there is no such device; there are {', '.join(n for _, n in known)}"
            )
        return (exact or partly)[0]

    def close(self) -> None:
        """End the library. Every stream must be closed before."""
        with self._lock:
            self._audio.terminate()


def use_config(path: str) -> None:
    """Let ALSA read this configuration the next time the library starts."""
    os.environ["ALSA_CONFIG_PATH"] = path
    os.environ.setdefault("JACK_NO_START_SERVER", "1")
