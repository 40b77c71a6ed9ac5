"""The lamps of one Hue bridge, driven through phue.

It knows what each lamp can show, speaks the v1 API through ``PinnedBridge`` in two worker threads, and leaves
order, budget and outages to the lanes. It must never send an alert, an effect or a scene, and never raise
because a bridge is away.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Collection, Coroutine, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import partial
from typing import Final, NoReturn, TypeVar

from controller.core.envelope import Authority
from controller.core.score import FixtureId
from controller.errors import UserError
from controller.ports import Clock, FixtureConfig, FixtureInfo, LampCommand, LampReport, LightSource
from hardware.faults import DeviceError, Scope
from hardware.hue.bridge import PinnedBridge, parse_endpoint
from hardware.hue.reading import LightState, lists_states, read_groups, read_lights, report_of
from hardware.hue.store import Credential, CredentialStore
from hardware.hue.translate import FLOOR_PERCENT, hue_state
from hardware.lamp_colour import Capability
from hardware.lane_runner import Batch, Chore, LampGroup, LaneRunner, LaneState

IN_FLIGHT: Final = 2
STARTUP_MODE: Final = "powerfail"
"""After a power cut a lamp returns to what it was: the only mode that can never be a sudden light."""
ALL_LIGHTS_GROUP: Final = "0"
GROUP_NAME_LIMIT: Final = 32

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class HueOptions:
    """What the site file may say of a Hue bridge. ``groups``: fixture ids, e.g. ``"a,b;c,d"``."""

    username: str = ""
    pin: str = ""
    set_startup: bool = True
    make_groups: bool = True
    groups: str = ""
    poll_ms: float = 4_000.0


@dataclass(frozen=True, slots=True)
class LampCheck:
    """What the room check says of one lamp: is it there, and can a power cut make it a sudden light."""

    fixture: FixtureId
    ok: bool
    message: str


class HueLights:
    """``controller.ports.Lights`` for one Hue bridge, and the ``Sender`` of its lanes."""

    def __init__(
        self,
        bridge_id: str,
        address: str,
        options: HueOptions,
        fixtures: Sequence[FixtureConfig],
        store: CredentialStore,
        clock: Clock,
    ) -> None:
        self._bridge_id = bridge_id
        self._address = address
        self._options = options
        self._store = store
        self._speed = clock.speed
        self._configs = {config.fixture: config for config in fixtures}
        self._infos = {c.fixture: FixtureInfo(c.fixture, c.name or c.fixture, bridge_id) for c in fixtures}
        self._light_ids: dict[FixtureId, int] = {}
        self._capabilities: dict[FixtureId, Capability] = {}
        self._startup: dict[FixtureId, str | None] = {}
        self._absent: dict[FixtureId, str] = {}
        self._groups: tuple[LampGroup, ...] = ()
        self._lists_names_only = False
        self._chores: deque[Chore] = deque()
        self._bridge: PinnedBridge | None = None
        self._credential: Credential | None = None
        # Two threads and no more: the bridge takes three requests at once and we leave it one.
        self._pool = ThreadPoolExecutor(IN_FLIGHT, thread_name_prefix=f"hue-{bridge_id}")
        self._lanes = LaneRunner(bridge_id, clock, self, tuple(self._configs), poll_ms=options.poll_ms)

    # ------------------------------------------------------------ the port

    def fixtures(self) -> tuple[FixtureInfo, ...]:
        """The lamps as last read; until the bridge was seen, what can be assumed of them."""
        return tuple(self._infos.values())

    def wake(self, fixtures: Collection[FixtureId], authority: Authority) -> None:
        """Say that these lamps want a command now."""
        self._lanes.wake(fixtures, authority)

    async def run(self, source: LightSource) -> None:
        """Serve until cancelled."""
        await self._lanes.run(source)

    async def close(self) -> None:
        """Let go of connections and threads. Lamps stay as they are."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        if self._bridge is not None:
            self._bridge.close()

    def lamp_checks(self) -> tuple[LampCheck, ...]:
        """Return, for each lamp, whether it is there and stays calm after a power cut."""
        return tuple(
            LampCheck(fixture, ok=False, message=self._absent[fixture])
            if fixture in self._absent
            else _startup_check(fixture, self._startup.get(fixture), seen=fixture in self._startup)
            for fixture in self._configs
        )

    @property
    def absent(self) -> Mapping[FixtureId, str]:
        """Lamps of the site file that the bridge does not have, each with one clear line."""
        return self._absent

    def lane_state(self) -> LaneState:
        """Return how its lanes are now."""
        return self._lanes.state()

    def recheck(self) -> None:
        """Look for the bridge at once: it may have been paired a moment ago."""
        self._lanes.recheck()

    async def verify(self) -> None:
        """Read every lamp and its power-on setting anew; what is set wrongly is set once more, soon.

        Raises:
            DeviceError: the bridge does not answer.
        """
        await self._read_everything()

    # ------------------------------------------------------------ the lanes' sender

    def send(self, batch: Batch) -> Coroutine[None, None, None]:
        """Send one lamp's or one group's state: a worker thread has it when this returns."""
        first, group = batch.commands[0], batch.group
        state = self._state(first)
        if group is not None:
            key = int(group.key)
            return self._group_set(
                group, self._call(lambda bridge: bridge.set_group(key, state), "set a group")
            )
        return self._light_set(first.fixture, state)

    def _light_set(self, fixture: FixtureId, state: dict[str, object]) -> Coroutine[None, None, None]:
        light_id = self._light_ids.get(fixture)
        if light_id is None:
            message = "the bridge has no such lamp"
            return _fail(DeviceError(self._bridge_id, fixture, message, scope=Scope.LAMP, may_retry=False))
        return self._call(lambda bridge: bridge.set_light(light_id, state), f"set {fixture}")

    async def _group_set(self, group: LampGroup, setting: Coroutine[None, None, None]) -> None:
        try:
            await setting
        except DeviceError as fault:
            if fault.scope is not Scope.LAMP:
                raise
            # The group is not what we think it is: the lamps are asked one by one from now on.
            self._groups = tuple(known for known in self._groups if known != group)
            raise DeviceError(self._bridge_id, fault.operation, fault.plain, scope=Scope.LAMP) from fault

    async def probe(self) -> Sequence[LampReport]:
        """Read all lamps; after an outage, everything else too."""
        if not self._lanes.away and not self._absent and not self._lists_names_only:
            listing = await self._call(lambda bridge: bridge.get_light(), "read the lamps")
            if lists_states(listing):
                return self._reports(read_lights(listing))
            # The first bridges' firmware, and some imitations, list lamps by name alone.
            self._lists_names_only = True
        self._renew_connection()
        return self._reports(await self._read_everything())

    async def _read_everything(self) -> Mapping[int, LightState]:
        everything = await self._call(lambda bridge: bridge.get_api(), "read the bridge")
        if not isinstance(everything, Mapping):
            raise DeviceError(self._bridge_id, "read the bridge", "not the Hue API", scope=Scope.AWAY)
        lights = read_lights(everything.get("lights"))
        self._learn(lights, everything.get("groups"))
        return lights

    def groups(self) -> Sequence[LampGroup]:
        """Return the bridge's groups that hold lamps of ours and no others."""
        return self._groups

    def alike(self, commands: Sequence[LampCommand]) -> bool:
        """Say whether these commands come to the same state."""
        states = [self._state(command) for command in commands]
        return all(state == states[0] for state in states)

    def complaint(self) -> str | None:
        """Return which lamps of the site file the bridge does not have, or None."""
        lines = [f"{fixture}: {message}" for fixture, message in self._absent.items()]
        return f"{self._bridge_id}: {'; '.join(lines)}" if lines else None

    def next_chore(self) -> Chore | None:
        """Return a setting that is still to be made on the bridge."""
        return self._chores.popleft() if self._chores else None

    # ------------------------------------------------------------ inside

    def _state(self, command: LampCommand) -> dict[str, object]:
        capability = self._capabilities.get(command.fixture, Capability())
        return dict(hue_state(command.transition, capability, speed=self._speed))

    def _call(self, call: Callable[[PinnedBridge], T], operation: str) -> Coroutine[None, None, T]:
        """Hand a call to a worker thread, now; await its result."""
        bridge = self._bridge
        if bridge is None:
            return _fail(DeviceError(self._bridge_id, operation, "not connected", scope=Scope.AWAY))
        answer = asyncio.get_running_loop().run_in_executor(self._pool, partial(call, bridge))
        return self._answer(answer, operation)

    async def _answer(self, answer: asyncio.Future[T], operation: str) -> T:
        try:
            return await answer
        except (KeyError, IndexError, TypeError, AttributeError, ValueError) as fault:
            # phue trips over replies of an unexpected shape in as many ways.
            message = f"an unexpected reply ({type(fault).__name__})"
            raise DeviceError(self._bridge_id, operation, message, scope=Scope.BUSY) from fault

    def _renew_connection(self) -> None:
        """Take the credential as it is now: a bridge may have been paired since the last try."""
        credential = self._read_credential()
        if self._bridge is not None and credential == self._credential:
            return
        if self._bridge is not None:
            self._bridge.close()
        try:
            endpoint = parse_endpoint(self._address or credential.address, credential.pin)
        except ValueError as fault:
            raise DeviceError(
                self._bridge_id, "connect", str(fault), scope=Scope.AWAY, may_retry=False
            ) from fault
        self._credential = credential
        self._bridge = PinnedBridge(self._bridge_id, endpoint, credential.username)

    def _read_credential(self) -> Credential:
        options = self._options
        if options.username:
            return Credential(options.username, self._address, options.pin or None)
        try:
            credential = self._store.load(self._bridge_id)
        except UserError as fault:
            raise DeviceError(self._bridge_id, "connect", str(fault), scope=Scope.AWAY) from fault
        if credential is None:
            raise DeviceError(
                self._bridge_id,
                "connect",
                "not paired yet: press its link button and pair it",
                scope=Scope.AWAY,
            )
        return replace(credential, pin=options.pin) if options.pin else credential

    def _learn(self, lights: Mapping[int, LightState], groups: object) -> None:
        """Match the site's lamps with the bridge's, and read what they can do."""
        self._light_ids.clear()
        self._absent.clear()
        self._chores.clear()
        for fixture, config in self._configs.items():
            light_id = _find_light(config.address, lights)
            if light_id is None:
                self._absent[fixture] = _absence(config.address, lights)
                continue
            light = lights[light_id]
            self._light_ids[fixture] = light_id
            self._capabilities[fixture] = light.capability
            self._startup[fixture] = light.startup
            self._infos[fixture] = FixtureInfo(
                fixture,
                config.name or light.name,
                self._bridge_id,
                floor_percent=FLOOR_PERCENT,
                mired_range=light.capability.mired_range,
                has_colour=light.capability.gamut is not None,
                reachable=light.reachable,
            )
        self._learn_groups(lights, read_groups(groups))
        self._plan_startup()

    def _learn_groups(self, lights: Mapping[int, LightState], found: Mapping[str, frozenset[int]]) -> None:
        ours = {light_id: fixture for fixture, light_id in self._light_ids.items()}
        usable = {key: ids for key, ids in found.items() if ids and ids <= set(ours)}
        if set(lights) == set(ours):
            usable[ALL_LIGHTS_GROUP] = frozenset(ours)
        self._groups = tuple(
            LampGroup(key, frozenset(ours[light_id] for light_id in ids))
            for key, ids in sorted(usable.items())
        )
        if not self._options.make_groups:
            return
        covered = {group.members for group in self._groups}
        for name, wanted in self._wanted_groups():
            if len(wanted) > 1 and wanted not in covered:
                covered.add(wanted)
                self._chores.append(partial(self._make_group, name, wanted))

    def _wanted_groups(self) -> list[tuple[str, frozenset[FixtureId]]]:
        """Return the sets of lamps worth a group: all of ours, and those the options name."""
        wanted = [("all", frozenset(self._light_ids))]
        for part in self._options.groups.split(";"):
            members = frozenset(name.strip() for name in part.split(",")) & set(self._light_ids)
            wanted.append((" ".join(sorted(members)), members))
        return wanted

    async def _make_group(self, name: str, members: frozenset[FixtureId]) -> None:
        ids = [self._light_ids[fixture] for fixture in sorted(members) if fixture in self._light_ids]
        label = f"Stillroom {self._bridge_id} {name}"[:GROUP_NAME_LIMIT]
        reply = await self._call(lambda bridge: bridge.create_group(label, ids), "make a group")
        key = str(reply[0]["success"]["id"])
        self._groups = (*self._groups, LampGroup(key, members))

    def _plan_startup(self) -> None:
        if not self._options.set_startup:
            return
        for fixture, mode in self._startup.items():
            if mode is not None and mode != STARTUP_MODE:
                self._chores.append(partial(self._set_startup, fixture))

    async def _set_startup(self, fixture: FixtureId) -> None:
        bridge, light_id = self._bridge, self._light_ids.get(fixture)
        if bridge is None or light_id is None:
            return
        address = f"/api/{bridge.username}/lights/{light_id}/config"
        data = {"startup": {"mode": STARTUP_MODE}}
        await self._call(lambda b: b.request("PUT", address, data), f"set the start-up of {fixture}")
        self._startup[fixture] = STARTUP_MODE

    def _reports(self, lights: Mapping[int, LightState]) -> tuple[LampReport, ...]:
        reports: list[LampReport] = []
        for fixture in self._configs:
            light_id = self._light_ids.get(fixture)
            light = None if light_id is None else lights.get(light_id)
            report = report_of(fixture, light)
            reports.append(report)
            if self._infos[fixture].reachable != report.reachable:
                self._infos[fixture] = replace(self._infos[fixture], reachable=report.reachable)
        return tuple(reports)


async def _fail(fault: DeviceError) -> NoReturn:
    raise fault


def _find_light(address: str, lights: Mapping[int, LightState]) -> int | None:
    """Return the light that an address means: its number, else its exact name or unique id."""
    if address.isdigit():
        return int(address) if int(address) in lights else None
    return next((n for n, light in lights.items() if address in {light.name, light.unique_id}), None)


def _absence(address: str, lights: Mapping[int, LightState]) -> str:
    near = get_close_matches(address, [light.name for light in lights.values()], n=1)
    known = f"nearest: {near[0]}" if near else f"there are {', '.join(str(number) for number in lights)}"
    return f"the bridge has no lamp {address!r} ({known})"


def _startup_check(fixture: FixtureId, mode: str | None, *, seen: bool) -> LampCheck:
    if not seen:
        return LampCheck(fixture, ok=False, message="not seen yet: its bridge has not answered")
    if mode is None:
        message = "cannot be told how to start: after a power cut it comes up at full brightness"
        return LampCheck(fixture, ok=False, message=message)
    if mode == STARTUP_MODE:
        return LampCheck(fixture, ok=True, message="returns to its last state after a power cut")
    return LampCheck(
        fixture, ok=False, message=f"start-up is {mode!r}: it may come up bright after a power cut"
    )
