"""Brings a rehearsal together from a site, its catalogues and the music that is there."""

from pathlib import Path

from controller.conductor import UNCALIBRATED_K_DB
from controller.core.score import Score
from controller.daemon.lights import known_drivers
from controller.errors import InvalidFilesError, UserError
from controller.ports import FixtureConfig
from controller.rehearsal import Rehearsal, RehearsalRoom
from playlists.catalogue import Pools
from playlists.models import Track
from playlists.music_library import load_pools
from playlists.synth.recipes import RECIPES, Recipe
from playlists.synth.rendering import load_rendered
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
    catalogue, score = _score(profile, site, model)
    room = RehearsalRoom(
        resting=resting_looks(model),
        fixtures=tuple(FixtureConfig(f.id, f.address, f.name or f.id) for f in model.fixtures),
        zone_of={f.id: f.zone for f in model.fixtures},
        limits=limits_of(site.site, model),
        pools=_pools(data),
        k_db=model.audio.k_db or UNCALIBRATED_K_DB,
        words=lambda text: catalogue.spoken(text, AFTERNOON, site.site.language),
    )
    return Rehearsal(room, score)


def load_score(profile: str, site_file: Path, room_id: str | None) -> Score:
    """Return the score of a profile (its id, or its file) in a room of a site.

    Raises:
        UserError: the site, room or profile cannot be used.
    """
    site = load_site(site_file, drivers=known_drivers())
    return _score(profile, site, site.site.rooms[0] if room_id is None else site.room(room_id))[1]


def _pools(data: Path) -> Pools:
    """The pools as they will be once every generated piece is there; until then its length stands in."""
    rendered = {Path(track.path).stem: track for track in load_rendered(data / "music")}
    pieces = [rendered.get(piece) or _stand_in(recipe) for piece, recipe in RECIPES.items()]
    return load_pools(data, pieces)


def _stand_in(recipe: Recipe) -> Track:
    return Track(
        track_id=f"generated-{recipe.piece}",
        path=f"{recipe.piece}.flac",
        length_ms=round(recipe.minutes * 60_000),
        rate_hz=48_000,
        channels=2,
        integrated_lufs=-23.0,
        range_lu=0.0,
        short_term_max_lufs=-23.0,
        true_peak_dbtp=-6.0,
        energy=recipe.energy,
        title=recipe.title,
        has_words=False,
        generated=True,
    )


def _score(profile: str, site: LoadedSite, model: RoomModel) -> tuple[Catalogue, Score]:
    path, language = Path(profile), site.site.language
    if path.suffix not in (".yaml", ".yml"):
        catalogue = load_catalogue(site)
        return catalogue, catalogue.score(profile, model, language)
    if not path.is_file():
        raise UserError(f"{path}: there is no such profile file")
    catalogue = load_catalogue(site, more_profiles=(path,))
    if problems := tuple(problem for problem in catalogue.problems if problem.file == str(path)):
        raise InvalidFilesError(problems)
    named = [name for name, file in catalogue.files.items() if file == path]
    return catalogue, catalogue.score(named[0] if named else profile, model, language)
