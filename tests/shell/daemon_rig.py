"""Runs the real daemon as a process of its own, with everything it needs in one folder."""

import asyncio
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx

PROFILE = """\
profile: tiny
title: Tiny
phases:
  - {id: settle, title: Settle, minutes: 2, light: {brightness_percent: 30, kelvin: 2500, fade_minutes: 1},
     music: {pool: nature, mood: nature, energy: 0.15, level_dba: 44},
     cues: [{prompt: feet, at_minute: 0.05}]}
  - {id: sit, title: Sit, minutes: 60, light: {brightness_percent: 12, kelvin: 2200, fade_minutes: 10},
     music: {pool: drone, mood: drone, energy: 0.15, level_dba: 42}}
"""


def free_port() -> int:
    """A port nobody has just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Rig:
    """A folder with a data folder and a site file, and the daemon that runs from them."""

    folder: Path
    port: int = field(default_factory=free_port)
    mqtt_port: int = field(default_factory=free_port)
    process: asyncio.subprocess.Process | None = None
    token: str = ""
    output: list[str] = field(default_factory=list)

    @property
    def data(self) -> Path:
        """The daemon's data folder."""
        return self.folder / "data"

    def write_site(self, extra: str = "", mqtt: str = "mqtt: {host: null}") -> Path:
        """Write a site file like the demo's, with the tiny profile."""
        import profiles

        demo = (Path(profiles.__file__).parent / "library" / "demo-site.yaml").read_text(encoding="utf-8")
        demo = demo.replace("mqtt: {host: null}", mqtt).replace("host: 0.0.0.0", "host: 127.0.0.1")
        demo = demo.replace("\nmqtt:", "\n    music: {folders: [music]}\n\nmqtt:")
        (self.folder / "tiny.yaml").write_text(PROFILE, encoding="utf-8")
        site = self.folder / "stillroom.yaml"
        site.write_text(demo + "\nprofiles: [tiny.yaml]\n" + extra, encoding="utf-8")
        return site

    def place_music(self) -> None:
        """Put two short pools of our own beside the site, so that nothing is rendered in a test."""
        import numpy as np
        import soundfile as sf

        for pool, hertz in (("nature", 196.0), ("drone", 98.0)):
            folder = self.folder / "music" / pool
            folder.mkdir(parents=True)
            for number in range(3):
                seconds = np.arange(20 * 48_000) / 48_000
                tone = 0.1 * np.sin(2 * np.pi * (hertz + 20 * number) * seconds)
                sf.write(folder / f"{pool}-{number}.flac", np.stack([tone, tone], axis=1), 48_000)
            text = f"pool: {pool}\ntitle: {pool}\nmood: {pool}\nfiles: ['*.flac']\n"
            (folder / "pool.yaml").write_text(text, encoding="utf-8")

    async def start(self, *arguments: str, profile: str | None = "tiny", speed: int = 1) -> None:
        """Start the daemon and wait until it serves."""
        self.data.mkdir(exist_ok=True)
        site = self.folder / "stillroom.yaml"
        if not site.exists():
            self.write_site()
        if not (self.folder / "music").exists():
            self.place_music()
        command = [sys.executable, "-m", "controller.cli", "run", f"--site={site}", f"--data={self.data}"]
        command += [f"--port={self.port}", f"--mqtt-port={self.mqtt_port}", f"--speed={speed}"]
        command += ["--no-render", *arguments]
        if profile is not None:
            command.append(f"--profile={profile}")
        self.process = await asyncio.create_subprocess_exec(
            *command,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            stdin=asyncio.subprocess.DEVNULL,
        )
        await self._wait_until_served()
        self.token = self.make_token("therapist")
        if profile is not None:
            await self.until(self._in_session)

    async def _in_session(self) -> bool:
        """Whether there is a session: it begins after the door has opened."""
        with suppress(httpx.HTTPError, ValueError):
            return bool((await self.snapshot()).get("session"))
        return False

    async def _wait_until_served(self) -> None:
        assert self.process is not None
        async with asyncio.timeout(60), httpx.AsyncClient() as web:
            while True:
                if self.process.returncode is not None:
                    raise AssertionError(f"the daemon ended: {await self.rest_of_output()}")
                with suppress(httpx.HTTPError):
                    await web.get(f"http://127.0.0.1:{self.port}/healthz")
                    return
                await asyncio.sleep(0.02)

    async def rest_of_output(self) -> str:
        """What the ended daemon printed."""
        assert self.process is not None
        assert self.process.stdout is not None
        return (await self.process.stdout.read()).decode()

    def make_token(self, role: str) -> str:
        """Issue a token as ``stillroom token`` does."""
        from controller.clock import RealClock
        from controller.web.access import Access

        return Access(self.data, RealClock()).issue_token(role, "test")

    @asynccontextmanager
    async def web(self) -> AsyncIterator[httpx.AsyncClient]:
        """A client that speaks for a therapist."""
        headers = {"Authorization": f"Bearer {self.token}"}
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{self.port}", headers=headers) as client:
            yield client

    async def command(self, name: str, **fields: Any) -> dict[str, Any]:
        """Send one command over HTTP; the reply."""
        async with self.web() as web:
            body = {"id": str(uuid4()), "command": name, **fields}
            answer = await web.post("/api/v1/rooms/garden/commands", json=body)
            reply: dict[str, Any] = {"status": answer.status_code, **answer.json()}
            return reply

    async def snapshot(self) -> dict[str, Any]:
        """The room's state."""
        async with self.web() as web:
            state: dict[str, Any] = (await web.get("/api/v1/rooms/garden")).json()
            return state

    async def bridge(self, path: str) -> Any:
        """Ask the simulated bridge something of its own."""
        address = json.loads((self.data / "simulated-hue.json").read_text())["address"]
        async with httpx.AsyncClient() as web:
            return (await web.get(f"http://{address}{path}")).json()

    async def puts(self) -> list[dict[str, Any]]:
        """Every lamp command the bridge has taken, in order."""
        log = await self.bridge("/sim/log")
        return [row for row in log if row["method"] == "PUT" and "config" not in row["path"]]

    async def until(self, holds: Any, seconds: float = 40.0) -> Any:
        """Wait until an awaited value is true, and return it."""
        async with asyncio.timeout(seconds):
            while True:
                value = await holds()
                if value:
                    return value
                await asyncio.sleep(0.05)

    def kill(self) -> None:
        """SIGKILL, as a crash would."""
        assert self.process is not None
        self.process.kill()

    async def stop(self, how: int = signal.SIGINT) -> int:
        """End it in order; the exit status."""
        assert self.process is not None
        if self.process.returncode is None:
            self.process.send_signal(how)
        async with asyncio.timeout(60):
            await self.process.wait()
        assert self.process.returncode is not None
        return self.process.returncode

    async def clean_up(self) -> None:
        """Leave no process behind, whatever happened."""
        if self.process is not None and self.process.returncode is None:
            self.process.kill()
            await self.process.wait()
        for name in ("simulated-hue.json",):
            with suppress(OSError, ValueError, KeyError):
                os.kill(json.loads((self.data / name).read_text())["pid"], signal.SIGTERM)
        killer = await asyncio.create_subprocess_exec(
            "pkill", "-f", f"hardware.player --socket={self.data}", stderr=asyncio.subprocess.DEVNULL
        )
        await killer.wait()
