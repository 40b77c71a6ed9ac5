"""Where designs lie: which file says a profile or a preset, and where a new one is written.

The clinic's own files are edited where they are; what is shipped is never touched: a changed one is written
to the data folder and takes its place by its id. Names from outside never become part of a path unchecked.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from json import dumps
from pathlib import Path
from typing import Final, Literal, TypeAlias

from controller.errors import UserError
from profiles.catalogue import Catalogue, LoadedSite, load_catalogue
from profiles.fields import ID_PATTERN
from profiles.validation import LIBRARY, yaml_files
from profiles.yaml_source import Document, Plain, read_document

MAX_ID: Final = 26
SIGNING_KEYS: Final = ("status", "reviewed_by")
"""What a signature itself writes: it is no part of what is signed."""

Origin: TypeAlias = Literal["new", "shipped", "site", "designed"]


class UnknownDesignError(UserError):
    """There is no profile or preset of this name."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where a design is read and where it is written.

    ``read`` is None for a new one. ``origin``: shipped with the product, in a file the site names, or made
    here (in the data folder).
    """

    read: Path | None
    write: Path
    origin: Origin

    def document(self) -> Document | None:
        """Return what is written now, or None for a new one."""
        return None if self.read is None else read_document(self.read)


@dataclass(frozen=True, slots=True)
class DesignFiles:
    """The files of a site's designs."""

    site: LoadedSite
    data: Path

    @property
    def folder(self) -> Path:
        """The folder of what was designed here."""
        return self.data / "designs"

    @property
    def presets_file(self) -> Path:
        """The file of presets that were designed here."""
        return self.folder / "presets.yaml"

    def profiles(self) -> tuple[Path, ...]:
        """Return the profiles that were designed here."""
        folder = self.folder / "profiles"
        return yaml_files(folder) if folder.is_dir() else ()

    def catalogue(self) -> Catalogue:
        """Read everything there is: shipped, the site's own, and what was designed here. Blocking.

        Raises:
            InvalidFilesError: a shipped file is broken.
        """
        presets = (self.presets_file,) if self.presets_file.is_file() else ()
        return load_catalogue(self.site, more_profiles=self.profiles(), more_presets=presets)

    def profile(self, profile_id: str, catalogue: Catalogue) -> Source:
        """Return where a profile lies.

        Raises:
            UnknownDesignError: there is none of this id.
        """
        read = catalogue.files.get(profile_id)
        if read is None:
            raise UnknownDesignError(f"no profile `{profile_id}`")
        origin = self._origin(read)
        return Source(read, self.new_profile_file(profile_id) if origin == "shipped" else read, origin)

    def new_profile(self, profile_id: str) -> Source:
        """Return where a new profile goes.

        Raises:
            UserError: it is no id.
        """
        return Source(None, self.new_profile_file(profile_id), "new")

    def new_profile_file(self, profile_id: str) -> Path:
        """Return the file of a profile that is designed here.

        Raises:
            UserError: it is no id.
        """
        return self.folder / "profiles" / f"{checked_id(profile_id)}.yaml"

    def preset(self, room: str, name: str, catalogue: Catalogue) -> Source:
        """Return the file that says a room's preset: the one whose word counts.

        Raises:
            UnknownDesignError: there is no such preset.
        """
        if name not in catalogue.presets_for(room):
            raise UnknownDesignError(f"no preset `{name}`")
        for path in self._preset_files(room):
            document = read_document(path)
            if name in presets_in(document):
                origin = self._origin(path)
                return Source(path, self.presets_file if origin == "shipped" else path, origin)
        raise UnknownDesignError(f"no preset `{name}`")

    def new_preset(self, name: str) -> Source:
        """Return where a new preset goes.

        Raises:
            UserError: it is no id.
        """
        checked_id(name)
        read = self.presets_file if self.presets_file.is_file() else None
        return Source(read, self.presets_file, "new")

    def _preset_files(self, room: str) -> Iterator[Path]:
        """Yield the presets files of a room, the one that counts most first."""
        for name in reversed(self.site.room(room).presets):
            yield self.site.resolve(name)
        if self.presets_file.is_file():
            yield self.presets_file
        for name in reversed(self.site.site.presets):
            yield self.site.resolve(name)
        yield LIBRARY / "presets.yaml"

    def _origin(self, path: Path) -> Origin:
        if path.is_relative_to(self.folder):
            return "designed"
        return "shipped" if path.resolve().is_relative_to(LIBRARY.resolve()) else "site"


def presets_in(document: Document) -> dict[str, Plain]:
    """Return a presets file's presets as they are written."""
    data = document.data
    found = data.get("presets") if isinstance(data, dict) else None
    return found if isinstance(found, dict) else {}


def checked_id(name: str) -> str:
    """Return a profile's or preset's id if it is one.

    Raises:
        UserError: it is not: small letters, digits, ``-``, ``_`` and ``.``, at most 26.
    """
    if len(name) > MAX_ID or re.fullmatch(ID_PATTERN, name) is None or ".." in name:
        raise UserError(
            f"{name[:40]!r} is no id: small letters, digits, '-' and '_', at most {MAX_ID}, "
            "such as evening-rest"
        )
    return name


def version_of(text: str) -> str:
    """Return what tells one state of a file's text from another."""
    return sha256(text.encode("utf-8")).hexdigest()


def meaning_of(data: Plain) -> str:
    """Return what tells one meaning from another, whatever the comments; signatures left out."""
    if isinstance(data, dict):
        data = {key: value for key, value in data.items() if key not in SIGNING_KEYS}
    text = dumps(_normal(data), sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return sha256(text.encode("utf-8")).hexdigest()


def _normal(value: Plain) -> Plain:
    if isinstance(value, dict):
        return {key: _normal(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_normal(part) for part in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value
