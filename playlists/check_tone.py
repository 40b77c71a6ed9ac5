"""The room check's tone: a soft chord that swells and fades, so that nobody is startled by a check.

Three notes an octave and a fifth apart, 3 s, at -33 LUFS; the player's own ceilings hold for it as for a
prompt. It must never begin or end suddenly.
"""

from pathlib import Path
from typing import Final

import numpy as np
import soundfile
from numpy.typing import NDArray

from playlists.audio_files import AudioFileError
from playlists.loudness import LoudnessMeter

RATE_HZ: Final = 48_000
TONE_LUFS: Final = -33.0
TONE_S: Final = 3
_NOTES_HZ: Final = (220.0, 330.0, 440.0)
_SWELL_S: Final = 0.9


def render_tone(path: Path) -> Path:
    """Write the tone as FLAC, unless it is there; return its path.

    Raises:
        AudioFileError: it cannot be written.
    """
    if path.is_file():
        return path
    beside = path.with_suffix(".partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(beside, tone(), RATE_HZ, subtype="PCM_16", format="FLAC")
        beside.replace(path)
    except (OSError, soundfile.LibsndfileError) as error:
        raise AudioFileError(f"{path}: cannot be written: {error}") from None
    return path


def tone() -> NDArray[np.float32]:
    """Return the tone, float32 (frames, 2)."""
    seconds = np.arange(TONE_S * RATE_HZ) / RATE_HZ
    chord = sum(np.sin(2.0 * np.pi * hertz * seconds) / (n + 1) for n, hertz in enumerate(_NOTES_HZ))
    edge = round(_SWELL_S * RATE_HZ)
    ramp = np.sin(np.linspace(0.0, np.pi / 2.0, edge)) ** 2
    sound = np.stack([chord, chord], axis=1)
    sound[:edge] *= ramp[:, None]
    sound[-edge:] *= ramp[::-1, None]
    meter = LoudnessMeter(RATE_HZ, 2, true_peak=False)
    meter.add(sound.astype(np.float32))
    sound *= 10.0 ** ((TONE_LUFS - meter.result().integrated_lufs) / 20.0)
    result: NDArray[np.float32] = sound.astype(np.float32)
    return result
