"""The sound that a room's loudspeakers are measured with: pink noise from 500 Hz to 2 kHz.

The band is the one used to line up monitors (SMPTE RP 155 and ATSC A/85 measure with it): a room's resonances
below and a loudspeaker's beam above do not disturb the reading, and in it the meter's A weighting and the
loudness meter's K weighting agree within a decibel. Both loudspeakers play it, each with noise of its own, as
music would. It must never begin or end suddenly.
"""

from pathlib import Path
from typing import Final

import numpy as np
import soundfile
from numpy.typing import NDArray

from playlists.audio_files import AudioFileError
from playlists.loudness import LoudnessMeter

RATE_HZ: Final = 48_000
LOWEST_HZ: Final = 500.0
HIGHEST_HZ: Final = 2_000.0
NOISE_LUFS: Final = -23.0
LOOP_S: Final = 30
_EDGE_S: Final = 2.0
_SEED: Final = 20_155


def render_noise(path: Path, seconds: int = LOOP_S) -> Path:
    """Write the noise, FLAC, 48 kHz stereo at -23 LUFS; return its path.

    Raises:
        AudioFileError: it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, band_noise(seconds), RATE_HZ, subtype="PCM_24", format="FLAC")
    except (OSError, soundfile.LibsndfileError) as error:
        raise AudioFileError(f"{path}: cannot be written: {error}") from None
    return path


def band_noise(seconds: int = LOOP_S) -> NDArray[np.float32]:
    """Return the noise, float32 (frames, 2), at -23 LUFS; the same samples every time."""
    frames = seconds * RATE_HZ
    rng = np.random.Generator(np.random.PCG64(_SEED))
    hertz = np.fft.rfftfreq(frames, 1 / RATE_HZ)
    inside = (hertz >= LOWEST_HZ) & (hertz <= HIGHEST_HZ)
    weight = np.where(inside, 1.0 / np.sqrt(np.maximum(hertz, 1.0)), 0.0)
    turns = rng.uniform(0.0, 2.0 * np.pi, (2, len(hertz)))
    sound = np.fft.irfft(weight * np.exp(1j * turns), frames).T
    edge = round(_EDGE_S * RATE_HZ)
    ramp = (np.sin(np.linspace(0.0, np.pi / 2, edge)) ** 2)[:, None]
    sound /= np.abs(sound).max()
    meter = LoudnessMeter(RATE_HZ, 2, true_peak=False)
    meter.add(sound.astype(np.float32))
    sound *= 10.0 ** ((NOISE_LUFS - meter.result().integrated_lufs) / 20.0)
    sound[:edge] *= ramp
    sound[-edge:] *= ramp[::-1]
    result: NDArray[np.float32] = sound.astype(np.float32)
    return result
