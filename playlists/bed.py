"""The bed: an endless quiet sound that can never run out. What plays when nothing else can.

Rendered once as a loop of two minutes that is exactly seamless: every part of it is periodic over the
loop, so the last sample runs on into the first. A player needs only the file's path and plays it round and
round without a crossfade; it needs nothing from this package. It must never hold an event that an ear
could recognise when it comes again.
"""

import os
from contextlib import suppress
from pathlib import Path
from typing import Final

import numpy as np

from controller.core.units import gain_from_db
from playlists.audio_files import AudioFileError, FlacWriter
from playlists.audio_names import bed_path
from playlists.loudness import LoudnessMeter
from playlists.models import TARGET_LUFS
from playlists.synth.tables import RATE_HZ, Table, Timbre, noise_loop, pad_loop, scaled, slow_wander

BED_S: Final = 120
BED_PEAK_DBTP: Final = -3.5
_SEED: Final = 90_001


def render_bed(folder: Path, seconds: int = BED_S) -> Path:
    """Render the bed unless it is there; return its path.

    48 kHz stereo FLAC near -23 LUFS, true peak under -3 dBTP, an exact loop.

    Raises:
        AudioFileError: it cannot be written.
    """
    path = bed_path(folder)
    if path.is_file() and path.stat().st_size > 0:
        return path
    part = path.with_suffix(f".{os.getpid()}.part")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        loop = bed_loop(seconds)
        writer = FlacWriter(part, _SEED)
        try:
            for at in range(0, loop.shape[0], RATE_HZ):
                writer.write(loop[at : at + RATE_HZ])
        finally:
            writer.close()
        part.replace(path)
    except OSError as error:
        raise AudioFileError(f"{path}: cannot be written: {error.strerror or error}") from error
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)
    return path


def bed_loop(seconds: int = BED_S) -> Table:
    """Return the whole loop, float32 (frames, 2), at its level."""
    frames = seconds * RATE_HZ
    rng = np.random.Generator(np.random.PCG64(_SEED))
    root_hz = 72.0
    notes = [(root_hz, 1.0), (root_hz * 1.5, 0.55), (root_hz * 2.0, 0.6), (root_hz * 3.0, 0.25)]
    ground = pad_loop(notes, Timbre(partials=7, rolloff=2.0, cents=8.0, bright_hz=900.0), rng, frames)
    upper_notes = [(root_hz * 4.0, 0.6), (root_hz * 4.5, 0.25), (root_hz * 6.0, 0.25)]
    upper = pad_loop(upper_notes, Timbre(partials=3, cents=26.0, bright_hz=1300.0, width=1.0), rng, frames)
    upper *= (0.65 + 0.35 * slow_wander(frames, 0.05, rng))[:, None]
    air = noise_loop(
        lambda hz: np.exp(-0.5 * (np.log2(np.maximum(hz, 1.0) / 380.0) / 0.8) ** 2), 0.95, rng, frames
    )
    air *= (0.7 + 0.3 * slow_wander(frames, 0.1, rng))[:, None]
    loop = scaled(ground + upper * np.float32(0.3) + air * np.float32(0.2))
    meter = LoudnessMeter(RATE_HZ, 2)
    for at in range(0, frames, RATE_HZ):
        meter.add(loop[at : at + RATE_HZ])
    heard = meter.result()
    loop *= np.float32(
        gain_from_db(min(TARGET_LUFS - heard.integrated_lufs, BED_PEAK_DBTP - heard.true_peak_dbtp))
    )
    return loop


def bed_block(loop: Table, frame: int, frames: int) -> Table:
    """Return ``frames`` frames of the endless bed from any frame on: a pure function of the frame number."""
    where = (frame + np.arange(frames)) % loop.shape[0]
    block: Table = loop[where]
    return block
