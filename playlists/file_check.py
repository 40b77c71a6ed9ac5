"""Reads music files to find out whether they can be read: five places of each, then from end to end.

It measures nothing and changes nothing. Whatever a decoder raises becomes one clear line.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import soundfile

from playlists.audio_files import AudioFileError, open_audio
from playlists.models import Track

PLACES: Final = (0.0, 0.25, 0.5, 0.75, 0.98)
_FRAMES: Final = 48_000
_SHORTER: Final = 0.98
"""A file that gives less of itself than this share of its measured length has been cut."""


@dataclass(frozen=True, slots=True)
class FilesRead:
    """What came of reading a pool's files: how many were read from end to end, and what is wrong."""

    files: int
    read_whole: int
    problems: tuple[str, ...]


def read_files(tracks: Sequence[Track], go_on: Callable[[], bool]) -> FilesRead:
    """Read every file at five places, then each from end to end while ``go_on`` says so. Blocking."""
    problems: dict[Path, str] = {}
    for track in tracks:
        path = Path(track.path)
        try:
            _look(path)
        except AudioFileError as error:
            problems[path] = f"{path.name}: {error}"
    whole = 0
    for track in sorted(tracks, key=lambda track: track.length_ms):
        path = Path(track.path)
        if path in problems or not go_on():
            continue
        try:
            if _read_through(path, track.length_ms, go_on):
                whole += 1
        except AudioFileError as error:
            problems[path] = f"{path.name}: {error}"
    return FilesRead(len(tracks), whole, tuple(problems.values()))


def _look(path: Path) -> None:
    """Read a second at five places.

    Raises:
        AudioFileError: the file is missing, or cannot be read there.
    """
    with open_audio(path) as audio:
        next(audio.blocks, None)
    try:
        with soundfile.SoundFile(str(path)) as file:
            for place in PLACES:
                file.seek(int(place * max(file.frames - _FRAMES, 0)))
                if file.frames and len(file.read(_FRAMES, dtype="float32")) == 0:
                    raise AudioFileError(f"is cut off at {place:.0%}")
    except soundfile.LibsndfileError as error:
        if path.suffix.lower() not in (".m4a", ".aac", ".mp4"):  # those are PyAV's, and were opened above
            raise AudioFileError(f"cannot be read: {str(error).splitlines()[0]}") from None
    except (OSError, RuntimeError) as error:
        raise AudioFileError(f"cannot be read: {error}") from None


def _read_through(path: Path, length_ms: int, go_on: Callable[[], bool]) -> bool:
    """Read from end to end; False if there was no time.

    Raises:
        AudioFileError: it breaks off.
    """
    with open_audio(path) as audio:
        frames = 0
        for block in audio.blocks:
            frames += len(block)
            if not go_on():
                return False
        read_ms = frames * 1000 / audio.rate_hz
    if read_ms < length_ms * _SHORTER:
        raise AudioFileError(f"breaks off after {read_ms / 1000:.0f} s of {length_ms / 1000:.0f} s")
    return True
