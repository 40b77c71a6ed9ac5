"""The user's music: adding folders, analysing them, listing and checking what is there.

What the ``library`` commands call. It never changes a music file; the one thing it may write into a music
folder is a first pool file where there is none. It must never fail for one bad file, or for a full disk.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from re import sub
from typing import Final, TypeAlias

from ruamel.yaml import YAML

from controller.errors import Problem, UserError
from playlists.analysis import KnownContent, Result, measure_files, try_measure
from playlists.audio_names import SUFFIXES
from playlists.catalogue import Pools, load_catalogue
from playlists.models import Track
from playlists.pool_files import is_pool_file
from playlists.store import StoreError, TrackStore

Progress: TypeAlias = Callable[[int, int, str], None]
"""Called with (files done, files in all, name of the last one done)."""

LOUD_RANGE_LU: Final = 18.0
"""A track that moves more than this between soft and loud is worth a warning."""
_PEAK_LIMITED_DB: Final = 1.0


@dataclass(frozen=True, slots=True)
class LibraryReport:
    """What came of a run: every track that can be played, and every problem."""

    tracks: tuple[Track, ...]
    problems: tuple[Problem, ...] = ()
    measured: int = 0
    """How many files were really measured; the others were known."""
    pool_file: Path | None = None
    """The first pool file that was written, if one was."""


def find_music(folder: Path) -> tuple[Path, ...]:
    """Return every audio file under a folder, in order; hidden ones are left out."""
    return tuple(
        sorted(
            path
            for path in folder.rglob("*")
            if path.suffix.lower() in SUFFIXES
            and not any(part.startswith(".") for part in path.relative_to(folder).parts)
            and path.is_file()
        )
    )


def add_folder(
    folder: Path,
    library_dir: Path,
    progress: Progress | None = None,
    *,
    workers: int | None = None,
    write_pool: bool = True,
) -> LibraryReport:
    """Add a music folder: measure all in it, remember it, and give it a pool file if it has none.

    Stopped half-way, the next call goes on where it was. ``library_dir`` is our own data folder.

    Raises:
        UserError: the folder does not exist.
    """
    folder = folder.resolve()
    if not folder.is_dir():
        raise UserError(f"{folder}: there is no such folder")
    report = analyse(library_dir, progress, folders=(folder,), workers=workers)
    problems = list(report.problems)
    try:
        with TrackStore(library_dir) as store:
            store.add_folder(folder)
    except StoreError as error:
        problems.append(Problem(str(library_dir), None, "", f"the folder could not be remembered: {error}"))
    written: Path | None = None
    if not report.tracks:
        problems.append(Problem(str(folder), None, "", "holds no music that can be played"))
    elif write_pool and not any(is_pool_file(path) for path in folder.rglob("*")):
        written = folder / "pool.yaml"
        try:
            written.write_text(_first_pool(folder, report.tracks), encoding="utf-8")
        except OSError as error:
            problems.append(
                Problem(str(written), None, "", f"could not be written: {error.strerror or error}")
            )
            written = None
    return LibraryReport(report.tracks, tuple(problems), report.measured, written)


def analyse(
    library_dir: Path,
    progress: Progress | None = None,
    *,
    folders: Sequence[Path] | None = None,
    workers: int | None = None,
    again: bool = False,
) -> LibraryReport:
    """Measure all music of these folders (None: of every folder added) that is not known yet.

    ``again`` measures everything anew. If the store cannot be written the measuring goes on, and the
    report says so once.

    Raises:
        UserError: the store cannot even be opened.
    """
    try:
        store = TrackStore(library_dir)
    except StoreError as error:
        raise UserError(str(error)) from error
    with store:
        problems: list[Problem] = []
        _guard(store.forget_measurements, problems) if again else None
        chosen = tuple(folders) if folders is not None else store.folders()
        return _analyse_with(store, chosen, progress or (lambda _d, _t, _n: None), workers, problems)


def _guard(action: Callable[[], None], problems: list[Problem]) -> bool:
    try:
        action()
    except StoreError as error:
        problems.append(Problem(str(error), None, "", "measurements could not be kept"))
        return False
    return True


def _analyse_with(
    store: TrackStore,
    folders: Iterable[Path],
    progress: Progress,
    workers: int | None,
    problems: list[Problem],
) -> LibraryReport:
    files: list[Path] = []
    for folder in folders:
        if folder.is_dir():
            files.extend(path for path in find_music(folder) if path not in files)
        else:
            problems.append(Problem(str(folder), None, "", "the music folder is missing"))
    tracks: dict[Path, Track] = {}
    unknown: list[Path] = []
    for path in files:
        found = _known(store, path)
        if isinstance(found, Track):
            tracks[path] = found
        elif found is not None:
            problems.append(Problem(str(path), None, "", found))
        else:
            unknown.append(path)
    done = len(files) - len(unknown)
    progress(done, len(files), "")
    keeping = True
    measured = 0
    for path, outcome in measure_files(unknown, workers, _hashes(store)):
        done += 1
        result = _resolved(store, path, outcome)
        measured += not isinstance(outcome, KnownContent)
        if isinstance(result, Track):
            tracks[path] = result
        else:
            problems.append(Problem(str(path), None, "", result))
        if not isinstance(outcome, KnownContent):
            keeping = keeping and _keep(store, path, result, problems)
        progress(done, len(files), path.name)
    ordered = tuple(tracks[path] for path in files if path in tracks)
    return LibraryReport(ordered, tuple(problems), measured)


def _known(store: TrackStore, path: Path) -> Track | str | None:
    """Return a file's track or fault if it is known as it stands on disk; else None."""
    try:
        return store.look_up(path) or store.fault(path)
    except StoreError:
        return None


def _hashes(store: TrackStore) -> frozenset[str]:
    try:
        return store.known_hashes()
    except StoreError:
        return frozenset()


def _resolved(store: TrackStore, path: Path, outcome: Result) -> Track | str:
    """Turn known content into its track, now at this path; measure it after all if the store lost it."""
    if not isinstance(outcome, KnownContent):
        return outcome
    try:
        track = store.known_content(outcome.content_hash, path)
    except StoreError:
        track = None
    if track is not None:
        return track
    again = try_measure(path)
    return "changed while it was read" if isinstance(again, KnownContent) else again


def _keep(store: TrackStore, path: Path, result: Track | str, problems: list[Problem]) -> bool:
    try:
        store.put(path, result)
    except StoreError as error:
        text = f"measurements cannot be kept, and will be made again next time: {error}"
        problems.append(Problem(str(store.path), None, "", text))
        return False
    return True


def list_tracks(library_dir: Path) -> tuple[Track, ...]:
    """Return every track of every folder added that is measured and still there.

    Raises:
        UserError: the store cannot be read.
    """
    try:
        with TrackStore(library_dir) as store:
            files = (path for folder in store.folders() if folder.is_dir() for path in find_music(folder))
            return tuple(track for path in files if (track := store.look_up(path)) is not None)
    except StoreError as error:
        raise UserError(str(error)) from error


def load_pools(library_dir: Path, rendered: Iterable[Track] = (), folders: Sequence[Path] = ()) -> Pools:
    """Load the shipped pools and those of every folder added (and of ``folders`` besides).

    Raises:
        UserError: the store cannot be read.
    """
    try:
        with TrackStore(library_dir) as store:
            known = store.folders()
            extra = tuple(path for folder in folders if (path := folder.resolve()) not in known)
            return load_catalogue(rendered, (*known, *extra), store.look_up)
    except StoreError as error:
        raise UserError(str(error)) from error


def check(library_dir: Path, rendered: Iterable[Track] = ()) -> tuple[Problem, ...]:
    """Return everything wrong, or worth knowing, about the music: files, pool files, single tracks.

    Raises:
        UserError: the store cannot be read.
    """
    pools = load_pools(library_dir, rendered)
    problems = list(pools.problems)
    seen: set[str] = set()
    for pool in pools:
        for track in pool.tracks:
            if not track.generated and track.track_id not in seen:
                seen.add(track.track_id)
                problems.extend(_about(track))
    return tuple(problems)


def _about(track: Track) -> list[Problem]:
    problems = []
    if track.range_lu > LOUD_RANGE_LU:
        problems.append(
            Problem(track.path, None, "", f"moves by {track.range_lu:.0f} LU between soft and loud")
        )
    wanted = -23.0 - track.integrated_lufs + track.extra_gain_db
    if wanted - track.gain_db > _PEAK_LIMITED_DB + (3.1 if track.channels == 1 else 0.0):
        short = wanted - track.gain_db
        text = f"will sound {short:.0f} dB softer than the others: its peaks leave no room"
        problems.append(Problem(track.path, None, "", text))
    return problems


def _first_pool(folder: Path, tracks: Sequence[Track]) -> str:
    """Write a first pool file: all music of the folder, with the energies found."""
    name = sub(r"[^a-z0-9]+", "-", folder.name.lower()).strip("-") or "my-music"
    energies = sorted(track.energy for track in tracks)
    data = {
        "pool": name[:60],
        "title": folder.name[:120] or "My music",
        "mood": name[:60],
        "energy": [energies[0], energies[-1]],
        "curve": "level",
        "words_allowed": False,
        "files": ["**/*"],
    }
    out = StringIO()
    out.write(
        "# A first pool file: all the music of this folder in one pool.\n"
        "# See docs/music.md for what else it may say.\n"
    )
    out.write("# Listen before you use it: 'words_allowed: false' says that none of it is sung or spoken.\n")
    yaml = YAML()
    yaml.default_flow_style = None
    yaml.dump(data, out)
    return out.getvalue()
