"""Reading YAML that people wrote: plain data, the line of every key, and every fault at once.

A bad file never raises here: its faults come back as ``Problem`` lines. Values are never guessed:
text stays text, and what is written twice is a fault.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from math import isfinite
from pathlib import Path
from typing import Final, TypeAlias, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from controller.errors import Problem
from profiles.model_paths import message_of, names_at

MAX_BYTES: Final = 1_000_000
MAX_NODES: Final = 100_000
"""Aliases can multiply a small file into a huge one; no honest file of ours comes near this."""
MAX_DEPTH: Final = 40
MAX_NUMBER: Final = 2**63
TOO_DEEP: Final = "nested or repeated far too deeply"

Plain: TypeAlias = "dict[str, Plain] | list[Plain] | str | int | float | bool | None"
KeyPath: TypeAlias = tuple[str | int, ...]

M = TypeVar("M", bound=BaseModel)

_BRACKETS = re.compile(r"[\[\]{}]")
_CORE: Final = "tag:yaml.org,2002:"
_MERGE_TAG: Final = _CORE + "merge"
_SCALAR_TAGS: Final = frozenset(_CORE + name for name in ("null", "bool", "int", "float", "str"))
_PLAIN_TAGS: Final = _SCALAR_TAGS | {_CORE + name for name in ("map", "seq", "timestamp", "value")}


@dataclass(frozen=True, slots=True)
class Document:
    """One file as read: its text, its plain data (None if it cannot be read), and where each key stands.

    ``lines`` has a 1-based line for every key path; ``problems`` what is wrong with the YAML itself.
    """

    file: str
    text: str
    data: Plain
    lines: Mapping[KeyPath, int] = field(repr=False)
    problems: tuple[Problem, ...] = ()

    def line_of(self, path: KeyPath) -> int | None:
        """Return the line of a key path, or of the nearest part of it that was written."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path)

    def problem(self, path: KeyPath, message: str, hint: str = "") -> Problem:
        """Return a fault at a key path."""
        return Problem(self.file, self.line_of(path), key_text(path), message, hint)


def key_text(path: KeyPath) -> str:
    """Return a key path as people read it: ``phases[2].light.kelvin``."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def nearest(name: str, known: Sequence[str]) -> str:
    """Return a hint towards the known name nearest to ``name``, or the known ones if they are few."""
    near = get_close_matches(name, known, n=1, cutoff=0.6)
    if near:
        return f"did you mean `{near[0]}`?"
    if 0 < len(known) <= 40:
        return "known: " + ", ".join(sorted(set(known)))
    return ""


def read_document(path: Path) -> Document:
    """Read one file; one that is missing, too large, not text or not YAML comes back with its problems."""
    name = str(path)
    try:
        if not path.is_file():
            return _unread(name, "no such file" if not path.exists() else "not a file")
        with path.open("rb") as stream:
            raw = stream.read(MAX_BYTES + 1)
        if len(raw) > MAX_BYTES:
            return _unread(name, f"larger than {MAX_BYTES // 1000} kB: not a file of ours")
        return parse_document(raw.decode("utf-8-sig"), name)
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        return Document(name, "", None, {}, (Problem(name, line, "", "not UTF-8 text"),))
    except OSError as error:
        return _unread(name, f"cannot be read: {error.strerror or error}")


def parse_document(text: str, file: str) -> Document:
    """Read YAML from text; ``file`` is the name that problems carry."""
    if len(text) > MAX_BYTES:
        return _unread(file, f"larger than {MAX_BYTES // 1000} kB: not a file of ours")
    if _is_deep(text):
        return _unread(file, TOO_DEEP)
    try:
        root = compose(text)
        if root is None:
            return _unread(file, "the file is empty")
        reader = _Reader(file)
        data = reader.read(root, ())
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        message = " ".join(part for part in (error.context, error.problem) if part)
        line = None if mark is None else mark.line + 1
        return Document(file, text, None, {}, (Problem(file, line, "", f"not YAML: {message}"),))
    except YAMLError as error:
        return Document(file, text, None, {}, (Problem(file, None, "", f"not YAML: {_one_line(error)}"),))
    except (RecursionError, _TooMuchError):
        return _unread(file, TOO_DEEP)
    return Document(file, text, data, reader.lines, tuple(reader.problems))


def _is_deep(text: str) -> bool:
    """Say whether brackets open far deeper than we read: the parser would take very long to find out."""
    depth = 0
    for bracket in _BRACKETS.findall(text):
        depth += 1 if bracket in "[{" else -1
        if depth > 4 * MAX_DEPTH:
            return True
    return False


def compose(text: str) -> Node | None:
    """Return the one YAML document's node tree, with marks into the text; None if it is empty.

    Raises:
        YAMLError: it is not one YAML document.
    """
    node: Node | None = YAML(typ="safe", pure=True).compose(text)
    return node


def scalar(node: Node) -> str | int | float | bool | None:
    """Return a scalar node's value. Dates and other fancies stay the text they are."""
    if node.tag not in _SCALAR_TAGS:
        return str(node.value)
    if node.tag == _CORE + "str":
        return str(node.value)
    value: str | int | float | bool | None = YAML(typ="safe", pure=True).constructor.construct_object(node)
    return value


def checked(document: Document, model: type[M]) -> tuple[M | None, tuple[Problem, ...]]:
    """Return a document as a model, or None and every fault the model finds in it."""
    if document.data is None:
        return None, document.problems or (document.problem((), "the file is empty"),)
    try:
        # JSON in strict mode: lists are tuples, but no text is a number and no number a truth.
        value = model.model_validate_json(json.dumps(document.data), strict=True)
    except ValidationError as error:
        return None, (*document.problems, *_problems_of(document, model, error))
    return (None if document.problems else value), document.problems


def each(data: Plain, *pattern: str) -> Iterator[tuple[KeyPath, Plain]]:
    """Yield what lies at a pattern of keys, with its path; ``*`` is every item or every key's value.

    Parts of a faulty file that do not fit the pattern are passed over.
    """
    yield from _each(data, pattern, ())


def _each(data: Plain, pattern: tuple[str, ...], path: KeyPath) -> Iterator[tuple[KeyPath, Plain]]:
    if not pattern:
        yield path, data
        return
    head, rest = pattern[0], pattern[1:]
    if isinstance(data, dict):
        for key, value in data.items():
            if head in ("*", key):
                yield from _each(value, rest, (*path, key))
    elif isinstance(data, list) and head == "*":
        for index, value in enumerate(data):
            yield from _each(value, rest, (*path, index))


def _problems_of(document: Document, model: type[BaseModel], error: ValidationError) -> Iterator[Problem]:
    seen: set[tuple[KeyPath, str]] = set()
    details = error.errors(include_url=False)
    for detail in details:
        if detail["type"] == "too_short" and _has_inner(details, detail["loc"]):
            # Items that are wrong in themselves also count as missing to pydantic.
            continue
        path = _written_path(document, detail["loc"])
        message = message_of(detail)
        hint = ""
        if detail["type"] == "extra_forbidden":
            hint = nearest(str(detail["loc"][-1]), names_at(model, detail["loc"][:-1]))
        elif detail["type"] in ("literal_error", "enum") and isinstance(detail["input"], str):
            expected = str(detail.get("ctx", {}).get("expected", ""))
            near = get_close_matches(
                detail["input"], expected.replace("'", "").replace(" or ", ", ").split(", "), n=1
            )
            hint = f"did you mean `{near[0]}`?" if near else ""
        elif detail["type"] == "missing":
            path = (*path, str(detail["loc"][-1]))
        if (path, message) not in seen:
            seen.add((path, message))
            yield document.problem(path, message, hint)


def _has_inner(details: Sequence[ErrorDetails], loc: tuple[str | int, ...]) -> bool:
    return any(len(other["loc"]) > len(loc) and other["loc"][: len(loc)] == loc for other in details)


def _written_path(document: Document, loc: tuple[str | int, ...]) -> KeyPath:
    """Return the part of pydantic's location that was written: without union arms and ``[key]`` marks."""
    path: KeyPath = ()
    for part in loc:
        if (*path, part) in document.lines:
            path = (*path, part)
    return path


class _TooMuchError(Exception):
    """The file unfolds into more than we will hold."""


class _Reader:
    """Turns a node tree into plain data, and notes lines and faults on the way."""

    def __init__(self, file: str) -> None:
        self.lines: dict[KeyPath, int] = {}
        self.problems: list[Problem] = []
        self._file = file
        self._count = 0

    def read(self, node: Node, path: KeyPath) -> Plain:
        """Return a node's plain data; ``path`` is where it stands."""
        self._count += 1
        if self._count > MAX_NODES or len(path) > MAX_DEPTH:
            raise _TooMuchError
        self.lines.setdefault(path, node.start_mark.line + 1)
        if node.tag not in _PLAIN_TAGS:
            self._fault(node, path, f"tags like `{node.tag}` mean nothing here")
        if isinstance(node, MappingNode):
            return self._mapping(node, path)
        if isinstance(node, SequenceNode):
            return [self._item(child, (*path, index)) for index, child in enumerate(node.value)]
        return self._scalar(node)

    def _item(self, node: Node, path: KeyPath) -> Plain:
        self.lines[path] = node.start_mark.line + 1
        return self.read(node, path)

    def _scalar(self, node: Node) -> Plain:
        value = scalar(node)
        if (isinstance(value, float) and not isfinite(value)) or (
            isinstance(value, int) and abs(value) > MAX_NUMBER
        ):
            return str(node.value)  # no number that any of our keys means; the model says what it expects
        return value

    def _mapping(self, node: MappingNode, path: KeyPath) -> Plain:
        own: dict[str, Plain] = {}
        merged: dict[str, Plain] = {}
        for key_node, value_node in node.value:
            if key_node.tag == _MERGE_TAG:
                self._merge(value_node, path, merged)
                continue
            if not isinstance(key_node, ScalarNode):
                self._fault(key_node, path, "expected a plain word as a key")
                continue
            # Whatever a key looks like (`5`, `on`, a date), it is the word that was written.
            key = str(key_node.value)
            if key in own:
                self._fault(key_node, (*path, key), "this key is written twice")
                continue
            self.lines[(*path, key)] = key_node.start_mark.line + 1
            own[key] = self.read(value_node, (*path, key))
        return {**merged, **own}

    def _merge(self, node: Node, path: KeyPath, into: dict[str, Plain]) -> None:
        sources = node.value if isinstance(node, SequenceNode) else [node]
        for source in sources:
            value = self.read(source, path)
            if not isinstance(value, dict):
                self._fault(source, path, "expected keys to merge after `<<`")
                continue
            for key, part in value.items():
                into.setdefault(key, part)

    def _fault(self, node: Node, path: KeyPath, message: str) -> None:
        self.problems.append(Problem(self._file, node.start_mark.line + 1, key_text(path), message))


def _unread(file: str, message: str) -> Document:
    return Document(file, "", None, {}, (Problem(file, None, "", message),))


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
