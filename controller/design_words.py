"""What changed between two versions of a design, in words a person reads: phases by name, numbers with units.

Pure: plain data goes in, lines come out. What it has no words for it names by its key; it leaves nothing out.
"""

from collections.abc import Iterator, Mapping
from typing import Final

from profiles.yaml_source import Plain

NAMED_BY: Final = ("id", "prompt", "anchor", "at_minute")
"""What tells the items of a list apart, in this order."""

UNITS: Final[Mapping[str, str]] = {
    "minutes": " min",
    "minimum_minutes": " min",
    "fade_minutes": " min",
    "at_minute": " min",
    "every_minutes": " min",
    "from_minute": " min",
    "until_minute": " min",
    "to_minute": " min",
    "for_minutes": " min",
    "returns_after_minutes": " min",
    "brightness_percent": " %",
    "kelvin": " K",
    "level_dba": " dB(A)",
    "music_db": " dB",
    "fade_s": " s",
    "crossfade_s": " s",
    "ttl_s": " s",
}

WORDS: Final[Mapping[str, str]] = {
    "brightness_percent": "brightness",
    "kelvin": "warmth",
    "level_dba": "level",
    "fade_minutes": "fade",
    "fade_s": "fade",
    "crossfade_s": "crossfade",
    "at_minute": "time",
    "every_minutes": "interval",
    "minimum_minutes": "minimum",
    "minutes": "length",
    "music_db": "music",
    "reviewed_by": "signed by",
}


def differences(before: Plain, after: Plain) -> tuple[str, ...]:
    """Return what changed, one line each; nothing where both mean the same."""
    return tuple(_changes((), before, after))


def _changes(path: tuple[str, ...], before: Plain, after: Plain) -> Iterator[str]:
    if isinstance(before, dict) and isinstance(after, dict):
        for key in dict.fromkeys((*before, *after)):
            yield from _one(path, key, before, after)
    elif isinstance(before, list) and isinstance(after, list):
        yield from _lists(path, before, after)
    elif not _same(before, after):
        yield f"{_where(path)}: {_said(before, path)} → {_said(after, path)}"


def _one(
    path: tuple[str, ...], key: str, before: Mapping[str, Plain], after: Mapping[str, Plain]
) -> Iterator[str]:
    if key not in before:
        yield f"{_where((*path, key))}: new, {_said(after[key], (*path, key))}"
    elif key not in after:
        yield f"{_where((*path, key))}: taken out (was {_said(before[key], (*path, key))})"
    else:
        yield from _changes((*path, key), before[key], after[key])


def _lists(path: tuple[str, ...], before: list[Plain], after: list[Plain]) -> Iterator[str]:
    old, new = _by_name(before), _by_name(after)
    for name, item in old.items():
        if name not in new:
            yield f"{_where((*path, name))}: taken out"
        else:
            yield from _changes((*path, name), item, new[name])
    names = list(new)
    for index, name in enumerate(names):
        if name not in old:
            place = f", after {names[index - 1]}" if index else ", first"
            what = "" if isinstance(new[name], dict | list) else f" {_said(new[name], path)}"
            yield f"{_where((*path, name))}: new{what}{place}"
    stayed_before = [name for name in old if name in new]
    stayed_after = [name for name in new if name in old]
    if stayed_before != stayed_after:
        yield f"{_where(path) or 'the list'}: new order: {', '.join(stayed_after)}"


def _by_name(items: list[Plain]) -> dict[str, Plain]:
    found: dict[str, Plain] = {}
    for index, item in enumerate(items):
        name = str(index + 1)
        if isinstance(item, dict):
            parts = [str(item[key]) for key in NAMED_BY if item.get(key) is not None]
            name = parts[0] if "id" in item and parts else (" ".join(parts[:2]) or name)
        elif isinstance(item, str):
            name = item
        while name in found:
            name += " (again)"
        found[name] = item
    return found


def _where(path: tuple[str, ...]) -> str:
    names = [WORDS.get(part, part.replace("_", " ")) for part in path]
    if names[:1] == ["phases"] and len(names) > 1:
        return " ".join((f"phase {path[1]},", *names[2:])).rstrip(",")
    return " ".join(names)


def _said(value: Plain, path: tuple[str, ...]) -> str:
    unit = UNITS.get(path[-1], "") if path else ""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return f"{value:g}{unit}"
    if isinstance(value, str):
        return f"“{value}”" if " " in value else value or "nothing"
    if isinstance(value, list):
        return ", ".join(_said(item, path) for item in value) or "nothing"
    return "; ".join(f"{WORDS.get(k, k.replace('_', ' '))} {_said(v, (k,))}" for k, v in value.items())


def _same(a: Plain, b: Plain) -> bool:
    return a == b and isinstance(a, bool) == isinstance(b, bool)
