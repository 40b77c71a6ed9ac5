"""Validating whatever files and folders somebody names: each by its kind, all faults at once.

It reads, and never changes a file. A site file brings the files it names with it.
"""

from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import Final

from controller.errors import Problem
from profiles.file_kinds import OWN_KINDS, PROFILE, PROMPTS, SITE, FileKind, kind_of, unknown_kind
from profiles.references import Known
from profiles.yaml_source import Document, KeyPath, each, read_document

LIBRARY: Final = Path(__file__).parent / "library"
"""The folder of the shipped files."""

SUFFIXES: Final = (".yaml", ".yml")

# Where a site file names other files, relative to itself.
_SITE_FILES: Final = (
    ("profiles", "*"),
    ("presets", "*"),
    ("prompts", "*"),
    ("rooms", "*", "presets", "*"),
    ("rooms", "*", "music", "pools", "*"),
)
_SITE_FOLDERS: Final = (("rooms", "*", "music", "folders", "*"),)


def validate_paths(
    paths: Iterable[Path],
    *,
    kinds: Collection[FileKind] = OWN_KINDS,
    known_pools: Collection[str] | None = None,
    drivers: Collection[str] | None = None,
) -> tuple[Problem, ...]:
    """Return every fault of these files, of the files in these folders and of those a site file names.

    ``kinds`` are the kinds of file there are; ``known_pools`` the pools that are there without being in
    one of the files (None: not known, so references to pools are checked only if pools files are among
    the paths); ``drivers`` the lamp drivers installed (None: not checked).
    """
    documents, problems = _gather(paths)
    sorted_in: list[tuple[Document, FileKind]] = []
    for document in documents:
        kind = kind_of(document, kinds)
        if kind is not None:
            sorted_in.append((document, kind))
        elif document.data is None:
            problems += document.problems
        else:
            problems.append(unknown_kind(document, kinds))
    known = _known(sorted_in, known_pools, drivers)
    for document, kind in sorted_in:
        problems += kind.problems(document, known)
    problems += _same_profile_twice(sorted_in)
    return tuple(dict.fromkeys(problems))


def shipped_prompts() -> dict[str, str]:
    """Return the shipped prompts' keys, each with its audience."""
    return prompts_in(read_document(LIBRARY / "prompts.yaml"))


def prompts_in(document: Document) -> dict[str, str]:
    """Return the keys of a prompts file, each with its audience, as far as they can be read."""
    found: dict[str, str] = {}
    for path, prompt in each(document.data, "prompts", "*"):
        audience = prompt.get("audience") if isinstance(prompt, dict) else None
        found[str(path[-1])] = audience if isinstance(audience, str) else ""
    return found


def yaml_files(folder: Path) -> tuple[Path, ...]:
    """Return the YAML files of a folder and the folders in it, sorted; hidden ones left out."""
    found = (path for path in folder.rglob("*") if path.suffix in SUFFIXES and path.is_file())
    return tuple(
        sorted(p for p in found if not any(part.startswith(".") for part in p.relative_to(folder).parts))
    )


def _gather(paths: Iterable[Path]) -> tuple[list[Document], list[Problem]]:
    """Read the files, and those that site files name, each once."""
    documents: list[Document] = []
    problems: list[Problem] = []
    seen: set[Path] = set()
    waiting: list[tuple[Path, Document | None, KeyPath]] = [(path, None, ()) for path in paths]
    while waiting:
        path, named_by, at = waiting.pop(0)
        if path.is_dir():
            inside = yaml_files(path)
            if not inside:
                problems.append(Problem(str(path), None, "", "no YAML files in this folder"))
            waiting += [(file, None, ()) for file in inside]
            continue
        if (resolved := path.resolve()) in seen:
            continue
        seen.add(resolved)
        if named_by is not None and not path.exists():
            problems.append(named_by.problem(at, f"no such file: {path}"))
            continue
        document = read_document(path)
        documents.append(document)
        if kind_of(document) is SITE:
            waiting += _named_by_site(document)
            problems += _missing_folders(document)
    return documents, problems


def _named_by_site(site: Document) -> Iterator[tuple[Path, Document, KeyPath]]:
    for pattern in _SITE_FILES:
        for at, name in each(site.data, *pattern):
            if isinstance(name, str) and name:
                yield Path(site.file).parent / name, site, at


def _missing_folders(site: Document) -> Iterator[Problem]:
    for pattern in _SITE_FOLDERS:
        for at, name in each(site.data, *pattern):
            if isinstance(name, str) and name and not (Path(site.file).parent / name).is_dir():
                yield site.problem(at, f"no such folder: {Path(site.file).parent / name}")


def _known(
    documents: list[tuple[Document, FileKind]], pools: Collection[str] | None, drivers: Collection[str] | None
) -> Known:
    prompts = shipped_prompts()
    found_pools: set[str] | None = None if pools is None else set(pools)
    zones: set[str] | None = None
    languages: set[str] = set()
    for document, kind in documents:
        if kind is PROMPTS:
            prompts |= prompts_in(document)
        if kind is SITE:
            zones = (zones or set()) | {
                str(zone) for _, zone in each(document.data, "rooms", "*", "zones", "*", "id")
            }
            languages |= {str(language) for _, language in each(document.data, "language")}
        if kind.pools_of is not None:
            found_pools = (found_pools or set()) | set(kind.pools_of(document))
    return Known(prompts, found_pools, zones, drivers, tuple(sorted(languages)))


def _same_profile_twice(documents: list[tuple[Document, FileKind]]) -> Iterator[Problem]:
    seen: dict[str, str] = {}
    for document, kind in documents:
        for path, name in each(document.data, "profile") if kind is PROFILE else ():
            if isinstance(name, str) and name in seen:
                yield document.problem(path, f"profile `{name}` is in {seen[name]} already")
            elif isinstance(name, str):
                seen[name] = document.file
