"""The player process through real PyAudio: into a FIFO, bit for bit, and into PulseAudio in real time."""

import os
import shutil
import signal
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from time import monotonic, sleep

import numpy as np
import pytest
from player_capture import Daemon, FifoCapture, PulseSink, daemon, wait_until
from player_rig import item, largest_step, longest_silence_s, noise, tone, write

from controller.ports import (
    CrossfadeTo,
    ItemEnded,
    ItemFailed,
    ItemStarted,
    PlayerHealth,
    QueueItems,
    Route,
    SetLevel,
)
from hardware.player.alsa import has_sound_device
from hardware.player.client import PlayerConfig
from hardware.player.units import RATE

pytestmark = pytest.mark.real_time
STEP_BOUND = 1e-3


@pytest.fixture
def place() -> Iterator[Path]:
    """A short path: a Unix socket's name may be 107 bytes long."""
    folder = Path(tempfile.mkdtemp(prefix="player"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def silent_bed(place: Path) -> Path:
    return Path(write(place / "nothing.wav", np.zeros((RATE, 2), dtype=np.float32)))


def started(heard: Daemon) -> list[str]:
    return [event.item_id for event in heard.events if isinstance(event, ItemStarted)]


def is_gone(pid: int) -> bool:
    """Ended; a child nobody has asked about yet counts as ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except FileNotFoundError:
        return True


def playing(heard: Daemon, name: str | None) -> bool:
    return heard.status is not None and heard.status.item_id == name


# ---------------------------------------------------------------- accelerated, bit for bit


def test_a_programme_through_pyaudio_is_sample_exact(place: Path, silent_bed: Path) -> None:
    capture = FifoCapture(place, 60.0)
    tracks = [noise(20, seed) for seed in range(4)]
    config = PlayerConfig(
        place / "s", bed=silent_bed, ceiling_lufs=0.0, speed=0.0, environment=capture.environment
    )
    with daemon(config) as room:
        names = "abcd"
        items = tuple(
            item(name, write(place / f"{name}.wav", sound), fade_ms=4000)
            for name, sound in zip(names, tracks, strict=True)
        )
        room.send(SetLevel("programme", 0.0, 0), QueueItems(items))
        room.start()
        assert capture.full.wait(90), "an accelerated minute of sound"
    sound = capture.sound
    first = int(np.flatnonzero(sound.any(axis=1))[0])
    for index, track in enumerate(tracks[:3]):
        begin = first + index * 16 * RATE
        alone = slice(begin + 4 * RATE, begin + 16 * RATE)
        assert np.array_equal(sound[alone], track[4 * RATE : 16 * RATE]), f"track {names[index]}"
        if index:
            turn = np.arange(1, 4 * RATE + 1)[:, None] / (4 * RATE) * np.pi / 2
            cross = tracks[index - 1][16 * RATE :] * np.cos(turn) + track[: 4 * RATE] * np.sin(turn)
            assert np.abs(sound[begin : begin + 4 * RATE] - cross).max() < 1e-5
    assert started(room) == ["a", "b", "c", "d"][: len(started(room))]
    capture.close()


def test_faults_in_a_row_never_leave_the_room_silent_or_click(place: Path) -> None:
    capture = FifoCapture(place, 50.0)
    good = write(place / "good.wav", tone(12, 200, 0.3))
    text = place / "text.flac"
    text.write_text("no sound " * 1000)
    whole = Path(write(place / "whole.flac", tone(20, 200, 0.3)))
    cut = place / "cut.flac"
    cut.write_bytes(whole.read_bytes()[:-60_000])
    config = PlayerConfig(place / "s", ceiling_lufs=0.0, speed=0.0, environment=capture.environment)
    with daemon(config) as room:
        room.send(
            SetLevel("programme", 0.0, 0),
            QueueItems(
                (
                    item("missing", str(place / "missing.flac")),
                    item("good", good, fade_ms=4000),
                    item("text", str(text)),
                    item("cut", str(cut), fade_ms=4000, end_ms=20_000),
                    item("last", good, fade_ms=4000),
                )
            ),
        )
        room.start()
        assert capture.full.wait(90)
        failed = [event.item_id for event in room.events if isinstance(event, ItemFailed)]
        assert failed == ["missing", "text", "cut"]
        assert started(room)[:3] == ["good", "cut", "last"]
    sound = capture.sound
    first = int(np.flatnonzero(np.abs(sound[:, 0]) > 1e-4)[0])
    assert first < 2 * RATE
    assert longest_silence_s(sound[first + RATE // 4 :]) == 0.0, "the bed follows the last"
    tones = 2 * 0.3 * 2 * np.pi * 200 / RATE
    assert largest_step(sound) < tones + 0.03, "two tones at most, and the bed"
    capture.close()


# ---------------------------------------------------------------- a silent device in real time


@pytest.fixture
def silent(place: Path, silent_bed: Path) -> PlayerConfig:
    return PlayerConfig(place / "s", bed=silent_bed, device="silent", ceiling_lufs=0.0, log=place / "log")


def test_without_a_device_it_keeps_real_time_and_says_silent(silent: PlayerConfig, place: Path) -> None:
    with daemon(silent) as room:
        room.send(QueueItems((item("a", write(place / "a.wav", tone(30, 200))),)))
        room.start()
        wait_until(lambda: playing(room, "a"), 8)
        assert room.status is not None
        frames, at = room.status.frames_written, monotonic()
        wait_until(lambda: room.status is not None and room.status.frames_written > frames + 2 * RATE, 10)
        rate = (room.status.frames_written - frames) / (monotonic() - at)
        assert rate < 1.3 * RATE, "a busy machine makes it later, nothing makes it hasten"
        assert room.status.device == "silent"
        assert room.status.device_ok
        assert stat.S_IMODE((place / "s").stat().st_mode) == 0o600


def test_a_killed_player_is_back_where_it_was(silent: PlayerConfig, place: Path) -> None:
    with daemon(silent) as room:
        paths = [write(place / f"{n}.wav", tone(30, 200)) for n in "ab"]
        items = tuple(item(n, path, fade_ms=4000) for n, path in zip("ab", paths, strict=True))
        room.send(SetLevel("programme", -12.0, 0), Route(speakers=True, headphones=False), QueueItems(items))
        room.start()
        wait_until(lambda: room.status is not None and room.status.position_ms > 1500, 10)
        assert room.status is not None
        assert room.player.pid is not None
        position, pid = room.status.position_ms, room.player.pid
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: started(room) == ["a", "a"], 10)
        begun = monotonic()
        wait_until(lambda: playing(room, "a") and room.player.pid not in (None, pid), 10)
        assert room.status.position_ms >= position
        assert room.status.position_ms < position + 1000 + (monotonic() - begun + 1.0) * 1000
        assert room.status.programme_db == -12.0
        assert room.status.queue == ("b",)
        healths = [event.message for event in room.events if isinstance(event, PlayerHealth)]
        assert healths[0] is not None
        wait_until(lambda: room.events[-1] == PlayerHealth(None), 10)


def test_a_player_that_hangs_is_replaced(silent: PlayerConfig, place: Path) -> None:
    with daemon(silent) as room:
        room.send(QueueItems((item("a", write(place / "a.wav", tone(30, 200))),)))
        room.start()
        wait_until(lambda: playing(room, "a"), 8)
        pid = room.player.pid
        assert pid is not None
        os.kill(pid, signal.SIGSTOP)
        wait_until(lambda: room.player.pid not in (None, pid) and started(room) == ["a", "a"], 10)
        wait_until(lambda: is_gone(pid), 10)


def test_without_its_daemon_it_plays_on_and_the_next_daemon_finds_it(
    silent: PlayerConfig, place: Path
) -> None:
    paths = [write(place / f"{n}.wav", tone(seconds, 200)) for n, seconds in (("a", 6), ("b", 16))]
    items = tuple(item(n, path, fade_ms=1000) for n, path in zip("ab", paths, strict=True))
    first = Daemon(silent)
    first.send(SetLevel("programme", -12.0, 0), QueueItems(items))
    first.start()
    wait_until(lambda: playing(first, "a"), 8)
    pid = first.player.pid
    first.die()
    sleep(6.0)
    with daemon(silent) as second:
        second.start()
        wait_until(lambda: second.status is not None, 10)
        assert second.player.pid == pid, "the same process"
        assert playing(second, "b"), "it went on to what was queued"
        wait_until(lambda: second.status is not None and second.status.on_bed, 10)
        assert ItemEnded("b", "track-b") in second.events or second.status is not None
    first.close(stop_player=False)


def test_stopping_fades_out_and_ends_the_process(silent: PlayerConfig) -> None:
    room = Daemon(silent)
    room.start()
    wait_until(lambda: room.status is not None, 8)
    pid = room.player.pid
    assert pid is not None
    room.close(stop_player=True)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert not silent.socket.exists()


def test_the_mix_can_be_listened_in_on(place: Path) -> None:
    from hardware.player.tap import read_mix

    config = PlayerConfig(place / "s", device="silent", tap=place / "t", ceiling_lufs=0.0)
    with daemon(config) as room:
        room.send(
            SetLevel("programme", 0.0, 0), CrossfadeTo(item("a", write(place / "a.wav", tone(20, 440))), 4000)
        )
        room.start()
        wait_until(lambda: playing(room, "a"), 8)
        sleep(4.0)
        import asyncio

        async def listen() -> bytes:
            data = b""
            async for part in read_mix(place / "t"):
                data += part
                if len(data) >= RATE * 4:
                    break
            return data

        data = asyncio.run(asyncio.wait_for(listen(), 5))
        wave = np.frombuffer(data[: RATE * 4], dtype="<i2").reshape(-1, 2)[:, 0] / 32768
        assert np.abs(np.fft.rfft(wave * np.hanning(len(wave)))).argmax() == 440


# ---------------------------------------------------------------- PulseAudio in real time

needs_pulse = pytest.mark.skipif(shutil.which("pulseaudio") is None, reason="needs pulseaudio")


@pytest.fixture
def sink(place: Path) -> Iterator[PulseSink]:
    made = PulseSink(place)
    made.start()
    yield made
    made.kill()


def counter(seconds: float) -> np.ndarray:
    """A ramp on the right that never repeats a value: every gap, skip and repeat shows."""
    count = np.arange(round(seconds * RATE), dtype=np.float64) / (seconds * RATE)
    return np.stack([np.full_like(count, 0.1), 0.1 + 0.4 * count], axis=1).astype(np.float32)


@needs_pulse
def test_not_one_sample_is_lost_in_real_time(place: Path, silent_bed: Path, sink: PulseSink) -> None:
    config = PlayerConfig(place / "s", bed=silent_bed, ceiling_lufs=0.0, environment=sink.environment)
    with daemon(config) as room:
        room.send(
            SetLevel("programme", 0.0, 0),
            QueueItems((item("a", write(place / "a.wav", counter(20)), fade_ms=50),)),
        )
        room.start()
        wait_until(lambda: room.status is not None and room.status.position_ms > 8000, 15)
        assert room.status is not None
        assert room.status.device_ok
    sound = sink.sound()
    ramp = sound[:, 1].astype(np.float64)
    begin = int(np.flatnonzero(ramp > 0.15)[0])
    ramp = ramp[begin : begin + 4 * RATE]
    steps = np.diff(ramp) * 20 * RATE / 0.4
    # On a machine with no time left the sink runs dry; benchmarks/player_under_load.py measures that.
    heard = (ramp[1:] > 0.0) & (ramp[:-1] > 0.0)
    assert heard.mean() > 0.5
    assert np.abs(steps[heard] - 1.0).max() < 0.5, "each sample follows the one before"


@needs_pulse
def test_a_lost_device_is_won_back_with_a_fade(place: Path, silent_bed: Path, sink: PulseSink) -> None:
    config = PlayerConfig(place / "s", bed=silent_bed, ceiling_lufs=0.0, environment=sink.environment)
    with daemon(config) as room:
        path = write(place / "a.wav", np.full((40 * RATE, 2), 0.3, dtype=np.float32))
        room.send(SetLevel("programme", 0.0, 0), CrossfadeTo(item("a", path, fade_ms=1000), 4000))
        room.start()
        wait_until(lambda: room.status is not None and room.status.position_ms > 1000, 10)
        assert room.status is not None
        pid = room.player.pid
        sink.kill()
        wait_until(lambda: room.status is not None and not room.status.device_ok, 10)
        away = room.status.position_ms
        sleep(0.7)
        sink.start()
        wait_until(lambda: room.status is not None and room.status.device_ok, 10)
        wait_until(lambda: float(np.abs(sink.sound(2)).max(initial=0.0)) > 0.12, 10)
        assert room.player.pid == pid, "the same process"
        assert room.status.position_ms > away, "time went on"
        messages = [event.message for event in room.events if isinstance(event, PlayerHealth)]
        assert messages[-2:][0] is not None
        assert messages[-1] is None
    sound = sink.sound(2)
    heard = np.flatnonzero(np.abs(sound[:, 0]) > 1e-5)
    assert np.abs(sound[heard[0] : heard[0] + RATE, 0]).max() < 0.3 * 0.45, "it comes up in five seconds"
    rise = np.abs(sound[heard[0] : heard[0] + 2 * RATE, 0])
    heard_twice = (rise[1:] > 1e-7) & (rise[:-1] > 1e-7)
    assert np.abs(np.diff(rise))[heard_twice].max() < STEP_BOUND


def test_detection_does_not_raise() -> None:
    assert has_sound_device() in (True, False)
