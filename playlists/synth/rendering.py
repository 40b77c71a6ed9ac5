"""Renders the generated pieces to FLAC, once: in parallel processes, restartable, nothing half-written seen.

A piece is made in two passes through a raw temporary file, so that memory stays flat whatever its length:
the first measures loudness, the second brings it to -23 LUFS and writes. A piece and its sidecar (track data,
JSON) appear by rename, the sidecar last: a sidecar whose version and size match says the piece is whole.
It must never touch a file that is not its own.
"""

import os
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from multiprocessing import get_context
from pathlib import Path
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from controller.core.units import gain_from_db
from controller.errors import StillroomError
from playlists.audio_files import AudioFileError, FlacWriter, content_hash
from playlists.loudness import Loudness, LoudnessMeter
from playlists.models import TARGET_LUFS, Frozen, Track
from playlists.synth.layers import voices_of
from playlists.synth.mixing import BLOCK_FRAMES, mix
from playlists.synth.recipes import RECIPES, SYNTH_VERSION, Recipe
from playlists.synth.tables import RATE_HZ

Progress: TypeAlias = Callable[[int, int, str], None]
"""Called with (pieces done, pieces in all, name of the last one done)."""

PEAK_DBTP: Final = -3.5
"""Peaks stay under -3 dBTP: this is aimed at, half a decibel being left to the resampler's ripple."""
_FADE_IN_S: Final = 6.0
_FADE_OUT_S: Final = 9.0


class RenderError(StillroomError):
    """Pieces could not be rendered; the text says which and why. Those made are kept."""

    def __init__(self, message: str, made: tuple[Track, ...]) -> None:
        super().__init__(message)
        self.made = made


class Sidecar(Frozen):
    """What stands beside a rendered piece."""

    synth_version: int
    piece: str
    size_bytes: int
    length_ms: int
    track: Track


def render_library(
    folder: Path,
    pools: Collection[str] | None = None,
    progress: Progress | None = None,
    workers: int | None = None,
    *,
    longest_s: float | None = None,
    unbroken: bool = True,
) -> tuple[Track, ...]:
    """Render every piece of these pools (None: all) that is not there yet; return all their tracks.

    ``unbroken=False`` leaves out the half-hour pieces, for a quick first start. ``longest_s`` cuts every
    piece short, for tests. ``workers`` None: one for each core; 0: in this process.

    Raises:
        RenderError: the folder cannot be written, or the disk is full.
    """
    wanted = [
        recipe
        for recipe in RECIPES.values()
        if (pools is None or recipe.pool in pools) and (unbroken or not recipe.unbroken)
    ]
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RenderError(f"{folder}: cannot be made: {error.strerror or error}", ()) from error
    tracks = {
        recipe.piece: track for recipe in wanted if (track := load_piece(folder, recipe.piece, longest_s))
    }
    missing = [recipe.piece for recipe in wanted if recipe.piece not in tracks]
    # The longest first: the last worker to finish then has little left to do.
    missing.sort(key=lambda piece: -RECIPES[piece].minutes)
    tell = progress or (lambda _done, _total, _name: None)
    tell(len(tracks), len(wanted), "")
    faults: list[str] = []
    for piece, made in _render_each(folder, missing, longest_s, workers):
        if isinstance(made, Track):
            tracks[piece] = made
            tell(len(tracks), len(wanted), made.name)
        else:
            faults.append(made)
    found = tuple(tracks[recipe.piece] for recipe in wanted if recipe.piece in tracks)
    if faults:
        more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
        raise RenderError(f"{faults[0]}{more}", found)
    return found


def _render_each(
    folder: Path, pieces: list[str], longest_s: float | None, workers: int | None
) -> Iterator[tuple[str, Track | str]]:
    count = min(os.cpu_count() or 1, len(pieces)) if workers is None else workers
    if count <= 0:
        for piece in pieces:
            yield piece, render_piece(folder, piece, longest_s)
        return
    with ProcessPoolExecutor(count, mp_context=get_context("spawn")) as pool:
        running: dict[Future[Track | str], str] = {
            pool.submit(render_piece, folder, piece, longest_s): piece for piece in pieces
        }
        while running:
            done, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                piece = running.pop(future)
                try:
                    yield piece, future.result()
                except BrokenProcessPool:
                    yield piece, f"{piece}: the process that made it was ended (out of memory?)"


def flac_path(folder: Path, piece: str) -> Path:
    """Return where a piece's file is, or will be."""
    return folder / f"{piece}.flac"


def load_piece(folder: Path, piece: str, longest_s: float | None = None) -> Track | None:
    """Return a rendered piece's track, or None where it is missing, cut short, or of another version."""
    path = flac_path(folder, piece)
    try:
        sidecar = Sidecar.model_validate_json(path.with_suffix(".json").read_bytes())
        size = path.stat().st_size
    except (OSError, ValidationError, ValueError):
        return None
    recipe = RECIPES.get(piece)
    if recipe is None or sidecar.synth_version != SYNTH_VERSION or sidecar.size_bytes != size:
        return None
    if sidecar.length_ms != _length_ms(recipe, longest_s):
        return None
    return sidecar.track.model_copy(update={"path": str(path)})


def load_rendered(folder: Path) -> tuple[Track, ...]:
    """Return every piece that is there, in the recipes' order."""
    return tuple(track for piece in RECIPES if (track := load_piece(folder, piece)))


def _length_ms(recipe: Recipe, longest_s: float | None) -> int:
    seconds = recipe.minutes * 60.0
    seconds = seconds if longest_s is None else min(seconds, longest_s)
    return -(-round(seconds * 1000) // 10) * 10


def render_piece(folder: Path, piece: str, longest_s: float | None = None) -> Track | str:
    """Make one piece. Returns its track, or one line saying why not; leaves no half-made file."""
    recipe = RECIPES[piece]
    path = flac_path(folder, piece)
    raw, flac, notes = (path.with_suffix(f".{os.getpid()}.{kind}") for kind in ("raw", "part", "note"))
    try:
        loudness, peak = _measure_to_raw(recipe, raw, longest_s)
        gain_db = min(TARGET_LUFS - loudness.integrated_lufs, PEAK_DBTP - peak)
        _write_flac(raw, flac, gain_from_db(gain_db), recipe.seed)
        track = _track_of(recipe, path, flac, loudness, gain_db, peak, longest_s)
        sidecar = Sidecar(
            synth_version=SYNTH_VERSION,
            piece=piece,
            size_bytes=flac.stat().st_size,
            length_ms=track.length_ms,
            track=track,
        )
        notes.write_text(sidecar.model_dump_json(indent=1), encoding="utf-8")
        flac.replace(path)
        notes.replace(path.with_suffix(".json"))
    except OSError as error:
        return f"{path}: cannot be written: {error.strerror or error}"
    except AudioFileError as error:
        return str(error)
    finally:
        for left in (raw, flac, notes):
            with suppress(OSError):
                left.unlink(missing_ok=True)
    return track


def _measure_to_raw(recipe: Recipe, raw: Path, longest_s: float | None) -> tuple[Loudness, float]:
    """Mix to a raw file; return its loudness and its true peak in dBTP."""
    length_s = _length_ms(recipe, longest_s) / 1000.0
    meter = LoudnessMeter(RATE_HZ, 2, true_peak=False)
    peak_blocks: list[tuple[float, NDArray[np.float32]]] = []
    with raw.open("wb") as file:
        for block in mix(
            voices_of(recipe, length_s),
            length_s,
            min(_FADE_IN_S, length_s / 4),
            min(_FADE_OUT_S, length_s / 3),
        ):
            meter.add(block)
            peak_blocks.append((float(np.abs(block).max()), block))
            # Without high treble a true peak lies just over a sample peak: the highest few blocks hold it.
            peak_blocks.sort(key=lambda pair: -pair[0])
            del peak_blocks[8:]
            block.tofile(file)
    fine = LoudnessMeter(RATE_HZ, 2)
    for _, block in peak_blocks:
        fine.add(block)
    return meter.result(), fine.result().true_peak_dbtp


def _write_flac(raw: Path, flac: Path, gain: float, seed: int) -> None:
    writer = FlacWriter(flac, seed)
    try:
        with raw.open("rb") as file:
            while (flat := np.fromfile(file, dtype=np.float32, count=BLOCK_FRAMES * 2)).size:
                writer.write(flat.reshape(-1, 2) * np.float32(gain))
    finally:
        writer.close()


def _track_of(
    recipe: Recipe,
    path: Path,
    flac: Path,
    loudness: Loudness,
    gain_db: float,
    peak: float,
    longest_s: float | None,
) -> Track:
    return Track(
        track_id=content_hash(flac),
        path=str(path),
        length_ms=_length_ms(recipe, longest_s),
        rate_hz=RATE_HZ,
        channels=2,
        integrated_lufs=round(loudness.integrated_lufs + gain_db, 2),
        range_lu=round(loudness.range_lu, 2),
        short_term_max_lufs=round(loudness.short_term_max_lufs + gain_db, 2),
        true_peak_dbtp=round(peak + gain_db, 2),
        energy=recipe.energy,
        title=recipe.title,
        has_words=False,
        generated=True,
    )
