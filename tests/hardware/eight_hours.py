"""An 8 h psilocybin session, as fast as it goes, through the real player and PyAudio, sample by sample.

    .venv/bin/python tests/hardware/eight_hours.py [--minutes N]

The order, lengths and fades of the pieces are those of a rehearsal of the shipped profile; a piece that the
plan leaves at a phase's end is cut there, so that the whole session is one queue and every sample's place is
known beforehand. The level stays at 0 dB for the same reason. Each piece is a noise of random signs: one
sample lost, repeated or out of place, and nothing after it fits. What the ALSA file device took is compared
with the plan as it comes. It must never take a sample for right that it did not compare.
"""

import argparse
import fcntl
import json
import os
import shutil
import sys
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile
from player_capture import Daemon, FifoCapture, daemon

from controller.daemon.options import DEMO_SITE
from controller.daemon.rehearsing import prepare_rehearsal
from controller.ports import ItemFailed, PlayItem, QueueItems, SetLevel
from hardware.player.client import PlayerConfig

Sound = npt.NDArray[np.float32]
RATE = 48_000
FRAME_BYTES = 8
LEVEL = 0.25
PIPE_BYTES = 1 << 20
CHUNK = 1 << 16
WRONG = 1e-5
"""How far a sample in a crossfade may be from the plan's (its gains are computed in another way)."""
DIP_DB, GROWTH = 0.1, 0.05
Heard = tuple[int, PlayItem]
"""When an item began in the rehearsal, ms, and the item."""


def rehearse(folder: Path) -> tuple[list[Heard], int]:
    """Return what is heard when in a rehearsal of the shipped profile, and its length, ms."""
    rehearsal = prepare_rehearsal("psilocybin", DEMO_SITE, None, folder)
    begun_ms = rehearsal.clock.now_ms()
    heard: list[Heard] = []

    def watch(at_ms: int) -> None:
        sounding = rehearsal.player._current
        if sounding is not None and (not heard or heard[-1][1].item_id != sounding.item.item_id):
            heard.append((at_ms - begun_ms, sounding.item))

    return heard, rehearsal.run(watch).planned_ms


def plan(folder: Path, minutes: float, files: list[Path]) -> list[PlayItem]:
    """The session's pieces as one queue, each cut where the next one takes over."""
    everything, planned_ms = rehearse(folder)
    end_ms = min(planned_ms, round(minutes * 60_000))
    heard = [one for one in everything if one[0] < end_ms]
    items = []
    for index, (at_ms, item) in enumerate(heard):
        length_ms = (item.end_ms or 0) - item.start_ms
        if index + 1 < len(heard):
            next_ms, following = heard[index + 1]
            length_ms = min(length_ms, next_ms - at_ms + following.fade_ms)
        made = str(files[index % len(files)])
        items.append(replace(item, path=made, gain_db=0.0, start_ms=0, end_ms=length_ms, position_ms=0))
    return items


def write_pieces(folder: Path, seconds: float) -> tuple[list[Path], list[npt.NDArray[np.int8]]]:
    """Three noises of random signs, and their signs."""
    paths, signs = [], []
    for seed in range(3):
        sign = np.random.default_rng(seed).integers(0, 2, (round(seconds * RATE), 2), dtype=np.int8) * 2 - 1
        sign = sign.astype(np.int8)
        paths.append(folder / f"piece{seed}.wav")
        soundfile.write(paths[-1], sign.astype(np.float32) * LEVEL, RATE, subtype="PCM_16")
        signs.append(sign)
    return paths, signs


@dataclass
class Expected:
    """The plan, sample by sample, from the first item's first frame."""

    items: list[PlayItem]
    signs: list[npt.NDArray[np.int8]]
    begins: list[int] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        at = 0
        for item in self.items:
            length = round((item.end_ms or 0) * RATE / 1000)
            at -= self._fade(len(self.begins), length) if self.begins else 0
            self.begins.append(at)
            at += length
            self.ends.append(at)

    def _fade(self, index: int, length: int) -> int:
        before = self.ends[-1] - self.begins[-1]
        return min(round(self.items[index].fade_ms * RATE / 1000), before // 2, length // 2)

    @property
    def frames(self) -> int:
        """Frames up to where the last piece gives way to the bed."""
        return self.ends[-1] - 12 * RATE - RATE

    def part(self, first: int, count: int) -> tuple[Sound, bool]:
        """The plan's next frames, and whether one piece alone is heard in them."""
        out = np.zeros((count, 2), dtype=np.float32)
        alone = True
        for index, (begin, end) in enumerate(zip(self.begins, self.ends, strict=True)):
            if begin >= first + count or end <= first:
                continue
            low, high = max(first, begin), min(first + count, end)
            sound = self.signs[index % len(self.signs)][low - begin : high - begin] * np.float32(LEVEL)
            into = self.first_fade if index == 0 else self.ends[index - 1]
            out_of = self.begins[index + 1] if index + 1 < len(self.begins) else end
            if low < into or high > out_of:
                alone = False
                sound = sound * self._gain(index, low, high)[:, None]
            out[low - first : high - first] += sound
        return out, alone

    def _gain(self, index: int, low: int, high: int) -> Sound:
        at = np.arange(low + 1, high + 1, dtype=np.float64)
        gain = np.ones(len(at))
        begin = self.begins[index]
        rise = (self.ends[index - 1] - begin) if index else self.first_fade
        gain *= np.sin(np.clip((at - begin) / rise, 0.0, 1.0) * np.pi / 2)
        if index + 1 < len(self.begins):
            start, length = self.begins[index + 1], self.ends[index] - self.begins[index + 1]
            gain *= np.cos(np.clip((at - start) / length, 0.0, 1.0) * np.pi / 2)
        return gain.astype(np.float32)

    @property
    def first_fade(self) -> int:
        """Frames the first item takes to come in."""
        return min(round(self.items[0].fade_ms * RATE / 1000), (self.ends[0] - self.begins[0]) // 2)


@dataclass
class Verdict:
    """What was found."""

    frames: int = 0
    wrong: int = 0
    first_wrong: int | None = None
    largest_error: float = 0.0
    peak: float = 0.0
    dip_db: float = 0.0
    items: int = 0
    failed: int = 0
    rss_first_mb: float = 0.0
    rss_last_mb: float = 0.0

    @property
    def ok(self) -> bool:
        """Whether every sample was the plan's and memory stayed flat."""
        growth = self.rss_last_mb / max(self.rss_first_mb, 0.1) - 1.0
        fits = self.frames > 0 and self.wrong == 0 and self.failed == 0 and self.peak < 1.0
        return fits and self.dip_db <= DIP_DB and growth <= GROWTH


class Stream(FifoCapture):
    """The FIFO capture, handed on in chunks instead of being kept."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, 0.0)
        fcntl.fcntl(self._read_end, fcntl.F_SETPIPE_SZ, PIPE_BYTES)

    def _read(self) -> None:
        return

    def chunks(self) -> Iterator[Sound]:
        """Yield what comes, in chunks of 65536 frames."""
        data = bytearray()
        while part := os.read(self._read_end, PIPE_BYTES):
            data += part
            while len(data) >= CHUNK * FRAME_BYTES:
                yield np.frombuffer(bytes(data[: CHUNK * FRAME_BYTES]), "<f4").reshape(-1, 2)
                del data[: CHUNK * FRAME_BYTES]

    def flow(self) -> None:
        """Take what still comes, so that the process can end."""
        threading.Thread(target=self._drain, daemon=True).start()

    def _drain(self) -> None:
        while os.read(self._read_end, PIPE_BYTES):
            pass


def rss_mb(pid: int) -> float:
    """Resident memory of a process."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / (1 << 20)


def compare(stream: Stream, expected: Expected, room: Daemon) -> Verdict:
    """Hold everything that was played against the plan."""
    verdict, memory = Verdict(items=len(expected.items)), []
    levels: list[float] = []
    begun = False
    for chunk in stream.chunks():
        sound = chunk
        if not begun:
            heard = np.flatnonzero(sound.any(axis=1))
            if not len(heard):
                continue
            begun, sound = True, sound[heard[0] :]
        sound = sound[: expected.frames - verdict.frames]
        wanted, alone = expected.part(verdict.frames, len(sound))
        error = np.abs(sound - wanted).max(axis=1)
        bad = np.flatnonzero(error > (0.0 if alone else WRONG))
        verdict.wrong += len(bad)
        if len(bad) and verdict.first_wrong is None:
            verdict.first_wrong = verdict.frames + int(bad[0])
        verdict.largest_error = max(verdict.largest_error, float(error.max(initial=0.0)))
        verdict.peak = max(verdict.peak, float(np.abs(sound).max(initial=0.0)))
        if verdict.frames > expected.first_fade and len(sound) == CHUNK:
            levels.append(float(10 * np.log10(np.mean(np.square(sound, dtype=np.float64)))))
        verdict.frames += len(sound)
        if room.player.pid is not None and verdict.frames > 60 * RATE:
            memory.append(rss_mb(room.player.pid))
        if verdict.frames >= expected.frames:
            break
    hour = max(1, min(len(memory) // 3, 3_600 * RATE // CHUNK))
    verdict.rss_first_mb, verdict.rss_last_mb = float(np.mean(memory[:hour])), float(np.mean(memory[-hour:]))
    verdict.dip_db = float(np.median(levels) - min(levels))
    verdict.failed = sum(isinstance(event, ItemFailed) for event in room.events)
    return verdict


def check(minutes: float) -> Verdict:
    """Play so many minutes of the session and compare them all."""
    folder = Path(tempfile.mkdtemp(prefix="hours"))
    try:
        (folder / "plan").mkdir()
        names = [folder / f"piece{seed}.wav" for seed in range(3)]
        items = plan(folder / "plan", minutes, names)
        longest_s = max((item.end_ms or 0) for item in items) / 1000
        _, signs = write_pieces(folder, longest_s)
        bed = folder / "nothing.wav"
        soundfile.write(bed, np.zeros((RATE, 2)), RATE, subtype="PCM_16")
        stream = Stream(folder)
        config = PlayerConfig(
            folder / "s", bed=bed, ceiling_lufs=0.0, speed=0.0, environment=stream.environment
        )
        with daemon(config) as room:
            room.send(SetLevel("programme", 0.0, 0), QueueItems(tuple(items)))
            room.start()
            verdict = compare(stream, Expected(items, signs), room)
            stream.flow()
        return verdict
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def main() -> int:
    line = argparse.ArgumentParser(description="Compare a whole session with its plan, sample by sample.")
    line.add_argument("--minutes", type=float, default=480.0)
    verdict = check(line.parse_args().minutes)
    figures = {name: getattr(verdict, name) for name in Verdict.__dataclass_fields__}
    sys.stdout.write(json.dumps({"check": "eight_hours", "ok": verdict.ok, "figures": figures}) + "\n")
    return 0 if verdict.ok else 1


if __name__ == "__main__":
    sys.exit(main())
