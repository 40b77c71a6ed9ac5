"""A PostgreSQL server of our own in a folder, from Debian's package: a test starts and stops it at will."""

import os
import pwd
import shutil
import socket
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import pytest


def programs() -> Path | None:
    """The folder of the newest installed server's programs."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda p: int(p.parts[-3]))
    return found[-1].parent if found else None


@dataclass
class Postgres:
    """One server on a port of its own."""

    folder: Path
    port: int = field(default=0)

    def __post_init__(self) -> None:
        found = programs()
        if found is None:
            pytest.skip("needs Debian's postgresql")
        self._bin = found
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self._data = self.folder / "pg"
        self._data.mkdir()
        # The server refuses to run as root: then as the user its package made, or as nobody.
        self._user = None
        if os.geteuid() == 0:
            names = {entry.pw_name for entry in pwd.getpwall()}
            self._user = "postgres" if "postgres" in names else "nobody"
            for path in (self.folder, *self.folder.parents):
                if path.owner() == "root" and path != Path("/") and path.stat().st_mode & 0o005 != 0o005:
                    path.chmod(path.stat().st_mode | 0o055)
            shutil.chown(self._data, self._user)
        self._run("initdb", "-D", str(self._data), "-A", "trust", "-U", "still", "--no-sync")

    @property
    def url(self) -> str:
        """The database's address."""
        return f"postgresql+psycopg://still@127.0.0.1:{self.port}/postgres"

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(self._bin / program), *arguments]
        if self._user is not None:
            command = ["runuser", "-u", self._user, "--", *command]
        done = subprocess.run(
            command, cwd=self._data, capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 0, done.stderr or done.stdout

    def start(self) -> None:
        """Start it, and wait until it answers."""
        options = f"-p {self.port} -k {self._data} -c listen_addresses=127.0.0.1 -c fsync=off"
        log = str(self._data / "log")
        self._run("pg_ctl", "start", "-D", str(self._data), "-w", "-t", "90", "-l", log, "-o", options)

    def stop(self) -> None:
        """Stop it at once, whoever is connected."""
        self._run("pg_ctl", "stop", "-D", str(self._data), "-m", "immediate")
