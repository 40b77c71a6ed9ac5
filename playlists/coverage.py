"""Looks ahead before a session: can the music carry it, and is all of it fit for it?

Pure: a score and the pools go in, warnings come out. It must never stop a session: silence by a full stop
is worse than music that comes round again.
"""

from dataclasses import dataclass
from typing import Final, Literal

from controller.core.score import Phase, Score
from playlists.catalogue import LoadedPool, Pools
from playlists.models import Track
from playlists.sequencing import Exclusions, Wish, playable

SPARE_MS: Final = 2 * 3_600_000
"""A phase may be held: its pool should carry it and two hours more."""

Kind = Literal["no_pool", "empty", "excluded", "short", "broken", "too_loud", "words", "file"]


@dataclass(frozen=True, slots=True)
class MusicWarning:
    """One thing about the music of a session that somebody should know before it begins.

    ``grave``: something will not be heard as planned. Otherwise it is good to know.
    """

    kind: Kind
    pool: str
    phases: tuple[str, ...]
    message: str
    grave: bool = True


def coverage(
    score: Score, pools: Pools, exclusions: Exclusions | None = None, ceiling_dba: float = 70.0
) -> tuple[MusicWarning, ...]:
    """Return every warning about a session's music, in the order of its phases."""
    out = exclusions or Exclusions()
    by_pool: dict[str, list[Phase]] = {}
    for phase in score.phases:
        if phase.music.pool is not None:
            by_pool.setdefault(phase.music.pool, []).append(phase)
    warnings: list[MusicWarning] = []
    for pool_id, phases in by_pool.items():
        warnings.extend(_of_pool(pool_id, phases, pools, out, ceiling_dba))
    return tuple(warnings)


def _of_pool(
    pool_id: str, phases: list[Phase], pools: Pools, out: Exclusions, ceiling_dba: float
) -> list[MusicWarning]:
    names = tuple(phase.phase_id for phase in phases)
    loaded = pools.get(pool_id)
    if loaded is None:
        near = pools.nearest(pool_id)
        tail = f" (did you mean '{near}'?)" if near else ""
        return [
            MusicWarning("no_pool", pool_id, names, f"there is no pool '{pool_id}'{tail}: the bed will play")
        ]
    if pool_id in out.pools:
        return [
            MusicWarning(
                "excluded", pool_id, names, f"the client does not want '{pool_id}': the bed will play"
            )
        ]
    warnings = [MusicWarning("file", pool_id, names, str(problem)) for problem in loaded.problems]
    usable: dict[str, Track] = {}
    for phase in phases:
        wish = Wish(None, words_allowed=phase.music.words_allowed, exclusions=out, pool_id=pool_id)
        fit = playable(loaded.tracks, wish)
        usable.update((track.track_id, track) for track in fit)
        warnings.extend(_words(loaded, phase))
        if not fit:
            text = f"'{pool_id}' has no track that may play in {phase.title}: the bed will play"
            warnings.append(MusicWarning("empty", pool_id, (phase.phase_id,), text))
    if usable:
        warnings.extend(_length(loaded, phases, tuple(usable.values())))
        warnings.extend(_loudness(pool_id, phases, tuple(usable.values()), ceiling_dba))
    return warnings


def _words(loaded: LoadedPool, phase: Phase) -> list[MusicWarning]:
    if phase.music.words_allowed:
        return []
    sung = [track.name for track in loaded.tracks if track.has_words is not False]
    if not sung:
        return []
    text = f"{phase.title} allows no words; left out: {_list(sung)}"
    return [MusicWarning("words", loaded.pool_id, (phase.phase_id,), text, grave=False)]


def _length(loaded: LoadedPool, phases: list[Phase], usable: tuple[Track, ...]) -> list[MusicWarning]:
    names = tuple(phase.phase_id for phase in phases)
    unbroken = [phase for phase in phases if phase.music.unbroken]
    longest_ms = max(track.sounding_ms for track in usable)
    if unbroken:
        needed_ms = sum(phase.length_ms for phase in unbroken)
        if longest_ms >= needed_ms:
            return []
        text = (
            f"no piece of '{loaded.pool_id}' lasts {_minutes(needed_ms)} unbroken; "
            f"the longest ({_minutes(longest_ms)}) is carried over into itself"
        )
        return [MusicWarning("broken", loaded.pool_id, tuple(phase.phase_id for phase in unbroken), text)]
    has_ms = sum(max(t.sounding_ms - phases[0].music.crossfade_ms, 1) for t in usable)
    planned_ms = sum(phase.length_ms for phase in phases)
    if has_ms >= planned_ms + SPARE_MS:
        return []
    text = (
        f"'{loaded.pool_id}' holds {_minutes(has_ms)} for {_minutes(planned_ms)} of {_list(list(names))} "
        f"and 2 h to spare: pieces come round again after {_minutes(has_ms)}"
    )
    # Generated pieces are made to come round; a person's own list that falls short is a mistake to mend.
    return [MusicWarning("short", loaded.pool_id, names, text, grave=not all(t.generated for t in usable))]


def _loudness(
    pool_id: str, phases: list[Phase], usable: tuple[Track, ...], ceiling_dba: float
) -> list[MusicWarning]:
    level = max(phase.music.level_dba for phase in phases)
    loud = [track.name for track in usable if level + track.loudest_over_programme_db > ceiling_dba + 0.05]
    if not loud:
        return []
    text = (
        f"at {level:g} dB(A) the loudest moments pass the ceiling of {ceiling_dba:g} "
        f"and will be held down: {_list(loud)}"
    )
    names = tuple(phase.phase_id for phase in phases)
    return [MusicWarning("too_loud", pool_id, names, text, grave=False)]


def _list(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _minutes(ms: int) -> str:
    return f"{round(ms / 60_000)} min"
