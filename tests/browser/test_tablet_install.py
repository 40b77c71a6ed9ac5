"""The tablet as an installed app: over TLS with the clinic's own certificate, in Chromium's own judgement."""

import asyncio
import base64
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from page_waits import until_so
from web_fake_room import FakeRoom
from web_serving import PIN

from controller.certificates import certificate_files, make_certificate
from controller.clock import RealClock
from controller.web.access import Access
from controller.web.app import create_app
from controller.web.serving import Tls, serve

pytestmark = pytest.mark.asyncio(loop_scope="session")  # one browser for all

WAKE_LOCKS = """() => {
  window.locks = [];
  const request = navigator.wakeLock.request.bind(navigator.wakeLock);
  navigator.wakeLock.request = async (kind) => {
    const lock = await request(kind);
    window.locks.push(kind);
    return lock;
  };
}"""


def spki_of(certificate: Path) -> str:
    """The hash by which Chromium can be told to trust one key."""
    key = x509.load_pem_x509_certificate(certificate.read_bytes()).public_key()
    der = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(hashlib.sha256(der).digest()).decode()


@asynccontextmanager
async def secure_site(data: Path) -> AsyncIterator[tuple[str, str, Access]]:
    """The web app under TLS with a certificate of its own; its address and its key's hash."""
    make_certificate(data, ["localhost", "127.0.0.1"], datetime(2026, 3, 1, tzinfo=UTC))
    files = certificate_files(data)
    clock = RealClock()
    access = Access(data, clock, PIN)
    app = create_app({"garden": FakeRoom(clock)}, access, tuple, clock, secure=True)
    port: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    async with asyncio.TaskGroup() as tasks:
        tls = Tls(files.certificate, files.key)
        task = tasks.create_task(serve(app, "127.0.0.1", 0, tls=tls, started=port.set_result))
        yield f"https://127.0.0.1:{await port}", spki_of(files.certificate), access
        task.cancel()


@asynccontextmanager
async def installed_browser(profile: Path, spki: str) -> AsyncIterator[Any]:
    """A Chromium with a profile of its own (one that forgets cannot install anything)."""
    from playwright.async_api import async_playwright

    async with async_playwright() as play:
        context = await play.chromium.launch_persistent_context(
            str(profile),
            executable_path="/usr/bin/chromium",
            args=["--no-sandbox", "--disable-gpu", f"--ignore-certificate-errors-spki-list={spki}"],
        )
        yield context
        await context.close()


async def test_it_can_be_installed_and_keeps_the_screen_on(tmp_path: Path) -> None:
    async with (
        secure_site(tmp_path) as (url, spki, access),
        installed_browser(tmp_path / "p", spki) as context,
    ):
        token = access.issue_token("therapist", "tablet")
        cookie = {"name": "__Host-stillroom", "value": token, "url": url, "secure": True, "httpOnly": True}
        await context.add_cookies([{**cookie, "sameSite": "Strict"}])
        page = await context.new_page()
        await page.add_init_script(f"({WAKE_LOCKS})()")
        await page.goto(f"{url}/rooms/garden/live")
        await page.wait_for_selector("[data-link=live]", timeout=30_000)
        assert await page.evaluate("isSecureContext")
        assert await page.evaluate("navigator.serviceWorker.ready.then(r => Boolean(r.active))")
        await until_so(page, "window.locks.join() === 'screen'")
        await page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
        await until_so(page, "window.locks.length === 2")  # it is asked for anew when the page is back
        devtools = await context.new_cdp_session(page)
        manifest = await devtools.send("Page.getAppManifest")
        assert manifest["errors"] == []
        found = await devtools.send("Page.getInstallabilityErrors")
        assert found["installabilityErrors"] == []
