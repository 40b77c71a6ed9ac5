"""How many rooms one daemon process bears: CPU, memory, override latency and cue lateness at 1 to 200 rooms.

One child process holds every room as the daemon builds it: core, desk, journal on disk, a link to Mosquitto
for the room and one for its lamps.
Every room is in a session with six lamps and a cue every three seconds. This program plays the lamps (MQTT,
JSON) and sends the overrides, so both are measured from outside, over sockets. A bare responder in a
process of its own is the same run's floor: what this machine and broker take by themselves. Simulated: the
players (the daemon's own state machine, no sound: on a real site each is a process of its own and costs a
core's 1 to 2 %), and nobody looks at the rooms' tablets.
"""

import argparse
import asyncio
import json
import os
import random
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion

from controller.api import RoomApi
from controller.clock import RealClock
from controller.conductor import Conductor
from controller.daemon.interpreter import favour_the_loop, keep_house, put_aside_what_stays
from controller.daemon.lights import known_drivers, open_room_lights
from controller.daemon.logs import set_up_logs
from controller.daemon.music import pieces_to_come
from controller.journal import journal_path, open_journal
from controller.light_desk import LightDesk
from controller.mqtt_api import MqttApi, MqttPrompts
from controller.mqtt_homeassistant import Discovery
from controller.mqtt_topics import will_for
from controller.room import Room
from controller.room_library import SiteRoomLibrary
from controller.room_parts import RoomParts
from controller.track_chooser import PoolChooser
from hardware.mqtt_link import MqttLink, MqttSettings
from hardware.sim.virtual_player import VirtualPlayer
from playlists.music_library import load_pools
from profiles.catalogue import load_catalogue, load_site
from profiles.compile import resting_looks
from profiles.site import limits_of

FLOOR = """
import socket, sys
from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion
c = paho.Client(CallbackAPIVersion.VERSION2)
c.on_socket_open = lambda _c, _u, s: s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
c.on_connect = lambda c, *_: c.subscribe("floor/in")
c.on_message = lambda c, _u, m: c.publish("lamps/floor/set", m.payload)
c.connect("127.0.0.1", int(sys.argv[1]))
c.loop_forever()
"""
LAMPS = 6
SIZES = (1, 10, 50, 200)
CUE_EVERY_S = 3.0
TARGET_P99_MS = 50.0
PROFILE = """profile: bench
title: Bench
phases:
  - {id: settle, title: Settle, minutes: 5, light: {brightness_percent: 30, kelvin: 2500, fade_minutes: 1},
     music: {pool: nature, mood: nature, energy: 0.15, level_dba: 44},
     cues: [CUES]}
  - {id: sit, title: Sit, minutes: 60, light: {brightness_percent: 12, kelvin: 2200, fade_minutes: 10},
     music: {pool: drone, mood: drone, energy: 0.15, level_dba: 42}}
"""


def site_file(folder: Path, rooms: int, port: int) -> Path:
    """Write a site of ``rooms`` rooms, six MQTT lamps in each; the first is a zone of its own."""
    cues = ", ".join(f"{{prompt: feet, at_minute: {CUE_EVERY_S * n / 60:.4f}}}" for n in range(1, 60))
    (folder / "bench.yaml").write_text(PROFILE.replace("CUES", cues))
    lines = ["site: bench", "profiles: [bench.yaml]", "rooms:"]
    for room in range(rooms):
        fixtures = ", ".join(
            f"{{id: f{n}, bridge: lamps, address: r{room}-{n}, zone: {'bedside' if n == 0 else 'ceiling'}}}"
            for n in range(LAMPS)
        )
        options = f"{{dialect: homeassistant, base: 'homeassistant/r{room}'}}"
        lines += [
            f"  - id: r{room}",
            f"    bridges: [{{id: lamps, driver: mqtt, address: '127.0.0.1:{port}', options: {options}}}]",
            "    zones: [{id: bedside}, {id: ceiling}]",
            f"    fixtures: [{fixtures}]",
        ]
    lines.append(f"mqtt: {{host: 127.0.0.1, port: {port}, discovery: 'off'}}")
    path = folder / "stillroom.yaml"
    path.write_text("\n".join(lines) + "\n")
    return path


# ---------------------------------------------------------------- the child: the rooms


async def hold_rooms(site: Path, data: Path) -> None:
    """Run every room of the site until killed."""
    set_up_logs(data, quiet_terminal=True)
    favour_the_loop()
    loaded = load_site(site, drivers=known_drivers())
    catalogue, clock = load_catalogue(loaded), RealClock()
    pools = load_pools(data, pieces_to_come(data / "music"), ())
    mqtt = loaded.site.mqtt
    links, rooms = {}, dict[str, RoomApi]()
    async with asyncio.TaskGroup() as group:
        for model in loaded.site.rooms:
            lights, player = await open_room_lights(model, data, clock), VirtualPlayer(clock)
            limits = limits_of(loaded.site, model)
            settings = MqttSettings(mqtt.host or "", mqtt.port, f"bench-{model.id}")
            links[model.id] = MqttLink(clock, settings, will_for(model.id))
            room = Room(
                RoomParts(
                    room_id=model.id,
                    title=model.id,
                    resting=resting_looks(model),
                    clock=clock,
                    journal=await open_journal(journal_path(data, model.id)),
                    desk=LightDesk(lights.fixtures, lights.zone_of, lights.driver_of, limits, clock),
                    conductor=Conductor(
                        PoolChooser(lambda: pools), player.send, clock, limits, k_db=None, seed=model.id
                    ),
                    library=SiteRoomLibrary(lambda: catalogue, model, "en", lambda: pools),
                    prompts=(MqttPrompts(links[model.id], model.id),),
                    new_session_id=lambda: uuid.uuid4().hex,
                )
            )
            rooms[model.id] = room
            for driver in lights.drivers:
                group.create_task(driver.run(room.light_source))
            await room.recover()
            group.create_task(player.run(room.on_player))
            group.create_task(room.run())
        api = MqttApi(links, rooms, clock, discovery=Discovery.OFF)
        group.create_task(api.run())
        put_aside_what_stays()
        group.create_task(keep_house(clock, lambda: True))
        print("ready", flush=True)


# ---------------------------------------------------------------- the clinic around them


class Clinic:
    """The lamps, and whoever overrides."""

    def __init__(self, port: int, rooms: int) -> None:
        self.rooms = rooms
        self.led: set[str] = set()
        self.online: set[str] = set()
        self.waiting: dict[str, float] = {}
        self.latencies: list[float] = []
        self.floor: list[float] = []
        self.lateness: list[float] = []
        self.started: dict[str, float] = {}
        self.measuring = threading.Event()
        self._states: dict[str, dict[str, Any]] = {}
        self.client = paho.Client(CallbackAPIVersion.VERSION2)
        self.client.on_socket_open = lambda _c, _u, sock: sock.setsockopt(
            socket.IPPROTO_TCP, socket.TCP_NODELAY, 1
        )
        self.client.on_message = self._take
        ready = threading.Event()
        self.client.on_subscribe = lambda *_: ready.set()
        topics = ("lamps/+/set", "stillroom/+/event", "stillroom/+/prompt/client", "stillroom/+/status")
        self.client.on_connect = lambda client, *_: client.subscribe([(topic, 0) for topic in topics])
        self.client.connect("127.0.0.1", port)
        self.client.loop_start()
        ready.wait(10)
        for room in range(rooms):
            for number in range(LAMPS):
                self._describe(room, f"r{room}-{number}")

    def _describe(self, room: int, name: str) -> None:
        described = {
            "schema": "json", "name": name, "unique_id": name, "brightness": True,
            "command_topic": f"lamps/{name}/set", "state_topic": f"lamps/{name}/state",
            "supported_color_modes": ["color_temp"], "min_mireds": 153, "max_mireds": 500,
        }  # fmt: skip
        topic = f"homeassistant/r{room}/light/{name}/config"
        self.client.publish(topic, json.dumps(described), 1, retain=True)

    def _take(self, client: paho.Client, _data: object, message: paho.MQTTMessage) -> None:
        at = time.monotonic()
        _, name, what, *_ = message.topic.split("/")
        if what == "set":
            sent = self.waiting.pop(name, None)
            if sent is not None:
                (self.floor if name == "floor" else self.latencies).append((at - sent) * 1000)
            if name == "floor":
                return
            self.led.add(name)
            state = self._states.setdefault(name, {"state": "ON"})
            state.update(json.loads(message.payload))
            client.publish(f"lamps/{name}/state", json.dumps(state))
        elif what == "status":
            self.online.add(name)
        elif what == "event":
            event = json.loads(message.payload)
            if event["kind"] == "session_started":
                self.started[name] = float(event["at_ms"])
        elif name in self.started and self.measuring.is_set():
            elapsed_ms = time.time() * 1000 - self.started[name]
            self.lateness.append(elapsed_ms % (CUE_EVERY_S * 1000))

    def command(self, room: int, name: str, **more: object) -> None:
        """Publish a command."""
        body = {"id": str(uuid.uuid4()), "command": name, **more}
        self.client.publish(f"stillroom/r{room}/command", json.dumps(body), 1)


def wait_for(what: str, holds: Callable[[], bool], seconds: float) -> None:
    until = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > until:
            raise SystemExit(f"gave up waiting for {what}")
        time.sleep(0.05)


def cpu_s(pid: int) -> float:
    after = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(after[11]) + int(after[12])) / os.sysconf("SC_CLK_TCK")


def memory_mb(pid: int) -> float:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def override(clinic: Clinic, seconds: float) -> int:
    """Override one lamp after the other, at most twice a second in a room; return how many were sent."""
    choice, sent = random.Random(1), 0  # which room is tapped; the same in every run
    pause = 1.0 / min(2.0 * clinic.rooms, 20.0)
    level = dict.fromkeys(range(clinic.rooms), 30)
    until = time.monotonic() + seconds
    order = list(range(clinic.rooms))
    while time.monotonic() < until:
        choice.shuffle(order)
        for room in order:
            if time.monotonic() >= until:
                break
            level[room] = 66 - level[room]
            clinic.waiting.setdefault("floor", time.monotonic())
            clinic.client.publish("floor/in", "{}")
            time.sleep(pause / 2)
            # Of two taps on the way at once the older one counts.
            clinic.waiting.setdefault(f"r{room}-0", time.monotonic())
            clinic.command(room, "light", zone="bedside", brightness=level[room], kelvin=2500, fade_s=0)
            sent += 1
            time.sleep(pause / 2)
    time.sleep(1.0)
    return sent


def measure(rooms: int, seconds: float) -> dict[str, float | None]:
    """Return the figures of one size."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port = int(sock.getsockname()[1])
    with tempfile.TemporaryDirectory(prefix="stillroom-rooms-") as name:
        folder = Path(name)
        conf = folder / "mosquitto.conf"
        conf.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\nset_tcp_nodelay true\n")
        program = shutil.which("mosquitto") or "/usr/sbin/mosquitto"
        broker = subprocess.Popen([program, "-c", str(conf)], stderr=subprocess.DEVNULL)
        child = responder = None
        try:
            with suppress(OSError):
                time.sleep(0.5)
            responder = subprocess.Popen([sys.executable, "-c", FLOOR, str(port)])
            clinic = Clinic(port, rooms)
            site, data = site_file(folder, rooms, port), folder / "data"
            data.mkdir()
            command = [sys.executable, __file__, "--hold", str(site), str(data)]
            child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=(folder / "log").open("wb"))
            if child.stdout is None or child.stdout.readline() != b"ready\n":
                raise SystemExit((folder / "log").read_text()[-3000:])
            wait_for("every room's link", lambda: len(clinic.online) == rooms, 60)
            for room in range(rooms):
                time.sleep(0.01)
                clinic.command(room, "start", profile="bench")
            wait_for("every session", lambda: len(clinic.started) == rooms, 60)
            wait_for("every lamp", lambda: len(clinic.led) == rooms * LAMPS, 60)
            time.sleep(2.0)
            clinic.measuring.set()
            began, used = time.monotonic(), cpu_s(child.pid)
            sent = override(clinic, seconds)
            spent = (cpu_s(child.pid) - used) / (time.monotonic() - began)
            memory = memory_mb(child.pid)
            clinic.client.disconnect()
            clinic.client.loop_stop()
        finally:
            for process in (child, responder):
                if process is not None:
                    process.kill()
                    process.wait()
            broker.terminate()
            broker.wait(10)
    return {
        "cpu_percent": round(spent * 100, 1),
        "memory_mb": round(memory, 1),
        "overrides": sent,
        "lost": sum(name != "floor" for name in clinic.waiting),
        "floor_p99_ms": p99(clinic.floor),
        "override_p50_ms": round(statistics.median(clinic.latencies), 2) if clinic.latencies else None,
        "override_p99_ms": p99(clinic.latencies),
        "cues": len(clinic.lateness),
        "cue_late_p50_ms": round(statistics.median(clinic.lateness), 1) if clinic.lateness else None,
        "cue_late_p99_ms": p99(clinic.lateness),
    }


def p99(values: list[float]) -> float | None:
    ordered = sorted(values)
    return round(ordered[round((len(ordered) - 1) * 0.99)], 2) if ordered else None


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    parser.add_argument(
        "--seconds", type=float, default=5.0, help="how long overrides are sent, for each size"
    )
    parser.add_argument("--hold", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.hold:
        asyncio.run(hold_rooms(*map(Path, options.hold)))
        return 0
    results: dict[str, dict[str, float | None]] = {}
    print("rooms   cpu %  memory MB  MB/room  override p50/p99 ms  floor p99  cue late p50/p99 ms")
    first = None
    for size in options.sizes:
        row = results[str(size)] = measure(size, options.seconds)
        memory = row["memory_mb"] or 0.0
        if first is not None:
            row["memory_mb_per_further_room"] = round((memory - first[1]) / (size - first[0]), 2)
        first = first or (size, memory)
        print(
            f"{size:>5} {row['cpu_percent']:>7} {memory:>10} {row.get('memory_mb_per_further_room', '')!s:>8}"
            f"  {row['override_p50_ms']!s:>8} / {row['override_p99_ms']}"
            f"  {row['floor_p99_ms']!s:>9}  {row['cue_late_p50_ms']!s:>8} / {row['cue_late_p99_ms']}"
        )
    last = results[str(max(options.sizes))]

    def within(value: float | None) -> bool:
        return value is not None and value <= TARGET_P99_MS

    ok = within(last["override_p99_ms"]) and within(last["cue_late_p99_ms"]) and last["lost"] == 0
    print(json.dumps({"benchmark": "rooms", "ok": ok, "figures": results}))
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
