"""``stillroom broker-config`` and the site file's MQTT keys: users of their own, clear refusals."""

from dataclasses import replace
from pathlib import Path

import pytest
from mqtt_brokers import Mosquitto, Stranger, free_port, until
from typer.testing import CliRunner

import profiles
from controller.broker_config import BrokerPlan, read_password, write_broker_config
from controller.cli.application import app
from controller.cli.mqtt import read_password_file
from controller.daemon.broker import broker_plan
from controller.daemon.doors import embedded_broker
from controller.errors import UserError
from profiles.catalogue import LoadedSite, load_site
from profiles.site import BridgeModel

DEMO = Path(profiles.__file__).parent / "library" / "demo-site.yaml"


def site_with(folder: Path, mqtt: str) -> LoadedSite:
    text = DEMO.read_text(encoding="utf-8").replace("mqtt: {host: null}", f"mqtt: {mqtt}")
    path = folder / "stillroom.yaml"
    path.write_text(text, encoding="utf-8")
    return load_site(path)


def test_it_writes_a_broker_that_mosquitto_takes_and_keeps_passwords(tmp_path: Path) -> None:
    folder = tmp_path / "broker"
    asked = ["broker-config", "--folder", str(folder), "--lights", "zigbee2mqtt"]
    first = CliRunner().invoke(app, asked)
    assert first.exit_code == 0, first.output
    assert "6 new passwords" in first.output
    before = (folder / "credentials.txt").read_text()
    assert "topic readwrite zigbee2mqtt/#" in (folder / "mosquitto.acl").read_text()
    again = CliRunner().invoke(app, asked)
    assert "0 new passwords" in again.output
    assert (folder / "credentials.txt").read_text() == before
    for name in ("mosquitto.conf", "mosquitto.passwd", "credentials.txt"):
        assert (folder / name).stat().st_mode & 0o077 == 0


def test_half_a_certificate_is_refused(tmp_path: Path) -> None:
    found = CliRunner().invoke(app, ["broker-config", "--folder", str(tmp_path), "--tls-cert", "cert.pem"])
    assert isinstance(found.exception, UserError)
    assert "--tls-key" in str(found.exception)


async def test_the_room_s_own_user_gets_in_with_what_was_written(tmp_path: Path) -> None:
    port = free_port()
    plan = BrokerPlan(("demo",), port=port, state_folder=str(tmp_path), run_as="root")
    written = write_broker_config(tmp_path, plan)
    broker = Mosquitto(tmp_path / "run", written.conf.read_text(), port)
    await broker.start()
    try:
        password = read_password(tmp_path, "demo-controller")
        async with Stranger(port, username="demo-controller", password=password) as ours:
            await until(lambda: ours.connack is not None and not ours.connack.is_failure)
        async with Stranger(port, username="demo-controller", password="guess") as thief:
            assert thief.connack.is_failure
    finally:
        await broker.kill()


def test_an_open_embedded_broker_without_users_is_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"mqtt\.listen: .*broker-config.*users_folder"):
        embedded_broker(site_with(tmp_path, "{host: null, listen: 0.0.0.0}"), 0)


async def test_an_open_embedded_broker_knows_the_written_users(tmp_path: Path) -> None:
    loaded = site_with(tmp_path, "{host: null, listen: 0.0.0.0, users_folder: broker}")
    with pytest.raises(UserError, match="broker-config"):
        embedded_broker(loaded, 0)  # not written yet
    plan = broker_plan(loaded.site)
    write_broker_config(tmp_path / "broker", plan)
    broker = embedded_broker(loaded, 0)
    await broker.start()
    try:
        room = plan.rooms[0]
        name, password = f"{room}-panel", read_password(tmp_path / "broker", f"{room}-panel")
        async with Stranger(broker.port, v5=False, username=name, password=password) as panel:
            assert not panel.connack.is_failure
        async with Stranger(broker.port, "nobody", v5=False) as nobody:
            assert nobody.connack.is_failure
    finally:
        await broker.close()


def test_the_plan_follows_the_site(tmp_path: Path) -> None:
    own = broker_plan(site_with(tmp_path, "{host: null}").site)
    assert (own.host, own.port) == ("127.0.0.1", 1883)
    loaded = site_with(tmp_path, "{host: broker.lan, port: 8883}")
    assert (broker_plan(loaded.site).host, broker_plan(loaded.site).port) == ("0.0.0.0", 8883)
    room = loaded.site.rooms[0]
    lamps = BridgeModel(id="z", driver="mqtt", address="broker.lan", options={"base": "lamps"})
    site = loaded.site.model_copy(update={"rooms": (room.model_copy(update={"bridges": (lamps,)}),)})
    assert broker_plan(site).light_prefixes == ("lamps",)
    assert replace(broker_plan(site), light_prefixes=()) == broker_plan(loaded.site)


def test_a_password_is_read_from_a_file_alone(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    with pytest.raises(UserError, match="cannot be read"):
        read_password_file(file)
    file.write_text("\n")
    with pytest.raises(UserError, match="no password"):
        read_password_file(file)
    file.write_text("word\n")
    assert read_password_file(file) == "word"
    with pytest.raises(UserError, match="no password of garden-panel"):
        read_password(tmp_path, "garden-panel")


def test_a_prompt_device_with_a_wrong_room_is_refused() -> None:
    found = CliRunner().invoke(app, ["prompt-device", "--room", "a/b", "--no-speak", "--page-port", "0"])
    assert isinstance(found.exception, UserError)
    assert "cannot be part of an MQTT topic" in str(found.exception)
