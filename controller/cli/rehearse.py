"""``stillroom rehearse``: a whole profile on a virtual clock, as a table or as JSON."""

import asyncio
import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from controller.clock import RealClock
from controller.daemon.options import DEMO_SITE, default_data_dir
from controller.errors import UserError

FASTEST = "max"


def rehearse(
    profile: Annotated[str, typer.Argument(help="The profile's id, or a profile file.")],
    speed: Annotated[str, typer.Option(help="Room seconds in one real second, or 'max'.")] = FASTEST,
    site: Annotated[Path | None, typer.Option(help="Site file; without one the demo site.")] = None,
    room: Annotated[str | None, typer.Option(help="Which room; the site's first without.")] = None,
    data: Annotated[Path | None, typer.Option("--data", help="Where the music is kept.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Rehearse a whole profile with simulated lamps and no sound, and print what happened."""
    from controller.daemon.rehearsing import prepare_rehearsal  # noqa: PLC0415 - loads the catalogues

    pace = _pace(speed)
    rehearsal = prepare_rehearsal(profile, site or DEMO_SITE, room, data or default_data_dir())
    real = RealClock()
    begun_ms = real.now_ms()
    start_ms = rehearsal.clock.now_ms()

    def watch(at_ms: int) -> None:
        if pace:
            asyncio.run(real.sleep_until(begun_ms + round((at_ms - start_ms) / pace)))

    report = rehearsal.run(watch)
    wall_s = (real.now_ms() - begun_ms) / 1000.0
    if as_json:
        typer.echo(json.dumps({**report.as_json(), "wall_s": round(wall_s, 3)}, ensure_ascii=False))
        return
    console = Console()
    table = Table("time", "what", "", title=f"{report.title}{' (unreviewed)' if report.unreviewed else ''}")
    for line in report.happenings:
        table.add_row(_clock(line.session_ms), line.kind.replace("_", " "), line.what)
    console.print(table)
    most = max(report.lamp_commands.values(), default=0)
    console.print(
        f"{_clock(report.ended_ms)} rehearsed in {wall_s:.2f} s; {report.tracks} tracks; "
        f"at most {most} commands to a lamp"
    )


def _pace(speed: str) -> float:
    if speed == FASTEST:
        return 0.0
    try:
        pace = float(speed)
    except ValueError:
        raise UserError(f"--speed: expected a number or '{FASTEST}', found {speed!r}") from None
    if not 0.1 <= pace <= 1_000_000:
        raise UserError("--speed: expected a number from 0.1 to 1000000")
    return pace


def _clock(ms: int) -> str:
    seconds, rest = divmod(ms, 1000)
    hours, seconds = divmod(seconds, 3600)
    return f"{hours}:{seconds // 60:02}:{seconds % 60:02}.{rest:03}"
