"""A Zigbee2MQTT-shaped stranger on a broker: its topics, its retained messages, lamps that fade in time."""

import json
import threading
from typing import Any

from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion

from controller.core.light import Mired, Xy
from hardware.sim.clock import monotonic_ms
from hardware.sim.lamp import Change, SimulatedLamp

FEATURES = [
    {"name": "state"},
    {"name": "brightness", "value_min": 0, "value_max": 254},
    {"name": "color_temp", "value_min": 153, "value_max": 500},
    {"name": "color_xy"},
]


class ZigbeePeer:
    """Answers ``zigbee2mqtt/NAME/set`` as Zigbee2MQTT does: at once, with the target."""

    def __init__(self, port: int, names: tuple[str, ...], *, base: str = "zigbee2mqtt") -> None:
        self.lamps = {name: SimulatedLamp() for name in names}
        self.messages: list[tuple[str, dict[str, Any]]] = []
        self.deaf: set[str] = set()
        self.reports_on_the_way = False
        self._base = base
        self._up = threading.Event()
        self._client = paho.Client(CallbackAPIVersion.VERSION2, client_id="zigbee-peer")
        self._client.on_connect = self._connected
        self._client.on_subscribe = lambda *_: self._up.set()
        self._client.on_message = self._hear
        self._client.will_set(f"{base}/bridge/state", '{"state":"offline"}', retain=True)
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        assert self._up.wait(5)

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def say(self, topic: str, payload: object, *, retain: bool = False) -> None:
        text = payload if isinstance(payload, str) else json.dumps(payload)
        self._client.publish(f"{self._base}/{topic}", text, retain=retain).wait_for_publish(5)

    def turn(self, name: str, percent: float) -> None:
        """Change a lamp by its remote."""
        self.lamps[name].apply(Change(on=True, bri=round(percent * 2.54)), monotonic_ms())
        self._tell(name)

    def _connected(self, client: paho.Client, *_: Any) -> None:
        client.subscribe([(f"{self._base}/+/set", 0), (f"{self._base}/+/get", 0)])
        devices = [{"type": "Coordinator", "friendly_name": "Coordinator", "ieee_address": "0x0"}] + [
            {
                "type": "Router",
                "friendly_name": name,
                "ieee_address": f"0x{number:016x}",
                "definition": {"exposes": [{"type": "light", "features": FEATURES}, {"name": "linkquality"}]},
            }
            for number, name in enumerate(self.lamps, 1)
        ]
        client.publish(f"{self._base}/bridge/state", '{"state":"online"}', retain=True)
        client.publish(f"{self._base}/bridge/devices", json.dumps(devices), retain=True)

    def _hear(self, _client: paho.Client, _userdata: Any, message: paho.MQTTMessage) -> None:
        _, name, verb = message.topic.split("/")
        if name not in self.lamps or name in self.deaf:
            return
        if verb == "set":
            data = json.loads(message.payload)
            self.messages.append((name, data))
            self._apply(self.lamps[name], data)
        self._tell(name)

    def _apply(self, lamp: SimulatedLamp, data: dict[str, Any]) -> None:
        colour: Mired | Xy | None = None
        if "color_temp" in data:
            colour = Mired(float(data["color_temp"]))
        elif "color" in data:
            colour = Xy(data["color"]["x"], data["color"]["y"])
        on = {"ON": True, "OFF": False}.get(data.get("state", ""))
        length = float(data.get("transition", 0)) * 1000.0
        assert length <= 6_553_500, "the serialisation overflows"
        lamp.apply(Change(on, data.get("brightness"), colour, length), monotonic_ms())

    def _tell(self, name: str) -> None:
        lamp = self.lamps[name]
        bri = round(lamp.level_at(monotonic_ms())) if self.reports_on_the_way else lamp.bri
        state: dict[str, Any] = {"state": "ON" if lamp.on else "OFF", "brightness": bri, "linkquality": 120}
        if isinstance(lamp.colour, Mired):
            state |= {"color_mode": "color_temp", "color_temp": round(lamp.colour.value)}
        else:
            state |= {"color_mode": "xy", "color": {"x": lamp.colour.x, "y": lamp.colour.y}}
        self._client.publish(f"{self._base}/{name}", json.dumps(state))
