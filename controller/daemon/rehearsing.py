"""Brings a rehearsal together from a site, its catalogues and the music that is there."""

from pathlib import Path

from controller.conductor import UNCALIBRATED_K_DB
from controller.core.score import Score
from controller.daemon.lights import known_drivers
from controller.daemon.music import MusicStock
from controller.errors import InvalidFilesError, UserError
from controller.ports import FixtureConfig
from controller.rehearsal import Rehearsal, RehearsalRoom
from profiles.catalogue import LoadedSite, load_catalogue, load_site
from profiles.compile import resting_looks
from profiles.site import RoomModel, limits_of


def prepare_rehearsal(profile: str, site_file: Path, room_id: str | None, data: Path) -> Rehearsal:
    """Return a rehearsal of a profile (its id, or its file) in a room of a site.

    Raises:
        UserError: the site, room or profile cannot be used.
    """
    site = load_site(site_file, drivers=known_drivers())
    model = site.site.rooms[0] if room_id is None else site.room(room_id)
    data.mkdir(parents=True, exist_ok=True)
    score = _score(profile, site, model)
    room = RehearsalRoom(
        resting=resting_looks(model),
        fixtures=tuple(FixtureConfig(f.id, f.address, f.name or f.id) for f in model.fixtures),
        zone_of={f.id: f.zone for f in model.fixtures},
        limits=limits_of(site.site, model),
        pools=MusicStock(data).pools(),
        k_db=model.audio.k_db or UNCALIBRATED_K_DB,
    )
    return Rehearsal(room, score)


def _score(profile: str, site: LoadedSite, model: RoomModel) -> Score:
    path = Path(profile)
    if path.suffix not in (".yaml", ".yml"):
        return load_catalogue(site).score(profile, model, site.site.language)
    if not path.is_file():
        raise UserError(f"{path}: there is no such profile file")
    catalogue = load_catalogue(site, more_profiles=(path,))
    if problems := tuple(problem for problem in catalogue.problems if problem.file == str(path)):
        raise InvalidFilesError(problems)
    named = [name for name, file in catalogue.files.items() if file == path]
    return catalogue.score(named[0] if named else profile, model, site.site.language)
