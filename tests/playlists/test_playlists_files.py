"""Pool files and the catalogue: every fault said with its line, everything else still usable."""

from pathlib import Path
from textwrap import dedent

import pytest
from playlists_fixtures import make_track

from playlists.catalogue import LIBRARY, load_catalogue
from playlists.models import Pool, Track
from playlists.pool_files import parse_pool, read_pool_file
from playlists.synth.recipes import RECIPES, pieces_of


def parse(text: str) -> tuple[Pool | None, list[str]]:
    pool, problems = parse_pool(dedent(text), "pool.yaml")
    return pool, [str(problem) for problem in problems]


def test_a_whole_pool_file_is_read() -> None:
    pool, problems = parse(
        """\
        pool: evening
        title: Evening
        mood: tender
        energy: [0.2, 0.5]
        curve: falling
        words_allowed: true
        files: ["*.flac", "more/**/*.ogg"]
        tracks:
          - {file: one.flac, title: One, artist: Ada, has_words: false, energy: 0.4, gain_db: -2}
        """
    )
    assert problems == []
    assert pool is not None
    assert (pool.energy.low, pool.energy.high) == (0.2, 0.5)
    assert pool.tracks[0].gain_db == -2
    single, _ = parse("{pool: a, title: A, mood: m, energy: 0.3, files: ['*']}")
    assert single is not None
    assert single.energy.low == single.energy.high == 0.3


def test_every_fault_is_named_with_line_key_and_nearest_word() -> None:
    pool, problems = parse(
        """\
        pool: Evening Songs
        titel: Evening
        mood: tender
        energy: [0.6, 0.2]
        curve: upward
        tracks:
          - file: one.flac
            energy: 3
          - file: two.flac
            has_wrods: true
        """
    )
    assert pool is None
    text = "\n".join(problems)
    assert "pool.yaml:1: pool: must be lower-case letters, digits and dashes" in text
    assert "pool.yaml:2: titel: is not known here (did you mean 'title'?)" in text
    assert "pool.yaml:1: title: is missing" in text
    assert "pool.yaml:4: energy: low (0.6) is above high (0.2)" in text
    assert "pool.yaml:5: curve:" in text
    assert "pool.yaml:8: tracks.1.energy:" in text
    assert "pool.yaml:10: tracks.2.has_wrods: is not known here (did you mean 'has_words'?)" in text


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("pool: [a\n", "is not YAML"),
        ("- a\n", "is no pool"),
        ("", "is no pool"),
        ("pool: a\ntitle: A\nmood: m\n", "names no music"),
        ("a: 1\na: 2\n", "is not YAML"),
    ],
)
def test_what_is_no_pool_file_is_said_in_one_line(text: str, said: str) -> None:
    pool, problems = parse(text)
    assert pool is None
    assert len(problems) == 1
    assert said in problems[0]


def test_unreadable_files_are_problems(tmp_path: Path) -> None:
    missing = read_pool_file(tmp_path / "pool.yaml")
    assert missing[0] is None
    assert "cannot be read" in str(missing[1][0])
    (tmp_path / "pool.yaml").write_bytes(b"\xff\xfe\x00pool")
    assert "UTF-8" in str(read_pool_file(tmp_path / "pool.yaml")[1][0])


def rendered() -> list[Track]:
    return [
        make_track(piece, generated=True).model_copy(update={"path": f"/data/{piece}.flac"})
        for piece in RECIPES
    ]


def test_every_shipped_pool_loads_whole() -> None:
    pools = load_catalogue(rendered())
    assert pools.problems == ()
    assert len(pools) == len(list(LIBRARY.glob("*.yaml"))) == 24
    for pool in pools:
        assert len(pool.tracks) == len(pieces_of(pool.pool_id)) >= 3
        for piece in pieces_of(pool.pool_id):
            assert pool.pool.energy.low - 0.05 <= piece.energy <= pool.pool.energy.high + 0.05


def test_every_pool_and_energy_that_shipped_profiles_ask_for_is_there() -> None:
    pools = load_catalogue(rendered())
    asked = 0
    moods = LIBRARY.parent.parent / "profiles" / "library" / "MOODS.md"
    for line in moods.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == 2 and cells[0] not in {"pool", "---"}:
            pool = pools.get(cells[0])
            assert pool is not None, cells[0]
            for number in cells[1].split("(")[0].split(","):
                assert pool.pool.energy.low <= float(number) <= pool.pool.energy.high, cells
                asked += 1
    assert asked > 20


def test_a_folder_of_own_files_works_the_same_and_missing_files_cost_only_themselves(tmp_path: Path) -> None:
    for name in ("one.flac", "two.ogg", "deep/three.mp3", "notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "pool.yaml").write_text(
        "pool: warm\ntitle: Mine\nmood: warm\nfiles: ['**/*', '*.wma']\n"
        "tracks:\n"
        "  - {file: one.flac, title: First, has_words: true, gain_db: -3, energy: 0.9}\n"
        "  - {file: gone.flac}\n"
    )
    known = {tmp_path / "one.flac": make_track("one"), tmp_path / "deep/three.mp3": make_track("three")}
    pools = load_catalogue(rendered(), [tmp_path, tmp_path / "absent"], known.get)
    warm = pools.get("warm")
    assert warm is not None
    assert [track.track_id for track in warm.tracks] == ["one", "three"]
    first = warm.tracks[0]
    assert (first.title, first.has_words, first.extra_gain_db, first.energy) == ("First", True, -3.0, 0.9)
    assert warm.tracks[1].has_words is False
    said = "\n".join(str(problem) for problem in pools.problems)
    assert "gone.flac: is missing" in said
    assert "two.ogg: is not analysed" in said
    assert "'*.wma' finds no music" in said
    assert "absent: the music folder is missing" in said
    assert "notes" not in said
    assert pools.track("three") == warm.tracks[1]
    assert pools.nearest("wram") == "warm"
    assert pools.nearest("zzzz") is None


def test_two_own_pools_with_one_id_are_a_problem(tmp_path: Path) -> None:
    for name in ("a.pool.yaml", "b.pool.yaml"):
        (tmp_path / name).write_text("{pool: mine, title: M, mood: m, files: ['*']}")
    pools = load_catalogue([], [tmp_path], lambda _path: None)
    assert any("is also the id" in str(problem) for problem in pools.problems)


def test_the_gain_brings_a_track_to_the_target_and_never_over_its_peak() -> None:
    assert make_track("t", lufs=-16.0, peak=-0.5).gain_db == -7.0
    assert make_track("t", lufs=-30.0, peak=-12.0).gain_db == 7.0
    assert make_track("t", lufs=-40.0, peak=-6.0).gain_db == 5.0
    mono = make_track("t", lufs=-26.0, peak=-12.0).model_copy(update={"channels": 1})
    assert mono.gain_db == pytest.approx(-0.01, abs=0.01)
    assert make_track("t", lufs=-20.0, short_term=-12.0).loudest_over_programme_db == 8.0
