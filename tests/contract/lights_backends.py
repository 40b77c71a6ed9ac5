"""The devices that the lights contract is run on, each with its way of seeing what a lamp really shows."""

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from lifx import Light
from mqtt_brokers import Mosquitto
from sacn.messages.data_packet import DataPacket
from zigbee_peer import ZigbeePeer

from controller.clock import RealClock
from controller.core.light import Mired
from controller.ports import FixtureConfig, Lights
from hardware.lights_hue import open_lights as open_hue
from hardware.lights_lifx import open_lights as open_lifx
from hardware.lights_mqtt import open_lights as open_mqtt
from hardware.lights_sacn import open_lights as open_sacn
from hardware.sim.bridge_child import BridgeChild
from hardware.sim.clock import monotonic_ms
from hardware.sim.direct_lights import DirectLights

FIXTURES = (FixtureConfig("left", "1"), FixtureConfig("right", "2"))
NUMBERS = {"left": 1, "right": 2}
USER = "contract-user"


@dataclass(frozen=True)
class Shown:
    """What a lamp shows, seen without the driver."""

    on: bool
    percent: float
    mired: float | None


@dataclass
class Backend:
    """A device, its driver, and the truth about its lamps."""

    name: str
    lights: Lights
    shown: Callable[[str], Shown]
    timed: bool = True
    polled: bool = True
    turn_by_hand: Callable[[str, float], None] | None = None
    keeps_level_when_off: bool = True
    step_percent: float = 0.3


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


@contextlib.asynccontextmanager
async def direct_backend() -> AsyncIterator[Backend]:
    lights = DirectLights(RealClock(), FIXTURES, poll_ms=100)

    def shown(fixture: str) -> Shown:
        look = lights.live(fixture)
        return Shown(
            look.lstar > 0, look.percent, look.colour.value if isinstance(look.colour, Mired) else None
        )

    def turn(fixture: str, percent: float) -> None:
        from controller.core.light import look_from_percent

        lights.set_by_hand(fixture, look_from_percent(percent, 2700), fade_ms=0)

    yield Backend("direct", lights, shown, turn_by_hand=turn)
    await lights.close()


def hue_child(*, https: bool) -> Iterator[BridgeChild]:
    arguments = ["--port", "0", "--lights", "2", "--user", USER]
    child = BridgeChild.start(*arguments, *(["--https"] if https else []))
    yield child
    child.stop()


@contextlib.asynccontextmanager
async def hue_backend(child: BridgeChild, folder: Path) -> AsyncIterator[Backend]:
    child.call("POST", "/sim/reset")
    options: dict[str, str | int | float | bool] = {"username": USER, "poll_ms": 200}
    if child.url.startswith("https"):
        options["pin"] = child.certificate_pin()
    lights = open_hue("hue", child.url, options, FIXTURES, folder, RealClock())

    def shown(fixture: str) -> Shown:
        lamp = child.live()[NUMBERS[fixture]]
        mired = lamp["mired"]
        percent = lamp["percent"]
        assert isinstance(percent, float)
        return Shown(bool(lamp["on"]), percent, mired if isinstance(mired, float) else None)

    def turn(fixture: str, percent: float) -> None:
        number = NUMBERS[fixture]
        child.call("POST", f"/sim/lights/{number}", {"on": True, "percent": percent, "transition_ms": 0})

    yield Backend(child.url.split(":")[0], lights, shown, turn_by_hand=turn)
    await lights.close()


@contextlib.asynccontextmanager
async def zigbee_backend(folder: Path) -> AsyncIterator[Backend]:
    broker = Mosquitto(folder / "broker")
    await broker.start()
    port = broker.port
    peer = ZigbeePeer(port, ("lamp-1", "lamp-2"))
    fixtures = (FixtureConfig("left", "lamp-1"), FixtureConfig("right", "lamp-2"))
    lights = open_mqtt("zigbee", f"127.0.0.1:{port}", {"poll_ms": 200}, fixtures, folder, RealClock())

    def shown(fixture: str) -> Shown:
        lamp = peer.lamps[f"lamp-{NUMBERS[fixture]}"]
        now = monotonic_ms()
        colour = lamp.look_at(now).colour
        level = lamp.level_at(now)
        return Shown(level > 0, level / 2.54, colour.value if isinstance(colour, Mired) else None)

    yield Backend(
        "zigbee", lights, shown, turn_by_hand=lambda f, percent: peer.turn(f"lamp-{NUMBERS[f]}", percent)
    )
    await lights.close()
    peer.close()
    await broker.kill()


@contextlib.asynccontextmanager
async def sacn_backend(folder: Path) -> AsyncIterator[Backend]:
    wire = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    wire.bind(("127.0.0.1", 0))
    wire.setblocking(False)
    fixtures = (FixtureConfig("left", "3/1:dim16+warm+cold"), FixtureConfig("right", "3/5:dim16+warm+cold"))
    address = f"127.0.0.1:{wire.getsockname()[1]}"
    lights = open_sacn(
        "dmx", address, {"cold_kelvin": 5000.0, "warm_kelvin": 2000.0}, fixtures, folder, RealClock()
    )
    universe = [0] * 512

    def shown(fixture: str) -> Shown:
        with contextlib.suppress(BlockingIOError):
            while True:
                universe[:] = DataPacket.make_data_packet(tuple(wire.recv(2048))).dmxData
        first = (NUMBERS[fixture] - 1) * 4
        coarse, fine, warm, cold = universe[first : first + 4]
        level = (coarse * 256 + fine) / 65_535
        mired = 200 + 300 * warm / (warm + cold) if warm + cold else None
        return Shown(level > 0, level * 100, mired)

    yield Backend("sacn", lights, shown, polled=False)
    await lights.close()
    wire.close()


def lifx_program() -> Path:
    """Install lifx-emulator once for this user, in a venv of its own: it wants other versions."""
    cache = Path(os.environ.get("XDG_CACHE_HOME", str(Path.home() / ".cache"))) / "stillroom-tests"
    folder = cache / "lifx-emulator-4.11.0"
    program = folder / "bin/lifx-emulator"
    if not program.exists():
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True, timeout=120)
        pip = [str(folder / "bin/python"), "-m", "pip", "install", "--quiet", "lifx-emulator==4.11.0"]
        subprocess.run(pip, check=True, capture_output=True, timeout=300)
    return program


def lifx_emulator() -> Iterator[tuple[int, str]]:
    """Start an emulator of two lamps that fade in time; yields its UDP port and its HTTP address."""
    port, api = free_port(), free_port()
    process = subprocess.Popen(
        [str(lifx_program()), "--bind", "127.0.0.1", "--port", str(port), "--color", "2", "--api",
         "--api-port", str(api)],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    url = f"http://127.0.0.1:{api}"
    try:
        for _ in range(400):
            with contextlib.suppress(OSError):
                _get(f"{url}/api/devices")
                break
            time.sleep(0.05)
        yield port, url
    finally:
        process.terminate()
        process.wait(5)


@contextlib.asynccontextmanager
async def lifx_backend(place: tuple[int, str], folder: Path) -> AsyncIterator[Backend]:
    port, url = place
    serials = {fixture: f"d073d500000{number}" for fixture, number in NUMBERS.items()}
    fixtures = tuple(FixtureConfig(f, f"{serial}@127.0.0.1:{port}") for f, serial in serials.items())
    hands = {f: Light(serial, "127.0.0.1", port) for f, serial in serials.items()}
    for hand in hands.values():
        await hand.set_power(False)
    lights = open_lifx("lifx", "", {"poll_ms": 200}, fixtures, folder, RealClock())

    def shown(fixture: str) -> Shown:
        devices = _get(f"{url}/api/devices")["devices"]
        assert isinstance(devices, list)
        lamp = next(device for device in devices if device["serial"] == serials[fixture])
        on = lamp["power_level"] > 0
        return Shown(on, lamp["color"]["brightness"] / 655.35 if on else 0.0, 1e6 / lamp["color"]["kelvin"])

    yield Backend("lifx", lights, shown)
    await lights.close()
    for hand in hands.values():
        await hand.connection.close()


def npm_folder() -> Path:
    """Install npm's hue-simulator once for this user, outside the repository."""
    if shutil.which("npm") is None or shutil.which("node") is None:
        pytest.skip("npm or node is not installed: a bridge that we did not write cannot be had")
    cache = Path(os.environ.get("XDG_CACHE_HOME", str(Path.home() / ".cache"))) / "stillroom-tests"
    folder = cache / "hue-simulator-0.0.11"
    if not (folder / "node_modules/hue-simulator/bin/hue-simulator").exists():
        folder.mkdir(parents=True, exist_ok=True)
        subprocess.run(
            ["npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix", str(folder),
             "hue-simulator@0.0.11"],
            check=True, capture_output=True, timeout=180,
        )  # fmt: skip
    return folder


def npm_bridge() -> Iterator[str]:
    program = npm_folder() / "node_modules/hue-simulator/bin/hue-simulator"
    port = free_port()
    process = subprocess.Popen(
        ["node", str(program), "--hostname=127.0.0.1", f"--port={port}"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(200):
            with contextlib.suppress(OSError):
                _get(f"{url}/api/newdeveloper/lights")
                break
            time.sleep(0.05)
        yield url
    finally:
        process.terminate()
        process.wait(5)


def _get(url: str) -> dict[str, object]:
    with urllib.request.urlopen(url, timeout=2) as answer:
        value = json.loads(answer.read())
    assert isinstance(value, dict)
    return value


@contextlib.asynccontextmanager
async def npm_backend(url: str, folder: Path) -> AsyncIterator[Backend]:
    options: dict[str, str | int | float | bool] = {"username": "newdeveloper", "poll_ms": 200}
    for number in (1, 2):
        _put(f"{url}/api/newdeveloper/lights/{number}/state", {"on": False})
    lights = open_hue("npm", url, options, FIXTURES, folder, RealClock())

    def shown(fixture: str) -> Shown:
        number = NUMBERS[fixture]
        state = _get(f"{url}/api/newdeveloper/lights/{number}")["state"]
        assert isinstance(state, dict)
        return Shown(state["on"], state["bri"] / 2.54 if state["on"] else 0.0, float(state["ct"]))

    def turn(fixture: str, percent: float) -> None:
        number = NUMBERS[fixture]
        _put(f"{url}/api/newdeveloper/lights/{number}/state", {"on": True, "bri": round(percent * 2.54)})

    yield Backend("npm", lights, shown, timed=False, turn_by_hand=turn)
    await lights.close()


def _put(url: str, data: dict[str, object]) -> None:
    request = urllib.request.Request(
        url, json.dumps(data).encode(), {"Content-Type": "application/json"}, method="PUT"
    )
    urllib.request.urlopen(request, timeout=2).close()
