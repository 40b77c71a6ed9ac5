"""The user's music: added once, never measured twice, sound in the face of bad files and a full disk."""

from pathlib import Path

import pytest
from playlists_fixtures import make_track, write_tone

from controller.errors import UserError
from playlists.music_library import (
    LibraryReport,
    add_folder,
    analyse,
    check,
    find_music,
    list_tracks,
    load_pools,
)
from playlists.store import STORE_NAME, StoreError, TrackStore


@pytest.fixture
def music(tmp_path: Path) -> Path:
    folder = tmp_path / "My Music!"
    for number, name in enumerate(("a.flac", "deep/b.ogg", "c.wav")):
        write_tone(folder / name, 1.5, 200.0 + 100 * number, 0.1 * (number + 1))
    (folder / ".hidden").mkdir()
    write_tone(folder / ".hidden" / "x.wav", 1.5)
    (folder / "broken.mp3").write_text("not sound")
    (folder / "cover.jpg").write_bytes(b"x")
    return folder


def add(folder: Path, data: Path) -> LibraryReport:
    return add_folder(folder, data, workers=0)


def test_adding_a_folder_measures_writes_a_pool_and_says_what_is_wrong(music: Path, tmp_path: Path) -> None:
    told: list[tuple[int, int, str]] = []
    report = add_folder(music, tmp_path / "data", lambda d, t, n: told.append((d, t, n)), workers=0)
    assert [Path(track.path).name for track in report.tracks] == ["a.flac", "c.wav", "b.ogg"]
    assert report.measured == 4
    assert told[-1][:2] == (4, 4)
    assert ["broken.mp3" in str(problem) for problem in report.problems] == [True]
    assert report.pool_file == music / "pool.yaml"
    pools = load_pools(tmp_path / "data")
    mine = pools.get("my-music")
    assert mine is not None
    assert len(mine.tracks) == 3
    assert all(track.has_words is False for track in mine.tracks)
    assert [track.track_id for track in list_tracks(tmp_path / "data")] == [
        track.track_id for track in report.tracks
    ]
    assert "broken.mp3" in "\n".join(str(problem) for problem in check(tmp_path / "data"))


def test_nothing_is_measured_twice_not_even_moved(music: Path, tmp_path: Path) -> None:
    first = add(music, tmp_path / "data")
    assert add(music, tmp_path / "data").measured == 0
    (music / "a.flac").rename(music / "renamed.flac")
    moved = add(music, tmp_path / "data")
    assert moved.measured == 0
    assert {track.track_id for track in moved.tracks} == {track.track_id for track in first.tracks}
    assert "renamed.flac" in {Path(track.path).name for track in moved.tracks}
    write_tone(music / "c.wav", 1.7)
    assert analyse(tmp_path / "data", workers=0).measured == 1
    assert analyse(tmp_path / "data", workers=0, again=True).measured == 4


def test_stopped_half_way_it_goes_on_where_it_was(music: Path, tmp_path: Path) -> None:
    def stop(done: int, _total: int, _name: str) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        add_folder(music, tmp_path / "data", stop, workers=0)
    assert add(music, tmp_path / "data").measured == 2


def test_a_folder_that_is_not_there_is_the_users_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no such folder"):
        add(tmp_path / "absent", tmp_path / "data")
    (tmp_path / "empty").mkdir()
    report = add(tmp_path / "empty", tmp_path / "data")
    assert "holds no music" in str(report.problems[0])
    assert report.pool_file is None


def test_a_pool_file_that_is_there_is_left_alone(music: Path, tmp_path: Path) -> None:
    (music / "calm.pool.yaml").write_text("{pool: calm, title: C, mood: calm, files: ['*.flac']}")
    assert add(music, tmp_path / "data").pool_file is None
    calm = load_pools(tmp_path / "data").get("calm")
    assert calm is not None
    assert [Path(track.path).name for track in calm.tracks] == ["a.flac"]


def test_a_full_disk_costs_the_keeping_not_the_measuring(
    music: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = tmp_path / "data"
    TrackStore(data).close()
    pages = (data / STORE_NAME).stat().st_size // 4096

    class FullStore(TrackStore):
        def __init__(self, folder: Path) -> None:
            super().__init__(folder, max_pages=pages)
            # What room is left in the last page is used up, as on a disk that was full already.
            for number in range(1000):
                try:
                    self.put(music / "a.flac", make_track(f"filler-{number}"))
                except StoreError:
                    break

    monkeypatch.setattr("playlists.music_library.TrackStore", FullStore)
    report = analyse(data, folders=(music,), workers=0)
    assert len(report.tracks) == 3
    said = [str(problem) for problem in report.problems]
    assert len([line for line in said if "cannot be kept" in line]) == 1
    assert any("full" in line for line in said)


def test_a_store_that_cannot_be_opened_is_the_users_error(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / STORE_NAME).write_bytes(b"no database at all" * 300)
    with pytest.raises(UserError, match=STORE_NAME):
        analyse(tmp_path / "data", workers=0)
    (tmp_path / "file").write_text("x")
    with pytest.raises(UserError, match="cannot be made"):
        list_tracks(tmp_path / "file")


def test_a_thousand_known_tracks_are_looked_up_at_once(tmp_path: Path) -> None:
    one = write_tone(tmp_path / "music" / "0.wav", 1.2)
    assert add(tmp_path / "music", tmp_path / "data").measured == 1
    for number in range(1, 1000):
        (tmp_path / "music" / f"{number}.wav").hardlink_to(one)
    told: list[int] = []
    report = add_folder(tmp_path / "music", tmp_path / "data", lambda d, _t, _n: told.append(d), workers=0)
    assert len(report.tracks) == 1000
    assert report.measured == 0
    assert len({track.track_id for track in report.tracks}) == 1
    assert len(find_music(tmp_path / "music")) == 1000
    again = add(tmp_path / "music", tmp_path / "data")
    assert again.measured == 0
    assert told[-1] == 1000
