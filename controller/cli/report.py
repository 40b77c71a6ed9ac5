"""``stillroom report``: what a session was, as a paper for people or a table for research."""

import json
import os
import sys
from dataclasses import asdict
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import Annotated

import typer

from controller.daemon.options import DEMO_SITE, default_data_dir
from controller.errors import UserError
from controller.reports.room_card import RoomCard


def report(  # noqa: PLR0913, PLR0917 - each is one option of the command
    session: Annotated[str, typer.Argument(help="The session's id, its first letters, or 'last'.")],
    data: Annotated[Path | None, typer.Option("--data", help="Folder of the journal.")] = None,
    room: Annotated[str | None, typer.Option(help="Which room; every room's without.")] = None,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="Write .html, .pdf, .svg, .json, .csv or .parquet here."),
    ] = None,
    form: Annotated[str | None, typer.Option(help="The form, where the file's name does not say it.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the records as JSON.")] = False,
    setting: Annotated[bool, typer.Option("--setting", help="The setting report, after ReSPCT.")] = False,
    with_notes: Annotated[bool, typer.Option("--with-notes", help="With the free text of notes.")] = False,
    site: Annotated[Path | None, typer.Option(help="Site file, for the room's card and the zone.")] = None,
) -> None:
    """Say what happened in a session, from the journal. Free text of notes only if asked for."""
    from controller.audit import audit_log  # noqa: PLC0415 - as reports are seldom made
    from controller.clock import RealClock  # noqa: PLC0415
    from controller.reports.book import books_in, find_session  # noqa: PLC0415
    from controller.reports.desk import ReportDesk, Wanted  # noqa: PLC0415
    from controller.reports.tables import json_of  # noqa: PLC0415

    folder = data or default_data_dir()
    books = books_in(folder, room)
    found_room, found = find_session(books, session, folder)
    if output is None:
        records = books[found_room].records(found)
        if as_json:
            typer.echo(json_of(records).decode(), nl=False)
            return
        zone = _zone(site)
        for record in records:
            at = datetime.fromtimestamp(record.at_ms / 1000, UTC).astimezone(zone)
            typer.echo(f"{at:%Y-%m-%d %H:%M:%S}  {record.body.kind.replace('_', ' '):24} {record.by}")
        return
    desk = ReportDesk(books, _cards(site), _zone(site))
    wanted = Wanted(form or output.suffix.lower().removeprefix(".") or "json", setting, with_notes)
    made = desk.report(found_room, found, wanted)
    if with_notes:
        # Free text leaves the room's keeping: that is written down before it does.
        log = audit_log(folder)
        log.add(RealClock().now_ms(), "report", "notes exported", room=found_room, session=found)
    _write(output, made.content)


def _write(output: Path, content: bytes) -> None:
    if str(output) == "-":
        sys.stdout.buffer.write(content)
        return
    try:
        # What is in a report is for those who may read the journal, until somebody decides otherwise.
        output.touch(mode=0o600)
        output.write_bytes(content)
    except OSError as error:
        raise UserError(f"{output}: cannot be written: {os.strerror(error.errno or 0)}") from None
    typer.echo(f"wrote {output}")


def _cards(site: Path | None) -> dict[str, RoomCard]:
    from profiles.catalogue import load_site  # noqa: PLC0415

    loaded = load_site(site or DEMO_SITE)
    return {room.id: RoomCard(**room.card.model_dump()) for room in loaded.site.rooms}


def _zone(site: Path | None) -> tzinfo | None:
    from zoneinfo import ZoneInfo  # noqa: PLC0415

    from profiles.catalogue import load_site  # noqa: PLC0415

    name = None if site is None else load_site(site).site.timezone
    return None if name is None else ZoneInfo(name)


def patterns(
    data: Annotated[Path | None, typer.Option("--data", help="Folder of the journals.")] = None,
    room: Annotated[str | None, typer.Option(help="Which room; every room's without.")] = None,
    weeks: Annotated[int | None, typer.Option(min=1, help="Only the last so many weeks.")] = None,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="Write .html, .pdf or .json.")] = None,
    site: Annotated[Path | None, typer.Option(help="Site file, for the time zone.")] = None,
) -> None:
    """Lay sessions side by side: rooms, weeks, tracks that are skipped, where lights are turned down."""
    from controller.clock import RealClock  # noqa: PLC0415 - as reports are seldom made
    from controller.reports.book import books_in  # noqa: PLC0415
    from controller.reports.desk import ReportDesk  # noqa: PLC0415
    from controller.reports.papers import patterns_html, pdf_of  # noqa: PLC0415

    desk = ReportDesk(books_in(data or default_data_dir(), room), zone=_zone(site))
    since_ms = 0 if weeks is None else RealClock().now_ms() - weeks * 7 * 86_400_000
    found = desk.patterns(since_ms)
    plain = (json.dumps(asdict(found), ensure_ascii=False, indent=1) + "\n").encode()
    if output is None:
        typer.echo(plain.decode(), nl=False)
        return
    match output.suffix.lower():
        case ".json":
            _write(output, plain)
        case ".html":
            _write(output, patterns_html(found).encode())
        case ".pdf":
            _write(output, pdf_of(patterns_html(found)))
        case _:
            raise UserError(f"{output}: expected a file name that ends in .html, .pdf or .json")
