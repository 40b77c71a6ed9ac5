"""Made-up tracks and sounds for the playlists' tests."""

from pathlib import Path

import numpy as np
import soundfile as sf
from numpy.typing import NDArray

from playlists.models import Track

RATE = 48_000


def make_track(
    name: str,
    seconds: float = 300.0,
    *,
    energy: float = 0.3,
    artist: str = "",
    has_words: bool | None = False,
    lufs: float = -20.0,
    peak: float = -6.0,
    generated: bool = False,
    short_term: float | None = None,
) -> Track:
    """A track that no file stands behind."""
    return Track(
        track_id=name,
        path=f"/music/{name}.flac",
        length_ms=int(seconds * 1000),
        rate_hz=RATE,
        channels=2,
        integrated_lufs=lufs,
        range_lu=5.0,
        short_term_max_lufs=lufs + 3.0 if short_term is None else short_term,
        true_peak_dbtp=peak,
        energy=energy,
        title=name.title(),
        artist=artist,
        has_words=has_words,
        generated=generated,
    )


def tone(seconds: float, hz: float = 440.0, gain: float = 0.1, rate: int = RATE) -> NDArray[np.float32]:
    """A stereo sine with soft ends."""
    at = np.arange(int(seconds * rate)) / rate
    edge = np.clip(np.minimum(at, seconds - at) / 0.05, 0.0, 1.0)
    mono = (gain * np.sin(2 * np.pi * hz * at) * edge).astype(np.float32)
    return np.stack((mono, mono), axis=1)


def write_tone(path: Path, seconds: float = 4.0, hz: float = 440.0, gain: float = 0.1) -> Path:
    """A small audio file; its kind by its name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    sf.write(str(path), tone(seconds, hz, gain), RATE)
    return path
