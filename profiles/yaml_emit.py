"""Writing plain data as YAML text, the way the shipped files are written: short parts in one line.

Every text it writes reads back as the same data. It knows nothing of the file the text goes into.
"""

import json
import re
from typing import Final

from ruamel.yaml.error import YAMLError
from ruamel.yaml.nodes import ScalarNode

from profiles.yaml_source import Plain, compose, scalar

WIDTH: Final = 100

_WORD = re.compile(r"[A-Za-z][A-Za-z0-9 _.()'/-]*", re.ASCII)


def flow(value: Plain, quote: str | None = None) -> str:
    """Return a value in one line. ``quote``: the quotes wished for text (single, double, None as needed)."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{flow(key)}: {flow(part)}" for key, part in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(flow(part) for part in value) + "]"
    if isinstance(value, str):
        return _text(value, quote)
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return repr(value)


def block(value: Plain, indent: int) -> list[str]:
    """Return a value as lines, each from column ``indent`` on; short parts in one line."""
    pad = " " * indent
    if isinstance(value, dict) and value:
        return [line for key, part in value.items() for line in entry(key, part, indent)]
    if isinstance(value, list) and value:
        return [line for part in value for line in item(part, indent)]
    return [pad + flow(value)]


def entry(key: str, value: Plain, indent: int) -> list[str]:
    """Return one key with its value as lines."""
    head = " " * indent + flow(key) + ":"
    if _in_one_line(value, indent + len(head)):
        return [f"{head} {flow(value)}"]
    return [head, *block(value, indent + 2)]


def item(value: Plain, indent: int) -> list[str]:
    """Return one item of a list as lines."""
    pad = " " * indent
    has_parts = isinstance(value, dict) and any(map(_is_part, value.values()))
    if _in_one_line(value, indent + 2) and not has_parts:
        return [f"{pad}- {flow(value)}"]
    lines = block(value, indent + 2)
    return [f"{pad}- {lines[0].lstrip(' ')}", *lines[1:]]


def _in_one_line(value: Plain, column: int) -> bool:
    if not _is_part(value):
        return True
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    deep = any(_is_part(inner) for part in parts if isinstance(part, dict | list) for inner in _inside(part))
    return not deep and column + len(flow(value)) <= WIDTH


def _inside(part: dict[str, Plain] | list[Plain]) -> list[Plain]:
    return list(part.values()) if isinstance(part, dict) else part


def _is_part(value: Plain) -> bool:
    return isinstance(value, dict | list) and bool(value)


def _text(value: str, quote: str | None) -> str:
    if quote == "'" and value.isprintable() and value:
        return "'" + value.replace("'", "''") + "'"
    if quote is None and _plain_is_safe(value):
        return value
    return '"' + "".join(map(_escaped, value)) + '"'


def _escaped(letter: str) -> str:
    """Return one character as it stands between double quotes; what a screen does not show as its number."""
    if letter in '"\\':
        return "\\" + letter
    if letter.isprintable() and letter != "\ufeff":
        return letter
    return f"\\u{ord(letter):04x}" if ord(letter) <= 0xFFFF else f"\\U{ord(letter):08x}"


def _plain_is_safe(value: str) -> bool:
    """Say whether text may stand without quotes: only plain words that YAML reads as that very text."""
    if not _WORD.fullmatch(value) or value != value.strip() or "  " in value:
        return False
    try:
        node = compose(value)
    except YAMLError:
        return False
    return isinstance(node, ScalarNode) and scalar(node) == value and value.lower() not in _TRUTHS_OF_YAML_1_1


_TRUTHS_OF_YAML_1_1: Final = ("yes", "no", "on", "off", "y", "n")
"""Other programs read these as true and false."""
