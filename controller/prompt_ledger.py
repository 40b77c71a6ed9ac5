"""Which prompts went out that the journal could not take: a small file that a full disk has room for.

Its space is taken when a room opens, and notes are written over it in place, in a ring. So a daemon that dies
on a full disk leaves word of what its devices were sent, and the next one does not send it again. It must
never grow, and never hold a prompt's words.
"""

import os
from contextlib import closing, suppress
from pathlib import Path
from typing import Final

PLACES: Final = 256
"""Prompts that can be noted before the oldest is written over; a session has some dozens."""
WIDTH: Final = 128
"""Bytes for each, in one write: a note is there whole or not at all."""


class PromptLedger:
    """The ring of one room. Every method blocks: call it on a thread that may wait for the disk."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._next: int | None = None

    def prepare(self) -> None:
        """Take the space, if it is not taken yet. Without it ``note`` answers False."""
        with suppress(OSError):
            if self.path.exists() and self.path.stat().st_size == PLACES * WIDTH:
                return
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with closing(_Opened(self.path, os.O_RDWR | os.O_CREAT)) as file:
                file.write(b"\n".rjust(WIDTH) * PLACES, 0)

    def note(self, session_id: str, prompt_id: str) -> bool:
        """Note, durably, that a prompt is about to go out; False if that cannot be done."""
        line = f"{session_id} {prompt_id}".encode()
        if len(line) >= WIDTH:
            return False
        try:
            if self._next is None:
                self._next = len(self._read()) % PLACES
            with closing(_Opened(self.path, os.O_RDWR)) as file:
                if os.fstat(file.fd).st_size != PLACES * WIDTH:
                    return False
                file.write(line.ljust(WIDTH - 1) + b"\n", self._next * WIDTH)
        except OSError:
            return False
        self._next = (self._next + 1) % PLACES
        return True

    def noted(self, session_id: str) -> tuple[str, ...]:
        """Return the prompts of a session that were noted; none if the file cannot be read."""
        with suppress(OSError):
            notes = (line.split() for line in self._read())
            return tuple(dict.fromkeys(note[1] for note in notes if len(note) == 2 and note[0] == session_id))
        return ()

    def _read(self) -> list[str]:
        text = self.path.read_bytes().decode("utf-8", errors="replace")
        return [line for line in text.split("\n") if line.strip()]


class _Opened:
    """An open file that writes in place and waits for the disk."""

    def __init__(self, path: Path, flags: int) -> None:
        self.fd = os.open(path, flags, 0o600)

    def write(self, data: bytes, at: int) -> None:
        """Write whole, and through to the disk."""
        if os.pwrite(self.fd, data, at) != len(data):
            raise OSError("the disk took only a part of it")
        os.fsync(self.fd)

    def close(self) -> None:
        """Let go of the file."""
        os.close(self.fd)
