"""Breaks each promise on purpose, once, in a copy of the tree, and shows what catches it.

``.venv/bin/python tests/simulation/mutations.py [--only WORD] [--seeds 60] [--part 1/4]`` prints a line
for each: the promise, what was broken, and the seed or the unit test that saw it. Exit status 1 if anything
went unnoticed. It must never touch the tree it is started from.
"""

# ruff: noqa: T201

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PARTS = ("controller", "hardware", "playlists", "profiles", "tests", "pyproject.toml")
FIRST_SEED = 1
PATIENCE_S = 600


@dataclass(frozen=True)
class Mutation:
    """One fault put in: ``old`` becomes ``new`` in ``path``. ``test``: the unit test that must see it.

    Without a test the simulation must see it.
    """

    promise: str
    what: str
    path: str
    old: str
    new: str
    test: str = ""


CORE = "controller/core/"
MUTATIONS = (
    Mutation(
        "1 light", "three times the allowed speed",
        CORE + "envelope.py", "RATE_MARGIN: Final = 0.95", "RATE_MARGIN: Final = 2.9",
    ),
    Mutation(
        "1 light", "the score moves with a therapist's authority",
        "controller/desk_lamp.py", "self.authority = Authority.SCORE\n        self.due_ms",
        "self.authority = Authority.THERAPIST\n        self.due_ms",
    ),
    Mutation(
        "1 light", "a state in doubt is dropped",
        CORE + "lamp_belief.py", "return (kept[0], *_bounds(kept[1:], limits, now_ms))",
        "return tuple(kept[:MOST_STATES])",
        "tests/core/test_lamp_belief.py",
    ),
    Mutation(
        "1 light", "what was kept through a crash is believed unasked",
        CORE + "lamp_belief.py",
        "return unsure(belief, belief.model.target, now_ms, window_ms, brightness=True, colour=True)",
        "return belief",
        "tests/shell/test_light_desk_restart.py",
    ),
    Mutation(
        "1 light", "a lamp back from a power cut is believed to be where it was",
        "controller/desk_lamp.py",
        "self.belief = found(read_look(reading, POWER_ON_LOOK), self.belief, now_ms, window_ms)", "pass",
    ),
    Mutation(
        "1 help", "help light goes beyond half", CORE + "envelope.py",
        "most = lstar_from_luminance(limits.help_percent / 100.0)", "most = 100.0",
    ),
    Mutation(
        "1 help", "help light in one second", CORE + "envelope.py",
        "help_fade_ms: int = 3_000", "help_fade_ms: int = 1_000",
    ),
    Mutation(
        "1 off", "off from any brightness", CORE + "envelope.py",
        "if all(_at_floor(lamp, now_ms) for lamp in lamps):", "if True:",
        "tests/core/test_envelope_light.py",
    ),
    Mutation(
        "1 strobe", "turns are not limited", CORE + "envelope.py",
        "    if low <= luminance <= high:\n", "    if low <= luminance <= high or low <= high or True:\n",
    ),
    Mutation(
        "1 strobe", "of two pasts one is forgotten", CORE + "lamp_belief.py",
        "for turns in (*brought_up(a, limits, now_ms).turns, *brought_up(b, limits, now_ms).turns):",
        "for turns in brought_up(a, limits, now_ms).turns:",
        "tests/core/test_lamp_belief.py",
    ),
    Mutation(
        "2 sound", "the programme rises four times too fast", CORE + "envelope.py",
        "gain_rise_db_per_s: float = 3.0", "gain_rise_db_per_s: float = 12.0",
    ),
    Mutation(
        "2 sound", "a skip is a hard cut", CORE + "gain_envelope.py",
        "return round(clamp(fade_ms, limits.crossfade_min_ms, limits.crossfade_max_ms))",
        "return round(fade_ms * 0.05)",
    ),
    Mutation(
        "2 sound", "the room's ceiling is passed", CORE + "gain_envelope.py",
        "goal = clamp(wanted_db, SILENT_DB, max(ceiling_db, SILENT_DB))", "goal = wanted_db + 40.0",
    ),
    Mutation(
        "2 sound", "silence in half a second", CORE + "gain_envelope.py",
        "least = max(least, limits.silence_fade_min_ms)", "least = 500.0",
    ),
    Mutation(
        "3 silence", "a broken track is chosen again and again", "controller/conductor.py",
        "        return tuple(self._failed)\n", "        return ()\n", "tests/shell/test_conductor.py",
    ),
    Mutation(
        "3 silence", "music is not begun again after a restart", "controller/conductor.py",
        "if self._current is None and not target.silent:", "if False:", "tests/shell/test_conductor.py",
    ),
    Mutation(
        "4 newest word", "the next phase takes a held light back", CORE + "evolve_light.py",
        "channel.until_slot is not None and (session is None", "(session is None",
    ),
    Mutation(
        "4 newest word", "undo goes back one step too far in the light", CORE + "undo.py",
        "before = state.undo[-1].before", "before = state.undo[0].before",
    ),
    Mutation(
        "4 newest word", "a hand on a lamp is taken back", "controller/desk_lamp.py",
        'return "power" in self.hand or self.hand >= {"brightness", "colour"}', "return False",
    ),
    Mutation(
        "4 newest word", "the light jumps when a last phase that ran on is left", CORE + "timeline.py",
        "lit_ms = slot.light_ms if session_ms > slot.start_ms + slot.light_ms else slot.lit_ms",
        "lit_ms = None",
        "tests/core/test_session_edges.py",
    ),
    Mutation(
        "5 once", "a cue that went out is forgotten", CORE + "evolve.py",
        "cued = session.cued if body.cue_id is None else session.cued | {body.cue_id}",
        "cued = session.cued",
    ),
    Mutation(
        "5 once", "a prompt at the peak", CORE + "cues.py",
        "hushed = phase.client_prompts_suppressed and cue.audience is Audience.CLIENT", "hushed = False",
    ),
    Mutation(
        "5 once", "a cue put off is waited for without end", CORE + "cues.py",
        "        elif int(slot) <= last_slot:\n", "        elif int(slot) < session.entered_slot:\n",
        "tests/core/test_session_edges.py",
    ),
    Mutation(
        "5 once", "a command that came again after a restart is carried out", "controller/room.py",
        "if str(request.id) in self._answered_before:", "if False:",
        "tests/shell/test_room_recovery.py",
    ),
    Mutation(
        "5 once", "a prompt goes out before its record", "controller/room_writer.py",
        "        failures = await self._store(write)\n",
        "        for effect in write.effects:\n            if isinstance(effect, PublishPrompt):\n"
        "                self._publish(effect)\n        failures = await self._store(write)\n",
        "tests/shell/test_prompt_ledger.py",
    ),
    Mutation(
        "5 once", "what went out on a full disk is not noted", "controller/room_writer.py",
        "        if failure is None or write.session_id is None:\n            return True\n",
        "        return True\n",
        "tests/shell/test_prompt_ledger.py",
    ),
    Mutation(
        "5 once", "the next daemon does not ask what went out", "controller/core/session.py",
        "for key in sent_keys(state.live_session, event.sent):", "for key in ():",
        "tests/core/test_session_edges.py",
    ),
    Mutation(
        "6 crash", "a session that ran is not taken up", "controller/room_heart.py",
        "        if state.live_session is not None:\n", "        if False:\n",
    ),
    Mutation(
        "6 crash", "after a long absence nobody is asked", "controller/room_heart.py",
        "return Recovered(away_ms, too_long, tuple(sent))", "return Recovered(away_ms, False)",
    ),
    Mutation(
        "6 crash", "the state holds what no record brought", CORE + "session.py",
        "    effects += _effects(after, fresh, event)\n",
        "    effects += _effects(after, fresh, event)\n"
        "    after = replace(after, sound=replace(after.sound, touches=after.sound.touches + 1))\n",
    ),
    Mutation(
        "6 timeline", "session time runs on in a hold", CORE + "state.py",
        "live = at_ms if self.stopped_at_ms is None else min(at_ms, self.stopped_at_ms)", "live = at_ms",
    ),
    Mutation(
        "6 timeline", "phases come a second late", CORE + "session.py",
        "if slot > session.entered_slot:", "if slot > session.entered_slot and now % 60_000 > 1_000:",
    ),
    Mutation(
        "7 confidential", "a note's words are in its record", CORE + "decide.py",
        "r.NoteTaken(body.note_id, body.chip,", "r.NoteTaken(body.note_id, body.chip + body.text,",
    ),
)  # fmt: skip


def copy_tree(into: Path) -> None:
    """Copy what the tests need."""
    for part in PARTS:
        source = ROOT / part
        if source.is_dir():
            shutil.copytree(source, into / part, ignore=shutil.ignore_patterns("__pycache__", "*.sqlite3"))
        else:
            shutil.copy(source, into / part)


def run(command: list[str], tree: Path) -> tuple[bool, str]:
    """Whether a program in the copy succeeds, and what it said."""
    surroundings = {**os.environ, "PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        command, cwd=tree, env=surroundings, capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )
    return done.returncode == 0, done.stdout + done.stderr


def seen_by(mutation: Mutation, tree: Path, seeds: int) -> str:
    """What notices a mutation, or nothing."""
    if mutation.test:
        settings = ["-q", "-x", "--no-header", "-p", "no:cacheprovider", "--tb=line"]
        well, said = run([sys.executable, "-m", "pytest", *settings, mutation.test], tree)
        failed = next((line for line in said.splitlines() if line.startswith("FAILED")), "")
        return "" if well else failed.removeprefix("FAILED ").partition(" - ")[0] or said.strip()[-120:]
    program = ["tests/simulation/run.py", "--first", str(FIRST_SEED), "--seeds", str(seeds), "--stop"]
    well, said = run([sys.executable, *program], tree)
    return "" if well else next((line for line in said.splitlines() if line.startswith("seed")), said[-120:])


def judge(mutation: Mutation, tree: Path, seeds: int) -> bool:
    """Put one fault in, look who notices, take it out; print the line."""
    path = tree / mutation.path
    text = path.read_text()
    if text.count(mutation.old) != 1:
        print(f"| {mutation.promise} | {mutation.what} | STALE: {mutation.path} has changed |", flush=True)
        return False
    path.write_text(text.replace(mutation.old, mutation.new))
    try:
        caught = seen_by(mutation, tree, seeds)
    finally:
        path.write_text(text)
    print(f"| {mutation.promise} | {mutation.what} | {caught[:150] or 'NOT NOTICED'} |", flush=True)
    return bool(caught)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="those whose promise or words hold this")
    parser.add_argument(
        "--seeds", type=int, default=60, help="how many seeds the simulation is given for each"
    )
    parser.add_argument("--part", default="1/1", help="the part of the list to take, as 2/4")
    given = parser.parse_args()
    part, parts = (int(number) for number in given.part.split("/"))
    chosen = [one for one in MUTATIONS if given.only in f"{one.promise} {one.what}"][part - 1 :: parts]
    with tempfile.TemporaryDirectory() as folder:
        copy_tree(Path(folder))
        noticed = [judge(mutation, Path(folder), given.seeds) for mutation in chosen]
    print(f"{sum(noticed)} of {len(chosen)} were noticed")
    return 0 if all(noticed) else 1


if __name__ == "__main__":
    sys.exit(main())
