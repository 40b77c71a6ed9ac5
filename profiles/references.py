"""What checks stand on: the names that files may refer to, and finding those that do not exist.

It works on what was written, not on models, so that one misspelt key hides no other fault. It passes over
whatever a model has already complained about.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

from controller.errors import Problem
from profiles.yaml_source import Document, KeyPath, Plain, each, nearest


@dataclass(frozen=True, slots=True)
class Known:
    """The names that files may refer to. None: not known here, so not checked.

    ``prompts`` maps each prompt's key to its audience.
    """

    prompts: dict[str, str] | None = None
    pools: Collection[str] | None = None
    zones: Collection[str] | None = None
    drivers: Collection[str] | None = None
    languages: Collection[str] = field(default=())


def unknown_names(
    document: Document,
    pattern: tuple[str, ...],
    word: str,
    known: Collection[str],
    data: Plain = None,
    base: KeyPath = (),
) -> Iterator[Problem]:
    """Yield a fault for each name at a pattern that is not known; ``base`` is where ``data`` stands."""
    for path, value in each(document.data if data is None else data, *pattern):
        if isinstance(value, str) and value not in known:
            yield document.problem((*base, *path), f"no {word} `{value}`", nearest(value, tuple(known)))


def used_twice(
    document: Document, pattern: tuple[str, ...], word: str, data: Plain = None, base: KeyPath = ()
) -> Iterator[Problem]:
    """Yield a fault for each name at a pattern that was there before; ``base`` is where ``data`` stands."""
    seen: dict[str, KeyPath] = {}
    for path, value in each(document.data if data is None else data, *pattern):
        if isinstance(value, str) and value in seen:
            line = document.line_of((*base, *seen[value]))
            yield document.problem((*base, *path), f"{word} `{value}` is there already", f"line {line}")
        elif isinstance(value, str):
            seen[value] = path


def names_in(document: Document, *pattern: str) -> list[str]:
    """Return the texts at a pattern."""
    return [value for _, value in each(document.data, *pattern) if isinstance(value, str)]


def has(part: dict[str, Plain], key: str) -> bool:
    """Say whether a key is there with a value."""
    return part.get(key) is not None


def number(part: dict[str, Plain], key: str) -> float | None:
    """Return a number at a key; None if it is missing or no number."""
    value = part.get(key)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
