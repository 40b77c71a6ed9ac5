"""Reports in a process of their own: a page of PDF takes seconds of work, and the room must not feel them."""

import asyncio
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from controller.errors import StillroomError, UserError
from controller.reports.desk import Report, Wanted, finished

LONGEST_S: Final = 120.0


@dataclass(frozen=True, slots=True)
class ReportMaker:
    """Runs ``stillroom report`` beside the daemon, at the lowest priority."""

    data: Path
    site: Path

    async def __call__(self, room: str, session: str, wanted: Wanted) -> Report:
        """Return a session's report.

        Raises:
            UserError: there is no such session or form, in the process's own line.
            StillroomError: it did not come to an end.
        """
        arguments = [session, "--room", room, "--data", str(self.data), "--site", str(self.site)]
        arguments += ["--form", wanted.form, "--output", "-"]
        arguments += ["--setting"] * wanted.setting + ["--with-notes"] * wanted.with_notes
        child = await asyncio.create_subprocess_exec(
            "nice", "-n", "19", sys.executable, "-m", "controller.cli", "report", *arguments,
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        try:
            async with asyncio.timeout(LONGEST_S):
                content, said = await child.communicate()
        except TimeoutError:
            raise StillroomError(f"the report was not ready in {LONGEST_S:.0f} s") from None
        finally:
            if child.returncode is None:
                child.kill()
                await child.wait()
        if child.returncode:
            raise UserError(said.decode(errors="replace").strip().removeprefix("stillroom: ")[-300:])
        return finished(content, session, wanted)
