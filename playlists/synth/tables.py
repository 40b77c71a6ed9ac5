"""Sound tables: short stereo buffers made from spectra, most of them seamless loops.

A table is a float32 array of shape (frames, 2) at 48 kHz. A loop is made by one inverse FFT of a
spectrum with random phases, so its last sample runs on into its first without any seam; a narrow band
round each partial gives the slow beating of many players. It must never draw from any randomness but
the generator that it is handed.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

RATE_HZ: Final = 48_000
Table: TypeAlias = NDArray[np.float32]
Shape: TypeAlias = Callable[[NDArray[np.float32]], NDArray[np.float32]]

LOOP_FRAMES: Final = 2**20
"""21.8 s: long enough that its return is not heard under slow fades, and quick to transform."""
LOOP_RMS: Final = 0.1
_STEADY_HZ: Final = 700.0
"""Partials below this get a steady line, the more the lower they are."""
_BASS_HZ: Final = 140.0
"""Below this both channels carry the same: a low note that wanders between loudspeakers is unrestful."""


@dataclass(frozen=True, slots=True)
class Timbre:
    """The colour of a tone.

    ``rolloff`` is the exponent by which partials weaken; ``even`` weighs the even ones; ``cents`` is how
    wide each partial is smeared; above ``bright_hz`` everything falls away softly.
    """

    partials: int = 10
    rolloff: float = 1.6
    even: float = 0.7
    cents: float = 12.0
    bright_hz: float = 1800.0
    width: float = 0.8


def _band_hz(hz: float, cents: float) -> float:
    return float(hz * (2.0 ** (cents / 1200.0) - 1.0))


def pad_loop(
    notes: Sequence[tuple[float, float]], timbre: Timbre, rng: np.random.Generator, frames: int = LOOP_FRAMES
) -> Table:
    """Return a seamless loop of held notes, each given as (Hz, amplitude)."""
    magnitude = np.zeros(frames // 2 + 1, dtype=np.float32)
    for hz, amplitude in notes:
        for number in range(1, timbre.partials + 1):
            partial_hz = hz * number
            dull = float(np.exp(-((partial_hz / timbre.bright_hz) ** 2)))
            weight = amplitude * number**-timbre.rolloff * dull * (timbre.even if number % 2 == 0 else 1.0)
            if weight > 1e-5:
                spread_hz = max(_band_hz(partial_hz, timbre.cents) / 2, 0.08)
                _add_partial(magnitude, partial_hz, spread_hz, weight)
    return _from_magnitude(magnitude, timbre.width, rng, frames)


def _add_partial(magnitude: NDArray[np.float32], hz: float, spread_hz: float, weight: float) -> None:
    per_hz = (magnitude.size - 1) * 2 / RATE_HZ
    centre, sigma = hz * per_hz, spread_hz * per_hz
    low, high = max(int(centre - 4 * sigma), 1), min(int(centre + 4 * sigma) + 2, magnitude.size)
    if low >= high:
        return
    bins = np.arange(low, high, dtype=np.float32)
    magnitude[low:high] += weight / np.sqrt(sigma) * np.exp(-0.5 * ((bins - centre) / sigma) ** 2)
    # Noise alone would let a low note fade to nothing now and then; a steady line in its middle carries it.
    steady = float(np.clip((_STEADY_HZ - hz) / _STEADY_HZ, 0.0, 1.0))
    magnitude[min(round(centre), magnitude.size - 1)] += weight * 2.2 * steady


def noise_loop(
    shape: Shape, width: float, rng: np.random.Generator, frames: int = LOOP_FRAMES, *, mono_bass: bool = True
) -> Table:
    """Return a seamless loop of noise whose spectrum follows ``shape`` (Hz to magnitude)."""
    hz = np.arange(frames // 2 + 1, dtype=np.float32) * np.float32(RATE_HZ / frames)
    return _from_magnitude(shape(hz).astype(np.float32), width, rng, frames, mono_bass=mono_bass)


def _from_magnitude(
    magnitude: NDArray[np.float32],
    width: float,
    rng: np.random.Generator,
    frames: int,
    *,
    mono_bass: bool = True,
) -> Table:
    """Give a magnitude spectrum random phases, left and right related by ``width`` (0 mono, 1 apart)."""
    magnitude[0] = 0.0
    used = np.flatnonzero(magnitude > magnitude.max() * 1e-5)
    heard = magnitude[used]
    left_part = heard * _phases(used.size, rng)
    apart = heard * _phases(used.size, rng)
    angle = np.full(used.size, width * np.pi / 2, dtype=np.float32)
    if mono_bass:
        hz = used * (RATE_HZ / frames)
        angle *= np.clip((hz - _BASS_HZ / 2) / _BASS_HZ, 0.0, 1.0).astype(np.float32)
    table = np.empty((frames, 2), dtype=np.float32)
    spectrum = np.zeros(magnitude.size, dtype=np.complex64)
    spectrum[used] = left_part
    table[:, 0] = np.fft.irfft(spectrum, frames)
    spectrum[used] = left_part * np.cos(angle) + apart * np.sin(angle)
    table[:, 1] = np.fft.irfft(spectrum, frames)
    return scaled(table)


def _phases(count: int, rng: np.random.Generator) -> NDArray[np.complex64]:
    turns = rng.random(count, dtype=np.float32) * np.float32(2 * np.pi)
    phases: NDArray[np.complex64] = np.exp(1j * turns).astype(np.complex64)
    return phases


def scaled(table: Table, rms: float = LOOP_RMS) -> Table:
    """Return the table brought to a root mean square, in place."""
    flat = table.reshape(-1)
    level = float(np.sqrt(np.dot(flat, flat) / max(flat.size, 1)))
    if level > 0.0:
        table *= np.float32(rms / level)
    return table


def peak_scaled(table: Table, peak: float) -> Table:
    """Return the table brought to a sample peak, in place: for struck sounds."""
    level = float(np.abs(table).max(initial=0.0))
    if level > 0.0:
        table *= np.float32(peak / level)
    return table


def slow_wander(frames: int, fastest_hz: float, rng: np.random.Generator) -> NDArray[np.float32]:
    """Return a seamless random curve between about -1 and 1 that moves no faster than ``fastest_hz``."""
    coarse = 480
    points = max(frames // coarse, 4)
    seconds = frames / RATE_HZ
    count = max(int(fastest_hz * seconds), 1)
    spectrum = np.zeros(points // 2 + 1, dtype=np.complex64)
    top = min(count, spectrum.size - 1)
    spectrum[1 : top + 1] = _phases(top, rng) * rng.random(top, dtype=np.float32)
    curve = np.fft.irfft(spectrum, points)
    curve /= max(float(np.abs(curve).max()), 1e-9)
    around = np.append(curve, curve[0])
    where = np.linspace(0.0, points, frames, endpoint=False)
    wander: NDArray[np.float32] = np.interp(where, np.arange(points + 1), around).astype(np.float32)
    return wander


def room_response(seconds: float, rng: np.random.Generator, bright_hz: float = 2500.0) -> Table:
    """Return the impulse response of a soft, dark room: noise that decays by 60 dB in ``seconds``."""
    frames = _smooth_size(int(seconds * RATE_HZ))
    table = noise_loop(lambda hz: np.exp(-((hz / bright_hz) ** 2)), 1.0, rng, frames, mono_bass=False)
    at = np.arange(frames, dtype=np.float32) / RATE_HZ
    onset = np.minimum(at / 0.03, 1.0)
    table *= (onset * np.exp(-6.9 * at / seconds))[:, None].astype(np.float32)
    flat = table.reshape(-1)
    table *= np.float32(1.0 / max(float(np.sqrt(np.dot(flat, flat) / 2)), 1e-9))
    return table


def in_room(dry: Table, room: Table, wet: float, *, looped: bool = False) -> Table:
    """Return a table as heard in a room; a looped one keeps its length, others grow by the tail."""
    frames = dry.shape[0] if looped else _smooth_size(dry.shape[0] + room.shape[0])
    out = np.zeros((frames, 2), dtype=np.float32)
    out[: dry.shape[0]] = dry * np.float32(1.0 - wet * 0.5)
    for channel in (0, 1):
        response = np.zeros(frames, dtype=np.float32)
        response[: min(room.shape[0], frames)] = room[:frames, channel]
        product = np.fft.rfft(dry[:, channel], frames) * np.fft.rfft(response)
        out[:, channel] += np.float32(wet) * np.fft.irfft(product, frames).astype(np.float32)
    return out


def _smooth_size(frames: int) -> int:
    """Round up to a length that transforms fast: a multiple of a large power of two."""
    step = 1 << max(frames.bit_length() - 5, 1)
    return -(-frames // step) * step
