"""``stillroom calibrate`` as a person runs it, on a PulseAudio null sink, and what it refuses."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from player_capture import PulseSink
from player_rig import largest_step

from hardware.player.process import lock_socket

pytestmark = pytest.mark.real_time


def run(data: Path, environment: dict[str, str], *arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "controller.cli", "calibrate", f"--data={data}", *arguments]
    return subprocess.run(
        command, env={**os.environ, **environment}, capture_output=True, text=True, timeout=90, check=False
    )


@pytest.mark.skipif(shutil.which("pulseaudio") is None, reason="PulseAudio is not installed")
def test_the_noise_is_heard_at_a_known_loudness_and_k_is_kept(tmp_path: Path) -> None:
    sink = PulseSink(tmp_path)
    sink.start()
    try:
        done = run(tmp_path / "data", sink.environment, "--reading", "58")
    finally:
        sink.kill()
    assert done.returncode == 0, done.stderr
    assert "K = 84" in done.stdout
    (kept,) = json.loads((tmp_path / "data" / "calibration.json").read_text())["devices"].values()
    assert kept["k_db"] == pytest.approx(84.0, abs=0.3)
    sound = sink.sound()
    heard = np.abs(sound).max(axis=1) > 1e-4
    first, last = int(np.flatnonzero(heard)[0]), int(np.flatnonzero(heard)[-1])
    assert np.abs(sound[first : first + 4_800]).max() < 0.05, "it comes up slowly"
    assert np.abs(sound[last - 2_400 : last]).max() < 0.02, "and ends softly"
    assert largest_step(sound) < 0.1
    assert not list((tmp_path / "data").glob("player-*.sock")), "its player has ended"


def test_a_machine_without_a_sound_device_is_one_clear_line(tmp_path: Path) -> None:
    if Path("/proc/asound/cards").exists() and "no soundcards" not in Path("/proc/asound/cards").read_text():
        pytest.skip("this machine has a sound device")
    done = run(tmp_path, {}, "--reading", "58")
    assert done.returncode == 2
    assert done.stderr.strip() == "stillroom: this machine has no sound device to calibrate"


def test_a_room_that_plays_is_not_disturbed(tmp_path: Path) -> None:
    lock = lock_socket(tmp_path / "player-garden.sock")
    assert lock is not None
    done = run(tmp_path, {}, "--reading", "58")
    lock.close()
    assert done.returncode == 2
    assert "the room's player is running" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "says"),
    [(("--room", "cellar"), "no room `cellar`"), (("--output", "headphones"), "has no headphones")],
)
def test_what_cannot_be_measured_is_one_clear_line(
    tmp_path: Path, arguments: tuple[str, ...], says: str
) -> None:
    done = run(tmp_path, {}, *arguments)
    assert done.returncode == 2
    assert says in done.stderr
    assert len(done.stderr.splitlines()) == 1
