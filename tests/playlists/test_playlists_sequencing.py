"""Choosing tracks: the rules hold for any pool, any history and any time left."""

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st
from playlists_fixtures import make_track

from playlists.models import Curve, EnergyRange, Pool, Track
from playlists.sequencing import (
    EnergyCurve,
    Exclusions,
    Played,
    Wish,
    choose_next,
    curve_for,
    plan_phase,
    playable,
)

MIN = 60_000

track_lists = st.lists(
    st.builds(
        lambda number, seconds, energy, artist, words: make_track(
            f"t{number}", seconds, energy=energy, artist=artist, has_words=words
        ),
        st.integers(0, 10_000),
        st.integers(20, 900),
        st.floats(0.0, 1.0),
        st.sampled_from(["", "Ada", "ada ", "Bo", "Cy"]),
        st.sampled_from([False, True, None]),
    ),
    max_size=12,
    unique_by=lambda track: track.track_id,
)
wishes = st.builds(
    Wish,
    remaining_ms=st.one_of(st.none(), st.integers(0, 120 * MIN)),
    curve=st.builds(
        lambda low, high: EnergyCurve(((0.0, low), (1.0, high))), st.floats(0.0, 1.0), st.floats(0.0, 1.0)
    ),
    words_allowed=st.booleans(),
    exclusions=st.builds(
        Exclusions,
        tracks=st.frozensets(st.integers(0, 10_000).map("t{}".format)),
        artists=st.just(frozenset({"BO"})),
    ),
    crossfade_ms=st.integers(4_000, 30_000),
    unbroken=st.booleans(),
    repeats=st.booleans(),
)
histories = st.lists(st.integers(0, 10_000).map(lambda n: Played(f"t{n}")), max_size=8)


@settings(max_examples=150, deadline=None)
@given(track_lists, histories, wishes, st.text(max_size=5))
def test_a_plan_keeps_every_hard_rule(
    tracks: list[Track], history: list[Played], wish: Wish, seed: str
) -> None:
    plan = plan_phase(tracks, history, wish, seed)
    allowed = playable(tracks, wish)
    assert plan == plan_phase(tracks, history, wish, seed)
    assert all(planned.track in allowed for planned in plan)
    assert all(wish.words_allowed or planned.track.has_words is False for planned in plan)
    assert not any(planned.track.artist == "Bo" for planned in plan)
    for before, after in pairwise(plan):
        assert after.begins_ms == before.ends_ms - after.fade_ms
        assert 0 <= after.fade_ms <= min(before.track.sounding_ms, after.track.sounding_ms) // 3
    chosen = choose_next(tracks, history, wish, seed)
    assert (chosen is None) == (not plan)
    if plan:
        assert plan[0].begins_ms == 0
        assert plan[0].track == chosen


@settings(max_examples=150, deadline=None)
@given(track_lists, histories, wishes, st.text(max_size=5))
def test_nothing_comes_twice_before_the_pool_is_used_up(
    tracks: list[Track], history: list[Played], wish: Wish, seed: str
) -> None:
    if wish.unbroken:
        return
    allowed = {track.track_id for track in playable(tracks, wish)}
    heard = {played.track_id for played in history}
    last = history[-1].track_id if history else ""
    for planned in plan_phase(tracks, history, wish, seed):
        name = planned.track.track_id
        if allowed - heard:
            assert name not in heard
            assert not planned.repeated
        else:
            assert planned.repeated
            assert wish.repeats
            assert name != last or len(allowed) == 1
        heard.add(name)
        last = name


@settings(max_examples=100, deadline=None)
@given(track_lists, histories, wishes, st.text(max_size=5))
def test_a_plan_covers_the_time_left_wherever_it_may_repeat(
    tracks: list[Track], history: list[Played], wish: Wish, seed: str
) -> None:
    plan = plan_phase(tracks, history, wish, seed)
    if wish.remaining_ms and wish.repeats and playable(tracks, wish):
        assert plan[-1].ends_ms >= wish.remaining_ms
        assert plan[-1].ends_ms <= wish.remaining_ms + wish.crossfade_ms
        assert all(planned.begins_ms < wish.remaining_ms for planned in plan)


def test_no_artist_twice_running_while_another_is_there() -> None:
    tracks = [make_track(f"a{n}", artist="Ada") for n in range(4)] + [
        make_track(f"b{n}", artist="Bo") for n in range(4)
    ]
    plan = plan_phase(tracks, [Played("x", " ADA")], Wish(38 * MIN), "seed")
    artists = [planned.track.artist for planned in plan]
    assert len(artists) >= 7
    assert artists[0] == "Bo"
    assert all(one != two for one, two in pairwise(artists))


def test_the_last_track_ends_at_the_phase_change_where_lengths_allow() -> None:
    # 240 + 330 + 410 s less two fades of 12 s end 20 min 6 s in less ... only one set of these fits 956 s.
    tracks = [make_track(f"t{s}", s) for s in (240, 330, 410, 275, 515, 600)]
    wish = Wish(956_000 - 12_000, crossfade_ms=12_000)
    plan = plan_phase(tracks, [], wish, "seed")
    assert wish.remaining_ms is not None
    assert not plan[-1].cut
    assert wish.remaining_ms <= plan[-1].ends_ms <= wish.remaining_ms + 12_000


def test_a_fitting_ending_is_found_in_most_real_pools() -> None:
    lengths = [181, 204, 222, 243, 257, 268, 285, 301, 322, 344, 367, 391, 402, 433, 461]
    tracks = [make_track(f"t{s}", s, energy=0.5) for s in lengths]
    cut_ms = []
    for minutes in range(12, 50):
        plan = plan_phase(tracks, [], Wish(minutes * MIN, EnergyCurve(((0.0, 0.5),))), f"s{minutes}")
        cut_ms.append(plan[-1].begins_ms + plan[-1].track.sounding_ms - plan[-1].ends_ms)
    assert sorted(cut_ms)[len(cut_ms) * 9 // 10] <= 6_000


def test_energy_follows_the_curve() -> None:
    tracks = [make_track(f"t{n}", 300, energy=n / 10) for n in range(10)]
    wish = Wish(35 * MIN, EnergyCurve(((0.0, 0.1), (1.0, 0.9))), phase_ms=35 * MIN)
    energies = [planned.track.energy for planned in plan_phase(tracks, [], wish, "s")]
    assert energies[0] <= 0.2
    assert energies[-1] >= 0.6
    late = plan_phase(tracks, [], Wish(5 * MIN, wish.curve, phase_ms=35 * MIN), "s")
    assert late[0].track.energy >= 0.7


def test_on_a_hold_the_pool_goes_on_and_then_the_bed() -> None:
    tracks = [make_track(f"t{n}", 300) for n in range(4)]
    wish = Wish(None, repeats=False)
    plan = plan_phase(tracks, [Played("t0"), Played("t2")], wish, "s")
    assert {planned.track.track_id for planned in plan} == {"t1", "t3"}
    assert plan_phase(tracks, [Played(f"t{n}") for n in range(4)], wish, "s") == ()


def test_an_empty_or_unwanted_pool_gives_the_bed() -> None:
    track = make_track("t1")
    assert choose_next([], [], Wish(MIN), "s") is None
    assert (
        choose_next(
            [track], [], Wish(MIN, exclusions=Exclusions(pools=frozenset({"warm"})), pool_id="warm"), "s"
        )
        is None
    )
    assert choose_next([make_track("w", has_words=True)], [], Wish(MIN), "s") is None
    assert choose_next([make_track("u", has_words=None)], [], Wish(MIN), "s") is None
    assert choose_next([make_track("w", has_words=True)], [], Wish(MIN, words_allowed=True), "s") is not None


def test_unbroken_plays_one_piece_and_the_shortest_that_is_long_enough() -> None:
    tracks = [make_track("short", 300), make_track("long", 1980), make_track("longer", 4000)]
    plan = plan_phase(tracks, [Played("long")], Wish(30 * MIN, unbroken=True), "s")
    assert [planned.track.track_id for planned in plan] == ["long"]
    again = plan_phase(tracks[:1], [], Wish(12 * MIN, unbroken=True), "s")
    assert {planned.track.track_id for planned in again} == {"short"}
    assert all(planned.fade_ms == 30_000 for planned in again)


def test_other_seeds_give_other_orders() -> None:
    tracks = [make_track(f"t{n}", 300) for n in range(8)]
    orders = {
        tuple(p.track.track_id for p in plan_phase(tracks, [], Wish(40 * MIN), f"{n}")) for n in range(10)
    }
    assert len(orders) > 5


def test_the_curve_takes_its_shape_from_the_pool() -> None:
    def pool(curve: Curve) -> Pool:
        return Pool(
            pool="p", title="P", mood="m", energy=EnergyRange(low=0.4, high=0.6), curve=curve, files=("*",)
        )

    assert curve_for(pool(Curve.LEVEL), 0.5).at(0.3) == 0.5
    rising = curve_for(pool(Curve.RISING), 0.5)
    assert (rising.at(0.0), rising.at(0.5), rising.at(1.0)) == (0.4, 0.5, 0.6)
    assert curve_for(pool(Curve.FALLING), 0.5).at(1.0) == 0.4
    assert curve_for(pool(Curve.ARCH), 0.5).at(0.6) == 0.6


def test_a_thousand_tracks_are_planned_at_once_and_cheaply() -> None:
    tracks = [
        make_track(f"t{n}", 180 + n % 300, energy=(n % 90) / 100, artist=f"a{n % 60}") for n in range(1000)
    ]
    plan = plan_phase(tracks, [Played(f"t{n}") for n in range(200)], Wish(90 * MIN), "s")
    assert len({planned.track.track_id for planned in plan}) == len(plan) >= 12
