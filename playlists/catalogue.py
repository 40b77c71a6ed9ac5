"""The catalogue: every pool there is, shipped or the user's own, with the tracks that can really be played.

A file that is missing or was never analysed is a problem said aloud; the pool's other tracks stay usable.
It must never measure audio: whoever calls hands in a way to look tracks up.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Final, TypeAlias

from controller.errors import Problem
from playlists.audio_names import SUFFIXES
from playlists.models import Pool, Track, TrackEntry
from playlists.pool_files import is_pool_file, read_pool_file

LIBRARY: Final = Path(__file__).parent / "library"
"""The shipped pool files."""

LookUp: TypeAlias = Callable[[Path], Track | None]
"""Answers with what is known of an audio file, or None."""


@dataclass(frozen=True, slots=True)
class LoadedPool:
    """A pool with its playable tracks, where it was read from, and what is wrong with it."""

    pool: Pool
    tracks: tuple[Track, ...]
    file: str
    problems: tuple[Problem, ...] = ()

    @property
    def pool_id(self) -> str:
        """The pool's id."""
        return self.pool.pool

    @property
    def sounding_ms(self) -> int:
        """How much music it holds, ms."""
        return sum(track.sounding_ms for track in self.tracks)


@dataclass(frozen=True, slots=True)
class Pools:
    """All pools by id. ``problems`` holds those of files that gave no pool at all, too."""

    by_id: Mapping[str, LoadedPool] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()

    def get(self, pool_id: str) -> LoadedPool | None:
        """Return a pool, or None where there is none of that id."""
        return self.by_id.get(pool_id)

    def nearest(self, pool_id: str) -> str | None:
        """Return the id most like a misspelt one, or None where none is near."""
        near = get_close_matches(pool_id, self.by_id, n=1)
        return near[0] if near else None

    def track(self, track_id: str) -> Track | None:
        """Return a track by its id, wherever it is."""
        return next((t for pool in self for t in pool.tracks if t.track_id == track_id), None)

    def __iter__(self) -> Iterator[LoadedPool]:
        return iter(self.by_id.values())

    def __len__(self) -> int:
        return len(self.by_id)


def load_catalogue(
    rendered: Iterable[Track],
    folders: Sequence[Path] = (),
    look_up: LookUp | None = None,
    shipped: Path = LIBRARY,
) -> Pools:
    """Load the shipped pools with these rendered pieces, and the pool files of the user's folders.

    ``rendered`` comes from ``synth.rendering.load_rendered``; ``look_up`` from ``store.TrackStore``.
    A user's pool with a shipped one's id takes its place; two of the user's with one id are a problem.
    """
    pieces = {Path(track.path).stem: track for track in rendered}
    found: dict[str, LoadedPool] = {}
    problems: list[Problem] = []
    for path in sorted(shipped.glob("*.yaml")):
        _take(path, found, problems, pieces, look_up, own=set())
    own: set[str] = set()
    for folder in folders:
        if not folder.is_dir():
            problems.append(Problem(str(folder), None, "", "the music folder is missing"))
            continue
        files = sorted(path for path in folder.rglob("*") if is_pool_file(path))
        if not files:
            problems.append(
                Problem(
                    str(folder),
                    None,
                    "",
                    "has no pool file beside its music",
                    "'stillroom library add' writes one",
                )
            )
        for path in files:
            _take(path, found, problems, pieces, look_up, own)
    return Pools(found, tuple(problems))


def _take(
    path: Path,
    found: dict[str, LoadedPool],
    problems: list[Problem],
    pieces: Mapping[str, Track],
    look_up: LookUp | None,
    own: set[str],
) -> None:
    pool, faults = read_pool_file(path)
    problems.extend(faults)
    if pool is None:
        return
    if pool.pool in own:
        problems.append(
            Problem(
                str(path),
                None,
                "pool",
                f"'{pool.pool}' is also the id of the pool in {found[pool.pool].file}",
            )
        )
        return
    if path.parent != LIBRARY:
        own.add(pool.pool)
    loaded = load_pool(pool, path, pieces, look_up)
    problems.extend(loaded.problems)
    found[pool.pool] = loaded


def load_pool(pool: Pool, path: Path, pieces: Mapping[str, Track], look_up: LookUp | None) -> LoadedPool:
    """Return a pool with the tracks that are there; every one that is not is a problem."""
    from playlists.synth.recipes import RECIPES  # noqa: PLC0415 - brings numpy, which no start waits for

    tracks: dict[str, Track] = {}
    problems: list[Problem] = []
    for piece in pool.generated:
        if piece not in RECIPES:
            near = get_close_matches(piece, RECIPES, n=1)
            hint = f"did you mean '{near[0]}'?" if near else ""
            problems.append(
                Problem(str(path), None, "generated", f"there is no generated piece '{piece}'", hint)
            )
        elif piece in pieces:
            tracks[pieces[piece].track_id] = pieces[piece]
    for entry, file in _entries(pool, path.parent, problems, str(path)):
        track = look_up(file) if look_up is not None else None
        if track is None:
            why, hint = (
                ("is missing", "")
                if not file.is_file()
                else ("is not analysed, or cannot be read", "run 'stillroom library analyse'")
            )
            problems.append(Problem(str(path), None, entry.file, why, hint))
        else:
            tracks.setdefault(track.track_id, with_entry(track, entry, pool))
    return LoadedPool(pool, tuple(tracks.values()), str(path), tuple(problems))


def _entries(
    pool: Pool, folder: Path, problems: list[Problem], file: str
) -> Iterator[tuple[TrackEntry, Path]]:
    """Yield the pool's files: those named one by one, then what the patterns find, each once, in order."""
    seen: set[Path] = set()
    root = folder.resolve()
    for entry in pool.tracks:
        path = (folder / entry.file).resolve()
        if path not in seen:
            seen.add(path)
            yield entry, path
    for pattern in pool.files:
        try:
            matches = sorted(
                path for path in root.glob(pattern) if path.suffix.lower() in SUFFIXES and path.is_file()
            )
        except (ValueError, NotImplementedError, OSError) as error:
            problems.append(Problem(file, None, "files", f"'{pattern}' is no pattern: {error}"))
            continue
        if not matches:
            problems.append(Problem(file, None, "files", f"'{pattern}' finds no music"))
        for path in matches:
            if path not in seen:
                seen.add(path)
                yield TrackEntry(file=path.relative_to(root).as_posix()), path


def with_entry(track: Track, entry: TrackEntry, pool: Pool) -> Track:
    """Return a track with what its pool file says laid over what was measured."""
    words = entry.has_words if entry.has_words is not None else pool.words_allowed
    return track.model_copy(
        update={
            "title": entry.title if entry.title is not None else track.title,
            "artist": entry.artist if entry.artist is not None else track.artist,
            "energy": entry.energy if entry.energy is not None else track.energy,
            "has_words": words,
            "extra_gain_db": entry.gain_db,
        }
    )
