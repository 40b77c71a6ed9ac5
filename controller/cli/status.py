"""``stillroom status``: how the daemon on this machine is, by its own figures; nothing of a client."""

import ssl
import threading
import urllib.error
import urllib.request
from pathlib import Path
from typing import Annotated

import typer

from controller.daemon.options import default_data_dir
from controller.errors import UserError
from controller.running_daemon import find

ASK_S = 5.0


def status(
    data: Annotated[Path | None, typer.Option("--data", help="The daemon's folder.")] = None,
    every_s: Annotated[
        float | None, typer.Option("--every", min=0.5, help="Ask again after so many seconds, until Ctrl-C.")
    ] = None,
) -> None:
    """Say how the daemon is: rooms in session, lamps, tablets, commands, and what is not well."""
    from rich.console import Console  # noqa: PLC0415 - other commands need none of it
    from rich.live import Live  # noqa: PLC0415

    folder, console = data or default_data_dir(), Console()
    if every_s is None:
        console.print(_seen(folder), highlight=False)
        return
    with Live(_seen(folder), console=console, auto_refresh=False) as live:
        while True:
            threading.Event().wait(every_s)
            live.update(_seen(folder), refresh=True)


def _seen(data: Path) -> str:
    running = find(data)
    if running is None:
        raise UserError(f"no daemon runs with {data}")
    figures = _figures(_ask(f"{running.url}/metrics"))
    said = [f"{running.url}   process {running.pid}"]
    wells = {"stillroom_in_session": "in session", "stillroom_tablets": "tablets"}
    wells["stillroom_lamps_unreachable"] = "lamps that do not answer"
    said += [
        f"  {labels or 'all'}: {value:g} {wells[name]}" for name, labels, value in figures if name in wells
    ]
    said += [f"  not well: {labels}" for name, labels, _ in figures if name == "stillroom_fault"]
    counts = {name: value for name, _, value in figures if name.startswith("stillroom_command_seconds_")}
    done = counts.get("stillroom_command_seconds_count", 0)
    if done:
        said.append(
            f"  {done:g} commands, {1000 * counts['stillroom_command_seconds_sum'] / done:.1f} ms each"
        )
    return "\n".join(said)


def _ask(url: str) -> str:
    context = ssl.create_default_context()
    # Our own daemon on this machine, found by its process; its certificate names the clinic's address.
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        with urllib.request.urlopen(url, timeout=ASK_S, context=context) as answer:  # noqa: S310 - our own address
            return str(answer.read().decode())
    except (OSError, urllib.error.HTTPError) as error:
        raise UserError(f"{url}: the daemon does not answer: {error}") from None


def _figures(text: str) -> list[tuple[str, str, float]]:
    found = []
    for line in text.splitlines():
        if line and not line.startswith("#"):
            name, _, value = line.rpartition(" ")
            name, _, labels = name.partition("{")
            found.append((name, labels.rstrip("}").replace('"', "").replace("room=", ""), float(value)))
    return found
