"""Where a prompt device shows its words: a page for its own browser, the terminal, and the backlight.

It shows one prompt at a time, fades in and out, and is black otherwise. It serves its page to this machine
alone, loads nothing from anywhere, and never makes a sound.
"""

import asyncio
import json
import logging
import sys
from contextlib import suppress
from pathlib import Path
from typing import Final, Protocol, TextIO

from controller.errors import PortInUseError
from controller.ports import Clock

_log = logging.getLogger(__name__)

FADE_MS: Final = 2_000
_STEP_MS: Final = 40
_HEADERS: Final = (
    "Content-Security-Policy: default-src 'self'; frame-ancestors 'none'\r\n"
    "X-Content-Type-Options: nosniff\r\nReferrer-Policy: no-referrer\r\nCache-Control: no-store\r\n"
)

_PAGE: Final = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Stillroom</title>
<meta name="viewport" content="width=device-width"><link rel="stylesheet" href="/page.css"></head>
<body><p id="words" aria-live="polite"></p><script src="/page.js"></script></body></html>
"""
_STYLE: Final = """html,body{margin:0;height:100%;background:#050302;cursor:none}
body{display:flex;align-items:center;justify-content:center}
p{max-width:80vw;margin:0;color:#a8641e;font:300 7vmin/1.5 system-ui,sans-serif;text-align:center;
opacity:0;transition:opacity 2s}
p.here{opacity:1}
"""
_SCRIPT: Final = """const words = document.getElementById("words");
new EventSource("/events").onmessage = (event) => {
  const text = JSON.parse(event.data);
  if (text) words.textContent = text;
  words.classList.toggle("here", text !== "");
};
"""
_FILES: Final = {
    "/": ("text/html; charset=utf-8", _PAGE),
    "/page.css": ("text/css", _STYLE),
    "/page.js": ("text/javascript", _SCRIPT),
}


class Screen(Protocol):
    """Something words can be seen on."""

    async def show(self, text: str) -> None:
        """Fade words in."""
        ...

    async def clear(self) -> None:
        """Fade them out."""
        ...


class TerminalScreen:
    """Words on a terminal, amber."""

    def __init__(self, out: TextIO = sys.stdout) -> None:
        self._out = out

    async def show(self, text: str) -> None:
        """Print the words, without anything in them that a terminal would obey."""
        plain = "".join(sign for sign in text if sign.isprintable())
        self._out.write(f"\x1b[38;5;172m\n    {plain}\n\x1b[0m\n" if self._out.isatty() else f"{plain}\n")
        self._out.flush()

    async def clear(self) -> None:
        """Leave it: a terminal scrolls by itself."""


class PageScreen:
    """A full-screen page at ``http://127.0.0.1:port/`` for a browser on this machine."""

    def __init__(self, port: int) -> None:
        self.port = port
        self._text = ""
        self._watchers: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None

    async def open(self) -> None:
        """Begin to serve.

        Raises:
            PortInUseError: another program has the port.
        """
        try:
            self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port, limit=8_192)
        except OSError:
            raise PortInUseError(f"prompt device: port {self.port} belongs to another program") from None
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Stop serving."""
        if self._server is not None:
            self._server.close()
        for watcher in tuple(self._watchers):
            watcher.transport.abort()

    async def show(self, text: str) -> None:
        """Fade words in on every page that is open."""
        self._tell(text)

    async def clear(self) -> None:
        """Fade them out."""
        self._tell("")

    def _tell(self, text: str) -> None:
        self._text = text
        for watcher in tuple(self._watchers):
            watcher.write(f"data: {json.dumps(text)}\n\n".encode())

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(5):
                request = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            method, path, *_ = request.split(" ", 2)
            host = next(
                (line[5:].strip() for line in request.splitlines() if line.lower().startswith("host:")), ""
            )
            if method != "GET" or host.partition(":")[0] not in {"127.0.0.1", "localhost"}:
                writer.write(f"HTTP/1.1 403 Forbidden\r\n{_HEADERS}Connection: close\r\n\r\n".encode())
            elif path == "/events" and len(self._watchers) < 8:
                await self._keep_telling(reader, writer)
            else:
                kind, body = _FILES.get(path, ("", ""))
                status = "200 OK" if kind else "404 Not Found"
                head = f"HTTP/1.1 {status}\r\nContent-Type: {kind or 'text/plain'}\r\n{_HEADERS}"
                writer.write(
                    f"{head}Content-Length: {len(body.encode())}\r\nConnection: close\r\n\r\n{body}".encode()
                )
            await writer.drain()
        except (OSError, EOFError, ValueError, TimeoutError, asyncio.LimitOverrunError):
            pass  # a browser that went away, or something that is none
        except asyncio.CancelledError:
            pass  # we are closing
        finally:
            writer.close()

    async def _keep_telling(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(f"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n{_HEADERS}\r\n".encode())
        writer.write(f"data: {json.dumps(self._text)}\n\n".encode())
        self._watchers.add(writer)
        try:
            await reader.read()  # until the browser goes
        finally:
            self._watchers.discard(writer)


class Backlight:
    """A panel's backlight under ``/sys/class/backlight``: up with the words, down after them."""

    def __init__(self, clock: Clock, folder: Path, *, most_percent: float = 40.0) -> None:
        self._clock = clock
        self._file = folder / "brightness"
        self._most = self._read(folder / "max_brightness") * most_percent / 100
        self._level = 0.0

    @staticmethod
    def find(clock: Clock, root: Path = Path("/sys/class/backlight")) -> "Backlight | None":
        """Return the first backlight there is, or None."""
        try:
            folders = sorted(root.iterdir())
        except OSError:
            return None
        return Backlight(clock, folders[0]) if folders else None

    async def fade(self, *, up: bool) -> None:
        """Fade in two seconds, evenly to the eye (a cube), from where it is."""
        start, goal = self._level, 1.0 if up else 0.0
        began = self._clock.now_ms()
        while self._level != goal:
            await self._clock.sleep_until(self._clock.now_ms() + _STEP_MS)
            part = min(1.0, (self._clock.now_ms() - began) / FADE_MS)
            self._level = goal if part >= 1.0 else start + (goal - start) * part
            with suppress(OSError):
                self._file.write_text(str(round(self._most * self._level**3)))

    @staticmethod
    def _read(path: Path) -> int:
        try:
            return int(path.read_text())
        except (OSError, ValueError):
            return 0
