"""The music a site has: its pools, with the generated pieces rendered where they are missing.

The pieces that a profile needs are made before it starts; the others in a process of low priority beside the
session. A piece that is not there yet is never waited for: its pool is shorter, or the bed plays.
"""

# What reads and makes sound brings numpy and libsndfile: no start waits for that.
# ruff: noqa: PLC0415

import asyncio
import sys
import threading
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from controller.errors import Problem
from playlists.audio_names import bed_path
from profiles.catalogue import Catalogue, LoadedSite

if TYPE_CHECKING:
    from playlists.catalogue import Pools
    from playlists.models import Track
    from playlists.synth.recipes import Recipe

Progress: TypeAlias = Callable[[int, int, str], None]


class MusicStock:
    """A site's pools and generated pieces, read when first asked for. Blocking: call it from a thread."""

    def __init__(self, data: Path, folders: tuple[Path, ...] = ()) -> None:
        self._data, self._pieces, self._folders = data, data / "music", folders
        self.problems: tuple[Problem, ...] = ()
        self._pools: Pools | None = None
        self._reading = threading.Lock()
        self._to_come: Pools | None = None

    @property
    def bed(self) -> Path | None:
        """The rendered bed, if it is there; without it the player makes one."""
        path = bed_path(self._pieces)
        return path if path.is_file() else None

    def pools(self) -> "Pools":
        """The pools as they are now. Whoever asks first waits while they are read."""
        pools = self._pools
        if pools is None:
            with self._reading:
                pools = self._pools
                if pools is None:
                    pools = self._pools = self._load()
        return pools

    def pools_to_come(self) -> "Pools":
        """The pools as they will be once every generated piece is there; until then its length stands in."""
        from playlists.music_library import load_pools

        if self._to_come is None:
            self._to_come = load_pools(self._data, pieces_to_come(self._pieces), self._folders)
        return self._to_come

    def _load(self) -> "Pools":
        from playlists.music_library import load_pools
        from playlists.synth.rendering import load_rendered

        return load_pools(self._data, load_rendered(self._pieces), self._folders)

    def reload(self) -> None:
        """Read the pools again, with the pieces that have come in."""
        with self._reading:
            self._pools, self._to_come = self._load(), None

    def prepare(self, pools: Collection[str], progress: Progress) -> None:
        """Make the bed and the missing pieces of these pools, measure the clinic's own music.

        A pool of the clinic's own takes the place of a shipped one, whose pieces are then not needed. The
        half-hour pieces are made with the rest, in time for the phase that wants one.

        Raises:
            RenderError: the pieces cannot be written.
        """
        from playlists.bed import render_bed
        from playlists.catalogue import LIBRARY
        from playlists.music_library import analyse
        from playlists.synth.rendering import render_library

        self._pieces.mkdir(parents=True, exist_ok=True)
        render_bed(self._pieces)
        own = {loaded.pool_id for loaded in self.pools() if Path(loaded.file).parent != LIBRARY}
        if needed := set(pools) - own:
            render_library(self._pieces, needed, progress, unbroken=False)
        if self._folders:
            report = analyse(self._data, progress, folders=self._folders)
            self.problems = report.problems
        self.reload()

    async def render_rest(self, first: Sequence[str], arrived: Callable[[], None]) -> None:
        """Make what is missing in a process of low priority, these pools first; ``arrived`` after each.

        Returns when all is there.
        """
        rest = [loaded.pool_id for loaded in self.pools() if loaded.pool_id not in first]
        for pool in (*first, *rest):
            await self._render_aside(pool)
            await asyncio.to_thread(self.reload)
            arrived()

    async def _render_aside(self, pool: str) -> None:
        command = (sys.executable, "-m", "controller.cli", "library", "render", f"--data={self._data}")
        process = await asyncio.create_subprocess_exec(
            "nice",
            "-n19",
            *command,
            f"--pool={pool}",
            "--workers=0",
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            await process.wait()
        finally:
            if process.returncode is None:
                process.kill()


def pools_of_profile(catalogue: Catalogue, profile: str) -> tuple[str, ...]:
    """Return the pools that a profile names, in the order of its phases.

    Raises:
        UnknownNameError: there is no such profile.
    """
    phases = catalogue.profile(profile).phases
    return tuple(dict.fromkeys(phase.music.pool for phase in phases if phase.music.pool is not None))


def folders_of(loaded: LoadedSite) -> tuple[Path, ...]:
    """Return the folders of a site's own music."""
    return tuple(loaded.resolve(folder) for room in loaded.site.rooms for folder in room.music.folders)


def pieces_to_come(folder: Path) -> "list[Track]":
    """Return every generated piece: as it was rendered into this folder, or as it is going to be."""
    from playlists.synth.recipes import RECIPES
    from playlists.synth.rendering import load_rendered

    rendered = {Path(track.path).stem: track for track in load_rendered(folder)}
    return [rendered.get(piece) or _stand_in(recipe) for piece, recipe in RECIPES.items()]


def _stand_in(recipe: "Recipe") -> "Track":
    from playlists.models import Track

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
