"""The player on a busy machine: a busy daemon and four busy processes beside it, in real time, from outside.

    .venv/bin/python benchmarks/player_under_load.py [--minutes 10] [--busy 4]

It plays into a null sink of a PulseAudio server of its own and is recorded from the sink's monitor. The left
channel is a constant, the right one the same constant times a saw of 4800 steps: right by left tells of every
frame which one it is, whatever the volume, so that each gap, skip and repeat shows. All the while the volume
is lowered step by step and raised again; a command's delay runs from its sending to the first sample that is
lower. The process that sends is kept as busy as can be. Targets: no underrun, nothing lost, 80 ms at p99.
It must never call a second good that it did not record. Needs ``pulseaudio`` and ``parec``.
"""

import argparse
import asyncio
import contextlib
import json
import os
import queue
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile
from music import RATE, Sinks, timed

from controller.ports import CrossfadeTo, PlayerEvent, PlayerStatus, PlayItem, SetLevel
from hardware.player.client import PlayerConfig, PlayerProcess

LEVEL, SAW = 0.3, 4_800
STEP_DB, STEPS = -1.0, 6
RISE_S = 1.0 + abs(STEP_DB) * STEPS / 3.0
FIRST_S = 6.0
MUSIC = "saw.flac"
TARGETS = {"volume_p99_ms": 80.0, "underruns": 0, "breaks": 0}
Sound = npt.NDArray[np.float32]


@dataclass
class Heard:
    """What the recording showed so far."""

    frames: int = 0
    dry_frames: int = 0
    underruns: int = 0
    breaks: int = 0
    delays_ms: list[float] = field(default_factory=list)
    _next: int | None = None
    _dry: bool = False

    def take(self, sound: Sound) -> None:
        """Follow the saw through the next frames (stereo), whatever their level."""
        left, right = sound[:, 0], sound[:, 1]
        silent = np.abs(left) < 1e-5
        with np.errstate(divide="ignore", invalid="ignore"):
            place = np.where(silent, -1, np.rint(right / left * SAW) - 1).astype(np.int64)
        starts = silent & ~np.concatenate(([self._dry], silent[:-1]))
        self.underruns += int(starts.sum())
        self.dry_frames += int(silent.sum())
        self._dry = bool(silent[-1])
        self.frames += len(sound)
        place = place[~silent]
        if len(place):
            expected = (
                np.concatenate(([place[0] if self._next is None else self._next], place[:-1] + 1)) % SAW
            )
            self.breaks += int((place != expected).sum())
            self._next = int(place[-1] + 1) % SAW


def write_saw(path: Path, seconds: float) -> None:
    """A constant, and the constant times a saw. Written in blocks; it compresses to nearly nothing."""
    block = np.empty((SAW * 10, 2))
    block[:, 0] = LEVEL
    block[:, 1] = LEVEL * (np.arange(SAW * 10) % SAW + 1) / SAW
    with soundfile.SoundFile(path, "w", RATE, 2, "PCM_24") as file:
        for _ in range(round(seconds) + 1):
            file.write(block)


def delay_ms(sound: Sound, times: npt.NDArray[np.float64], sent_s: float) -> float:
    """From a command to the first sample that is lower for it; infinite if none is."""
    before = sound[(times > sent_s - 0.05) & (times < sent_s), 0]
    if not len(before):
        return float("inf")
    lower = np.flatnonzero((times >= sent_s) & (sound[:, 0] < before[-1] * 0.998) & (sound[:, 0] > 1e-5))
    return (float(times[lower[0]]) - sent_s) * 1000 if len(lower) else float("inf")


async def be_busy() -> None:
    """Leave the loop hardly a moment, as a daemon in trouble would: 4 ms of work, a breath, and again."""
    state = {str(n): list(range(20)) for n in range(200)}
    while True:
        end = time.monotonic() + 0.004
        while time.monotonic() < end:
            json.loads(json.dumps(state))
        await asyncio.sleep(0)


async def command(folder: Path, seconds: float) -> None:
    """The busy daemon, in a process of its own: rules the player and prints when it sent what."""
    alsa = folder / "ours.conf"
    environment = {"ALSA_CONFIG_PATH": str(alsa), "JACK_NO_START_SERVER": "1"}
    player = PlayerProcess(PlayerConfig(folder / "player.sock", ceiling_lufs=0.0, environment=environment))
    underruns: list[int] = []
    ready = asyncio.Event()

    def hear(event: PlayerEvent) -> None:
        if isinstance(event, PlayerStatus):
            underruns[:] = [event.underruns]
            ready.set()

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(player.run(hear))]
        try:
            await ready.wait()
            player.send(SetLevel("programme", 0.0, 0))
            player.send(CrossfadeTo(PlayItem("saw", "saw", str(folder / MUSIC), fade_ms=1000), 4000))
            await asyncio.sleep(FIRST_S)
            tasks.append(group.create_task(be_busy()))
            print("begun", time.monotonic(), flush=True)
            await lower_and_raise(player, time.monotonic() + seconds)
            print("ended", underruns[-1], flush=True)
        finally:
            await player.close(stop_player=True)
            for task in tasks:
                task.cancel()


async def lower_and_raise(player: PlayerProcess, end_s: float) -> None:
    """Lower the volume step by step and raise it again, over and over."""
    while time.monotonic() < end_s:
        for step in range(1, STEPS + 1):
            sent_s = time.monotonic()
            player.send(SetLevel("programme", STEP_DB * step, 0))
            print("sent", sent_s, flush=True)
            await asyncio.sleep(0.40 + sent_s % 0.0427)
        player.send(SetLevel("programme", 0.0, 0))
        await asyncio.sleep(RISE_S)


class Listener:
    """Follows the recording while it comes, and keeps three seconds of it."""

    def __init__(self, sinks: Sinks) -> None:
        self._sinks = sinks
        self.heard = Heard()
        self.sent_s: list[float] = []
        self._kept: list[tuple[float, bytes]] = []

    def gather(self, *, follow: bool) -> None:
        """Take what was recorded since the last time."""
        chunks, self._sinks.chunks["ours"] = self._sinks.chunks["ours"], []
        data = b"".join(part for _, part in chunks)
        if follow and data:
            self.heard.take(np.frombuffer(data, "<f4").reshape(-1, 2))
        now = time.monotonic()
        self._kept = [chunk for chunk in (*self._kept, *chunks) if chunk[0] > now - 3.0]
        due = [sent_s for sent_s in self.sent_s if sent_s < now - 1.0]
        if due:
            self.sent_s = [sent_s for sent_s in self.sent_s if sent_s not in due]
            sound, times = timed(self._kept, "<f4")
            self.heard.delays_ms += [delay_ms(sound, times, sent_s) for sent_s in due]


def listen(sinks: Sinks, daemon: "subprocess.Popen[str]") -> tuple[Heard, int]:
    """Follow the recording until the daemon is done; also how many underruns the player counted."""
    listener = Listener(sinks)
    lines: queue.SimpleQueue[str] = queue.SimpleQueue()
    if daemon.stdout is None:
        raise RuntimeError("no pipe")
    pipe = daemon.stdout
    reading = threading.Thread(target=lambda: [lines.put(line) for line in chain(pipe, [""])], daemon=True)
    reading.start()
    begun = False
    while True:
        with contextlib.suppress(queue.Empty):
            while True:
                word, _, value = lines.get(timeout=0.25).partition(" ")
                if word == "begun":
                    begun = True
                elif word == "sent":
                    listener.sent_s.append(float(value))
                elif word == "ended":
                    return listener.heard, int(value)
                elif not word:
                    raise RuntimeError("the daemon ended before its time")
                listener.gather(follow=begun)
        listener.gather(follow=begun)


def measure(folder: Path, sinks: Sinks, seconds: float, count: int) -> dict[str, float]:
    (folder / "ours.conf").write_text(
        f'pcm.!default {{ type pulse device "ours" server "{sinks.server}" }}\n'
        "ctl.!default { type hw card 0 }\n"
    )
    write_saw(folder / MUSIC, seconds + FIRST_S + 60)
    line = [sys.executable, __file__, "--daemon", str(folder), "--minutes", str(seconds / 60)]
    with busy(count), subprocess.Popen(line, stdout=subprocess.PIPE, text=True) as daemon:
        with contextlib.suppress(OSError):  # what measures must neither starve nor go before the player
            os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
        try:
            heard, counted = listen(sinks, daemon)
        finally:
            daemon.terminate()
    delays = np.array(heard.delays_ms)
    return {
        "seconds_recorded": round(heard.frames / RATE, 1),
        "commands": len(delays),
        "volume_p50_ms": round(float(np.percentile(delays, 50)), 1),
        "volume_p99_ms": round(float(np.percentile(delays, 99, method="higher")), 1),
        "volume_max_ms": round(float(delays.max()), 1),
        "underruns": heard.underruns + counted,
        "dry_ms": round(heard.dry_frames * 1000 / RATE, 1),
        "breaks": heard.breaks,
        "load": round(os.getloadavg()[0], 1),
    }


@contextlib.contextmanager
def busy(count: int):  # noqa: ANN201 (a context manager of nothing)
    """So many processes that do nothing but count."""
    made = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for process in made:
            process.kill()
            process.wait()


def main() -> int:
    line = argparse.ArgumentParser(description="Measure the player beside busy processes.")
    line.add_argument("--minutes", type=float, default=0.6)
    line.add_argument("--busy", type=int, default=4)
    line.add_argument("--daemon", type=Path, help=argparse.SUPPRESS)
    given = line.parse_args()
    if given.daemon is not None:
        asyncio.run(command(given.daemon, given.minutes * 60))
        return 0
    if shutil.which("pulseaudio") is None or shutil.which("parec") is None:
        print("pulseaudio and parec are needed")
        print(json.dumps({"benchmark": "player_under_load", "ok": False, "figures": {}}))
        return 1
    folder = Path(tempfile.mkdtemp(prefix="load"))
    sinks = Sinks(folder)
    try:
        sinks.start()
        figures = measure(folder, sinks, given.minutes * 60, given.busy)
    finally:
        sinks.stop()
        shutil.rmtree(folder, ignore_errors=True)
    recorded = figures["seconds_recorded"] >= given.minutes * 60
    held = {name: figures[name] <= target for name, target in TARGETS.items()}
    for name, value in figures.items():
        print(f"{name:24} {value}")
    for name, holds in held.items():
        print(f"{'holds' if holds else 'MISSED':8} {name} (target {TARGETS[name]})")
    ok = recorded and all(held.values())
    print(json.dumps({"benchmark": "player_under_load", "ok": ok, "figures": figures}))
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
