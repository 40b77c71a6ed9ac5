"""Reads pool files (YAML): every fault in them found at once, each with its line.

It must never read audio, and never stop at the first fault.
"""

from difflib import get_close_matches
from io import StringIO
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from controller.errors import Problem
from playlists.models import EnergyRange, Pool, TrackEntry

_WORDS = {
    "missing": "is missing",
    "extra_forbidden": "is not known here",
    "string_pattern_mismatch": "must be lower-case letters, digits and dashes",
}


def is_pool_file(path: Path) -> bool:
    """Whether a file beside music is a pool file: ``pool.yaml``, ``*.pool.yaml`` (or ``.yml``)."""
    name = path.name.lower()
    return name in {"pool.yaml", "pool.yml"} or name.endswith((".pool.yaml", ".pool.yml"))


def read_pool_file(path: Path) -> tuple[Pool | None, tuple[Problem, ...]]:
    """Return the pool a file describes, or None and every problem found in it."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        return None, (Problem(str(path), None, "", f"cannot be read: {error.strerror or error}"),)
    except UnicodeDecodeError:
        return None, (Problem(str(path), None, "", "is not text in UTF-8"),)
    return parse_pool(text, str(path))


def parse_pool(text: str, file: str) -> tuple[Pool | None, tuple[Problem, ...]]:
    """Return the pool that a pool file's text describes, or None and every problem found in it."""
    try:
        data = YAML(typ="rt").load(StringIO(text))
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = None if mark is None else mark.line + 1
        return None, (Problem(file, line, "", f"is not YAML: {error.problem or error.context}"),)
    except YAMLError as error:
        return None, (Problem(file, None, "", f"is not YAML: {error}"),)
    if not isinstance(data, CommentedMap):
        return None, (
            Problem(file, 1, "", "is no pool: expected keys such as 'pool', 'title', 'mood', 'files'"),
        )
    try:
        return Pool.model_validate(_plain(data)), ()
    except ValidationError as error:
        return None, tuple(_problem(detail, data, file) for detail in error.errors(include_url=False))


def _plain(node: object) -> object:
    """Turn the loader's own containers into plain ones; ``energy: 0.3`` and ``[0.2, 0.4]`` into a range."""
    if isinstance(node, CommentedMap):
        plain = {key: _plain(value) for key, value in node.items()}
        if "pool" in plain and "energy" in plain:
            plain["energy"] = _range(plain["energy"])
        return plain
    if isinstance(node, CommentedSeq):
        return tuple(_plain(value) for value in node)
    return node


def _range(energy: object) -> object:
    if isinstance(energy, int | float) and not isinstance(energy, bool):
        return {"low": energy, "high": energy}
    if isinstance(energy, tuple) and len(energy) == 2:
        return {"low": energy[0], "high": energy[1]}
    return energy


def _problem(detail: ErrorDetails, data: CommentedMap, file: str) -> Problem:
    where = detail["loc"]
    key = ".".join(str(part + 1) if isinstance(part, int) else part for part in where)
    kind = detail["type"]
    message = _WORDS.get(kind) or _sentence(detail)
    hint = ""
    if kind == "extra_forbidden":
        known = _keys_at(where)
        near = get_close_matches(str(where[-1]), known, n=1)
        hint = f"did you mean '{near[0]}'?" if near else f"known: {', '.join(known)}"
    return Problem(file, _line(data, where), key, message, hint)


def _sentence(detail: ErrorDetails) -> str:
    words = detail["msg"].removeprefix("Value error, ")
    words = words[:1].lower() + words[1:]
    given = detail["input"]
    return f"{words}, not {given!r}" if isinstance(given, str | int | float | bool) else words


def _keys_at(where: tuple[int | str, ...]) -> list[str]:
    model: type[BaseModel] = Pool
    if where[0] == "tracks" and len(where) > 1:
        model = TrackEntry
    elif where[0] == "energy" and len(where) > 1:
        model = EnergyRange
    return list(model.model_fields)


def _line(data: CommentedMap, where: tuple[int | str, ...]) -> int | None:
    """Return the line of the deepest part of a place that is really in the file."""
    node: Any = data
    line: int | None = int(data.lc.line) + 1
    for part in where:
        try:
            if isinstance(node, CommentedMap):
                line = int(node.lc.key(part)[0]) + 1
            elif isinstance(node, CommentedSeq):
                line = int(node.lc.item(part)[0]) + 1
            else:
                break
            node = node[part]
        except (KeyError, IndexError, TypeError):
            break
    return line
