"""Which items of an old list live on in a new one: the plan of a list's edit. Pure.

It never looks at text; ``profiles/yaml_edit.py`` does what the plan says.
"""

from collections.abc import Callable
from dataclasses import dataclass

from profiles.yaml_source import Plain


@dataclass(frozen=True, slots=True)
class Plan:
    """How a list becomes another.

    ``kept`` pairs old and new indices, rising in both. ``removed`` are old indices. ``inserted`` pairs a
    new index with the old index it comes before (None: at the end). If ``order`` is set, the old items
    must first be put into this order (old indices), and a new plan be made.
    """

    kept: tuple[tuple[int, int], ...]
    removed: tuple[int, ...]
    inserted: tuple[tuple[int, int | None], ...]
    order: tuple[int, ...] | None = None


def plan_items(old: list[Plain], new: list[Plain], same: Callable[[Plain, Plain], bool]) -> Plan:
    """Return the plan from an old list to a new one."""
    source = _sources(old, new, same)
    used = [index for index in source if index is not None]
    pairs = tuple((o, n) for n, o in enumerate(source) if o is not None)
    if used != sorted(used):
        rest = [index for index in range(len(old)) if index not in used]
        return Plan(pairs, (), (), tuple(used + rest))
    removed = tuple(index for index in range(len(old)) if index not in used)
    inserted: list[tuple[int, int | None]] = []
    for new_index, old_index in enumerate(source):
        if old_index is None:
            following = next((o for o in source[new_index:] if o is not None), None)
            inserted.append((new_index, following))
    return Plan(pairs, removed, tuple(inserted))


def _sources(old: list[Plain], new: list[Plain], same: Callable[[Plain, Plain], bool]) -> list[int | None]:
    """Return for each new item the old one it was: the same, else of the same id, else in its place."""
    source: list[int | None] = [None] * len(new)
    free = list(range(len(old)))

    def take(matches: Callable[[Plain, Plain], bool]) -> None:
        for n, value in enumerate(new):
            if source[n] is None:
                found = next((o for o in free if matches(old[o], value)), None)
                if found is not None:
                    source[n] = found
                    free.remove(found)

    take(same)
    take(_same_id)
    taken = {index for index in source if index is not None}
    for n, value in enumerate(new):
        # An item changed in its place; one with an id of its own is another item.
        if source[n] is None and n in free and n not in taken and not (_id(value) or _id(old[n])):
            source[n] = n
            free.remove(n)
    return source


def _same_id(a: Plain, b: Plain) -> bool:
    return _id(a) is not None and _id(a) == _id(b)


def _id(value: Plain) -> str | None:
    found = value.get("id") if isinstance(value, dict) else None
    return found if isinstance(found, str) else None
