"""The demo's Hue bridge: a program of its own, started when a site asks for it and found again after a crash.

Like a real bridge it outlives the daemon's death, so that lamps hold; an orderly stop ends it.
"""

import asyncio
import json
import os
import signal
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from controller.errors import UserError
from controller.log_lines import log

USER = "stillroomsimulated"
START_PATIENCE_S = 10.0


@dataclass(frozen=True, slots=True)
class SimulatedBridgeProcess:
    """A running simulated bridge."""

    address: str
    pid: int
    file: Path

    def stop(self) -> None:
        """End it; it may be gone already."""
        with suppress(ProcessLookupError, PermissionError):
            os.kill(self.pid, signal.SIGTERM)
        self.file.unlink(missing_ok=True)


async def start_simulated_bridge(
    bridge_id: str, lamps: tuple[str, ...], data: Path
) -> SimulatedBridgeProcess:
    """Start a simulated bridge with these lamps, or find the one that a dead daemon left.

    Raises:
        UserError: it did not start.
    """
    file = data / f"simulated-{bridge_id}.json"
    kept = await _find(file)
    if kept is not None:
        log.info("simulated bridge found", bridge=bridge_id, address=kept.address)
        return kept
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "hardware.sim.bridge",
        "--port=0",
        f"--lights={len(lamps)}",
        f"--names={','.join(lamps)}",
        f"--user={USER}",
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        stdin=asyncio.subprocess.DEVNULL,
        start_new_session=True,
    )
    address = await _announced(process, bridge_id)
    found = SimulatedBridgeProcess(address, process.pid, file)
    file.write_text(json.dumps({"address": address, "pid": process.pid}), encoding="utf-8")
    return found


async def _announced(process: asyncio.subprocess.Process, bridge_id: str) -> str:
    if process.stdout is None:
        raise UserError(f"bridge {bridge_id}: the simulated bridge has no output")
    try:
        async with asyncio.timeout(START_PATIENCE_S):
            line = (await process.stdout.readline()).decode("utf-8", "replace")
    except TimeoutError:
        line = ""
    if " at http" not in line:
        raise UserError(f"bridge {bridge_id}: the simulated bridge did not start")
    return line.rsplit(" at ", 1)[1].strip().removeprefix("http://").rstrip("/")


def _noted(file: Path) -> tuple[str, int]:
    kept = json.loads(file.read_text(encoding="utf-8"))
    return str(kept["address"]), int(kept["pid"])


async def _find(file: Path) -> SimulatedBridgeProcess | None:
    try:
        address, pid = _noted(file)
        os.kill(pid, 0)
        host, port = address.rsplit(":", 1)
        async with asyncio.timeout(1.0):
            _, writer = await asyncio.open_connection(host, int(port))
    except (OSError, ValueError, KeyError, TypeError):
        return None
    writer.close()
    return SimulatedBridgeProcess(address, pid, file)
