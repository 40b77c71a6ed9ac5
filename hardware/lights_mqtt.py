"""Lamps on MQTT: Zigbee2MQTT, and Home Assistant's JSON lights, over a link of its own to the broker.

A command counts as taken when the lamp's state comes back. It must never retain a command, repeat one after
an outage, or take a level on the way of its own transition for a hand on the lamp.
"""

import asyncio
import json
from collections.abc import Collection, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from typing import Final

from controller.clock import Alarm
from controller.core.envelope import Authority, Transition
from controller.core.light import Look, Mired, Xy
from controller.core.score import FixtureId
from controller.core.units import lstar_from_percent
from controller.ports import (
    Clock,
    FixtureConfig,
    FixtureInfo,
    LampCommand,
    LampReport,
    LightSource,
    MqttClient,
    MqttMessage,
)
from hardware.faults import DeviceError, Scope
from hardware.lane_runner import Batch, Chore, LampGroup, LaneRunner
from hardware.mqtt_lamps import (
    LampState,
    MqttLamp,
    confirms,
    frames,
    look_between,
    names_of,
    near,
    read_availability,
    read_homeassistant_light,
    read_state,
    read_zigbee2mqtt_devices,
    split,
    zigbee2mqtt_lamp,
)
from hardware.mqtt_light_options import MqttLightOptions, link_settings, read_light_options
from hardware.mqtt_link import MqttLink

CONFIRM_MS: Final = 2_000
"""How long a lamp may take to say that it has a command."""
SETTLE_MS: Final = 2_000
PATIENCE_MS: Final = 1_500


@dataclass(slots=True)
class _Lamp:
    """What is known of one fixture. ``start``, ``sent`` and ``sent_ms`` (real): the transition under way.

    ``asked_ms`` (real): when it was asked how it is, until it has said so.
    """

    lamp: MqttLamp | None
    answered: Alarm
    state: LampState | None = None
    available: bool | None = None
    start: Look | None = None
    sent: Transition | None = None
    sent_ms: float = 0.0
    rest: Transition | None = None
    unconfirmed: list[dict[str, object]] = field(default_factory=list)
    asked_ms: float | None = None


class MqttLights:
    """``controller.ports.Lights`` over MQTT, and the ``Sender`` of its lanes."""

    def __init__(
        self,
        bridge_id: str,
        options: MqttLightOptions,
        fixtures: Sequence[FixtureConfig],
        link: MqttClient,
        clock: Clock,
    ) -> None:
        self._bridge_id = bridge_id
        self._clock = clock
        self._link = link
        self._is_z2m = options.dialect == "zigbee2mqtt"
        self._base = options.base or ("zigbee2mqtt" if self._is_z2m else "homeassistant")
        self._configs = {config.fixture: config for config in fixtures}
        self._lamps = {c.fixture: _Lamp(self._assumed(c.address), Alarm(clock)) for c in fixtures}
        self._directory: dict[str, MqttLamp] = {}
        self._bridge_online: bool | None = None
        self._subscribed: set[str] = set()
        self._came_up = Alarm(clock)
        self._lanes = LaneRunner(
            bridge_id, clock, self, tuple(self._configs), budget=options.budget(), poll_ms=options.poll_ms
        )

    # ------------------------------------------------------------ the port

    def fixtures(self) -> tuple[FixtureInfo, ...]:
        """The lamps as last described; until then, what can be assumed of them."""
        return tuple(self._info(fixture, known) for fixture, known in self._lamps.items())

    def wake(self, fixtures: Collection[FixtureId], authority: Authority) -> None:
        """Say that these lamps want a command now."""
        self._lanes.wake(fixtures, authority)

    async def run(self, source: LightSource) -> None:
        """Serve until cancelled."""
        self._listen()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._link.run())
            tasks.create_task(self._lanes.run(source))

    async def close(self) -> None:
        """Nothing is left to let go of: the link ends with ``run``. Lamps stay as they are."""

    # ------------------------------------------------------------ the lanes' sender

    def send(self, batch: Batch) -> Coroutine[None, None, None]:
        """Publish one lamp's messages; await until it says that it has them."""
        command = batch.commands[0]
        known = self._lamps[command.fixture]
        first, rest = split(command.transition, self._look_now(known), speed=self._clock.speed)
        return self._send_part(command.fixture, first, rest)

    async def probe(self) -> Sequence[LampReport]:
        """Return what the lamps last said, if the broker and Zigbee2MQTT are there."""
        if not self._link.up and not self._came_up.is_set():
            # The first connection gets a moment before anybody is told that it is missing.
            await self._came_up.wait_until(self._clock.now_ms() + PATIENCE_MS * self._clock.speed)
        if not self._link.up:
            self._came_up.set()
            raise self._fault("connect", self._link.health or "the broker is away", Scope.AWAY)
        if self._bridge_online is False:
            raise self._fault("connect", "Zigbee2MQTT is not running", Scope.AWAY)
        return tuple(self._report(fixture, known) for fixture, known in self._lamps.items())

    def groups(self) -> Sequence[LampGroup]:
        """Return none: a Zigbee group's state cannot be trusted back to its lamps."""
        return ()

    def alike(self, commands: Sequence[LampCommand]) -> bool:
        """Say no: there are no groups."""
        del commands
        return False

    def complaint(self) -> str | None:
        """Return which lamps of the site file nobody has told us of, or None."""
        lines = [
            self._absence(self._configs[f].address) for f, known in self._lamps.items() if known.lamp is None
        ]
        return f"{self._bridge_id}: {'; '.join(lines)}" if lines else None

    def next_chore(self) -> Chore | None:
        """Return the next part of a transition too long for one message, when the part before has run."""
        now = self._real_ms()
        for fixture, known in self._lamps.items():
            sent, rest = known.sent, known.rest
            if sent is not None and rest is not None:
                if now < known.sent_ms + sent.duration_ms / self._clock.speed:
                    continue
                first, left = split(rest, sent.look, speed=self._clock.speed)
                return partial(self._send_part, fixture, first, left)
        return None

    # ------------------------------------------------------------ sending

    def _send_part(
        self, fixture: FixtureId, part: Transition, rest: Transition | None
    ) -> Coroutine[None, None, None]:
        known = self._lamps[fixture]
        lamp = known.lamp
        if lamp is None:
            message = self._absence(self._configs[fixture].address)
            return _fail(self._fault(fixture, message, Scope.LAMP, may_retry=False))
        if not self._link.up:
            return _fail(self._fault(f"set {fixture}", "the broker is away", Scope.AWAY))
        start = self._look_now(known)
        known.answered.clear()
        known.unconfirmed = frames(part, lamp, speed=self._clock.speed)
        for frame in known.unconfirmed:
            # QoS 0 and never repeated: what could not go out now is asked for anew.
            self._link.publish(lamp.command_topic, json.dumps(frame).encode(), repeat=False)
        known.start, known.sent, known.rest, known.sent_ms = start, part, rest, self._real_ms()
        limit_ms = self._clock.now_ms() + CONFIRM_MS * self._clock.speed
        return self._confirmed(fixture, known, lamp, limit_ms)

    async def _confirmed(self, fixture: FixtureId, known: _Lamp, lamp: MqttLamp, limit_ms: int) -> None:
        if not lamp.state_topic:
            return
        if not await known.answered.wait_until(limit_ms):
            raise self._fault(f"set {fixture}", "the lamp did not confirm it", Scope.LAMP)

    def _fault(self, operation: str, message: str, scope: Scope, *, may_retry: bool = True) -> DeviceError:
        return DeviceError(self._bridge_id, operation, message, scope=scope, may_retry=may_retry)

    def _real_ms(self) -> float:
        return self._clock.now_ms() / self._clock.speed

    def _look_now(self, known: _Lamp) -> Look:
        """Return what a lamp shows now, as far as can be known: by its transition, else by its own word."""
        sent, start = known.sent, known.start
        if sent is not None and start is not None:
            length = sent.duration_ms / self._clock.speed
            return look_between(
                start, sent.look, (self._real_ms() - known.sent_ms) / length if length else 1.0
            )
        state = known.state
        if state is None or not state.on or state.percent is None:
            return Look(0.0, Mired(370.0))
        colour = Xy(*state.xy) if state.xy is not None else Mired(state.mired or 370.0)
        return Look(lstar_from_percent(state.percent), colour)

    # ------------------------------------------------------------ hearing

    def _listen(self) -> None:
        if self._is_z2m:
            self._link.subscribe(f"{self._base}/bridge/state", self._hear_bridge, qos=0)
            self._link.subscribe(f"{self._base}/bridge/devices", self._hear_devices, qos=0)
        else:
            self._link.subscribe(f"{self._base}/light/#", self._hear_discovery, qos=0)
        for fixture in self._lamps:
            self._listen_to(fixture)
        self._link.on_up(self._come_up)
        self._link.on_down(lambda _message: self._lanes.recheck())

    def _listen_to(self, fixture: FixtureId) -> None:
        lamp = self._lamps[fixture].lamp
        if lamp is None:
            return
        for topic, hear in (
            (lamp.state_topic, self._hear_state),
            (lamp.availability_topic, self._hear_availability),
        ):
            if topic and topic not in self._subscribed:
                self._subscribed.add(topic)
                self._link.subscribe(topic, hear, qos=0)

    def _come_up(self) -> None:
        """Ask every lamp how it is: Zigbee2MQTT does not retain states unless told to."""
        self._came_up.set()
        for known in self._lamps.values():
            if known.lamp is not None and known.lamp.read_topic:
                known.asked_ms = self._real_ms()
                self._link.publish(known.lamp.read_topic, b'{"state": ""}', repeat=False)
        self._lanes.recheck()

    def _hear_bridge(self, message: MqttMessage) -> None:
        self._bridge_online = read_availability(message.payload)
        self._lanes.recheck()

    def _hear_devices(self, message: MqttMessage) -> None:
        self._directory = read_zigbee2mqtt_devices(self._base, message.payload)
        for fixture, config in self._configs.items():
            self._meet(fixture, self._directory.get(config.address))

    def _hear_discovery(self, message: MqttMessage) -> None:
        found = read_homeassistant_light(message.payload)
        if found is None:
            return
        names, lamp = found
        self._directory |= dict.fromkeys(names, lamp)
        for fixture, config in self._configs.items():
            if config.address in names:
                self._meet(fixture, lamp)

    def _meet(self, fixture: FixtureId, lamp: MqttLamp | None) -> None:
        self._lamps[fixture].lamp = lamp
        self._listen_to(fixture)
        self._lanes.recheck()

    def _hear_state(self, message: MqttMessage) -> None:
        for known in self._lamps.values():
            lamp = known.lamp
            if lamp is not None and lamp.state_topic == message.topic:
                state = read_state(message.payload, lamp.scale)
                if state is not None:
                    self._take_state(known, state)

    def _take_state(self, known: _Lamp, state: LampState) -> None:
        known.state = state
        waits, asked_ms, known.asked_ms = known.unconfirmed, known.asked_ms, None
        if not waits:
            self._lanes.recheck()  # nobody of ours asked for this: somebody may be at the lamp
        elif asked_ms is None or self._real_ms() >= asked_ms + CONFIRM_MS or confirms(state, waits[-1]):
            # Each message is answered, or several at once by a state that says the last of them. But first of
            # all comes the answer to the question how it is, which says nothing of any.
            known.unconfirmed = waits[1:]
            if len(waits) == 1 or confirms(state, waits[-1]):
                known.answered.set()

    def _hear_availability(self, message: MqttMessage) -> None:
        for known in self._lamps.values():
            if known.lamp is not None and known.lamp.availability_topic == message.topic:
                known.available = read_availability(message.payload)
                self._lanes.recheck()

    # ------------------------------------------------------------ telling

    def _report(self, fixture: FixtureId, known: _Lamp) -> LampReport:
        reachable = known.lamp is not None and known.available is not False
        state = known.state
        if state is None or not reachable:
            return LampReport(fixture, None, None, None, None, reachable)
        sent, start = known.sent, known.start
        if sent is not None and start is not None and state.on and not sent.power_off:
            ends = known.sent_ms + sent.duration_ms / self._clock.speed + SETTLE_MS
            if self._real_ms() < ends and near(state, start, sent.look):
                # Some lamps report in mid-transition. It is on its way: what it is bound for is what counts.
                state = replace(state, percent=sent.look.percent, mired=None, xy=None)
        return LampReport(fixture, state.on, state.percent, state.mired, state.xy, reachable)

    def _info(self, fixture: FixtureId, known: _Lamp) -> FixtureInfo:
        lamp, name = known.lamp, self._configs[fixture].name
        if lamp is None:
            return FixtureInfo(fixture, name or fixture, self._bridge_id, reachable=False)
        return FixtureInfo(
            fixture,
            name or lamp.name,
            self._bridge_id,
            floor_percent=100.0 / lamp.scale,
            mired_range=lamp.capability.mired_range,
            has_colour=lamp.capability.gamut is not None,
            reachable=known.available is not False,
            brightness_steps=lamp.scale,
        )

    def _assumed(self, address: str) -> MqttLamp | None:
        """Return a lamp before it was described: Zigbee2MQTT's topics follow from its name."""
        return zigbee2mqtt_lamp(self._base, address) if self._is_z2m else None

    def _absence(self, address: str) -> str:
        close = get_close_matches(address, names_of(self._directory), n=1)
        return f"no lamp {address!r} has been announced" + (f" (nearest: {close[0]})" if close else "")


def open_lights(
    bridge_id: str,
    address: str,
    options: Mapping[str, str | int | float | bool],
    fixtures: Sequence[FixtureConfig],
    store_dir: Path,
    clock: Clock,
) -> MqttLights:
    """Return the lamps behind the broker at ``address``: ``host``, ``host:port`` or ``mqtt://host:port``.

    Raises:
        UserError: an option, the address or the password is wrong. A broker that is away raises nothing.
    """
    del store_dir  # nothing is kept
    read = read_light_options(bridge_id, options)
    settings = link_settings(bridge_id, address, read, fixtures)
    return MqttLights(bridge_id, read, fixtures, MqttLink(clock, settings), clock)


async def _fail(fault: DeviceError) -> None:
    raise fault
