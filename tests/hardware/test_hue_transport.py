"""Our transport under phue: every item inspected, pins held, time limits kept, credentials kept private."""

import json
import socket
import stat
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from controller.errors import DriverError, UserError
from hardware.faults import DeviceError, Scope
from hardware.hue.bridge import PinnedBridge, parse_endpoint
from hardware.hue.store import Credential, store_in
from hardware.lights_hue import pair
from hardware.sim.bridge_child import BridgeChild


@contextmanager
def raw_server(*answers: bytes, delay_s: float = 0.0) -> Iterator[tuple[str, list[bytes]]]:
    """Serve each connection one fixed answer, then close; keeps what was received."""
    received: list[bytes] = []
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(5)

    def serve() -> None:
        for answer in answers:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            with sock:
                received.append(sock.recv(65536))
                time.sleep(delay_s)
                with suppress(OSError):
                    sock.sendall(answer)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield f"127.0.0.1:{listener.getsockname()[1]}", received
    listener.close()
    thread.join(5)


def http(body: str, status: str = "200 OK") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n{body}".encode()


def bridge_at(address: str, *, timeout_s: float = 2.0, pin: str | None = None) -> PinnedBridge:
    return PinnedBridge("hue", parse_endpoint(address, pin), "a-user", timeout_s=timeout_s)


OK = '[{"success":{"/lights/1/state/on":true}}]'
ERROR_201 = {"error": {"type": 201, "address": "/lights/1/state/ct", "description": "device is off"}}
ERROR_901 = {"error": {"type": 901, "address": "/", "description": "Internal error"}}
ERROR_1 = {"error": {"type": 1, "address": "/", "description": "unauthorized user"}}
ERROR_3 = {"error": {"type": 3, "address": "/", "description": "not available"}}
GOOD = {"success": {"/lights/1/state/bri": 3}}


@pytest.mark.parametrize(
    ("body", "status", "scope", "may_retry", "words"),
    [
        (json.dumps([GOOD, ERROR_201]), "200 OK", Scope.LAMP, True, "took only 1 of 2 parts"),
        (json.dumps([GOOD, GOOD, ERROR_901]), "200 OK", Scope.BUSY, True, "901"),
        (json.dumps([ERROR_1]), "200 OK", Scope.AWAY, False, "pair it again"),
        (json.dumps([GOOD, ERROR_3]), "200 OK", Scope.LAMP, False, "not available"),
        ("[]", "200 OK", Scope.LAMP, True, "answered nothing"),
        ("{}", "200 OK", Scope.AWAY, True, "object"),
        ('[{"strange":1}]', "200 OK", Scope.BUSY, True, "neither"),
        ("[3]", "200 OK", Scope.BUSY, True, "neither"),
        ('[{"error":"text"}]', "200 OK", Scope.BUSY, True, "text"),
        ("<html>busy</html>", "503 Service Unavailable", Scope.BUSY, True, "503"),
        ("", "429 Too Many Requests", Scope.BUSY, True, "429"),
        ("no", "404 Not Found", Scope.LAMP, False, "404"),
        ("<html>", "200 OK", Scope.AWAY, True, "JSON"),
    ],
)
def test_every_item_of_every_reply_is_inspected(
    body: str, status: str, scope: Scope, may_retry: bool, words: str
) -> None:
    with raw_server(http(body, status)) as (address, _), pytest.raises(DeviceError) as caught:
        bridge_at(address).set_light(1, {"on": True, "bri": 3})
    fault = caught.value
    assert (fault.scope, fault.may_retry) == (scope, may_retry)
    assert words in str(fault)
    assert fault.device == "hue"
    assert fault.operation == "PUT /lights/1/state"
    assert "a-user" not in str(fault), "the user's name is a credential"


def test_a_slow_bridge_costs_its_time_limit_and_no_more() -> None:
    with raw_server(http(OK), delay_s=1.5) as (address, _):
        begun = time.monotonic()
        with pytest.raises(DeviceError, match=r"did not answer within 0\.3 s") as caught:
            bridge_at(address, timeout_s=0.3).set_light(1, {"on": True})
        assert time.monotonic() - begun < 1.0
        assert caught.value.scope is Scope.AWAY


def test_refusals_and_hang_ups_are_typed() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(DeviceError, match="cannot be reached: Connection refused"):
        bridge_at(f"127.0.0.1:{port}").get_light()
    with raw_server(b"") as (address, _), pytest.raises(DeviceError, match="hung up"):
        bridge_at(address).get_light()


@pytest.fixture(scope="module")
def plain() -> Iterator[BridgeChild]:
    child = BridgeChild.start("--port", "0", "--lights", "3", "--user", "a-user")
    yield child
    child.stop()


@pytest.fixture(scope="module")
def secure() -> Iterator[BridgeChild]:
    child = BridgeChild.start("--port", "0", "--lights", "1", "--user", "a-user", "--https")
    yield child
    child.stop()


def test_one_connection_is_kept_and_a_closed_one_is_replaced(plain: BridgeChild) -> None:
    plain.call("POST", "/sim/reset")
    bridge = bridge_at(plain.url)
    bridge.set_light(1, {"on": True, "bri": 9})
    kept = bridge._idle[0]
    bridge.set_light(1, {"on": True, "bri": 10})
    assert bridge._idle == [kept]
    kept.sock.shutdown(socket.SHUT_RDWR)
    bridge.set_light(1, {"on": True, "bri": 11})
    bodies = [entry["body"] for entry in plain.log()]
    assert bodies == [{"on": True, "bri": 9}, {"on": True, "bri": 10}, {"on": True, "bri": 11}]
    bridge.close()


def test_two_threads_share_a_bridge(plain: BridgeChild) -> None:
    plain.call("POST", "/sim/reset")
    bridge = bridge_at(plain.url)
    plain.set_faults(limits=0)

    def work(light: int) -> None:
        for bri in range(1, 21):
            bridge.set_light(light, {"on": True, "bri": bri})

    threads = [threading.Thread(target=work, args=(light,)) for light in (1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert len(plain.log()) == 40
    assert len(bridge._idle) == 2
    bridge.close()
    assert bridge._idle == []


def test_the_pinned_certificate_is_taken_and_any_other_gets_not_a_byte(secure: BridgeChild) -> None:
    pin = secure.certificate_pin()
    colons = ":".join(pin[i : i + 2] for i in range(0, len(pin), 2)).upper()
    for spelt in (pin, colons):
        bridge = bridge_at(secure.url, pin=spelt)
        assert "1" in bridge.get_light()
        bridge.close()
    before = len(secure.log())
    with pytest.raises(DeviceError, match="not the pinned one") as caught:
        bridge_at(secure.url, pin="0" * 64).set_light(1, {"on": True})
    assert not caught.value.may_retry
    with pytest.raises(DeviceError, match="no certificate is pinned"):
        bridge_at(secure.url).set_light(1, {"on": True})
    assert len(secure.log()) == before


def test_https_asked_of_a_plain_bridge_is_one_clear_line(plain: BridgeChild) -> None:
    address = plain.url.replace("http://", "https://")
    with pytest.raises(DeviceError, match="hue: GET /lights/: "):
        bridge_at(address, pin="0" * 64).get_light()


def test_phue_never_registers_nor_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    with raw_server(http(json.dumps([ERROR_1]))) as (address, received):
        with pytest.raises(DeviceError):
            bridge_at(address).get_api()
        assert [data.split(b" ")[0] for data in received] == [b"GET"]
    assert list(tmp_path.iterdir()) == []


# ---------------------------------------------------------------- pairing and the store


def test_pairing_needs_the_button_and_keeps_a_private_credential(plain: BridgeChild, tmp_path: Path) -> None:
    plain.call("POST", "/sim/reset")
    store = store_in(tmp_path / "data")
    with pytest.raises(DriverError, match="link button not pressed") as caught:
        pair(plain.url, store, bridge_id="room-hue")
    assert caught.value.may_retry
    assert store.load("room-hue") is None
    plain.call("POST", "/sim/press")
    credential = pair(plain.url, store, bridge_id="room-hue")
    assert store.load("room-hue") == credential
    assert len(credential.hue_id) == 16
    assert credential.pin is None
    assert stat.S_IMODE(store.path.stat().st_mode) == 0o600
    bridge = PinnedBridge("x", parse_endpoint(credential.address, None), credential.username)
    assert "1" in bridge.get_light()
    bridge.close()


def test_pairing_over_https_pins_the_certificate_it_saw(secure: BridgeChild, tmp_path: Path) -> None:
    secure.call("POST", "/sim/press")
    # No scheme given: HTTPS is tried first.
    credential = pair(secure.url.removeprefix("https://"), store_in(tmp_path), bridge_id="pro")
    assert credential.pin == secure.certificate_pin()
    assert credential.address.startswith("https://")


def test_pairing_falls_back_to_http_only_where_no_scheme_was_given(
    plain: BridgeChild, tmp_path: Path
) -> None:
    plain.call("POST", "/sim/press")
    credential = pair(plain.url.removeprefix("http://"), store_in(tmp_path), bridge_id="old")
    assert credential.address.startswith("http://")
    with pytest.raises(DriverError, match="no HTTPS"):
        pair(plain.url.replace("http://", "https://"), store_in(tmp_path), bridge_id="old")


def test_several_bridges_share_the_store(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    store.save("a", Credential("user-a", "1.2.3.4"))
    store.save("b", Credential("user-b", "https://1.2.3.5", "ff" * 32, "001788FFFE000000"))
    assert store.load("a") == Credential("user-a", "1.2.3.4")
    assert store.load("b") == Credential("user-b", "https://1.2.3.5", "ff" * 32, "001788FFFE000000")
    assert list(tmp_path.iterdir()) == [store.path], "no temporary file is left behind"


@pytest.mark.parametrize("text", ["{", "[]", '{"a": {"username": 3}}'])
def test_a_broken_store_is_said_and_not_overwritten(tmp_path: Path, text: str) -> None:
    store = store_in(tmp_path)
    store.path.write_text(text)
    with pytest.raises(UserError, match="pair the bridge"):
        store.load("a")
    assert store.path.read_text() == text
