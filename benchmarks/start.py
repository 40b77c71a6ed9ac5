"""How soon the daemon obeys after a start and after a kill, how soon it is well, and what it costs to keep.

A whole daemon runs as its own process beside a simulated Hue bridge and, where there is one, Mosquitto. Each
start is timed from just before the process is made to the instant the bridge has read the PUT that the first
override leads to (one monotonic clock for all processes). A command is offered every few milliseconds under
one id until it is taken. Then a session runs: the daemon is killed and started anew; at last the memory
(proportional set size) and processor time of daemon and player are read from /proc. Prints a table and, last,
one JSON line.
"""

import argparse
import http.client
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from override_latency import USER, free_port, site_file
from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion

from hardware.sim.bridge_child import BridgeChild

OBEYED_S, HEALTHY_S, RESUMED_S = 0.7, 1.5, 3.0
MEMORY_MB, CPU_PERCENT = 160.0, 5.0
PATIENCE_S = 30.0
PAUSE_S = 0.005
STILLROOM = (sys.executable, "-m", "controller.cli")
BRIGHT = 60.0


@dataclass
class Site:
    """A site folder, its bridge and its broker, and the daemon that runs from it."""

    folder: Path
    bridge: BridgeChild
    mqtt_port: int
    port: int = field(default_factory=free_port)
    token: str = ""
    process: subprocess.Popen[bytes] | None = None
    begun: float = 0.0
    zone: int = 0

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def environment(self) -> dict[str, str]:
        """An installed program is compiled already; a working copy is by the first start."""
        kept = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
        return kept | {"PYTHONPYCACHEPREFIX": str(self.folder / "compiled")}

    def start(self, *arguments: str) -> None:
        command = [*STILLROOM, "run", f"--site={self.folder / 'stillroom.yaml'}", f"--data={self.data}"]
        command += [f"--port={self.port}", f"--mqtt-port={self.mqtt_port}", "--no-render", *arguments]
        with (self.folder / "daemon.log").open("ab") as log:
            self.begun = time.monotonic()
            self.process = subprocess.Popen(
                command, stdout=log, stderr=subprocess.STDOUT, env=self.environment
            )

    def end(self, number: int) -> None:
        if self.process is not None:
            self.process.send_signal(number)
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(20)
            self.process.kill()
            self.process.wait()
            self.process = None

    def wish(self) -> dict[str, object]:
        """An override that no plan would make: another zone each time, brighter than any rest."""
        self.zone = self.zone % 8 + 1
        return {"id": str(uuid.uuid4()), "command": "light", "zone": f"z{self.zone}", "brightness": BRIGHT,
                "kelvin": 2500, "fade_s": 2}  # fmt: skip

    def first_change(self, after: float) -> float | None:
        """When (monotonic s) the bridge had read the first PUT for the wished zone that changes its level.

        A fade goes out in several PUTs; a daemon that only brings back the rest sends the level there was.
        """
        level: object = None
        for entry in self.bridge.log():
            body = entry["body"] if isinstance(entry["body"], dict) else {}
            if str(entry["path"]).endswith(f"/lights/{self.zone}/state") and "bri" in body:
                at = float(str(entry["at_ms"])) / 1000
                if at > after and body["bri"] != level:
                    return at
                level = body["bri"]
        return None

    def obeyed_at(self, after: float) -> float:
        """Wait for the first change after an instant; when it was."""
        until = time.monotonic() + PATIENCE_S
        while time.monotonic() < until:
            found = self.first_change(after)
            if found is not None:
                return found
            time.sleep(0.02)
        raise SystemExit("the override was not obeyed within half a minute")

    def request(self, method: str, path: str, body: object = None) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        try:
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def insist(self, method: str, path: str, body: object = None) -> bytes:
        """Ask until it is answered well."""
        until = time.monotonic() + PATIENCE_S
        while time.monotonic() < until:
            with suppress(OSError, http.client.HTTPException):
                status, answer = self.request(method, path, body)
                if status == 200:
                    return answer
            time.sleep(PAUSE_S)
        raise SystemExit(f"{path}: no good answer within half a minute")

    def healthy_at(self) -> float:
        self.insist("GET", "/healthz")
        return time.monotonic()


def over_http(site: Site) -> float:
    """Seconds from the start to the first override over HTTP on the bridge."""
    site.insist("POST", "/api/v1/rooms/garden/commands", site.wish())
    return site.obeyed_at(site.begun) - site.begun


def over_mqtt(site: Site) -> float:
    """Seconds from the start to the first override over MQTT on the bridge."""
    client = paho.Client(CallbackAPIVersion.VERSION2, protocol=paho.MQTTv5)
    client.connect("127.0.0.1", site.mqtt_port)
    client.loop_start()
    wish, seen = json.dumps(site.wish()), None
    until = time.monotonic() + PATIENCE_S
    while seen is None and time.monotonic() < until:
        for _ in range(5):  # the bridge is not asked as often: the asking would cost what is measured
            client.publish("stillroom/garden/command", wish, qos=0)
            time.sleep(PAUSE_S * 2)
        seen = site.first_change(site.begun)
    client.disconnect()
    client.loop_stop()
    return seen - site.begun if seen is not None else PATIENCE_S


def starts(site: Site, rounds: int) -> dict[str, list[float]]:
    """Time ``rounds`` starts for each door."""
    found: dict[str, list[float]] = {"http": [], "mqtt": [], "healthy": []}
    for way in ("http", "mqtt") if site.mqtt_port else ("http",):
        for _ in range(rounds):
            site.start()
            found[way].append(over_http(site) if way == "http" else over_mqtt(site))
            found["healthy"].append(site.healthy_at() - site.begun)
            release = {"id": str(uuid.uuid4()), "command": "light_release", "zone": f"z{site.zone}"}
            site.insist("POST", "/api/v1/rooms/garden/commands", release)
            time.sleep(4.0)  # the lamp is back at its rest
            site.end(signal.SIGTERM)
    return found


def kills(site: Site, rounds: int) -> list[float]:
    """Seconds from a SIGKILL in session to the session going on and an override obeyed."""
    found = []
    for _ in range(rounds):
        time.sleep(4.0)
        site.end(signal.SIGKILL)
        site.start()
        over_http(site)
        # In session the plan moves lamps too: what counts is that the override was answered as well.
        obeyed = max(time.monotonic(), site.obeyed_at(site.begun))
        session = json.loads(site.insist("GET", "/api/v1/rooms/garden"))["session"]
        if session is None or session["status"] != "running":
            raise SystemExit(f"the session did not go on: {session}")
        found.append(obeyed - site.begun)
    return found


def parts(site: Site) -> dict[str, int]:
    """The processes of one room: the daemon, and the player (which may be of the daemon before)."""
    if site.process is None:
        raise SystemExit("no daemon runs")
    found = {"daemon": site.process.pid}
    for entry in Path("/proc").iterdir():
        with suppress(OSError, ValueError):
            words = (entry / "cmdline").read_bytes().decode().split("\0")
            if "hardware.player" in words and any(str(site.data) in word for word in words):
                found["player"] = int(entry.name)
    return found


def pss_mb(pid: int) -> float:
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    kilobytes = next(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:"))
    return kilobytes / 1024


def cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def upkeep(site: Site, seconds: float) -> dict[str, float]:
    """Memory (MB) and processor time (% of one core) of daemon and player in session."""
    found = parts(site)
    before, begun = {name: cpu_s(pid) for name, pid in found.items()}, time.monotonic()
    time.sleep(seconds)
    lasted = time.monotonic() - begun
    figures = {}
    for name, pid in found.items():
        figures[f"{name}_mb"] = pss_mb(pid)
        figures[f"{name}_cpu_percent"] = 100 * (cpu_s(pid) - before[name]) / lasted
    return figures


@contextmanager
def mosquitto(folder: Path) -> Iterator[int]:
    """Run Mosquitto on a free port; 0 where there is none (then MQTT is not measured)."""
    program = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")
    if program is None:
        yield 0
        return
    port = free_port()
    config = folder / "mosquitto.conf"
    config.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\nset_tcp_nodelay true\n")
    process = subprocess.Popen(
        [program, "-c", str(config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        yield port
    finally:
        process.kill()
        process.wait()


def measure(folder: Path, bridge: BridgeChild, broker: int, rounds: int, seconds: float) -> dict[str, object]:
    site = Site(folder, bridge, broker)
    path = site_file(folder, bridge.url)
    if broker:
        path.write_text(path.read_text().replace("mqtt: {host: null}", "mqtt: {host: 127.0.0.1}"))
    said = subprocess.run([*STILLROOM, "token", "--role=therapist", f"--data={site.data}"],
                          capture_output=True, text=True, check=True)  # fmt: skip
    site.token = said.stdout.split()[-1]
    try:
        site.start()  # the first of all makes the data folder and leads the lamps to their rest
        site.healthy_at()
        time.sleep(3.0)
        site.end(signal.SIGTERM)
        found = starts(site, rounds)
        site.start("--profile=quiet-room")
        site.healthy_at()
        resumed = kills(site, rounds)
        time.sleep(5.0)
        figures: dict[str, object] = dict(upkeep(site, seconds))
    finally:
        site.end(signal.SIGINT)
    return figures | {
        "obeyed_http_s": found["http"], "obeyed_mqtt_s": found["mqtt"], "healthy_s": found["healthy"],
        "resumed_s": resumed,
    }  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=20.0, help="how long memory and CPU are watched")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        bridge = BridgeChild.start("--port=0", "--lights=8", f"--user={USER}")
        try:
            with mosquitto(folder) as broker:
                figures = measure(folder, bridge, broker, given.rounds, given.seconds)
        finally:
            bridge.stop()
    rounded: dict[str, object] = {}
    for key, value in figures.items():
        if isinstance(value, list):
            if value:
                worst, middle = max(value), statistics.median(value)
                rounded[key] = {"median": round(middle, 3), "max": round(worst, 3), "n": len(value)}
                print(f"{key:18} median {middle:6.3f}  max {worst:6.3f}  of {len(value)}")
        else:
            rounded[key] = round(float(str(value)), 2)
            print(f"{key:18} {rounded[key]}")
    together = sum(float(str(figures[key])) for key in ("daemon_mb", "player_mb"))
    busy = sum(float(str(figures[key])) for key in ("daemon_cpu_percent", "player_cpu_percent"))

    def worst_of(key: str) -> float:
        values = figures[key]
        return max(values, default=0.0) if isinstance(values, list) else 0.0

    targets = {
        "obeyed": max(worst_of("obeyed_http_s"), worst_of("obeyed_mqtt_s")) <= OBEYED_S,
        "healthy": worst_of("healthy_s") <= HEALTHY_S,
        "resumed": worst_of("resumed_s") <= RESUMED_S,
        "memory": together <= MEMORY_MB,
        "processor": busy <= CPU_PERCENT,
    }
    rounded |= {"together_mb": round(together, 1), "together_cpu_percent": round(busy, 2), "targets": targets}
    ok = all(targets.values())
    print(json.dumps({"benchmark": "start", "ok": ok, "figures": rounded}))
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
