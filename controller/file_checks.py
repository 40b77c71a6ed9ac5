"""Checks every kind of file a person writes: profiles, presets, prompts, sites, and the music's pools."""

from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Final

from controller.errors import Problem
from playlists.models import Pool
from playlists.pool_files import read_pool_file
from profiles.file_kinds import OWN_KINDS, FileKind
from profiles.validation import validate_paths
from profiles.yaml_source import Document


def _pool_problems(path: Path) -> tuple[Problem, ...]:
    return read_pool_file(path)[1]


def _pool_of(document: Document) -> tuple[str, ...]:
    name = document.data.get("pool") if isinstance(document.data, dict) else None
    return (name,) if isinstance(name, str) else ()


POOL: Final = FileKind("pool", "pool", Pool, validator=_pool_problems, pools_of=_pool_of)
KINDS: Final[tuple[FileKind, ...]] = (*OWN_KINDS, POOL)


def shipped_pools() -> frozenset[str]:
    """Return the ids of the pools that come with the product."""
    from playlists.catalogue import LIBRARY  # noqa: PLC0415 - reads files, and only checks need it

    pools = (read_pool_file(path)[0] for path in sorted(LIBRARY.glob("*.yaml")))
    return frozenset(pool.pool for pool in pools if pool is not None)


def check_files(paths: Iterable[Path], drivers: Collection[str]) -> tuple[Problem, ...]:
    """Return every fault of these files and folders, all at once."""
    return validate_paths(paths, kinds=KINDS, known_pools=shipped_pools(), drivers=drivers)
