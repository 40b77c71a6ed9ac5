"""Chooses tracks for the conductor from the pools, by ``playlists.sequencing``. It plays nothing."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from controller.music_request import ChosenTrack, TrackRequest
from playlists.catalogue import Pools
from playlists.models import Track
from playlists.sequencing import Exclusions, Played, Wish, curve_for, plan_phase

FOUND_FADE_MS = 12_000


@dataclass(frozen=True, slots=True)
class PoolChooser:
    """Fulfils ``controller.conductor.Chooser``; asks for the pools each time: pieces may be coming in."""

    current_pools: Callable[[], Pools]

    def choose(self, request: TrackRequest) -> Sequence[ChosenTrack]:
        """Return up to ``count`` tracks in the order to be played; none when the pool has nothing."""
        pools = self.current_pools()
        loaded = pools.get(request.pool)
        if loaded is None or not loaded.tracks:
            return ()
        wish = Wish(
            remaining_ms=request.remaining_ms,
            curve=curve_for(loaded.pool, request.energy),
            phase_ms=request.phase_ms,
            words_allowed=request.words_allowed and loaded.pool.words_allowed,
            exclusions=Exclusions(frozenset(request.excluded_pools), frozenset(request.excluded_tracks)),
            crossfade_ms=request.crossfade_ms,
            unbroken=request.unbroken,
            # On a hold nothing audible is repeated: the pool is played out, then the bed carries.
            repeats=request.remaining_ms is not None,
            pool_id=request.pool,
        )
        history = [Played(track_id, _artist(pools, track_id)) for track_id in request.history]
        plan = plan_phase(loaded.tracks, history, wish, request.seed)
        return tuple(
            _chosen(planned.track, request.pool, planned.fade_ms) for planned in plan[: request.count]
        )

    def find(self, track_id: str) -> ChosenTrack | None:
        """Return a track by its id, whichever pool it is in."""
        for loaded in self.current_pools():
            for track in loaded.tracks:
                if track.track_id == track_id:
                    return _chosen(track, loaded.pool_id, FOUND_FADE_MS)
        return None


def _chosen(track: Track, pool: str, fade_ms: int) -> ChosenTrack:
    return ChosenTrack(
        track_id=track.track_id,
        pool=pool,
        path=track.path,
        gain_db=track.gain_db,
        start_ms=track.start_ms,
        end_ms=track.end_ms,
        title=track.name,
        artist=track.artist,
        fade_ms=fade_ms,
    )


def _artist(pools: Pools, track_id: str) -> str:
    track = pools.track(track_id)
    return "" if track is None else track.artist
