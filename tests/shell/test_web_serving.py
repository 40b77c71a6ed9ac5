"""Serving: the port, the end, the socket's manners, TLS."""

import asyncio
import shutil
import socket
import ssl
import subprocess
from pathlib import Path

import httpx
import pytest
from web_fake_room import FakeRoom
from web_serving import PIN, receive, served

from controller.clock import RealClock
from controller.errors import PortInUseError, UserError
from controller.web.access import Access
from controller.web.app import create_app
from controller.web.pairing import pair_url, qr_svg, qr_terminal
from controller.web.serving import Tls, bind, serve


def test_port_in_use_is_one_clear_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(PortInUseError) as caught:
            bind("127.0.0.1", port)
    assert (
        str(caught.value) == f"port {port} is used by another program: end it, or choose another with --port"
    )


def test_foreign_address_is_one_clear_line() -> None:
    with pytest.raises(UserError, match=r"cannot serve on 192\.0\.2\.1 port 0"):
        bind("192.0.2.1", 0)


def test_accepted_sockets_do_not_wait_for_acknowledgements() -> None:
    with bind("127.0.0.1", 0) as listener:
        listener.setblocking(True)
        with socket.create_connection(listener.getsockname()):
            accepted, _ = listener.accept()
            with accepted:
                assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


async def test_a_cancel_says_goodbye_and_frees_the_port(tmp_path: Path) -> None:
    async with served(tmp_path) as site:
        port = int(site.url.rpartition(":")[2])
        connection = await site.live()
        await receive(connection, "snapshot")
    await connection.wait_closed()
    assert connection.close_code in {1001, 1012}
    bind("127.0.0.1", port).close()


async def test_tls_makes_the_cookie_secure(tmp_path: Path) -> None:
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl makes the test's certificate, and is not installed")
    certificate, key = tmp_path / "c.pem", tmp_path / "k.pem"
    subprocess.run(
        f"{openssl} req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 "
        f"-subj /CN=localhost -addext subjectAltName=IP:127.0.0.1 -keyout {key} -out {certificate}".split(),
        check=True,
        capture_output=True,
    )
    clock = RealClock()
    app = create_app({"garden": FakeRoom(clock)}, Access(tmp_path, clock, PIN), tuple, clock, secure=True)
    port: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    async with asyncio.TaskGroup() as tasks:
        tls = Tls(certificate, key)
        task = tasks.create_task(serve(app, "127.0.0.1", 0, tls=tls, started=port.set_result))
        trust = ssl.create_default_context(cafile=str(certificate))
        url = f"https://127.0.0.1:{await port}"
        async with httpx.AsyncClient(base_url=url, verify=trust, trust_env=False) as client:
            answer = await client.post("/api/v1/pair", json={"pin": PIN}, headers={"Origin": url})
            assert answer.headers["set-cookie"].startswith("__Host-stillroom=")
            assert "Secure" in answer.headers["set-cookie"]
            assert "max-age" in answer.headers["strict-transport-security"]
            assert (await client.get("/api/v1/me")).status_code == 200
        task.cancel()


async def test_bad_certificate_is_one_clear_line(tmp_path: Path) -> None:
    bad = tmp_path / "bad.pem"
    bad.write_text("nothing")
    clock = RealClock()
    app = create_app({}, Access(tmp_path, clock, PIN), tuple, clock)
    with pytest.raises(UserError, match=r"the certificate .*bad\.pem cannot be used"):
        await serve(app, "127.0.0.1", 0, tls=Tls(bad, bad))


def test_pairing_code_carries_the_pin_where_no_server_logs_it() -> None:
    url = pair_url("http://10.0.0.2:8080/", "012345")
    assert url == "http://10.0.0.2:8080/pair#pin=012345"
    assert qr_terminal(url).count("\n") > 10
    assert qr_svg(url).startswith("<svg")
