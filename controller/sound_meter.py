"""The sound meter: what the player's loudness means in the room, by the sound device's calibration.

Level in dB(A) = loudness in LUFS + K, K being measured once for each device (``stillroom calibrate``). A
device nobody has measured gets a cautious cap (docs/decisions/0012-cautious-cap.md), and no level is claimed
for it. It must never raise a ceiling for a device that it does not know by name.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from controller.conductor import UNCALIBRATED_K_DB
from controller.core.exposure import Exposure
from controller.core.view import Heard
from controller.fault_board import NO_SOUND, UNCALIBRATED
from controller.ports import PlayerStatus

CAUTIOUS_K_DB: Final = 93.0
"""Where nothing was measured: the K by which the ceiling is drawn. At 70 dB(A) it is -23 LUFS."""
SILENT_DEVICE: Final = "silent"
NO_SOUND_MESSAGE: Final = "this machine has no sound device: the music runs in real time, unheard"
AUDIBLE_LUFS: Final = -60.0
LONGEST_STEP_MS: Final = 1_000
"""Two words of the player further apart than this: nobody knows what was heard between them."""


@dataclass(frozen=True, slots=True)
class SoundScale:
    """How dB(A) become LUFS on one device, and the loudness that it may not pass."""

    k_db: float
    ceiling_lufs: float
    calibrated: bool


def scale_of(k_db: float | None, ceiling_dba: float) -> SoundScale:
    """Return a device's scale; ``k_db`` None: it was never measured."""
    if k_db is None:
        return SoundScale(UNCALIBRATED_K_DB, ceiling_dba - CAUTIOUS_K_DB, calibrated=False)
    return SoundScale(k_db, ceiling_dba - k_db, calibrated=True)


@dataclass(slots=True)
class SoundMeter:
    """One room's meter. ``devices``: K of measured devices by name. ``site_k_db``: K of any other."""

    ceiling_dba: float = 70.0
    devices: Mapping[str, float] = field(default_factory=dict)
    site_k_db: float | None = None
    scale: SoundScale = field(init=False)
    device: str | None = field(default=None, init=False)
    level_now_dba: float | None = field(default=None, init=False)
    _exposure: Exposure = field(default=Exposure(), init=False)
    _session: str | None = field(default=None, init=False)
    _heard_at_ms: int | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        """Begin with what the site file says, until the device is known."""
        self.scale = scale_of(self.site_k_db, self.ceiling_dba)

    @property
    def dose_laeq_dba(self) -> float | None:
        """The session's sound so far as a steady level, dB(A); None where nothing was measured."""
        return self._exposure.laeq_dba if self.scale.calibrated else None

    @property
    def heard(self) -> Heard:
        """What it says now, for the snapshot."""
        return Heard(self.scale.calibrated, self.level_now_dba, self.dose_laeq_dba)

    def notices(self, *, silent_by_choice: bool) -> tuple[tuple[str, str | None], ...]:
        """What a therapist should know of the sound device: each part with a clear line, or None."""
        silent = self.device == SILENT_DEVICE
        unknown = None
        if not (silent or self.device is None or self.scale.calibrated):
            unknown = (
                f"the sound device {self.device!r} has not been measured: its level is not known, and it is "
                "kept under a cautious cap ('stillroom calibrate')"
            )
        return (
            (NO_SOUND, NO_SOUND_MESSAGE if silent and not silent_by_choice else None),
            (UNCALIBRATED, unknown),
        )

    def hear(self, status: PlayerStatus, session: str | None, now_ms: int, speed: int = 1) -> bool:
        """Take the player's word, at ``now_ms`` of room time; True when another scale holds from now on.

        ``session`` is the running session's id, whose dose is counted. Real time counts, at any room speed.
        """
        changed = self._know(status.device.split(" + ")[0])
        sounds = status.device_ok and self.device != SILENT_DEVICE and status.loudness_lufs > AUDIBLE_LUFS
        level = status.loudness_lufs + self.scale.k_db if sounds and self.scale.calibrated else None
        self._count(level, session, now_ms, speed)
        self.level_now_dba = level
        return changed

    def _know(self, device: str) -> bool:
        if device == self.device:
            return False
        self.device = device
        before, self.scale = self.scale, scale_of(self.devices.get(device, self.site_k_db), self.ceiling_dba)
        return self.scale != before

    def _count(self, level: float | None, session: str | None, now_ms: int, speed: int) -> None:
        before, self._heard_at_ms = self._heard_at_ms, now_ms
        if session != self._session:
            if session is not None:
                self._exposure = Exposure()
            self._session = session
        elif session is not None and before is not None:
            self._exposure = self._exposure.add(level, min((now_ms - before) // speed, LONGEST_STEP_MS))

    # -- over a restart

    def checkpoint(self) -> dict[str, object]:
        """Return what a restart must not lose."""
        return {"session": self._session, "energy": self._exposure.energy, "ms": self._exposure.ms}

    def restore(self, kept: object) -> None:
        """Go on from a checkpoint; what cannot be read is let be."""
        if not isinstance(kept, dict):
            return
        session, energy, ms = kept.get("session"), kept.get("energy"), kept.get("ms")
        if isinstance(session, str) and isinstance(energy, int | float) and isinstance(ms, int):
            self._session, self._exposure = session, Exposure(float(energy), ms)
