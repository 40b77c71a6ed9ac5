"""The player process: mixes and writes, period by period, until told to stop.

One loop in the main thread renders and writes to the speakers; the socket, the decoders and the second
output have threads of their own. It must never wait for the daemon: without one it plays on.
"""

import contextlib
import fcntl
import gc
import os
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Final

from controller.ports import PlayerHealth, PlayerStatus, StopPlayer
from hardware.player.ahead import Ahead
from hardware.player.chain import Chain, as_pcm
from hardware.player.clock import steady_s
from hardware.player.engine import Engine, EngineConfig
from hardware.player.outlet import Follower, Outlet, SoundSystem
from hardware.player.server import Server
from hardware.player.units import PERIOD, Block, silence
from hardware.systemd_notify import ServiceManager, Watchdog

STATUS_PERIODS: Final = 8
"""Periods between two looks at the state (171 ms), as many as are made ready ahead at most."""
SWITCH_INTERVAL_S: Final = 0.001
NICENESS: Final = -15
REAL_TIME_PRIORITY: Final = 5
"""Low among those in real time: before every ordinary program, after the kernel and a sound server."""
EXIT_TAKEN: Final = 3
"""Exit status when another player already serves the socket."""


@dataclass(frozen=True, slots=True)
class ProcessConfig:
    """The command line, checked.

    ``speed`` holds for silent devices only; ``device`` "silent" asks for one. Ceilings are LUFS over 3 s.
    """

    socket: Path
    engine: EngineConfig = field(default_factory=EngineConfig)
    device: str | None = None
    headphones: str | None = None
    ceiling_lufs: float = -23.0
    headphones_ceiling_lufs: float = -23.0
    ceilings: Mapping[str, float] = field(default_factory=dict)
    """Devices whose ceiling is known by name: it holds as soon as one of them is opened."""
    speakers_trim_db: float = 0.0
    headphones_trim_db: float = 0.0
    tap: Path | None = None
    speed: float = 1.0


def lock_socket(path: Path) -> IO[str] | None:
    """Return the lock that makes this the only player on a socket, or None if another holds it."""
    handle = path.with_name(path.name + ".lock").open("w")
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        handle.close()
        return None
    return handle


def raise_priority() -> None:
    """Go before other programs where we may; threads begun later inherit it.

    In real time within RLIMIT_RTPRIO (a unit's ``LimitRTPRIO``), else by niceness (``LimitNICE``), which the
    kernel weighs within a session only (sched_autogroup), unless the session is given it too.
    """
    with contextlib.suppress(OSError):
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(REAL_TIME_PRIORITY))
        return
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, 0, NICENESS)
        Path("/proc/self/autogroup").write_text(str(NICENESS))


class PlayerLoop:
    """Everything the process owns, and its loop."""

    def __init__(self, config: ProcessConfig) -> None:
        self._engine = Engine(config.engine)
        self._server = Server(config.socket, self._engine.put, config.tap)
        self._problems: dict[str, str] = {}
        trusted = "ALSA_CONFIG_PATH" in os.environ
        self._system = SoundSystem(
            config.socket.parent, silent=config.device == "silent", trusted_config=trusted
        )
        self._speakers = Outlet(
            "speakers",
            None if config.device == "silent" else config.device,
            Chain(config.ceiling_lufs, trim_db=config.speakers_trim_db),
            self._system,
            self._report,
            speed=config.speed,
            ceilings=config.ceilings,
        )
        self._second: Follower | None = None
        if config.headphones is not None:
            chain = Chain(config.headphones_ceiling_lufs, trim_db=config.headphones_trim_db)
            outlet = Outlet(
                "headphones",
                config.headphones,
                chain,
                self._system,
                self._report,
                speed=config.speed,
                ceilings=config.ceilings,
            )
            self._second = Follower(outlet)
        self._manager = ServiceManager.from_environment()
        self._watchdog = Watchdog(self._manager, ("sound",), steady_s)
        self._ahead = Ahead(self._engine, self._speakers.chain)
        self._frames = 0

    def _report(self, label: str, problem: str | None) -> None:
        """Tell the daemon what is wrong with an output, or that all are well. From any thread."""
        if problem is None:
            self._problems.pop(label, None)
        else:
            self._problems[label] = f"{label}: {problem}"
        self._server.post(PlayerHealth("; ".join(self._problems.values()) or None))

    def stop(self) -> None:
        """Fade out and end, as on ``StopPlayer``."""
        self._manager.stopping()
        self._engine.put(StopPlayer())

    def run(self) -> None:
        """Play until stopped."""
        self._server.start()
        block, unseen = silence(PERIOD), STATUS_PERIODS
        while not self._engine.stopped:
            self._speakers.await_room()
            if (sound := self._ahead.take(usable=self._speakers.steady)) is None:
                sound = self._mix(block)
                accounted = True
            else:
                self._hand_on(self._ahead.mixed, self._ahead.sound)
                accounted = self._ahead.begins
            self._speakers.play(sound)
            if not self._frames:
                self._manager.ready()
            self._watchdog.turned("sound")
            self._frames += PERIOD
            unseen += 1
            if self._engine.events or (accounted and unseen >= STATUS_PERIODS):
                self._publish()
                unseen = 0
        self._publish()
        self.close()

    def _mix(self, block: Block) -> bytes:
        """Mix a period and send it through the speakers' chain."""
        self._engine.render(block, self._speakers.chain.heard_lufs)
        self._route()
        sound = self._speakers.process(block)
        self._hand_on(block, sound)
        return sound.tobytes()

    def _hand_on(self, mixed: Block, sound: Block) -> None:
        """Give the mix to the second output, and what the speakers get to those who listen in."""
        if self._second is not None:
            self._second.offer(mixed)
        if self._server.tapped:
            self._server.offer_sound(as_pcm(sound))

    def _route(self) -> None:
        route = self._engine.route
        self._speakers.chain.route(route.speakers)
        if self._second is not None:
            self._second.outlet.chain.route(route.headphones)

    def _publish(self) -> None:
        view, speakers, second = self._engine.view, self._speakers, self._second
        device = speakers.name if second is None else f"{speakers.name} + {second.outlet.name}"
        self._server.status = PlayerStatus(
            item_id=view.item_id,
            track_id=view.track_id,
            position_ms=view.position_ms,
            length_ms=view.length_ms,
            queue=view.queue,
            programme_db=round(view.programme_db, 2),
            peak_dbfs=round(speakers.chain.take_peak_dbfs(), 1),
            loudness_lufs=round(speakers.chain.heard_lufs, 1),
            on_bed=view.on_bed,
            device=device,
            device_ok=speakers.ok and (second is None or second.outlet.ok),
            frames_written=self._frames,
            underruns=speakers.underruns + (second.outlet.underruns if second is not None else 0),
        )
        while self._engine.events:
            self._server.post(self._engine.events.popleft())

    def close(self) -> None:
        """Let go of the devices, the socket and every thread."""
        self._engine.close()
        if self._second is not None:
            self._second.close()
        self._speakers.close()
        self._server.close()


def serve(config: ProcessConfig) -> int:
    """Run the process; return its exit status."""
    lock = lock_socket(config.socket)
    if lock is None:
        sys.stderr.write(f"player: another player serves {config.socket}\n")
        return EXIT_TAKEN
    if config.speed == 1.0:
        raise_priority()
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    loop = PlayerLoop(config)
    signal.signal(signal.SIGTERM, lambda *_: loop.stop())
    signal.signal(signal.SIGINT, lambda *_: loop.stop())
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    gc.freeze()
    loop.run()
    return 0
