"""What the room hears while something dies, recorded: its process, the daemon, a pool with nothing in it.

The faults of files and of the device are recorded in test_player_process.py and test_two_outputs.py.
"""

import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from player_capture import Daemon, FifoCapture, PulseSink, Sound, daemon, wait_until
from player_rig import item, largest_step, longest_silence_s, tone, write

from controller.ports import CrossfadeTo, QueueItems, SetLevel
from hardware.player.client import PlayerConfig
from hardware.player.units import RATE

pytestmark = pytest.mark.real_time
needs_pulse = pytest.mark.skipif(shutil.which("pulseaudio") is None, reason="needs pulseaudio")
LEVEL = 0.3
CUT = 1e-2
"""A hard cut is thirty times that; a fade that lost some ms on a busy machine is less."""
PATIENCE_S = 30.0


@pytest.fixture
def place() -> Iterator[Path]:
    """A short path: a Unix socket's name may be 107 bytes long."""
    folder = Path(tempfile.mkdtemp(prefix="fault"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def sink(place: Path) -> Iterator[PulseSink]:
    made = PulseSink(place)
    made.start()
    yield made
    made.kill()


def config(place: Path, sink: PulseSink) -> PlayerConfig:
    bed = Path(write(place / "nothing.wav", np.zeros((RATE, 2), dtype=np.float32)))
    return PlayerConfig(place / "s", bed=bed, ceiling_lufs=0.0, environment=sink.environment)


def constant(place: Path) -> str:
    return write(place / "a.wav", np.full((240 * RATE, 2), LEVEL, dtype=np.float32))


def full(sink: PulseSink) -> bool:
    """Whether the last 0.1 s of the recording are at the full level."""
    last = sink.sound()[-RATE // 10 :, 0]
    return len(last) > 0 and bool(np.abs(last - LEVEL).max() < 1e-4)


def steps_in_sound(sound: Sound) -> float:
    """The largest step between two samples that are heard (where a sink runs dry they are nothing at all)."""
    mono = sound[:, 0].astype(np.float64)
    heard = np.abs(mono) > 1e-7
    return float(np.abs(np.diff(mono))[heard[1:] & heard[:-1]].max(initial=0.0))


@needs_pulse
def test_a_killed_player_comes_back_into_the_room_from_nothing(place: Path, sink: PulseSink) -> None:
    with daemon(config(place, sink)) as room:
        room.send(SetLevel("programme", 0.0, 0), CrossfadeTo(item("a", constant(place), fade_ms=1000), 4000))
        room.start()
        wait_until(lambda: full(sink), PATIENCE_S)
        pid, killed_at = room.player.pid, len(sink.sound())
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: room.player.pid not in (None, pid), PATIENCE_S)
        wait_until(lambda: len(sink.sound()) > killed_at + RATE and full(sink), PATIENCE_S)
    after = sink.sound()[killed_at:]
    silent = np.flatnonzero(np.abs(after[:, 0]) < 1e-7)
    assert len(silent), "what was killed is not heard"
    back = after[silent[0] :]
    begins = int(np.flatnonzero(np.abs(back[:, 0]) > 1e-7)[0])
    assert np.abs(back[begins : begins + RATE, 0]).max() < 0.45 * LEVEL, "it comes up in five seconds"
    assert steps_in_sound(back) < CUT


@needs_pulse
def test_a_killed_daemon_is_not_heard_at_all(place: Path, sink: PulseSink) -> None:
    first = Daemon(config(place, sink))
    first.send(SetLevel("programme", 0.0, 0), CrossfadeTo(item("a", constant(place), fade_ms=1000), 4000))
    first.start()
    wait_until(lambda: full(sink), PATIENCE_S)
    pid, at = first.player.pid, len(sink.sound())
    first.die()
    wait_until(lambda: len(sink.sound()) > at + 3 * RATE, PATIENCE_S)
    with daemon(config(place, sink)) as second:
        second.start()
        wait_until(lambda: second.status is not None, PATIENCE_S)
        assert second.player.pid == pid, "the same process"
        wait_until(lambda: len(sink.sound()) > at + 5 * RATE, PATIENCE_S)
        sound = sink.sound()[at:, 0]
    first.close(stop_player=False)
    heard = sound[np.abs(sound) > 1e-7]
    assert abs(float(np.median(heard)) - LEVEL) < 1e-4, "at its level before, without, and with a daemon"
    assert steps_in_sound(np.stack([sound, sound], axis=1)) < CUT
    if len(heard) == len(sound):  # a sink that ran dry on a busy machine is come back to with a fade
        assert np.abs(sound - LEVEL).max() < 1e-4


def test_an_empty_pool_is_the_bed_within_two_seconds(place: Path) -> None:
    capture = FifoCapture(place, 40.0)
    setting = PlayerConfig(place / "s", ceiling_lufs=0.0, speed=0.0, environment=capture.environment)
    with daemon(setting) as room:
        room.send(SetLevel("programme", 0.0, 0), QueueItems(()))
        room.start()
        assert capture.full.wait(90)
        assert room.status is not None
        wait_until(lambda: room.status is not None and room.status.on_bed, PATIENCE_S)
    sound = capture.sound
    assert np.flatnonzero(np.abs(sound[:, 0]) > 1e-4)[0] < 2 * RATE
    assert longest_silence_s(sound[3 * RATE :]) == 0.0
    assert largest_step(sound) < 0.05, "far surf, and no edge in it"
    capture.close()


def test_a_pool_that_runs_out_leads_into_the_bed(place: Path) -> None:
    capture = FifoCapture(place, 40.0)
    setting = PlayerConfig(place / "s", ceiling_lufs=0.0, speed=0.0, environment=capture.environment)
    with daemon(setting) as room:
        only = item("only", write(place / "only.wav", tone(20, 200, LEVEL)), fade_ms=4000)
        room.send(SetLevel("programme", 0.0, 0), QueueItems((only,)))
        room.start()
        assert capture.full.wait(90)
    sound = capture.sound
    begins = int(np.flatnonzero(np.abs(sound[:, 0]) > 1e-4)[0])
    assert longest_silence_s(sound[begins + RATE // 4 :]) == 0.0
    assert largest_step(sound) < LEVEL * 2 * np.pi * 200 / RATE + 0.03
    capture.close()
