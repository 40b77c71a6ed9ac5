"""The catalogue: the shipped profiles, presets and prompts with the clinic's own laid over them.

A broken file of the clinic's is left out and said, and never stops the rest. A broken shipped file is
our bug and raises.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel

from controller.core.score import Score
from controller.errors import InvalidFilesError, Problem, UserError
from profiles.compile import compile_score
from profiles.file_kinds import PRESETS, PROFILE, PROMPTS, SITE, FileKind
from profiles.models import ProfileModel
from profiles.presets import PresetModel, PresetsFile
from profiles.prompts import ENGLISH, PromptModel, PromptsFile, fill
from profiles.references import Known
from profiles.site import BridgeModel, RoomModel, SiteModel
from profiles.validation import LIBRARY, prompts_in, yaml_files
from profiles.yaml_source import Document, checked, nearest, read_document

M = TypeVar("M", bound=BaseModel)

NOT_PROFILES = ("prompts.yaml", "presets.yaml", "demo-site.yaml")


class UnknownNameError(UserError):
    """Somebody named a profile, preset or room that is not there."""


@dataclass(frozen=True, slots=True)
class LoadedSite:
    """A site file, read and checked, with where it lies: the files it names are beside it."""

    site: SiteModel
    path: Path

    def resolve(self, name: str) -> Path:
        """Return the path of a file that the site file names."""
        return self.path.parent / name

    def room(self, room_id: str) -> RoomModel:
        """Return a room.

        Raises:
            UnknownNameError: there is none of this id.
        """
        rooms = {room.id: room for room in self.site.rooms}
        return _get(rooms, room_id, "room")


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Everything that can be chosen, by id. ``files`` says where each profile was read.

    ``recordings`` are the prompts' own recordings; ``problems`` what was left out and why.
    """

    profiles: Mapping[str, ProfileModel]
    presets: Mapping[str, PresetModel]
    room_presets: Mapping[str, Mapping[str, PresetModel]]
    prompts: Mapping[str, PromptModel]
    parts_of_day: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    files: Mapping[str, Path] = field(default_factory=dict)
    recordings: Mapping[str, Path] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()

    def profile(self, profile_id: str) -> ProfileModel:
        """Return a profile.

        Raises:
            UnknownNameError: there is none of this id; the text has the nearest name.
        """
        return _get(self.profiles, profile_id, "profile")

    def presets_for(self, room_id: str) -> dict[str, PresetModel]:
        """Return a room's presets: shipped, then the site's, then its own; the later one counts."""
        return {**self.presets, **self.room_presets.get(room_id, {})}

    def score(self, profile_id: str, room: RoomModel, language: str = "en") -> Score:
        """Return a profile's score for a room.

        Raises:
            UnknownNameError: there is no such profile.
        """
        return compile_score(
            self.profile(profile_id), room, self.presets_for(room.id), self.prompts, language
        )

    def spoken(self, text: str, hour: int, language: str = "en") -> str:
        """Return a prompt's words with the part of the day of this hour (0 to 23) put in."""
        base = language.split("-", maxsplit=1)[0]
        names = self.parts_of_day.get(language) or self.parts_of_day.get(base) or ENGLISH
        return fill(text, hour, names)


def load_site(path: Path, *, drivers: Collection[str] | None = None) -> LoadedSite:
    """Read and check a site file (the files it names are ``load_catalogue``'s).

    Raises:
        InvalidFilesError: it cannot be used; every fault with file, line and key.
    """
    document = read_document(path)
    site, problems = _usable(document, SITE, SiteModel, Known(drivers=drivers))
    if site is None:
        raise InvalidFilesError(problems)
    return LoadedSite(_with_files_beside(site, path.parent), path)


def _with_files_beside(site: SiteModel, folder: Path) -> SiteModel:
    """Bridges' options that name a file (``…_file``) count from the site file, as every file it names."""

    def placed(bridge: BridgeModel) -> BridgeModel:
        files = {
            name: str(folder / value)
            for name, value in bridge.options.items()
            if name.endswith("_file") and isinstance(value, str) and value
        }
        return bridge.model_copy(update={"options": {**bridge.options, **files}}) if files else bridge

    def with_bridges(room: RoomModel) -> RoomModel:
        return room.model_copy(update={"bridges": tuple(placed(bridge) for bridge in room.bridges)})

    return site.model_copy(update={"rooms": tuple(with_bridges(room) for room in site.rooms)})


def load_catalogue(
    site: LoadedSite | None = None,
    *,
    known_pools: Collection[str] | None = None,
    more_profiles: Iterable[Path] = (),
    more_presets: Iterable[Path] = (),
) -> Catalogue:
    """Read the shipped files and, with a site, the clinic's own over them; ``more_profiles`` over those.

    ``more_presets`` come over the site's presets, and a room's own over both.

    ``known_pools``: the pools there are; None leaves references to pools unchecked.

    Raises:
        InvalidFilesError: a shipped file is broken.
    """
    loading = _Loading(known_pools)
    loading.prompts_file(LIBRARY / "prompts.yaml")
    loading.presets |= loading.presets_file(LIBRARY / "presets.yaml")
    for path in yaml_files(LIBRARY):
        if path.name not in NOT_PROFILES:
            loading.profile_file(path)
    if loading.problems:
        raise InvalidFilesError(tuple(loading.problems))
    if site is not None:
        _load_own(loading, site)
    for path in more_presets:
        loading.presets |= loading.presets_file(path)
    for path in more_profiles:
        loading.profile_file(path)
    return loading.catalogue()


def _load_own(loading: "_Loading", site: LoadedSite) -> None:
    model = site.site
    loading.zones = {zone.id for room in model.rooms for zone in room.zones}
    for name in model.prompts:
        loading.prompts_file(site.resolve(name))
    for name in model.presets:
        loading.presets |= loading.presets_file(site.resolve(name))
    for room in model.rooms:
        own: dict[str, PresetModel] = {}
        for name in room.presets:
            own |= loading.presets_file(site.resolve(name))
        loading.room_presets[room.id] = own
    for path in _profile_files(site.resolve(name) for name in model.profiles):
        loading.profile_file(path)


def _profile_files(paths: Iterable[Path]) -> Iterable[Path]:
    for path in paths:
        yield from yaml_files(path) if path.is_dir() else (path,)


class _Loading:
    """What has been read so far."""

    def __init__(self, known_pools: Collection[str] | None) -> None:
        self.presets: dict[str, PresetModel] = {}
        self.room_presets: dict[str, dict[str, PresetModel]] = {}
        self.zones: set[str] | None = None
        self.problems: list[Problem] = []
        self._pools = known_pools
        self._profiles: dict[str, ProfileModel] = {}
        self._prompts: dict[str, PromptModel] = {}
        self._audiences: dict[str, str] = {}
        self._parts: dict[str, dict[str, str]] = {}
        self._files: dict[str, Path] = {}
        self._recordings: dict[str, Path] = {}

    def prompts_file(self, path: Path) -> None:
        """Lay a file's prompts over those read before."""
        document = read_document(path)
        file = self._take(document, PROMPTS, PromptsFile)
        if file is None:
            return
        self._prompts |= file.prompts
        self._audiences |= prompts_in(document)
        self._parts |= {language: parts.model_dump() for language, parts in file.parts_of_day.items()}
        for key, prompt in file.prompts.items():
            self._recordings.pop(key, None)
            if prompt.audio is not None:
                self._recordings[key] = path.parent / prompt.audio

    def presets_file(self, path: Path) -> Mapping[str, PresetModel]:
        """Return a file's presets; none if it is broken."""
        file = self._take(read_document(path), PRESETS, PresetsFile)
        return {} if file is None else dict(file.presets)

    def profile_file(self, path: Path) -> None:
        """Lay a profile over one of the same id that was read before."""
        profile = self._take(read_document(path), PROFILE, ProfileModel)
        if profile is not None:
            self._profiles[profile.profile] = profile
            self._files[profile.profile] = path

    def catalogue(self) -> Catalogue:
        """Return all that was read."""
        return Catalogue(
            profiles=self._profiles,
            presets=self.presets,
            room_presets=self.room_presets,
            prompts=self._prompts,
            parts_of_day=self._parts,
            files=self._files,
            recordings=self._recordings,
            problems=tuple(self.problems),
        )

    def _take(self, document: Document, kind: FileKind, model: type[M]) -> M | None:
        known = Known(prompts=self._audiences, pools=self._pools, zones=self.zones)
        value, problems = _usable(document, kind, model, known)
        self.problems += problems
        return value


def _usable(
    document: Document, kind: FileKind, model: type[M], known: Known
) -> tuple[M | None, tuple[Problem, ...]]:
    problems = kind.problems(document, known)
    return (None, problems) if problems else (checked(document, model)[0], ())


T = TypeVar("T")


def _get(named: Mapping[str, T], name: str, word: str) -> T:
    if name in named:
        return named[name]
    hint = nearest(name, tuple(named))
    raise UnknownNameError(f"no {word} `{name}`" + (f" ({hint})" if hint else ""))
