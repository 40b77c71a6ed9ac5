"""Coverage: what a person should know of the music before the session begins."""

from pathlib import Path

from playlists_fixtures import make_track

from controller.core.score import MusicPlan, Phase, Score
from controller.errors import Problem
from playlists.catalogue import LoadedPool, Pools
from playlists.coverage import MusicWarning, coverage
from playlists.models import Pool, Track
from playlists.sequencing import Exclusions

MIN = 60_000


def phase(name: str, minutes: int, music: MusicPlan) -> Phase:
    return Phase(name, name.title(), minutes * MIN, (), music)


def score(*phases: Phase) -> Score:
    return Score("p", "P", False, phases, {})


def pools(*tracks: Track, problems: tuple[Problem, ...] = ()) -> Pools:
    pool = Pool(pool="warm", title="Warm", mood="warm", files=("*",))
    return Pools({"warm": LoadedPool(pool, tracks, str(Path("/m/pool.yaml")), problems)})


def kinds(warnings: tuple[MusicWarning, ...]) -> list[tuple[str, bool]]:
    return [(warning.kind, warning.grave) for warning in warnings]


def test_enough_music_is_worth_no_word() -> None:
    tracks = [make_track(f"t{n}", 600) for n in range(20)]
    assert coverage(score(phase("arrival", 30, MusicPlan("warm"))), pools(*tracks)) == ()


def test_a_pool_short_of_its_phases_and_two_hours_is_said_once() -> None:
    plan = score(
        phase("arrival", 30, MusicPlan("warm")),
        phase("return", 40, MusicPlan("warm")),
        phase("talk", 9, MusicPlan(None)),
    )
    tracks = [make_track(f"t{n}", 600) for n in range(18)]
    (warning,) = coverage(plan, pools(*tracks))
    assert (warning.kind, warning.phases, warning.grave) == ("short", ("arrival", "return"), True)
    assert "176 min for 70 min" in warning.message
    mine = [make_track(f"t{n}", 600, generated=True) for n in range(3)]
    assert kinds(coverage(plan, pools(*mine))) == [("short", False)]


def test_missing_pools_and_files_are_grave() -> None:
    plan = score(phase("arrival", 1, MusicPlan("worm")))
    (warning,) = coverage(plan, pools(make_track("t")))
    assert warning.kind == "no_pool"
    assert "did you mean 'warm'" in warning.message
    long = [make_track(f"t{n}", 900) for n in range(20)]
    gone = pools(*long, problems=(Problem("/m/pool.yaml", None, "a.flac", "is missing"),))
    assert kinds(coverage(score(phase("arrival", 1, MusicPlan("warm"))), gone)) == [("file", True)]


def test_words_are_left_out_and_said() -> None:
    tracks = [make_track(f"t{n}", 900) for n in range(20)]
    sung = make_track("song", has_words=True)
    plan = score(phase("peak", 10, MusicPlan("warm")))
    (warning,) = coverage(plan, pools(*tracks, sung))
    assert (warning.kind, warning.grave) == ("words", False)
    assert "Song" in warning.message
    assert (
        coverage(score(phase("peak", 10, MusicPlan("warm", words_allowed=True))), pools(*tracks, sung)) == ()
    )
    assert kinds(coverage(plan, pools(sung))) == [("words", False), ("empty", True)]


def test_what_the_client_does_not_want_leaves_the_bed() -> None:
    plan = score(phase("arrival", 10, MusicPlan("warm")))
    assert kinds(coverage(plan, pools(make_track("t")), Exclusions(pools=frozenset({"warm"})))) == [
        ("excluded", True)
    ]
    assert kinds(coverage(plan, pools(make_track("t")), Exclusions(tracks=frozenset({"t"})))) == [
        ("empty", True)
    ]


def test_tracks_that_pass_the_ceiling_are_named() -> None:
    tracks = [make_track(f"t{n}", 900) for n in range(20)]
    loud = make_track("storm", lufs=-20.0, short_term=-10.0)
    (warning,) = coverage(score(phase("peak", 10, MusicPlan("warm", level_dba=62.0))), pools(*tracks, loud))
    assert (warning.kind, warning.grave) == ("too_loud", False)
    assert "Storm" in warning.message
    assert coverage(score(phase("peak", 10, MusicPlan("warm", level_dba=58.0))), pools(*tracks, loud)) == ()


def test_an_unbroken_phase_wants_one_piece_long_enough() -> None:
    music = MusicPlan("warm", unbroken=True)
    plan = score(phase("onset", 2, music), phase("peak", 13, music), phase("descent", 15, music))
    assert coverage(plan, pools(make_track("long", 1980))) == ()
    assert kinds(coverage(plan, pools(make_track("short", 600)))) == [("broken", True)]
