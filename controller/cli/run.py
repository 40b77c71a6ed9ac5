"""``stillroom run``: the daemon in the foreground, with a panel on a terminal, plain lines anywhere else."""

import asyncio
import threading
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn

from controller.daemon.options import DEMO_SITE, RunOptions, default_data_dir


class MusicProgress:
    """A bar while pieces are rendered or measured; plain lines where there is no terminal."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bar: Progress | None = None
        self._task: TaskID | None = None
        self._said = -1
        self._lock = threading.Lock()

    def __call__(self, done: int, total: int, name: str) -> None:
        """Show that ``done`` of ``total`` are done."""
        with self._lock:
            if total and self._console.is_terminal:
                self._show(done, total, name)
            elif total and (done == total or done * 10 // total != self._said):
                self._said = done * 10 // total
                self._console.print(f"music: {done} of {total}", highlight=False)

    def _show(self, done: int, total: int, name: str) -> None:
        if self._bar is None:
            columns = (
                TextColumn("[#d2913c]music[/]"),
                BarColumn(),
                TextColumn("{task.completed}/{task.total} {task.fields[name]}"),
            )
            self._bar = Progress(*columns, console=self._console, transient=True)
            self._task = self._bar.add_task("music", total=total, name=name)
            self._bar.start()
        if self._task is not None:
            self._bar.update(self._task, completed=done, total=total, name=name)
        if done >= total:
            self.close()

    def close(self) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None


def run(
    site: Annotated[Path | None, typer.Option(help="Site file; without one the demo site.")] = None,
    data: Annotated[Path | None, typer.Option(help="Folder of the journal, tokens and music.")] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="The tablets' port.")] = None,
    mqtt_port: Annotated[int | None, typer.Option(min=1, max=65535, help="The broker's port.")] = None,
    profile: Annotated[str | None, typer.Option(help="Start this profile at once.")] = None,
    speed: Annotated[int, typer.Option(min=1, max=3600, help="Room seconds in one real second.")] = 1,
    render: Annotated[
        bool, typer.Option("--render/--no-render", help="Make generated pieces that are missing.")
    ] = True,
    rehearsal_speed: Annotated[
        int | None,
        typer.Option(min=1, max=100, help="Start it as a rehearsal, its plan run together so many times."),
    ] = None,
    players: Annotated[
        PlayersFrom, typer.Option(help="Who keeps the players: this program, or systemd's units.")
    ] = PlayersFrom.OWN,
) -> None:
    """Run the rooms of a site until Ctrl-C."""
    from controller.daemon.logs import set_up_logs  # noqa: PLC0415
    from controller.daemon.run import Daemon  # noqa: PLC0415 - audio and drivers load slowly

    folder = (data or default_data_dir()).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    console = Console()
    set_up_logs(folder, quiet_terminal=console.is_terminal)
    options = RunOptions(
        data=folder,
        site=(site or DEMO_SITE).resolve(),
        port=port,
        mqtt_port=mqtt_port,
        profile=profile,
        speed=speed,
        render=render,
        rehearsal_speed=rehearsal_speed,
        player_services=players is PlayersFrom.UNITS,
    )
    asyncio.run(Daemon(options, console, MusicProgress(console)).run())
