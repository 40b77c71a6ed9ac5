"""Brings a rehearsal together from a site, its catalogues and the music that is there."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from controller.conductor import UNCALIBRATED_K_DB
from controller.core.ribbon import ribbon_of_score
from controller.core.score import Score
from controller.daemon.lights import known_drivers
from controller.daemon.music import folders_of, pieces_to_come
from controller.design_catalogue import LiveCatalogue
from controller.design_files import DesignFiles
from controller.errors import InvalidFilesError, UserError
from controller.ports import FixtureConfig
from controller.rehearsal import Rehearsal, RehearsalRoom
from controller.rehearsal_desk import Staged
from controller.rehearsal_faults import Fault
from playlists.catalogue import Pools
from playlists.music_library import load_pools
from profiles.catalogue import Catalogue, LoadedSite, load_catalogue, load_site
from profiles.compile import resting_looks
from profiles.site import RoomModel, limits_of

AFTERNOON = 14
"""The hour a rehearsal takes place at, for the prompts' words."""


def prepare_rehearsal(profile: str, site_file: Path, room_id: str | None, data: Path) -> Rehearsal:
    """Return a rehearsal of a profile (its id, or its file) in a room of a site.

    Raises:
        UserError: the site, room or profile cannot be used.
    """
    site = load_site(site_file, drivers=known_drivers())
    model = site.site.rooms[0] if room_id is None else site.room(room_id)
    data.mkdir(parents=True, exist_ok=True)
    catalogue, score = _score(profile, site, model, data)
    return rehearsal_of(
        site, model, catalogue, score, load_pools(data, pieces_to_come(data / "music"), folders_of(site))
    )


def rehearsal_of(
    site: LoadedSite, model: RoomModel, catalogue: Catalogue, score: Score, pools: Pools
) -> Rehearsal:
    """Return a rehearsal of a score in a room, with these pools."""
    room = RehearsalRoom(
        resting=resting_looks(model),
        fixtures=tuple(FixtureConfig(f.id, f.address, f.name or f.id) for f in model.fixtures),
        zone_of={f.id: f.zone for f in model.fixtures},
        limits=limits_of(site.site, model),
        pools=pools,
        k_db=model.audio.k_db or UNCALIBRATED_K_DB,
        words=lambda text: catalogue.spoken(text, AFTERNOON, site.site.language),
    )
    return Rehearsal(room, score)


@dataclass(frozen=True, slots=True)
class RehearsalStage:
    """Sets the stage for rehearsals from the tablet (``controller.rehearsal_desk.SetStage``)."""

    site: LoadedSite
    catalogues: LiveCatalogue
    pools: Callable[[], Pools]

    def __call__(self, room: str, profile: str, faults: tuple[Fault, ...]) -> Staged:
        """Set it. Blocking.

        Raises:
            UserError: there is no such room or profile.
        """
        model, catalogue = self.site.room(room), self.catalogues.current
        score = catalogue.score(profile, model, self.site.site.language)
        rehearsal = rehearsal_of(self.site, model, catalogue, score, self.pools())
        for fault in faults:
            rehearsal.throw(fault)
        return Staged(score.title, ribbon_of_score(score), rehearsal)


def load_score(profile: str, site_file: Path, room_id: str | None, data: Path) -> Score:
    """Return the score of a profile (its id, or its file) in a room of a site.

    Raises:
        UserError: the site, room or profile cannot be used.
    """
    site = load_site(site_file, drivers=known_drivers())
    return _score(profile, site, site.site.rooms[0] if room_id is None else site.room(room_id), data)[1]


def _score(profile: str, site: LoadedSite, model: RoomModel, data: Path) -> tuple[Catalogue, Score]:
    path, language = Path(profile), site.site.language
    if path.suffix not in (".yaml", ".yml"):
        catalogue = DesignFiles(site, data).catalogue()
        return catalogue, catalogue.score(profile, model, language)
    if not path.is_file():
        raise UserError(f"{path}: there is no such profile file")
    catalogue = load_catalogue(site, more_profiles=(path,))
    if problems := tuple(problem for problem in catalogue.problems if problem.file == str(path)):
        raise InvalidFilesError(problems)
    named = [name for name, file in catalogue.files.items() if file == path]
    return catalogue, catalogue.score(named[0] if named else profile, model, language)
