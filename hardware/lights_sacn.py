"""Fixtures on DMX over sACN (ANSI E1.31): this driver runs the fades itself, at 40 frames a second.

When nothing changes it sends one frame a second, to be still there for the receivers. When it ends it simply
stops: it must never send a stream termination, which makes some receivers go dark. Receivers are to be set to
*hold the last look* on data loss (docs/decisions/0007-sacn-hold-last-look.md). What was shown is kept in a
file, so that a restart goes on from there and never from dark.
"""

import json
import socket
import struct
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from ipaddress import IPv4Address
from pathlib import Path
from typing import Final
from uuid import NAMESPACE_URL, getnode, uuid5

from sacn.messages.data_packet import DataPacket, calculate_multicast_addr

from controller.clock import Alarm
from controller.core.envelope import Authority
from controller.core.light import Look, Mired, Xy, mix_colours
from controller.core.score import FixtureId
from controller.core.units import lerp, lstar_from_luminance, luminance_from_lstar
from controller.errors import UserError
from controller.ports import Clock, FixtureConfig, FixtureInfo, LampReport, LightSource
from hardware.dmx import DmxFixture, channel_values, parse_fixture
from hardware.driver_options import read_options

PORT: Final = 5568
FRAME_MS: Final = 25
KEEP_ALIVE_MS: Final = 1_000
SAVE_MS: Final = 2_000
DARK: Final = Look(0.0, Mired(370.0))


@dataclass(frozen=True, slots=True)
class SacnOptions:
    """What the site file may say. ``priority`` 0 to 200: of two sources a receiver takes the higher."""

    priority: int = 100
    warm_kelvin: float = 2700.0
    cold_kelvin: float = 6500.0
    interface: str = ""


@dataclass(frozen=True, slots=True)
class Fade:
    """What a fixture does: even in luminance and colour. Times are room times in ms."""

    start: Look
    target: Look
    begin_ms: int
    duration_ms: int

    def look_at(self, now_ms: int) -> Look:
        """Return the look at an instant."""
        if self.duration_ms <= 0 or now_ms >= self.begin_ms + self.duration_ms:
            return self.target
        share = (now_ms - self.begin_ms) / self.duration_ms
        a, b = luminance_from_lstar(self.start.lstar), luminance_from_lstar(self.target.lstar)
        # From dark the colour is there at once: nobody can see it travel.
        start_colour = self.start.colour if a > 0.0 else self.target.colour
        return Look(
            lstar_from_luminance(lerp(a, b, share)), mix_colours(start_colour, self.target.colour, share)
        )

    def runs(self, now_ms: int) -> bool:
        """Whether it is still under way."""
        return now_ms < self.begin_ms + self.duration_ms


class SacnLights:
    """``controller.ports.Lights`` over sACN."""

    def __init__(
        self,
        bridge_id: str,
        destination: tuple[str, int] | None,
        options: SacnOptions,
        fixtures: Mapping[FixtureConfig, DmxFixture],
        memory: Path,
        clock: Clock,
    ) -> None:
        self._bridge_id = bridge_id
        self._destination = destination
        self._options = options
        self._clock = clock
        self._memory = memory
        self._names = {config.fixture: config.name or config.fixture for config in fixtures}
        self._patch = {config.fixture: fixture for config, fixture in fixtures.items()}
        remembered = self._recall()
        self._fades = {f: Fade(remembered.get(f, DARK), remembered.get(f, DARK), 0, 0) for f in self._patch}
        cid = tuple(uuid5(NAMESPACE_URL, f"stillroom:{getnode()}:{bridge_id}").bytes)
        self._packets = {
            universe: DataPacket(cid, f"Stillroom {bridge_id}"[:63], universe, priority=options.priority)
            for universe in sorted({fixture.universe for fixture in self._patch.values()})
        }
        self._woken: dict[FixtureId, None] = {}
        self._changed = Alarm(clock)
        self._socket: socket.socket | None = None
        self._begun = bool(remembered)
        self._saved: str = ""
        self._save_due_ms = 0
        self._health: str | None = None

    # ------------------------------------------------------------ the port

    def fixtures(self) -> tuple[FixtureInfo, ...]:
        """The fixtures as they are patched."""
        return tuple(
            FixtureInfo(
                fixture,
                self._names[fixture],
                self._bridge_id,
                floor_percent=max(100.0 / dmx.steps, 0.1),
                mired_range=dmx.mired_range,
                has_colour=dmx.has_colour,
                brightness_steps=dmx.steps,
            )
            for fixture, dmx in self._patch.items()
        )

    def wake(self, fixtures: Collection[FixtureId], authority: Authority) -> None:
        """Ask for these fixtures' commands at the next turn of the loop: no budget, so no lanes."""
        del authority
        self._woken.update(dict.fromkeys(f for f in fixtures if f in self._patch))
        self._changed.set()

    async def run(self, source: LightSource) -> None:
        """Serve until cancelled."""
        source.observed(self._reports())
        try:
            while True:
                self._changed.clear()
                self._serve(source)
                if self._begun:
                    self._send_frames(source)
                moving = any(fade.runs(self._clock.now_ms()) for fade in self._fades.values())
                self._save(now=not moving)
                pause_ms = FRAME_MS if moving else KEEP_ALIVE_MS
                await self._changed.wait_until(self._clock.now_ms() + pause_ms * self._clock.speed)
        finally:
            self._save(now=True)

    async def close(self) -> None:
        """Let go of the socket. Receivers hold what they have."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def live(self, fixture: FixtureId) -> Look:
        """Return what a fixture is being told to show now."""
        return self._fades[fixture].look_at(self._clock.now_ms())

    # ------------------------------------------------------------ inside

    def _serve(self, source: LightSource) -> None:
        woken, self._woken = self._woken, {}
        now = self._clock.now_ms()
        for fixture in woken:
            command = source.next_command(fixture)
            if command is None:
                continue
            transition = command.transition
            start = self._fades[fixture].look_at(now)
            target = replace(transition.look, lstar=0.0) if transition.power_off else transition.look
            self._fades[fixture] = Fade(start, target, now, transition.duration_ms)
            self._begun = True
            source.delivered(command)

    def _send_frames(self, source: LightSource) -> None:
        now = self._clock.now_ms()
        frames = {universe: [0] * 512 for universe in self._packets}
        for fixture, dmx in self._patch.items():
            values = channel_values(dmx, self._fades[fixture].look_at(now))
            frames[dmx.universe][dmx.first - 1 : dmx.first - 1 + len(values)] = values
        try:
            for universe, values in frames.items():
                self._send(universe, values)
        except OSError as fault:
            self._say(source, f"{self._bridge_id}: cannot send sACN: {fault.strerror or fault}")
        else:
            self._say(source, None)

    def _send(self, universe: int, values: list[int]) -> None:
        packet = self._packets[universe]
        packet.dmxData = tuple(values)
        packet.sequence_increase()
        target = self._destination or (str(calculate_multicast_addr(universe)), PORT)
        self._open_socket().sendto(bytes(packet.getBytes()), target)

    def _open_socket(self) -> socket.socket:
        if self._socket is None:
            sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            sock.setblocking(False)
            # Seven routers at most: a site's network, and no further.
            sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, struct.pack("b", 8))
            if self._options.interface:
                local = socket.inet_aton(self._options.interface)
                sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, local)
            self._socket = sock
        return self._socket

    def _say(self, source: LightSource, message: str | None) -> None:
        if message != self._health:
            self._health = message
            source.driver_health(self._bridge_id, message)

    def _reports(self) -> list[LampReport]:
        """Return what was shown last: DMX has no way back, so our own memory has to do."""
        reports = []
        for fixture, fade in self._fades.items():
            look = fade.target
            mired = look.colour.value if isinstance(look.colour, Mired) else None
            xy = (look.colour.x, look.colour.y) if isinstance(look.colour, Xy) else None
            on = look.lstar > 0.0
            reports.append(LampReport(fixture, on, look.percent if on else None, mired, xy, reachable=True))
        return reports

    # ------------------------------------------------------------ the memory

    def _recall(self) -> dict[FixtureId, Look]:
        try:
            data = json.loads(self._memory.read_text(encoding="utf-8"))
            return {fixture: _look_from(item) for fixture, item in data.items() if fixture in self._patch}
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            # Nothing kept, or nothing of use: then nothing is sent until the first command.
            return {}

    def _save(self, *, now: bool) -> None:
        """Keep what is shown, at most every 2 s in a fade; a fault costs only the memory."""
        at_ms = self._clock.now_ms()
        if not self._begun or (not now and at_ms < self._save_due_ms):
            return
        self._save_due_ms = at_ms + SAVE_MS * self._clock.speed
        text = json.dumps({f: _look_as_json(fade.look_at(at_ms)) for f, fade in self._fades.items()})
        if text == self._saved:
            return
        part = self._memory.with_suffix(".part")
        try:
            part.write_text(text, encoding="utf-8")
            part.replace(self._memory)
            self._saved = text
        except OSError:
            part.unlink(missing_ok=True)


def _look_as_json(look: Look) -> dict[str, float]:
    if isinstance(look.colour, Mired):
        return {"lstar": look.lstar, "mired": look.colour.value}
    return {"lstar": look.lstar, "x": look.colour.x, "y": look.colour.y}


def _look_from(item: Mapping[str, float]) -> Look:
    colour = Mired(float(item["mired"])) if "mired" in item else Xy(float(item["x"]), float(item["y"]))
    return Look(min(max(float(item["lstar"]), 0.0), 100.0), colour)


def open_lights(
    bridge_id: str,
    address: str,
    options: Mapping[str, str | int | float | bool],
    fixtures: Sequence[FixtureConfig],
    store_dir: Path,
    clock: Clock,
) -> SacnLights:
    """Return the fixtures behind sACN at ``address``: ``multicast``, or a receiver's IP address.

    Raises:
        UserError: an option, the address or a fixture's channels are wrong.
    """
    where = f"bridge {bridge_id}"
    read = read_options(where, SacnOptions(), options)
    if not 0 <= read.priority <= 200:
        raise UserError(f"{where}: option priority: expected 0 to 200, found {read.priority}")
    patch: dict[FixtureConfig, DmxFixture] = {}
    for config in fixtures:
        try:
            dmx = parse_fixture(config.address)
        except ValueError as fault:
            raise UserError(f"{where}: fixture {config.fixture}: {fault}") from fault
        patch[config] = replace(dmx, warm_mired=1e6 / read.warm_kelvin, cold_mired=1e6 / read.cold_kelvin)
    _refuse_overlaps(where, patch)
    destination: tuple[str, int] | None = None
    if address not in {"", "multicast"}:
        host, _, port = address.removeprefix("sacn://").partition(":")
        try:
            # A name would be looked up at every frame, and each time the room would wait for it.
            destination = (str(IPv4Address(host)), int(port or PORT))
        except ValueError as fault:
            raise UserError(f"{where}: {address!r}: expected multicast, or an IPv4 address") from fault
    return SacnLights(bridge_id, destination, read, patch, store_dir / f"sacn-{bridge_id}.json", clock)


def _refuse_overlaps(where: str, patch: Mapping[FixtureConfig, DmxFixture]) -> None:
    taken: dict[tuple[int, int], str] = {}
    for config, dmx in patch.items():
        for channel in range(dmx.first, dmx.first + dmx.width):
            other = taken.setdefault((dmx.universe, channel), config.fixture)
            if other != config.fixture:
                raise UserError(
                    f"{where}: fixtures {other} and {config.fixture} share channel {channel} of universe "
                    f"{dmx.universe}"
                )
