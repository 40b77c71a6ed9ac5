"""Listening in: the mix as the speakers get it, read from the player's tap.

It must never slow the player: whoever reads too slowly is cut off there, and the stream here ends.
"""

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Final

SAMPLE_RATE: Final = 48_000
CHANNELS: Final = 2
SAMPLE_FORMAT: Final = "s16le"
READ_BYTES: Final = 1 << 15


async def read_mix(tap: Path) -> AsyncGenerator[bytes, None]:
    """Yield the mix as it is played: 16-bit little-endian PCM, 48 kHz, two channels. Ends with the player.

    Raises:
        OSError: no player offers a tap there.
    """
    reader, writer = await asyncio.open_unix_connection(str(tap))
    try:
        while data := await reader.read(READ_BYTES):
            yield data
    finally:
        writer.close()
