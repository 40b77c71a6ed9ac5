"""``stillroom preview``: a plan as a drawing."""

from pathlib import Path
from typing import Annotated

import typer

from controller.daemon.options import DEMO_SITE, default_data_dir
from controller.errors import UserError

DataOption = Annotated[Path | None, typer.Option("--data", help="Folder of the journal, tokens and music.")]


def preview(
    profile: Annotated[str, typer.Argument(help="The profile's id, or a profile file.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="The file to write: .svg, .png or .pdf.")],
    site: Annotated[Path | None, typer.Option(help="Site file; without one the demo site.")] = None,
    room: Annotated[str | None, typer.Option(help="Which room; the site's first without.")] = None,
    data: DataOption = None,
) -> None:
    """Draw a profile's light, music and prompts over time."""
    from controller.daemon.rehearsing import load_score  # noqa: PLC0415 - loads the catalogues
    from controller.drawings import SUFFIXES, drawn  # noqa: PLC0415
    from controller.preview import preview_svg  # noqa: PLC0415

    if output.suffix.lower() not in SUFFIXES:
        raise UserError(f"{output}: expected a file name that ends in {', '.join(SUFFIXES)}")
    drawing = drawn(
        preview_svg(load_score(profile, site or DEMO_SITE, room, data or default_data_dir())), output.suffix
    )
    try:
        output.write_bytes(drawing)
    except OSError as error:
        raise UserError(f"{output}: cannot be written: {error.strerror or error}") from None
    typer.echo(f"wrote {output}")
