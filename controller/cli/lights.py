"""``stillroom`` and lamps: find and pair a Hue bridge, run a simulated one."""

from pathlib import Path
from typing import Annotated

import typer

from controller.daemon.options import default_data_dir


def simulate_bridge(context: typer.Context) -> None:
    """Run a simulated Hue bridge; its options follow (``--help`` lists them)."""
    from hardware.sim.bridge import main  # noqa: PLC0415

    raise typer.Exit(main(context.args))


def find_bridges(
    seconds: Annotated[float, typer.Option(min=0.5, max=30, help="How long to listen.")] = 3.0,
) -> None:
    """List the Hue bridges that announce themselves on this network."""
    from hardware.lights_hue import discover  # noqa: PLC0415

    found = discover(seconds)
    for bridge in found:
        typer.echo(f"{bridge.hue_id}  {bridge.address}  {bridge.model}")
    if not found:
        typer.echo("no Hue bridge answered; is this machine on the same network?", err=True)
        raise typer.Exit(1)


def pair_bridge(
    bridge: Annotated[str, typer.Argument(help="The bridge's id in the site file.")],
    address: Annotated[str, typer.Argument(help="Its address: host, host:port or https://host.")],
    data: Annotated[Path | None, typer.Option("--data", help="Folder that keeps the credentials.")] = None,
) -> None:
    """Pair with a Hue bridge: press its link button first."""
    from hardware.lights_hue import pair, store_in  # noqa: PLC0415

    folder = data or default_data_dir()
    folder.mkdir(parents=True, exist_ok=True)
    pair(address, store_in(folder), bridge_id=bridge)
    typer.echo(f"paired with {bridge} at {address}")
