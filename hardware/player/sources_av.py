"""AAC files through PyAV. Only ``sources`` imports this, and only when one is played.

Seeks are exact: it goes a little before and drops frames by their time stamps.
"""

from collections.abc import Iterator
from typing import Final

import av
import av.error
import numpy as np

from hardware.player.sources import SourceError, stereo
from hardware.player.units import Block

RUN_UP_S: Final = 1.0


class AvReader:
    """One AAC file."""

    def __init__(self, path: str) -> None:
        self._path = path
        try:
            self._container = av.open(path)
            self._stream = self._container.streams.audio[0]
        except (av.error.FFmpegError, OSError, ValueError, IndexError) as error:
            raise SourceError(path, f"not a sound file that can be read ({str(error)[:160]})") from None
        self.rate: int = self._stream.rate or 48_000
        base = self._stream.time_base
        self.frames: int | None = (
            round(self._stream.duration * base * self.rate) if self._stream.duration and base else None
        )
        self._skip_to = 0
        self._spare: Block | None = None
        self._decoded = self._decode()

    def seek(self, frame: int) -> None:
        """Go to a frame, exactly."""
        self._skip_to = frame
        before_us = max(0, round((frame / self.rate - RUN_UP_S) * 1_000_000))
        try:
            self._container.seek(before_us)
        except (av.error.FFmpegError, OSError) as error:
            raise SourceError(self._path, f"cannot go to frame {frame}: {error}") from None
        self._spare, self._decoded = None, self._decode()

    def read(self, frames: int) -> Block:
        """Return up to so many frames as stereo; empty at the end."""
        parts: list[Block] = []
        wanted = frames
        while wanted > 0:
            part = self._spare if self._spare is not None else next(self._decoded, None)
            if part is None:
                break
            parts.append(part[:wanted])
            self._spare = part[wanted:] if len(part) > wanted else None
            wanted -= len(parts[-1])
        return np.concatenate(parts) if parts else np.zeros((0, 2), dtype=np.float32)

    def _decode(self) -> Iterator[Block]:
        resampler = av.AudioResampler(format="fltp")
        try:
            for frame in self._container.decode(self._stream):
                at = round((frame.time or 0.0) * self.rate)
                for flat in resampler.resample(frame):
                    sound = stereo(np.asarray(flat.to_ndarray(), dtype=np.float32).T)
                    drop = max(0, self._skip_to - at)
                    at += len(sound)
                    if drop < len(sound):
                        yield sound[drop:]
        except (av.error.FFmpegError, OSError, ValueError) as error:
            raise SourceError(self._path, f"the file is damaged: {str(error)[:160]}") from None

    def close(self) -> None:
        """Let go of the file."""
        self._container.close()
