"""Reading files for the room check: what is missing, cut or no sound is found; the tone is gentle."""

from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from playlists.check_tone import RATE_HZ, TONE_LUFS, render_tone, tone
from playlists.file_check import read_files
from playlists.loudness import LoudnessMeter
from playlists.models import Track


def track(path: Path, seconds: float = 20.0) -> Track:
    return Track(
        track_id=path.stem,
        path=str(path),
        length_ms=round(seconds * 1000),
        rate_hz=48_000,
        channels=2,
        integrated_lufs=-23.0,
        range_lu=3.0,
        short_term_max_lufs=-20.0,
        true_peak_dbtp=-3.0,
    )


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    sound = 0.1 * np.sin(np.arange(20 * 48_000) / 60)
    paths = [tmp_path / f"{n}.{kind}" for n, kind in enumerate(("flac", "wav", "ogg"))]
    for path in paths:
        sf.write(path, np.stack([sound, sound], axis=1), 48_000)
    return paths


def test_whole_files_are_read_from_end_to_end(files: list[Path]) -> None:
    read = read_files([track(path) for path in files], lambda: True)
    assert (read.files, read.read_whole, read.problems) == (3, 3, ())


def test_without_time_each_is_read_in_part(files: list[Path]) -> None:
    read = read_files([track(path) for path in files], lambda: False)
    assert (read.files, read.read_whole, read.problems) == (3, 0, ())


def test_what_cannot_be_read_is_named(files: list[Path], tmp_path: Path) -> None:
    files[0].write_bytes(files[0].read_bytes()[:30_000])
    files[1].unlink()
    (tmp_path / "noise.flac").write_bytes(b"no sound at all" * 100)
    tracks = [track(path) for path in (*files, tmp_path / "noise.flac")]
    read = read_files(tracks, lambda: True)
    assert read.read_whole == 1
    assert [problem.split(":")[0] for problem in read.problems] == ["0.flac", "1.wav", "noise.flac"]
    assert "is missing" in read.problems[1]


def test_a_file_that_became_shorter_breaks_off(files: list[Path]) -> None:
    read = read_files([track(files[1], seconds=60)], lambda: True)
    assert "breaks off after 20 s of 60 s" in read.problems[0]
    assert read_files([track(files[1], seconds=60)], lambda: False).problems == ()


def test_the_tone_is_soft_and_never_sudden(tmp_path: Path) -> None:
    sound = tone()
    meter = LoudnessMeter(RATE_HZ, 2, true_peak=False)
    meter.add(sound)
    assert meter.result().integrated_lufs == pytest.approx(TONE_LUFS, abs=1.0)
    assert np.abs(sound).max() < 0.1
    assert np.abs(sound[:48]).max() < 1e-4
    assert np.abs(sound[-48:]).max() < 1e-4
    path = render_tone(tmp_path / "new" / "tone.flac")
    assert sf.info(path).duration == pytest.approx(3.0)
    stamp = path.stat().st_mtime_ns
    assert render_tone(path).stat().st_mtime_ns == stamp
