"""The sound meter: which K holds for which device, the cautious cap, level and dose; what is kept of it."""

import json
import os
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.calibration import (
    CALIBRATION_FILE,
    Calibration,
    load_calibrations,
    measured,
    save_calibration,
)
from controller.clock import ManualClock
from controller.conductor import REFERENCE_LUFS, ChosenTrack, Conductor, TrackRequest
from controller.core.envelope import Authority, Limits
from controller.core.exposure import Exposure
from controller.core.music import MusicTarget
from controller.errors import UserError
from controller.fault_board import NO_SOUND, UNCALIBRATED, FaultBoard
from controller.ports import PlayerCommand, PlayerStatus, SetLevel
from controller.sound_meter import CAUTIOUS_K_DB, SoundMeter, scale_of


def status(device: str = "amp", lufs: float = -30.0, *, ok: bool = True) -> PlayerStatus:
    return PlayerStatus(None, None, 0, None, (), 0.0, -20.0, lufs, False, device, ok, 0, 0)


def meter() -> SoundMeter:
    return SoundMeter(ceiling_dba=70.0, devices={"amp": 88.0})


def test_a_measured_device_has_its_own_scale() -> None:
    found = meter()
    assert not found.scale.calibrated
    assert found.hear(status(), None, 0)
    assert (found.scale.k_db, found.scale.ceiling_lufs) == (88.0, -18.0)
    assert found.level_now_dba == pytest.approx(58.0)
    assert not found.hear(status(), None, 250), "nothing has changed since"


def test_another_device_is_capped_and_no_level_is_claimed_for_it() -> None:
    found = meter()
    found.hear(status(), None, 0)
    assert found.hear(status("usb"), None, 250)
    assert found.scale.ceiling_lufs == 70.0 - CAUTIOUS_K_DB == -23.0
    assert found.level_now_dba is None
    notices = dict(found.notices(silent_by_choice=False))
    assert "'usb' has not been measured" in str(notices[UNCALIBRATED])
    assert notices[NO_SOUND] is None


def test_the_site_files_k_holds_for_devices_nobody_measured_by_name() -> None:
    found = SoundMeter(ceiling_dba=66.0, devices={"amp": 88.0}, site_k_db=90.0)
    found.hear(status("usb"), None, 0)
    assert (found.scale.k_db, found.scale.calibrated) == (90.0, True)
    found.hear(status("amp"), None, 250)
    assert found.scale.k_db == 88.0


def test_the_speakers_are_the_first_of_two_outputs() -> None:
    found = meter()
    found.hear(status("amp + phones"), None, 0)
    assert found.scale.k_db == 88.0


def test_a_machine_without_sound_is_said_once_and_not_as_uncalibrated() -> None:
    found = meter()
    found.hear(status("silent"), None, 0)
    notices = dict(found.notices(silent_by_choice=False))
    assert notices[UNCALIBRATED] is None
    assert "no sound device" in str(notices[NO_SOUND])
    assert dict(found.notices(silent_by_choice=True))[NO_SOUND] is None


def test_a_notice_is_no_failure() -> None:
    board = FaultBoard()
    board.report(UNCALIBRATED, "not measured", 0)
    assert board.failures() == ()
    assert len(board.views()) == 1


def test_the_dose_is_the_steady_level_of_the_same_energy() -> None:
    found = meter()
    found.hear(status(lufs=-28.0), "s1", 0)
    for step in range(1, 5):
        found.hear(status(lufs=-28.0), "s1", step * 250)
    assert found.dose_laeq_dba == pytest.approx(60.0)
    for step in range(5, 9):
        found.hear(status(lufs=-70.0), "s1", step * 250)
    assert found.dose_laeq_dba == pytest.approx(60.0 - 3.01, abs=0.01), "half the time in silence"


def test_a_new_session_has_a_dose_of_its_own_and_an_ended_ones_stays_to_be_read() -> None:
    found = meter()
    for at in range(0, 2000, 250):
        found.hear(status(lufs=-28.0), "s1", at)
    found.hear(status(lufs=-18.0), None, 2000)
    assert found.dose_laeq_dba == pytest.approx(60.0)
    found.hear(status(lufs=-18.0), "s2", 2250)
    assert found.dose_laeq_dba is None


def test_minutes_without_the_players_word_are_not_counted_as_heard() -> None:
    found = meter()
    found.hear(status(lufs=-28.0), "s1", 0)
    found.hear(status(lufs=-28.0), "s1", 600_000)
    assert found.checkpoint()["ms"] == 1_000


def test_at_sixty_times_the_speed_real_seconds_count() -> None:
    found = meter()
    found.hear(status(), "s1", 0, 60)
    found.hear(status(), "s1", 15_000, 60)
    assert found.checkpoint()["ms"] == 250


def test_a_restart_keeps_the_dose() -> None:
    before = meter()
    for at in range(0, 2000, 250):
        before.hear(status(lufs=-28.0), "s1", at)
    after = meter()
    after.restore(json.loads(json.dumps(before.checkpoint())))
    after.hear(status(lufs=-28.0), "s1", 9_000)
    assert after.dose_laeq_dba == pytest.approx(before.dose_laeq_dba)


@pytest.mark.parametrize("kept", [None, 3, {"session": 1, "energy": "x", "ms": 2}, {}])
def test_a_damaged_checkpoint_is_let_be(kept: object) -> None:
    found = meter()
    found.restore(kept)
    assert found.dose_laeq_dba is None


@given(st.lists(st.tuples(st.floats(20, 110), st.integers(1, 1000)), min_size=1, max_size=30))
def test_a_dose_lies_between_the_quietest_and_the_loudest(parts: list[tuple[float, int]]) -> None:
    exposure = Exposure()
    for level, ms in parts:
        exposure = exposure.add(level, ms)
    levels = [level for level, _ in parts]
    assert exposure.laeq_dba is not None
    assert min(levels) - 1e-6 <= exposure.laeq_dba <= max(levels) + 1e-6


# ---------------------------------------------------------------- the conductor under a scale


def test_another_scale_moves_the_level_inside_the_envelope() -> None:
    sent: list[PlayerCommand] = []
    clock = ManualClock()
    conductor = Conductor(_Nothing(), sent.append, clock, Limits(), k_db=None)
    conductor.follow(heard_target(level_dba=68.0))
    clock.advance_by(60_000)
    sent.clear()
    scale = scale_of(None, 70.0)
    conductor.use_scale(scale.k_db, scale.ceiling_lufs)
    (capped,) = [command for command in sent if isinstance(command, SetLevel)]
    assert capped.level_db == pytest.approx(scale.ceiling_lufs - REFERENCE_LUFS)
    assert capped.over_ms >= (68.0 - 83.0 + 23.0) / 6.0 * 1000 - 1, "no faster than the score may fall"
    clock.advance_by(60_000)
    sent.clear()
    scale = scale_of(95.0, 70.0)
    conductor.use_scale(scale.k_db, scale.ceiling_lufs)
    (measured_level,) = [command for command in sent if isinstance(command, SetLevel)]
    assert measured_level.level_db == pytest.approx(68.0 - 95.0 + 23.0)


def heard_target(level_dba: float) -> MusicTarget:
    return MusicTarget(
        pool=None,
        mood="",
        energy=0.2,
        words_allowed=False,
        unbroken=False,
        level_dba=level_dba,
        trim_db=0.0,
        silent=False,
        authority=Authority.SCORE,
        silence_fade_ms=6_000,
        return_fade_ms=6_000,
        crossfade_ms=12_000,
        slot=0,
        phase_left_ms=None,
        phase_ms=None,
        excluded_pools=(),
        excluded_tracks=(),
        skips=0,
        skip_fade_ms=4_000,
        headphones=False,
        to_speakers=True,
    )


class _Nothing:
    def choose(self, request: TrackRequest) -> list[ChosenTrack]:
        return []

    def find(self, track_id: str) -> ChosenTrack | None:
        return None


# ---------------------------------------------------------------- the file


def test_k_is_the_reading_less_the_loudness() -> None:
    assert measured("amp", 58.04, -26.0, "2026-03-01") == Calibration("amp", 84.0, 58.0, -26.0, "2026-03-01")


@pytest.mark.parametrize(("reading", "lufs"), [(10.0, -26.0), (140.0, -26.0), (60.0, -110.0)])
def test_a_reading_that_cannot_be_is_refused(reading: float, lufs: float) -> None:
    with pytest.raises(UserError, match="cannot be right"):
        measured("amp", reading, lufs, "2026-03-01")


def test_measurements_are_kept_by_device_and_for_their_owner_only(tmp_path: Path) -> None:
    os.umask(0o022)
    save_calibration(tmp_path, measured("amp", 58.0, -26.0, "2026-03-01"))
    path = save_calibration(tmp_path, measured("phones", 66.0, -26.0, "2026-03-01"))
    save_calibration(tmp_path, measured("amp", 60.0, -26.0, "2026-03-02"))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert load_calibrations(tmp_path).k_by_device == {"amp": 86.0, "phones": 92.0}


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"devices": []}', '{"devices": {"amp": {"k_db": 1}}}', "\xff", "[" * 50_000,
     '{"devices": {"amp": {"k_db": NaN, "reading_dba": 50, "loudness_lufs": -26}}}',
     '{"devices": {"amp": {"k_db": 300, "reading_dba": 50, "loudness_lufs": -26}}}'],
)  # fmt: skip
def test_a_damaged_file_is_said_and_never_stops_a_room(tmp_path: Path, text: str) -> None:
    (tmp_path / CALIBRATION_FILE).write_bytes(text.encode("latin-1"))
    found = load_calibrations(tmp_path)
    assert found.k_by_device == {}
    assert "measure again" in str(found.problem)
    save_calibration(tmp_path, measured("amp", 58.0, -26.0, "2026-03-01"))
    assert load_calibrations(tmp_path).k_by_device == {"amp": 84.0}
    assert (tmp_path / (CALIBRATION_FILE + ".damaged")).exists()


def test_no_file_is_no_problem(tmp_path: Path) -> None:
    assert load_calibrations(tmp_path).problem is None
