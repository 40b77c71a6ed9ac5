"""What the daemon is started with."""

import os
from dataclasses import dataclass
from pathlib import Path

DEMO_SITE = Path(__file__).parents[2] / "profiles" / "library" / "demo-site.yaml"


@dataclass(frozen=True, slots=True)
class RunOptions:
    """``stillroom run``'s options. A port of None is the site file's. ``render``: make missing pieces.

    ``player_services``: the players are services of their own, kept by systemd.
    ``rehearsal_speed``: the profile is started as a rehearsal, its plan run together so many times.
    """

    data: Path
    site: Path = DEMO_SITE
    port: int | None = None
    mqtt_port: int | None = None
    profile: str | None = None
    speed: int = 1
    render: bool = True
    rehearsal_speed: int | None = None
    player_services: bool = False


def default_data_dir() -> Path:
    """Return where a person's own runs keep their data: ``$STILLROOM_DATA``, else the XDG data folder."""
    own = os.environ.get("STILLROOM_DATA")
    if own:
        return Path(own)
    base = os.environ.get("XDG_DATA_HOME")
    return (Path(base) if base else Path.home() / ".local" / "share") / "stillroom"
