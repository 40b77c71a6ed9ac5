"""From a recipe to voices: pads that follow the chords, a held root, air above, single tones, drums, scenery.

The same recipe gives the same voices, sample for sample. It must never mix; ``mixing`` does.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from controller.core.units import gain_from_db
from playlists.synth import nature, strikes
from playlists.synth.harmony import PROGRESSIONS, Chord, melody_notes
from playlists.synth.mixing import Swell, Voice
from playlists.synth.recipes import Drums, Recipe, Scenery, Strikes
from playlists.synth.tables import (
    LOOP_FRAMES,
    RATE_HZ,
    Table,
    Timbre,
    in_room,
    noise_loop,
    pad_loop,
    room_response,
    scaled,
)

_STEPS: Final = 16
_PATTERNS: Final = (
    (1.0, 0, 0, 0.35, 0.6, 0, 0.4, 0, 0.8, 0, 0.3, 0.35, 0.6, 0, 0.45, 0.25),
    (1.0, 0, 0.3, 0, 0.6, 0, 0, 0.4, 0.85, 0, 0.3, 0, 0.6, 0.3, 0.5, 0),
    (1.0, 0, 0, 0.3, 0.65, 0, 0.35, 0, 0.9, 0.3, 0, 0.35, 0.65, 0, 0.5, 0.4),
)
_PULSE: Final = (1.0, 0, 0, 0, 0, 0, 0, 0, 0.55, 0, 0, 0, 0, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Stretch:
    """One chord's stretch of the piece, seconds."""

    chord: Chord
    start_s: float
    end_s: float


def _stretches(recipe: Recipe, length_s: float) -> tuple[Stretch, ...]:
    chords = PROGRESSIONS[recipe.harmony]
    count = max(round(length_s / recipe.chord_s), 1)
    each = length_s / count
    turn = recipe.seed % len(chords)
    return tuple(Stretch(chords[(turn + n) % len(chords)], n * each, (n + 1) * each) for n in range(count))


def _height(recipe: Recipe, length_s: float) -> tuple[tuple[float, float], ...]:
    """Return the corners of the piece's slow growth, as (seconds, gain)."""
    low = gain_from_db(-recipe.build_db)
    if recipe.build_db <= 0.0:
        return ((0.0, 1.0), (length_s, 1.0))
    if recipe.arch:
        return ((0.0, low), (length_s * 0.62, 1.0), (length_s * 0.78, 1.0), (length_s, low))
    return ((0.0, low), (length_s * 0.85, 1.0), (length_s, 0.8))


def _height_at(recipe: Recipe, length_s: float, at_s: float) -> float:
    corners = _height(recipe, length_s)
    return float(np.interp(at_s, [corner[0] for corner in corners], [corner[1] for corner in corners]))


def voices_of(recipe: Recipe, length_s: float) -> tuple[Voice, ...]:
    """Return everything that sounds in a piece of ``length_s`` seconds."""
    rng = np.random.Generator(np.random.PCG64(recipe.seed))
    stretches = _stretches(recipe, length_s)
    voices = [*_pads(recipe, stretches, length_s, rng), *_drone(recipe, length_s, rng)]
    if recipe.strikes:
        room = room_response(4.5, rng)
        for one in recipe.strikes:
            voices.extend(_strikes(recipe, one, stretches, room, rng))
    if recipe.drums is not None:
        voices.extend(_drums(recipe, recipe.drums, length_s, rng))
    for kind, level_db in recipe.scenery:
        voices.extend(_scenery(kind, gain_from_db(level_db), length_s, rng))
    return tuple(voices)


def _pads(
    recipe: Recipe, stretches: Sequence[Stretch], length_s: float, rng: np.random.Generator
) -> Iterator[Voice]:
    """Each chord twice: a body, and air an octave up; both breathe, never together."""
    air = Timbre(partials=4, rolloff=1.5, cents=30.0, bright_hz=recipe.pad.bright_hz * 1.5, width=1.0)
    tables: dict[tuple[Chord, bool], Table] = {}
    each_s = stretches[0].end_s
    fade_s = min(recipe.fade_s, each_s / 2)
    half = fade_s / 2
    for stretch in stretches:
        begin, end = max(stretch.start_s - half, 0.0), min(stretch.end_s + half, length_s)
        gain = _height_at(recipe, length_s, (begin + end) / 2)
        edges = ((begin, 0.0), (begin + fade_s, gain), (end - fade_s, gain), (end, 0.0))
        for is_air, timbre, level_db in ((False, recipe.pad, recipe.pad_db), (True, air, recipe.air_db)):
            key = (stretch.chord, is_air)
            if key not in tables:
                tables[key] = pad_loop(_voicing(recipe.root_hz, stretch.chord, is_air=is_air), timbre, rng)
            yield Voice(
                table=tables[key],
                start_s=begin,
                end_s=end,
                envelope=edges,
                gain=gain_from_db(level_db),
                offset_frames=int(rng.integers(LOOP_FRAMES)),
                swells=_breathing(recipe, rng, deep=is_air),
            )


def _breathing(recipe: Recipe, rng: np.random.Generator, *, deep: bool) -> tuple[Swell, ...]:
    slow = 0.6 + 0.8 * (1.0 - recipe.energy)
    period_s = float(rng.uniform(11.0, 19.0)) * slow
    return (Swell(0.5 if deep else 0.22, period_s, float(rng.random())),)


def _voicing(root_hz: float, chord: Chord, *, is_air: bool) -> list[tuple[float, float]]:
    """Weigh a chord's notes: low ones fuller, high ones softer, so that it stands on its feet."""
    if is_air:
        return [(root_hz * ratio * 2.0, 0.8) for ratio in chord[-3:]]
    return [(root_hz * ratio, float(ratio**-0.35)) for ratio in chord]


def _drone(recipe: Recipe, length_s: float, rng: np.random.Generator) -> Iterator[Voice]:
    root_hz = recipe.root_hz
    notes = [(root_hz, 1.0), (root_hz * 1.5, 0.35), (root_hz * 2, 0.5)]
    if root_hz > 80.0:
        notes.append((root_hz / 2, 0.7))
    table = pad_loop(
        notes, Timbre(partials=7, rolloff=2.1, cents=7.0, bright_hz=700.0, width=0.6), rng, LOOP_FRAMES
    )
    yield Voice(
        table=table,
        start_s=0.0,
        end_s=length_s,
        envelope=_height(recipe, length_s),
        gain=gain_from_db(recipe.drone_db),
        swells=(Swell(0.25, 23.0, float(rng.random())),),
    )


def _strikes(
    recipe: Recipe, one: Strikes, stretches: Sequence[Stretch], room: Table, rng: np.random.Generator
) -> Iterator[Voice]:
    """Tones of the chord that is there, each a step or two from the last, with room for breath between."""
    tables: dict[float, Table] = {}
    length_s = stretches[-1].end_s
    tail_s = {"bowl": 12.0, "bowed": 9.0, "pluck": 5.0}[one.tone]
    at_s = 4.0 + float(rng.random()) * one.every_s * 0.5
    place = int(rng.integers(3))
    while at_s < length_s - tail_s:
        stretch = next(s for s in stretches if at_s < s.end_s)
        notes = melody_notes(stretch.chord, one.octave)
        place = int(np.clip(place + rng.integers(-1, 2), 0, len(notes) - 1))
        hz = recipe.root_hz * notes[place]
        while hz > 1100.0:
            hz /= 2.0
        if hz not in tables:
            tables[hz] = in_room(_tone(one, hz, rng), room, 0.55)
        level = (
            gain_from_db(one.level_db) * float(rng.uniform(0.55, 1.0)) * _height_at(recipe, length_s, at_s)
        )
        yield Voice(tables[hz], at_s, length_s, gain=level, looped=False)
        at_s += one.every_s * float(
            rng.choice((0.5, 1.0, 1.0, 1.5) if one.every_s < 4.0 else (0.75, 1.0, 1.3))
        )


def _tone(one: Strikes, hz: float, rng: np.random.Generator) -> Table:
    match one.tone:
        case "bowl":
            return strikes.bowl(hz, rng)
        case "bowed":
            return strikes.bowed(hz, rng)
        case "pluck":
            return strikes.pluck(hz, rng)


def _drums(recipe: Recipe, drums: Drums, length_s: float, rng: np.random.Generator) -> Iterator[Voice]:
    """Eight-bar loops of hand drums, each carrying on from the last; they come in with 16 s of fade."""
    room = room_response(1.8, rng, 1400.0)
    beat_s = 60.0 / drums.beats_per_min
    driving = recipe.energy > 0.74
    patterns = _PATTERNS if driving else (_PULSE,)
    loops = [_drum_loop(beat_s, pattern, room, drums, rng, bars=8) for pattern in patterns]
    loop_s = loops[0].shape[0] / RATE_HZ
    span_s = loop_s * 2
    gain = gain_from_db(drums.level_db)
    number, begin = 0, 0.0
    while begin < length_s:
        end = min(begin + span_s + 4.0, length_s)
        low, high = (_height_at(recipe, length_s, at) for at in (begin, end))
        rise_s = 16.0 if number == 0 else 4.0
        envelope = ((begin, 0.0), (min(begin + rise_s, end), low), (max(end - 4.0, begin), high), (end, 0.0))
        # Every loop has the same bars, so a voice that starts on the bar line stays in step with the last.
        yield Voice(loops[number % len(loops)], begin, end, envelope, gain)
        begin += span_s
        number += 1


def _drum_loop(
    beat_s: float, pattern: Sequence[float], room: Table, drums: Drums, rng: np.random.Generator, *, bars: int
) -> Table:
    # A step of whole 250 frames gives a loop whose length transforms fast; the tempo moves by under 2 %.
    step = max(round(beat_s / 4 * RATE_HZ / 250), 1) * 250
    frames = step * bars * _STEPS
    table = np.zeros((frames, 2), dtype=np.float32)
    low, high, seeds = strikes.frame_drum(68.0, rng), strikes.frame_drum(104.0, rng, 1.4), strikes.shaker(rng)
    seeds_gain = gain_from_db(drums.shaker_db - drums.level_db)
    for number in range(bars * _STEPS):
        accent = pattern[number % _STEPS]
        late = int(abs(rng.normal(0.0, 0.004)) * RATE_HZ)
        if accent > 0.0:
            hit = low if accent >= 0.6 else high
            _place(table, hit, number * step + late, accent * float(rng.uniform(0.8, 1.0)))
        if seeds_gain > 0.0 and number % 2 == 0:
            _place(table, seeds, number * step + late, seeds_gain * float(rng.uniform(0.5, 1.0)))
    return scaled(in_room(table, room, 0.4, looped=True))


def _place(table: Table, sound: Table, frame: int, gain: float) -> None:
    where = (frame + np.arange(sound.shape[0])) % table.shape[0]
    table[where] += sound * np.float32(gain)


def _scenery(kind: Scenery, gain: float, length_s: float, rng: np.random.Generator) -> Iterator[Voice]:
    match kind:
        case "stream":
            table = nature.stream(rng)
        case "waves":
            table = nature.waves(rng)
        case "wind":
            table = nature.wind(rng)
        case "birds":
            yield from _birds(gain, length_s, rng)
            return
    yield Voice(table, 0.0, length_s, ((0.0, 1.0), (length_s, 1.0)), gain, swells=(Swell(0.3, 37.0, 0.2),))


def _birds(gain: float, length_s: float, rng: np.random.Generator) -> Iterator[Voice]:
    """A few birds, far away, with long rests."""
    room = room_response(2.8, rng, 3200.0)
    calls = [in_room(strikes.bird_call(rng), room, 0.85) for _ in range(5)]
    air = noise_loop(lambda hz: np.exp(-(((hz - 1500.0) / 900.0) ** 2)), 1.0, rng)
    yield Voice(air, 0.0, length_s, ((0.0, 1.0), (length_s, 1.0)), gain * 0.2)
    at_s = 14.0 + float(rng.random()) * 10.0
    while at_s < length_s - 8.0:
        level = gain * float(rng.uniform(0.3, 1.0))
        yield Voice(calls[int(rng.integers(len(calls)))], at_s, length_s, gain=level, looped=False)
        at_s += float(rng.exponential(13.0)) + 7.0
