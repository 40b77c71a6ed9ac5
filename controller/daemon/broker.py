"""What a site's broker must be: its rooms, and the topics of the lamps that hang on it."""

from dataclasses import replace
from pathlib import Path

from controller.broker_config import BrokerPlan, BrokerTls
from profiles.site import SiteModel

ANYWHERE = "0.0.0.0"  # noqa: S104 - the site's broker serves the clinic's network


def light_prefixes(site: SiteModel) -> tuple[str, ...]:
    """Return the topics under which the site's MQTT lamps are spoken to.

    Lamps described by Home Assistant's discovery name topics of their own: those are added by hand.
    """
    found: dict[str, None] = {}
    for room in site.rooms:
        for bridge in room.bridges:
            if bridge.driver == "mqtt":
                zigbee = bridge.options.get("dialect", "zigbee2mqtt") == "zigbee2mqtt"
                base = str(bridge.options.get("base") or ("zigbee2mqtt" if zigbee else "homeassistant"))
                found[base] = None
    return tuple(found)


def broker_plan(
    site: SiteModel,
    *,
    host: str | None = None,
    port: int | None = None,
    tls: BrokerTls | None = None,
    more_prefixes: tuple[str, ...] = (),
    state_folder: Path | None = None,
    run_as: str | None = None,
) -> BrokerPlan:
    """Return the broker that a site wants: on loopback if the site's own rooms alone use it."""
    loopback = site.mqtt.host in (None, "localhost", "127.0.0.1", "::1")
    listen = host or (site.mqtt.listen if loopback else ANYWHERE)
    plan = BrokerPlan(
        rooms=tuple(room.id for room in site.rooms),
        host=listen,
        port=site.mqtt.port if port is None else port,
        tls=tls,
        light_prefixes=tuple(dict.fromkeys((*light_prefixes(site), *more_prefixes))),
        run_as=run_as,
    )
    return plan if state_folder is None else replace(plan, state_folder=str(state_folder.resolve()))
