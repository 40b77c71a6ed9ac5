"""Conversions between the units the rooms speak: percent, luminance, L*, mired, kelvin, decibel.

It must never round: rounding to a device's steps is a driver's business.

Words and symbols used throughout the code:

* *luminance* is relative to the lamp's maximum, 0 to 1. A Hue ``bri`` of n is taken as n/254 of it.
* *percent* is luminance times 100: what a person sets and a profile says ("45 %").
* *lightness*, L*, is CIE 1976 lightness, 0 to 100: fades run evenly in it because eyes do.
* *mired* is a million divided by kelvin: colour temperature fades run evenly in it.
"""

from math import log10
from typing import Final

MS_PER_S: Final = 1000
MS_PER_MIN: Final = 60_000

CIE_EPSILON: Final = 216 / 24389
"""Luminance below which L* is linear (CIE 15:2004, section 8.2.1)."""
CIE_KAPPA: Final = 24389 / 27
"""Slope of L* over luminance in the linear part (CIE 15:2004, section 8.2.1)."""

SILENT_DB: Final = -60.0
"""A programme gain at or below this is mute: under a 60 dB(A) programme it is below hearing."""


def clamp(value: float, low: float, high: float) -> float:
    """Return ``value`` moved into ``[low, high]``."""
    return low if value < low else min(value, high)


def lerp(start: float, end: float, fraction: float) -> float:
    """Interpolate linearly; exact at both ends."""
    if fraction >= 1.0:
        return end
    if fraction <= 0.0:
        return start
    return start + (end - start) * fraction


def lstar_from_luminance(luminance: float) -> float:
    """Return CIE L* (0 to 100) of a relative luminance (0 to 1)."""
    if luminance <= CIE_EPSILON:
        return CIE_KAPPA * max(luminance, 0.0)
    return float(116.0 * luminance ** (1 / 3) - 16.0)


def luminance_from_lstar(lstar: float) -> float:
    """Return relative luminance (0 to 1) of a CIE L* (0 to 100)."""
    if lstar <= CIE_KAPPA * CIE_EPSILON:
        return max(lstar, 0.0) / CIE_KAPPA
    return float(((lstar + 16.0) / 116.0) ** 3)


def lstar_slope(luminance: float) -> float:
    """Return dL*/dY at a relative luminance: how steep a linear dimming feels there."""
    if luminance <= CIE_EPSILON:
        return CIE_KAPPA
    return float(116.0 / 3.0 * luminance ** (-2 / 3))


def lstar_from_percent(percent: float) -> float:
    """Return L* of a brightness in percent of full luminance."""
    return lstar_from_luminance(percent / 100.0)


def percent_from_lstar(lstar: float) -> float:
    """Return the brightness in percent of full luminance of an L*."""
    return luminance_from_lstar(lstar) * 100.0


def mired_from_kelvin(kelvin: float) -> float:
    """Return the reciprocal megakelvin of a colour temperature in kelvin."""
    return 1_000_000.0 / kelvin


def kelvin_from_mired(mired: float) -> float:
    """Return kelvin of a colour temperature in mired."""
    return 1_000_000.0 / mired


def gain_from_db(decibel: float) -> float:
    """Return the linear amplitude gain of a level in dB; mute at or below ``SILENT_DB``."""
    return 0.0 if decibel <= SILENT_DB else float(10.0 ** (decibel / 20.0))


def db_from_gain(gain: float) -> float:
    """Return the level in dB of a linear amplitude gain, never below ``SILENT_DB``."""
    return SILENT_DB if gain <= 0.0 else max(SILENT_DB, 20.0 * log10(gain))
