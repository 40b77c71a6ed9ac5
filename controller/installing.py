"""Putting Stillroom in place on a machine: what there is to do, said first, then done; safe to repeat.

It writes units, their user, the site file's beginning, and one link (``/opt/stillroom/current``) to the
Python environment that serves. An upgrade is that link moved; a rollback is it moved back. It must
never overwrite a site file or touch the data, and never do what it has not said.
"""

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from controller.errors import UserError

CURRENT: Final = Path("/opt/stillroom/current")
PREVIOUS: Final = Path("/opt/stillroom/previous")
SITE: Final = Path("/etc/stillroom/stillroom.yaml")
UNITS_AT: Final = Path("/etc/systemd/system")
TARGET: Final = "stillroom.target"
_FIXED: Final = {
    "stillroom.sysusers": Path("/usr/lib/sysusers.d/stillroom.conf"),
    "stillroom.tmpfiles": Path("/usr/lib/tmpfiles.d/stillroom.conf"),
}
_UNREACHABLE: Final = ("/home", "/root", "/run/user", "/tmp", "/var/tmp")  # noqa: S108 - what units do not see


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to do: what it is, as a line for a person, and how it is done."""

    what: str
    do: Callable[[], None]


def shipped_units() -> Path:
    """Return the folder of the units: in the wheel beside this module, else in the working copy.

    Raises:
        UserError: they are in neither.
    """
    here = Path(__file__).parent
    for folder in (here / "units", here.parent / "systemd"):
        if (folder / "stillroom.service").is_file():
            return folder
    raise UserError("this Stillroom came without its systemd units: install the wheel")


def plan_install(root: Path, rooms: tuple[str, ...], site_text: str, environment: Path) -> tuple[Step, ...]:
    """Return what is to be done under ``root``; nothing when all is in place.

    ``rooms`` get a player each. ``site_text`` begins a site file where there is none. ``environment`` is the
    Python environment that is to serve, as its path will be on that machine.

    Raises:
        UserError: the units would not be able to reach the environment.
    """
    if str(environment).startswith(_UNREACHABLE):
        raise UserError(
            f"{environment}: the services may not look there; install into an environment under /opt "
            "(python3 -m venv /opt/stillroom/1 && /opt/stillroom/1/bin/pip install stillroom-….whl)"
        )
    return (*_files(root), *_site(root, site_text), *_links(root, rooms), *_switch(root, environment))


def _under(root: Path, path: Path) -> Path:
    return root / path.relative_to("/")


def _files(root: Path) -> Iterator[Step]:
    units = shipped_units()
    for source in sorted(units.iterdir()):
        if source.suffix in (".service", ".target") or source.name in _FIXED:
            place = _FIXED.get(source.name, UNITS_AT / source.name)
            text, target = source.read_text(encoding="utf-8"), _under(root, place)
            if not target.is_file() or target.read_text(encoding="utf-8") != text:
                known = "renew" if target.exists() else "write"
                yield Step(f"{known} {place}", partial(_write, target, text, 0o644))


def _site(root: Path, text: str) -> Iterator[Step]:
    target = _under(root, SITE)
    if not target.exists():
        yield Step(f"write {SITE}, a beginning for you to edit", lambda: _write(target, text, 0o644))


def _links(root: Path, rooms: tuple[str, ...]) -> Iterator[Step]:
    wanted = {UNITS_AT / "multi-user.target.wants" / TARGET: UNITS_AT / TARGET}
    own = UNITS_AT / f"{TARGET}.wants"
    wanted[own / "stillroom.service"] = UNITS_AT / "stillroom.service"
    for room in rooms:
        wanted[own / f"stillroom-player@{room}.service"] = UNITS_AT / "stillroom-player@.service"
    for link, to in wanted.items():
        place = _under(root, link)
        if not place.is_symlink() or place.readlink() != to:
            yield Step(f"enable {link.name}", partial(_link, place, to))
    for place in sorted(_under(root, own).glob("stillroom-player@*.service")):
        if own / place.name not in wanted:
            yield Step(f"disable {place.name}: the site has no such room", place.unlink)


def _switch(root: Path, environment: Path) -> Iterator[Step]:
    current = _under(root, CURRENT)
    serving = current.readlink() if current.is_symlink() else None
    if serving == environment:
        return
    if serving is not None:
        yield Step(
            f"keep {serving} as the version to go back to", lambda: _link(_under(root, PREVIOUS), serving)
        )
    yield Step(f"serve from {environment}", lambda: _link(current, environment))


def plan_rollback(root: Path) -> tuple[Step, ...]:
    """Return what brings the version before back.

    Raises:
        UserError: there was none.
    """
    previous = _under(root, PREVIOUS)
    if not previous.is_symlink():
        raise UserError("there is no version to go back to")
    before = previous.readlink()
    return (Step(f"serve from {before} again", lambda: _link(_under(root, CURRENT), before)),)


def plan_uninstall(root: Path) -> tuple[Step, ...]:
    """Return what takes Stillroom away again. Site file, secrets and data stay: they are the clinic's."""
    places = [UNITS_AT / "multi-user.target.wants" / TARGET, CURRENT, PREVIOUS, *_FIXED.values()]
    own = _under(root, UNITS_AT / f"{TARGET}.wants")
    found = [_under(root, place) for place in places]
    found += sorted(own.glob("stillroom*")) if own.is_dir() else []
    found += sorted(_under(root, UNITS_AT).glob("stillroom*.service"))
    found += sorted(_under(root, UNITS_AT).glob(TARGET))
    return tuple(
        Step(f"remove /{place.relative_to(root)}", place.unlink)
        for place in found
        if place.is_symlink() or place.is_file()
    )


def this_environment() -> Path:
    """Return the Python environment that runs us."""
    return Path(sys.prefix)


def _write(path: Path, text: str, mode: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f"{path.name}.new")
    beside.write_text(text, encoding="utf-8")
    beside.chmod(mode)
    beside.replace(path)


def _link(path: Path, to: Path) -> None:
    """Make or move a link in one step: there is never a moment without it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f"{path.name}.new")
    beside.unlink(missing_ok=True)
    beside.symlink_to(to)
    beside.replace(path)
