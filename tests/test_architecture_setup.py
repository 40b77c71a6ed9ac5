"""The set-up script: what is missing is said and installed, what is there is left alone."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parent.parent / ".ci" / "system-packages"
TOOLS = ("sh", "sed", "tr", "env", "printf", "cat", "tail")


class Machine:
    """A machine whose apt, dpkg, id and sudo are ours; it writes down what apt was asked."""

    def __init__(self, folder: Path) -> None:
        self.bin = folder / "bin"
        self.bin.mkdir()
        self.log = folder / "apt.log"
        for tool in TOOLS:
            found = shutil.which(tool)
            assert found is not None
            (self.bin / tool).symlink_to(found)
        (self.bin / "python3").symlink_to(sys.executable)

    def program(self, name: str, body: str) -> None:
        file = self.bin / name
        file.unlink(missing_ok=True)
        file.write_text(f"#!/bin/sh\n{body}\n")
        file.chmod(0o755)

    def debian(self, *, installed: bool, root: bool = True) -> None:
        self.program("apt-get", f'echo "apt-get $*" >>{self.log}')
        self.program("apt-cache", "exit 0")
        status = "install ok installed" if installed else "unknown ok not-installed"
        self.program("dpkg-query", f"printf '{status}'")
        self.program("dpkg", "echo amd64")
        self.program("id", f"echo {0 if root else 1000}")

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        environment = {"PATH": str(self.bin), "HOME": os.environ.get("HOME", "/")}
        return subprocess.run(
            ["sh", str(SCRIPT), *arguments], env=environment, check=False, capture_output=True, text=True
        )

    def asked(self) -> str:
        return self.log.read_text() if self.log.exists() else ""


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_what_is_missing_is_said_first_and_installed(machine: Machine) -> None:
    machine.debian(installed=False)
    machine.program("sudo", "exit 99")
    done = machine.run("run")
    assert done.returncode == 0, done.stderr
    assert "installing with apt-get: " in done.stdout
    assert "libportaudio2 libasound2-plugins" in done.stdout
    assert " install --no-install-recommends --no-remove " in machine.asked()
    assert "libportaudio2 libasound2-plugins" in machine.asked()
    assert "update" not in machine.asked()


def test_the_lists_are_fetched_when_a_package_is_not_known(machine: Machine) -> None:
    machine.debian(installed=False)
    machine.program("apt-cache", "exit 100")
    assert machine.run("run").returncode == 0
    lines = machine.asked().splitlines()
    assert [line.split()[5] for line in lines] == ["update", "install"]


def test_a_package_that_cannot_be_had_is_one_clear_line(machine: Machine) -> None:
    machine.debian(installed=False)
    machine.program("apt-get", f'echo "apt-get $*" >>{machine.log}; case "$*" in *install*) exit 100;; esac')
    done = machine.run("run")
    assert done.returncode == 1
    assert done.stderr.startswith("stillroom: apt-get could not install: ")
    assert [line.split()[5] for line in machine.asked().splitlines()] == ["install", "update", "install"]


def test_what_is_there_is_left_alone(machine: Machine) -> None:
    machine.debian(installed=True)
    machine.program("gcc", "exit 0")
    listed = machine.run("list", "run").stdout.split()
    assert "libportaudio2" not in listed
    assert "libasound2-plugins" not in listed
    assert "gcc" not in listed
    if not listed:
        done = machine.run("run")
        assert (done.returncode, done.stdout) == (0, "")
    assert machine.asked() == ""


def test_sudo_is_used_only_when_not_root(machine: Machine) -> None:
    machine.debian(installed=False, root=False)
    machine.program("sudo", f'echo "sudo $*" >>{machine.log}')
    done = machine.run("run")
    assert "installing with sudo apt-get: " in done.stdout
    assert all(line.startswith("sudo -- ") for line in machine.asked().splitlines())


def test_neither_root_nor_sudo_says_what_to_type(machine: Machine) -> None:
    machine.debian(installed=False, root=False)
    done = machine.run("run")
    assert done.returncode == 1
    assert "As root: apt-get install --no-install-recommends" in done.stderr


def test_another_system_is_told_what_is_needed(machine: Machine) -> None:
    done = machine.run("run")
    assert done.returncode == 0
    assert "not Debian" in done.stdout
    assert "PortAudio" in done.stdout


def test_an_old_python_is_refused(machine: Machine) -> None:
    machine.debian(installed=True)
    machine.program(
        "python3", 'case "$1" in -V) echo Python 3.9.2;; *) case "$2" in *sys.exit*) exit 1;; esac;; esac'
    )
    machine.program("gcc", "exit 0")
    done = machine.run("run")
    assert done.returncode == 1
    assert "Python 3.9.2; Python 3.11 or newer is needed" in done.stderr


def test_the_tests_never_replace_a_desktops_sound_server(machine: Machine) -> None:
    machine.debian(installed=True)
    assert "pulseaudio" not in machine.run("list", "test").stdout.split()
    machine.debian(installed=False)
    assert "pulseaudio" in machine.run("list", "test").stdout.split()


def test_a_wrong_word_is_refused(machine: Machine) -> None:
    machine.debian(installed=True)
    assert machine.run("everything").returncode == 1
