"""Errands beside the rooms: feeding the archive, deleting what is older than the site's period.

Each is a process of its own at the lowest priority: no room waits for one, and one that fails is begun again
later. Nothing here touches a journal itself.
"""

import asyncio
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import structlog

from controller.ports import Clock
from profiles.site import SiteModel

log = structlog.get_logger()

FIRST_MS: Final = 60_000
"""After the start: a room that has just come back has better to do."""
EVERY_DAY_MS: Final = 86_400_000
AGAIN_MS: Final = 60_000


@dataclass(frozen=True, slots=True)
class Errands:
    """A site's errands."""

    site: SiteModel
    site_file: Path
    data: Path
    clock: Clock

    async def run(self) -> None:
        """Run them until cancelled."""
        async with asyncio.TaskGroup() as group:
            if self.site.archive is not None:
                group.create_task(self._keep("archive", ("archive", "--follow"), AGAIN_MS))
            if self.site.retention_days is not None:
                group.create_task(self._keep("retention", ("sessions", "expire"), EVERY_DAY_MS))

    async def _keep(self, name: str, command: tuple[str, ...], again_ms: int) -> None:
        await self._wait(FIRST_MS)
        while True:
            said = await self._once((*command, "--data", str(self.data), "--site", str(self.site_file)))
            log.info("errand done", errand=name, said=said)
            await self._wait(again_ms)

    async def _wait(self, real_ms: int) -> None:
        await self.clock.sleep_until(self.clock.now_ms() + real_ms * self.clock.speed)

    async def _once(self, arguments: tuple[str, ...]) -> str:
        child = await asyncio.create_subprocess_exec(
            *("nice", "-n", "19", sys.executable, "-m", "controller.cli", *arguments),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        last = ""
        try:
            # Line by line: one that goes on for days must not fill our memory with what it says.
            while child.stdout is not None and (line := await child.stdout.readline()):
                last = line.decode(errors="replace").strip()
                log.debug("errand", command=arguments[0], said=last)
            await child.wait()
        finally:
            if child.returncode is None:
                child.terminate()
                await child.wait()
        return last
