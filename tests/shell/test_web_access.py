"""The door: PIN patience, tokens hashed at rest and taken back, roles."""

import json
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.clock import ManualClock
from controller.errors import UserError
from controller.web.access import (
    FIRST_WAIT_MS,
    FREE_TRIES,
    FREE_TRIES_GLOBAL,
    POWERS,
    STORE_FILE,
    Access,
    PinGuard,
    PinRefusedError,
    Power,
    Role,
    clean_name,
    new_pin,
)

PIN = "246813"


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(1_000_000)


@pytest.fixture
def access(tmp_path: Path, clock: ManualClock) -> Access:
    return Access(tmp_path, clock, PIN)


def wrong(guard: PinGuard, client: str = "10.0.0.5") -> PinRefusedError:
    with pytest.raises(PinRefusedError) as caught:
        guard.check("000000", client)
    return caught.value


def test_pin_is_six_digits() -> None:
    assert all(len(pin) == 6 and pin.isdigit() for pin in (new_pin() for _ in range(50)))


def test_right_pin_gives_a_token_that_opens(access: Access) -> None:
    token, grant = access.pair(PIN, "tablet by the window", "10.0.0.5")
    assert grant.role is Role.THERAPIST
    assert grant.by == "therapist:tablet by the window"
    assert access.grant_of(token) == grant
    assert access.grant_of(token + "x") is None
    assert access.grant_of(None) is None
    assert access.grant_of("") is None


def test_ten_wrong_pins_back_off_and_a_right_one_does_not_help(clock: ManualClock) -> None:
    guard = PinGuard(clock, PIN)
    waits = [wrong(guard).wait_ms for _ in range(10)]
    assert waits[:FREE_TRIES] == [0] * FREE_TRIES
    assert all(wait > 0 for wait in waits[FREE_TRIES:])
    with pytest.raises(PinRefusedError):
        guard.check(PIN, "10.0.0.5")
    guard.check(PIN, "10.0.0.6")  # another tablet is not shut out
    clock.advance_by(FIRST_WAIT_MS)
    guard.check(PIN, "10.0.0.5")


def test_waits_double(clock: ManualClock) -> None:
    guard = PinGuard(clock, PIN)
    for _ in range(FREE_TRIES):
        wrong(guard)
    clock.advance_by(FIRST_WAIT_MS)
    assert wrong(guard).wait_ms == 0
    assert wrong(guard).wait_ms == 2 * FIRST_WAIT_MS


def test_changing_addresses_does_not_help(clock: ManualClock) -> None:
    guard = PinGuard(clock, PIN)
    for n in range(FREE_TRIES_GLOBAL):
        assert wrong(guard, f"10.0.{n}.1").wait_ms == 0
    with pytest.raises(PinRefusedError) as caught:
        guard.check(PIN, "10.1.1.1")
    assert caught.value.wait_ms == FIRST_WAIT_MS


def test_one_ipv6_network_is_one_client(clock: ManualClock) -> None:
    guard = PinGuard(clock, PIN)
    for n in range(FREE_TRIES):
        wrong(guard, f"fd00:1:2:3::{n + 1:x}")
    assert wrong(guard, "fd00:1:2:3:ffff::1").wait_ms > 0


def test_wrong_pins_are_forgotten_after_an_hour(clock: ManualClock) -> None:
    guard = PinGuard(clock, PIN)
    for _ in range(FREE_TRIES - 1):
        wrong(guard)
    clock.advance_by(3_600_001)
    for _ in range(FREE_TRIES):
        assert wrong(guard).wait_ms == 0


def test_renewed_pin_closes_the_old_one(clock: ManualClock) -> None:
    guard = PinGuard(clock, PIN)
    new = guard.renew()
    if new != PIN:
        wrong_now = pytest.raises(PinRefusedError)
        with wrong_now:
            guard.check(PIN, "a")
    guard.check(new, "b")


def test_installer_is_not_given_by_pin(access: Access) -> None:
    with pytest.raises(PinRefusedError, match="stillroom token --role installer"):
        access.pair(PIN, "laptop", "10.0.0.5", Role.INSTALLER)
    assert access.devices() == ()


def test_token_is_hashed_at_rest_and_the_file_is_ours_alone(access: Access, tmp_path: Path) -> None:
    token = access.issue_token("installer", "laptop")
    file = tmp_path / STORE_FILE
    assert token not in file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert len(token) >= 43  # 256 bits


def test_file_that_was_too_open_is_closed_at_the_next_write(access: Access, tmp_path: Path) -> None:
    access.issue_token("display", "a")
    (tmp_path / STORE_FILE).chmod(0o644)
    access.issue_token("display", "b")
    assert stat.S_IMODE((tmp_path / STORE_FILE).stat().st_mode) == 0o600


def test_taken_back_token_opens_nothing(access: Access) -> None:
    token, grant = access.pair(PIN, "a", "10.0.0.5")
    other = access.issue_token("display", "b")
    assert access.revoke(grant.token_id)
    assert access.grant_of(token) is None
    assert not access.stands(grant)
    assert access.grant_of(other) is not None
    assert not access.revoke(grant.token_id)


def test_another_process_issues_and_takes_back(access: Access, tmp_path: Path, clock: ManualClock) -> None:
    from_command_line = Access(tmp_path, clock)
    token = from_command_line.issue_token("designer", "desk")
    grant = access.grant_of(token)
    assert grant is not None
    assert grant.role is Role.DESIGNER
    mine = access.issue_token("display", "wall")
    assert from_command_line.revoke(grant.token_id)
    assert access.grant_of(token) is None
    assert from_command_line.grant_of(mine) is not None


def test_restart_keeps_tokens(access: Access, tmp_path: Path, clock: ManualClock) -> None:
    token = access.issue_token("therapist", "a")
    assert Access(tmp_path, clock).grant_of(token) is not None


def test_broken_store_is_one_clear_line_at_start(tmp_path: Path, clock: ManualClock) -> None:
    (tmp_path / STORE_FILE).write_text("{")
    with pytest.raises(UserError, match=r"access\.json"):
        Access(tmp_path, clock)


def test_store_that_breaks_later_locks_nobody_out_and_lets_nobody_in(access: Access, tmp_path: Path) -> None:
    token = access.issue_token("therapist", "a")
    (tmp_path / STORE_FILE).write_text('{"tokens": [{"role": "therapist"}]}')
    assert access.grant_of(token) is not None
    assert access.grant_of("x" * 43) is None
    assert access.problem is not None
    assert STORE_FILE in access.problem


def test_unknown_role_is_a_clear_line(access: Access) -> None:
    with pytest.raises(UserError, match="expected one of therapist, designer, installer, display"):
        access.issue_token("boss", "a")


def test_devices_do_not_show_hashes(access: Access, tmp_path: Path) -> None:
    access.issue_token("therapist", "a")
    stored = json.loads((tmp_path / STORE_FILE).read_text())["tokens"][0]["sha256"]
    assert stored
    assert access.devices()[0].sha256 == ""


def test_roles_hold() -> None:
    assert Power.CONTROL in POWERS[Role.THERAPIST]
    for role in (Role.DESIGNER, Role.INSTALLER, Role.DISPLAY):
        assert Power.CONTROL not in POWERS[role]
    assert POWERS[Role.DISPLAY] == {Power.SHOW_PROMPTS, Power.WALL}
    assert [role for role in Role if Power.INSTALL in POWERS[role]] == [Role.INSTALLER]


@given(st.text(max_size=200))
def test_names_are_one_clean_line(name: str) -> None:
    cleaned = clean_name(name)
    assert len(cleaned) <= 40
    assert cleaned == clean_name(cleaned) or len(cleaned) == 40
    assert all(ch.isprintable() or ch == " " for ch in cleaned) or not cleaned.isascii()
    assert "\n" not in cleaned
    assert "\x1b" not in cleaned
