"""Harmony in just intonation: chords as ratios over a root, so that held notes do not beat.

A chord is written low to high, ``1`` being the piece's root. It must never hold a frequency.
"""

from fractions import Fraction
from typing import Final, TypeAlias

Chord: TypeAlias = tuple[float, ...]


def _chords(*written: str) -> tuple[Chord, ...]:
    return tuple(tuple(float(Fraction(ratio)) for ratio in one.split()) for one in written)


PROGRESSIONS: Final[dict[str, tuple[Chord, ...]]] = {
    # major, with an added ninth: a home that one may leave
    "home": _chords("1 3/2 9/4 5/2 3", "2/3 4/3 2 5/2 10/3", "1 3/2 2 5/2 3", "5/6 5/4 2 5/2 10/3"),
    # major, coming back by the shortest way
    "assuring": _chords("1 3/2 2 5/2 3", "1 4/3 2 8/3 10/3", "3/4 3/2 2 9/4 3", "1 3/2 2 5/2 4"),
    # open fifths and seconds, neither glad nor sad
    "open": _chords("1 3/2 2 9/4 3", "1 4/3 2 8/3 4", "1 3/2 2 3 9/2", "3/4 3/2 9/4 3 4"),
    # dorian: walking, level-headed
    "walking": _chords("1 3/2 2 12/5 3", "8/9 4/3 16/9 8/3 32/9", "1 3/2 9/4 12/5 3", "4/3 2 8/3 10/3 4"),
    # minor, each chord standing a step higher
    "climbing": _chords(
        "1 3/2 2 12/5 3",
        "4/5 6/5 2 12/5 16/5",
        "6/5 9/5 12/5 3 18/5",
        "4/3 2 8/3 16/5 4",
        "3/2 9/4 3 18/5 9/2",
    ),
    # wide apart, with the sharp fourth's light in it
    "vast": _chords(
        "1/2 1 3/2 9/4 3 15/4", "1/2 3/4 3/2 5/2 3 9/2", "2/3 1 4/3 5/2 10/3 5", "1/2 1 3/2 15/8 5/2 45/8"
    ),
    # major sevenths: near, a little wistful
    "tender": _chords("1 3/2 15/8 5/2 3", "2/3 4/3 5/3 5/2 10/3", "5/6 5/4 3/2 5/2 3", "3/4 3/2 2 9/4 5/2"),
    # high, thin, clear
    "clear": _chords("1 2 5/2 3 4", "4/3 2 10/3 4", "1 3/2 5/2 3 9/2", "3/2 2 3 4"),
    # a root that never moves, with its own overtones coming and going
    "overtones": _chords("1/2 1 3/2 2", "1/2 1 3/2 2 5/2", "1/2 1 2 3", "1/2 1 3/2 2 9/4", "1/2 1 3/2 3"),
    # over a held root, with the natural seventh: old songs of praise
    "praise": _chords("1/2 1 3/2 2 5/2", "1/2 1 4/3 2 10/3", "1/2 1 3/2 7/4 5/2", "1/2 1 3/2 9/4 3"),
    # two or three notes and much room between them
    "bare": _chords("1 3/2 3", "1 2 9/4", "1 4/3 2", "1 3/2 5/2"),
}


def melody_notes(chord: Chord, octave: float) -> tuple[float, ...]:
    """Return the chord's notes folded into one octave that starts at ``octave`` times the root, rising."""
    folded = set()
    for ratio in chord:
        inside = ratio
        while inside < 1.0:
            inside *= 2.0
        while inside >= 2.0:
            inside /= 2.0
        folded.add(round(inside * octave, 9))
    return tuple(sorted(folded))
