"""Levels, fades, the limiter and the governor: smooth, guarded, and never over."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from player_rig import largest_step, noise, tone

from hardware.player.gains import Fade, Level, PathGain, taper
from hardware.player.limiter import Limiter, true_peak
from hardware.player.loudness import Governor, LoudnessMeter, integrated_lufs
from hardware.player.units import BLOCK, FLOOR_DB, RATE, SILENT_DB, silence

STEP_BOUND = 1e-3  # -60 dBFS


def level(db: float) -> Level:
    return Level(db, rise_db_per_s=3.0, fall_db_per_s=20.0)


def play_levels(path: PathGain, levels: tuple[Level, ...], blocks: int) -> np.ndarray:
    parts = []
    for _ in range(blocks):
        for one in levels:
            one.advance(BLOCK)
        block = np.ones((BLOCK, 2), dtype=np.float32)
        if not path.apply(block, levels):
            block[:] = 0.0
        parts.append(block.copy())
    return np.concatenate(parts)[:, 0]


def test_a_level_moves_evenly_in_db() -> None:
    bus = level(0.0)
    path = PathGain(0.0, rise_db_per_s=3.0, fall_db_per_s=20.0)
    bus.aim(-30.0, 3 * RATE)
    gains = play_levels(path, (bus,), 3 * RATE // BLOCK + 20)
    for second, expected in ((1, -10.0), (2, -20.0), (3.1, -30.0)):
        assert 20 * np.log10(gains[round(second * RATE)]) == pytest.approx(expected, abs=0.15)


def test_nothing_rises_faster_than_three_db_a_second_even_by_two_levels_at_once() -> None:
    programme, master = level(-40.0), level(-20.0)
    path = PathGain(-60.0, rise_db_per_s=3.0, fall_db_per_s=20.0)
    path.jump(programme, master)
    programme.aim(0.0, 0)
    master.aim(0.0, 0)
    gains = play_levels(path, (programme, master), 10 * RATE // BLOCK)
    decibels = 20 * np.log10(np.maximum(gains, 1e-9))
    heard = decibels[decibels > SILENT_DB]
    assert np.max(heard[RATE:] - heard[:-RATE]) <= 3.001


def test_mute_is_reached_and_left_without_a_step() -> None:
    bus = level(0.0)
    path = PathGain(0.0, rise_db_per_s=3.0, fall_db_per_s=20.0)
    bus.aim(-60.0, 3 * RATE)
    down = play_levels(path, (bus,), 4 * RATE // BLOCK)
    assert down[-1] == 0.0
    bus.aim(-20.0, 0)
    up = play_levels(path, (bus,), 14 * RATE // BLOCK)
    assert 20 * np.log10(up[-1]) == pytest.approx(-20.0, abs=0.01)
    assert np.abs(np.diff(np.concatenate((down, up)))).max() < STEP_BOUND


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(st.floats(-90, 12), st.integers(0, 5 * RATE), st.integers(1, 60), st.integers(1, BLOCK)),
        min_size=1,
        max_size=8,
    )
)
def test_no_command_makes_a_level_step(moves: list[tuple[float, int, int, int]]) -> None:
    bus = level(0.0)
    path = PathGain(0.0, rise_db_per_s=3.0, fall_db_per_s=20.0)
    gains = []
    for db, over, blocks, frames in moves:
        bus.aim(db, over)
        for _ in range(blocks):
            bus.advance(frames)
            block = np.ones((frames, 2), dtype=np.float32)
            gains.append(block[:, 0] if path.apply(block, (bus,)) else block[:, 0] * 0)
    assert np.abs(np.diff(np.concatenate(gains))).max(initial=0.0) < STEP_BOUND


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from([0.0, 1.0]), st.integers(2400, 400_000), st.integers(0, 80)), max_size=10
    )
)
def test_power_is_kept_through_any_changes_of_mind(moves: list[tuple[float, int, int]]) -> None:
    one, other = Fade(1.0), Fade(0.0)
    for goal, frames, blocks in moves:
        one.move(goal, frames)
        other.move(1.0 - goal, frames)
        for _ in range(blocks):
            first, second = np.ones((BLOCK, 2), np.float32), np.ones((BLOCK, 2), np.float32)
            if not one.apply(first):
                first[:] = 0.0
            if not other.apply(second):
                second[:] = 0.0
            power = first[:, 0].astype(float) ** 2 + second[:, 0].astype(float) ** 2
            assert np.abs(power - 1.0).max() < 1e-4


def test_taper_leads_a_cut_off_sound_to_nothing() -> None:
    block = np.ones((2_400, 2), dtype=np.float32)
    parts = [block[i : i + 480].copy() for i in range(0, 2_400, 480)]
    for index, part in enumerate(parts):
        taper(part, 2_400 - index * 480)
    sound = np.concatenate(parts)
    assert sound[0, 0] > 0.99
    assert sound[-1, 0] == 0.0
    assert largest_step(sound) < STEP_BOUND


# ---------------------------------------------------------------- limiter


def limited(sound: np.ndarray) -> np.ndarray:
    limiter, out = Limiter(-1.0), silence(BLOCK)
    parts = []
    for start in range(0, len(sound) - BLOCK + 1, BLOCK):
        limiter.process(sound[start : start + BLOCK].astype(np.float32), out)
        parts.append(out.copy())
    return np.concatenate(parts)


def dbtp(sound: np.ndarray) -> float:
    """True peak by an eight-fold interpolation that is not the limiter's own."""
    spectrum = np.fft.rfft(sound, axis=0)
    up = np.fft.irfft(spectrum, n=len(sound) * 8, axis=0) * 8
    return float(20 * np.log10(np.abs(up).max()))


def test_the_limiter_leaves_quiet_sound_bit_exact_and_late_by_256_frames() -> None:
    sound = tone(1.0, 440.0, 0.3)
    out = limited(sound)
    assert np.array_equal(out[256:], sound[: len(out) - 256])


@pytest.mark.parametrize("hertz", [60.0, 997.0, 5_000.0, 11_999.0, 15_000.0])
def test_the_limiter_holds_a_tone_under_its_true_peak_ceiling(hertz: float) -> None:
    sound = tone(1.0, hertz, 3.0)
    out = limited(sound)[BLOCK:]
    window = np.hanning(len(out))[:, None]
    assert dbtp(out * window) <= -1.0


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.05, 4.0), st.integers(1, 400))
def test_the_limiter_holds_anything_under_its_ceiling(seed: int, rms: float, bursts: int) -> None:
    random = np.random.default_rng(seed)
    sound = noise(0.5, seed, rms)
    for at in random.integers(0, len(sound), bursts):
        sound[at : at + 20] *= random.uniform(0, 6)
    out = limited(sound)
    assert true_peak(out) <= 10 ** (-1.0 / 20)


def test_the_limiter_comes_back_slowly() -> None:
    quiet, loud = tone(1.0, 440.0, 0.5), tone(0.2, 440.0, 2.0)
    out = limited(np.concatenate((quiet, loud, quiet)))
    just_after = np.abs(out[RATE + RATE // 4 : RATE + RATE // 3]).max()
    assert just_after < 0.5 * 0.6


# ---------------------------------------------------------------- loudness


def test_the_meter_reads_the_standards_tone() -> None:
    sound = tone(4.0, 997.0, 10 ** (-23 / 20))
    meter = LoudnessMeter()
    for start in range(0, len(sound) - BLOCK, BLOCK):
        meter.measure(sound[start : start + BLOCK])
    assert meter.short_term == pytest.approx(-23.0, abs=0.05)
    assert meter.momentary == pytest.approx(-23.0, abs=0.05)
    assert integrated_lufs(sound) == pytest.approx(-23.0, abs=0.05)


def test_integrated_loudness_agrees_with_ebur128() -> None:
    pyebur128 = pytest.importorskip("pyebur128")
    sound = np.concatenate((noise(5, 1, 0.2), noise(5, 2, 0.01), tone(5, 90.0, 0.5)))
    state = pyebur128.R128State(2, RATE, pyebur128.MeasurementMode.MODE_I)
    state.add_frames(np.ascontiguousarray(sound.ravel()), len(sound))
    assert integrated_lufs(sound) == pytest.approx(pyebur128.get_loudness_global(state), abs=0.1)


@pytest.mark.parametrize("over_db", [3.0, 10.0, 20.0])
def test_the_governor_holds_its_ceiling(over_db: float) -> None:
    ceiling = -30.0
    governor, after = Governor(ceiling), LoudnessMeter()
    quiet = noise(4.0, 1, 0.002)
    loud = noise(6.0, 2, 1.0)
    loud *= np.float32(10 ** ((ceiling + over_db - integrated_lufs(loud)) / 20))
    worst, settled = -99.0, -99.0
    sound = np.concatenate((quiet, loud))
    for start in range(0, len(sound) - BLOCK, BLOCK):
        block = sound[start : start + BLOCK].copy()
        governor.process(block)
        after.measure(block)
        worst = max(worst, after.short_term)
        settled = after.momentary
    assert settled <= ceiling + 0.3
    assert worst <= ceiling + (1.0 if over_db <= 10 else 2.0)


def test_the_governor_leaves_what_is_under_the_ceiling_alone() -> None:
    governor = Governor(-20.0)
    sound = noise(2.0, 3, 0.01)
    for start in range(0, len(sound) - BLOCK, BLOCK):
        block = sound[start : start + BLOCK].copy()
        governor.process(block)
        assert np.array_equal(block, sound[start : start + BLOCK])
    assert governor.reduction_db == 0.0


def test_floor_is_under_silence() -> None:
    assert FLOOR_DB < SILENT_DB
