"""The prompt device: shown once, acknowledged, whatever becomes of the broker or the machine."""

import asyncio
import io
import json
import stat
from collections import Counter
from functools import partial
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mqtt_brokers import AnyBroker, Embedded, Mosquitto, Stranger, free_port, running, until

from controller.clock import ManualClock, RealClock
from controller.errors import PortInUseError, UserError
from hardware.mqtt_link import MqttLink, MqttSettings
from hardware.prompt_device import (
    HeardPrompt,
    PromptDevice,
    PromptDeviceSettings,
    SeenRing,
    main,
    parse_prompt,
    run_device,
)
from hardware.prompt_screen import Backlight, PageScreen, TerminalScreen
from hardware.prompt_voice import Voice
from hardware.sim.mqtt_bus import MemoryBus, MemoryLink
from hardware.sim.prompt_device import SimPromptDevice, SimScreen

CLIENT, ACK = "stillroom/garden/prompt/client", "stillroom/garden/prompt/ack"


def prompt(key: str, text: str = "Feel both feet.", ttl_s: int = 60) -> str:
    return json.dumps({"id": key, "text": text, "audio": None, "ttl_s": ttl_s})


def acks(stranger: Stranger) -> list[tuple[str, str]]:
    found = [json.loads(message.payload) for message in stranger.on(ACK)]
    return [(ack["id"], ack["result"]) for ack in found]


@pytest.mark.parametrize("kind", ["mosquitto", "embedded"])
async def test_a_prompt_is_shown_spoken_and_acknowledged_once(kind: str, tmp_path: Path) -> None:
    broker: AnyBroker = Embedded() if kind == "embedded" else Mosquitto(tmp_path)
    await broker.start()
    clock = RealClock()
    link = MqttLink(clock, MqttSettings("127.0.0.1", broker.port, "device"))
    device = SimPromptDevice(link, "garden", clock)
    async with running(link.run, device.run), Stranger(broker.port, v5=kind == "mosquitto") as room:
        await room.subscribe("stillroom/garden/prompt/#")
        online = await room.wait_for("stillroom/garden/prompt/device/simulated")
        assert online.payload == b"online"
        for _ in range(3):
            room.publish(CLIENT, prompt("p-1", "Feel"))
        room.publish(CLIENT, b"not a prompt")
        room.publish(CLIENT, prompt("p-2", "Press"))
        await until(lambda: ("p-2", "spoken") in acks(room))
    await broker.kill()
    assert device.shown == ["Feel", "Press"]
    first = [result for key, result in acks(room) if key == "p-1"]
    assert first[0] == "shown"
    assert first[-1] == "spoken"


async def test_on_a_virtual_clock_it_takes_its_time_and_no_real_time() -> None:
    clock = ManualClock(1_000_000)
    bus = MemoryBus(clock)
    link, room = MemoryLink(bus, clock), MemoryLink(bus, clock)
    device = SimPromptDevice(link, "garden", clock)
    heard: list[tuple[int, str]] = []
    room.subscribe(ACK, lambda message: heard.append((clock.now_ms(), json.loads(message.payload)["result"])))
    async with running(link.run, room.run, device.run):
        await clock.settle()
        room.publish(CLIENT, prompt("p-1", "one two three").encode(), qos=1)
        await clock.run_until(1_060_000)
    assert heard == [(1_000_000, "shown"), (1_001_200, "spoken")]


async def test_it_survives_the_broker_and_itself_without_showing_twice(tmp_path: Path) -> None:
    broker = Mosquitto(tmp_path)
    await broker.start()
    clock = RealClock()
    shown: list[str] = []

    def make() -> tuple[MqttLink, PromptDevice, SimScreen]:
        link = MqttLink(clock, MqttSettings("127.0.0.1", broker.port, "device", session_expiry_s=60))
        screen = SimScreen(clock)
        return (
            link,
            PromptDevice(link, "garden", "d", clock, SeenRing(tmp_path / "ring"), screen=screen),
            screen,
        )

    def has_shown(screen: SimScreen, number: int) -> bool:
        return len(shown) + len(screen.shown) >= number

    async def live_through_two_outages(link: MqttLink, screen: SimScreen, cued: int) -> None:
        await until(lambda: link.up)
        for number in (cued + 1, cued + 2):
            async with Stranger(broker.port) as room:
                # The room's daemon was killed too and does not know what it has sent: everything again.
                for again in range(number):
                    room.publish(CLIENT, prompt(f"p-{again}", f"words {again}", ttl_s=3))
                await until(partial(has_shown, screen, number))
            await broker.kill()
            await until(lambda: not link.up)
            await broker.start()
            await until(lambda: link.up)

    for start in range(3):
        link, device, screen = make()
        async with running(link.run, device.run):
            await live_through_two_outages(link, screen, 2 * start)
        shown += [text for _, text in screen.shown]
    await broker.kill()
    assert set(Counter(shown).values()) == {1}
    assert len(shown) == 6


async def test_a_stale_or_retained_prompt_is_not_shown(tmp_path: Path) -> None:
    broker = Mosquitto(tmp_path)
    await broker.start()
    clock = RealClock()
    link = MqttLink(clock, MqttSettings("127.0.0.1", broker.port, "device"))
    device = SimPromptDevice(link, "garden", clock, speaks=False)
    async with Stranger(broker.port) as room:
        room.publish(CLIENT, prompt("p-kept"), retain=True)
        async with running(link.run, device.run):
            await until(lambda: link.up)
            await room.subscribe(ACK)
            room.publish(CLIENT, prompt("p-now", "now"))
            await room.wait_for(ACK)
    await broker.kill()
    assert device.shown == ["now"]


async def test_the_program_from_end_to_end(tmp_path: Path) -> None:
    broker = Mosquitto(tmp_path)
    await broker.start()
    port = free_port()
    settings = PromptDeviceSettings(
        "garden",
        "127.0.0.1",
        broker.port,
        name="pillow",
        state_folder=tmp_path / "s",
        page_port=port,
        speak=False,
    )
    async with Stranger(broker.port) as room:
        await room.subscribe("stillroom/garden/prompt/#")
        async with running(lambda: run_device(settings, RealClock())):
            await room.wait_for("stillroom/garden/prompt/device/pillow")
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"GET /events HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            await reader.readuntil(b'data: ""\n\n')
            room.publish(CLIENT, prompt("p-1", 'Five "things" you see'))
            async with asyncio.timeout(5):
                event = await reader.readuntil(b"\n\n")
            assert json.loads(event.removeprefix(b"data: ")) == 'Five "things" you see'
            await room.wait_for(ACK)
            writer.close()
        gone = await room.wait_for("stillroom/garden/prompt/device/pillow", 2)
        assert gone.payload == b"offline"
    await broker.kill()
    assert json.loads((tmp_path / "s/garden-pillow.json").read_text()) == ["p-1"]


def test_what_is_told_wrongly_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="room 'a/b' cannot be part of an MQTT topic"):
        main(PromptDeviceSettings("a/b", "localhost", state_folder=tmp_path))


async def test_a_page_port_that_is_taken_is_one_clear_line() -> None:
    first = PageScreen(0)
    await first.open()
    with pytest.raises(PortInUseError, match="belongs to another program"):
        await PageScreen(first.port).open()
    await first.close()


@pytest.mark.parametrize(
    ("request_text", "wanted"),
    [
        (b"GET / HTTP/1.1\r\nHost: 127.0.0.1:8090\r\n\r\n", b"200 OK"),
        (b"GET /page.js HTTP/1.1\r\nHost: localhost\r\n\r\n", b"200 OK"),
        (b"GET /../etc/passwd HTTP/1.1\r\nHost: localhost\r\n\r\n", b"404 Not Found"),
        (b"GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n", b"403 Forbidden"),
        (b"POST / HTTP/1.1\r\nHost: localhost\r\n\r\n", b"403 Forbidden"),
        (b"x\r\n\r\n", b""),
        (b"A" * 20_000 + b"\r\n\r\n", b""),
    ],
)
async def test_the_page_serves_its_own_files_to_its_own_machine(request_text: bytes, wanted: bytes) -> None:
    page = PageScreen(0)
    await page.open()
    reader, writer = await asyncio.open_connection("127.0.0.1", page.port)
    writer.write(request_text)
    try:
        async with asyncio.timeout(5):
            answer = await reader.read()
    except ConnectionResetError:
        answer = b""
    writer.close()
    await page.close()
    assert wanted in answer[:40]
    if b"200" in wanted:
        assert b"Content-Security-Policy: default-src 'self'" in answer


class TestRing:
    def test_it_remembers_over_a_restart(self, tmp_path: Path) -> None:
        SeenRing(tmp_path / "r").add("a")
        again = SeenRing(tmp_path / "r")
        assert "a" in again
        assert "b" not in again

    def test_it_is_bounded(self, tmp_path: Path) -> None:
        ring = SeenRing(tmp_path / "r", size=3)
        for key in "abcd":
            ring.add(key)
        assert "a" not in SeenRing(tmp_path / "r", size=3)
        assert "d" in SeenRing(tmp_path / "r", size=3)

    @pytest.mark.parametrize("text", ["", "{", "7", '{"a": 1}', "[1, null]", "\x00"])
    def test_a_damaged_file_is_begun_anew(self, tmp_path: Path, text: str) -> None:
        (tmp_path / "r").write_text(text)
        ring = SeenRing(tmp_path / "r")
        ring.add("x")
        assert "x" in SeenRing(tmp_path / "r")

    def test_a_disk_that_cannot_be_written_costs_only_memory_over_a_restart(self) -> None:
        ring = SeenRing(Path("/proc/none/r"))
        ring.add("x")
        assert "x" in ring


FIELDS = st.sampled_from(["id", "text", "ttl_s", "audio"])
JSON = st.recursive(
    st.none() | st.integers() | st.text(),
    lambda inner: st.dictionaries(FIELDS, inner) | st.lists(inner, max_size=3),
    max_leaves=8,
)


@given(payload=st.binary() | JSON.map(json.dumps).map(str.encode))
def test_anything_at_all_is_a_prompt_or_none(payload: bytes) -> None:
    found = parse_prompt(payload)
    assert found is None or isinstance(found, HeardPrompt)


def program(folder: Path, name: str, script: str) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


async def test_the_recording_comes_first_and_nothing_is_a_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs, recordings = tmp_path / "bin", tmp_path / "rec"
    programs.mkdir()
    recordings.mkdir()
    (recordings / "feet.flac").write_text("x")
    (tmp_path / "secret.flac").write_text("x")
    log = tmp_path / "log"
    program(programs, "aplay", f'echo "play $2" >> {log}')
    program(programs, "espeak-ng", f'echo "say $8" >> {log}')
    monkeypatch.setenv("PATH", f"{programs}:/bin:/usr/bin")
    monkeypatch.setattr("hardware.prompt_voice._PLAYERS", (("aplay", "-q"),))
    voice = Voice(recordings)
    assert voice.can_speak
    assert await voice.speak("Feel your feet.", "prompts/feet.flac")
    assert await voice.speak("-f /etc/passwd; $(id)", "../secret.flac")
    assert log.read_text().splitlines() == [
        f"play {recordings / 'feet.flac'}",
        "say -f /etc/passwd; $(id)",
    ]


async def test_without_any_voice_it_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    voice = Voice()
    assert not voice.can_speak
    assert not await voice.speak("Feel.", None)


async def test_the_terminal_obeys_nothing_in_the_words() -> None:
    out = io.StringIO()
    await TerminalScreen(out).show("a\x1b[2Jb\n\x07c")
    assert out.getvalue() == "a[2Jbc\n"


async def test_the_backlight_fades_without_a_step(tmp_path: Path) -> None:
    (tmp_path / "panel").mkdir()
    (tmp_path / "panel/max_brightness").write_text("1000\n")
    (tmp_path / "panel/brightness").write_text("0")
    clock = ManualClock()
    light = Backlight.find(clock, tmp_path)
    assert light is not None
    task = asyncio.create_task(light.fade(up=True))
    levels = []
    for _ in range(60):
        await clock.run_until(clock.now_ms() + 40)
        levels.append(int((tmp_path / "panel/brightness").read_text()))
    await task
    assert levels == sorted(levels)
    assert levels[-1] == 400
    assert max(later - earlier for earlier, later in pairwise(levels)) < 30
    assert Backlight.find(clock, tmp_path / "none") is None
