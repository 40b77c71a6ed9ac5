"""The calibration noise: in its band, at its loudness, pink, soft at both ends."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from playlists.audio_files import AudioFileError
from playlists.calibration_noise import HIGHEST_HZ, LOWEST_HZ, NOISE_LUFS, RATE_HZ, band_noise, render_noise
from playlists.loudness import LoudnessMeter


def test_the_noise_is_pink_in_its_band_and_nothing_beside_it(tmp_path: Path) -> None:
    sound, rate = soundfile.read(render_noise(tmp_path / "noise.flac", 10), dtype="float32")
    assert (rate, sound.shape) == (RATE_HZ, (10 * RATE_HZ, 2))
    meter = LoudnessMeter(RATE_HZ, 2)
    meter.add(sound[2 * RATE_HZ : 8 * RATE_HZ])
    assert meter.result().integrated_lufs == pytest.approx(NOISE_LUFS, abs=0.2)
    assert meter.result().true_peak_dbtp < -6.0
    power = np.abs(np.fft.rfft(sound[2 * RATE_HZ : 8 * RATE_HZ, 0] * np.hanning(6 * RATE_HZ))) ** 2
    hertz = np.fft.rfftfreq(6 * RATE_HZ, 1 / RATE_HZ)
    inside = (hertz > LOWEST_HZ - 5) & (hertz < HIGHEST_HZ + 5)
    assert power[~inside].sum() / power.sum() < 1e-4
    low = power[(hertz >= 500) & (hertz < 1000)].sum()
    high = power[(hertz >= 1000) & (hertz < 2000)].sum()
    assert 10 * np.log10(low / high) == pytest.approx(0.0, abs=0.7), "as much in each octave"
    assert np.abs(sound[:480]).max() < 1e-3
    assert np.abs(sound[-480:]).max() < 1e-3
    assert abs(np.corrcoef(sound[:, 0], sound[:, 1])[0, 1]) < 0.1, "each loudspeaker has noise of its own"


def test_the_noise_is_the_same_every_time() -> None:
    assert np.array_equal(band_noise(3), band_noise(3))


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(AudioFileError, match="cannot be written"):
        render_noise(tmp_path / "file" / "noise.flac", 5)
