"""The watch on lamps: telling a hand on the switch, a power cut and a lost command from our own doing.

Polls say where a lamp was told to go, sometimes late and sometimes on its way. So within a settle window
after our own command nothing is concluded, while a fade runs everything between its ends is ours, and a hand
is believed only at the second poll. It must never call a lamp changed by hand while a command of ours is in
doubt.
"""

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from controller.core.lamp_belief import POWER_ON_LOOK
from controller.core.lamp_model import LampModel
from controller.core.light import Colour, Look, Mired, Xy, as_xy, colour_distance_mired, mix_colours
from controller.core.units import clamp, kelvin_from_mired, lstar_from_percent, mired_from_kelvin

Attribute: TypeAlias = Literal["brightness", "colour", "power"]

HAND_PERCENT: Final = 25 / 255 * 100
"""More than 25 of 255 is a hand (adaptive-lighting's threshold) …"""
HAND_LSTAR: Final = 12.0
"""… and so is this much L*: at 2 % somebody can treble the light and stay under the other threshold."""
HAND_KELVIN: Final = 100.0
HAND_XY_MIRED: Final = 40.0
"""For colours by chromaticity: gamut edges and bridge rounding move them this far at most."""
SETTLE_MS: Final = 3_000
"""Real time after our own command, and after a fade's end, in which a poll may still be old."""
LOST_PERCENT: Final = 1.0
POWER_CUT_AGAIN_MS: Final = 600_000
"""Full brightness found again within this long (real ms) of the last time is a hand, not the mains."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What a poll said of a lamp that answers. None where it does not say."""

    on: bool | None
    percent: float | None
    colour: Colour | None


def reading_of(
    on: bool | None, percent: float | None, mired: float | None, xy: tuple[float, float] | None
) -> Reading:
    """Return a poll's finding with one colour: the white when the lamp says one, else the chromaticity."""
    colour: Colour | None = None
    if mired is not None:
        colour = Mired(mired)
    elif xy is not None:
        colour = Xy(*xy)
    return Reading(on, percent, colour)


def read_look(reading: Reading, fallback: Look) -> Look:
    """Return the look a reading describes, with a fallback for what it does not say."""
    colour = reading.colour or fallback.colour
    if reading.on is False:
        return Look(0.0, colour)
    if reading.percent is None:
        return Look(fallback.lstar or 100.0, colour) if reading.on else Look(fallback.lstar, colour)
    return Look(lstar_from_percent(clamp(reading.percent, 0.0, 100.0)), colour)


def differences(
    model: LampModel,
    reading: Reading,
    now_ms: int,
    settle_ms: int,
    mired_range: tuple[float, float] | None,
    *,
    has_colour: bool,
) -> frozenset[Attribute]:
    """Return in which attributes a reading cannot be our own doing."""
    if reading.on is not None and reading.on != model.on:
        return frozenset({"power"})
    if not model.on:
        return frozenset()
    running = now_ms < model.end_ms + settle_ms
    ends = (model.start, model.target) if running else (model.target, model.target)
    found: set[Attribute] = set()
    if reading.percent is not None:
        low, high = sorted(look.percent for look in ends)
        lstar = lstar_from_percent(clamp(reading.percent, 0.0, 100.0))
        beyond = max(low - reading.percent, reading.percent - high)
        beyond_lstar = max(lstar_from_percent(low) - lstar, lstar - lstar_from_percent(high))
        if beyond > HAND_PERCENT or beyond_lstar > HAND_LSTAR:
            found.add("brightness")
    if reading.colour is not None and (mired_range is not None or has_colour):
        ours = [mix_colours(ends[0].colour, ends[1].colour, i / 4) for i in range(5 if running else 1)]
        if all(_other_colour(colour, reading.colour, mired_range) for colour in ours):
            found.add("colour")
    return frozenset(found)


def told_brightness(reading: Reading, target: Look) -> bool:
    """Say whether a reading's brightness is just what a lamp was told, as nearly as bridges repeat it."""
    if reading.on is not None and reading.on != (target.lstar > 0.0):
        return False
    return target.lstar <= 0.0 or reading.percent is None or abs(reading.percent - target.percent) <= 0.3


def told_colour(reading: Reading, target: Look, mired_range: tuple[float, float] | None) -> bool:
    """Say whether a reading's colour is just what a lamp was told."""
    ours, read = target.colour, reading.colour
    if read is None or target.lstar <= 0.0:
        return True
    if isinstance(ours, Mired) and isinstance(read, Mired):
        told = ours.value if mired_range is None else clamp(ours.value, *mired_range)
        return abs(told - read.value) <= 1.5
    a, b = as_xy(ours), as_xy(read)
    return max(abs(a.x - b.x), abs(a.y - b.y)) <= 0.01


def looks_like_power_on(reading: Reading, model: LampModel) -> bool:
    """Say whether a lamp that should be dimmer is found just as lamps come back from a power cut."""
    if reading.on is not True or reading.percent is None or reading.percent < 99.0:
        return False
    if model.target.percent > 100.0 - HAND_PERCENT:
        return False
    colour = reading.colour
    return colour is None or colour_distance_mired(colour, POWER_ON_LOOK.colour) <= 8.0


@dataclass(slots=True)
class PowerCuts:
    """Tells the mains from somebody who wants full brightness, which looks the same in a poll.

    ``over``: since the last cut the lamp has come home to its plan.
    """

    speed: int = 1
    over: bool = True
    _found_ms: int | None = None

    def is_another(self, now_ms: int) -> bool:
        """Say whether a lamp found as after a power cut had one: not if it was led home from one lately."""
        before, self._found_ms = self._found_ms, now_ms
        # One that has not come home yet was cut off once more: mains often flicker.
        cut = before is None or not self.over or now_ms - before > POWER_CUT_AGAIN_MS * self.speed
        self.over = self.over and not cut
        return cut


def looks_lost(reading: Reading, earlier: Look | None) -> bool:
    """Say whether a lamp is found where it was before our last command."""
    if earlier is None or reading.on is None:
        return False
    if not reading.on:
        return earlier.lstar <= 0.0
    if earlier.lstar <= 0.0 or reading.percent is None:
        return False
    if abs(reading.percent - earlier.percent) > LOST_PERCENT:
        return False
    return reading.colour is None or not _other_colour(earlier.colour, reading.colour, None)


def _other_colour(ours: Colour, read: Colour, mired_range: tuple[float, float] | None) -> bool:
    if isinstance(ours, Mired) and isinstance(read, Mired):
        told = ours.value if mired_range is None else clamp(ours.value, *mired_range)
        kelvin = kelvin_from_mired(told)
        warmer = mired_from_kelvin(max(kelvin - HAND_KELVIN, 500.0)) - told
        return abs(read.value - told) > max(warmer, 3.0)
    return colour_distance_mired(ours, read) > HAND_XY_MIRED
