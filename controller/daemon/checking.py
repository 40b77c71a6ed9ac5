"""``stillroom check`` at work: asks the running daemon, or one started for the time, for a room check.

It speaks to the daemon as a page would, with a token of its own that it takes back. It must never start a
daemon where a session is open: that one would go on with it.
"""

import asyncio
import http.client
import json
import ssl
import sys
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any, Final
from urllib.parse import quote, urlsplit

from controller.core.room_check import Answer
from controller.daemon.lights import known_drivers
from controller.errors import RefusedError, UserError
from controller.journal import journal_path, open_journal
from controller.ports import Clock
from controller.running_daemon import FILE, find
from controller.web.access import Access, Role
from profiles.catalogue import LoadedSite, load_site

START_MS: Final = 60_000
LOOK_MS: Final = 500
ANSWER_S: Final = 20.0

View = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Caller:
    """Speaks to a daemon on this machine."""

    url: str
    token: str
    certificate: Path | None = None

    def call(self, method: str, path: str, body: object = None) -> View:
        """Make one call and return its JSON.

        Raises:
            RefusedError: it was refused (409); the text is the daemon's.
            UserError: the daemon does not answer, or not as it should.
        """
        try:
            connection = self._connection()
            headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            response = connection.getresponse()
            text = response.read()
            connection.close()
            answer = json.loads(text) if text else {}
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise UserError(f"the daemon at {self.url} does not answer: {error}") from None
        if response.status == 409:
            raise RefusedError("refused", str(answer.get("detail", "refused")))
        if response.status >= 400:
            raise UserError(f"the daemon at {self.url}: {answer.get('detail', response.status)}")
        return dict(answer)

    def _connection(self) -> http.client.HTTPConnection:
        parts = urlsplit(self.url)
        host = parts.hostname or "127.0.0.1"
        if parts.scheme == "http":
            return http.client.HTTPConnection(host, parts.port, timeout=ANSWER_S)
        # The certificate is made for the name that tablets type: here it is known by itself, not by a name.
        context = ssl.create_default_context(cafile=str(self.certificate) if self.certificate else None)
        context.check_hostname = False
        return http.client.HTTPSConnection(host, parts.port, timeout=ANSWER_S, context=context)


@asynccontextmanager
async def daemon_for_check(site_file: Path, data: Path, clock: Clock) -> AsyncIterator[Caller]:
    """Give a way to the running daemon, or to one that runs for the time.

    Raises:
        UserError: none runs and none can be started; one clear line.
    """
    loaded = load_site(site_file, drivers=known_drivers())
    access = Access(data, clock)
    token = access.issue_token(Role.INSTALLER, "room check")
    grant = access.grant_of(token)
    certificate = loaded.site.web.cert_file
    known_by = None if certificate is None else loaded.resolve(certificate)
    try:
        running = find(data)
        caller = Caller("" if running is None else running.url, token, known_by)
        if running is not None:
            if not await _answers(caller):
                # A second daemon on one data folder would be worse than no check.
                raise UserError(
                    f"the daemon (process {running.pid}) does not answer at {running.url}; if none runs, "
                    f"remove {data / FILE}"
                )
            yield caller
            return
        await _refuse_open_session(loaded, data)
        with tempfile.TemporaryFile() as said:
            process = await _start(site_file, data, said)
            try:
                yield Caller(await _address(process, data, caller, said, clock), token, known_by)
            finally:
                await _stop(process)
    finally:
        if grant is not None:
            access.revoke(grant.token_id)


async def _answers(caller: Caller) -> bool:
    try:
        await asyncio.to_thread(caller.call, "GET", "/api/v1/me")
    except UserError:
        return False
    return True


async def _start(site_file: Path, data: Path, said: IO[bytes]) -> asyncio.subprocess.Process:
    command = [sys.executable, "-m", "controller.cli", "run", f"--site={site_file}", f"--data={data}"]
    return await asyncio.create_subprocess_exec(
        *command,
        "--port=0",
        "--no-render",
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=said,
    )


async def _address(
    process: asyncio.subprocess.Process, data: Path, caller: Caller, said: IO[bytes], clock: Clock
) -> str:
    """Wait until the daemon that was started serves, and return where."""
    end_ms = clock.now_ms() + START_MS
    while clock.now_ms() < end_ms:
        if process.returncode is not None:
            said.seek(0)
            lines = said.read().decode("utf-8", "replace").strip().splitlines()
            raise UserError(lines[-1].removeprefix("stillroom: ") if lines else "the daemon ended at once")
        running = find(data)
        ours = running is not None and running.pid == process.pid
        if running is not None and ours and await _answers(replace(caller, url=running.url)):
            return running.url
        await clock.sleep_until(clock.now_ms() + LOOK_MS)
    raise UserError("the daemon did not start within a minute")


async def _stop(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    process.terminate()
    try:
        async with asyncio.timeout(ANSWER_S):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()


async def _refuse_open_session(loaded: LoadedSite, data: Path) -> None:
    for room in loaded.site.rooms:
        path = journal_path(data, room.id)
        if not path.is_file():
            continue
        journal = await open_journal(path)
        try:
            if await journal.open_session():
                raise UserError(
                    f"room {room.id} has an open session: go on with it by 'stillroom run', or end it"
                )
        finally:
            await journal.close()


async def check_room(
    caller: Caller,
    room: str,
    clock: Clock,
    *,
    profile: str | None,
    skip: tuple[str, ...],
    ask: Callable[[View], Answer] | None,
    seen: Callable[[View], None],
) -> View:
    """Carry one room's check out. ``seen`` is given each line once it is settled; ``ask`` answers a line.

    Raises:
        RefusedError: a session runs, a check runs already, or there is no such profile.
        UserError: the daemon went away.
    """
    path = f"/api/v1/rooms/{quote(room)}/check"

    async def call(method: str, where: str, body: object = None) -> View:
        return await asyncio.to_thread(caller.call, method, where, body)

    view = await call("POST", path, {"profile": profile, "skip": list(skip), "ask": ask is not None})
    told: set[str] = set()
    while True:
        for line in view["lines"]:
            if line["outcome"] in ("passed", "failed", "skipped") and line["id"] not in told:
                told.add(line["id"])
                seen(line)
        if not view["running"]:
            return view
        asking = next((line for line in view["lines"] if line["outcome"] == "asking"), None)
        if asking is not None and ask is not None:
            answer = await asyncio.to_thread(ask, asking)
            with suppress(RefusedError):  # it was too late: the check went on without
                await call("POST", f"{path}/answers", {"line": asking["id"], "answer": answer.value})
        await clock.sleep_until(clock.now_ms() + LOOK_MS)
        view = await call("GET", path)
