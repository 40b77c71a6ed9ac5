"""``stillroom backup`` and ``restore``."""

from pathlib import Path
from typing import Annotated

import typer

from controller.daemon.options import default_data_dir

DataOption = Annotated[Path | None, typer.Option("--data", help="The daemon's folder.")]


def backup(
    archive: Annotated[Path, typer.Argument(help="The file to write (.tar.gz). It must not be there yet.")],
    data: DataOption = None,
) -> None:
    """Back up sessions, notes, tokens and settings, while the daemon runs; the copy is checked."""
    from controller.backups import back_up  # noqa: PLC0415

    typer.echo(f"{archive}: {back_up(data or default_data_dir(), archive.resolve())} files, checked")


def restore(
    archive: Annotated[Path, typer.Argument(help="A backup.")],
    data: DataOption = None,
) -> None:
    """Lay a backup down as a new data folder; one that has anything in it is refused."""
    from controller.backups import restore as lay_down  # noqa: PLC0415

    folder = data or default_data_dir()
    typer.echo(f"{folder}: {lay_down(archive.resolve(), folder.resolve())} files restored")
