"""The rooms of the code: who may import whom, and how long anything may be.

The contracts in pyproject.toml say the same for the modules they name; these hold for modules to come, too.
"""

import ast
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ROOMS = ("controller", "profiles", "playlists", "hardware")
SOURCES = sorted(path for room in ROOMS for path in (ROOT / room).rglob("*.py"))

MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 50
Function = (ast.FunctionDef, ast.AsyncFunctionDef)

DECLARATIONS = {"controller.ports", "controller.wire"}
"""Lists of types that are read in one piece: they may be longer."""

COMPOSITION_ROOTS = ("controller.daemon", "controller.rehearsal", "controller.cli")

CORE = ("controller.core",)
MAY_IMPORT = {
    "controller.core": CORE,
    "controller.errors": CORE,
    "controller.clock": CORE,
    "controller.ports": (*CORE, "controller.errors"),
    "profiles": ("profiles", *CORE, "controller.errors"),
    "playlists": ("playlists", *CORE, "controller.errors"),
    "hardware": ("hardware", *CORE, "controller.errors", "controller.ports", "controller.clock"),
    "controller": ("controller", "profiles", "playlists"),
} | dict.fromkeys(COMPOSITION_ROOTS, ROOMS)
"""Room or module: what of ours it may import. The longest name that fits counts."""

HARMLESS = {
    *(
        "__future__",
        "abc",
        "base64",
        "binascii",
        "bisect",
        "collections",
        "dataclasses",
        "difflib",
        "enum",
        "functools",
        "heapq",
    ),
    *("hashlib", "hmac", "itertools", "math", "operator", "re", "string", "types", "typing"),
}
"""What the core may take of the standard library: nothing that reads, waits, draws lots or talks."""

BELONGS_TO = {
    "phue": ("hardware.hue",),
    "paho": ("hardware.mqtt_paho",),
    "pyaudio": ("hardware.player.portaudio",),
    "amqtt": ("hardware.broker_embedded",),
    "sacn": ("hardware.lights_sacn",),
    "zeroconf": ("hardware.hue",),
    "lifx": ("hardware.lights_lifx",),
    "apscheduler": ("controller.bookings",),
    "sqlalchemy": ("controller.bookings", "controller.archive"),
    "fastapi": ("controller.web",),
    "starlette": ("controller.web",),
    "uvicorn": ("controller.web",),
    "jinja2": ("controller.web", "controller.reports.papers"),
    "segno": ("controller.web",),
    "cairosvg": ("controller.drawings",),
    "ruamel": ("profiles", "playlists"),
    "mutagen": ("playlists",),
    "pyebur128": ("playlists.loudness",),
    "soundfile": ("hardware.player", "playlists"),
    "soxr": ("hardware.player", "playlists"),
    "av": ("hardware.player", "playlists"),
    "numpy": ("hardware.player", "playlists"),
}
"""Package: the module or package it is imported by (the last few: one in each of two rooms)."""


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute here"
            # "from controller import clock" may name a module or something in one
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def inside(name: str, package: str) -> bool:
    return name == package or name.startswith(package + ".")


def rule_for(module: str) -> tuple[str, ...]:
    return MAY_IMPORT[max((room for room in MAY_IMPORT if inside(module, room)), key=len)]


def test_there_is_something_to_check() -> None:
    assert len(SOURCES) > 40
    assert any("controller/core/session.py" in str(path) for path in SOURCES)


@pytest.mark.parametrize("path", SOURCES, ids=module_name)
def test_a_module_imports_only_what_its_room_may(path: Path) -> None:
    module = module_name(path)
    allowed = rule_for(module)
    for name in imports(path):
        if name.split(".")[0] in ROOMS:
            assert any(inside(name, room) for room in allowed), f"{module} may not import {name}"


@pytest.mark.parametrize("path", [path for path in SOURCES if "core" in path.parts], ids=module_name)
def test_the_core_is_pure(path: Path) -> None:
    for name in imports(path):
        first = name.split(".")[0]
        assert first in ROOMS or first in HARMLESS, f"{module_name(path)} imports {name}"


@pytest.mark.parametrize("path", SOURCES, ids=module_name)
def test_each_vendor_package_has_one_home(path: Path) -> None:
    module = module_name(path)
    for name in imports(path):
        first = name.split(".")[0]
        homes = BELONGS_TO.get(first)
        if homes is not None:
            at_home = any(inside(module, home) for home in homes)
            assert at_home, f"{module} imports {name}, which belongs to {' and '.join(homes)}"


@pytest.mark.parametrize("path", SOURCES, ids=module_name)
def test_nobody_starts_a_task_that_nobody_owns(path: Path) -> None:
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Attribute) and node.attr in {"create_task", "ensure_future"}:
            owner = ast.unparse(node.value)
            assert owner not in {"asyncio", "loop", "self._loop"}, (
                f"{path.name}:{node.lineno}: use a TaskGroup"
            )


@pytest.mark.parametrize("path", SOURCES, ids=module_name)
def test_files_and_functions_stay_short(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) < MAX_FILE_LINES or module_name(path) in DECLARATIONS
    for node in ast.walk(tree(path)):
        if isinstance(node, Function) and not is_table(node):
            length = own_lines(node)
            assert length < MAX_FUNCTION_LINES, f"{path.name}: {node.name} has {length} lines"


def lines(node: ast.stmt) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


def own_lines(function: "ast.FunctionDef | ast.AsyncFunctionDef") -> int:
    """How long it is without its docstring and without the functions in it, which count for themselves."""
    docstring = lines(function.body[0]) if ast.get_docstring(function) else 0
    return lines(function) - docstring - inner_lines(function)


def inner_lines(node: ast.AST) -> int:
    children = list(ast.iter_child_nodes(node))
    return sum(lines(child) if isinstance(child, Function) else inner_lines(child) for child in children)


def is_table(function: "ast.FunctionDef | ast.AsyncFunctionDef") -> bool:
    """One exhaustive match, ending in ``assert_never``: a table of cases, as long as there are cases."""
    body = function.body[1:] if ast.get_docstring(function) else function.body
    return (
        bool(body) and isinstance(body[-1], ast.Match) and "assert_never" in ast.unparse(body[-1].cases[-1])
    )


@pytest.mark.parametrize("path", SOURCES, ids=module_name)
def test_every_module_says_what_it_is_for(path: Path) -> None:
    if path.read_text(encoding="utf-8").strip():
        assert ast.get_docstring(tree(path)), f"{path} has no docstring"


def test_the_harmless_modules_are_the_standard_librarys() -> None:
    assert sys.stdlib_module_names >= HARMLESS
