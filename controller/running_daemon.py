"""Where a running daemon serves: a small file in its data folder, for programs of the same user.

It names an address and a process, never a token. A daemon that was killed leaves its file behind: whoever
reads it asks the address before believing it.
"""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

FILE: Final = "daemon.json"


@dataclass(frozen=True, slots=True)
class RunningDaemon:
    """A daemon's address on this machine, and its process."""

    url: str
    pid: int


def announce(data: Path, url: str) -> None:
    """Write where this process serves; a disk that is full costs only that."""
    beside = data / f"{FILE}.new"
    try:
        handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump({"url": url, "pid": os.getpid()}, file)
        beside.replace(data / FILE)
    except OSError:
        return


def find(data: Path) -> RunningDaemon | None:
    """Return the daemon that the folder names, if its process lives."""
    try:
        kept = json.loads((data / FILE).read_text(encoding="utf-8"))
        found = RunningDaemon(str(kept["url"]), int(kept["pid"]))
        os.kill(found.pid, 0)
    except PermissionError:
        return found  # it lives, and is another user's
    except (OSError, ValueError, KeyError, TypeError, OverflowError):
        return None
    return found
