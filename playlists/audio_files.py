"""Reading and writing audio files as float32 blocks: soundfile, and PyAV where soundfile cannot.

It must never let a vendor's exception out: whatever is wrong with a file becomes an ``AudioFileError``
with one clear line. It never holds more than a block.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final

import numpy as np
import soundfile as sf
from numpy.typing import NDArray

from controller.errors import StillroomError

_AV_SUFFIXES: Final = frozenset({".m4a", ".aac", ".mp4"})
_BLOCK_FRAMES: Final = 65_536
_MAX_CHANNELS: Final = 8


class AudioFileError(StillroomError):
    """An audio file cannot be read or written; the text is one line for a person."""


class _StraightFile(sf.SoundFile):  # type: ignore[misc]
    """A sound file that is read straight on.

    soundfile seeks after every read of a seekable file, and after a seek an MP3's decoder lacks the bytes
    its frames borrow from those before: read in pieces, some MP3s are partly zeros.
    """

    def seekable(self) -> bool:
        """Say no, so that reading does not seek."""
        return False


class OpenAudio:
    """An audio file being read: its rate in Hz, its channels, and its blocks in order."""

    def __init__(self, rate_hz: int, channels: int, blocks: Iterator[NDArray[np.float32]]) -> None:
        self.rate_hz = rate_hz
        self.channels = channels
        self.blocks = blocks


def content_hash(path: Path) -> str:
    """Return a hash of the file's whole content: the track's id wherever the file may move.

    Raises:
        AudioFileError: the file cannot be read.
    """
    digest = blake2b(digest_size=16)
    try:
        with path.open("rb") as file:
            while chunk := file.read(1 << 20):
                digest.update(chunk)
    except OSError as error:
        raise AudioFileError(f"cannot be read: {error.strerror or error}") from error
    return digest.hexdigest()


@contextmanager
def open_audio(path: Path) -> Iterator[OpenAudio]:
    """Open an audio file for reading once from its start.

    Raises:
        AudioFileError: it is missing, no audio, cut short in its header, or of a kind we cannot read.
    """
    if path.suffix.lower() in _AV_SUFFIXES:
        with _open_av(path) as audio:
            yield audio
        return
    try:
        file = _StraightFile(str(path))
    except (sf.SoundFileError, OSError) as error:
        raise AudioFileError(_line(error, path)) from error
    try:
        if file.channels > _MAX_CHANNELS or file.samplerate <= 0:
            raise AudioFileError(
                f"has {file.channels} channels at {file.samplerate} Hz: not music for a room"
            )
        yield OpenAudio(int(file.samplerate), int(file.channels), _blocks(file, path))
    finally:
        file.close()


def _blocks(file: sf.SoundFile, path: Path) -> Iterator[NDArray[np.float32]]:
    while True:
        try:
            block = file.read(_BLOCK_FRAMES, dtype="float32", always_2d=True)
        except (sf.SoundFileError, OSError, RuntimeError) as error:
            raise AudioFileError(_line(error, path)) from error
        if block.shape[0] == 0:
            return
        yield np.nan_to_num(block, copy=False, nan=0.0, posinf=1.0, neginf=-1.0)


def _line(error: Exception, path: Path) -> str:
    if not path.is_file():
        return "is missing"
    text = str(error).splitlines()[0] if str(error) else type(error).__name__
    for prefix in (f"Error opening '{path}': ", "Error : ", "Error in "):
        text = text.removeprefix(prefix)
    return f"is no audio that can be read: {text.rstrip('.')}"


@contextmanager
def _open_av(path: Path) -> Iterator[OpenAudio]:
    try:
        import av  # noqa: PLC0415 -- an optional extra, and slow to load
    except ImportError as error:
        raise AudioFileError("AAC needs the 'aac' extra: pip install 'stillroom[aac]'") from error
    try:
        container: Any = av.open(str(path))
    except (av.error.FFmpegError, OSError, ValueError) as error:
        raise AudioFileError(_line(error, path)) from error
    try:
        if not container.streams.audio:
            raise AudioFileError("is no audio that can be read: it holds no sound")
        stream = container.streams.audio[0]
        channels = int(stream.codec_context.channels)
        rate = int(stream.codec_context.sample_rate)
        if not 0 < channels <= _MAX_CHANNELS or rate <= 0:
            raise AudioFileError(f"has {channels} channels at {rate} Hz: not music for a room")
        yield OpenAudio(rate, channels, _av_blocks(container, stream, path))
    finally:
        container.close()


def _av_blocks(container: Any, stream: Any, path: Path) -> Iterator[NDArray[np.float32]]:  # noqa: ANN401 -- PyAV is optional: its types may not be there
    import av  # noqa: PLC0415 -- an optional extra, and slow to load

    try:
        resampler = av.AudioResampler(
            format="flt", layout=stream.codec_context.layout, rate=stream.codec_context.sample_rate
        )
        for frame in container.decode(stream):
            for even in resampler.resample(frame):
                data = np.asarray(even.to_ndarray(), dtype=np.float32)
                yield data.reshape(-1, stream.codec_context.channels)
    except (av.error.FFmpegError, OSError, ValueError) as error:
        raise AudioFileError(_line(error, path)) from error


class FlacWriter:
    """Writes 16-bit stereo FLAC at 48 kHz, with triangular dither so that quiet endings stay clean.

    Dither is seeded: the same samples give the same file.
    """

    def __init__(self, path: Path, seed: int, rate_hz: int = 48_000) -> None:
        """Open the file for writing.

        Raises:
            AudioFileError: it cannot be created.
        """
        self._path = path
        self._noise = np.random.Generator(np.random.PCG64(seed))
        try:
            self._file: Any = sf.SoundFile(
                str(path), "w", rate_hz, 2, subtype="PCM_16", format="FLAC", compression_level=0.6
            )
        except (sf.SoundFileError, OSError) as error:
            raise AudioFileError(_writing(error, path)) from error

    def write(self, block: NDArray[np.float32]) -> None:
        """Add frames, shape (frames, 2), within -1 and 1.

        Raises:
            AudioFileError: the disk is full, or gone.
        """
        dither = self._noise.random(block.shape, dtype=np.float32)
        dither -= self._noise.random(block.shape, dtype=np.float32)
        samples = np.clip(np.rint(block * np.float32(32767.0) + dither), -32768, 32767).astype(np.int16)
        try:
            self._file.write(samples)
        except (sf.SoundFileError, OSError, RuntimeError, AssertionError) as error:
            raise AudioFileError(_writing(error, self._path)) from error

    def close(self) -> None:
        """Finish the file.

        Raises:
            AudioFileError: the last of it could not be written.
        """
        try:
            self._file.close()
        except (sf.SoundFileError, OSError, RuntimeError) as error:
            raise AudioFileError(_writing(error, self._path)) from error


def _writing(error: Exception, path: Path) -> str:
    text = str(error).splitlines()[0] if str(error) else type(error).__name__
    return f"{path}: cannot be written: {text}"
