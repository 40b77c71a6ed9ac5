"""Kills the real daemon (SIGKILL) at random instants of a session under load, and looks what is left.

``.venv/bin/python tests/simulation/kill_daemon.py --times 200 [--seed N]`` prints each time and a last line.
Held: every command that was answered as journaled is in the report, once; no prompt went out twice; the same
session goes on, further than it was, within 3 s of the start.
"""

# ruff: noqa: T201

import argparse
import asyncio
import json
import sys
import tempfile
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from random import Random
from time import monotonic
from typing import Any
from uuid import uuid4

sys.path.insert(0, str(Path(__file__).parent.parent / "shell"))

import httpx
from daemon_rig import Rig
from mqtt_peer import Peer

from controller.core.records import PromptCued
from controller.journal import journal_path
from controller.journal_store import connect_for_reading, read_records

RESUME_S = 3.0
ZONES = ("ceiling", "bedside", "path")


@dataclass
class Toll:
    """What was acknowledged, what went out, how long each restart took."""

    acknowledged: list[str] = field(default_factory=list)
    sent: int = 0
    prompts: Counter[str] = field(default_factory=Counter)
    resumed_s: list[float] = field(default_factory=list)
    session: str = ""
    session_ms: int = 0


def random_command(rng: Random) -> dict[str, Any]:
    """Something a therapist may ask, at any instant."""
    commands: list[dict[str, Any]] = [
        {
            "command": "light",
            "zone": rng.choice(ZONES),
            "brightness": rng.randrange(1, 90),
            "fade_s": rng.choice((0, 2)),
        },
        {"command": "light_release", "zone": rng.choice(ZONES)},
        {"command": "volume_trim", "db": rng.choice((-2, 2))},
        {"command": "extend", "minutes": 1},
        {"command": "prompt", "prompt": "feet"},
        {"command": "note", "chip": "tears"},
        {"command": "skip_track"},
    ]
    return {"id": str(uuid4()), **rng.choice(commands)}


async def load(rig: Rig, rng: Random, toll: Toll, until_s: float) -> None:
    """Send commands as fast as they are answered, until the daemon is gone."""
    async with rig.web() as web:
        while monotonic() < until_s + 5:
            body = random_command(rng)
            toll.sent += 1
            try:
                answer = (await web.post("/api/v1/rooms/garden/commands", json=body)).json()
            except httpx.HTTPError:
                return
            if answer.get("ok") and answer.get("journaled"):
                toll.acknowledged.append(body["id"])


async def kill_once(rig: Rig, rng: Random, toll: Toll) -> None:
    """Load the daemon, kill it at a random instant, start it again and look."""
    after_s = rng.uniform(0.05, 2.5)
    begun = monotonic()
    workers = [
        asyncio.ensure_future(load(rig, Random(rng.random()), toll, begun + after_s)) for _ in range(3)
    ]
    await asyncio.sleep(after_s)
    toll.session_ms = max(toll.session_ms, int((await rig.snapshot())["session"]["session_ms"]))
    rig.kill()
    await asyncio.gather(*workers)
    if rig.process is not None:
        await rig.process.wait()
    started = monotonic()
    await rig.start(profile=None)
    state = await rig.snapshot()
    toll.resumed_s.append(monotonic() - started)
    session = state["session"]
    assert session is not None, "no session went on"
    assert session["session_id"] == toll.session, "another session runs"
    assert session["session_ms"] >= toll.session_ms, "session time ran back"
    assert session["status"] == "running", session["status"]


def check_records(rig: Rig, toll: Toll) -> None:
    """Every acknowledged command is in the journal's file, once; no prompt went out twice."""
    with closing(connect_for_reading(journal_path(rig.data, "garden"))) as connection:
        records = read_records(connection, toll.session)
    batches = Counter(name for name, _ in groupby(record.command_id for record in records))
    lost = [name for name in toll.acknowledged if name not in batches]
    assert not lost, f"acknowledged and lost: {lost}"
    twice = [name for name, times in batches.items() if name is not None and times > 1]
    assert not twice, f"carried out twice: {twice}"
    again = [prompt for prompt, times in toll.prompts.items() if times > 1]
    assert not again, f"went out twice: {again}"
    cued = {record.body.prompt_id for record in records if isinstance(record.body, PromptCued)}
    assert set(toll.prompts) <= cued, "a prompt went out that is not in the journal"


async def listen(peer: Peer, toll: Toll) -> None:
    """Count every prompt that goes out."""
    while True:
        text = await peer.next_payload("stillroom/garden/prompt/client", 3_600)
        toll.prompts[json.loads(text)["id"]] += 1


async def kill_often(folder: Path, times: int, seed: int, say: Any = print) -> Toll:
    """Kill the daemon so many times; what came of it.

    Raises:
        AssertionError: a promise was broken.
    """
    rig, rng, toll = Rig(folder), Random(seed), Toll()
    peer = Peer(rig.mqtt_port)
    listening: asyncio.Task[None] | None = None
    try:
        await rig.start()
        await peer.connect("stillroom/garden/prompt/client")
        listening = asyncio.create_task(listen(peer, toll))
        toll.session = str((await rig.snapshot())["session"]["session_id"])
        for count in range(times):
            await kill_once(rig, rng, toll)
            check_records(rig, toll)
            kept = len(toll.acknowledged)
            say(f"{count + 1}: {toll.sent} sent, {kept} kept, resumed in {toll.resumed_s[-1]:.2f} s")
    finally:
        if listening is not None:
            listening.cancel()
        await peer.__aexit__(None, None, None)
        await rig.clean_up()
    return toll


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    begun = monotonic()
    with tempfile.TemporaryDirectory() as folder:
        toll = asyncio.run(kill_often(Path(folder), given.times, given.seed))
    slowest = max(toll.resumed_s)
    kept = len(toll.acknowledged)
    print(
        f"{given.times} kills in {monotonic() - begun:.0f} s: {toll.sent} commands sent, {kept} "
        f"acknowledged and all kept, resumed in {slowest:.2f} s at most (target {RESUME_S:g})"
    )
    return 0 if slowest <= RESUME_S else 1


if __name__ == "__main__":
    sys.exit(main())
