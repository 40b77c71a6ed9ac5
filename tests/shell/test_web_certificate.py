"""A clinic's own certificate: made by the command line, believed over real TLS, installed from a page."""

import asyncio
import hashlib
import ssl
import stat
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner
from web_fake_room import FakeRoom
from web_serving import PIN

from controller.certificates import certificate_files, make_certificate
from controller.cli.application import app as cli
from controller.clock import RealClock
from controller.errors import UserError
from controller.web.access import Access
from controller.web.app import create_app
from controller.web.serving import Tls, serve


def make(data: Path, *hosts: str) -> str:
    arguments = [part for host in hosts for part in ("--host", host)]
    result = CliRunner().invoke(cli, ["make-certificate", "--data", str(data), *arguments])
    assert result.exit_code == 0, result.output
    return result.output


async def fetch(data: Path, host: str, trust: ssl.SSLContext, *paths: str) -> list[httpx.Response]:
    """Serve over TLS with the made certificate, and get pages as a browser with that trust would."""
    files, clock = certificate_files(data), RealClock()
    app = create_app(
        {"garden": FakeRoom(clock)}, Access(data, clock, PIN), tuple, clock, secure=True, authority=files.ca
    )
    port: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    async with asyncio.TaskGroup() as tasks:
        tls = Tls(files.certificate, files.key)
        task = tasks.create_task(serve(app, "127.0.0.1", 0, tls=tls, started=port.set_result))
        try:
            url = f"https://{host}:{await port}"
            async with httpx.AsyncClient(base_url=url, verify=trust, trust_env=False) as client:
                return [await client.get(path) for path in paths]
        finally:
            task.cancel()


async def test_made_certificate_is_believed_and_its_authority_offered(tmp_path: Path) -> None:
    printed = make(tmp_path, "127.0.0.1", "localhost")
    files = certificate_files(tmp_path)
    assert f'cert_file: "{files.certificate}"' in printed
    trust = ssl.create_default_context(cafile=str(files.ca))
    page, authority = await fetch(tmp_path, "127.0.0.1", trust, "/install-ca", "/stillroom-ca.crt")
    digest = hashlib.sha256(authority.content).hexdigest().upper()
    shown = ":".join(digest[at : at + 2] for at in range(0, 64, 2))
    assert shown in page.text
    assert shown in printed
    assert authority.headers["content-type"] == "application/x-x509-ca-cert"
    assert authority.content == ssl.PEM_cert_to_DER_cert(files.ca.read_text())
    (by_name,) = await fetch(tmp_path, "localhost", trust, "/pair")
    assert by_name.status_code == 200


async def test_not_believed_without_the_authority_nor_under_another_name(tmp_path: Path) -> None:
    make(tmp_path, "stillroom.local")
    with pytest.raises((httpx.ConnectError, ExceptionGroup)):
        await fetch(tmp_path, "127.0.0.1", ssl.create_default_context(), "/pair")
    trust = ssl.create_default_context(cafile=str(certificate_files(tmp_path).ca))
    with pytest.raises((httpx.ConnectError, ExceptionGroup)):
        await fetch(tmp_path, "127.0.0.1", trust, "/pair")


def test_only_the_servers_key_is_kept_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    make(tmp_path, "stillroom.local")
    files = certificate_files(tmp_path)
    assert stat.S_IMODE(files.key.stat().st_mode) == 0o600
    assert stat.S_IMODE(files.key.parent.stat().st_mode) == 0o700
    assert sorted(path.name for path in files.key.parent.iterdir()) == ["ca.pem", "server.key", "server.pem"]
    assert "PRIVATE" not in files.ca.read_text() + files.certificate.read_text()


def test_one_that_is_there_is_not_lost_unasked(tmp_path: Path) -> None:
    now = datetime(2026, 3, 1, tzinfo=UTC)
    before = make_certificate(tmp_path, ["10.0.0.2"], now).certificate.read_bytes()
    with pytest.raises(UserError, match="--replace"):
        make_certificate(tmp_path, ["10.0.0.2"], now)
    assert certificate_files(tmp_path).certificate.read_bytes() == before
    make_certificate(tmp_path, ["10.0.0.2"], now, replace=True)
    assert certificate_files(tmp_path).certificate.read_bytes() != before


@pytest.mark.parametrize("host", ["", "a b", "http://room", "räume.local", "room..local"])
def test_what_is_no_host_is_one_clear_line(tmp_path: Path, host: str) -> None:
    with pytest.raises(UserError, match="expected a name such as"):
        make_certificate(tmp_path, [host], datetime(2026, 3, 1, tzinfo=UTC))
    assert not certificate_files(tmp_path).key.exists()
