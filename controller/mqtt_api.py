"""A room's MQTT door: its state and events out, commands and acknowledgements in.

It validates and hands over; it decides nothing and touches no driver. Whatever comes in on a topic, even
at ten thousand a second, costs at most a log line; whatever the broker does, the session never notices.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Final
from uuid import UUID

from pydantic import TypeAdapter

from controller.api import RoomApi, RoomChange, Rooms
from controller.clock import Alarm
from controller.core.broker_access import DISCOVERY_PREFIX
from controller.core.snapshot import Snapshot
from controller.errors import RefusedError, StillroomError
from controller.mqtt_homeassistant import Discovery, discovery_messages
from controller.mqtt_limits import QuietLog, RateLimit
from controller.mqtt_messages import (
    ack_as_request,
    device_name,
    encode_event,
    encode_prompt,
    find_id,
    parse_ack,
)
from controller.mqtt_topics import ONLINE, Topics, may_answer_on
from controller.ports import Clock, MqttClient, MqttMessage, Prompt
from controller.wire import CommandRequest, Refusal, Reply, parse_command

_log = logging.getLogger(__name__)

MAX_AGE_MS: Final = 5_000
STATE_GAP_MS: Final = 100
STATE_EVERY_MS: Final = 9_000
STATE_MOVING_MS: Final = 1_000
"""How often a level is said that is on its way because a person asked. The score's fades take minutes."""
COMMANDS_PER_S: Final = 200.0
ALL_COMMANDS_PER_S: Final = 500.0
MOST_AT_ONCE: Final = 64
MOST_AT_ONCE_EACH: Final = 32
"""Commands of one sender that may be under way: a flood leaves the others their place."""
REPLY_EXPIRY_S: Final = 10.0
EVENT_EXPIRY_S: Final = 60.0

_SNAPSHOTS: Final = TypeAdapter(Snapshot)

HealthReport = Callable[[str, str | None], None]
"""Takes a room and one clear line about its broker, or None when all is well."""


class MqttPrompts:
    """Brings one room's prompts to people over MQTT. Fulfils ``controller.ports.Prompts``."""

    def __init__(self, link: MqttClient, room: str) -> None:
        self._link = link
        self._topics = Topics(room)

    def publish(self, prompt: Prompt) -> None:
        """Hand a prompt over: at most once on the wire, and not after its time."""
        self._link.publish(
            self._topics.prompt(prompt.audience.value),
            encode_prompt(prompt),
            qos=1,
            expiry_s=max(1, prompt.ttl_s),
            repeat=False,
        )


class RoomMqtt:
    """One room on one link. The link must carry ``mqtt_topics.will_for(room)``."""

    def __init__(
        self,
        link: MqttClient,
        room: RoomApi,
        clock: Clock,
        *,
        discovery: Discovery = Discovery.BOTH,
        report: HealthReport | None = None,
    ) -> None:
        self._link = link
        self._room = room
        self._clock = clock
        self._discovery = discovery
        self._report = report
        self._topics = Topics(room.room_id)
        self._dirty = Alarm(clock)
        self._state_due_ms = clock.now_ms()
        self._tasks: asyncio.TaskGroup | None = None
        self._at_once: Counter[str] = Counter()
        self._limit = RateLimit(COMMANDS_PER_S, ALL_COMMANDS_PER_S, clock.now_ms())
        self._grumble = QuietLog(_log)
        self._devices: set[str] = set()
        self._known: dict[str, bool] = {}

    @property
    def prompt_device_present(self) -> bool:
        """Whether a prompt device is there to show or speak the client's prompts."""
        return self._link.up and bool(self._devices)

    @property
    def prompt_devices(self) -> tuple[tuple[str, bool], ...]:
        """Every prompt device that said something of itself, and whether it was there when it last did."""
        return tuple(sorted(self._known.items()))

    async def run(self) -> None:
        """Serve the room's topics until cancelled. The link is run by whoever made it."""
        topics, link = self._topics, self._link
        link.subscribe(topics.command, self._on_command, qos=1)
        link.subscribe(topics.prompt_ack, self._on_ack, qos=1)
        link.subscribe(topics.prompt_device("+"), self._on_device, qos=1)
        if self._discovery is not Discovery.OFF:
            link.subscribe(f"{DISCOVERY_PREFIX}/status", self._on_home_assistant, qos=0)
        stop_watching = self._room.watch(self._on_change)
        try:
            async with asyncio.TaskGroup() as group:
                self._tasks = group
                link.on_up(self._announce)
                link.on_down(self._on_down)
                try:
                    await self._publish_state()
                finally:
                    self._tasks = None  # a group that is ending takes no more commands
        finally:
            stop_watching()

    # ------------------------------------------------------------ out

    def _announce(self) -> None:
        """Say everything anew: a broker that comes back may have lost all it held."""
        if self._tasks is None:
            return
        self._devices.clear()
        self._link.publish(self._topics.status, ONLINE, qos=1, retain=True)
        self._send_state()
        self._announce_entities()
        if self._report is not None:
            self._report(self._topics.room, None)

    def _announce_entities(self) -> None:
        for topic, payload in discovery_messages(self._room, self._discovery):
            self._link.publish(topic, payload, qos=1, retain=True)

    def _on_down(self, message: str) -> None:
        self._devices.clear()
        if self._report is not None and self._tasks is not None:
            self._report(self._topics.room, message)

    def _on_change(self, change: RoomChange) -> None:
        for record in change.records:
            try:
                payload = encode_event(record)
            except StillroomError as error:
                self._grumble.warn(f"MQTT: an event was left out: {error}", self._clock.now_ms())
                continue
            self._link.publish(self._topics.event, payload, qos=1, expiry_s=EVENT_EXPIRY_S, repeat=False)
        self._dirty.set()

    def _send_state(self) -> None:
        self._dirty.clear()
        gap_ms = STATE_EVERY_MS
        if self._link.up:
            snapshot = self._room.snapshot()
            self._link.publish(self._topics.state, _SNAPSHOTS.dump_json(snapshot), retain=True)
            if any(zone.fading and zone.overrides for zone in snapshot.zones):
                gap_ms = STATE_MOVING_MS
        self._state_due_ms = self._clock.now_ms() + gap_ms * self._clock.speed

    async def _publish_state(self) -> None:
        while True:
            await self._dirty.wait_until(self._state_due_ms)
            self._send_state()
            await self._clock.sleep_until(self._clock.now_ms() + STATE_GAP_MS * self._clock.speed)

    # ------------------------------------------------------------ in

    def _on_command(self, message: MqttMessage) -> None:
        if not message.payload:
            return  # somebody clears a retained message
        now = self._clock.now_ms()
        try:
            tasks = self._admit(message, message.response_topic or "", now)
            request = self._read_command(message)
        except RefusedError as error:
            self._grumble.warn(f"MQTT: a command for {self._topics.room} was refused: {error}", now)
            if error.code != "too_many":  # an answer to each of a flood would be a flood of ours
                self._answer(message, _refusal(find_id(message.payload), error))
            return
        self._carry_on(tasks, message.response_topic or "", request, "mqtt", message)

    def _carry_on(
        self,
        tasks: asyncio.TaskGroup,
        asker: str,
        request: CommandRequest,
        by: str,
        message: MqttMessage | None,
    ) -> None:
        self._at_once[asker] += 1
        tasks.create_task(self._carry_out(request, by, message, asker))

    def _admit(self, message: MqttMessage, asker: str, now: int) -> asyncio.TaskGroup:
        """Return where to carry a message out.

        Raises:
            RefusedError: it may not be looked at: too many, or kept by the broker from another time.
        """
        if not self._limit.allow(asker, now):
            raise RefusedError("too_many", f"at most {COMMANDS_PER_S:g} messages a second are obeyed")
        if message.retain:
            raise RefusedError("retained", "it was published with the retain flag, which is never obeyed")
        full = self._at_once[asker] >= MOST_AT_ONCE_EACH or self._at_once.total() >= MOST_AT_ONCE
        if self._tasks is None or full:
            raise RefusedError("busy", "too many commands are under way")
        return self._tasks

    def _read_command(self, message: MqttMessage) -> CommandRequest:
        request = parse_command(message.payload)
        if request.sent_at_ms is not None:
            age_ms = int(self._clock.local_time().timestamp() * 1000) - request.sent_at_ms
            if age_ms > MAX_AGE_MS:
                raise RefusedError(
                    "stale", f"the command is {age_ms / 1000:.1f} s old; at most 5 s is obeyed"
                )
            if age_ms < -MAX_AGE_MS:
                raise RefusedError("stale", f"sent_at_ms is {-age_ms / 1000:.1f} s ahead of the room's clock")
        return request

    async def _carry_out(
        self, request: CommandRequest, by: str, message: MqttMessage | None, asker: str
    ) -> None:
        try:
            reply = await self._room.submit(request, by)
        except RefusedError as error:
            reply = _refusal(request.id, error)
        except Exception:  # noqa: BLE001 - a fault of ours in one command must not close the whole door
            _log.exception("a command over MQTT failed")
            reply = _refusal(request.id, RefusedError("internal", "the room could not carry the command out"))
        finally:
            self._at_once[asker] -= 1
            if not self._at_once[asker]:
                del self._at_once[asker]
        if message is not None:
            self._answer(message, reply)

    def _answer(self, message: MqttMessage, reply: Reply) -> None:
        topic, correlation = message.response_topic, message.correlation_data
        if topic is None:
            topic = self._topics.reply
        elif not may_answer_on(topic, self._topics.room):
            self._grumble.warn(f"MQTT: no answer is given on {topic[:80]!r}", self._clock.now_ms())
            topic = self._topics.reply
        self._link.publish(
            topic,
            reply.model_dump_json().encode(),
            qos=1,
            expiry_s=REPLY_EXPIRY_S,
            correlation_data=correlation,
        )

    def _on_ack(self, message: MqttMessage) -> None:
        now = self._clock.now_ms()
        try:
            tasks = self._admit(message, "prompt/ack", now)
            ack = parse_ack(message.payload)
            request = ack_as_request(ack, self._topics.room)
        except RefusedError as error:
            self._grumble.warn(f"MQTT: an acknowledgement was refused: {error}", now)
            return
        name = device_name(ack.by)
        by = f"prompt-device:{name}" if name else "prompt-device"
        self._carry_on(tasks, "prompt/ack", request, by, None)

    def _on_device(self, message: MqttMessage) -> None:
        name = message.topic.rsplit("/", 1)[-1]
        if message.payload and (name in self._known or len(self._known) < 32):
            self._known[name] = message.payload == ONLINE
        if message.payload == ONLINE and len(self._devices) < 32:
            self._devices.add(name)
        elif message.payload != ONLINE:
            self._devices.discard(name)

    def _on_home_assistant(self, message: MqttMessage) -> None:
        """Home Assistant says ``online`` when it has started: it wants to hear what there is."""
        if (
            message.payload == ONLINE
            and not message.retain
            and self._limit.allow("birth", self._clock.now_ms())
        ):
            self._announce_entities()
            self._dirty.set()


class MqttApi:
    """All rooms' MQTT doors, each on a link of its own: a broker keeps one will per link.

    ``links`` holds one ``MqttClient`` per room id, opened with ``mqtt_topics.will_for(room)``.
    """

    def __init__(
        self,
        links: Mapping[str, MqttClient],
        rooms: Rooms,
        clock: Clock,
        *,
        discovery: Discovery = Discovery.BOTH,
        report: HealthReport | None = None,
    ) -> None:
        self._links = links
        self._doors = {
            name: RoomMqtt(links[name], room, clock, discovery=discovery, report=report)
            for name, room in rooms.items()
        }

    def prompt_device_present(self, room: str) -> bool:
        """Whether a room has a prompt device that can be reached now."""
        door = self._doors.get(room)
        return door is not None and door.prompt_device_present

    def prompt_devices(self, room: str) -> tuple[tuple[str, bool], ...]:
        """A room's prompt devices, and whether each is there."""
        door = self._doors.get(room)
        return () if door is None else door.prompt_devices

    def health(self, room: str) -> str | None:
        """One clear line about a room's broker, or None."""
        link = self._links.get(room)
        return None if link is None else link.health

    async def run(self) -> None:
        """Hold every link and serve every room until cancelled."""
        async with asyncio.TaskGroup() as group:
            for name, door in self._doors.items():
                group.create_task(door.run(), name=f"mqtt-door-{name}")
                group.create_task(self._links[name].run(), name=f"mqtt-link-{name}")


def _refusal(command_id: UUID | None, error: RefusedError) -> Reply:
    return Reply(id=command_id, ok=False, refused=Refusal.of(error))
