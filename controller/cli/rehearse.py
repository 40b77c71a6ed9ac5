"""``stillroom rehearse``: a whole profile on a virtual clock, as a table or as JSON; or in the real room."""

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
from controller.rehearsal_faults import Fault, parse_fault

FASTEST = "max"
FASTEST_IN_ROOM = 100


def rehearse(
    profile: Annotated[str, typer.Argument(help="The profile's id, or a profile file.")],
    speed: Annotated[str, typer.Option(help="Room seconds in one real second, or 'max'.")] = FASTEST,
    site: Annotated[Path | None, typer.Option(help="Site file; without one the demo site.")] = None,
    room: Annotated[str | None, typer.Option(help="Which room; the site's first without.")] = None,
    data: Annotated[Path | None, typer.Option("--data", help="Where the music is kept.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    fault: Annotated[
        list[str] | None,
        typer.Option(help="Throw in a fault: bridge-gone@10m, track-missing@1h, tablet-lost@20m+5m."),
    ] = None,
    in_room: Annotated[
        bool, typer.Option("--in-room", help="On the real lamps and sound; the daemon must not run.")
    ] = False,
) -> None:
    """Rehearse a whole profile with simulated lamps and no sound, and print what happened."""
    from controller.daemon.rehearsing import prepare_rehearsal  # noqa: PLC0415 - loads the catalogues

    pace, faults = _pace(speed), tuple(parse_fault(text) for text in fault or ())
    if in_room:
        _in_room(profile, pace, faults, site, data)
        return
    rehearsal = prepare_rehearsal(profile, site or DEMO_SITE, room, data or default_data_dir())
    for one in faults:
        rehearsal.throw(one)
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
    for outcome in report.faults:
        console.print(f"{_clock(outcome.at_ms)} {outcome.kind}: {outcome.outcome}", highlight=False)
    most = max(report.lamp_commands.values(), default=0)
    console.print(
        f"{_clock(report.ended_ms)} rehearsed in {wall_s:.2f} s; {report.tracks} tracks; "
        f"at most {most} commands to a lamp"
    )


def _in_room(
    profile: str, pace: float, faults: tuple[Fault, ...], site: Path | None, data: Path | None
) -> None:
    """Run the rooms with this profile as a rehearsal; light and sound keep real time."""
    from controller.cli.run import run  # noqa: PLC0415

    if faults:
        raise UserError("--fault: faults are thrown into the simulated room only")
    if not 1 <= pace <= FASTEST_IN_ROOM or pace != int(pace):
        raise UserError(f"--speed: in the real room expected a whole number from 1 to {FASTEST_IN_ROOM}")
    run(site=site, data=data, profile=profile, rehearsal_speed=int(pace))


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
