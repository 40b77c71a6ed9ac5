"""The music a site has: its pools, with the generated pieces rendered where they are missing.

The pieces that a profile needs are made before it starts; the others in a process of low priority beside the
session. A piece that is not there yet is never waited for: its pool is shorter, or the bed plays.
"""

import asyncio
import sys
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import TypeAlias

import structlog

from controller.errors import Problem
from playlists.bed import bed_path, render_bed
from playlists.catalogue import LIBRARY, Pools
from playlists.music_library import analyse, load_pools
from playlists.synth.rendering import load_rendered, render_library
from profiles.catalogue import Catalogue

log = structlog.get_logger()

Progress: TypeAlias = Callable[[int, int, str], None]


class MusicStock:
    """A site's pools and generated pieces. Blocking: call it from a thread."""

    def __init__(self, data: Path, folders: tuple[Path, ...] = ()) -> None:
        self._data, self._pieces, self._folders = data, data / "music", folders
        self.problems: tuple[Problem, ...] = ()
        self._pools = self._load()

    @property
    def bed(self) -> Path | None:
        """The rendered bed, if it is there; without it the player makes one."""
        path = bed_path(self._pieces)
        return path if path.is_file() else None

    def pools(self) -> Pools:
        """The pools as they are now."""
        return self._pools

    def _load(self) -> Pools:
        return load_pools(self._data, load_rendered(self._pieces), self._folders)

    def reload(self) -> None:
        """Read the pools again, with the pieces that have come in."""
        self._pools = self._load()

    def prepare(self, pools: Collection[str], progress: Progress) -> None:
        """Make the bed and the missing pieces of these pools, measure the clinic's own music.

        A pool of the clinic's own takes the place of a shipped one, whose pieces are then not needed. The
        half-hour pieces are made with the rest, in time for the phase that wants one.

        Raises:
            RenderError: the pieces cannot be written.
        """
        self._pieces.mkdir(parents=True, exist_ok=True)
        render_bed(self._pieces)
        own = {loaded.pool_id for loaded in self._pools if Path(loaded.file).parent != LIBRARY}
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
        rest = [loaded.pool_id for loaded in self._pools if loaded.pool_id not in first]
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
