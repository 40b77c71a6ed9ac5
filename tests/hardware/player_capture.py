"""Where the player's process is heard in tests: a FIFO behind ALSA, or a PulseAudio null sink."""

import asyncio
import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep

import numpy as np
import numpy.typing as npt

from controller.ports import PlayerCommand, PlayerEvent, PlayerStatus
from hardware.player.client import PlayerConfig, PlayerProcess

Sound = npt.NDArray[np.float32]
FRAME_BYTES = 8
# As rtkit does for a desktop's own server: what measures must not be what starves.
FIRST = ("chrt", "-r", "10") if os.geteuid() == 0 and shutil.which("chrt") else ()


class FifoCapture:
    """Takes all that is played, bit for bit, as fast as it comes; keeps the first ``most_s`` seconds."""

    def __init__(self, folder: Path, most_s: float) -> None:
        self.fifo = folder / "capture.fifo"
        os.mkfifo(self.fifo)
        self.config = folder / "capture.conf"
        self.config.write_text(
            "pcm.nul { type null }\n"
            f'pcm.cap {{ type file slave.pcm nul file "{self.fifo}" format raw }}\n'
            "pcm.!default { type plug slave.pcm cap }\n"
            "ctl.!default { type hw card 0 }\n"
        )
        self._most = round(most_s * 48_000) * FRAME_BYTES
        self._data = bytearray()
        self.full = threading.Event()
        self._read_end = os.open(self.fifo, os.O_RDONLY | os.O_NONBLOCK)
        os.set_blocking(self._read_end, True)
        self._keep_open = os.open(self.fifo, os.O_WRONLY)
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    @property
    def environment(self) -> dict[str, str]:
        return {"ALSA_CONFIG_PATH": str(self.config), "JACK_NO_START_SERVER": "1"}

    def _read(self) -> None:
        while data := os.read(self._read_end, 1 << 16):
            if len(self._data) < self._most:
                self._data += data
            else:
                self.full.set()

    @property
    def sound(self) -> Sound:
        whole = len(self._data) // FRAME_BYTES * FRAME_BYTES
        return np.frombuffer(bytes(self._data[:whole]), dtype="<f4").reshape(-1, 2).astype(np.float32)

    def close(self) -> None:
        os.close(self._keep_open)
        self._thread.join(timeout=5)
        os.close(self._read_end)


class PulseSink:
    """A PulseAudio server of our own with a null sink, and a recorder on it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._server: subprocess.Popen[bytes] | None = None
        self._recorder: subprocess.Popen[bytes] | None = None
        self._takes = 0
        self.config = folder / "pulse.conf"
        self.config.write_text(
            f'pcm.!default {{ type pulse device "room" server "unix:{folder}/native" }}\n'
            "ctl.!default { type hw card 0 }\n"
        )

    @property
    def environment(self) -> dict[str, str]:
        return {"ALSA_CONFIG_PATH": str(self.config), "JACK_NO_START_SERVER": "1"}

    @property
    def _own(self) -> dict[str, str]:
        return {**os.environ, "HOME": str(self.folder), "XDG_RUNTIME_DIR": str(self.folder)}

    def start(self) -> None:
        socket = self.folder / "native"
        socket.unlink(missing_ok=True)
        self._server = subprocess.Popen(
            [
                *FIRST, "pulseaudio", "-n", "--daemonize=no", "--use-pid-file=no", "--exit-idle-time=-1",
                "-L", f"module-native-protocol-unix socket={socket} auth-anonymous=1",
                "-L", "module-null-sink sink_name=room format=float32le rate=48000 channels=2 norewinds=1",
            ],
            env=self._own, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        wait_until(socket.exists, 5.0)
        self._takes += 1
        self._recorder = subprocess.Popen(
            [*FIRST, "parec", "-s", f"unix:{socket}", "-d", "room.monitor", "--raw", "--format=float32le",
             "--rate=48000", "--channels=2", "--latency-msec=20"],
            env=self._own, stderr=subprocess.DEVNULL,
            stdout=(self.folder / f"take{self._takes}.raw").open("wb"),
        )  # fmt: skip

    def kill(self) -> None:
        for process in (self._recorder, self._server):
            if process is not None:
                process.send_signal(signal.SIGKILL)
                process.wait()
        self._server = self._recorder = None

    def sound(self, take: int | None = None) -> Sound:
        data = (self.folder / f"take{take or self._takes}.raw").read_bytes()
        whole = len(data) // FRAME_BYTES * FRAME_BYTES
        return np.frombuffer(data[:whole], dtype="<f4").reshape(-1, 2).astype(np.float32)


def wait_until(holds: Callable[[], bool], timeout_s: float) -> None:
    """Look until it holds. The machine may be busy with more than us, so three times the time is given."""
    end = monotonic() + 3 * timeout_s
    while not holds():
        assert monotonic() < end, "it did not happen in time"
        sleep(0.02)


class Daemon:
    """The daemon's end of the player, in a loop of its own: can be cut off like a daemon that dies."""

    def __init__(self, config: PlayerConfig) -> None:
        self.player = PlayerProcess(config)
        self.events: list[PlayerEvent] = []
        self.status: PlayerStatus | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._live, daemon=True)
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._thread.start()

    def _live(self) -> None:
        self._task = self._loop.create_task(self.player.run(self._hear))
        self._loop.run_forever()

    def _hear(self, event: PlayerEvent) -> None:
        if isinstance(event, PlayerStatus):
            self.status = event
        else:
            self.events.append(event)

    def send(self, *commands: PlayerCommand) -> None:
        for command in commands:
            if self._thread.is_alive():
                self._loop.call_soon_threadsafe(self.player.send, command)
            else:
                self.player._wishes.remember(command, linked=False, now_s=0.0)
                self.player._wishes._unsent = []

    def die(self) -> None:
        """Cut the link as a killed daemon does."""
        if self._task is not None:
            self._loop.call_soon_threadsafe(self._task.cancel)
            wait_until(self._task.done, 5.0)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=5)

    def close(self, *, stop_player: bool = True) -> None:
        if self._thread.is_alive():
            closing = asyncio.run_coroutine_threadsafe(self.player.close(stop_player=stop_player), self._loop)
            closing.result(timeout=12)
            self.die()
        if not self._loop.is_closed():
            self._loop.close()


@contextmanager
def daemon(config: PlayerConfig) -> Iterator[Daemon]:
    made = Daemon(config)
    try:
        yield made
    finally:
        made.close()
