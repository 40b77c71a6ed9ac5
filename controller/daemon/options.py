"""What the daemon is started with."""

import os
from dataclasses import dataclass
from pathlib import Path

DEMO_SITE = Path(__file__).parents[2] / "profiles" / "library" / "demo-site.yaml"


@dataclass(frozen=True, slots=True)
class RunOptions:
    """``stillroom run``'s options. A port of None is the site file's. ``render``: make missing pieces."""

    data: Path
    site: Path = DEMO_SITE
    port: int | None = None
    mqtt_port: int | None = None
    profile: str | None = None
    speed: int = 1
    render: bool = True


def default_data_dir() -> Path:
    """Return where a person's own runs keep their data: ``$STILLROOM_DATA``, else the XDG data folder."""
    own = os.environ.get("STILLROOM_DATA")
    if own:
        return Path(own)
    base = os.environ.get("XDG_DATA_HOME")
    return (Path(base) if base else Path.home() / ".local" / "share") / "stillroom"
