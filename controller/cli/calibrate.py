"""``stillroom calibrate``: measure what a room's sound device makes of the music's loudness."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from controller.clock import RealClock
from controller.daemon.options import DEMO_SITE, default_data_dir
from controller.errors import UserError

OUTPUTS = ("speakers", "headphones")


def calibrate(
    room: Annotated[str | None, typer.Option(help="Which room; the site's first without.")] = None,
    site: Annotated[Path | None, typer.Option(help="Site file; without one the demo site.")] = None,
    data: Annotated[Path | None, typer.Option("--data", help="Folder that keeps the result.")] = None,
    output: Annotated[str, typer.Option(help="speakers or headphones")] = "speakers",
    reading: Annotated[
        float | None, typer.Option(min=20, max=120, help="The meter's reading, dB(A); asked for without.")
    ] = None,
) -> None:
    """Play noise at a known level, take a sound level meter's reading, and remember the device."""
    from controller.daemon.calibrating import calibrate as measure  # noqa: PLC0415 - audio loads slowly
    from controller.daemon.calibrating import plan_calibration  # noqa: PLC0415

    folder = (data or default_data_dir()).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    if output not in OUTPUTS:
        raise UserError(f"unknown output {output!r} (known: {', '.join(OUTPUTS)})")
    plan = plan_calibration((site or DEMO_SITE).resolve(), room, folder, headphones=output == "headphones")

    async def read_meter(device: str) -> float:
        if reading is not None:
            return reading
        typer.echo(f"Noise plays on {device!r}. Hold the meter where the client's head will be: A, slow.")
        answer = await asyncio.to_thread(typer.prompt, "The meter says, dB(A)", type=float)
        return float(answer)

    typer.echo("The noise comes up within five seconds …")
    found = asyncio.run(measure(plan, RealClock(), read_meter))
    typer.echo(
        f"{found.device}: {found.reading_dba:g} dB(A) at {found.loudness_lufs:g} LUFS, "
        f"so K = {found.k_db:g} dB. "
        "It holds from the daemon's next start, as long as no volume knob is moved."
    )
