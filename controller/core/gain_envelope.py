"""The envelope of sound: how fast the programme's gain may move, and how long a crossfade takes.

The last step before the player. It must never let a rise be faster than 3 dB/s, whoever asks.
"""

from dataclasses import dataclass
from math import ceil

from controller.core.envelope import Authority, Limits
from controller.core.units import SILENT_DB, clamp, lerp


@dataclass(frozen=True, slots=True)
class GainModel:
    """The programme's gain: evenly in dB from ``start_db`` at ``start_ms`` to ``target_db``, then still.

    At or below -60 dB it is mute.
    """

    start_ms: int = 0
    start_db: float = SILENT_DB
    target_db: float = SILENT_DB
    duration_ms: int = 0

    @property
    def end_ms(self) -> int:
        """When its ramp is over."""
        return self.start_ms + self.duration_ms


@dataclass(frozen=True, slots=True)
class GainRamp:
    """What the player is asked to do: go evenly in dB to ``level_db`` in ``over_ms`` of room time."""

    level_db: float
    over_ms: int


def gain_at(model: GainModel, now_ms: int) -> float:
    """Return the gain (dB) at an instant."""
    if model.duration_ms <= 0 or now_ms >= model.end_ms:
        return model.target_db
    return lerp(model.start_db, model.target_db, max(now_ms - model.start_ms, 0) / model.duration_ms)


def approve_gain(
    model: GainModel,
    wanted_db: float,
    over_ms: int,
    authority: Authority,
    limits: Limits,
    now_ms: int,
    ceiling_db: float = 0.0,
) -> tuple[GainModel, GainRamp]:
    """Return the ramp nearest to a wish that the envelope allows, and the gain once it runs.

    ``limits`` are in room time. ``ceiling_db`` is the highest gain that keeps the programme under the
    room's calibrated ceiling. A gain found above it comes down as fast as the authority may, no faster.
    """
    goal = clamp(wanted_db, SILENT_DB, max(ceiling_db, SILENT_DB))
    live = gain_at(model, now_ms)
    if goal > live:
        rate = limits.gain_rise_db_per_s
    elif authority is Authority.SCORE:
        rate = limits.gain_fall_score_db_per_s
    else:
        rate = limits.gain_fall_therapist_db_per_s
    least = 1000.0 * abs(goal - live) / rate
    if goal <= SILENT_DB < live:
        least = max(least, limits.silence_fade_min_ms)
    length = ceil(max(over_ms, least, 0.0) - 1e-6)
    return GainModel(now_ms, live, goal, length), GainRamp(goal, length)


def clamp_crossfade(fade_ms: int, limits: Limits) -> int:
    """Return a crossfade's length (ms) moved into what is allowed, for a skip too."""
    return round(clamp(fade_ms, limits.crossfade_min_ms, limits.crossfade_max_ms))
