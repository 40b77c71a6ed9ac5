"""Sound files, opened and read as stereo float32: soundfile for most, PyAV for AAC.

It turns every decoder's exception into ``SourceError`` and must never hand out anything but finite samples.
"""

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

import numpy as np
import soundfile

from controller.errors import DriverError
from hardware.player.units import CHANNELS, Block

if TYPE_CHECKING:
    from hardware.player.sources_av import AvReader

AAC_SUFFIXES: Final = frozenset({".m4a", ".aac", ".mp4", ".m4b", ".adts"})
LOUDEST_SAMPLE: Final = 8.0
"""No honest file goes beyond +18 dBFS; a broken one shall not either."""
MP3_RUN_UP_S: Final = 2
"""An MP3 is exact only some frames after a seek, so it is read on from a little before."""
FRONT_CENTRE: Final = 0.7071


class SourceError(DriverError):
    """A file cannot be opened, or not be read on."""

    def __init__(self, path: str, message: str) -> None:
        super().__init__(Path(path).name, "read", message, may_retry=False)
        self.reason = message


class Reader(Protocol):
    """One open file. ``frames`` is how many it says it has, or None if it does not say."""

    rate: int
    frames: int | None

    def seek(self, frame: int) -> None:
        """Go to a frame, exactly."""
        ...

    def read(self, frames: int) -> Block:
        """Return up to so many frames as stereo; empty at the end.

        Raises:
            SourceError: the file is damaged here.
        """
        ...

    def close(self) -> None:
        """Let go of the file."""
        ...


def stereo(sound: Block) -> Block:
    """Return frames by any channels as finite, bounded stereo. Surround: front pair plus centre."""
    if sound.shape[1] == 1:
        sound = np.repeat(sound, CHANNELS, axis=1)
    elif sound.shape[1] > CHANNELS:
        front = sound[:, :2] + FRONT_CENTRE * sound[:, 2:3]
        sound = np.asarray(front / (1.0 + FRONT_CENTRE), dtype=np.float32)
    largest = np.abs(sound).max(initial=0.0)
    if not largest <= LOUDEST_SAMPLE:
        sound = np.clip(np.nan_to_num(sound, posinf=0.0, neginf=0.0), -LOUDEST_SAMPLE, LOUDEST_SAMPLE)
    return np.ascontiguousarray(sound, dtype=np.float32)


class _StraightFile(soundfile.SoundFile):  # type: ignore[misc]
    """A sound file that is read straight on.

    soundfile seeks after every read of a seekable file, and after a seek an MP3's decoder lacks the bytes
    its frames borrow from those before: read in pieces, some MP3s are mostly zeros (docs/decisions/0003).
    """

    def seekable(self) -> bool:
        """Say no, so that reading does not seek."""
        return False


class SoundFileReader:
    """FLAC, WAV, Ogg, Opus, MP3 … through libsndfile."""

    def __init__(self, path: str) -> None:
        self._path = path
        try:
            self._file = _StraightFile(path)
        except (soundfile.SoundFileError, OSError, ValueError, TypeError) as error:
            raise SourceError(path, _plain(path, error)) from None
        self.rate: int = self._file.samplerate
        self.frames: int | None = self._file.frames
        if self.frames <= 0 or not 1_000 <= self.rate <= 768_000:
            self._file.close()
            raise SourceError(path, "there is no sound in the file")

    def seek(self, frame: int) -> None:
        """Go to a frame, exactly."""
        try:
            run_up = min(frame, MP3_RUN_UP_S * self.rate) if self._file.format in ("MP3", "MPEG") else 0
            self._file.seek(frame - run_up)
            if run_up:
                self._file.read(run_up, dtype="float32")
        except (soundfile.SoundFileError, OSError, ValueError) as error:
            raise SourceError(self._path, f"cannot go to frame {frame}: {error}") from None

    def read(self, frames: int) -> Block:
        """Return up to so many frames as stereo; empty at the end."""
        try:
            sound = self._file.read(frames, dtype="float32", always_2d=True)
        except (soundfile.SoundFileError, OSError, ValueError) as error:
            raise SourceError(self._path, f"the file is damaged: {error}") from None
        return stereo(sound)

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()


def open_reader(path: str) -> Reader:
    """Open a sound file.

    Raises:
        SourceError: it is missing, not a sound file, or needs PyAV and that is not installed.
    """
    if not Path(path).is_file():
        raise SourceError(path, "the file is missing")
    if Path(path).suffix.lower() in AAC_SUFFIXES:
        return _open_av(path)
    return SoundFileReader(path)


def _open_av(path: str) -> "AvReader":
    if importlib.util.find_spec("av") is None:
        raise SourceError(path, "AAC needs the 'aac' extra (pip install 'stillroom[aac]')")
    from hardware.player.sources_av import AvReader  # noqa: PLC0415 (PyAV is optional and large)

    return AvReader(path)


def _plain(path: str, error: Exception) -> str:
    text = str(error).replace(path, Path(path).name)
    return f"not a sound file that can be read ({text[:160]})"
