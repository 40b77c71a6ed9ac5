"""A simulated bridge as a child process, and its controls: for demo sites, tests and benchmarks.

Blocking; it must never be used on an event loop that has lamps to serve.
"""

import contextlib
import http.client
import json
import select
import ssl
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final, Self
from urllib.parse import urlsplit

from controller.errors import DriverError

START_TIMEOUT_S: Final = 20.0
STOP_TIMEOUT_S: Final = 5.0
CONTROL_TIMEOUT_S: Final = 5.0


@dataclass(slots=True)
class BridgeChild:
    """A running simulated bridge. ``url`` has scheme, host and port."""

    process: subprocess.Popen[str]
    url: str

    @classmethod
    def start(cls, *arguments: str) -> Self:
        """Start one with command-line arguments (``--lights 6 --user NAME`` …) and wait until it serves.

        Raises:
            DriverError: it did not start; the message is its own.
        """
        command: Sequence[str] = (sys.executable, "-m", "hardware.sim.bridge", *arguments)
        process = subprocess.Popen(  # noqa: S603 - our own module
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        line = ""
        if process.stdout is not None and select.select([process.stdout], [], [], START_TIMEOUT_S)[0]:
            line = process.stdout.readline()
        if " at " not in line:
            process.kill()
            _, errors = process.communicate(timeout=STOP_TIMEOUT_S)
            raise DriverError("simulated bridge", "start", errors.strip() or "no answer", may_retry=False)
        return cls(process, line.strip().rpartition(" at ")[2].rstrip("/"))

    def stop(self) -> None:
        """End it, politely and then not."""
        self.process.terminate()
        try:
            self.process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(STOP_TIMEOUT_S)
        for pipe in (self.process.stdout, self.process.stderr):
            if pipe is not None:
                pipe.close()

    def call(self, method: str, path: str, data: object = None) -> object:
        """Make one request and return its JSON, whatever the status.

        Raises:
            OSError: the bridge does not answer.
        """
        with contextlib.closing(self._connect()) as connection:
            connection.request(method, path, None if data is None else json.dumps(data))
            return json.loads(connection.getresponse().read())

    def live(self) -> dict[int, dict[str, object]]:
        """Return the lamps as an eye would see them now, by number."""
        answer = self.call("GET", "/sim/live")
        lights = answer["lights"] if isinstance(answer, dict) else {}
        return {int(number): dict(lamp) for number, lamp in lights.items()}

    def log(self, *, method: str = "PUT") -> list[dict[str, object]]:
        """Return what arrived at the API so far, in order."""
        answer = self.call("GET", "/sim/log")
        entries = answer if isinstance(answer, list) else []
        return [dict(entry) for entry in entries if entry["method"] == method]

    def set_faults(self, **faults: float) -> None:
        """Make the bridge ill; see ``bridge_model.Faults``."""
        self.call("POST", "/sim/faults", faults)

    def certificate_pin(self) -> str:
        """Return the SHA-256 of the bridge's certificate, in hex."""
        parts = urlsplit(self.url)
        pem = ssl.get_server_certificate((parts.hostname or "", parts.port or 443))
        return sha256(ssl.PEM_cert_to_DER_cert(pem)).hexdigest()

    def _connect(self) -> http.client.HTTPConnection:
        parts = urlsplit(self.url)
        host, port = parts.hostname or "127.0.0.1", parts.port or 80
        if parts.scheme == "http":
            return http.client.HTTPConnection(host, port, timeout=CONTROL_TIMEOUT_S)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        # Our own child on this machine, with a certificate that it made a moment ago.
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return http.client.HTTPSConnection(host, port, timeout=CONTROL_TIMEOUT_S, context=context)
