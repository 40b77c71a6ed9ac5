"""The commands, each a few lines that call what does the work."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from controller.cli import (
    archive,
    backup,
    calibrate,
    certificate,
    check,
    install,
    library,
    lights,
    mqtt,
    papers,
    rehearse,
    report,
    run,
    service,
    sessions,
    status,
)
from controller.daemon.options import default_data_dir
from controller.errors import UserError

app = typer.Typer(
    name="stillroom",
    help="A session room ambience controller: light, music and grounding prompts for long guided sessions.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("run")(run.run)
app.command("rehearse")(rehearse.rehearse)
app.command("player")(service.player)
app.command("status")(status.status)
app.command("install")(install.install)
app.command("uninstall")(install.uninstall)
app.command("backup")(backup.backup)
app.command("restore")(backup.restore)
app.command("preview")(papers.preview)
app.command("report")(report.report)
app.command("patterns")(report.patterns)
app.command("simulate-bridge", context_settings={"allow_extra_args": True, "ignore_unknown_options": True})(
    lights.simulate_bridge
)
app.command("pair-bridge")(lights.pair_bridge)
app.command("find-bridges")(lights.find_bridges)
app.command("broker-config")(mqtt.broker_config)
app.command("prompt-device")(mqtt.prompt_device)
app.command("wall")(mqtt.wall)
app.command("make-certificate")(certificate.make_certificate)
app.command("calibrate")(calibrate.calibrate)
app.command("check")(check.check)
app.command("archive")(archive.archive)
app.add_typer(library.app, name="library")
app.add_typer(sessions.app, name="sessions")
app.add_typer(sessions.audit_app, name="audit")

DataOption = Annotated[Path | None, typer.Option("--data", help="Folder of the journal, tokens and music.")]


@app.command()
def validate(
    paths: Annotated[
        list[Path], typer.Argument(help="Profiles, presets, prompts, pools, sites, or folders.")
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print the faults as JSON.")] = False,
) -> None:
    """Check files; every fault with its file, line and key. Exit status 2 if there is one."""
    from controller.daemon.lights import known_drivers  # noqa: PLC0415 - the drivers load slowly
    from controller.file_checks import check_files  # noqa: PLC0415

    problems = check_files(paths, known_drivers())
    if as_json:
        rows = [
            {"file": p.file, "line": p.line, "key": p.key, "message": p.message, "hint": p.hint}
            for p in problems
        ]
        typer.echo(json.dumps({"ok": not problems, "problems": rows}, ensure_ascii=False))
    else:
        for problem in problems:
            typer.echo(str(problem), err=True)
        if not problems:
            typer.echo("all well")
    if problems:
        raise typer.Exit(2)


@app.command()
def token(
    role: Annotated[str, typer.Option(help="therapist, designer, installer or display")],
    name: Annotated[str, typer.Option(help="The device's name, never a person's.")] = "command line",
    data: DataOption = None,
) -> None:
    """Make a bearer token for a program or tablet, and print it once."""
    from controller.clock import RealClock  # noqa: PLC0415
    from controller.web.access import Access, Role  # noqa: PLC0415

    if role not in {known.value for known in Role}:
        raise UserError(f"unknown role {role!r} (known: {', '.join(known.value for known in Role)})")
    folder = data or default_data_dir()
    folder.mkdir(parents=True, exist_ok=True)
    typer.echo(Access(folder, RealClock()).issue_token(role, name))


@app.command()
def schemas(
    folder: Annotated[Path, typer.Argument(help="Where to write them.")] = Path("schemas"),
) -> None:
    """Write the JSON Schemas of every file a person writes."""
    from controller.file_checks import KINDS  # noqa: PLC0415
    from profiles.schema_files import write_schemas  # noqa: PLC0415

    for path in write_schemas(folder, KINDS):
        Console(stderr=True).print(f"wrote {path}")
