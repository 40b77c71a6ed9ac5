"""The fault board: which parts of a room are not well, each in one clear line. It repairs nothing."""

from typing import Final

from controller.core.records import FaultCleared, FaultRaised
from controller.core.snapshot import FaultView

NO_SOUND: Final = "sound"
"""A machine without a sound device is said to everybody, but is no failure of a part."""
UNCALIBRATED: Final = "sound.calibration"
"""So is a sound device that nobody has measured yet."""
NOTICES: Final = frozenset({NO_SOUND, UNCALIBRATED})


class FaultBoard:
    """One room's faults by part."""

    def __init__(self) -> None:
        self._faults: dict[str, FaultView] = {}

    def report(self, part: str, message: str | None, now_ms: int) -> FaultRaised | FaultCleared | None:
        """Take a part's word: a line, or None for well. Returns the record for the journal, if it is news."""
        known = self._faults.get(part)
        if message is None:
            if known is None:
                return None
            del self._faults[part]
            return FaultCleared(part)
        if known is not None and known.message == message:
            return None
        self._faults[part] = FaultView(part, message, now_ms)
        return FaultRaised(part, message)

    def views(self) -> tuple[FaultView, ...]:
        """Every fault, for the snapshot."""
        return tuple(self._faults.values())

    def failures(self) -> tuple[str, ...]:
        """What has failed, one line each, for the health check."""
        return tuple(f"{f.part}: {f.message}" for f in self._faults.values() if f.part not in NOTICES)
