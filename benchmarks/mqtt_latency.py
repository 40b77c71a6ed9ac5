"""Command topic in, light command topic out: how soon a word over MQTT is on its lamps' topics.

A whole daemon runs as its own process (journal, player and all) on a Mosquitto: once as our ``broker-config``
writes it, once a stock one. Eight JSON lamps, played by this program, take their commands over the same
broker, and say that they have them 15 ms later, as lamps on Wi-Fi do at the soonest (said at once, each
answer would keep this program from noting the next lamp's arrival). Each command is timed from just before it
is published to the arrival of the first message on a lamp's command topic: of one lamp in a zone of its own,
and of the last of eight in one zone; idle, then with a session running. A bare responder (subscribe, publish)
in a process of its own is the floor of the same run.
"""

import argparse
import json
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion

LAMPS = 8
PACE_S = 0.3
ANSWER_MS = 15.0
PATIENCE_S = 2.0
ONE_P50_MS, ONE_P99_MS, EIGHT_P99_MS, STOCK_P99_MS = 2.0, 3.0, 5.0, 10.0
STILLROOM = [sys.executable, "-m", "controller.cli"]
FLOOR = """
import socket, sys
from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion
c = paho.Client(CallbackAPIVersion.VERSION2)
if len(sys.argv) > 2: c.username_pw_set(sys.argv[2], sys.argv[3])
c.on_socket_open = lambda _c, _u, s: s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
c.on_connect = lambda c, *_: c.subscribe("lamps/floor/in")
c.on_message = lambda c, _u, m: c.publish("lamps/floor/set", m.payload)
c.connect("127.0.0.1", int(sys.argv[1]))
c.loop_forever()
"""


@dataclass(frozen=True)
class Broker:
    """A running Mosquitto; ``login`` is the room's own user, ``panel`` a wall panel's, if it wants any."""

    port: int
    login: tuple[str, str] | None = None
    panel: tuple[str, str] | None = None


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def site_file(folder: Path, broker: Broker) -> Path:
    """Write a room of eight lamps in one zone and one in another, all on the broker."""
    login = f", username: {broker.login[0]}, password: '{broker.login[1]}'" if broker.login else ""
    fixtures = "\n".join(
        f"      - {{id: f{n}, bridge: lamps, address: lamp{n}, zone: {'one' if n == 0 else 'eight'}}}"
        for n in range(LAMPS + 1)
    )
    users = ", users_folder: broker" if broker.login else ""
    path = folder / "stillroom.yaml"
    path.write_text(f"""site: bench
rooms:
  - id: garden
    bridges:
      - {{id: lamps, driver: mqtt, address: "127.0.0.1:{broker.port}",
         options: {{dialect: homeassistant{login}}}}}
    zones: [{{id: one}}, {{id: eight}}]
    fixtures:
{fixtures}
mqtt: {{host: 127.0.0.1, port: {broker.port}{users}, discovery: "off"}}
web: {{host: 127.0.0.1, port: 8080}}
""")
    return path


@contextmanager
def mosquitto(folder: Path, *, ours: bool) -> Iterator[Broker]:
    """Run a Mosquitto as ``stillroom broker-config`` sets it up, or a stock one."""
    port = free_port()
    broker = Broker(port)
    program = shutil.which("mosquitto") or "/usr/sbin/mosquitto"
    conf = folder / "stock.conf"
    conf.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\n")
    if ours:
        state = Path(tempfile.mkdtemp(prefix="stillroom-broker-", dir="/dev/shm"))
        plain = site_file(folder, broker)
        subprocess.run(
            [*STILLROOM, "broker-config", "--site", str(plain), "--folder", str(folder / "broker"),
             "--listen", "127.0.0.1", "--lights", "lamps", "--state-folder", str(state), "--run-as", "root"],
            check=True, stdout=subprocess.DEVNULL, timeout=60,
        )  # fmt: skip
        conf = folder / "broker" / "mosquitto.conf"
        kept = (folder / "broker" / "credentials.txt").read_text().split("\n")
        words = dict(line.split(" ") for line in kept if line)
        broker = Broker(
            port,
            ("garden-controller", words["garden-controller"]),
            ("garden-panel", words["garden-panel"]),
        )
    process = subprocess.Popen(
        [program, "-c", str(conf)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        until = time.monotonic() + 10
        while time.monotonic() < until:
            with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            time.sleep(0.05)
        yield broker
    finally:
        process.terminate()
        process.wait(10)
        if ours:
            shutil.rmtree(state, ignore_errors=True)


def connect(broker: Broker, login: tuple[str, str] | None) -> paho.Client:
    client = paho.Client(CallbackAPIVersion.VERSION2)
    if login is not None:
        client.username_pw_set(*login)
    client.on_socket_open = lambda _c, _u, sock: sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    client.connect("127.0.0.1", broker.port)
    return client


class Lamps:
    """Nine JSON lamps that say back what they were told, and note when."""

    def __init__(self, broker: Broker) -> None:
        self._lock = threading.Lock()
        self._firsts: dict[str, float] = {}
        self._wanted: frozenset[str] = frozenset()
        self._news = threading.Event()
        self._told: deque[tuple[str, bytes, float]] = deque()
        self.client = connect(broker, broker.login)
        self._ready = threading.Event()
        self.client.on_message = self._take
        self.client.on_subscribe = lambda *_: self._ready.set()
        self.client.on_connect = lambda client, *_: client.subscribe("lamps/+/set")
        self.client.loop_start()
        self._ready.wait(10)
        for number in range(LAMPS + 1):
            described = {
                "schema": "json", "name": f"lamp{number}", "unique_id": f"lamp{number}", "brightness": True,
                "command_topic": f"lamps/lamp{number}/set", "state_topic": f"lamps/lamp{number}/state",
                "supported_color_modes": ["color_temp"], "min_mireds": 153, "max_mireds": 500,
            }  # fmt: skip
            self.client.publish(
                f"homeassistant/light/lamp{number}/config", json.dumps(described), 1, retain=True
            )
        self._states: dict[str, dict[str, Any]] = {}
        threading.Thread(target=self._answer_on, daemon=True).start()

    def _take(self, _client: paho.Client, _data: object, message: paho.MQTTMessage) -> None:
        at_ms = time.monotonic_ns() / 1e6
        name = message.topic.split("/")[1]
        # Nothing here wakes another thread before the last arrival is noted: it would take the interpreter.
        with self._lock:
            self._firsts.setdefault(name, at_ms)
            complete = self._wanted <= self._firsts.keys()
            if name != "floor":
                self._told.append((name, message.payload, at_ms + ANSWER_MS))
        if complete:
            self._news.set()

    def _answer_on(self) -> None:
        """Say what each lamp was told, when a lamp would."""
        while True:
            with self._lock:
                name, payload, due_ms = self._told.popleft() if self._told else ("", b"", 0.0)
            if not name:
                time.sleep(ANSWER_MS / 1000)
                continue
            time.sleep(max(due_ms - time.monotonic_ns() / 1e6, 0.0) / 1000)
            state = self._states.setdefault(name, {"state": "ON"})
            state.update(json.loads(payload))
            self.client.publish(f"lamps/{name}/state", json.dumps(state))

    def watch(self, names: set[str]) -> None:
        """Forget what has arrived, and wait for these."""
        with self._lock:
            self._firsts.clear()
            self._wanted = frozenset(names)
        self._news.clear()

    def last(self) -> float | None:
        """Return when the last of them had its first message, ms; None if one has had none in time."""
        if not self._news.wait(PATIENCE_S):
            return None
        with self._lock:
            return max(self._firsts[name] for name in self._wanted)


@contextmanager
def daemon(folder: Path, site: Path) -> Iterator[None]:
    """Run the daemon on that site, no session begun."""
    process = subprocess.Popen(
        [*STILLROOM, "run", "--site", str(site), "--data", str(folder / "data"), "--port", str(free_port()),
         "--no-render"],
        stdout=(folder / "daemon.log").open("wb"), stderr=subprocess.STDOUT,
    )  # fmt: skip
    try:
        yield
    finally:
        process.send_signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            process.wait(20)
        process.kill()
        process.wait()


def publish(panel: paho.Client, name: str, **more: object) -> None:
    body = {"id": str(uuid.uuid4()), "command": name, **more}
    panel.publish("stillroom/garden/command", json.dumps(body), qos=1)


def series(panel: paho.Client, lamps: Lamps, zone: str, names: set[str], count: int) -> list[float]:
    """Send ``count`` changes of a zone, brighter and back; each one's latency in ms (lost: infinity)."""
    found = []
    for number in range(count):
        lamps.watch(names)
        at_ms = time.monotonic_ns() / 1e6
        publish(panel, "light", zone=zone, brightness=36 if number % 2 else 30, kelvin=2500, fade_s=0)
        arrived = lamps.last()
        found.append(float("inf") if arrived is None else arrived - at_ms)
        time.sleep(PACE_S)
    return found


def floor(broker: Broker, lamps: Lamps, count: int) -> list[float]:
    """Measure the bare responder."""
    process = subprocess.Popen([sys.executable, "-c", FLOOR, str(broker.port), *(broker.login or ())])
    try:
        found = []
        for number in range(count + 20):
            lamps.watch({"floor"})
            at_ms = time.monotonic_ns() / 1e6
            lamps.client.publish("lamps/floor/in", "x")
            arrived = lamps.last()
            if number >= 20:  # until then it was starting
                found.append(float("inf") if arrived is None else arrived - at_ms)
            time.sleep(0.01)
        return found
    finally:
        process.kill()
        process.wait()


def figures(latencies: list[float]) -> dict[str, float | None]:
    ordered = sorted(latencies)
    last = len(ordered) - 1

    def said(value: float) -> float | None:
        return None if value == float("inf") else round(value, 2)

    return {
        "commands": float(len(ordered)),
        "p50_ms": said(ordered[last // 2]),
        "p99_ms": said(ordered[round(last * 0.99)]),
        "max_ms": said(ordered[-1]),
    }


def measure(folder: Path, broker: Broker, count: int) -> dict[str, dict[str, float | None]]:
    """Return every series on one broker."""
    lamps = Lamps(broker)
    panel = connect(broker, broker.panel)
    panel.loop_start()
    all_lamps = {f"lamp{number}" for number in range(LAMPS + 1)}
    results = {"floor": figures(floor(broker, lamps, min(count, 100)))}
    with daemon(folder, site_file(folder, broker)):
        until = time.monotonic() + 40
        led = False
        while not led and time.monotonic() < until:
            lamps.watch(all_lamps)
            publish(panel, "light", zone="one", brightness=33, kelvin=2500)
            publish(panel, "light", zone="eight", brightness=33, kelvin=2500)
            led = lamps.last() is not None
        if not led:
            sys.stderr.write((folder / "daemon.log").read_text(errors="replace")[-3000:])
            raise SystemExit("the daemon did not lead all lamps")
        time.sleep(1.5)
        for state in ("idle", "session"):
            if state == "session":
                publish(panel, "start", profile="quiet-room")
                time.sleep(3)
            results[f"{state}_one"] = figures(series(panel, lamps, "one", {"lamp0"}, count))
            results[f"{state}_eight"] = figures(series(panel, lamps, "eight", all_lamps - {"lamp0"}, count))
    for client in (panel, lamps.client):
        client.disconnect()
        client.loop_stop()
    return results


def holds(results: dict[str, dict[str, dict[str, float | None]]]) -> bool:
    def within(value: float | None, most: float) -> bool:
        return value is not None and value <= most

    ours, stock = results["ours"], results["stock"]
    return (
        within(ours["session_one"]["p50_ms"], ONE_P50_MS)
        and within(ours["session_one"]["p99_ms"], ONE_P99_MS)
        and within(ours["session_eight"]["p99_ms"], EIGHT_P99_MS)
        and within(stock["session_one"]["p99_ms"], STOCK_P99_MS)
        and within(stock["session_eight"]["p99_ms"], STOCK_P99_MS)
        and all(row["max_ms"] is not None for rows in results.values() for row in rows.values())
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--commands", type=int, default=16, help="for each of 8 series (500: half an hour)")
    count = parser.parse_args().commands
    results = {}
    for name in ("ours", "stock"):
        with (
            tempfile.TemporaryDirectory(prefix="stillroom-mqtt-") as folder,
            mosquitto(Path(folder), ours=name == "ours") as broker,
        ):
            results[name] = measure(Path(folder), broker, count)
    print(f"{'broker':<7} {'series':<14} {'p50':>7} {'p99':>7} {'max':>7}  ms")
    for name, rows in results.items():
        for series_name, row in rows.items():
            print(
                f"{name:<7} {series_name:<14} {row['p50_ms']!s:>7} {row['p99_ms']!s:>7} {row['max_ms']!s:>7}"
            )
    ok = holds(results)
    print(json.dumps({"benchmark": "mqtt_latency", "ok": ok, "figures": results}))
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
