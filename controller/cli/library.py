"""``stillroom library``: the clinic's own music, and the generated pieces."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from controller.cli.progress import MusicProgress
from controller.daemon.options import default_data_dir
from controller.errors import Problem
from playlists.models import Track

app = typer.Typer(
    help="Music: add a folder, list, analyse, check, render the generated pieces.", no_args_is_help=True
)

Data = Annotated[Path | None, typer.Option("--data", help="Folder of the journal, tokens and music.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def _say(problems: tuple[Problem, ...]) -> None:
    for problem in problems:
        typer.echo(str(problem), err=True)
    if problems:
        raise typer.Exit(2)


def _row(track: Track) -> dict[str, object]:
    return {
        "track_id": track.track_id,
        "path": track.path,
        "title": track.title,
        "artist": track.artist,
        "length_ms": track.length_ms,
        "integrated_lufs": round(track.integrated_lufs, 2),
        "range_lu": round(track.range_lu, 2),
        "true_peak_dbtp": round(track.true_peak_dbtp, 2),
        "energy": round(track.energy, 2),
        "has_words": track.has_words,
    }


@app.command()
def add(
    folder: Annotated[Path, typer.Argument(help="A folder of music.")],
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Measure a folder of music and remember it; write a pool file beside it if there is none."""
    from playlists.music_library import add_folder  # noqa: PLC0415

    report = add_folder(folder, data or default_data_dir(), MusicProgress(Console(stderr=True)))
    if as_json:
        rows = [_row(track) for track in report.tracks]
        typer.echo(json.dumps({"tracks": rows, "measured": report.measured}, ensure_ascii=False))
    else:
        typer.echo(f"{len(report.tracks)} tracks, {report.measured} measured now")
        if report.pool_file is not None:
            typer.echo(f"wrote {report.pool_file}: name the mood there, and mark tracks with words")
    _say(report.problems)


@app.command()
def analyse(
    data: Data = None,
    again: Annotated[bool, typer.Option("--again", help="Measure everything anew.")] = False,
) -> None:
    """Measure what is new in every folder that was added."""
    from playlists.music_library import analyse as measure  # noqa: PLC0415

    report = measure(data or default_data_dir(), MusicProgress(Console(stderr=True)), again=again)
    typer.echo(f"{len(report.tracks)} tracks, {report.measured} measured now")
    _say(report.problems)


@app.command("list")
def list_(data: Data = None, as_json: Json = False) -> None:
    """List the clinic's own tracks with their loudness and energy."""
    from playlists.music_library import list_tracks  # noqa: PLC0415

    tracks = list_tracks(data or default_data_dir())
    if as_json:
        typer.echo(json.dumps([_row(track) for track in tracks], ensure_ascii=False))
        return
    table = Table("title", "artist", "length", "LUFS", "range LU", "peak dBTP", "energy", "words")
    for track in tracks:
        minutes, seconds = divmod(track.length_ms // 1000, 60)
        words = {True: "yes", False: "no", None: "?"}[track.has_words]
        table.add_row(
            track.title or Path(track.path).name,
            track.artist,
            f"{minutes}:{seconds:02}",
            f"{track.integrated_lufs:.1f}",
            f"{track.range_lu:.1f}",
            f"{track.true_peak_dbtp:.1f}",
            f"{track.energy:.2f}",
            words,
        )
    Console().print(table)


@app.command()
def check(data: Data = None) -> None:
    """Say everything that is wrong, or worth knowing, about the music."""
    from playlists.music_library import check as look  # noqa: PLC0415
    from playlists.synth.rendering import load_rendered  # noqa: PLC0415

    folder = data or default_data_dir()
    problems = look(folder, load_rendered(folder / "music"))
    _say(problems)
    typer.echo("all well")


@app.command()
def render(
    data: Data = None,
    pool: Annotated[list[str] | None, typer.Option(help="Only these pools.")] = None,
    workers: Annotated[int | None, typer.Option(min=0, help="Processes; 0 is this one.")] = None,
) -> None:
    """Make the generated pieces that are not there yet."""
    from playlists.bed import render_bed  # noqa: PLC0415
    from playlists.synth.rendering import render_library  # noqa: PLC0415

    pieces = (data or default_data_dir()) / "music"
    pieces.mkdir(parents=True, exist_ok=True)
    render_bed(pieces)
    console = Console(stderr=True)
    tracks = render_library(pieces, pool or None, MusicProgress(console), workers)
    typer.echo(f"{len(tracks)} pieces in {pieces}")
