"""A lamp as physics: what it shows at any instant, given what it was told and when.

Pure in time: ``now_ms`` is always an argument, in whatever steady count the caller keeps. It models what
real lamps do and drivers forget: transitions run evenly in brightness and colour, a new command takes over
from the live level, readback tells the target, a power cut ends in full brightness. It must never smooth
over a driver's mistake.
"""

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from controller.core.light import Colour, Look, Mired, mix_colours
from controller.core.units import lerp, lstar_from_luminance

FULL_BRI: Final = 254
"""The Hue API's full brightness; its dimmest is 1."""
POWER_ON_MIRED: Final = 366.0
"""What a Hue lamp shows after a power cut unless configured otherwise, at full brightness."""
HISTORY_LIMIT: Final = 50_000

Gamut = tuple[tuple[float, float], tuple[float, float], tuple[float, float]]
GAMUT_C: Final[Gamut] = ((0.6915, 0.3083), (0.17, 0.7), (0.1532, 0.0475))


@dataclass(frozen=True, slots=True)
class LampModel:
    """What a kind of lamp can do. ``gamut`` None: no colours; ``mired_range`` None: no white tuning."""

    type_name: str
    model_id: str
    product: str
    mired_range: tuple[int, int] | None
    gamut: Gamut | None


EXTENDED_COLOUR: Final = LampModel("Extended color light", "LCA001", "Hue color lamp", (153, 500), GAMUT_C)
WHITE_AMBIANCE: Final = LampModel("Color temperature light", "LTA001", "Hue ambiance lamp", (153, 454), None)
DIMMABLE: Final = LampModel("Dimmable light", "LWA001", "Hue white lamp", None, None)
MODELS: Final[Mapping[str, LampModel]] = {
    "colour": EXTENDED_COLOUR,
    "ambiance": WHITE_AMBIANCE,
    "dimmable": DIMMABLE,
}


class Startup(StrEnum):
    """What a lamp does when its power returns (``config.startup.mode`` in the Hue API)."""

    SAFETY = "safety"
    POWERFAIL = "powerfail"
    LAST_ON = "lastonstate"
    CUSTOM = "custom"


@dataclass(frozen=True, slots=True)
class Change:
    """One command as a lamp gets it; None leaves a part as it is.

    ``dims_off``: an off that carries an explicit transition, after which the next plain on comes up at bri 1.
    """

    on: bool | None = None
    bri: int | None = None
    colour: Colour | None = None
    transition_ms: float = 0.0
    dims_off: bool = False


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of the lamp's life from ``start_ms``: level (0 is dark, 254 full) and colour, each a ramp."""

    start_ms: float
    level_from: float
    level_to: float
    level_ms: float
    colour_from: Colour
    colour_to: Colour
    colour_ms: float

    def level_at(self, now_ms: float) -> float:
        """Return the true level, 0 to 254, fractions included."""
        return lerp(self.level_from, self.level_to, _fraction(now_ms - self.start_ms, self.level_ms))

    def colour_at(self, now_ms: float) -> Colour:
        """Return the true colour."""
        return mix_colours(
            self.colour_from, self.colour_to, _fraction(now_ms - self.start_ms, self.colour_ms)
        )


def _fraction(elapsed_ms: float, length_ms: float) -> float:
    return 1.0 if length_ms <= 0.0 else elapsed_ms / length_ms


@dataclass(slots=True)
class SimulatedLamp:
    """One lamp. ``on``, ``bri`` and ``colour`` are what it was told last: what readback gives."""

    model: LampModel = EXTENDED_COLOUR
    on: bool = False
    bri: int = FULL_BRI
    colour: Colour = field(default_factory=lambda: Mired(POWER_ON_MIRED))
    powered: bool = True
    startup: Startup = Startup.SAFETY
    custom_bri: int = FULL_BRI
    ignores_first_transition: bool = False
    history: list[Segment] = field(default_factory=list)
    _fresh: bool = False

    def __post_init__(self) -> None:
        if not self.history:
            level = float(self.bri) if self.on else 0.0
            self.history.append(Segment(0.0, level, level, 0.0, self.colour, self.colour, 0.0))

    def level_at(self, now_ms: float) -> float:
        """Return the level shown at an instant, past ones included: 0 dark, 254 full."""
        return self._segment_at(now_ms).level_at(now_ms)

    def look_at(self, now_ms: float) -> Look:
        """Return what an eye would see at an instant, past ones included."""
        segment = self._segment_at(now_ms)
        return Look(lstar_from_luminance(segment.level_at(now_ms) / FULL_BRI), segment.colour_at(now_ms))

    def apply(self, change: Change, now_ms: float) -> None:
        """Take a command at ``now_ms``, in place of whatever transition is running."""
        if not self.powered:
            return
        length = change.transition_ms
        if self._fresh and self.ignores_first_transition and change.on:
            length = 0.0
        self._fresh = False
        if change.bri is not None:
            self.bri = change.bri
        if change.colour is not None:
            self.colour = change.colour
        if change.on is not None:
            self.on = change.on
        if change.on is False and change.dims_off and length > 0.0:
            self.bri = 1
        level = float(self.bri) if self.on else 0.0
        level_changes = change.bri is not None or change.on is not None
        self._begin(now_ms, level if level_changes else None, change.colour, length)

    def cut_power(self, now_ms: float) -> None:
        """Take the lamp's mains away: dark at once, and deaf."""
        if self.powered:
            self.powered = False
            self._begin(now_ms, 0.0, self.colour, 0.0)

    def restore_power(self, now_ms: float) -> None:
        """Give the mains back: the lamp comes up as its start-up behaviour says."""
        if self.powered:
            return
        self.powered = True
        self._fresh = True
        match self.startup:
            case Startup.SAFETY:
                self.on, self.bri, self.colour = True, FULL_BRI, Mired(POWER_ON_MIRED)
            case Startup.CUSTOM:
                self.on, self.bri = True, self.custom_bri
            case Startup.LAST_ON:
                self.on = True
            case Startup.POWERFAIL:
                pass
        self._begin(now_ms, float(self.bri) if self.on else 0.0, self.colour, 0.0)

    def _begin(self, now_ms: float, level: float | None, colour: Colour | None, length_ms: float) -> None:
        """Start a new segment; a part given as None runs on as it was going."""
        last = self._segment_at(now_ms)
        left_level = max(last.start_ms + last.level_ms - now_ms, 0.0)
        left_colour = max(last.start_ms + last.colour_ms - now_ms, 0.0)
        level_to = last.level_to if level is None else level
        level_from, colour_from = last.level_at(now_ms), last.colour_at(now_ms)
        if level_from <= 0.0 < level_to:
            # A lamp that comes on begins at its dimmest, in the colour it was asked for.
            level_from = min(1.0, level_to)
            colour_from = colour_from if colour is None else colour
        self.history.append(
            Segment(
                start_ms=now_ms,
                level_from=level_from,
                level_to=level_to,
                level_ms=left_level if level is None else length_ms,
                colour_from=colour_from,
                colour_to=last.colour_to if colour is None else colour,
                colour_ms=left_colour if colour is None else length_ms,
            )
        )
        if len(self.history) > HISTORY_LIMIT:
            del self.history[: HISTORY_LIMIT // 2]

    def _segment_at(self, now_ms: float) -> Segment:
        if now_ms >= self.history[-1].start_ms:
            return self.history[-1]
        index = bisect_right(self.history, now_ms, key=lambda segment: segment.start_ms)
        return self.history[max(index - 1, 0)]
