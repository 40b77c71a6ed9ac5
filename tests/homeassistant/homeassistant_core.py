"""Home Assistant's own core with its MQTT integration, driven by lines of JSON. Runs in its own environment.

``python homeassistant_core.py CONFIG_DIR BROKER_PORT``: on stdin ``{"ask": "states"}`` or ``{"ask": "call",
"domain", "service", "data"}``, on stdout one answer a line. Nothing of Home Assistant is replaced; its web
front end, which MQTT does not need, is left out.
"""

import asyncio
import json
import socket
import sys
from pathlib import Path
from typing import Any

ENTRY = {
    "entry_id": "broker", "version": 1, "minor_version": 1, "domain": "mqtt", "title": "broker",
    "options": {}, "pref_disable_new_entities": False, "pref_disable_polling": False, "source": "user",
    "unique_id": None, "disabled_by": None,
}  # fmt: skip


async def start(folder: Path, port: int) -> Any:
    from homeassistant import auth, bootstrap, config_entries, core, loader
    from homeassistant.setup import async_setup_component

    storage = folder / ".storage"
    storage.mkdir(parents=True, exist_ok=True)
    entry = {**ENTRY, "data": {"broker": "127.0.0.1", "port": port, "discovery": True}}
    kept = {"version": 1, "minor_version": 1, "key": "core.config_entries", "data": {"entries": [entry]}}
    (storage / "core.config_entries").write_text(json.dumps(kept))
    (folder / "configuration.yaml").write_text("")
    hass = core.HomeAssistant(str(folder))
    hass.config.skip_pip = True
    loader.async_setup(hass)
    hass.config_entries = config_entries.ConfigEntries(hass, {})
    await bootstrap.async_load_base_functionality(hass)
    hass.auth = await auth.auth_manager_from_config(hass, [], [])
    # MQTT asks for the web server: it is bound to loopback.
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        web = {"http": {"server_host": ["127.0.0.1"], "server_port": probe.getsockname()[1]}}
    for domain in ("homeassistant", "mqtt"):
        if not await async_setup_component(hass, domain, web):
            raise SystemExit(f"Home Assistant could not set up {domain}")
    await hass.async_start()
    return hass


async def answer(hass: Any, asked: dict[str, Any]) -> dict[str, Any]:
    from homeassistant.helpers import device_registry, entity_registry

    match asked["ask"]:
        case "states":
            states = {
                state.entity_id: {"state": state.state, "attributes": dict(state.attributes)}
                for state in hass.states.async_all()
            }
            devices = [device.name for device in device_registry.async_get(hass).devices.values()]
            platforms = {e.entity_id: e.platform for e in entity_registry.async_get(hass).entities.values()}
            return {"states": states, "devices": devices, "platforms": platforms}
        case "call":
            await hass.services.async_call(asked["domain"], asked["service"], asked["data"], blocking=True)
            return {"called": True}
        case other:
            return {"error": f"unknown question {other}"}


def say(found: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(found, default=str) + "\n")
    sys.stdout.flush()


async def main() -> None:
    import logging

    logging.basicConfig(level=logging.INFO, stream=sys.stderr)
    hass = await start(Path(sys.argv[1]), int(sys.argv[2]))
    loop = asyncio.get_running_loop()
    say({"ready": True})
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        try:
            found = await answer(hass, json.loads(line))
        except Exception as error:  # noqa: BLE001 - the test is to see whatever Home Assistant says
            found = {"error": f"{type(error).__name__}: {error}"}
        say(found)
    await hass.async_stop(force=True)


if __name__ == "__main__":
    asyncio.run(main())
