"""How the making and measuring of music shows: a bar on a terminal, plain lines anywhere else."""

import threading

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn


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
