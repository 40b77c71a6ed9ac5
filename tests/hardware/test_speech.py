"""Speech rendered to files: by voices of our own making, and by espeak-ng where it is installed."""

import asyncio
import os
import shutil
import stat
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from controller.errors import DriverError
from hardware.player.loudness import integrated_lufs
from hardware.player.spoken_file import TARGET_LUFS, finish_recording
from hardware.speech import SpeechRenderer, Voice, find_voices

TALKER = """
import sys, numpy, soundfile
out, words = sys.argv[1], sys.stdin.read()
open(out + ".asked", "a").write(words)
t = numpy.arange(round(22050 * (1 + len(words) / 40))) / 22050
sound = 0.9 * numpy.sin(2 * numpy.pi * 180 * t) * (numpy.sin(2 * numpy.pi * 3 * t) > -0.5)
soundfile.write(out, sound, 22050)
"""


def talker(tmp_path: Path) -> Voice:
    script = tmp_path / "talker.py"
    script.write_text(TALKER)
    return Voice("talker", (sys.executable, str(script), "{out}"))


def failing(name: str, code: str) -> Voice:
    return Voice(name, (sys.executable, "-c", code, "{out}"))


def check_recording(path: Path) -> None:
    sound, rate = soundfile.read(path, dtype="float32", always_2d=True)
    assert rate == 48_000
    assert abs(integrated_lufs(sound) - TARGET_LUFS) < 2.5
    assert np.abs(sound).max() <= 10 ** (-3 / 20) + 1e-4
    assert np.abs(sound[:12_000]).max() == 0.0
    assert np.abs(sound[-12_000:]).max() == 0.0
    # A soft edge: the first 2 ms of sound stay far under what follows.
    first = int(np.flatnonzero(np.abs(sound).max(axis=1))[0])
    assert np.abs(sound[first : first + 96]).max() < 0.02


async def test_words_become_an_even_soft_edged_file_once(tmp_path: Path) -> None:
    renderer = SpeechRenderer(tmp_path / "speech", [talker(tmp_path)])
    assert renderer.ready("Feel your feet.") is None
    path = await renderer.render("Feel your feet.")
    check_recording(path)
    assert renderer.ready("Feel your feet.") == path
    made = path.stat().st_mtime_ns
    assert await renderer.render("Feel your feet.") == path
    assert path.stat().st_mtime_ns == made
    assert await renderer.render("Breathe.") != path
    folder = tmp_path / "speech"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert [p.suffix for p in folder.iterdir() if ".asked" not in p.name] == [".wav", ".wav"]


async def test_another_voice_makes_other_files(tmp_path: Path) -> None:
    voice = talker(tmp_path)
    first = SpeechRenderer(tmp_path, [voice])
    await first.render("Breathe.")
    second = SpeechRenderer(tmp_path, [Voice("talker", (*voice.command, "--slower"))])
    assert second.ready("Breathe.") is None


async def test_a_voice_that_fails_gives_way_to_the_next(tmp_path: Path) -> None:
    voices = [
        failing("fails", "raise SystemExit(3)"),
        failing("silent", "import soundfile,sys; soundfile.write(sys.argv[1], [0.0] * 30000, 22050)"),
        failing("rubbish", "import sys; open(sys.argv[1], 'w').write('text')"),
        Voice("absent", (str(tmp_path / "nothing"), "{out}")),
        talker(tmp_path),
    ]
    check_recording(await SpeechRenderer(tmp_path, voices).render("Breathe."))


async def test_without_any_voice_it_says_so(tmp_path: Path) -> None:
    renderer = SpeechRenderer(tmp_path, [])
    assert not renderer.can_speak
    with pytest.raises(DriverError, match="no voice is installed"):
        await renderer.render("Breathe.")


async def test_every_voices_fault_is_named_and_nothing_is_left(tmp_path: Path) -> None:
    folder = tmp_path / "speech"
    voices = [failing("one", "raise SystemExit(3)"), failing("two", "pass")]
    with pytest.raises(DriverError) as caught:
        await SpeechRenderer(folder, voices).render("Breathe.")
    assert "one: ended with status 3" in str(caught.value)
    assert "two:" in str(caught.value)
    assert "Breathe" not in str(caught.value)
    assert list(folder.iterdir()) == []


async def test_a_folder_that_cannot_be_written_is_a_typed_fault(tmp_path: Path) -> None:
    (tmp_path / "speech").write_text("a file")
    with pytest.raises(DriverError):
        await SpeechRenderer(tmp_path / "speech", [talker(tmp_path)]).render("Breathe.")


async def test_a_cancelled_rendering_leaves_no_process_and_no_file(tmp_path: Path) -> None:
    pid_file, folder = tmp_path / "pid", tmp_path / "speech"
    code = f"import os, time; open({str(pid_file)!r}, 'w').write(str(os.getpid())); time.sleep(60)"
    renderer = SpeechRenderer(folder, [failing("hangs", code)])
    async with asyncio.TaskGroup() as group:
        task = group.create_task(renderer.render("Breathe."))
        while not (pid_file.exists() and pid_file.read_text()):
            await asyncio.sleep(0.02)
        task.cancel()
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid_file.read_text()), 0)
    assert list(folder.iterdir()) == []


def test_a_loud_recording_comes_down_and_a_quiet_one_up_only_to_its_peaks(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    quiet = rng.normal(0, 0.001, 48_000).astype("float32")
    quiet[20_000] = 0.5
    soundfile.write(tmp_path / "quiet.wav", quiet, 48_000, subtype="FLOAT")
    assert finish_recording(tmp_path / "quiet.wav", tmp_path / "out.wav") is None
    assert np.abs(soundfile.read(tmp_path / "out.wav")[0]).max() <= 10 ** (-3 / 20) + 1e-4


def test_piper_comes_first_where_a_voice_lies_in_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("piper", "espeak-ng", "flite"):
        (programs / name).write_text("#!/bin/sh\n")
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(programs))
    voices = tmp_path / "voices"
    voices.mkdir()
    for name in (
        "de_DE-lena-low.onnx",
        "en_GB-alba-medium.onnx",
        "en_GB-alba-medium.onnx.json",
        "en_half.onnx",
    ):
        (voices / name).touch()
    assert [v.name for v in find_voices(voices, "en")] == ["piper en_GB-alba-medium", "espeak-ng", "flite"]
    assert [v.name for v in find_voices(voices, "de")] == ["espeak-ng"]
    assert "--stdin" in find_voices(voices, "de")[0].command, (
        "words are never an argument that could be an option"
    )


@pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="espeak-ng is not installed")
async def test_espeak_ng_speaks(tmp_path: Path) -> None:
    voices = [voice for voice in find_voices(tmp_path, "en-GB") if voice.name == "espeak-ng"]
    path = await SpeechRenderer(tmp_path / "speech", voices).render("--help Feel both feet meet the floor.")
    check_recording(path)
    seconds = soundfile.info(path).duration
    assert 1.5 < seconds < 8.0
