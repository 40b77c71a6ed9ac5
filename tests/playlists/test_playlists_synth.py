"""The generated pieces: calm by measure (no clicks, soft ends, little treble), and the same every time."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from playlists.audio_files import AudioFileError
from playlists.bed import bed_block, bed_loop, render_bed
from playlists.loudness import LoudnessMeter
from playlists.synth.harmony import PROGRESSIONS, melody_notes
from playlists.synth.layers import voices_of
from playlists.synth.mixing import Voice, mix
from playlists.synth.recipes import RECIPES, pieces_of
from playlists.synth.rendering import RenderError, load_piece, load_rendered, render_library
from playlists.synth.tables import RATE_HZ, Table, Timbre, pad_loop

ONE_OF_EACH = tuple(
    {recipe.pool: recipe.piece for recipe in RECIPES.values() if not recipe.unbroken}.values()
)


def piece_of(name: str, seconds: float) -> Table:
    return np.concatenate(list(mix(voices_of(RECIPES[name], seconds), seconds, seconds / 4, seconds / 3)))


def test_every_recipe_can_be_made_and_names_a_harmony() -> None:
    assert len({recipe.seed for recipe in RECIPES.values()}) == len(RECIPES)
    assert len({recipe.title for recipe in RECIPES.values()}) == len(RECIPES)
    for recipe in RECIPES.values():
        assert recipe.harmony in PROGRESSIONS
        assert recipe.unbroken or 4.0 <= recipe.minutes <= 8.0
        assert len(pieces_of(recipe.pool)) >= 3
    assert any(recipe.unbroken and recipe.minutes >= 30 for recipe in pieces_of("drone"))


@pytest.mark.parametrize("name", ["warm-2", "vast-1", "nature-1", "light-1", "drumming-1", "playful-1"])
def test_a_piece_is_calm_by_measure(name: str) -> None:
    sound = piece_of(name, 14.0)
    assert sound.dtype == np.float32
    assert sound.shape == (14 * RATE_HZ, 2)
    assert np.isfinite(sound).all()
    assert float(np.abs(sound[0]).max()) < 1e-4
    assert float(np.abs(sound[-480:]).max()) < 1e-3
    peak = float(np.abs(sound).max())
    # A click is energy at the very top of the spectrum; nothing of ours reaches there.
    spectrum = np.abs(np.fft.rfft(sound[:, 0])) ** 2
    hz = np.fft.rfftfreq(sound.shape[0], 1 / RATE_HZ)
    assert spectrum[hz > 14_000].sum() < 1e-7 * spectrum.sum()
    assert spectrum[hz > 5_000].sum() < 0.01 * spectrum.sum()
    assert float(np.abs(np.diff(sound, axis=0)).max()) < 0.2 * peak
    # Two loudspeakers, not one; and mono bass.
    assert float(np.corrcoef(sound[:, 0], sound[:, 1])[0, 1]) < 0.97


def test_the_same_recipe_gives_the_same_samples() -> None:
    assert np.array_equal(piece_of("calm-1", 6.0), piece_of("calm-1", 6.0))
    assert not np.array_equal(piece_of("calm-1", 6.0), piece_of("calm-2", 6.0))


def test_blocks_join_without_a_step_wherever_they_are_cut() -> None:
    ramp = np.stack((np.arange(100_000, dtype=np.float32),) * 2, axis=1)
    voice = Voice(ramp, 0.5, 6.0, looped=True, offset_frames=99_000)
    out = np.concatenate(list(mix([voice], 5.0, 1e-6, 1e-6)))
    start = RATE_HZ // 2
    assert out[start, 0] == 99_000
    assert out[start + 1_000, 0] == 0
    steps = np.diff(out[start + 1_000 : start + 100_000, 0])
    assert np.allclose(steps[:-1], 1.0)


def test_crossing_chords_keep_their_power() -> None:
    rng = np.random.Generator(np.random.PCG64(1))
    one, two = (rng.standard_normal((RATE_HZ * 4, 2)).astype(np.float32) for _ in range(2))
    voices = [
        Voice(one, 0.0, 6.0, ((0.0, 1.0), (2.0, 1.0), (6.0, 0.0))),
        Voice(two, 2.0, 8.0, ((2.0, 0.0), (6.0, 1.0), (8.0, 1.0))),
    ]
    out = np.concatenate(list(mix(voices, 8.0, 1e-6, 1e-6)))
    levels = [float(np.sqrt((out[at : at + RATE_HZ] ** 2).mean())) for at in range(0, 7 * RATE_HZ, RATE_HZ)]
    assert max(levels) / min(levels) < 1.02


def test_a_low_note_never_fades_to_nothing_inside_its_loop() -> None:
    rng = np.random.Generator(np.random.PCG64(7))
    loop = pad_loop([(72.0, 1.0)], Timbre(partials=1, cents=7.0), rng)
    levels = np.sqrt((loop[: loop.shape[0] // 4096 * 4096, 0].reshape(-1, 4096) ** 2).mean(axis=1))
    assert float(levels.min()) > 0.25 * float(levels.mean())


def test_melodies_stay_in_the_chord() -> None:
    for chords in PROGRESSIONS.values():
        for chord in chords:
            notes = melody_notes(chord, 4.0)
            assert all(4.0 <= note < 8.0 for note in notes)
            assert all(one < two for one, two in pairwise(notes))


def test_rendering_keeps_level_and_peak_and_reports_progress(tmp_path: Path) -> None:
    told: list[tuple[int, int, str]] = []
    tracks = render_library(
        tmp_path, {"warm"}, lambda done, total, name: told.append((done, total, name)), 0, longest_s=8.0
    )
    assert [track.title for track in tracks] == ["Lamplight", "Wool", "Hearth"]
    assert [(done, total) for done, total, _ in told] == [(0, 3), (1, 3), (2, 3), (3, 3)]
    for track in tracks:
        sound, rate = sf.read(track.path, dtype="float32", always_2d=True)
        assert (rate, sound.shape) == (48_000, (8 * 48_000, 2))
        meter = LoudnessMeter(rate, 2)
        meter.add(sound)
        heard = meter.result()
        assert heard.integrated_lufs == pytest.approx(-23.0, abs=0.1)
        assert heard.true_peak_dbtp < -3.0
        assert track.true_peak_dbtp == pytest.approx(heard.true_peak_dbtp, abs=0.3)
        assert track.integrated_lufs == pytest.approx(heard.integrated_lufs, abs=0.05)
        assert track.gain_db == pytest.approx(0.0, abs=0.05)
        assert track.generated
        assert track.has_words is False
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".flac"] * 3 + [".json"] * 3


def test_rendering_goes_on_where_it_stopped(tmp_path: Path) -> None:
    first = render_library(tmp_path, {"sparse"}, None, 0, longest_s=4.0)
    stamps = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    assert render_library(tmp_path, {"sparse"}, None, 0, longest_s=4.0) == first
    assert {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == stamps
    # Cut short on disk, another version, another length: each is made anew, and only that one.
    whole = (tmp_path / "sparse-1.flac").read_bytes()
    (tmp_path / "sparse-1.flac").write_bytes(whole[:1000])
    notes = tmp_path / "sparse-2.json"
    notes.write_text(notes.read_text().replace('"synth_version": ', '"synth_version": 9'))
    (tmp_path / "sparse-3.json").write_text("{")
    assert load_piece(tmp_path, "sparse-1", 4.0) is None
    assert load_rendered(tmp_path) == ()
    assert render_library(tmp_path, {"sparse"}, None, 0, longest_s=4.0) == first
    assert (tmp_path / "sparse-1.flac").read_bytes() == whole


def test_rendering_in_other_processes_gives_the_same(tmp_path: Path) -> None:
    here = render_library(tmp_path / "a", {"faint"}, None, 0, longest_s=3.0)
    there = render_library(tmp_path / "b", {"faint"}, None, 2, longest_s=3.0)
    assert [track.track_id for track in here] == [track.track_id for track in there]


def test_a_folder_that_cannot_be_written_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(RenderError, match="cannot be made"):
        render_library(tmp_path / "file", {"faint"}, None, 0, longest_s=3.0)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "faint-2.flac").mkdir()
    with pytest.raises(RenderError, match=r"faint-2.flac: cannot be written") as caught:
        render_library(tmp_path / "out", {"faint"}, None, 0, longest_s=3.0)
    assert [track.title for track in caught.value.made] == ["Afterlight", "Far Window"]
    assert not list((tmp_path / "out").glob("*.part"))
    assert not list((tmp_path / "out").glob("*.raw"))


def test_the_half_hour_piece_can_wait(tmp_path: Path) -> None:
    tracks = render_library(tmp_path, {"drone"}, None, 0, longest_s=2.0, unbroken=False)
    assert len(tracks) == 3
    assert len(render_library(tmp_path, {"drone"}, None, 0, longest_s=2.0)) == 4


def test_the_bed_has_no_seam_and_runs_for_ever() -> None:
    loop = bed_loop(4)
    inside = float(np.abs(np.diff(loop, axis=0)).max())
    assert float(np.abs(loop[0] - loop[-1]).max()) <= inside
    second = np.diff(loop, n=2, axis=0)
    around = np.concatenate((loop[-2:], loop[:2]))
    assert float(np.abs(np.diff(around, n=2, axis=0)).max()) <= float(np.abs(second).max())
    assert np.array_equal(bed_block(loop, 10**12 * loop.shape[0] + 5, 7), loop[5:12])
    joined = bed_block(loop, loop.shape[0] - 3, 6)
    assert np.array_equal(joined, np.concatenate((loop[-3:], loop[:3])))
    levels = np.sqrt((loop.reshape(4, -1) ** 2).mean(axis=1))
    assert float(levels.max() / levels.min()) < 2.0


def test_the_bed_is_rendered_once(tmp_path: Path) -> None:
    path = render_bed(tmp_path / "data", 2)
    stamp = path.stat().st_mtime_ns
    assert render_bed(tmp_path / "data", 2) == path
    assert path.stat().st_mtime_ns == stamp
    sound, rate = sf.read(str(path), dtype="float32")
    assert sound.shape == (2 * rate, 2)
    assert float(np.abs(sound).max()) < 0.7
    (tmp_path / "blocked").write_text("in the way")
    with pytest.raises(AudioFileError, match="cannot be written"):
        render_bed(tmp_path / "blocked", 2)
