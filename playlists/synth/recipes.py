# ruff: noqa: E501 -- a table of recipes
"""The recipes: what each mood's pieces are made of, and which pieces there are.

Numbers only; ``layers`` knows how each becomes sound. It must never change a recipe without a new
``SYNTH_VERSION``: rendered files are kept by it.
"""

from dataclasses import dataclass, field, replace
from typing import Final, Literal, TypeAlias

from playlists.synth.tables import Timbre

SYNTH_VERSION: Final = 2

Tone: TypeAlias = Literal["bowl", "bowed", "pluck"]
Scenery: TypeAlias = Literal["stream", "waves", "wind", "birds"]


@dataclass(frozen=True, slots=True)
class Strikes:
    """Single tones of the present chord, one about every ``every_s``, at ``octave`` times the root."""

    tone: Tone
    every_s: float
    level_db: float
    octave: float = 2.0


@dataclass(frozen=True, slots=True)
class Drums:
    """A pattern on frame drums, ``beats_per_min`` fast."""

    beats_per_min: float
    level_db: float
    shaker_db: float = -60.0


@dataclass(frozen=True, slots=True)
class Recipe:
    """One piece. Levels are in dB beside the pad's own; ``build_db`` is how far it grows to its height."""

    piece: str
    pool: str
    title: str
    seed: int
    energy: float
    root_hz: float
    harmony: str
    minutes: float = 5.0
    chord_s: float = 36.0
    fade_s: float = 12.0
    pad: Timbre = field(default_factory=Timbre)
    pad_db: float = 0.0
    drone_db: float = -8.0
    air_db: float = -16.0
    strikes: tuple[Strikes, ...] = ()
    drums: Drums | None = None
    scenery: tuple[tuple[Scenery, float], ...] = ()
    build_db: float = 0.0
    arch: bool = False
    unbroken: bool = False


_DARK = Timbre(partials=8, rolloff=2.0, cents=9.0, bright_hz=1000.0)
_SOFT = Timbre(partials=10, rolloff=1.7, cents=12.0, bright_hz=1500.0)
_OPEN = Timbre(partials=14, rolloff=1.4, cents=14.0, bright_hz=2400.0, width=0.9)
_GLOW = Timbre(partials=18, rolloff=1.2, cents=17.0, bright_hz=3200.0, width=0.95)
_GLASS = Timbre(partials=6, rolloff=1.8, even=1.0, cents=7.0, bright_hz=3000.0, width=0.9)
_BREATH = Timbre(partials=6, rolloff=1.6, cents=38.0, bright_hz=1800.0, width=0.95)

_A2, _B2, _C2, _D2, _E2, _F2, _G2 = 108.0, 121.5, 64.0, 72.0, 81.0, 86.4, 97.2
"""Roots of one just scale on A 432/4, so that any piece may follow any other."""


def _mood(
    pool: str,
    energy: float,
    harmony: str,
    titles: tuple[str, ...],
    roots: tuple[float, ...],
    minutes: float,
    body: Recipe,
    scenery: tuple[tuple[tuple[Scenery, float], ...], ...] = ((),),
) -> tuple[Recipe, ...]:
    """Make a mood's pieces of one body: another root, seed, length and scenery each."""
    pieces = []
    for number, title in enumerate(titles, start=1):
        pieces.append(
            replace(
                body,
                piece=f"{pool}-{number}",
                pool=pool,
                title=title,
                seed=sum(ord(letter) * 31**place for place, letter in enumerate(pool)) % 2**31 + number,
                energy=energy,
                harmony=harmony,
                root_hz=roots[(number - 1) % len(roots)],
                minutes=minutes + (0.0, 0.65, -0.4)[(number - 1) % 3],
                chord_s=body.chord_s * (1.0, 1.13, 0.92)[(number - 1) % 3],
                scenery=scenery[(number - 1) % len(scenery)],
            )
        )
    return tuple(pieces)


_BODY = Recipe(piece="", pool="", title="", seed=0, energy=0.0, root_hz=_A2, harmony="home")

_ARRIVING = (
    *_mood("warm", 0.25, "home", ("Lamplight", "Wool", "Hearth"), (_A2, _F2, _D2), 5.4,
           replace(_BODY, pad=_SOFT, strikes=(Strikes("bowed", 21.0, -14.0),), air_db=-18.0)),
    *_mood("sparse", 0.12, "bare", ("Bare Table", "One Stone", "Open Hand"), (_D2 * 2, _C2 * 2, _A2), 5.0,
           replace(_BODY, pad=_DARK, pad_db=-4.0, drone_db=-14.0, air_db=-24.0, chord_s=44.0, strikes=(Strikes("bowl", 19.0, -5.0),))),
    *_mood("reassuring", 0.25, "assuring", ("Here With You", "Held", "Level Ground"), (_G2, _A2, _F2), 5.0,
           replace(_BODY, pad=_SOFT, strikes=(Strikes("bowed", 17.0, -13.0), Strikes("bowl", 34.0, -12.0)))),
    *_mood("calm", 0.2, "assuring", ("Still Water", "Slack Tide", "Low Sun"), (_F2, _D2, _G2), 5.2,
           replace(_BODY, pad=_DARK, chord_s=42.0, air_db=-20.0), ((("waves", -9.0),), (("stream", -12.0),), (("wind", -11.0),))),
    *_mood("gentle", 0.25, "tender", ("Down Feather", "Willow", "Easing"), (_F2, _A2, _C2 * 2), 5.2,
           replace(_BODY, pad=_SOFT, strikes=(Strikes("pluck", 8.5, -15.0, 4.0), Strikes("bowed", 24.0, -15.0)))),
    *_mood("simple", 0.2, "bare", ("Linen", "Plain Bread", "Path Home"), (_G2, _A2, _D2 * 2), 4.8,
           replace(_BODY, pad=_SOFT, pad_db=-2.0, drone_db=-13.0, strikes=(Strikes("pluck", 6.5, -12.0, 2.0),))),
    *_mood("soft", 0.2, "tender", ("Dusk", "Quilt", "Slow Snow"), (_D2, _F2, _E2), 5.6,
           replace(_BODY, pad=_DARK, chord_s=40.0, air_db=-17.0, strikes=(Strikes("bowed", 27.0, -16.0),))),
    *_mood("faint", 0.1, "bare", ("Afterlight", "Pale Room", "Far Window"), (_C2 * 2, _A2, _D2 * 2), 5.4,
           replace(_BODY, pad=_DARK, pad_db=-3.0, drone_db=-16.0, chord_s=46.0, air_db=-14.0)),
)  # fmt: skip

_JOURNEY = (
    *_mood("steady", 0.35, "walking", ("Long Road", "Even Step", "Keel"), (_D2, _E2, _C2), 6.0,
           replace(_BODY, pad=_OPEN, chord_s=28.0, drums=Drums(58.0, -17.0), drone_db=-6.0, strikes=(Strikes("bowed", 18.0, -14.0),))),
    *_mood("opening", 0.45, "clear", ("Unfolding", "First Light", "Gate"), (_A2, _G2, _B2), 6.0,
           replace(_BODY, pad=_OPEN, chord_s=26.0, build_db=6.0, strikes=(Strikes("bowed", 11.0, -11.0), Strikes("pluck", 5.5, -19.0, 4.0)))),
    *_mood("building", 0.58, "climbing", ("Gathering", "The Stair", "Rising Ground"), (_D2, _C2, _E2), 6.6,
           replace(_BODY, pad=_OPEN, chord_s=24.0, fade_s=9.0, build_db=11.0, drums=Drums(66.0, -13.0), drone_db=-4.0,
                   strikes=(Strikes("bowed", 9.0, -10.0),))),
    *_mood("vast", 0.72, "vast", ("Firmament", "Cathedral of Air", "Ocean Floor", "The Whole Sky"), (_C2, _D2, _F2, _G2), 7.0,
           replace(_BODY, pad=_GLOW, chord_s=27.0, fade_s=11.0, build_db=9.0, arch=True, drone_db=-3.0, air_db=-9.0,
                   drums=Drums(72.0, -17.0), strikes=(Strikes("bowed", 8.0, -9.0), Strikes("bowl", 29.0, -12.0, 1.0))),
           (((("wind", -18.0)),), ())),
    *_mood("tender", 0.45, "tender", ("Nearness", "Cradle Song", "What Remains", "Mother Tongue"), (_A2, _F2, _G2, _D2), 6.4,
           replace(_BODY, pad=_OPEN, chord_s=30.0, build_db=5.0, arch=True, strikes=(Strikes("bowed", 10.0, -10.0), Strikes("pluck", 9.0, -18.0, 2.0)))),
    *_mood("heartfelt", 0.6, "home", ("Open Heart", "Thank You", "Every Face"), (_A2, _C2 * 2, _G2), 6.4,
           replace(_BODY, pad=_GLOW, chord_s=22.0, fade_s=9.0, build_db=7.0, arch=True, drums=Drums(60.0, -16.0),
                   strikes=(Strikes("bowed", 7.0, -9.0), Strikes("pluck", 6.0, -17.0, 4.0)))),
    *_mood("spacious", 0.42, "open", ("High Meadow", "Wide River", "Between Stars"), (_E2, _D2, _F2), 6.6,
           replace(_BODY, pad=_BREATH, chord_s=34.0, air_db=-10.0, strikes=(Strikes("bowed", 13.0, -12.0), Strikes("bowl", 31.0, -14.0))),
           ((("wind", -16.0),), (("waves", -16.0),), ())),
    *_mood("floating", 0.35, "overtones", ("Weightless", "Thermal", "Lagoon"), (_E2, _D2, _C2), 5.6,
           replace(_BODY, pad=_BREATH, chord_s=32.0, air_db=-9.0, drone_db=-9.0, strikes=(Strikes("bowed", 15.0, -15.0, 4.0),))),
    *_mood("wide", 0.4, "open", ("Horizon", "Plain", "Tideland"), (_C2, _D2, _E2), 6.0,
           replace(_BODY, pad=_OPEN, chord_s=33.0, air_db=-11.0, drone_db=-5.0, strikes=(Strikes("bowed", 14.0, -13.0),)),
           ((), (("wind", -14.0),))),
    *_mood("drumming", 0.85, "overtones", ("Circle Drum", "Red Earth", "Many Hands", "Fire Keepers"), (_C2, _D2, _E2, _F2), 6.2,
           replace(_BODY, pad=_OPEN, pad_db=-9.0, drone_db=-6.0, chord_s=24.0, fade_s=8.0, air_db=-22.0, drums=Drums(112.0, 4.0, -14.0), build_db=4.0)),
    *_mood("emotional", 0.75, "climbing", ("Breaking Wave", "Let It Come", "Return of the Name"), (_D2, _E2, _C2), 6.6,
           replace(_BODY, pad=_GLOW, chord_s=20.0, fade_s=8.0, build_db=10.0, arch=True, drone_db=-3.0, air_db=-10.0,
                   drums=Drums(84.0, -8.0), strikes=(Strikes("bowed", 6.0, -7.0),))),
)  # fmt: skip

_RETURNING = (
    *_mood("light", 0.35, "clear", ("Morning Garden", "Lark Hour", "Paper Boat"), (_G2, _A2, _B2), 5.4,
           replace(_BODY, pad=_GLASS, chord_s=25.0, drone_db=-12.0, strikes=(Strikes("pluck", 3.6, -13.0, 4.0), Strikes("bowed", 16.0, -15.0))),
           ((("birds", -20.0),), ())),
    *_mood("playful", 0.38, "home", ("Pebbles", "Kite", "Hopscotch"), (_A2, _C2 * 2, _G2), 5.0,
           replace(_BODY, pad=_GLASS, pad_db=-3.0, chord_s=20.0, fade_s=8.0, drone_db=-14.0,
                   strikes=(Strikes("pluck", 1.4, -9.0, 4.0), Strikes("pluck", 2.3, -12.0, 2.0)))),
    *_mood("devotional", 0.3, "praise", ("Evening Prayer", "Tanpura Light", "Candle and Breath"), (_D2, _C2, _E2), 6.4,
           replace(_BODY, pad=_SOFT, chord_s=34.0, drone_db=-2.0, strikes=(Strikes("bowed", 12.0, -9.0), Strikes("bowl", 40.0, -13.0)))),
    *_mood("drone", 0.2, "overtones", ("Ground Tone", "Under Everything", "Deep Bell"), (_C2, _D2, _F2), 6.0,
           replace(_BODY, pad=_DARK, chord_s=40.0, fade_s=18.0, drone_db=1.0, air_db=-20.0)),
    *_mood("nature", 0.12, "bare", ("Stream Below the Wood", "Shore at Night", "Wind in the Pines"), (_D2, _C2, _A2), 6.0,
           replace(_BODY, pad=_DARK, pad_db=-9.0, drone_db=-22.0, air_db=-30.0, chord_s=46.0, fade_s=16.0),
           ((("stream", 0.0), ("birds", -14.0)), (("waves", 0.0),), (("wind", 0.0), ("birds", -17.0)))),
    Recipe(piece="drone-unbroken", pool="drone", title="One Tone", seed=4001, energy=0.2, root_hz=_D2, harmony="overtones", minutes=33.0,
           pad=_DARK, chord_s=70.0, fade_s=30.0, drone_db=2.0, air_db=-22.0, unbroken=True),
)  # fmt: skip

RECIPES: Final[dict[str, Recipe]] = {recipe.piece: recipe for recipe in (*_ARRIVING, *_JOURNEY, *_RETURNING)}
"""Every piece by its id."""


def pieces_of(pool: str) -> tuple[Recipe, ...]:
    """Return the pieces of a pool, in order."""
    return tuple(recipe for recipe in RECIPES.values() if recipe.pool == pool)
