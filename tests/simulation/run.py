"""Simulates many seeded sessions and prints the time; or one again by its number.

``.venv/bin/python tests/simulation/run.py --seeds 10000`` (``--first N`` begins elsewhere, ``--jobs 2`` uses
two processes), ``.venv/bin/python tests/simulation/run.py --seed 4711`` lives through that one again and says
what broke. Exit status 1 if a promise was broken.
"""

# ruff: noqa: T201

import argparse
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from time import monotonic

sys.path.insert(0, str(Path(__file__).parent))

from sim_world import Summary, simulate

CHUNK = 25


def live_through(seed: int) -> tuple[int, Summary | None, str]:
    """One seed: what it came to, or what broke."""
    try:
        return seed, simulate(seed), ""
    except Exception as error:  # noqa: BLE001 - whatever breaks, its seed is what we want to know
        notes = "; ".join(getattr(error, "__notes__", []))
        return seed, None, f"{type(error).__name__}: {error} ({notes})"


def all_of(seeds: range, jobs: int) -> Iterator[tuple[int, Summary | None, str]]:
    """Every seed's outcome, in order."""
    if jobs == 1:
        yield from map(live_through, seeds)
        return
    with ProcessPoolExecutor(jobs) as pool:
        yield from pool.map(live_through, seeds, chunksize=CHUNK)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=1_000, help="how many")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--seed", type=int, help="this one only")
    parser.add_argument("--stop", action="store_true", help="end at the first that broke")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    given = parser.parse_args()
    seeds = (
        range(given.first, given.first + given.seeds)
        if given.seed is None
        else range(given.seed, given.seed + 1)
    )
    begun = monotonic()
    sums: Counter[str] = Counter()
    broken = 0
    for seed, summary, fault in all_of(seeds, given.jobs):
        if summary is None:
            broken += 1
            print(f"seed {seed}: {fault}", flush=True)
            if given.stop:
                return 1
            continue
        for name in ("virtual_ms", "commands", "records", "lamp_commands", "crashes", "faults"):
            sums[name] += getattr(summary, name)
    took_s = monotonic() - begun
    hours = sums["virtual_ms"] / 3_600_000
    each_ms = 1000 * took_s / len(seeds)
    print(
        f"{len(seeds)} sessions, {hours:.0f} h of room time in {took_s:.1f} s ({each_ms:.0f} ms each): "
        f"{sums['commands']} commands, {sums['records']} records, {sums['lamp_commands']} lamp commands, "
        f"{sums['faults']} faults, {sums['crashes']} crashes; {broken} broke a promise"
    )
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
