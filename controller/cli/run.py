"""``stillroom run``: the daemon in the foreground, with a panel on a terminal, plain lines anywhere else.

What this module reads in, every start waits for: it must never read in rich, numpy or the web app.
"""

import asyncio
import gc
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from controller.daemon.options import DEMO_SITE, RunOptions, default_data_dir

if TYPE_CHECKING:
    from rich.console import Console

    from controller.cli.progress import MusicProgress


class PlayersFrom(StrEnum):
    """Who keeps the rooms' players."""

    OWN = "own"
    UNITS = "units"


def run(  # noqa: PLR0913, PLR0917 - each is an option on the command line
    site: Annotated[Path | None, typer.Option(help="Site file; without one the demo site.")] = None,
    data: Annotated[Path | None, typer.Option(help="Folder of the journal, tokens and music.")] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="The tablets' port.")] = None,
    mqtt_port: Annotated[int | None, typer.Option(min=1, max=65535, help="The broker's port.")] = None,
    profile: Annotated[str | None, typer.Option(help="Start this profile at once.")] = None,
    speed: Annotated[int, typer.Option(min=1, max=3600, help="Room seconds in one real second.")] = 1,
    render: Annotated[
        bool, typer.Option("--render/--no-render", help="Make generated pieces that are missing.")
    ] = True,
    rehearsal_speed: Annotated[
        int | None,
        typer.Option(min=1, max=100, help="Start it as a rehearsal, its plan run together so many times."),
    ] = None,
    players: Annotated[
        PlayersFrom, typer.Option(help="Who keeps the players: this program, or systemd's units.")
    ] = PlayersFrom.OWN,
) -> None:
    """Run the rooms of a site until Ctrl-C."""
    # What is read in for a start stays: looking it through for garbage meanwhile would only take time.
    gc.disable()
    from controller.daemon.late import Late  # noqa: PLC0415 - other commands need none of it
    from controller.daemon.run import Daemon  # noqa: PLC0415
    from hardware.systemd_notify import ServiceManager  # noqa: PLC0415

    folder = (data or default_data_dir()).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    options = RunOptions(
        data=folder,
        site=(site or DEMO_SITE).resolve(),
        port=port,
        mqtt_port=mqtt_port,
        profile=profile,
        speed=speed,
        render=render,
        rehearsal_speed=rehearsal_speed,
        player_services=players is PlayersFrom.UNITS,
    )
    console = Late(_console)
    bar = Late(lambda: _progress(console.get()))

    def progress(done: int, total: int, name: str) -> None:
        bar.get()(done, total, name)

    asyncio.run(Daemon(options, console.get, progress, ServiceManager.from_environment()).run())


def _console() -> "Console":
    from rich.console import Console  # noqa: PLC0415 - no start waits for it

    return Console()


def _progress(console: "Console") -> "MusicProgress":
    from controller.cli.progress import MusicProgress  # noqa: PLC0415

    return MusicProgress(console)
