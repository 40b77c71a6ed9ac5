"""What the site file may say of lamps on MQTT, and the link that follows from it.

It must never guess: what is wrong is said in one line. It opens nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Final
from urllib.parse import urlsplit

from controller.errors import UserError
from controller.ports import FixtureConfig
from hardware.driver_options import read_options
from hardware.lanes import Budget
from hardware.mqtt_link import MqttSettings
from hardware.secret_source import SecretSource, read_secret

DIALECTS: Final = ("zigbee2mqtt", "homeassistant")
WIFI_BUDGET: Final = Budget(lights_per_s=40.0, burst=24.0, reserve=16.0, in_flight=16)  # a room at once


@dataclass(frozen=True, slots=True)
class MqttLightOptions:
    """What the site file may say. ``base``: Zigbee2MQTT's base topic or Home Assistant's discovery prefix.

    ``lights_per_s``, ``burst``, ``in_flight``: what the lamps can bear (``lanes.Budget``). 0 is the dialect's
    own: a Zigbee radio's for Zigbee2MQTT, that of lamps on Wi-Fi for Home Assistant's. The password is best
    kept out of the site file: see ``secret_source.SecretSource``.
    """

    dialect: str = "zigbee2mqtt"
    base: str = ""
    username: str = ""
    password: str = ""
    password_file: str = ""
    password_env: str = ""
    password_credential: str = ""
    poll_ms: float = 4_000.0
    lights_per_s: float = 0.0
    burst: float = 0.0
    in_flight: int = 0

    def budget(self) -> Budget:
        """What the lanes may ask of the lamps."""
        usual = Budget() if self.dialect == "zigbee2mqtt" else WIFI_BUDGET
        return replace(
            usual,
            lights_per_s=self.lights_per_s or usual.lights_per_s,
            burst=self.burst or usual.burst,
            in_flight=self.in_flight or usual.in_flight,
        )

    def secret(self) -> SecretSource:
        """Where the password is."""
        return SecretSource(self.password, self.password_file, self.password_env, self.password_credential)


def read_light_options(bridge_id: str, options: Mapping[str, str | int | float | bool]) -> MqttLightOptions:
    """Return a bridge's options.

    Raises:
        UserError: one is unknown or wrong.
    """
    read = read_options(f"bridge {bridge_id}", MqttLightOptions(), options)
    if read.dialect not in DIALECTS:
        raise UserError(f"bridge {bridge_id}: option dialect: expected one of {', '.join(DIALECTS)}")
    if min(read.lights_per_s, read.burst, read.in_flight) < 0 or read.lights_per_s > 1_000:
        raise UserError(f"bridge {bridge_id}: lights_per_s, burst and in_flight: expected 0 or more")
    return read


def link_settings(
    bridge_id: str, address: str, options: MqttLightOptions, fixtures: Sequence[FixtureConfig]
) -> MqttSettings:
    """Return the lamps' own link: ``address`` is ``host``, ``host:port`` or ``mqtt://host:port``.

    Raises:
        UserError: the address is none, or the password cannot be had.
    """
    try:
        parts = urlsplit(address if "//" in address else f"mqtt://{address}")
        host, port = parts.hostname or "", parts.port or 1883
    except ValueError:
        host, port = "", 0
    if not host:
        raise UserError(f"bridge {bridge_id}: {address!r} is not a broker's address")
    password = read_secret(f"bridge {bridge_id}", options.secret())
    if password is not None and not options.username:
        raise UserError(f"bridge {bridge_id}: a password is given, but no username")
    return MqttSettings(
        host, port, _client_id(bridge_id, fixtures), username=options.username or None, password=password
    )


def _client_id(bridge_id: str, fixtures: Sequence[FixtureConfig]) -> str:
    """Return a name that is this link's alone: rooms may well all call their bridge the same."""
    lamps = "\n".join(sorted(config.address for config in fixtures))
    return f"stillroom-lights-{bridge_id}-{sha256(lamps.encode()).hexdigest()[:8]}"
