"""``stillroom install`` and ``uninstall``: say what is to be done, ask, do it; go back if it is not well."""

import shutil
import subprocess
from pathlib import Path
from typing import Annotated

import typer

from controller.errors import UserError
from controller.installing import (
    CURRENT,
    SITE,
    Step,
    plan_install,
    plan_rollback,
    plan_uninstall,
    this_environment,
)

RootOption = Annotated[Path, typer.Option(help="Install into this root folder (an image being made).")]
YesOption = Annotated[bool, typer.Option("--yes", help="Do not ask.")]
HEALTHY_S = 60


def install(
    root: RootOption = Path("/"),
    yes: YesOption = False,
    environment: Annotated[
        Path | None, typer.Option(help="The Python environment to serve from, as a path under the root.")
    ] = None,
    wait_s: Annotated[
        int, typer.Option(min=1, help="How long the new version may take to be well.")
    ] = HEALTHY_S,
) -> None:
    """Put Stillroom in place as systemd services, or bring it up to this version. Safe to repeat."""
    from controller.backups import back_up  # noqa: PLC0415 - other commands need none of it
    from controller.daemon.lights import known_drivers  # noqa: PLC0415
    from controller.daemon.options import DEMO_SITE  # noqa: PLC0415
    from profiles.catalogue import load_site  # noqa: PLC0415

    site = root / SITE.relative_to("/")
    text = DEMO_SITE.read_text(encoding="utf-8")
    rooms = load_site(site if site.exists() else DEMO_SITE, drivers=known_drivers()).site.rooms
    upgrade = (root / CURRENT.relative_to("/")).is_symlink()
    steps = plan_install(root, tuple(room.id for room in rooms), text, environment or this_environment())
    live = root == Path("/") and Path("/run/systemd/system").is_dir()
    if not _carry_out(steps, yes, " and (re)start the services" if live else ""):
        return
    if not live:
        typer.echo("in place; the services start with the machine")
        return
    data = Path("/var/lib/stillroom")
    kept = Path("/var/lib/stillroom-before-upgrade.tar.gz")
    if upgrade and data.is_dir():
        kept.unlink(missing_ok=True)
        back_up(data, kept)
    for command in (("systemd-sysusers",), ("systemd-tmpfiles", "--create"), ("systemctl", "daemon-reload")):
        _run(*command)
    _run("systemctl", "restart", "stillroom.service")
    _run("systemctl", "start", "stillroom.target")
    if _comes_up(wait_s):
        typer.echo("in place and well")
        return
    if not upgrade:
        raise UserError("the services do not come up: see 'journalctl -u stillroom'")
    for step in plan_rollback(root):
        typer.echo(step.what)
        step.do()
    _run("systemctl", "restart", "stillroom.service")
    raise UserError(
        f"the new version did not come up within {wait_s} s: the one before serves again; "
        f"the data as it was lies in {kept}"
    )


def uninstall(root: RootOption = Path("/"), yes: YesOption = False) -> None:
    """Take the services away. Site file, secrets and sessions stay."""
    live = root == Path("/") and Path("/run/systemd/system").is_dir()
    if live:
        _run("systemctl", "stop", "stillroom.target", check=False)
    if _carry_out(plan_uninstall(root), yes, "") and live:
        _run("systemctl", "daemon-reload")


def _carry_out(steps: tuple[Step, ...], yes: bool, besides: str) -> bool:
    """Say the steps, ask, do them; whether they were to be done."""
    for step in steps:
        typer.echo(f"  {step.what}")
    if not steps:
        typer.echo("all is in place")
        return True
    if not yes and not typer.confirm(f"Do this{besides}?"):
        return False
    for step in steps:
        try:
            step.do()
        except OSError as error:
            raise UserError(f"could not {step.what}: {error.strerror or error}") from None
    return True


def _run(*command: str, check: bool = True) -> bool:
    program = shutil.which(command[0])
    if program is None:
        raise UserError(f"{command[0]} is not there: is this a machine with systemd?")
    done = subprocess.run(  # noqa: S603 - fixed words, no shell
        [program, *command[1:]], check=False, capture_output=True, text=True
    )
    if check and done.returncode:
        raise UserError(f"{' '.join(command)}: {done.stderr.strip() or done.returncode}")
    return done.returncode == 0


def _comes_up(wait_s: int) -> bool:
    """Whether systemd has heard READY, and the service is still up some seconds later."""
    for _ in range(wait_s):
        if _run("systemctl", "is-active", "--quiet", "stillroom.service", check=False):
            _run("sleep", "3")
            return _run("systemctl", "is-active", "--quiet", "stillroom.service", check=False)
        _run("sleep", "1")
    return False
