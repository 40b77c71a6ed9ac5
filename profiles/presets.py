"""What a presets file may say: static looks of a room, with the sound level, to be laid over a session.

A preset never names a lamp, only zones, so that one file serves every room of a site.
"""

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field

from controller.core.light import Colour, Mired, Xy
from controller.core.units import mired_from_kelvin
from profiles.fields import FileModel, Id, Kelvin, Percent, PositiveMinutes, Title


class ZoneLookModel(FileModel):
    """A zone's look: brightness and one of kelvin, colour or xy."""

    brightness_percent: Percent
    """Brightness in percent of full luminance; 0 is off."""
    kelvin: Kelvin | None = None
    """Colour temperature; below 2200 K is amber. Without any colour: 2700."""
    colour: Annotated[str, Field(pattern=r"^#[0-9a-fA-F]{6}$")] | None = None
    """A colour as on a screen, `#rrggbb` (sRGB); only its hue and saturation count."""
    xy: tuple[Annotated[float, Field(ge=0.0, le=0.8)], Annotated[float, Field(ge=0.01, le=0.9)]] | None = None
    """A colour by its CIE 1931 x and y."""


class PresetModel(FileModel):
    """One preset."""

    title: Title | None = None
    """Its name on the tablet; without it the id."""
    zones: Mapping[Id, ZoneLookModel] = Field(default_factory=dict)
    """Looks of the zones that are named; zones a room does not have are left out."""
    others: ZoneLookModel | None = None
    """Look of the room's other zones; without it they stay as they are."""
    fade_s: Annotated[float, Field(ge=0.0, le=600.0)] = 5.0
    """Seconds to get there (the envelope may take longer)."""
    music_db: Annotated[float, Field(ge=-60.0, le=0.0)] = 0.0
    """How much quieter the music gets, dB; -60 is silence."""
    to_speakers: bool = False
    """Moves the music from the headphones to the speakers."""
    returns_after_minutes: PositiveMinutes | None = None
    """Comes off again by itself after this long; without it, when released."""
    is_help: bool = False
    """The help light: the one change that may come up in 3 s."""


class PresetsFile(FileModel):
    """A file of presets."""

    presets: Annotated[Mapping[Id, PresetModel], Field(min_length=1, max_length=100)]
    """Presets by id. `path` and `help` have their own places on the tablet."""


DEFAULT_KELVIN = 2700.0


def colour_of(look: ZoneLookModel) -> Colour:
    """Return the colour a look asks for."""
    if look.xy is not None:
        return Xy(*look.xy)
    if look.colour is not None:
        return xy_from_hex(look.colour)
    return Mired(mired_from_kelvin(DEFAULT_KELVIN if look.kelvin is None else look.kelvin))


def xy_from_hex(colour: str) -> Colour:
    """Return the chromaticity of an sRGB colour ``#rrggbb``; of black, the default white.

    Source: IEC 61966-2-1 (transfer curve and matrix).
    """
    red, green, blue = (_linear(int(colour[i : i + 2], 16) / 255.0) for i in (1, 3, 5))
    big_x = 0.4124 * red + 0.3576 * green + 0.1805 * blue
    big_y = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    big_z = 0.0193 * red + 0.1192 * green + 0.9505 * blue
    total = big_x + big_y + big_z
    return Xy(big_x / total, big_y / total) if total > 0.0 else Mired(mired_from_kelvin(DEFAULT_KELVIN))


def _linear(channel: float) -> float:
    return channel / 12.92 if channel <= 0.04045 else float(((channel + 0.055) / 1.055) ** 2.4)
