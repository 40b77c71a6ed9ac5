"""Sound exposure: how much sound there has been, as one steady level with the same energy (LAeq)."""

from dataclasses import dataclass
from math import log10


@dataclass(frozen=True, slots=True)
class Exposure:
    """Energy (in units of 0 dB(A) for 1 ms) over a time in ms."""

    energy: float = 0.0
    ms: int = 0

    def add(self, level_dba: float | None, ms: int) -> "Exposure":
        """Return it after ``ms`` more at a level; None is silence."""
        if ms <= 0:
            return self
        heard = 0.0 if level_dba is None else 10.0 ** (level_dba / 10.0) * ms
        return Exposure(self.energy + heard, self.ms + ms)

    @property
    def laeq_dba(self) -> float | None:
        """The steady level, dB(A), that would have brought the same energy; None before there was any."""
        if self.ms <= 0 or self.energy <= 0.0:
            return None
        return 10.0 * log10(self.energy / self.ms)
