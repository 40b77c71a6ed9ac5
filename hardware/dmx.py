"""Fixtures on DMX: which channel carries what, and the channel values for a look.

Pure. It must never exceed a channel, and never make light where the look is dark.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from controller.core.light import Look, Mired, as_xy
from controller.core.units import clamp, luminance_from_lstar
from hardware.lamp_colour import mired_from_xy

UNIVERSE_CHANNELS: Final = 512
ROLES: Final = ("dim", "dim16", "cold", "warm", "red", "green", "blue", "white")
WARM_MIRED: Final = 370.4
COLD_MIRED: Final = 153.8


@dataclass(frozen=True, slots=True)
class DmxFixture:
    """A fixture's channels. ``roles`` from ``first`` on (1 to 512); ``dim16`` takes two, coarse then fine.

    ``warm_mired`` and ``cold_mired`` are its white emitters' colours.
    """

    universe: int
    first: int
    roles: tuple[str, ...]
    warm_mired: float = WARM_MIRED
    cold_mired: float = COLD_MIRED

    @property
    def width(self) -> int:
        """How many channels it takes."""
        return sum(2 if role == "dim16" else 1 for role in self.roles)

    @property
    def steps(self) -> int:
        """How many steps of brightness it has."""
        return 65_535 if "dim16" in self.roles else 255

    @property
    def has_colour(self) -> bool:
        """Whether it has red, green and blue."""
        return {"red", "green", "blue"} <= set(self.roles)

    @property
    def mired_range(self) -> tuple[float, float] | None:
        """The whites it can mix, or None."""
        return (self.cold_mired, self.warm_mired) if {"warm", "cold"} <= set(self.roles) else None


def parse_fixture(address: str) -> DmxFixture:
    """Read ``UNIVERSE/FIRST:ROLE+ROLE…``, such as ``1/17:dim16+warm+cold`` or ``2/5:dim``.

    Raises:
        ValueError: it is not one; the text says why.
    """
    place, _, listed = address.partition(":")
    universe, _, first = place.partition("/")
    if not (universe.isdigit() and first.isdigit() and listed):
        raise ValueError(f"{address!r}: expected UNIVERSE/FIRST:ROLES, such as 1/17:dim16+warm+cold")
    roles = tuple(role.strip() for role in listed.split("+"))
    unknown = [role for role in roles if role not in ROLES]
    if unknown:
        raise ValueError(f"{address!r}: no role {unknown[0]!r}; there are {', '.join(ROLES)}")
    if len(set(roles)) != len(roles) or {"dim", "dim16"} <= set(roles):
        raise ValueError(f"{address!r}: a role is named twice")
    fixture = DmxFixture(int(universe), int(first), roles)
    if not 1 <= fixture.universe <= 63_999:
        raise ValueError(f"{address!r}: sACN universes go from 1 to 63999")
    if fixture.first < 1 or fixture.first + fixture.width - 1 > UNIVERSE_CHANNELS:
        raise ValueError(f"{address!r}: its channels do not fit into 1 to {UNIVERSE_CHANNELS}")
    return fixture


def channel_values(fixture: DmxFixture, look: Look) -> list[int]:
    """Return the fixture's channels for a look.

    With a dimmer channel the others carry the colour alone; without one they carry the brightness as well.
    """
    luminance = luminance_from_lstar(look.lstar)
    dimmed = "dim" in fixture.roles or "dim16" in fixture.roles
    scale = 1.0 if dimmed else luminance
    shares = _shares(fixture, look)
    values: list[int] = []
    for role in fixture.roles:
        if role == "dim16":
            level = _level(luminance, 65_535)
            values += [level >> 8, level & 0xFF]
        elif role == "dim":
            values.append(_level(luminance, 255))
        else:
            values.append(_level(shares.get(role, 0.0) * scale, 255))
    return values


def _level(share: float, top: int) -> int:
    """Return a channel's value; light that is wished for is never rounded away to dark."""
    if share <= 0.0:
        return 0
    return round(clamp(share * top, 1.0 if share * top > 0.25 else 0.0, float(top)))


def _shares(fixture: DmxFixture, look: Look) -> Mapping[str, float]:
    """Return what each emitter contributes, the strongest at most 1."""
    roles, colour = set(fixture.roles), look.colour
    if fixture.mired_range is not None and (isinstance(colour, Mired) or not fixture.has_colour):
        mired = colour.value if isinstance(colour, Mired) else mired_from_xy(colour)
        cold, warm = fixture.mired_range
        if mired <= warm + 0.5 or not fixture.has_colour:
            share = clamp((mired - cold) / (warm - cold), 0.0, 1.0)
            # The sum is kept at 1: even light while the colour travels.
            return {"warm": share, "cold": 1.0 - share}
    if fixture.has_colour:
        return _rgb(look, white="white" in roles)
    return dict.fromkeys(roles & {"white", "warm", "cold"}, 1.0)


def _rgb(look: Look, *, white: bool) -> Mapping[str, float]:
    """Return linear shares of sRGB-like emitters for a chromaticity (IEC 61966-2-1's matrix)."""
    xy = as_xy(look.colour)
    x, z = xy.x / xy.y, (1.0 - xy.x - xy.y) / xy.y
    rgb = [
        max(3.2406 * x - 1.5372 - 0.4986 * z, 0.0),
        max(-0.9689 * x + 1.8758 + 0.0415 * z, 0.0),
        max(0.0557 * x - 0.2040 + 1.0570 * z, 0.0),
    ]
    top = max(rgb)
    red, green, blue = (value / top for value in rgb)
    pale = min(red, green, blue) if white else 0.0
    return {"red": red - pale, "green": green - pale, "blue": blue - pale, "white": pale}
