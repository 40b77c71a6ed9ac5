"""``stillroom check``: is this room ready? Lamps, sound, music, broker, tablets, this machine."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from controller.clock import RealClock
from controller.core.room_check import Answer
from controller.daemon.options import DEMO_SITE, default_data_dir

MARKS = {"passed": "ok  ", "failed": "FAIL", "skipped": "skip"}
ANSWERS = {"y": Answer.YES, "n": Answer.NO, "s": Answer.SKIP}


def check(
    site: Annotated[Path | None, typer.Option(help="Site file; without one the demo site.")] = None,
    data: Annotated[Path | None, typer.Option("--data", help="The daemon's data folder.")] = None,
    room: Annotated[str | None, typer.Option(help="Which room; the site's first without.")] = None,
    profile: Annotated[str | None, typer.Option(help="Hold the music against this profile.")] = None,
    skip: Annotated[
        list[str] | None, typer.Option(help="Leave out a group (lamps, sound, music …) or a line.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, and ask nobody.")] = False,
) -> None:
    """Check a room: every line passes, fails or is skipped, with one clear sentence.

    Exit status 1 if one failed.
    """
    from controller.daemon.checking import View, check_room, daemon_for_check  # noqa: PLC0415 - loads slowly
    from controller.daemon.lights import known_drivers  # noqa: PLC0415
    from profiles.catalogue import load_site  # noqa: PLC0415

    site_file = (site or DEMO_SITE).resolve()
    folder = (data or default_data_dir()).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    loaded = load_site(site_file, drivers=known_drivers())
    chosen = loaded.site.rooms[0].id if room is None else loaded.room(room).id
    asks = not as_json and sys.stdin.isatty()

    def seen(line: View) -> None:
        if not as_json:
            typer.echo(f"{MARKS[line['outcome']]}  {line['subject']}, {line['what']}: {line['message']}")

    def ask(line: View) -> Answer:
        while True:
            said = typer.prompt(f"      {line['message']} [y/n/s to skip]", default="s", show_default=False)
            if said.strip().lower()[:1] in ANSWERS:
                return ANSWERS[said.strip().lower()[:1]]

    async def carry_out() -> View:
        clock = RealClock()
        async with daemon_for_check(site_file, folder, clock) as caller:
            return await check_room(
                caller,
                chosen,
                clock,
                profile=profile,
                skip=tuple(skip or ()),
                ask=ask if asks else None,
                seen=seen,
            )

    view = asyncio.run(carry_out())
    failed = sum(line["outcome"] == "failed" for line in view["lines"])
    if as_json:
        typer.echo(json.dumps({"ok": not failed, **view}, ensure_ascii=False))
    else:
        skipped = sum(line["outcome"] == "skipped" for line in view["lines"])
        passed = len(view["lines"]) - failed - skipped
        typer.echo(f"{chosen}: {passed} passed, {failed} failed, {skipped} skipped")
    if failed:
        raise typer.Exit(1)
