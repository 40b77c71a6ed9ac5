"""``stillroom archive``: brings the rooms' sessions to the site's PostgreSQL database, once or for ever."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from controller.daemon.options import DEMO_SITE, default_data_dir
from controller.errors import StillroomError, UserError

if TYPE_CHECKING:
    from controller.archive import Archive

EVERY_MS: Final = 5_000
LONGEST_WAIT_MS: Final = 60_000


def archive(
    data: Annotated[Path | None, typer.Option("--data", help="Folder of the journals.")] = None,
    site: Annotated[Path | None, typer.Option(help="Site file; its archive names the database.")] = None,
    url_file: Annotated[Path | None, typer.Option(help="Another file with a database's address.")] = None,
    follow: Annotated[bool, typer.Option("--follow", help="Go on until ended, catching up.")] = False,
) -> None:
    """Bring every room's sessions to the archive. Free text of notes never goes there."""
    from controller.archive import Archive, read_url  # noqa: PLC0415 - loads SQLAlchemy
    from profiles.catalogue import load_site  # noqa: PLC0415

    folder, loaded = data or default_data_dir(), load_site(site or DEMO_SITE)
    if url_file is None:
        if loaded.site.archive is None:
            raise UserError(f"{loaded.path}: names no archive (archive: {{url_file: ...}})")
        url_file = loaded.resolve(loaded.site.archive.url_file)
    feeding = Archive(read_url(url_file), loaded.site.site, folder / "archive")
    try:
        if follow:
            asyncio.run(_follow(feeding, folder))
        else:
            sent = feeding.feed(_journals(folder))
            typer.echo(f"{sent.records} records sent, {sent.deleted} sessions taken out")
    except KeyboardInterrupt:
        pass
    except UserError:
        raise
    except StillroomError as error:
        typer.echo(f"stillroom: {error}", err=True)
        raise typer.Exit(1) from None
    finally:
        feeding.close()


def _journals(folder: Path) -> dict[str, Path]:
    from controller.reports.book import books_in  # noqa: PLC0415

    return {room: book.path for room, book in books_in(folder).items()}


async def _follow(feeding: "Archive", folder: Path) -> None:
    """Feed for ever; say a fault once, and that it is over."""
    from controller.clock import RealClock  # noqa: PLC0415

    clock, wait_ms, fault = RealClock(), EVERY_MS, ""
    while True:
        try:
            sent = feeding.feed(_journals(folder))
            if fault or sent.records or sent.deleted:
                typer.echo(f"{sent.records} records sent, {sent.deleted} sessions taken out")
            wait_ms, fault = EVERY_MS, ""
        except UserError:
            raise
        except StillroomError as error:
            if str(error) != fault:
                typer.echo(f"stillroom: {error}", err=True)
            wait_ms, fault = min(wait_ms * 2, LONGEST_WAIT_MS), str(error)
        await clock.sleep_until(clock.now_ms() + wait_ms)
