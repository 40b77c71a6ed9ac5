"""Measures audio files: loudness, silent edges, energy, tags; one after another or on every core.

A file that cannot be measured is an answer (one line saying why), never a crash: a decoder that takes its
whole process down costs that one file. It must never keep results; ``store`` does.
"""

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from playlists.audio_files import AudioFileError, content_hash, open_audio
from playlists.energy import EnergyMeter
from playlists.loudness import SILENT_LUFS, LoudnessMeter
from playlists.models import Track
from playlists.tags import read_tags

ANALYSER_VERSION: Final = 1
"""A result of another version is measured anew."""
SILENCE_DBFS: Final = -60.0
"""The silent edges of a file are where no sample of 10 ms reaches this."""
_SILENCE_GAIN: Final = 10.0 ** (SILENCE_DBFS / 20.0)
_STEPS_PER_S: Final = 100
_SHORTEST_MS: Final = 1_000


class EdgeMeter:
    """Finds where sound begins and where it ends, to 10 ms."""

    def __init__(self, rate_hz: int) -> None:
        """Start at a rate in Hz."""
        self._step = max(rate_hz // _STEPS_PER_S, 1)
        self._rate_hz = rate_hz
        self._frames = 0
        self._first: int | None = None
        self._last = 0

    def add(self, block: NDArray[np.float32]) -> None:
        """Take the next frames, shape (frames, channels)."""
        loud = np.flatnonzero(np.abs(block).max(axis=1) >= _SILENCE_GAIN)
        if loud.size:
            if self._first is None:
                self._first = self._frames + int(loud[0])
            self._last = self._frames + int(loud[-1]) + 1
        self._frames += block.shape[0]

    def result(self) -> tuple[int, int, int]:
        """Return (length, leading silence, trailing silence) in ms."""
        length = self._frames * 1000 // self._rate_hz
        if self._first is None:
            return length, 0, 0
        lead = self._first // self._step * 10
        tail = max(self._frames - self._last, 0) // self._step * 10
        return length, lead, tail


@dataclass(frozen=True, slots=True)
class KnownContent:
    """A file whose content was measured before, under another path."""

    content_hash: str


Result: TypeAlias = Track | KnownContent | str
"""What came of a file: its track, that its content is known already, or one line saying why neither."""


def measure_file(path: Path) -> Track:
    """Measure one audio file, in one pass, a block at a time.

    Raises:
        AudioFileError: it is missing, no audio, silent, or shorter than a second.
    """
    return _measure(path, content_hash(path))


def _measure(path: Path, track_id: str) -> Track:
    with open_audio(path) as audio:
        loudness_meter = LoudnessMeter(audio.rate_hz, audio.channels)
        edges, energy = EdgeMeter(audio.rate_hz), EnergyMeter(audio.rate_hz)
        for block in audio.blocks:
            loudness_meter.add(block)
            edges.add(block)
            energy.add(block)
        rate_hz, channels = audio.rate_hz, audio.channels
    length_ms, lead_ms, tail_ms = edges.result()
    loudness = loudness_meter.result()
    if length_ms - lead_ms - tail_ms < _SHORTEST_MS:
        raise AudioFileError("holds less than a second of sound")
    if loudness.integrated_lufs <= SILENT_LUFS:
        raise AudioFileError("is silent")
    title, artist = read_tags(path)
    return Track(
        track_id=track_id,
        path=str(path),
        length_ms=length_ms,
        rate_hz=rate_hz,
        channels=channels,
        integrated_lufs=round(loudness.integrated_lufs, 3),
        range_lu=round(loudness.range_lu, 2),
        short_term_max_lufs=round(loudness.short_term_max_lufs, 2),
        true_peak_dbtp=round(loudness.true_peak_dbtp, 2),
        lead_silence_ms=lead_ms,
        tail_silence_ms=tail_ms,
        energy=energy.result(),
        title=title,
        artist=artist,
    )


def try_measure(path: Path, known: frozenset[str] = frozenset()) -> Result:
    """Measure one file unless its content's hash is ``known``; one line says why it cannot be."""
    try:
        track_id = content_hash(path)
        return KnownContent(track_id) if track_id in known else _measure(path, track_id)
    except AudioFileError as error:
        return str(error)
    except (ValueError, MemoryError, ArithmeticError) as error:
        return f"cannot be measured: {type(error).__name__}: {error}"


_known: frozenset[str] = frozenset()
"""In a worker process: the contents that need no measuring. Handed over once, when the worker starts."""


def _start_worker(known: frozenset[str]) -> None:
    global _known  # noqa: PLW0603 -- the one thing a worker is told at its start
    _known = known


def _work(path: Path) -> Result:
    return try_measure(path, _known)


def measure_files(
    paths: Sequence[Path], workers: int | None = None, known: frozenset[str] = frozenset()
) -> Iterator[tuple[Path, Result]]:
    """Measure files on every core (``workers`` None; 0: in this process); yield each as it is done.

    Results come in no fixed order. A worker that dies takes nothing with it: what it had in hand is
    measured again, each file in a process of its own, and the one that kills that is the broken one.
    """
    count = min(os.cpu_count() or 1, len(paths)) if workers is None else workers
    if count <= 0:
        yield from ((path, try_measure(path, known)) for path in paths)
        return
    waiting = iter(paths)
    suspects: list[Path] = []
    with _workers(count, known) as pool:
        running: dict[Future[Result], Path] = {}
        while True:
            # Few in flight: 1,000 files shall not be 1,000 pickles, and a death costs few.
            if not suspects:
                for path in islice(waiting, max(count * 2 - len(running), 0)):
                    running[pool.submit(_work, path)] = path
            if not running:
                break
            done, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                path = running.pop(future)
                try:
                    yield path, future.result()
                except BrokenProcessPool:
                    suspects.append(path)
    for path in suspects:
        yield path, _measure_alone(path)
    rest = list(waiting)
    if rest:
        yield from measure_files(rest, count, known)


def _workers(count: int, known: frozenset[str]) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(count, get_context("spawn"), _start_worker, (known,))


def _measure_alone(path: Path) -> Result:
    with _workers(1, frozenset()) as pool:
        try:
            return pool.submit(_work, path).result()
        except BrokenProcessPool:
            return "makes the decoder crash"
