"""Listening in: the player's mix as a live Ogg Opus stream, which browsers play in a plain audio element.

It reads the player's tap, which cuts off whoever is slow, and encodes in a thread. It keeps a second of sound
at most and must never hold up the player: the tap never waits, and a reader that stalls is dropped.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path
from typing import Final

import numpy as np
import soundfile

from controller.errors import DriverError
from hardware.player.tap import CHANNELS, SAMPLE_RATE, read_mix

MEDIA_TYPE: Final = "audio/ogg; codecs=opus"
QUALITY: Final = 0.6
"""Compression, 0 (least) to 1: about 128 kbit/s."""
CHUNK_BYTES: Final = SAMPLE_RATE // 5 * CHANNELS * 2
"""0.2 s of sound is encoded at a time."""


class _Pages:
    """What libsndfile writes, until it is taken: a file that only grows."""

    def __init__(self) -> None:
        self._waiting = bytearray()
        self._end = 0

    def write(self, data: bytes) -> int:
        """Take encoded bytes."""
        self._waiting += bytes(data)
        self._end += len(data)
        return len(data)

    def read(self, count: int) -> bytes:
        """Nothing can be read back."""
        del count
        return b""

    def seek(self, offset: int, whence: int = 0) -> int:
        """Say where the end is: Ogg is written straight on, and only the length is asked for."""
        del offset, whence
        return self._end

    def tell(self) -> int:
        """Return how much was written."""
        return self._end

    def take(self) -> bytes:
        """Return what was written since the last time."""
        taken, self._waiting = bytes(self._waiting), bytearray()
        return taken


class OpusStream:
    """Encodes 16-bit PCM, 48 kHz stereo, to Ogg Opus pages of a second."""

    def __init__(self) -> None:
        """Begin a stream.

        Raises:
            DriverError: this libsndfile cannot encode Opus.
        """
        self._pages = _Pages()
        try:
            self._file = soundfile.SoundFile(
                self._pages,
                "w",
                SAMPLE_RATE,
                CHANNELS,
                format="OGG",
                subtype="OPUS",
                compression_level=QUALITY,
            )
        except (soundfile.SoundFileError, TypeError, ValueError) as error:
            raise DriverError("listening in", "encode", str(error), may_retry=False) from None

    def encode(self, pcm: bytes) -> bytes:
        """Return the pages that are full with this sound; often none."""
        self._file.write(np.frombuffer(pcm, dtype="<i2").reshape(-1, CHANNELS))
        return self._pages.take()

    def finish(self) -> bytes:
        """Return what is left."""
        self._file.close()
        return self._pages.take()


async def stream_mix(tap: Path) -> AsyncGenerator[bytes, None]:
    """Yield the mix as Ogg Opus, live. Ends with the player, or when the reader has been too slow.

    Raises:
        DriverError: no player offers its mix there, or it cannot be encoded.
    """
    encoder = OpusStream()
    waiting = bytearray()
    try:
        async with aclosing(read_mix(tap)) as mix:
            async for data in mix:
                waiting += data
                whole = len(waiting) // CHUNK_BYTES * CHUNK_BYTES
                if whole:
                    pages = await asyncio.to_thread(encoder.encode, bytes(waiting[:whole]))
                    del waiting[:whole]
                    if pages:
                        yield pages
    except OSError as error:
        raise DriverError(
            "listening in", "open", f"no player offers its mix: {error.strerror or error}", may_retry=True
        ) from None
    finally:
        await asyncio.to_thread(encoder.finish)
