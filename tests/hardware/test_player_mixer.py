"""The mixer, the decks and the sequencer in an engine that is driven block by block."""

import threading
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from player_rig import EngineRig, item, largest_step, longest_silence_s, noise, tone, write

from controller.ports import (
    CrossfadeTo,
    ItemEnded,
    ItemFailed,
    ItemStarted,
    QueueItems,
    SetLevel,
    Speak,
    Spoken,
    StopPlayer,
)
from hardware.player.bed import MADE_RMS_DBFS, make_bed
from hardware.player.deck import Cut, Deck, DeckState
from hardware.player.loudness import integrated_lufs
from hardware.player.sources import open_reader
from hardware.player.units import BLOCK, RATE

STEP_BOUND = 1e-3  # -60 dBFS


def constant(path: Path, seconds: float, value: float = 1.0) -> str:
    return write(path, np.full((round(seconds * RATE), 2), value, dtype=np.float32))


@pytest.fixture
def quiet_bed(tmp_path: Path) -> str:
    """A bed of nothing, so that only what is under test is heard."""
    return write(tmp_path / "nothing.wav", np.zeros((RATE, 2), dtype=np.float32))


def is_on_bed(rig: EngineRig) -> bool:
    return rig.engine.view.on_bed


def level_db(sound: np.ndarray) -> float:
    return float(10 * np.log10(np.mean(sound.astype(float) ** 2)))


# ---------------------------------------------------------------- crossfades


def test_tracks_follow_sample_exact_with_equal_power(tmp_path: Path, quiet_bed: str) -> None:
    one, two = noise(10, 1), noise(10, 2)
    rig = EngineRig(bed=quiet_bed)
    items = (
        item("a", write(tmp_path / "a.wav", one), fade_ms=500),
        item("b", write(tmp_path / "b.wav", two), fade_ms=4000),
    )
    rig.engine.put(QueueItems(items))
    rig.play(16.5)
    first = int(np.flatnonzero(rig.sound.any(axis=1))[0])
    sound = rig.sound[first:]
    lead = round(0.5 * RATE)
    cross = 4 * RATE
    begin = 10 * RATE - cross
    assert np.array_equal(sound[lead:begin], one[lead:begin]), "a alone, every sample once"
    assert np.array_equal(sound[10 * RATE : 11 * RATE], two[cross : 5 * RATE]), "b alone, every sample once"
    turn = np.arange(1, cross + 1)[:, None] / cross * np.pi / 2
    expected = one[begin:] * np.cos(turn) + two[:cross] * np.sin(turn)
    assert np.abs(sound[begin : 10 * RATE] - expected).max() < 1e-5
    rig.close()


def test_a_crossfade_of_uncorrelated_sounds_keeps_its_level(tmp_path: Path, quiet_bed: str) -> None:
    rig = EngineRig(bed=quiet_bed)
    items = tuple(
        item(n, write(tmp_path / f"{n}.wav", noise(12, i)), fade_ms=6000) for i, n in enumerate("ab")
    )
    rig.engine.put(QueueItems(items))
    rig.play(16)
    levels = [level_db(rig.sound[round(s * RATE) : round((s + 1) * RATE)]) for s in np.arange(5.9, 11, 0.5)]
    assert min(levels) >= -20.0 - 0.1, "no dip above 0.1 dB"
    assert max(levels) <= -20.0 + 0.1
    rig.close()


def test_skips_in_mid_fade_keep_the_level_and_never_step(tmp_path: Path, quiet_bed: str) -> None:
    rig = EngineRig(bed=quiet_bed)
    paths = [write(tmp_path / f"{i}.wav", noise(30, i)) for i in range(5)]
    rig.engine.put(CrossfadeTo(item("0", paths[0]), 50))
    skips = {200: 1, 300: 2, 420: 3, 500: 4}

    def skip(block: int) -> None:
        if block in skips:
            rig.engine.put(CrossfadeTo(item(str(skips[block]), paths[skips[block]]), 4000))

    rig.play(12, skip)
    levels = [level_db(rig.sound[at : at + RATE]) for at in range(RATE, 11 * RATE, RATE // 4)]
    assert min(levels) >= -20.1
    assert max(levels) <= -19.9
    rig.close()


@pytest.mark.parametrize("lengths", [(0.3, 0.2, 0.4, 5.0), (2.0, 1.0, 3.0)])
def test_tracks_shorter_than_the_fade(tmp_path: Path, quiet_bed: str, lengths: tuple[float, ...]) -> None:
    rig = EngineRig(bed=quiet_bed)
    items = tuple(
        item(str(i), constant(tmp_path / f"{i}.wav", s, 0.5), fade_ms=12_000) for i, s in enumerate(lengths)
    )
    rig.engine.put(QueueItems(items))
    rig.play(sum(lengths) + 2)
    started = [event.item_id for event in rig.events if isinstance(event, ItemStarted)]
    ended = [event.item_id for event in rig.events if isinstance(event, ItemEnded)]
    assert started == ended == [one.item_id for one in items]
    assert largest_step(rig.sound) < STEP_BOUND
    rig.close()


def test_two_hundred_skips_in_ten_seconds(tmp_path: Path) -> None:
    before = set(threading.enumerate())
    rig = EngineRig()
    paths = [constant(tmp_path / f"{i}.wav", 20, 0.5) for i in range(4)]
    rig.engine.put(CrossfadeTo(item("first", paths[0]), 50))

    def skip(block: int) -> None:
        if block > 100 and block % 5 == 0 and block <= 100 + 5 * 200:
            rig.engine.put(CrossfadeTo(item(f"skip{block}", paths[block % 4]), 4000))

    rig.play(18, skip)
    assert largest_step(rig.sound) < 2 * STEP_BOUND, "constant sounds under the made bed"
    assert longest_silence_s(rig.sound[RATE:]) == 0.0
    started = [event.item_id for event in rig.events if isinstance(event, ItemStarted)]
    assert started[-1] == "skip1100", "the newest skip wins"
    rig.close()
    for thread in set(threading.enumerate()) - before:
        thread.join(timeout=6.0)
        assert not thread.is_alive(), thread.name


# ---------------------------------------------------------------- no steps, whatever is asked

commands = st.one_of(
    st.builds(
        SetLevel,
        st.sampled_from(["programme", "bed", "prompt", "master"]),
        st.floats(-90, 12),
        st.integers(0, 8000),
    ),
    st.tuples(st.integers(0, 2), st.integers(0, 8000)),
    st.just("speak"),
    st.just("queue"),
)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, 400), commands), max_size=12))
def test_no_command_at_any_time_makes_a_step(tmp_path: Path, plan: list[tuple[int, object]]) -> None:
    paths = [tmp_path / f"dc{i}.wav" for i in range(3)]
    if not paths[0].exists():
        for path, seconds in zip(paths, (8.0, 2.0, 0.7), strict=True):
            constant(path, seconds, 1.0)
        write(tmp_path / "bed.wav", np.full((RATE, 2), 0.5, dtype=np.float32))
    rig = EngineRig(bed=str(tmp_path / "bed.wav"), min_fade_ms=500)
    serial = 0

    def act(block: int) -> None:
        nonlocal serial
        for at, what in plan:
            if at != block:
                continue
            serial += 1
            match what:
                case SetLevel():
                    rig.engine.put(what)
                case (int() as index, int() as fade):
                    rig.engine.put(CrossfadeTo(item(f"i{serial}", str(paths[index])), fade))
                case "speak":
                    rig.engine.put(Speak(f"p{serial}", str(paths[2])))
                case _:
                    rig.engine.put(QueueItems((item(f"i{serial}", str(paths[serial % 3]), fade_ms=800),)))

    rig.play(6, act)
    # Up to six full-scale constants may fade at once, each within the bound.
    assert largest_step(rig.sound) < 2 * STEP_BOUND
    rig.close()


def test_a_rise_is_never_faster_than_three_db_a_second_in_what_is_heard(
    tmp_path: Path, quiet_bed: str
) -> None:
    rig = EngineRig(bed=quiet_bed, programme_db=-40.0)
    rig.engine.put(CrossfadeTo(item("a", constant(tmp_path / "a.wav", 20, 0.5)), 50))

    def act(block: int) -> None:
        if block == 200:
            rig.engine.put(SetLevel("programme", 0.0, 0))
            rig.engine.put(SetLevel("master", 6.0, 0))

    rig.play(12, act)
    heard = 20 * np.log10(np.abs(rig.sound[RATE:, 0]) + 1e-9)
    assert (heard[RATE:] - heard[:-RATE]).max() <= 3.01
    assert heard[-1] - heard[0] > 25
    rig.close()


# ---------------------------------------------------------------- faults


@pytest.mark.parametrize("fault", ["missing", "text", "empty", "directory"])
def test_a_broken_item_is_passed_over(tmp_path: Path, quiet_bed: str, fault: str) -> None:
    bad = tmp_path / "bad.flac"
    match fault:
        case "text":
            bad.write_text("this is no sound at all\n" * 100)
        case "empty":
            bad.touch()
        case "directory":
            bad.mkdir()
        case _:
            pass
    rig = EngineRig(bed=quiet_bed)
    good = constant(tmp_path / "good.wav", 3, 0.5)
    rig.engine.put(
        QueueItems((item("a", good, fade_ms=50), item("bad", str(bad)), item("c", good, fade_ms=500)))
    )
    rig.play(4)
    failed = [event for event in rig.events if isinstance(event, ItemFailed)]
    assert [event.item_id for event in failed] == ["bad"]
    assert failed[0].reason
    assert str(tmp_path) not in failed[0].reason
    assert [event.item_id for event in rig.events if isinstance(event, ItemStarted)] == ["a", "c"]
    assert longest_silence_s(rig.sound) < 0.1
    assert largest_step(rig.sound) < STEP_BOUND
    rig.close()


@pytest.mark.parametrize("suffix", [".flac", ".wav", ".ogg", ".mp3"])
def test_a_truncated_file_is_crossed_over_before_it_breaks_off(
    tmp_path: Path, quiet_bed: str, suffix: str
) -> None:
    whole = tmp_path / f"whole{suffix}"
    write(whole, tone(20, 200.0, 0.5))
    cut = tmp_path / f"cut{suffix}"
    data = whole.read_bytes()
    cut.write_bytes(data[: len(data) // 2])
    rig = EngineRig(bed=quiet_bed)
    good = write(tmp_path / "good.wav", tone(20, 300.0, 0.5))
    rig.engine.put(
        QueueItems((item("cut", str(cut), fade_ms=50, end_ms=20_000), item("b", good, fade_ms=4000)))
    )
    rig.play(16)
    assert [event.item_id for event in rig.events if isinstance(event, ItemFailed)] == ["cut"]
    assert [event.item_id for event in rig.events if isinstance(event, ItemStarted)] == ["cut", "b"]
    assert longest_silence_s(rig.sound[RATE // 4 :]) == 0.0
    clean = 0.5 * 2 * np.pi * 300 / RATE + 0.5 * 2 * np.pi * 200 / RATE
    assert largest_step(rig.sound) < clean * 1.05 + STEP_BOUND
    rig.close()


def test_an_empty_queue_brings_the_bed_and_an_item_takes_it_away(tmp_path: Path) -> None:
    bed = constant(tmp_path / "bed.wav", 1, 0.25)
    rig = EngineRig(bed=bed)
    rig.engine.put(QueueItems((item("a", constant(tmp_path / "a.wav", 4, 0.5), fade_ms=50),)))
    rig.play(10)
    assert is_on_bed(rig)
    assert rig.sound[-1, 0] == pytest.approx(0.25, abs=1e-4)
    assert longest_silence_s(rig.sound) < 0.1
    rig.engine.put(QueueItems((item("b", constant(tmp_path / "b.wav", 20, 0.5), fade_ms=1000),)))
    rig.play(3)
    assert not is_on_bed(rig)
    assert rig.sound[-1, 0] == pytest.approx(0.5, abs=1e-4)
    assert largest_step(rig.sound) < STEP_BOUND
    rig.close()


def test_without_a_word_the_bed_comes_up_within_two_seconds() -> None:
    rig = EngineRig()
    rig.play(4)
    assert np.abs(rig.sound[2 * RATE :]).max() > 0.01
    rig.close()


def test_the_bed_stays_silent_while_the_programme_is_mute() -> None:
    rig = EngineRig(programme_db=-90.0)
    rig.play(4)
    assert not rig.sound.any()
    assert rig.engine.view.on_bed
    rig.close()


def test_a_bed_file_that_is_no_sound_is_replaced_by_the_made_bed(tmp_path: Path) -> None:
    bad = tmp_path / "bed.flac"
    bad.write_text("no")
    rig = EngineRig(bed=str(bad))
    rig.play(5)
    assert level_db(rig.sound[3 * RATE :]) == pytest.approx(MADE_RMS_DBFS, abs=3)
    rig.close()


def test_the_made_bed_loops_without_a_seam() -> None:
    bed = make_bed(4)
    inside = largest_step(bed)
    seam = float(np.abs(bed[0] - bed[-1]).max())
    assert seam <= inside
    assert np.array_equal(bed, make_bed(4)), "the same every time"


def test_a_stalled_decoder_is_given_up_while_there_is_sound_to_fade_out_on(tmp_path: Path) -> None:
    stall = threading.Event()

    class Stalling:
        rate: int = RATE
        frames: int | None = 60 * RATE

        def __init__(self) -> None:
            self.sent = 0

        def seek(self, frame: int) -> None: ...
        def close(self) -> None: ...
        def read(self, frames: int) -> np.ndarray:
            if self.sent > RATE:
                stall.wait(20)
            self.sent += frames
            return np.ones((frames, 2), dtype=np.float32)

    deck = Deck(Stalling, Cut())
    deck.wait_ready()
    out = np.empty((BLOCK, 2), dtype=np.float32)
    left: list[int | None] = []
    while deck.error is None:
        deck.read(out)
        left.append(deck.frames_left)
    assert deck.error == "reading stalled"
    assert deck.frames_left is not None
    assert deck.frames_left >= 2_400
    stall.set()
    deck.close()


def test_a_closed_deck_ends_its_thread(tmp_path: Path) -> None:
    path = write(tmp_path / "long.wav", noise(30, 1))
    before = threading.active_count()
    decks = [Deck(lambda: open_reader(path), Cut()) for _ in range(10)]
    for deck in decks:
        deck.wait_ready()
        deck.close()
    for thread in threading.enumerate():
        if thread.name == "deck":
            thread.join(timeout=6)
    assert threading.active_count() == before


# ---------------------------------------------------------------- files


@pytest.mark.parametrize(
    ("suffix", "rate", "channels"),
    [
        (".flac", 44_100, 2),
        (".wav", 8_000, 1),
        (".ogg", 48_000, 2),
        (".mp3", 44_100, 2),
        (".opus", 48_000, 1),
        (".wav", 96_000, 2),
    ],
)
def test_any_file_comes_out_at_its_pitch_and_length(
    tmp_path: Path, quiet_bed: str, suffix: str, rate: int, channels: int
) -> None:
    wave = tone(4.0, 400.0, 0.25, rate)[:, :channels]
    path = tmp_path / f"file{suffix}"
    if suffix == ".opus":
        soundfile.write(path, wave, rate, format="OGG", subtype="OPUS")
    else:
        soundfile.write(path, wave, rate)
    rig = EngineRig(bed=quiet_bed)
    rig.engine.put(CrossfadeTo(item("a", str(path)), 50))
    rig.play(5)
    sound = rig.sound
    middle = sound[RATE : 2 * RATE, 1]
    spectrum = np.abs(np.fft.rfft(middle * np.hanning(RATE)))
    assert int(spectrum.argmax()) == 400
    assert np.abs(middle).max() == pytest.approx(0.25, rel=0.05)
    heard = np.flatnonzero(np.abs(sound[:, 0]) > 0.02)
    assert heard[-1] / RATE <= 4.0
    rig.close()


@pytest.mark.parametrize("suffix", [".mp3", ".ogg", ".flac"])
def test_reading_in_pieces_and_seeking_give_the_same_samples_as_reading_whole(
    tmp_path: Path, suffix: str
) -> None:
    at = np.arange(RATE * 8) / RATE
    sweep = 0.4 * np.sin(2 * np.pi * (200 + 20 * at) * at)
    path = tmp_path / f"sweep{suffix}"
    soundfile.write(path, np.stack([sweep, sweep], axis=1), RATE)
    whole = soundfile.read(path, dtype="float32", always_2d=True)[0]
    reader = open_reader(str(path))
    parts = []
    while len(part := reader.read(8192)):
        parts.append(part)
    assert np.array_equal(np.concatenate(parts), whole)
    reader.seek(200_000)
    assert np.array_equal(reader.read(20_000), whole[200_000:220_000])
    reader.close()


def test_aac_is_read_exactly_when_pyav_is_there(tmp_path: Path) -> None:
    av = pytest.importorskip("av")
    path = tmp_path / "file.m4a"
    wave = tone(3.0, 440.0, 0.25)
    with av.open(str(path), "w") as out:
        stream = out.add_stream("aac", rate=RATE, layout="stereo")
        for start in range(0, len(wave), 1024):
            part = wave[start : start + 1024]
            frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(part.T), format="fltp", layout="stereo")
            frame.rate, frame.pts = RATE, start
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    reader = open_reader(str(path))
    parts = []
    while len(part := reader.read(5000)):
        parts.append(part)
    whole = np.concatenate(parts)
    reader.seek(RATE)
    again = reader.read(2000)
    reader.close()
    assert np.abs(whole[RATE : RATE + 2000] - again).max() < 1e-3
    assert len(whole) == pytest.approx(3 * RATE, abs=2100)


def test_cuts_and_positions_are_exact(tmp_path: Path, quiet_bed: str) -> None:
    count = np.arange(10 * RATE, dtype=np.float32)[:, None] / (10 * RATE)
    path = write(tmp_path / "count.wav", np.repeat(count, 2, axis=1))
    rig = EngineRig(bed=quiet_bed)
    rig.engine.put(CrossfadeTo(item("a", path, start_ms=2000, end_ms=6000, position_ms=1000), 50))
    rig.play(0.5)
    assert rig.engine.view.position_ms == pytest.approx(1500, abs=12)
    assert rig.engine.view.length_ms == 4000
    first = int(np.flatnonzero(rig.sound[:, 0])[0])
    assert rig.sound[first + RATE // 4, 0] == pytest.approx(3.25 / 10, abs=1e-6)
    rig.close()


def test_absurd_samples_never_reach_the_room(tmp_path: Path, quiet_bed: str) -> None:
    wild = np.full((4 * RATE, 2), 1e30, dtype=np.float32)
    wild[::7] = np.nan
    wild[::11] = -np.inf
    rig = EngineRig(bed=quiet_bed)
    rig.engine.put(CrossfadeTo(item("wild", write(tmp_path / "wild.wav", wild)), 50))
    rig.play(3)
    assert np.isfinite(rig.heard).all()
    assert np.abs(rig.heard).max() <= 10 ** (-1 / 20)
    rig.close()


def test_a_bed_can_be_an_item_of_a_given_length(tmp_path: Path) -> None:
    beds = tmp_path / "beds"
    beds.mkdir()
    constant(beds / "rain.wav", 1, 0.4)
    rig = EngineRig(bed=constant(tmp_path / "always.wav", 1, 0.1), beds_folder=str(beds))
    rig.engine.put(CrossfadeTo(item("a", "bed:rain", end_ms=6000), 50))
    rig.play(2)
    assert rig.sound[-1, 0] == pytest.approx(0.4, abs=1e-5)
    rig.play(8)
    assert [event.kind for event in rig.events] == ["started", "ended"]
    assert rig.sound[-1, 0] == pytest.approx(0.1, abs=1e-5)
    rig.close()


# ---------------------------------------------------------------- prompts


def speech(path: Path, rms: float) -> str:
    return write(path, noise(2, 9, rms))


def music_and_prompt(tmp_path: Path, music_rms: float, prompt_rms: float, quiet_bed: str) -> EngineRig:
    rig = EngineRig(bed=quiet_bed)
    rig.engine.put(CrossfadeTo(item("a", write(tmp_path / "m.wav", noise(25, 4, music_rms))), 50))
    rig.play(5)
    rig.engine.put(Speak("p", speech(tmp_path / "p.wav", prompt_rms), duck_db=-60.0))
    for _ in range(100):
        rig.play(0.05)
        if rig.engine.mixer.prompts:
            break
    return rig


@pytest.mark.parametrize("prompt_rms", [0.02, 0.1, 0.9])
def test_a_prompt_is_never_louder_than_the_music_was(
    tmp_path: Path, quiet_bed: str, prompt_rms: float
) -> None:
    rig = music_and_prompt(tmp_path, 0.05, prompt_rms, quiet_bed)
    before = integrated_lufs(rig.sound[2 * RATE : 4 * RATE])
    rig.play(1.8)
    spoken = integrated_lufs(rig.sound[-round(1.5 * RATE) :])
    assert spoken <= before + 0.5
    if prompt_rms > 0.1:
        assert spoken >= before - 1.5, "and not needlessly quieter"
    rig.close()


def test_ducking_is_smooth_and_lets_go_slowly(tmp_path: Path, quiet_bed: str) -> None:
    rig = EngineRig(bed=quiet_bed)
    rig.engine.put(CrossfadeTo(item("a", constant(tmp_path / "m.wav", 25, 0.5)), 50))
    rig.play(4)
    rig.engine.put(Speak("p", write(tmp_path / "p.wav", np.full((RATE, 2), 1e-7, np.float32)), duck_db=-12.0))
    rig.engine.put(SetLevel("programme", -6.0, 500))
    for _ in range(200):
        rig.play(0.05)
        if "spoken" in rig.kinds():
            break
    assert 20 * np.log10(rig.sound[-BLOCK, 0] / 0.5) == pytest.approx(-18.0, abs=0.3), "both gains multiply"
    rig.play(5)
    heard = 20 * np.log10(rig.sound[RATE:, 0])
    assert (heard[RATE:] - heard[:-RATE]).max() <= 3.01
    assert heard[-1] - 20 * np.log10(0.5) == pytest.approx(-6.0, abs=0.1), "nothing stale is brought back"
    assert largest_step(rig.sound) < STEP_BOUND
    rig.close()


def test_prompts_wait_for_one_another_and_a_missing_one_is_said(tmp_path: Path, quiet_bed: str) -> None:
    rig = EngineRig(bed=quiet_bed)
    voice = speech(tmp_path / "p.wav", 0.1)
    for name, path in (("one", voice), ("none", str(tmp_path / "no.wav")), ("two", voice)):
        rig.engine.put(Speak(name, path))
    for _ in range(200):
        rig.play(0.05)
        if sum(kind == "spoken" for kind in rig.kinds()) == 2:
            break
    said = [event.prompt_id for event in rig.events if isinstance(event, Spoken)]
    assert said == ["one", "two"]
    assert [event.item_id for event in rig.events if isinstance(event, ItemFailed)] == ["none"]
    rig.close()


def test_a_prompt_in_silence_is_as_loud_as_the_programme_would_be(tmp_path: Path, quiet_bed: str) -> None:
    rig = EngineRig(bed=quiet_bed, programme_db=-20.0)
    rig.play(0.1)
    rig.engine.put(SetLevel("programme", -90.0, 0))
    rig.play(4)
    rig.engine.put(Speak("p", speech(tmp_path / "p.wav", 0.5)))
    rig.play(3.5)
    loud = rig.sound[np.abs(rig.sound[:, 0]) > 0]
    assert integrated_lufs(loud[RATE // 4 :]) == pytest.approx(-23.0 - 20.0, abs=1.0)
    rig.close()


# ---------------------------------------------------------------- the rest


def test_stop_fades_out_and_ends(tmp_path: Path, quiet_bed: str) -> None:
    rig = EngineRig(bed=quiet_bed)
    rig.engine.put(CrossfadeTo(item("a", constant(tmp_path / "a.wav", 20, 0.5)), 50))
    rig.play(1)
    rig.engine.put(StopPlayer(fade_ms=1000))
    for _ in range(100):
        rig.play(0.1)
        if rig.engine.stopped:
            break
    assert rig.engine.stopped
    assert np.abs(rig.sound[-1]).max() < 2e-3
    assert largest_step(rig.sound) < STEP_BOUND
    rig.close()


def test_the_same_queue_again_changes_nothing(tmp_path: Path, quiet_bed: str) -> None:
    rig = EngineRig(bed=quiet_bed)
    items = tuple(item(n, constant(tmp_path / f"{n}.wav", 6, 0.3), fade_ms=1000) for n in "abc")
    rig.engine.put(QueueItems(items))
    rig.play(1)
    rig.engine.put(QueueItems(items))
    rig.engine.put(CrossfadeTo(items[0], 4000))
    rig.play(1)
    assert rig.engine.view.item_id == "a"
    assert rig.engine.view.queue == ("b", "c")
    assert rig.kinds() == ["started"]
    rig.close()


def test_a_deck_says_when_it_failed(tmp_path: Path) -> None:
    deck = Deck(lambda: open_reader(str(tmp_path / "no.flac")), Cut())
    deck.wait_ready()
    assert deck.state is DeckState.FAILED
    assert deck.error == "the file is missing"
