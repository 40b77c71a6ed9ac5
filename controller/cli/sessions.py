"""``stillroom sessions`` and ``stillroom audit``: what is kept of sessions, and who deleted or exported."""

import json
from pathlib import Path
from typing import Annotated

import typer

from controller.daemon.options import DEMO_SITE, default_data_dir
from controller.errors import UserError

app = typer.Typer(help="Past sessions: list, delete, expire.", no_args_is_help=True)
audit_app = typer.Typer(help="The audit log of deletions and exports.", no_args_is_help=True)

DataOption = Annotated[Path | None, typer.Option("--data", help="Folder of the journal.")]
RoomOption = Annotated[str | None, typer.Option("--room", help="Which room; every room's without.")]
BY = "command line"


@app.command("list")
def list_sessions(
    data: DataOption = None,
    room: RoomOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List sessions, newest first."""
    from datetime import UTC, datetime  # noqa: PLC0415

    from controller.reports.book import books_in  # noqa: PLC0415

    books = books_in(data or default_data_dir(), room)
    found = [(name, line) for name, book in books.items() for line in book.sessions()]
    found.sort(key=lambda one: one[1].started_at_ms, reverse=True)
    if as_json:
        keys = ("session_id", "profile_id", "title", "started_at_ms", "ended_at_ms", "unreviewed")
        rows = [{"room": name, **{key: getattr(line, key) for key in keys}} for name, line in found]
        typer.echo(json.dumps(rows, ensure_ascii=False))
        return
    for name, line in found:
        at = datetime.fromtimestamp(line.started_at_ms / 1000, UTC).astimezone()
        state = "" if line.ended_at_ms is not None else "  not ended"
        typer.echo(f"{line.session_id}  {at:%Y-%m-%d %H:%M}  {name}  {line.title}{state}")


@app.command()
def delete(
    session: Annotated[str, typer.Argument(help="The session's id, or its first letters.")],
    data: DataOption = None,
    room: RoomOption = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    with_damaged: Annotated[
        bool, typer.Option("--with-damaged", help="Also damaged journals that were set aside, whole.")
    ] = False,
) -> None:
    """Delete a session from journal and notes. It cannot be brought back."""
    from controller.audit import audit_log  # noqa: PLC0415
    from controller.clock import RealClock  # noqa: PLC0415
    from controller.reports.book import books_in, find_session  # noqa: PLC0415
    from controller.retention import delete_damaged, delete_session  # noqa: PLC0415

    folder = data or default_data_dir()
    books = books_in(folder, room)
    found_room, found = find_session(books, session, folder)
    if not yes and not typer.confirm(f"Delete session {found} of room {found_room} for good?"):
        raise typer.Exit(1)
    gone = delete_session(books[found_room].path, found)
    now_ms = RealClock().now_ms()
    audit_log(folder).add(now_ms, BY, "session deleted", room=found_room, session=found)
    typer.echo(f"deleted {gone.records} records and {gone.notes} notes of session {found}")
    if with_damaged:
        for file in delete_damaged(gone.damaged_files, now_ms + 1):
            audit_log(folder).add(now_ms, BY, "damaged journal deleted", file=file.name)
            typer.echo(f"deleted {file}")
    elif gone.damaged_files:
        names = ", ".join(str(file) for file in gone.damaged_files)
        typer.echo(f"may still hold it, being damaged: {names} (--with-damaged deletes them whole)", err=True)


@app.command()
def expire(
    data: DataOption = None,
    site: Annotated[Path | None, typer.Option(help="Site file; its retention_days is the period.")] = None,
    days: Annotated[int | None, typer.Option(min=1, help="Another period.")] = None,
) -> None:
    """Delete the sessions that are older than the site's period."""
    from controller.audit import audit_log  # noqa: PLC0415
    from controller.clock import RealClock  # noqa: PLC0415
    from controller.reports.book import books_in  # noqa: PLC0415
    from controller.retention import (  # noqa: PLC0415
        MS_PER_DAY,
        delete_damaged,
        delete_session,
        sessions_older_than,
    )
    from profiles.catalogue import load_site  # noqa: PLC0415

    folder = data or default_data_dir()
    period = days if days is not None else load_site(site or DEMO_SITE).site.retention_days
    if period is None:
        raise UserError("the site keeps sessions until somebody deletes them (retention_days is not set)")
    now_ms, log, count = RealClock().now_ms(), audit_log(folder), 0
    for room, book in books_in(folder).items():
        for line in sessions_older_than(book.path, period, now_ms):
            delete_session(book.path, line.session_id)
            log.add(now_ms, "retention", "session expired", room=room, session=line.session_id)
            count += 1
        damaged = book.path.parent.glob(f"{book.path.name}.damaged-*")
        for file in delete_damaged(damaged, now_ms - period * MS_PER_DAY):
            log.add(now_ms, "retention", "damaged journal expired", file=file.name)
    typer.echo(f"{count} sessions older than {period} days deleted")


@audit_app.command()
def verify(data: DataOption = None) -> None:
    """Prove that no line of the audit log was changed or taken out."""
    from controller.audit import AuditError, audit_log  # noqa: PLC0415

    try:
        lines = audit_log(data or default_data_dir()).lines()
    except AuditError as error:
        raise UserError(str(error)) from None
    typer.echo(f"all {len(lines)} lines are as they were written")


@audit_app.command()
def show(data: DataOption = None) -> None:
    """Print the audit log."""
    from controller.audit import AuditError, audit_log  # noqa: PLC0415

    try:
        for line in audit_log(data or default_data_dir()).lines():
            typer.echo(str(line))
    except AuditError as error:
        raise UserError(str(error)) from None
