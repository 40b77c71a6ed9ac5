"""The daemon's side of the player: finds or starts the process, keeps it alive, tells it what is wanted.

``PlayerProcess`` is a ``controller.ports.Player``. It must never end the process because the daemon ends,
and never replay a prompt; after the process was lost it brings back the newest wish of every kind.
"""

import asyncio
import contextlib
import json
import os
import signal
import socket
import struct
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeAlias

from controller.errors import DriverError
from controller.ports import PlayerCommand, PlayerEvent, PlayerHealth, PlayerStatus, Route, StopPlayer
from hardware.player.protocol import MAX_LINE_BYTES, ProtocolError, decode_event, encode
from hardware.player.wishes import Wishes

STUCK_S: Final = 1.0
"""Without a line, or without a frame written, for so long: the process hangs and is replaced."""
START_S: Final = 8.0
"""What a start may take on a slow machine, device included."""
FIRST_BACKOFF_S: Final = 0.1
LAST_BACKOFF_S: Final = 5.0
SERVICE_BACKOFF_S: Final = 0.25
"""How often a player that is a service of its own is looked for: it comes back by itself."""
WELL_AFTER_S: Final = 10.0
STOP_S: Final = 8.0
FRUGAL: Final = {
    "OPENBLAS_NUM_THREADS": "1",
    "MALLOC_ARENA_MAX": "2",
    "MALLOC_MMAP_THRESHOLD_": "262144",
}
"""One thread of OpenBLAS: more would only be started, at normal priority, and wait. And memory that decks
give back goes back to the system: glibc otherwise keeps their rings, and the process grows over the hours."""
_Link: TypeAlias = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass(frozen=True, slots=True)
class PlayerConfig:
    """How to start the process. Ceilings in LUFS over 3 s: the room's ceiling in dB(A) less the device's K.

    ``device`` and ``headphones`` are (parts of) device names; None the default; "silent" none at all.
    ``speed`` is for silent devices only. ``environment`` adds to ours. ``log`` takes the process's stderr.
    """

    socket: Path
    bed: Path | None = None
    beds_folder: Path | None = None
    device: str | None = None
    headphones: str | None = None
    ceiling_lufs: float = -23.0
    headphones_ceiling_lufs: float | None = None
    ceilings: Mapping[str, float] = field(default_factory=dict)
    """Ceilings in LUFS of devices that have been measured, by name; they go before the two above."""
    speakers_trim_db: float = 0.0
    headphones_trim_db: float = 0.0
    reference_lufs: float = -23.0
    min_fade_ms: int = 4_000
    tap: Path | None = None
    speed: float = 1.0
    log: Path | None = None
    environment: dict[str, str] = field(default_factory=dict)
    service: bool = False
    """A service manager keeps the process: it is found, never started by us, and outlives an orderly stop."""

    def arguments(self, programme_db: float) -> list[str]:
        """Return the process's command line."""
        headphones_ceiling = (
            self.ceiling_lufs if self.headphones_ceiling_lufs is None else self.headphones_ceiling_lufs
        )
        options: dict[str, object] = {
            "socket": self.socket,
            "bed": self.bed,
            "beds": self.beds_folder,
            "device": self.device,
            "headphones": self.headphones,
            "ceiling-lufs": self.ceiling_lufs,
            "headphones-ceiling-lufs": headphones_ceiling,
            "ceilings": json.dumps(dict(self.ceilings)) if self.ceilings else None,
            "speakers-trim-db": self.speakers_trim_db,
            "headphones-trim-db": self.headphones_trim_db,
            "reference-lufs": self.reference_lufs,
            "programme-db": programme_db,
            "min-fade-ms": self.min_fade_ms,
            "tap": self.tap,
            "speed": self.speed,
        }
        given = [f"--{name}={value}" for name, value in options.items() if value is not None]
        return [sys.executable, "-m", "hardware.player", *given]


class PlayerProcess:
    """The player as the daemon sees it."""

    def __init__(self, config: PlayerConfig) -> None:
        self._config = config
        self._wishes = Wishes()
        self._writer: asyncio.StreamWriter | None = None
        self._pid: int | None = None
        self._last_pid: int | None = None
        self._children: set[int] = set()
        self._unwell: str | None = None
        self._closing = False

    @property
    def pid(self) -> int | None:
        """The process's id while it is linked."""
        return self._pid

    @property
    def route(self) -> Route:
        """Which outputs were asked for last."""
        return self._wishes.route or Route(speakers=True, headphones=False)

    def send(self, command: PlayerCommand) -> None:
        """Hand a command over. Never blocks; kept (the newest of its kind) while the player is away."""
        linked = self._writer is not None
        self._wishes.remember(command, linked=linked, now_s=_now_s())
        if self._writer is not None:
            self._writer.write(encode(command))

    async def run(self, listener: Callable[[PlayerEvent], None]) -> None:
        """Start or find the player process, keep it alive, deliver its events, until cancelled."""
        backoff_s, longest_s = FIRST_BACKOFF_S, SERVICE_BACKOFF_S if self._config.service else LAST_BACKOFF_S
        while True:
            begun_s = _now_s()
            try:
                await self._serve(listener)
                problem = "the player went away; starting it again"
            except TimeoutError:
                problem = "the player hangs; replacing it"
                self._kill()
            except (OSError, DriverError, ProtocolError) as error:
                problem = f"the player cannot be reached ({error}); trying again"
            finally:
                self._unlink()
            if self._closing:
                return
            self._say(listener, problem)
            if _now_s() - begun_s > WELL_AFTER_S:
                backoff_s = FIRST_BACKOFF_S
            await _pause(backoff_s)
            backoff_s = min(backoff_s * 2, longest_s)

    async def close(self, *, stop_player: bool) -> None:
        """Let go of the link; with ``stop_player`` fade out and end the process, unless it is a service."""
        self._closing = True
        if stop_player and not self._config.service and self._writer is not None and self._pid is not None:
            self._writer.write(encode(StopPlayer()))
            with contextlib.suppress(OSError):
                await self._writer.drain()
            if not await self._gone(self._pid):
                self._kill()
        self._unlink()
        self._reap()

    # ------------------------------------------------------------ the link

    async def _serve(self, listener: Callable[[PlayerEvent], None]) -> None:
        """Find or start the process and talk to it until it goes away.

        Raises:
            TimeoutError: it hangs.
            DriverError: it did not start in time.
        """
        link = await self._connect()
        if link is None and self._config.service:
            raise DriverError("player", "connect", "its service does not run", may_retry=True)
        started = link is None
        reader, writer = link or await self._start_and_connect()
        self._pid = _peer_pid(writer)
        # A service may have been started anew behind our back.
        started = started or self._last_pid not in (None, self._pid)
        self._last_pid = self._pid
        # The newest wishes go first: nothing has been heard of a new process, so levels may stand at once.
        for command in self._wishes.to_bring_back(_now_s()) if started else self._wishes.unsent(_now_s()):
            writer.write(encode(command))
        self._writer = writer
        frames, moved_s = -1, _now_s()
        while True:
            async with asyncio.timeout(START_S if frames < 0 else STUCK_S):
                line = await reader.readline()
            if not line:
                return
            event = decode_event(line)
            self._wishes.observe(event, _now_s())
            if isinstance(event, PlayerStatus):
                if event.frames_written > frames:
                    frames, moved_s = event.frames_written, _now_s()
                elif _now_s() - moved_s > STUCK_S:
                    raise TimeoutError
                if self._unwell is not None and event.device_ok:
                    self._say(listener, None)
            if isinstance(event, PlayerHealth):
                self._unwell = event.message
            listener(event)

    def _say(self, listener: Callable[[PlayerEvent], None], problem: str | None) -> None:
        self._unwell = problem
        listener(PlayerHealth(problem))

    def _unlink(self) -> None:
        if self._writer is not None:
            self._writer.close()
        self._writer, self._pid = None, None

    # ------------------------------------------------------------ the process

    async def _start_and_connect(self) -> _Link:
        """Start the process and link to it.

        Raises:
            DriverError: it did not start in time.
        """
        self._start()
        try:
            async with asyncio.timeout(START_S):
                while (link := await self._connect()) is None:
                    self._reap()
                    if not self._children:
                        raise DriverError("player", "start", "it ended at once", may_retry=True)
                    await _pause(0.02)
        except TimeoutError:
            for pid in self._children:
                _kill(pid)
            raise DriverError("player", "start", "it did not start in time", may_retry=True) from None
        return link

    async def _connect(self) -> _Link | None:
        try:
            return await asyncio.open_unix_connection(str(self._config.socket), limit=MAX_LINE_BYTES)
        except (ConnectionRefusedError, FileNotFoundError):
            return None

    def _start(self) -> None:
        """Start the process in a session of its own, so that it outlives us."""
        self._config.socket.parent.mkdir(parents=True, exist_ok=True)
        arguments = self._config.arguments(self._wishes.programme_db(_now_s()))
        output = str(self._config.log or os.devnull)
        actions = [
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
            (os.POSIX_SPAWN_OPEN, 2, output, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600),
        ]
        environment = {**FRUGAL, **os.environ, **self._config.environment}
        self._children.add(
            os.posix_spawn(sys.executable, arguments, environment, file_actions=actions, setsid=True)
        )

    def _kill(self) -> None:
        if self._pid is not None:
            _kill(self._pid)

    def _reap(self) -> None:
        for pid in tuple(self._children):
            with contextlib.suppress(ChildProcessError):
                if os.waitpid(pid, os.WNOHANG)[0] == 0:
                    continue
            self._children.discard(pid)

    async def _gone(self, pid: int) -> bool:
        """Wait for a process to end, at most some seconds."""
        end_s = _now_s() + STOP_S
        while _now_s() < end_s:
            self._reap()
            if not _alive(pid):
                return True
            await _pause(0.02)
        return False


def _now_s() -> float:
    """The loop's clock: real time, since a process is watched in real time at any room speed."""
    return asyncio.get_running_loop().time()


async def _pause(seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await asyncio.get_running_loop().create_future()


def _peer_pid(writer: asyncio.StreamWriter) -> int:
    """Who serves the socket, from the kernel: true even when the process hangs."""
    peer: socket.socket = writer.get_extra_info("socket")
    credentials = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    return int(struct.unpack("3i", credentials)[0])


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
