"""sACN: what goes out on the wire, frame by frame, and what DMX channels say for a look."""

import asyncio
import itertools
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sacn.messages.data_packet import DataPacket

from controller.clock import RealClock
from controller.core.envelope import Authority
from controller.core.light import Look, Mired, Xy, look_from_percent
from controller.errors import UserError
from controller.ports import FixtureConfig
from hardware.dmx import ROLES, DmxFixture, channel_values, parse_fixture
from hardware.lights_sacn import SacnLights, open_lights
from hardware.sim.clock import monotonic_ms
from hardware.sim.wish_desk import WishDesk

FIXTURES = (FixtureConfig("wash", "7/1:dim16+warm+cold"), FixtureConfig("spot", "7/10:dim"))


class Wire:
    """A receiver on a socket."""

    def __init__(self) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.setblocking(False)
        self.frames: list[tuple[float, DataPacket]] = []

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.socket.getsockname()[1]}"

    def read(self) -> None:
        while True:
            try:
                data = self.socket.recv(2048)
            except BlockingIOError:
                return
            self.frames.append((monotonic_ms(), DataPacket.make_data_packet(tuple(data))))

    async def listen(self, ms: float) -> list[tuple[float, DataPacket]]:
        """Gather frames as they arrive, for a while; return the new ones."""
        before, until = len(self.frames), monotonic_ms() + ms
        while monotonic_ms() < until:
            self.read()
            await asyncio.sleep(0.002)
        return self.frames[before:]


@asynccontextmanager
async def sending(wire: Wire, folder: Path, **options: int) -> AsyncIterator[tuple[SacnLights, WishDesk]]:
    lights = open_lights("dmx", wire.address, dict(options), FIXTURES, folder, RealClock())
    desk = WishDesk()
    async with asyncio.TaskGroup() as tasks:
        run = tasks.create_task(lights.run(desk))
        await asyncio.sleep(0.01)
        yield lights, desk
        run.cancel()
    await lights.close()


def wash_level(packet: DataPacket) -> float:
    return float(packet.dmxData[0] * 256 + packet.dmxData[1]) / 65_535


@pytest.mark.real_time
async def test_a_fade_is_forty_frames_a_second_even_in_luminance(tmp_path: Path) -> None:
    wire = Wire()
    async with sending(wire, tmp_path) as (lights, desk):
        desk.wish("wash", 50, fade_ms=1_000)
        lights.wake(("wash",), Authority.THERAPIST)
        began = monotonic_ms()
        frames = await wire.listen(1_100)
        assert len(desk.done) == 1
    moving = [(at - began, wash_level(packet)) for at, packet in frames if at - began <= 1_000]
    assert 30 <= len(moving) <= 44
    assert [level for _, level in moving] == sorted(level for _, level in moving)
    assert max(abs(level - 0.5 * at / 1_000) for at, level in moving) < 0.04
    assert wash_level(frames[-1][1]) == pytest.approx(0.5, abs=1e-4)
    assert frames[-1][1].dmxData[2:4] == (255, 0), "2700 K is all warm"
    sequence = [packet.sequence for _, packet in frames]
    assert all((b - a) % 256 == 1 for a, b in itertools.pairwise(sequence))
    assert {packet.priority for _, packet in frames} == {100}


@pytest.mark.real_time
async def test_one_frame_a_second_when_nothing_changes(tmp_path: Path) -> None:
    wire = Wire()
    async with sending(wire, tmp_path, priority=150) as (lights, desk):
        desk.wish("spot", 20, fade_ms=0)
        lights.wake(("spot",), Authority.SCORE)
        await wire.listen(100)
        frames = await wire.listen(2_100)
        assert len(frames) == 2
        assert frames[0][1].priority == 150


async def test_not_a_frame_before_the_first_command_and_no_termination_at_the_end(tmp_path: Path) -> None:
    wire = Wire()
    async with sending(wire, tmp_path) as (lights, desk):
        assert await wire.listen(150) == []
        desk.wish("spot", 20, fade_ms=100)
        lights.wake(("spot",), Authority.SCORE)
        await wire.listen(200)
    await wire.listen(50)
    assert not any(packet.option_StreamTerminated for _, packet in wire.frames)


@pytest.mark.real_time
async def test_a_new_command_takes_over_from_the_live_level(tmp_path: Path) -> None:
    wire = Wire()
    async with sending(wire, tmp_path) as (lights, desk):
        desk.wish("wash", 80, fade_ms=1_000)
        lights.wake(("wash",), Authority.THERAPIST)
        await wire.listen(400)
        desk.wish("wash", 1, fade_ms=400)
        lights.wake(("wash",), Authority.THERAPIST)
        await wire.listen(600)
    levels = [wash_level(packet) for _, packet in wire.frames]
    top = max(levels)
    assert 0.25 < top < 0.5
    # The way down is the steeper: 0.001 a millisecond. A jump is what the time between frames leaves open.
    steps = [
        (b[0] - a[0], abs(wash_level(b[1]) - wash_level(a[1]))) for a, b in itertools.pairwise(wire.frames)
    ]
    assert all(step < 0.06 + 0.002 * waited_ms for waited_ms, step in steps), "no jump"
    assert levels[-1] == pytest.approx(0.01, abs=1e-4)


async def test_a_restart_goes_on_from_what_was_shown(tmp_path: Path) -> None:
    wire = Wire()
    async with sending(wire, tmp_path) as (lights, desk):
        desk.wish("wash", 30, fade_ms=0, kelvin=4000)
        lights.wake(("wash",), Authority.SCORE)
        await wire.listen(100)
    last = wire.frames[-1][1].dmxData
    async with sending(wire, tmp_path) as (lights, desk):
        frames = await wire.listen(100)
        reports = {report.fixture: report for report in desk.reports[0]}
        assert reports["wash"].percent == pytest.approx(30, abs=0.01)
        assert reports["spot"].on is False
    assert frames[0][1].dmxData == last


async def test_a_broken_memory_is_no_memory(tmp_path: Path) -> None:
    (tmp_path / "sacn-dmx.json").write_text('{"wash": {"lstar": "x"}}')
    wire = Wire()
    async with sending(wire, tmp_path):
        assert await wire.listen(100) == []


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("1", "expected UNIVERSE/FIRST"),
        ("1/1:dim+strobe", "no role 'strobe'"),
        ("1/512:dim16", "do not fit"),
        ("0/1:dim", "1 to 63999"),
        ("1/1:dim+dim16", "twice"),
    ],
)
def test_bad_fixtures_are_said(address: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=words):
        open_lights("dmx", "multicast", {}, [FixtureConfig("a", address)], tmp_path, RealClock())


def test_overlaps_priorities_and_names_are_refused(tmp_path: Path) -> None:
    two = [FixtureConfig("a", "1/1:dim16"), FixtureConfig("b", "1/2:dim")]
    with pytest.raises(UserError, match="a and b share channel 2 of universe 1"):
        open_lights("dmx", "multicast", {}, two, tmp_path, RealClock())
    with pytest.raises(UserError, match="0 to 200"):
        open_lights("dmx", "multicast", {"priority": 300}, [], tmp_path, RealClock())
    with pytest.raises(UserError, match="IPv4"):
        open_lights("dmx", "node.example", {}, [], tmp_path, RealClock())


looks = st.builds(
    Look,
    st.floats(0, 100),
    st.one_of(st.builds(Mired, st.floats(130, 600)), st.builds(Xy, st.floats(0.1, 0.7), st.floats(0.1, 0.7))),
)
patches = (
    st.lists(st.sampled_from(ROLES), min_size=1, max_size=7, unique=True)
    .filter(lambda roles: not {"dim", "dim16"} <= set(roles))  # no address can name both
    .map(tuple)
)


@given(patches, looks)
def test_channels_are_always_in_range_and_dark_is_dark(roles: tuple[str, ...], look: Look) -> None:
    fixture = DmxFixture(1, 1, roles)
    values = channel_values(fixture, look)
    assert len(values) == fixture.width
    assert all(isinstance(value, int) and 0 <= value <= 255 for value in values)
    dark = channel_values(fixture, Look(0.0, look.colour))
    at = 0
    dimmers: list[int] = []
    for role in roles:
        width = 2 if role == "dim16" else 1
        dimmers += range(at, at + width) if role.startswith("dim") else []
        at += width
    assert all(dark[i] == 0 for i in dimmers)
    if not dimmers:
        assert not any(dark)


def test_colours_go_where_the_emitters_are() -> None:
    assert channel_values(parse_fixture("1/1:dim+warm+cold"), look_from_percent(100, 2700)) == [255, 255, 0]
    assert channel_values(parse_fixture("1/1:warm+cold"), look_from_percent(100, 6500)) == [0, 255]
    red, green, blue = channel_values(parse_fixture("1/1:red+green+blue"), look_from_percent(100, 2000))
    assert red == 255
    assert red > green > blue
    amber = channel_values(parse_fixture("1/1:dim+warm+cold+red+green+blue"), look_from_percent(50, 2000))
    assert amber[1:3] == [0, 0], "warmer than its whites go: made of its colours"
    assert amber[3] == 255
    pale = channel_values(parse_fixture("1/1:red+green+blue+white"), Look(100.0, Xy(0.3127, 0.3290)))
    assert pale[3] > 240
    assert channel_values(parse_fixture("1/1:dim16"), look_from_percent(1, 2700)) == [655 >> 8, 655 & 255]
