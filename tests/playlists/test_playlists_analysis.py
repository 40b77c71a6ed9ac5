"""Analysis: right against ffmpeg, and a bad file is an answer, never a crash."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from playlists_fixtures import RATE, tone, write_tone

from playlists.analysis import EdgeMeter, measure_file, measure_files, try_measure
from playlists.audio_files import AudioFileError, open_audio
from playlists.energy import EnergyMeter
from playlists.loudness import LoudnessMeter
from playlists.models import Track
from playlists.synth.layers import voices_of
from playlists.synth.mixing import mix
from playlists.synth.recipes import RECIPES

FFMPEG = shutil.which("ffmpeg")


def music(seconds: float, rate: int, channels: int, gain: float) -> np.ndarray:
    """Something between music and noise, with loud and soft parts."""
    rng = np.random.Generator(np.random.PCG64(channels * rate))
    at = np.arange(int(seconds * rate)) / rate
    swell = 0.2 + 0.8 * np.sin(np.pi * at / seconds) ** 2
    chord = sum(np.sin(2 * np.pi * hz * at + n) for n, hz in enumerate((110.0, 277.2, 659.3, 1480.0)))
    sides = [gain * swell * (0.2 * chord + 0.05 * rng.standard_normal(at.size)) for _ in range(channels)]
    return np.stack(sides, axis=1).astype(np.float32)


def ask_ffmpeg(path: Path) -> tuple[float, float, float]:
    """Return ffmpeg's integrated loudness, range and true peak."""
    assert FFMPEG is not None
    command = [
        FFMPEG,
        "-hide_banner",
        "-nostats",
        "-i",
        str(path),
        "-filter_complex",
        "ebur128=peak=true",
        "-f",
        "null",
        "-",
    ]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stderr.split("Summary:")[-1]
    found = [re.search(rf"{key}:\s+(-?[\d.]+)", text) for key in ("I", "LRA", "Peak")]
    values = [float(match.group(1)) for match in found if match is not None]
    return values[0], values[1], values[2]


@pytest.mark.skipif(FFMPEG is None, reason="ffmpeg is the oracle")
@pytest.mark.parametrize(
    ("name", "rate", "channels", "gain"),
    [
        ("a.flac", 48_000, 2, 0.3),
        ("b.wav", 44_100, 2, 1.0),
        ("c.ogg", 44_100, 1, 0.1),
        ("d.wav", 8_000, 1, 0.05),
        ("e.mp3", 48_000, 2, 0.5),
    ],
)
def test_loudness_agrees_with_ffmpeg(
    tmp_path: Path, name: str, rate: int, channels: int, gain: float
) -> None:
    path = tmp_path / name
    sf.write(str(path), music(12.0, rate, channels, gain), rate)
    integrated, range_lu, peak = ask_ffmpeg(path)
    track = measure_file(path)
    assert track.integrated_lufs == pytest.approx(integrated, abs=0.1)
    assert track.range_lu == pytest.approx(range_lu, abs=1.6)  # over 12 s the windows' places tell
    assert track.true_peak_dbtp == pytest.approx(peak, abs=0.4)


@pytest.mark.parametrize("maker", ["libsndfile", "ffmpeg"])
def test_an_mp3_measures_as_the_flac_of_the_same_sound(tmp_path: Path, maker: str) -> None:
    if maker == "ffmpeg" and FFMPEG is None:
        pytest.skip("ffmpeg makes the file")
    sound = music(20.0, RATE, 2, 0.4)
    flac, mp3 = tmp_path / "sound.flac", tmp_path / "sound.mp3"
    sf.write(flac, sound, RATE)
    if maker == "ffmpeg":
        quietly = [str(FFMPEG), "-v", "error", "-i", str(flac), "-q:a", "2", str(mp3)]
        subprocess.run(quietly, check=True)
    else:
        sf.write(mp3, sound, RATE)
    one, other = measure_file(flac), measure_file(mp3)
    assert other.integrated_lufs == pytest.approx(one.integrated_lufs, abs=0.2)
    assert other.range_lu == pytest.approx(one.range_lu, abs=0.3)
    assert other.length_ms == pytest.approx(one.length_ms, abs=120)


def test_an_mp3_read_in_blocks_is_the_mp3_read_whole(tmp_path: Path) -> None:
    at = np.arange(20 * RATE) / RATE
    sweep = 0.4 * np.sin(2 * np.pi * (200 + 20 * at) * at)
    path = tmp_path / "sweep.mp3"
    sf.write(path, np.stack([sweep, sweep], axis=1), RATE)
    whole = sf.read(path, dtype="float32", always_2d=True)[0]
    with open_audio(path) as audio:
        assert np.array_equal(np.concatenate(list(audio.blocks)), whole)


def test_block_lengths_change_nothing() -> None:
    sound = music(9.0, RATE, 2, 0.3)
    meters = []
    for block in (480, 48_001, 400_000):
        meter, energy = LoudnessMeter(RATE, 2), EnergyMeter(RATE)
        for at in range(0, sound.shape[0], block):
            meter.add(sound[at : at + block])
            energy.add(sound[at : at + block])
        meters.append(meter.result())
        assert energy.result() == pytest.approx(0.3, abs=0.3)
    assert meters[0] == meters[1] == meters[2]


def test_opus_and_tags_are_read(tmp_path: Path) -> None:
    path = tmp_path / "song.ogg"
    sf.write(str(path), tone(3.0), RATE, format="OGG", subtype="OPUS")
    track = measure_file(path)
    assert (track.rate_hz, track.channels, track.length_ms) == (48_000, 2, 3000)
    assert track.title == ""
    assert track.name == "song"
    with sf.SoundFile(str(tmp_path / "tagged.flac"), "w", RATE, 2) as file:
        file.title, file.artist = "  Evening\n", "Ada"
        file.write(tone(2.0))
    tagged = measure_file(tmp_path / "tagged.flac")
    assert (tagged.title, tagged.artist) == ("Evening", "Ada")


def test_aac_is_read_by_pyav(tmp_path: Path) -> None:
    pytest.importorskip("av")
    if FFMPEG is None:
        pytest.skip("ffmpeg makes the file")
    wav, path = tmp_path / "a.wav", tmp_path / "a.m4a"
    sf.write(str(wav), music(8.0, 44_100, 2, 0.4), 44_100)
    subprocess.run([FFMPEG, "-loglevel", "error", "-i", str(wav), "-b:a", "192k", str(path)], check=True)
    track = measure_file(path)
    assert (track.rate_hz, track.channels) == (44_100, 2)
    assert track.integrated_lufs == pytest.approx(ask_ffmpeg(path)[0], abs=0.1)
    assert track.length_ms == pytest.approx(8000, abs=100)
    path.write_bytes(b"text, not sound")
    assert "no audio that can be read" in str(try_measure(path))


def test_silent_edges_are_found_to_ten_ms() -> None:
    meter = EdgeMeter(RATE)
    silence = np.full((RATE, 2), 0.0009, dtype=np.float32)
    sound = np.full((RATE * 2, 2), 0.1, dtype=np.float32)
    for block in np.array_split(np.concatenate((silence, silence[: RATE // 2], sound, silence)), 7):
        meter.add(block)
    assert meter.result() == (4500, 1500, 1000)


def test_energy_orders_sounds_as_an_ear_would() -> None:
    def energy_of(name: str) -> float:
        meter = EnergyMeter(RATE)
        for block in mix(voices_of(RECIPES[name], 24.0), 24.0, 4.0, 4.0):
            meter.add(block)
        return meter.result()

    drone, plucked, drums = energy_of("drone-1"), energy_of("playful-1"), energy_of("drumming-1")
    assert drone < plucked < drums
    assert drone < 0.1
    assert drums > 0.5


def test_energy_does_not_hear_loudness() -> None:
    sound = music(10.0, RATE, 2, 0.5)
    results = []
    for gain in (0.02, 1.0):
        meter = EnergyMeter(RATE)
        meter.add(sound * np.float32(gain))
        results.append(meter.result())
    assert results[0] == pytest.approx(results[1], abs=0.02)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("text.flac", b"This is text.", "no audio that can be read"),
        ("empty.mp3", b"", "no audio that can be read"),
        ("gone.ogg", None, "cannot be read"),
    ],
)
def test_a_broken_file_is_one_line(tmp_path: Path, name: str, content: bytes | None, said: str) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    result = try_measure(path)
    assert isinstance(result, str)
    assert said in result
    assert "\n" not in result
    assert str(tmp_path) not in result


def test_silence_and_scraps_are_no_tracks(tmp_path: Path) -> None:
    sf.write(str(tmp_path / "still.wav"), np.zeros((RATE * 3, 2)), RATE)
    assert "is silent" in str(try_measure(tmp_path / "still.wav"))
    assert "less than a second" in str(try_measure(write_tone(tmp_path / "scrap.wav", 0.5)))


def test_a_truncated_file_is_measured_or_refused_but_never_crashes(tmp_path: Path) -> None:
    for name in ("cut.flac", "cut.ogg", "cut.wav", "cut.mp3"):
        path = write_tone(tmp_path / name, 8.0)
        whole = path.read_bytes()
        for share in (0.01, 0.3, 0.7):
            path.write_bytes(whole[: int(len(whole) * share)])
            result = try_measure(path)
            assert isinstance(result, str) or (isinstance(result, Track) and result.length_ms <= 8100)


def test_many_files_on_all_cores_come_back_each_once(tmp_path: Path) -> None:
    paths = [write_tone(tmp_path / f"{n}.wav", 1.2, 200.0 + n) for n in range(9)]
    paths.append(tmp_path / "missing.wav")
    results = dict(measure_files(paths, 2))
    assert set(results) == set(paths)
    assert isinstance(results[tmp_path / "missing.wav"], str)
    assert len({track.track_id for track in results.values() if isinstance(track, Track)}) == 9


def test_the_hash_is_of_the_whole_content(tmp_path: Path) -> None:
    one, two = write_tone(tmp_path / "1.wav", 2.0), write_tone(tmp_path / "2.wav", 2.0)
    assert measure_file(one).track_id == measure_file(two).track_id
    data = bytearray(two.read_bytes())
    data[-3] ^= 1
    two.write_bytes(data)
    assert measure_file(one).track_id != measure_file(two).track_id


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_forbidden_file_is_one_line(tmp_path: Path) -> None:
    path = write_tone(tmp_path / "a.wav")
    path.chmod(0)
    with pytest.raises(AudioFileError, match="cannot be read"):
        measure_file(path)
