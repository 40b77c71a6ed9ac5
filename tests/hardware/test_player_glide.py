"""Gliding: what is played at little cost is what the mixer would have played, and ends with any change."""

from pathlib import Path

import numpy as np
from player_rig import Sound, item, noise, write

from controller.ports import CrossfadeTo, PlayerCommand, QueueItems, SetLevel, Speak
from hardware.player.chain import Chain
from hardware.player.engine import Engine, EngineConfig
from hardware.player.units import BLOCK, PERIOD, RATE, silence


def play(path: Path, frames: int, seconds: float, commands: dict[int, PlayerCommand]) -> tuple[Sound, float]:
    """Return what was mixed and the share of it that glided; commands come at multiples of a period."""
    quiet = write(path / "nothing.wav", np.zeros((RATE, 2), dtype=np.float32))
    engine = Engine(EngineConfig(bed=quiet, programme_db=0.0, patient=True, min_fade_ms=50))
    block, parts, glided = silence(frames), [], 0
    first = commands[0]
    assert isinstance(first, (QueueItems, CrossfadeTo))
    engine.sequencer.handle(first)
    engine.sequencer._prepare_next()
    for at in range(0, round(seconds * RATE) // PERIOD * PERIOD, frames):
        if at and at in commands:
            engine.put(commands[at])
        sequencer = engine.sequencer
        for cued in (sequencer._next, sequencer._wanted[0] if sequencer._wanted else None):
            if cued is not None:
                cued.deck.wait_ready()
        glided += engine._glide is not None
        engine.render(block, -23.0)
        parts.append(block.copy())
    engine.close()
    return np.concatenate(parts), glided / len(parts)


def test_a_glide_is_what_the_mixer_plays(tmp_path: Path) -> None:
    paths = [write(tmp_path / f"{i}.wav", noise(6, i, 0.05)) for i in range(3)]
    items = tuple(
        item(str(i), p, fade_ms=700 + 311 * i, gain_db=-1.5 * i, end_ms=5000) for i, p in enumerate(paths)
    )
    commands: dict[int, PlayerCommand] = {
        0: QueueItems(items),
        100 * PERIOD: SetLevel("programme", -6.0, 400),
        330 * PERIOD: SetLevel("master", -3.0, 0),
    }
    gliding, share = play(tmp_path, PERIOD, 9.0, commands)
    mixed, none = play(tmp_path, BLOCK // 2, 9.0, commands)
    assert share > 0.4
    assert none < 1.0
    assert np.abs(gliding - mixed).max() < 1e-3, "levels bend at a block's edge"
    assert np.array_equal(gliding[30 * PERIOD + RATE : 99 * PERIOD], mixed[30 * PERIOD + RATE : 99 * PERIOD])


def test_a_command_ends_a_glide_at_once(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", np.full((10 * RATE, 2), 0.25, dtype=np.float32))
    prompt = write(tmp_path / "p.wav", noise(0.5, 1, 0.01))
    first = CrossfadeTo(item("a", path), 50)
    for command in (SetLevel("programme", -20.0, 0), Speak("p", prompt), QueueItems(())):
        sound, share = play(tmp_path, PERIOD, 3.0, {0: first, 60 * PERIOD: command})
        assert share > 0.3
        changed = np.flatnonzero(sound[60 * PERIOD :, 0] != sound[60 * PERIOD - 1, 0])
        if isinstance(command, SetLevel):
            assert changed[0] == 0, "the first sample after the command is lower"


def test_the_chain_gives_the_same_for_a_period_as_for_two_blocks() -> None:
    sound = np.concatenate((noise(1.0, 1, 0.02), noise(2.0, 2, 0.5), noise(1.0, 3, 0.02)))
    sound = sound[: len(sound) // PERIOD * PERIOD]
    outs = []
    for frames in (BLOCK, PERIOD):
        chain = Chain(-20.0)
        parts = [chain.process(sound[at : at + frames]).copy() for at in range(0, len(sound), frames)]
        outs.append(np.concatenate(parts))
    assert np.abs(outs[0] - outs[1]).max() < 0.02
    assert np.array_equal(outs[0][: RATE // 2], outs[1][: RATE // 2]), "what is calm is passed on as it is"
