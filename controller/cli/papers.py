"""``stillroom preview`` and ``stillroom report``: a plan as a drawing, a session as its records."""

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from controller.core.records import Record
from controller.daemon.options import DEMO_SITE, default_data_dir
from controller.errors import UserError

DataOption = Annotated[Path | None, typer.Option("--data", help="Folder of the journal, tokens and music.")]


def preview(
    profile: Annotated[str, typer.Argument(help="The profile's id, or a profile file.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="The SVG file to write.")],
    site: Annotated[Path | None, typer.Option(help="Site file; without one the demo site.")] = None,
    room: Annotated[str | None, typer.Option(help="Which room; the site's first without.")] = None,
) -> None:
    """Draw a profile's light, music and prompts over time."""
    from controller.daemon.rehearsing import load_score  # noqa: PLC0415 - loads the catalogues
    from controller.preview import preview_svg  # noqa: PLC0415

    if output.suffix.lower() != ".svg":
        raise UserError(f"{output}: expected a file name that ends in .svg")
    drawing = preview_svg(load_score(profile, site or DEMO_SITE, room))
    try:
        output.write_text(drawing, encoding="utf-8")
    except OSError as error:
        raise UserError(f"{output}: cannot be written: {error.strerror or error}") from None
    typer.echo(f"wrote {output}")


def report(
    session: Annotated[str, typer.Argument(help="The session's id, or 'last'.")],
    data: DataOption = None,
    room: Annotated[str | None, typer.Option(help="Which room; every room's without.")] = None,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="Write JSON here.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Print what happened in a session, from the journal. Free text of notes is left out."""
    from controller.record_codec import encode_record  # noqa: PLC0415

    records = asyncio.run(_records(data or default_data_dir(), session, room))
    rows = [json.loads(encode_record(record)) for record in records]
    if output is not None:
        try:
            output.write_text(json.dumps(rows, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
        except OSError as error:
            raise UserError(f"{output}: cannot be written: {error.strerror or error}") from None
        typer.echo(f"wrote {output}")
    elif as_json:
        typer.echo(json.dumps(rows, ensure_ascii=False))
    else:
        for record in records:
            at = datetime.fromtimestamp(record.at_ms / 1000, UTC).astimezone()
            typer.echo(f"{at:%Y-%m-%d %H:%M:%S}  {record.body.kind.replace('_', ' '):24} {record.by}")


async def _records(data: Path, session: str, room: str | None) -> tuple[Record, ...]:
    from controller.journal import journal_path, open_journal  # noqa: PLC0415

    folder = journal_path(data, "any").parent
    rooms = [room] if room is not None else sorted(path.stem for path in folder.glob("*" + _suffix(data)))
    newest: tuple[int, tuple[Record, ...]] = (-1, ())
    for name in rooms:
        if not journal_path(data, name).is_file():
            raise UserError(f"{data}: room {name!r} has no journal here")
        journal = await open_journal(journal_path(data, name))
        try:
            for summary in await journal.sessions():
                if summary.session_id == session:
                    return await journal.records(session)
                if session == "last" and summary.started_at_ms > newest[0]:
                    newest = (summary.started_at_ms, await journal.records(summary.session_id))
        finally:
            await journal.close()
    if newest[1]:
        return newest[1]
    raise UserError(f"{data}: there is no session {session!r} in the journal")


def _suffix(data: Path) -> str:
    from controller.journal import journal_path  # noqa: PLC0415

    return journal_path(data, "any").suffix
