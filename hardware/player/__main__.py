"""``python -m hardware.player``: the process's command line. Made for ``client``; people may use it too."""

import argparse
import json
import sys
import tempfile
from pathlib import Path

from hardware.player.engine import DEFAULT_REFERENCE_LUFS, EngineConfig
from hardware.player.outlet import SoundSystem
from hardware.player.process import ProcessConfig, serve
from hardware.player.units import FLOOR_DB


def parser() -> argparse.ArgumentParser:
    """Return the command line's parser."""
    line = argparse.ArgumentParser(
        prog="python -m hardware.player", description="Stillroom's player process."
    )
    line.add_argument("--socket", type=Path, help="the Unix socket to serve")
    line.add_argument("--list", action="store_true", help="print the output devices as JSON and end")
    line.add_argument("--bed", help="a file that loops without a seam; without one the bed is made")
    line.add_argument("--beds", help="a folder of named beds, for items whose path is bed:NAME")
    line.add_argument("--device", help="speakers: (part of) a device's name, or 'silent'")
    line.add_argument("--headphones", help="a second output: (part of) a device's name")
    line.add_argument("--ceiling-lufs", type=float, default=-23.0, help="speakers' loudness ceiling")
    line.add_argument("--headphones-ceiling-lufs", type=float, default=-23.0)
    line.add_argument(
        "--ceilings", type=_ceilings, default={}, help="JSON: device name to its own loudness ceiling, LUFS"
    )
    line.add_argument("--speakers-trim-db", type=float, default=0.0)
    line.add_argument("--headphones-trim-db", type=float, default=0.0)
    line.add_argument("--reference-lufs", type=float, default=DEFAULT_REFERENCE_LUFS)
    line.add_argument(
        "--programme-db", type=float, default=FLOOR_DB, help="the programme's level at the start"
    )
    line.add_argument("--min-fade-ms", type=int, default=4_000, help="the shortest crossfade on a skip")
    line.add_argument("--tap", type=Path, help="a Unix socket that gives out the mix, s16le 48 kHz stereo")
    line.add_argument("--speed", type=float, default=1.0, help="silent device only; 0: as fast as can be")
    return line


def _ceilings(text: str) -> dict[str, float]:
    return {str(name): float(lufs) for name, lufs in json.loads(text).items()}


def main(arguments: list[str] | None = None) -> int:
    """Run the process; return its exit status."""
    given = parser().parse_args(arguments)
    if given.list:
        with tempfile.TemporaryDirectory() as folder:
            sys.stdout.write(json.dumps(SoundSystem(Path(folder)).outputs()) + "\n")
        return 0
    if given.socket is None:
        parser().error("--socket is needed")
    engine = EngineConfig(
        bed=given.bed,
        beds_folder=given.beds,
        programme_db=given.programme_db,
        reference_lufs=given.reference_lufs,
        min_fade_ms=given.min_fade_ms,
        patient=given.speed != 1.0,
    )
    return serve(
        ProcessConfig(
            socket=given.socket,
            engine=engine,
            device=given.device,
            headphones=given.headphones,
            ceiling_lufs=given.ceiling_lufs,
            headphones_ceiling_lufs=given.headphones_ceiling_lufs,
            ceilings=given.ceilings,
            speakers_trim_db=given.speakers_trim_db,
            headphones_trim_db=given.headphones_trim_db,
            tap=given.tap,
            speed=given.speed,
        )
    )


if __name__ == "__main__":
    sys.exit(main())
