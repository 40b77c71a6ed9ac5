"""What a lamp can look like: lightness and colour, and the way between two looks.

It knows nothing of lamps or bridges: a look may lie outside what a lamp can show, and the
driver moves it to the nearest one it can.
"""

from dataclasses import dataclass
from math import hypot
from typing import Final, TypeAlias

from controller.core.units import lerp, lstar_from_percent, mired_from_kelvin, percent_from_lstar

UV_PER_MIRED: Final = 0.00055
"""Mean length in CIE 1976 u'v' of one mired along the Planckian locus from 2000 to 4000 K."""


@dataclass(frozen=True, slots=True)
class Mired:
    """A white of a colour temperature, in mired."""

    value: float


@dataclass(frozen=True, slots=True)
class Xy:
    """A colour by its CIE 1931 chromaticity."""

    x: float
    y: float


Colour: TypeAlias = Mired | Xy


@dataclass(frozen=True, slots=True)
class Look:
    """One lamp's or zone's look: CIE L* (0 is off, 100 is full) and colour."""

    lstar: float
    colour: Colour

    @property
    def percent(self) -> float:
        """Brightness in percent of full luminance."""
        return percent_from_lstar(self.lstar)


def look_from_percent(percent: float, kelvin: float) -> Look:
    """Return the look a profile writes as ``percent@kelvin``."""
    return Look(lstar_from_percent(percent), Mired(mired_from_kelvin(kelvin)))


def xy_from_mired(mired: float) -> Xy:
    """Return the chromaticity of a Planckian white.

    Source: Kim et al., US patent 7024034 B2, the cubic approximation of the Planckian locus, valid from
    1667 to 25000 K; warmer whites are taken at 1667 K.
    """
    kelvin = min(max(1_000_000.0 / mired, 1667.0), 25_000.0)
    t = 1000.0 / kelvin
    if kelvin <= 4000.0:
        x = -0.2661239 * t**3 - 0.2343589 * t**2 + 0.8776956 * t + 0.179910
    else:
        x = -3.0258469 * t**3 + 2.1070379 * t**2 + 0.2226347 * t + 0.240390
    if kelvin <= 2222.0:
        y = -1.1063814 * x**3 - 1.34811020 * x**2 + 2.18555832 * x - 0.20219683
    elif kelvin <= 4000.0:
        y = -0.9549476 * x**3 - 1.37418593 * x**2 + 2.09137015 * x - 0.16748867
    else:
        y = 3.0817580 * x**3 - 5.87338670 * x**2 + 3.75112997 * x - 0.37001483
    return Xy(x, y)


def as_xy(colour: Colour) -> Xy:
    """Return a colour's chromaticity."""
    return colour if isinstance(colour, Xy) else xy_from_mired(colour.value)


def mix_colours(start: Colour, end: Colour, fraction: float) -> Colour:
    """Return the colour a fraction of the way; in mired between whites, else straight in xy."""
    if fraction <= 0.0:
        return start
    if fraction >= 1.0:
        return end
    if isinstance(start, Mired) and isinstance(end, Mired):
        return Mired(lerp(start.value, end.value, fraction))
    a, b = as_xy(start), as_xy(end)
    return Xy(lerp(a.x, b.x, fraction), lerp(a.y, b.y, fraction))


def colour_distance_mired(a: Colour, b: Colour) -> float:
    """Return how far two colours lie apart, in mired; colours off the locus by an equal u'v' length."""
    if isinstance(a, Mired) and isinstance(b, Mired):
        return abs(a.value - b.value)
    (ua, va), (ub, vb) = (_uv(as_xy(c)) for c in (a, b))
    return hypot(ua - ub, va - vb) / UV_PER_MIRED


def _uv(xy: Xy) -> tuple[float, float]:
    denominator = -2.0 * xy.x + 12.0 * xy.y + 3.0
    return 4.0 * xy.x / denominator, 9.0 * xy.y / denominator


def rgb_hex(look: Look) -> str:
    """Return an sRGB swatch ``#rrggbb`` of a look for a screen: its chromaticity, dimmed by lightness.

    Source: IEC 61966-2-1 (sRGB matrix and transfer curve). It is a picture, not a measurement.
    """
    xy = as_xy(look.colour)
    big_x, big_z = xy.x / xy.y, (1.0 - xy.x - xy.y) / xy.y
    rgb = (
        3.2406 * big_x - 1.5372 - 0.4986 * big_z,
        -0.9689 * big_x + 1.8758 + 0.0415 * big_z,
        0.0557 * big_x - 0.2040 + 1.0570 * big_z,
    )
    top = max(rgb)
    scale = max(look.lstar, 0.0) / 100.0
    channels = []
    for channel in rgb:
        linear = max(channel / top, 0.0)
        curved = 12.92 * linear if linear <= 0.0031308 else 1.055 * linear ** (1 / 2.4) - 0.055
        channels.append(round(255 * min(curved * scale, 1.0)))
    return "#{:02x}{:02x}{:02x}".format(*channels)
