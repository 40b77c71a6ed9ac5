"""Commands that systemd's units run; a person seldom needs them."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from controller.daemon.options import DEMO_SITE, default_data_dir
from controller.errors import UserError


def player(
    room: Annotated[str, typer.Option(help="The room whose sound device it owns.")],
    site: Annotated[Path | None, typer.Option(help="Site file; without one the demo site.")] = None,
    data: Annotated[Path | None, typer.Option(help="The daemon's folder.")] = None,
) -> None:
    """Be a room's player, for a daemon that runs with --players=units."""
    from controller.daemon.lone_player import player_command  # noqa: PLC0415 - other commands need none of it

    folder = (data or default_data_dir()).resolve()
    command, environment = player_command(room, (site or DEMO_SITE).resolve(), folder)
    try:
        # The process itself becomes the player: systemd watches, and speaks to, one process.
        os.execve(sys.executable, command, environment)  # noqa: S606 - our own module, no shell
    except OSError as error:
        raise UserError(f"the player cannot be started: {error.strerror or error}") from None
