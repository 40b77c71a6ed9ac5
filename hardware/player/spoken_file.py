"""A spoken recording, made ready to be played: even loudness, soft edges, 48 kHz. One file in, one file out.

It must never make a recording louder than its peaks allow.
"""

from pathlib import Path
from typing import Final

import numpy as np
import soundfile

from hardware.player.loudness import NOTHING_LUFS, integrated_lufs
from hardware.player.prompter import Recording
from hardware.player.sources import SourceError
from hardware.player.units import RATE, Block

TARGET_LUFS: Final = -23.0
MOST_PEAK: Final = 10.0 ** (-3.0 / 20.0)
EDGE_FRAMES: Final = RATE // 25
"""40 ms in and out."""
LEAD_FRAMES: Final = RATE * 3 // 10
"""Quiet before and after, so that the words stand alone."""
QUIET: Final = 10.0 ** (-50.0 / 20.0)
PATIENCE_S: Final = 20.0


def finish_recording(raw: Path, out: Path) -> str | None:
    """Write ``raw`` to ``out`` near -23 LUFS with soft edges; returns what is wrong with it, or None.

    Raises:
        OSError: ``out`` cannot be written.
    """
    try:
        sound = _read(raw)
    except SourceError as error:
        return error.reason
    heard = np.flatnonzero(np.abs(sound).max(axis=1) > QUIET)
    if len(heard) == 0:
        return "there is nothing to hear in it"
    sound = sound[max(heard[0] - EDGE_FRAMES, 0) : heard[-1] + 1 + EDGE_FRAMES]
    loudness = integrated_lufs(sound)
    if loudness <= NOTHING_LUFS:
        return "it is too short or too quiet to be measured"
    gain = min(10.0 ** ((TARGET_LUFS - loudness) / 20.0), MOST_PEAK / float(np.abs(sound).max()))
    sound = sound * np.float32(gain)
    edge = min(EDGE_FRAMES, len(sound) // 2)
    ramp = (np.sin(np.linspace(0.0, np.pi / 2, edge, dtype=np.float32)) ** 2)[:, None]
    sound[:edge] *= ramp
    sound[len(sound) - edge :] *= ramp[::-1]
    quiet = np.zeros((LEAD_FRAMES, sound.shape[1]), dtype=np.float32)
    try:
        soundfile.write(out, np.concatenate((quiet, sound, quiet)), RATE, subtype="PCM_16", format="WAV")
    except soundfile.LibsndfileError as error:
        raise OSError(f"cannot be written: {error}") from None
    return None


def _read(path: Path) -> Block:
    recording = Recording(str(path))
    if not recording.loaded.wait(PATIENCE_S):
        raise SourceError(str(path), "it cannot be read in time")
    if recording.sound is None:
        raise SourceError(str(path), recording.error or "there is no sound in it")
    return recording.sound
