"""Passwords, rights and TLS: the files that we write on a real Mosquitto, and the embedded broker."""

import asyncio
import json
import socket
import ssl
import subprocess
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mqtt_brokers import Mosquitto, Stranger, free_port, running, until
from mqtt_fake_room import MqttFakeRoom

from controller.broker_config import (
    BrokerPlan,
    BrokerTls,
    WrittenBroker,
    read_broker_users,
    user_name,
    write_broker_config,
)
from controller.clock import RealClock
from controller.core.broker_access import BrokerRole, covers, grants_for, hash_password, password_matches
from controller.errors import InvalidFilesError, PortInUseError, UserError
from controller.mqtt_api import MqttApi
from controller.mqtt_topics import will_for
from hardware.broker_embedded import EmbeddedBroker
from hardware.mqtt_link import MqttLink, MqttSettings, MqttTls

ROOMS = ("garden", "attic")


class Site:
    """A broker with two rooms, as a clinic would have it."""

    def __init__(self, port: int, written: WrittenBroker, *, v5: bool) -> None:
        self.port, self.written, self.v5 = port, written, v5

    def stranger(self, role: BrokerRole, room: str = "garden", **more: Any) -> Stranger:
        name = user_name(role, room)
        password = self.written.made[name]
        return Stranger(
            self.port, f"client-{name}", v5=self.v5, **{"username": name, "password": password, **more}
        )


def plan_for(folder: Path, port: int, **more: Any) -> BrokerPlan:
    state = folder / "state"
    state.mkdir(parents=True, exist_ok=True)
    return BrokerPlan(ROOMS, port=port, state_folder=str(state), run_as="root", **more)


@pytest.fixture(params=["mosquitto", "embedded"])
async def site(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Site]:
    port = free_port()
    plan = plan_for(tmp_path, port)
    written = write_broker_config(tmp_path / "broker", plan)
    if request.param == "mosquitto":
        broker = Mosquitto(tmp_path, written.conf.read_text(), port)
        await broker.start()
        yield Site(port, written, v5=True)
        await broker.kill()
        return
    embedded = EmbeddedBroker("0.0.0.0", port, users=read_broker_users(tmp_path / "broker", plan))
    await embedded.start()
    yield Site(port, written, v5=False)
    await embedded.close()


def granted(codes: list[Any]) -> bool:
    return not any(code.is_failure for code in codes)


async def hears(listener: Stranger, publisher: Stranger, topic: str) -> bool:
    """Whether what one publishes reaches the other. A second message on an allowed topic marks the end."""
    mark = uuid4().hex
    publisher.publish(topic, mark)
    await asyncio.sleep(0.15)
    return any(message.text == mark for message in listener.got)


async def test_nobody_without_a_password_gets_in(site: Site) -> None:
    for more in ({"username": None}, {"password": "wrong"}, {"username": "nobody"}, {"password": None}):
        async with site.stranger(BrokerRole.PANEL, **more) as stranger:
            assert stranger.connack.is_failure


async def test_a_panel_commands_its_own_room_and_no_other(site: Site) -> None:
    async with (
        site.stranger(BrokerRole.CONTROLLER, "garden") as garden,
        site.stranger(BrokerRole.CONTROLLER, "attic") as attic,
        site.stranger(BrokerRole.PANEL, "garden") as panel,
    ):
        assert granted(await garden.subscribe("stillroom/garden/#"))
        assert granted(await attic.subscribe("stillroom/attic/#"))
        assert await hears(garden, panel, "stillroom/garden/command")
        for topic in (
            "attic/command",
            "garden/state",
            "garden/status",
            "garden/prompt/client",
            "garden/prompt/ack",
        ):
            assert not await hears(attic, panel, f"stillroom/{topic}")
            assert not any(message.topic == f"stillroom/{topic}" for message in garden.got)
        # The rooms' daemons cannot touch each other either.
        assert not await hears(garden, attic, "stillroom/garden/command")


async def test_a_viewer_sees_state_and_cannot_command(site: Site) -> None:
    async with (
        site.stranger(BrokerRole.CONTROLLER) as room,
        site.stranger(BrokerRole.VIEWER) as viewer,
    ):
        await room.subscribe("stillroom/garden/command")
        assert granted(await viewer.subscribe("stillroom/garden/state"))
        assert await hears(viewer, room, "stillroom/garden/state")
        assert not await hears(room, viewer, "stillroom/garden/command")
        for topic in ("garden/event", "garden/prompt/client", "garden/command", "attic/state", "#"):
            await viewer.subscribe(f"stillroom/{topic}")
        await viewer.subscribe("#")
        for topic in ("event", "prompt/client", "prompt/therapist", "reply", "command"):
            assert not await hears(viewer, room, f"stillroom/garden/{topic}")


async def test_a_prompt_device_hears_the_clients_prompts_alone(site: Site) -> None:
    async with (
        site.stranger(BrokerRole.CONTROLLER) as room,
        site.stranger(BrokerRole.PROMPT_DEVICE) as device,
    ):
        await room.subscribe("stillroom/garden/#")
        assert granted(await device.subscribe("stillroom/garden/prompt/client"))
        assert await hears(device, room, "stillroom/garden/prompt/client")
        assert await hears(room, device, "stillroom/garden/prompt/ack")
        assert await hears(room, device, "stillroom/garden/prompt/device/pillow")
        assert not await hears(room, device, "stillroom/garden/command")
        await device.subscribe("stillroom/garden/prompt/therapist")
        assert not await hears(device, room, "stillroom/garden/prompt/therapist")


async def test_what_is_retained_is_not_shown_to_who_may_not_see_it(site: Site) -> None:
    async with site.stranger(BrokerRole.CONTROLLER, "attic") as attic:
        await attic.subscribe("stillroom/attic/#")
        secret = attic.publish("stillroom/attic/state", b"secret", retain=True)
        await asyncio.to_thread(secret.wait_for_publish, 5)
        async with site.stranger(BrokerRole.VIEWER, "garden") as viewer:
            await viewer.subscribe("stillroom/garden/state")
            await viewer.subscribe("stillroom/#")
            await asyncio.sleep(0.2)
            assert viewer.got == []


async def test_a_will_needs_the_same_rights(site: Site) -> None:
    async with site.stranger(BrokerRole.CONTROLLER) as room:
        await room.subscribe("stillroom/garden/command")
        stranger = site.stranger(BrokerRole.VIEWER, will=("stillroom/garden/command", b"boo"))
        async with stranger:
            sock = stranger.client.socket()
            if isinstance(sock, socket.socket) and not stranger.connack.is_failure:
                sock.shutdown(2)
            await asyncio.sleep(0.3)
        assert room.got == []


async def test_our_link_and_door_work_with_the_files_we_write(site: Site) -> None:
    clock = RealClock()
    name = user_name(BrokerRole.CONTROLLER, "garden")
    settings = MqttSettings(
        "127.0.0.1", site.port, "stillroom-garden", username=name, password=site.written.made[name]
    )
    link = MqttLink(clock, settings, will_for("garden"))
    room = MqttFakeRoom(clock)
    api = MqttApi({"garden": link}, {"garden": room}, clock)
    async with running(api.run), site.stranger(BrokerRole.PANEL) as panel:
        await until(lambda: link.up)
        assert granted(await panel.subscribe("stillroom/garden/reply/#"))
        answers_on = "stillroom/garden/reply/panel" if site.v5 else None
        text = json.dumps({"id": str(uuid4()), "command": "hold"})
        panel.publish("stillroom/garden/command", text, response_topic=answers_on)
        await until(lambda: panel.got)
        assert json.loads(panel.got[0].payload)["ok"]
        assert link.health is None


async def test_a_wrong_password_is_said_and_not_hammered(site: Site) -> None:
    said: list[str] = []
    link = MqttLink(
        RealClock(), MqttSettings("127.0.0.1", site.port, "x", username="garden-panel", password="no")
    )
    link.on_down(said.append)
    async with running(link.run):
        await until(lambda: any("user" in line for line in said))
    assert "password is not accepted" in said[-1] or "not allowed to connect" in said[-1]


def test_files_are_private_and_passwords_stay(tmp_path: Path) -> None:
    plan = plan_for(tmp_path, 1883)
    first = write_broker_config(tmp_path / "b", plan)
    assert len(first.made) == len(ROOMS) * len(BrokerRole) + 1  # the front desk's wall
    for path in (first.conf, first.acl, first.passwords, first.credentials):
        assert path.stat().st_mode & 0o077 == 0
    hashes = first.passwords.read_text()
    assert not any(password in hashes for password in first.made.values())
    second = write_broker_config(
        tmp_path / "b", BrokerPlan((*ROOMS, "third"), state_folder=plan.state_folder)
    )
    assert {name.split("-")[0] for name in second.made} == {"third"}
    assert hashes in second.passwords.read_text() + "\n"
    kept = dict(line.split() for line in second.credentials.read_text().splitlines())
    assert kept == {**first.made, **second.made}
    assert "set_tcp_nodelay true" in second.conf.read_text()


@pytest.mark.parametrize("room", ["a/b", "a b", "+", "x#", "a\ntopic readwrite #", ""])
def test_a_room_that_would_change_the_access_list_is_refused(tmp_path: Path, room: str) -> None:
    with pytest.raises(InvalidFilesError, match="MQTT topic"):
        write_broker_config(tmp_path, BrokerPlan((room,)))


def test_hashes_are_mosquittos_own(tmp_path: Path) -> None:
    path = tmp_path / "p"
    path.write_text("")
    subprocess.run(["mosquitto_passwd", "-b", str(path), "anna", "pässword"], check=True, capture_output=True)
    stored = path.read_text().strip().partition(":")[2]
    assert password_matches("pässword".encode(), stored)
    assert not password_matches(b"password", stored)
    for broken in ("", "$7$", "$7$x$y$z", "$6$101$AAAA$BBBB", "$7$101$AAAA$"):
        assert not password_matches(b"", broken)
    assert hash_password("a", b"0" * 12, 101).startswith("$7$101$")


def test_grants_cover_filters_and_never_more() -> None:
    assert covers("stillroom/garden/#", "stillroom/garden/prompt/+")
    assert covers("stillroom/garden/#", "stillroom/garden")
    assert not covers("stillroom/garden/state", "stillroom/+/state")
    assert not covers("stillroom/+/state", "stillroom/#")
    assert not covers("#", "$SYS/broker")
    assert not covers("+/a", "$x/a")
    viewer = grants_for(BrokerRole.VIEWER, "garden")
    assert viewer.write == ()


LEVELS = st.lists(st.sampled_from(["a", "b", "c"]), min_size=1, max_size=4)


@given(
    pattern=st.lists(st.sampled_from(["a", "b", "+"]), min_size=1, max_size=4),
    tail=st.booleans(),
    asked=st.lists(st.sampled_from(["a", "b", "+"]), min_size=1, max_size=4),
    asked_tail=st.booleans(),
    topic=LEVELS,
)
def test_a_covered_filter_matches_nothing_outside(
    pattern: list[str], tail: bool, asked: list[str], asked_tail: bool, topic: list[str]
) -> None:
    allowed = "/".join(pattern + ["#"] * tail)
    wanted = "/".join(asked + ["#"] * asked_tail)
    if covers(allowed, wanted) and covers(wanted, "/".join(topic)):
        assert covers(allowed, "/".join(topic))


# ------------------------------------------------------------ the embedded broker's own manners


async def test_a_port_that_is_taken_is_one_clear_line() -> None:
    first = EmbeddedBroker(port=0)
    await first.start()
    with pytest.raises(PortInUseError, match=rf"port {first.port} .* belongs to another program"):
        await EmbeddedBroker(port=first.port).start()
    await first.close()


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.5", "::", "example.org"])
def test_it_does_not_open_without_users(host: str) -> None:
    with pytest.raises(UserError, match="without users"):
        EmbeddedBroker(host, 1883)


async def test_an_address_that_is_not_ours_is_one_clear_line(tmp_path: Path) -> None:
    write_broker_config(tmp_path, BrokerPlan(ROOMS))
    users = read_broker_users(tmp_path, BrokerPlan(ROOMS))
    with pytest.raises(UserError, match=r"cannot listen on 203\.0\.113\.9"):
        await EmbeddedBroker("203.0.113.9", 0, users=users).start()


@pytest.mark.parametrize(
    "greeting",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x10\xff\xff\xff\x7f",
        b"\x10\xff\xff\xff\xff\xff",
        b"\x10\x02\x00\x04",
        b"\x10\x0c\x00\x04MQTX\x04\x02\x00\x3c\x00\x00",
        b"\x10\x10\x00\x04MQTT\x04\x04\x00\x3c\x00\x00\x00\xff\x00\x00",
        b"\x10\x0c\x00\x04MQTT\x04\xff\x00\x3c\x00\x00",
        b"",
    ],
)
async def test_garbage_at_the_gate_ends_itself_alone(greeting: bytes) -> None:
    broker = EmbeddedBroker(port=0)
    await broker.start()
    async with Stranger(broker.port, v5=False) as good:
        reader, writer = await asyncio.open_connection("127.0.0.1", broker.port)
        writer.write(greeting)
        writer.write_eof()
        async with asyncio.timeout(3):
            await reader.read()
        writer.close()
        await good.subscribe("a")
        good.publish("a", b"b")
        await good.wait_for("a")
    await broker.close()


async def test_a_packet_too_long_ends_its_sender(tmp_path: Path) -> None:
    broker = EmbeddedBroker(port=0)
    await broker.start()
    async with Stranger(broker.port, "loud", v5=False) as loud, Stranger(broker.port, v5=False) as good:
        await good.subscribe("a/#")
        loud.publish("a/b", b"x" * 600_000)
        loud_gone: list[object] = []
        loud.client.on_disconnect = lambda *what: loud_gone.append(what)
        await until(lambda: loud_gone)
        good.publish("a/c", b"d")
        await good.wait_for("a/c")
        assert good.on("a/b") == []
    await broker.close()


async def test_a_client_that_comes_twice_replaces_itself() -> None:
    broker = EmbeddedBroker(port=0)
    await broker.start()
    first = Stranger(broker.port, "same", v5=False)
    gone: list[object] = []
    first.client.on_disconnect = lambda *what: gone.append(what)
    async with first, Stranger(broker.port, "same", v5=False) as second:
        await until(lambda: gone)
        await second.subscribe("a")
        second.publish("a", b"b")
        await second.wait_for("a")
    await broker.close()


# ------------------------------------------------------------ TLS


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An authority of our own, a broker's certificate, clients' certificates, one of them expired."""
    folder = tmp_path_factory.mktemp("pki")

    def openssl(*arguments: str) -> None:
        subprocess.run(["openssl", *arguments], check=True, capture_output=True, cwd=folder)

    ec = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
    openssl("req", "-x509", *ec, "-keyout", "ca.key", "-out", "ca.pem", "-days", "2", "-subj", "/CN=Test CA")
    names = {"broker": "127.0.0.1", "panel": "garden-panel", "old": "garden-panel", "oldbroker": "127.0.0.1"}
    for name, common in names.items():
        openssl("req", "-new", *ec, "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={common}")
        (folder / "ext").write_text("subjectAltName=IP:127.0.0.1\n")
        openssl(
            "x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
            "-out", f"{name}.pem", "-extfile", "ext", "-days", "-1" if name.startswith("old") else "2",
        )  # fmt: skip
    return folder


@pytest.fixture
async def tls_broker(pki: Path, tmp_path: Path) -> AsyncIterator[Callable[..., Any]]:
    started: list[Mosquitto] = []

    async def start(cert: str = "broker", *, ask_clients: bool = False) -> tuple[int, WrittenBroker]:
        port = free_port()
        tls = BrokerTls(
            str(pki / f"{cert}.pem"), str(pki / f"{cert}.key"), str(pki / "ca.pem") if ask_clients else None
        )
        written = write_broker_config(tmp_path / "broker", plan_for(tmp_path, port, tls=tls))
        broker = Mosquitto(tmp_path, written.conf.read_text(), port)
        started.append(broker)
        await broker.start()
        return port, written

    yield start
    for broker in started:
        await broker.kill()


def tls_link(port: int, pki: Path, cert: str | None = None, **more: Any) -> MqttLink:
    tls = MqttTls(
        str(pki / "ca.pem"),
        str(pki / f"{cert}.pem") if cert else None,
        str(pki / f"{cert}.key") if cert else None,
    )
    return MqttLink(RealClock(), MqttSettings("127.0.0.1", port, "tls", tls=tls, **more))


async def test_tls_with_a_password(tls_broker: Callable[..., Any], pki: Path) -> None:
    port, written = await tls_broker()
    link = tls_link(port, pki, username="garden-controller", password=written.made["garden-controller"])
    got: list[bytes] = []
    link.subscribe("stillroom/garden/#", lambda message: got.append(message.payload))
    async with running(link.run):
        await until(lambda: link.up)
        await asyncio.sleep(0.1)
        for number in range(200):
            link.publish("stillroom/garden/event", b"x" * 500 + str(number).encode(), qos=1)
        await until(lambda: len(got) == 200)


async def test_an_expired_certificate_of_the_broker_is_refused(
    tls_broker: Callable[..., Any], pki: Path
) -> None:
    port, _ = await tls_broker("oldbroker")
    link = tls_link(port, pki)
    async with running(link.run):
        await until(lambda: "TLS failed: certificate has expired" in str(link.health))
    assert not link.up


async def test_a_certificate_is_a_name_and_an_expired_one_is_none(
    tls_broker: Callable[..., Any], pki: Path
) -> None:
    port, _ = await tls_broker(ask_clients=True)
    good, old, none = tls_link(port, pki, "panel"), tls_link(port, pki, "old"), tls_link(port, pki)
    async with running(good.run, old.run, none.run):
        await until(lambda: good.up)
        await until(lambda: "broker" in str(old.health) and "not connected yet" not in str(old.health))
        await until(lambda: "not connected yet" not in str(none.health))
        assert not old.up
        assert not none.up
        refused: list[str] = []
        good.subscribe("stillroom/attic/state", lambda message: refused.append(message.topic))
        good.publish("stillroom/attic/command", b"{}", qos=1)
        await asyncio.sleep(0.2)
        assert good.up
        assert refused == []


async def test_plain_text_gets_nothing_from_a_tls_broker(tls_broker: Callable[..., Any], pki: Path) -> None:
    port, _ = await tls_broker()
    link = MqttLink(RealClock(), MqttSettings("127.0.0.1", port, "plain"))
    async with running(link.run):
        await until(lambda: "hung up before it answered" in str(link.health))
    context = ssl.create_default_context(cafile=str(pki / "ca.pem"))
    async with Stranger(port, "anonymous", tls=context) as stranger:
        assert stranger.connack.is_failure
