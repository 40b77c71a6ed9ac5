"""Title and artist from a file's tags: the one module that knows mutagen.

Tags are a courtesy: it must never fail, and a file without any gives empty words.
"""

from pathlib import Path
from typing import Any

import mutagen

_LONGEST = 200


def read_tags(path: Path) -> tuple[str, str]:
    """Return (title, artist), each empty where the file does not say."""
    try:
        tags: Any = mutagen.File(str(path), easy=True)
    except Exception:  # noqa: BLE001 -- mutagen lets many kinds of parsing error out; a tag is never worth failing for
        return "", ""
    if not tags:
        return "", ""
    return _first(tags, "title"), _first(tags, "artist")


def _first(tags: Any, key: str) -> str:  # noqa: ANN401 -- mutagen has no types
    try:
        values = tags.get(key)
    except (KeyError, ValueError, TypeError):
        return ""
    if not isinstance(values, list) or not values:
        return ""
    word = "".join(letter for letter in str(values[0]) if letter.isprintable())
    return word.strip()[:_LONGEST]
