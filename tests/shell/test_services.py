"""Services: units that are hardened and true, an installation to repeat, the notify protocol."""

import asyncio
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from daemon_rig import Rig

from controller.errors import UserError
from controller.installing import plan_install, plan_rollback, plan_uninstall, shipped_units
from hardware.systemd_notify import ServiceManager, Watchdog

SERVICES = sorted(path for path in shipped_units().glob("*.service"))
ANALYZE = shutil.which("systemd-analyze")
ONE, TWO = Path("/opt/stillroom/1"), Path("/opt/stillroom/2")


@pytest.mark.skipif(ANALYZE is None, reason="systemd-analyze is not installed")
@pytest.mark.parametrize("unit", SERVICES, ids=lambda path: path.name)
def test_a_unit_is_hardened_to_1_5_or_better(unit: Path) -> None:
    assert ANALYZE is not None
    done = subprocess.run(
        [ANALYZE, "security", "--offline=true", "--threshold=15", "--no-pager", str(unit)],
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, [*done.stdout.splitlines()[-1:], done.stderr]
    assert "ignoring" not in done.stderr


@pytest.mark.parametrize("unit", SERVICES, ids=lambda path: path.name)
def test_a_unit_says_how_it_is_and_comes_back(unit: Path) -> None:
    text = unit.read_text()
    assert "Type=notify" in text
    assert "Restart=always" in text
    assert "WatchdogSec=" in text
    (command,) = [line for line in text.splitlines() if line.startswith("ExecStart=")]
    words = command.removeprefix("ExecStart=").split()
    assert words[0] == "/opt/stillroom/current/bin/stillroom"
    # The bridge's own parser takes all that follows its command.
    program = ["hardware.sim.bridge"] if words[1] == "simulate-bridge" else ["controller.cli", words[1]]
    shown = subprocess.run(
        [sys.executable, "-m", *program, "--help"],
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, "COLUMNS": "200", "NO_COLOR": "1"},
    )
    assert shown.returncode == 0
    for word in words[2:]:
        if word.startswith("--"):
            assert word.partition("=")[0] in shown.stdout, f"{unit.name}: {word} is no option"


def done(root: Path, environment: Path = ONE, rooms: tuple[str, ...] = ("garden",)) -> list[str]:
    steps = plan_install(root, rooms, "site: x\n", environment)
    for step in steps:
        step.do()
    return [step.what for step in steps]


def test_an_installation_repeated_does_nothing(tmp_path: Path) -> None:
    assert len(done(tmp_path)) > 8
    assert done(tmp_path) == []
    wants = tmp_path / "etc/systemd/system/stillroom.target.wants"
    assert sorted(path.name for path in wants.iterdir()) == [
        "stillroom-player@garden.service",
        "stillroom.service",
    ]


def test_a_site_file_is_never_written_over_and_a_unit_is_renewed(tmp_path: Path) -> None:
    done(tmp_path)
    (tmp_path / "etc/stillroom/stillroom.yaml").write_text("site: mine\n")
    (tmp_path / "etc/systemd/system/stillroom.service").write_text("old")
    assert done(tmp_path) == ["renew /etc/systemd/system/stillroom.service"]
    assert (tmp_path / "etc/stillroom/stillroom.yaml").read_text() == "site: mine\n"


def test_an_upgrade_can_be_taken_back(tmp_path: Path) -> None:
    done(tmp_path)
    with pytest.raises(UserError, match="no version"):
        plan_rollback(tmp_path)
    done(tmp_path, TWO)
    current = tmp_path / "opt/stillroom/current"
    assert current.readlink() == TWO
    for step in plan_rollback(tmp_path):
        step.do()
    assert current.readlink() == ONE


def test_rooms_come_and_go(tmp_path: Path) -> None:
    done(tmp_path)
    said = done(tmp_path, rooms=("attic",))
    assert "disable stillroom-player@garden.service: the site has no such room" in said
    assert "enable stillroom-player@attic.service" in said


def test_uninstall_leaves_what_is_the_clinics(tmp_path: Path) -> None:
    done(tmp_path)
    for step in plan_uninstall(tmp_path):
        step.do()
    left = [path for path in tmp_path.rglob("*") if path.is_file() or path.is_symlink()]
    assert left == [tmp_path / "etc/stillroom/stillroom.yaml"]


def test_an_environment_that_the_units_cannot_see_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="may not look there"):
        plan_install(tmp_path, (), "", Path("/home/somebody/venv"))


@pytest.fixture
def manager_socket(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "notify"))
        listener.setblocking(False)
        yield listener


def heard(listener: socket.socket) -> list[str]:
    found = []
    while True:
        try:
            found += listener.recv(4096).decode().splitlines()
        except BlockingIOError:
            return found


def test_a_ping_needs_every_loop(manager_socket: socket.socket, tmp_path: Path) -> None:
    now = [0.0]
    watchdog = Watchdog(ServiceManager(str(tmp_path / "notify"), 20_000_000), ("a", "b"), lambda: now[0])
    watchdog.turned("a")
    assert heard(manager_socket) == []
    watchdog.turned("b")
    assert heard(manager_socket) == ["WATCHDOG=1"]
    for now[0] in (10.0, 20.0, 30.0):  # b hangs: a's turns alone vouch for nothing
        watchdog.turned("a")
    assert heard(manager_socket) == []
    watchdog.turned("b")
    assert heard(manager_socket) == ["WATCHDOG=1"]


def test_without_a_service_manager_nothing_is_said() -> None:
    manager = ServiceManager()
    manager.ready()
    assert manager.ping_every_s is None


async def until(listener: socket.socket, word: str) -> list[str]:
    found: list[str] = []
    async with asyncio.timeout(30):
        while word not in found:
            found += heard(listener)
            await asyncio.sleep(0.02)
    return found


async def test_status_tells_how_a_running_daemon_is(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.write_site()
    try:
        await rig.start(profile=None)
        async with asyncio.timeout(30):
            while True:
                told = await asyncio.to_thread(_status, rig.data)
                if told.returncode == 0:
                    break
        assert "garden: 0 in session" in told.stdout
        assert "tablets" in told.stdout
    finally:
        await rig.clean_up()
    assert "no daemon runs" in _status(rig.data).stderr


def _status(data: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "controller.cli", "status", f"--data={data}"]
    return subprocess.run(command, check=False, capture_output=True, text=True)


async def test_the_daemon_tells_systemd_how_it_is(
    manager_socket: socket.socket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    monkeypatch.setenv("WATCHDOG_USEC", "2000000")
    rig = Rig(tmp_path)
    rig.write_site()
    try:
        await rig.start(profile=None)
        found = await until(manager_socket, "READY=1")
        found += await until(manager_socket, "WATCHDOG=1")
        assert rig.process is not None
        # A loop that stands still sends nothing; one that goes on does.
        os.kill(rig.process.pid, signal.SIGSTOP)
        await asyncio.sleep(0.2)
        heard(manager_socket)
        await asyncio.sleep(2.5)
        assert heard(manager_socket) == []
        os.kill(rig.process.pid, signal.SIGCONT)
        await until(manager_socket, "WATCHDOG=1")
        rig.process.terminate()
        await until(manager_socket, "STOPPING=1")
        await rig.process.wait()
    finally:
        await rig.clean_up()
