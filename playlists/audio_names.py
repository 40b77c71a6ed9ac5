"""What audio files are called: what counts as music, where the bed is. Known without numpy or libsndfile."""

from pathlib import Path
from typing import Final

SUFFIXES: Final = frozenset(
    {".flac", ".wav", ".ogg", ".oga", ".opus", ".mp3", ".aif", ".aiff", ".m4a", ".aac", ".mp4"}
)
"""What counts as music in a folder; the last three need the ``aac`` extra (PyAV)."""

BED_VERSION: Final = 2


def bed_path(folder: Path) -> Path:
    """Return where the bed's file is, or will be."""
    return folder / f"bed-{BED_VERSION}.flac"
