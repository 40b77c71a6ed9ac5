"""The envelope: the limits of safe change that nothing, from any source, can pass.

The types are here; ``approve_light`` and ``approve_gain`` below are the last step before every driver.
Numbers are shared/design's promises 1 and 2. A site may only make them stricter.
It must never let a caller's authority raise a limit beyond the one written here.
"""

from dataclasses import dataclass
from enum import StrEnum

from controller.core.light import Look


class Authority(StrEnum):
    """On whose word a change is made; it decides which limits hold and which lane it takes."""

    SCORE = "score"
    THERAPIST = "therapist"
    HELP = "help"


@dataclass(frozen=True, slots=True)
class Limits:
    """The envelope's numbers. Rates are per second of real time."""

    score_lstar_per_s: float = 2.0
    score_mired_per_s: float = 2.0
    therapist_lstar_per_s: float = 25.0
    therapist_mired_per_s: float = 50.0
    help_fade_ms: int = 3_000
    help_percent: float = 50.0
    reversal_window_ms: int = 2_000
    reversal_luminance: float = 0.10
    gain_rise_db_per_s: float = 3.0
    gain_fall_score_db_per_s: float = 6.0
    gain_fall_therapist_db_per_s: float = 20.0
    silence_fade_min_ms: int = 3_000
    silence_fade_ms: int = 6_000
    crossfade_min_ms: int = 4_000
    crossfade_max_ms: int = 30_000
    true_peak_dbtp: float = -1.0
    ceiling_dba: float = 70.0


@dataclass(frozen=True, slots=True)
class Transition:
    """What a lamp is asked to do: go to ``look`` in ``duration_ms``, starting now.

    The lamp runs it evenly in luminance and in mired (or xy), as a Hue lamp does. ``look.lstar`` 0 with
    ``power_off`` set means off without a transition.
    """

    look: Look
    duration_ms: int
    power_off: bool = False
