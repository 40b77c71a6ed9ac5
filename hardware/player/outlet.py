"""Outlets: one output each, with its chain and its device, which it wins back when it is lost.

While a device is away, time goes on by the clock: the music is where it would have been when it returns,
and comes up in five seconds. It must never let one output's fault reach the other.
"""

import threading
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, TypeAlias

import numpy as np

from hardware.player import alsa
from hardware.player.chain import Chain
from hardware.player.clock import Pace
from hardware.player.portaudio import DeviceLostError, PortAudio, Stream, use_config
from hardware.player.units import FRAME_BYTES, PERIOD, RATE, Block

FIRST_RETRY_S: Final = 0.2
LAST_RETRY_S: Final = 1.0
LOOK_FOR_DEVICE_S: Final = 3.0
Report: TypeAlias = Callable[[str, str | None], None]
"""Takes an outlet's label and what is wrong with it, or None when it is well."""


class SoundSystem:
    """PortAudio with a configuration that cannot be empty; started anew when devices appear."""

    def __init__(self, folder: Path, *, silent: bool = False, trusted_config: bool = False) -> None:
        """``silent``: look for no device. ``trusted_config``: the caller's ALSA_CONFIG_PATH has devices."""
        self._folder, self._forced_silent, self._trusted = folder, silent, trusted_config
        self._lock = threading.Lock()
        self._open_streams = 0
        self.silent = True
        self._library = self._start()

    def _start(self) -> PortAudio:
        if self._trusted:
            self.silent = False
        else:
            self.silent = self._forced_silent or not alsa.has_sound_device()
            use_config(str(alsa.write_config(self._folder, silent=self.silent)))
        return PortAudio()

    @property
    def may_find_device(self) -> bool:
        """Whether it is silent for want of a device and there is one now."""
        return self.silent and not self._forced_silent and alsa.has_sound_device()

    def outputs(self) -> list[str]:
        """Names of the devices that can play; none when silent."""
        return [] if self.silent else self._library.outputs()

    def open(self, name: str | None, *, anew: bool = False) -> Stream:
        """Open an output. ``anew``: look for devices again first, if no stream is open.

        Raises:
            DeviceLostError: it is not there.
        """
        with self._lock:
            if anew and self._open_streams == 0 and not self._trusted:
                self._library.close()
                self._library = self._start()
            if self.silent and name is not None and not self._forced_silent:
                raise DeviceLostError(name, "find", "there is no sound device at all")
            stream = self._library.open(None if self.silent else name)
            self._open_streams += 1
            return stream

    def close(self, stream: Stream) -> None:
        """Close an output."""
        stream.close()
        with self._lock:
            self._open_streams -= 1


class Outlet:
    """One output, played to by one thread."""

    def __init__(
        self,
        label: str,
        device: str | None,
        chain: Chain,
        system: SoundSystem,
        report: Report,
        *,
        speed: float,
        ceilings: Mapping[str, float] | None = None,
    ) -> None:
        """``speed`` is for silent devices only: seconds of audio in a second, 0 for no pace at all.

        ``ceilings``: loudness ceilings in LUFS of devices by name; any other gets the chain's own.
        """
        self.label, self.chain = label, chain
        self._ceilings, self._own_ceiling = ceilings or {}, chain.ceiling_lufs
        self._device, self._system, self._report = device, system, report
        self._pace = Pace(RATE, speed)
        self._stream: Stream | None = None
        self._found: Stream | None = None
        self._stop = threading.Event()
        self._move_over = threading.Event()
        self._underruns = 0
        self.name = device or "default"
        try:
            self._adopt(system.open(device))
        except DeviceLostError as error:
            self._report(label, str(error))
            self._search()
        threading.Thread(target=self._look_for_device, name=f"{label}-watch", daemon=True).start()

    @property
    def ok(self) -> bool:
        """Whether a device takes the sound (a silent one too)."""
        return self._stream is not None

    @property
    def underruns(self) -> int:
        """How often the device ran out of sound, as far as it says."""
        return self._underruns + (self._stream.underruns if self._stream is not None else 0)

    def await_room(self) -> None:
        """Return when the device asks for more; at once where there is none."""
        if self._stream is not None:
            try:
                self._stream.await_room()
            except DeviceLostError as error:
                self._lose(error)

    def process(self, block: Block) -> Block:
        """Send a block through the chain: what the device gets; valid until the next call."""
        if self._found is not None:
            self._take_found()
        return self.chain.process(block)

    def play(self, sound: bytes) -> None:
        """Play what went through the chain; returns when the device, or the clock for it, has taken it."""
        frames = len(sound) // FRAME_BYTES
        if self._stream is None:
            self._pace.wait_for(frames)
            return
        if self._move_over.is_set():
            self._leave_silent()
            return
        try:
            self._stream.write(sound)
        except DeviceLostError as error:
            self._lose(error)
            return
        if self._system.silent:
            self._pace.wait_for(frames)

    @property
    def steady(self) -> bool:
        """Whether a device takes the sound and none is about to be changed for it."""
        return self._stream is not None and self._found is None and not self._move_over.is_set()

    def close(self) -> None:
        """Let go of the device."""
        self._stop.set()
        if self._stream is not None:
            self._system.close(self._stream)
            self._stream = None

    def _adopt(self, stream: Stream) -> None:
        self._stream = stream
        self.name = alsa.SILENT if self._system.silent else stream.name
        self.chain.ceiling_lufs = self._ceilings.get(self.name, self._own_ceiling)
        self._pace.restart()

    def _take_found(self) -> None:
        stream, self._found = self._found, None
        if stream is not None:
            self.chain.come_back()
            self._adopt(stream)
            self._report(self.label, None)

    def _lose(self, error: DeviceLostError) -> None:
        stream, self._stream = self._stream, None
        self._underruns += stream.underruns if stream is not None else 0
        self._report(self.label, str(error))
        self._search(stream)

    def _leave_silent(self) -> None:
        self._move_over.clear()
        stream, self._stream = self._stream, None
        self._search(stream)

    # ------------------------------------------------------------ its searching threads

    def _search(self, lost: Stream | None = None) -> None:
        threading.Thread(target=self._reopen, args=(lost,), name=f"{self.label}-reopen", daemon=True).start()

    def _reopen(self, lost: Stream | None) -> None:
        """Close what was lost and try until the device is back: closing and opening may both hang."""
        if lost is not None:
            self._system.close(lost)
        wait_s, tries = FIRST_RETRY_S, 0
        while not self._stop.is_set():
            try:
                stream = self._system.open(self._device, anew=tries % 5 == 2 or self._system.may_find_device)
            except DeviceLostError:
                tries += 1
                self._stop.wait(wait_s)
                wait_s = min(wait_s * 2, LAST_RETRY_S)
                continue
            self._found = stream
            return

    def _look_for_device(self) -> None:
        """While silent for want of a device, look whether one has come."""
        while not self._stop.wait(LOOK_FOR_DEVICE_S):
            if self._stream is not None and self._system.may_find_device:
                self._move_over.set()


class Follower:
    """A second outlet in a thread of its own, fed with copies of the mix.

    Two devices never run at quite the same speed: when the second has fallen behind or run ahead by too
    much, one block is left out or played twice, blended over its whole length so that nothing clicks.
    """

    CUSHION: Final = 2
    MOST: Final = 6

    def __init__(self, outlet: Outlet) -> None:
        self.outlet = outlet
        self._blocks: deque[Block] = deque()
        self._ready = threading.Condition()
        self._stop = False
        self._last = np.zeros((PERIOD, 2), dtype=np.float32)
        self._rise = (np.arange(1, PERIOD + 1, dtype=np.float32) / PERIOD)[:, None]
        self._thread = threading.Thread(target=self._run, name="second-output", daemon=True)
        self._thread.start()

    def offer(self, block: Block) -> None:
        """Give it a period; never waits. What a stuck device cannot take is dropped."""
        with self._ready:
            if len(self._blocks) < 4 * self.MOST:
                self._blocks.append(block.copy())
            self._ready.notify()

    def _run(self) -> None:
        while not self._stop:
            with self._ready:
                self._ready.wait_for(lambda: len(self._blocks) > self.CUSHION or self._stop, timeout=1.0)
            while not self._stop and self._blocks:
                self.outlet.await_room()
                self.outlet.play(self.outlet.process(self._next()).tobytes())

    def _next(self) -> Block:
        blocks = self._blocks
        if len(blocks) == 1:
            block = self._blend(blocks[0], self._last)
        else:
            block = blocks.popleft()
            if len(blocks) > self.MOST:
                block = self._blend(block, blocks.popleft())
        self._last = block
        return block

    def _blend(self, first: Block, then: Block) -> Block:
        return np.asarray(first * (1.0 - self._rise) + then * self._rise, dtype=np.float32)

    def close(self) -> None:
        """End the thread, then let go of the device."""
        with self._ready:
            self._stop = True
            self._ready.notify()
        self._thread.join(timeout=1.0)
        self.outlet.close()
