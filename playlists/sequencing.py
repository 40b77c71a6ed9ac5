"""What plays next: pure choice from a pool, the same every time for the same seed and history.

The rules, strongest first: what this client does not want is never played; words only where allowed; nothing
twice before the pool is used up, then what was heard longest ago; no artist twice running; energy near the
curve; and the last track of a phase should end as the phase changes. A rule gives way only where keeping it
would mean silence, and never the first two. It must never know a clock, a file or a player.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from itertools import combinations, pairwise
from typing import Final

from playlists.models import Curve, Pool, Track

HORIZON_MS: Final = 30 * 60_000
"""How far ahead to plan where no phase change is in sight (a hold)."""
UNBROKEN_FADE_MS: Final = 30_000
_LAST_FEW: Final = 4
"""How many tracks before a phase change are chosen together, so that the last one ends with it."""
_FIT_CANDIDATES: Final = 14
_SHORTEST_MS: Final = 45_000
"""A track that would be cut shorter than this is not worth beginning."""
_MOST_ITEMS: Final = 400
_CUT_COST_PER_MIN: Final = 0.06
_ARTIST_COST: Final = 5.0
_STUB_COST: Final = 0.5


@dataclass(frozen=True, slots=True)
class Played:
    """One track heard in this session; a history lists them from the first to the last."""

    track_id: str
    artist: str = ""


@dataclass(frozen=True, slots=True)
class Exclusions:
    """What this client does not want: pools, tracks and artists (case and spaces do not matter)."""

    pools: frozenset[str] = frozenset()
    tracks: frozenset[str] = frozenset()
    artists: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class EnergyCurve:
    """The energy wanted over a phase, from its beginning (0) to its end (1)."""

    points: tuple[tuple[float, float], ...] = ((0.0, 0.5),)

    def at(self, fraction: float) -> float:
        """Return the energy wanted at a fraction of the phase."""
        before = self.points[0]
        for point in self.points:
            if point[0] >= fraction:
                span = point[0] - before[0]
                share = 1.0 if span <= 0.0 else (fraction - before[0]) / span
                return before[1] + (point[1] - before[1]) * share
            before = point
        return before[1]


@dataclass(frozen=True, slots=True)
class PlannedTrack:
    """A track to be heard from ``begins_ms`` after the plan's start, crossfaded in over ``fade_ms``.

    ``ends_ms`` is when it is over, or (``cut``) when the phase's change takes over from it.
    """

    track: Track
    begins_ms: int
    ends_ms: int
    fade_ms: int
    cut: bool = False
    repeated: bool = False


@dataclass(frozen=True, slots=True)
class Wish:
    """What is wanted of the tracks of one phase, or of what is left of it.

    ``remaining_ms`` None: no end in sight (a hold). ``phase_ms`` is the whole phase's length, for the
    curve. Without ``repeats`` the plan stops when the pool is used up, and the bed follows.
    """

    remaining_ms: int | None
    curve: EnergyCurve = EnergyCurve()
    phase_ms: int | None = None
    words_allowed: bool = False
    exclusions: Exclusions = Exclusions()
    crossfade_ms: int = 12_000
    unbroken: bool = False
    repeats: bool = True
    pool_id: str = ""


@dataclass(slots=True)
class _Past:
    """What has been heard, growing with the plan."""

    last_heard: dict[str, int] = field(default_factory=dict)
    count: int = 0
    last_track: str = ""
    last_artist: str = ""

    def hear(self, track_id: str, artist: str) -> None:
        self.last_heard[track_id] = self.count
        self.count += 1
        self.last_track, self.last_artist = track_id, _same(artist)


def curve_for(pool: Pool, energy: float) -> EnergyCurve:
    """Return the curve of a phase that asks for ``energy``, shaped as its pool says."""
    half = (pool.energy.high - pool.energy.low) / 2
    low, high = max(energy - half, 0.0), min(energy + half, 1.0)
    match pool.curve:
        case Curve.LEVEL:
            return EnergyCurve(((0.0, energy), (1.0, energy)))
        case Curve.RISING:
            return EnergyCurve(((0.0, low), (1.0, high)))
        case Curve.FALLING:
            return EnergyCurve(((0.0, high), (1.0, low)))
        case Curve.ARCH:
            return EnergyCurve(((0.0, low), (0.6, high), (1.0, low)))


def playable(tracks: Iterable[Track], wish: Wish) -> tuple[Track, ...]:
    """Return the tracks that may be played at all for this client in this phase."""
    out = wish.exclusions
    if wish.pool_id in out.pools:
        return ()
    artists = {_same(artist) for artist in out.artists}
    return tuple(
        track
        for track in tracks
        if track.track_id not in out.tracks
        and not (track.artist and _same(track.artist) in artists)
        and (wish.words_allowed or track.has_words is False)
    )


def choose_next(tracks: Sequence[Track], history: Sequence[Played], wish: Wish, seed: str) -> Track | None:
    """Return the track to play now, or None: nothing may be played, and the bed follows."""
    plan = plan_phase(tracks, history, wish, seed)
    return plan[0].track if plan else None


def plan_phase(
    tracks: Sequence[Track], history: Sequence[Played], wish: Wish, seed: str
) -> tuple[PlannedTrack, ...]:
    """Plan what is left of a phase, so that it can be queued ahead.

    The plan covers ``remaining_ms`` wherever the pool may repeat itself. Empty: the bed follows.
    """
    allowed = playable(tracks, wish)
    horizon = HORIZON_MS if wish.remaining_ms is None else wish.remaining_ms
    if not allowed or horizon <= 0:
        return ()
    past = _past(history)
    if wish.unbroken:
        return _plan_unbroken(allowed, past, wish, horizon, seed)
    plan: list[PlannedTrack] = []
    while _covered_ms(plan) < horizon and len(plan) < _MOST_ITEMS:
        at_ms = _covered_ms(plan)
        fresh = [track for track in allowed if track.track_id not in past.last_heard]
        if not fresh and not wish.repeats:
            break
        closing = wish.remaining_ms is not None and horizon - at_ms <= _reach_ms(allowed, wish)
        chosen = _close(fresh, past, wish, at_ms, seed) if closing and fresh else ()
        for track in chosen or (_one(fresh or allowed, past, wish, at_ms, seed, repeat=not fresh),):
            _append(plan, track, wish, horizon, repeated=not fresh)
            past.hear(track.track_id, track.artist)
    return tuple(plan)


def _past(history: Sequence[Played]) -> _Past:
    past = _Past()
    for played in history:
        past.hear(played.track_id, played.artist)
    return past


def _covered_ms(plan: Sequence[PlannedTrack]) -> int:
    return plan[-1].ends_ms if plan else 0


def _append(plan: list[PlannedTrack], track: Track, wish: Wish, horizon: int, *, repeated: bool) -> None:
    """Add a track so that its fade-in lies under the end of the one before."""
    before = plan[-1] if plan else None
    # A crossfade never takes more than a third of either track.
    fade = min(wish.crossfade_ms, track.sounding_ms // 3)
    if wish.unbroken:
        fade = min(max(wish.crossfade_ms, UNBROKEN_FADE_MS), track.sounding_ms // 3)
    begins = 0
    if before is not None:
        fade = min(fade, before.track.sounding_ms // 3)
        begins = before.ends_ms - fade
    ends = begins + track.sounding_ms
    # The last track may go on under the next phase's fade-in; past that it is cut.
    is_cut = wish.remaining_ms is not None and ends > horizon + wish.crossfade_ms
    plan.append(
        PlannedTrack(
            track,
            begins,
            horizon + wish.crossfade_ms if is_cut else ends,
            fade,
            cut=is_cut,
            repeated=repeated,
        )
    )


def _reach_ms(tracks: Sequence[Track], wish: Wish) -> int:
    lengths = sorted(track.sounding_ms for track in tracks)
    typical = lengths[len(lengths) // 2]
    return _LAST_FEW * max(typical - wish.crossfade_ms, 1_000)


def _wanted_energy(wish: Wish, at_ms: int) -> float:
    whole = wish.phase_ms or wish.remaining_ms
    if not whole:
        return wish.curve.at(0.5)
    done = whole - (wish.remaining_ms if wish.remaining_ms is not None else whole)
    return wish.curve.at(min(max((done + at_ms) / whole, 0.0), 1.0))


def _one(tracks: Sequence[Track], past: _Past, wish: Wish, at_ms: int, seed: str, *, repeat: bool) -> Track:
    """Choose one track by the rules, without looking ahead."""
    if repeat:
        # The pool is used up: what was heard longest ago, and not the same twice running.
        others = [track for track in tracks if track.track_id != past.last_track] or list(tracks)
        others.sort(key=lambda track: past.last_heard.get(track.track_id, -1))
        return next((track for track in others if not _artist_again(track, past)), others[0])
    wanted = _wanted_energy(wish, at_ms)
    return min(
        tracks,
        key=lambda track: (
            _artist_again(track, past),
            round(abs(track.energy - wanted) * 10),
            _lot(seed, past.count, track.track_id),
        ),
    )


def _close(fresh: Sequence[Track], past: _Past, wish: Wish, at_ms: int, seed: str) -> tuple[Track, ...]:
    """Choose the last few tracks together: the set whose end comes closest after the phase's change.

    Looks at no more than 14 candidates and sets of four: at most 1,470 sums.
    """
    left = (wish.remaining_ms or 0) - at_ms
    wanted = _wanted_energy(wish, at_ms)
    near = sorted(
        fresh,
        key=lambda track: (round(abs(track.energy - wanted) * 10), _lot(seed, past.count, track.track_id)),
    )[:_FIT_CANDIDATES]
    # What a track adds: its sound less the crossfade into it.
    adds = [track.sounding_ms - min(wish.crossfade_ms, track.sounding_ms // 3) for track in near]
    away = [abs(track.energy - wanted) for track in near]
    best_cost = float("inf")
    best: tuple[Track, ...] = ()
    for size in range(1, min(_LAST_FEW, len(near)) + 1):
        for some in combinations(range(len(near)), size):
            natural = sum(adds[n] for n in some)
            # Too short; or one of them would begin only after the change.
            if natural < left or natural - min(adds[n] for n in some) >= left:
                continue
            cut_min = max(natural - left - wish.crossfade_ms, 0) / 60_000
            cost = cut_min * _CUT_COST_PER_MIN + sum(away[n] for n in some) / size
            if cost >= best_cost:
                continue
            ordered = _ordered([near[n] for n in some], past, wish, at_ms)
            cost += _ARTIST_COST * _clashes(ordered, past)
            last_ms = left - (natural - ordered[-1].sounding_ms)
            cost += _STUB_COST if last_ms < _SHORTEST_MS else 0.0
            if cost < best_cost:
                best_cost, best = cost, ordered
    return best


def _ordered(some: Sequence[Track], past: _Past, wish: Wish, at_ms: int) -> tuple[Track, ...]:
    """Put a set in order: along the curve, artists apart."""
    rest = list(some)
    out: list[Track] = []
    artist = past.last_artist
    while rest:
        wanted = _wanted_energy(wish, at_ms)
        following = min(
            rest,
            key=lambda track: (
                bool(track.artist) and _same(track.artist) == artist,
                abs(track.energy - wanted),
                track.track_id,
            ),
        )
        rest.remove(following)
        out.append(following)
        artist = _same(following.artist)
        at_ms += following.sounding_ms
    return tuple(out)


def _clashes(ordered: Sequence[Track], past: _Past) -> int:
    artists = [past.last_artist, *(_same(track.artist) for track in ordered)]
    return sum(bool(one) and one == two for one, two in pairwise(artists))


def _plan_unbroken(
    tracks: Sequence[Track], past: _Past, wish: Wish, horizon: int, seed: str
) -> tuple[PlannedTrack, ...]:
    """One piece for the whole time: one that is long enough, else the longest, carried over into itself."""
    enough = [track for track in tracks if track.sounding_ms >= horizon]
    if enough:
        track = min(enough, key=lambda t: (t.sounding_ms, _lot(seed, past.count, t.track_id)))
    else:
        track = max(tracks, key=lambda t: (t.sounding_ms, t.track_id))
    plan: list[PlannedTrack] = []
    while _covered_ms(plan) < horizon and len(plan) < _MOST_ITEMS:
        _append(plan, track, wish, horizon, repeated=bool(plan))
    return tuple(plan)


def _artist_again(track: Track, past: _Past) -> bool:
    return bool(track.artist) and _same(track.artist) == past.last_artist


def _same(artist: str) -> str:
    return " ".join(artist.casefold().split())


def _lot(seed: str, turn: int, track_id: str) -> bytes:
    """Draw lots without chance: a hash of the seed, the turn and the track."""
    return blake2b(f"{seed}\0{turn}\0{track_id}".encode(), digest_size=8).digest()
