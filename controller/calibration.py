"""What was measured of the site's sound devices: K by device name, in ``calibration.json`` (mode 0600).

K is the level in the room, dB(A), less the loudness that the device was given, LUFS. It must never let a
damaged file stop a room: without it the room is held under the cautious cap.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from math import isfinite
from pathlib import Path
from typing import Final

from controller.errors import UserError

CALIBRATION_FILE: Final = "calibration.json"
LEAST_K_DB: Final = 40.0
MOST_K_DB: Final = 160.0


@dataclass(frozen=True, slots=True)
class Calibration:
    """One device's measurement. ``loudness_lufs`` is what the device was given while it was read."""

    device: str
    k_db: float
    reading_dba: float
    loudness_lufs: float
    measured_on: str
    """The day, ISO 8601, local."""


@dataclass(frozen=True, slots=True)
class Calibrations:
    """All that were measured. ``problem``: why the file could not be read, in one clear line, or None."""

    by_device: Mapping[str, Calibration]
    problem: str | None = None

    @property
    def k_by_device(self) -> dict[str, float]:
        """K of each device."""
        return {name: measured.k_db for name, measured in self.by_device.items()}


def measured(device: str, reading_dba: float, loudness_lufs: float, day: str) -> Calibration:
    """Return a calibration from a meter's reading.

    Raises:
        UserError: no device is like that: the reading is wrong, or nothing was heard.
    """
    k_db = round(reading_dba - loudness_lufs, 1)
    if not LEAST_K_DB <= k_db <= MOST_K_DB:
        raise UserError(
            f"{reading_dba:g} dB(A) for {loudness_lufs:.1f} LUFS cannot be right (K would be {k_db:g}); is "
            "the meter set to A and slow, and does the sound come from these loudspeakers?"
        )
    return Calibration(device, k_db, round(reading_dba, 1), round(loudness_lufs, 1), day)


def load_calibrations(data: Path) -> Calibrations:
    """Read the file; one that is damaged counts as empty and is said."""
    path = data / CALIBRATION_FILE
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        return Calibrations({name: _checked(name, values) for name, values in kept["devices"].items()})
    except FileNotFoundError:
        return Calibrations({})
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return Calibrations({}, f"{path} cannot be read: measure again with 'stillroom calibrate'")


def save_calibration(data: Path, calibration: Calibration) -> Path:
    """Put one device's measurement into the file; the others stay. Returns the file.

    Raises:
        UserError: it cannot be written, or is damaged and would be lost.
    """
    path = data / CALIBRATION_FILE
    known = load_calibrations(data)
    if known.problem is not None:
        kept_as = path.with_name(path.name + ".damaged")
        path.replace(kept_as)
    devices = {**known.by_device, calibration.device: calibration}
    text = json.dumps({"devices": {name: asdict(one) for name, one in devices.items()}}, indent=2)
    beside = path.with_name(path.name + ".new")
    try:
        handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text + "\n")
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except OSError as error:
        raise UserError(f"{path}: cannot be written: {error.strerror or error}") from None
    return path


def _checked(name: str, values: dict[str, object]) -> Calibration:
    k_db, reading, loudness = (values[key] for key in ("k_db", "reading_dba", "loudness_lufs"))
    numbers = [float(str(value)) for value in (k_db, reading, loudness)]
    if not all(isfinite(number) for number in numbers) or not LEAST_K_DB <= numbers[0] <= MOST_K_DB:
        raise ValueError
    day = str(values.get("measured_on", ""))
    return Calibration(name, numbers[0], numbers[1], numbers[2], day)
