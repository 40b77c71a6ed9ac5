"""What we believe of a lamp when we cannot be sure: every state it might be in.

A command whose answer never came may have been taken or not. Until that is known both futures are kept, and
the envelope must be safe from each. They fall together again once a delivered transition has run out.
This module must never drop a state because it is inconvenient; only when it can no longer differ.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final

from controller.core.envelope import Approval, Limits, brought_up
from controller.core.lamp_model import LampModel, LampTraits, Turns, look_at, luminance_at, resting
from controller.core.light import Colour, Look, Mired, Xy
from controller.core.units import lstar_from_luminance, luminance_from_lstar

MOST_STATES: Final = 12
MOST_PASTS: Final = 6
EXTREME_WHITES: Final = (Mired(153.0), Mired(500.0))
POWER_ON_LOOK: Final = Look(100.0, Mired(366.0))
"""How a Hue lamp comes back from a power cut unless it was told otherwise."""


@dataclass(frozen=True, slots=True)
class Belief:
    """A lamp's states: the likeliest, further ones, and those it had if the command in flight is not taken.

    ``earlier`` is where it would rest if the last command got lost on its way without anybody noticing.
    """

    model: LampModel
    others: tuple[LampModel, ...] = ()
    untaken: tuple[LampModel, ...] = ()
    earlier: Look | None = None

    @property
    def certain(self) -> bool:
        """Nothing is in flight and nothing in doubt."""
        return not self.others and not self.untaken


def commanded(belief: Belief, approval: Approval, limits: Limits, now_ms: int) -> Belief:
    """Return the belief once an approved transition is on its way."""
    states = possible(belief, limits, now_ms)
    return Belief(approval.model, approval.others, states, belief.model.target)


def taken(belief: Belief) -> Belief:
    """Return the belief once the bridge has taken the command in flight."""
    return replace(belief, untaken=())


def refused(belief: Belief, limits: Limits, now_ms: int) -> Belief:
    """Return the belief once the command in flight failed: perhaps not taken, perhaps taken all the same."""
    if not belief.untaken:
        return belief
    states = (*belief.untaken, belief.model, *belief.others, *_half_taken(belief))
    first, *others = distinct(states, limits, now_ms)
    return Belief(first, tuple(others), (), None)


def _half_taken(belief: Belief) -> Iterator[LampModel]:
    """What a dark lamp that took half a command may be: lit in its old colour, or dark in the new one.

    Of a lit lamp, brightness and colour are each in some state already.
    """
    model = belief.model
    for dark in (state for state in belief.untaken if not state.on and model.on):
        if dark.target.colour == model.target.colour:
            continue
        looks = [Look(look.lstar, dark.target.colour) for look in (model.start, model.target)]
        yield replace(model, start=looks[0], target=looks[1])
        unseen = Look(0.0, model.target.colour)
        yield replace(dark, start=unseen, target=unseen)


def unsent(belief: Belief, limits: Limits, now_ms: int) -> Belief:
    """Return the belief once the command in flight turns out never to have been sent: as it was before."""
    if not belief.untaken:
        return belief
    states = distinct(belief.untaken, limits, now_ms)
    return Belief(states[0], states[1:], (), None)


def possible(belief: Belief, limits: Limits, now_ms: int) -> tuple[LampModel, ...]:
    """Return every state the lamp might be in, the likeliest first."""
    if belief.certain:
        return (belief.model,)
    return distinct((belief.model, *belief.others, *belief.untaken), limits, now_ms)


def settled(belief: Belief, limits: Limits, now_ms: int) -> Belief:
    """Return the belief with states that have become the same put together."""
    if not belief.others:
        return belief
    states = distinct((belief.model, *belief.others), limits, now_ms)
    return replace(belief, model=states[0], others=states[1:])


def distinct(states: tuple[LampModel, ...], limits: Limits, now_ms: int) -> tuple[LampModel, ...]:
    """Return states without those that can no longer differ, the likeliest first.

    There are few: beyond ``MOST_STATES`` all but the likeliest are put into bounds that none of them leaves.
    """
    kept: list[LampModel] = []
    for state in states:
        for index, other in enumerate(kept):
            if _one_future(state, other, now_ms):
                if state.turns != other.turns:
                    kept[index] = _both_pasts(other, state, limits, now_ms)
                break
        else:
            kept.append(state)
    if len(kept) <= MOST_STATES:
        return tuple(kept)
    return (kept[0], *_bounds(kept[1:], limits, now_ms))


def _bounds(states: list[LampModel], limits: Limits, now_ms: int) -> tuple[LampModel, ...]:
    """Return lamps at rest that enclose every state, now and later: what is safe from each of them is safe.

    A transition is at its fastest from the darkest or brightest start, and from a colour at an edge.
    """
    lit = [state for state in states if state.on]
    dark = [state for state in states if not state.on]
    unseen = [Look(0.0, colour) for colour in _edges([state.target.colour for state in dark])]
    found = [replace(dark[0], start=look, target=look) for look in unseen]
    if not lit:
        return tuple(found)
    pasts = [turns for state in states for turns in brought_up(state, limits, now_ms).turns]
    guard_ms = max(turns.guard_until_ms for turns in pasts)
    levels = [luminance_at(state, now_ms) for state in lit]
    levels += [luminance_from_lstar(state.target.lstar) for state in lit]
    colours = [look_at(state, now_ms).colour for state in lit] + [state.target.colour for state in lit]
    ends = [(low, colour) for low in (min(levels), max(levels)) for colour in _edges(colours)]
    for luminance, colour in ends:
        look = Look(lstar_from_luminance(luminance), colour)
        past = Turns(0, luminance, luminance, guard_ms, known=False, noted_ms=now_ms)
        found.append(replace(resting(look, now_ms, lit[0].traits), turns=(past,)))
    return tuple(found)


def _edges(colours: list[Colour]) -> tuple[Colour, ...]:
    """Return the colours between which all of them lie."""
    whites = [colour for colour in colours if isinstance(colour, Mired)]
    others = [colour for colour in colours if isinstance(colour, Xy)]
    edges: list[Colour] = []
    if whites:
        edges += [min(whites, key=_mired), max(whites, key=_mired)]
    if others:
        edges += [min(others, key=_x), max(others, key=_x), min(others, key=_y), max(others, key=_y)]
    return tuple(dict.fromkeys(edges))


def _mired(colour: Mired) -> float:
    return colour.value


def _x(colour: Xy) -> float:
    return colour.x


def _y(colour: Xy) -> float:
    return colour.y


def guarded(model: LampModel, now_ms: int, window_ms: int) -> LampModel:
    """Return a lamp of which the last turn is not known: it may have been just now."""
    luminance = luminance_at(model, now_ms)
    turns = Turns(0, luminance, luminance, now_ms + window_ms, known=False, noted_ms=now_ms)
    return replace(model, turns=(turns,))


def found(look: Look, belief: Belief, now_ms: int, window_ms: int) -> Belief:
    """Return the belief that the lamp rests with a look that was read back."""
    return Belief(guarded(resting(look, now_ms, belief.model.traits), now_ms, window_ms))


def unsure(
    belief: Belief, look: Look, now_ms: int, window_ms: int, *, brightness: bool, colour: bool
) -> Belief:
    """Return the belief that a lamp was told something, last of all ``look``, that we know nothing of.

    It may be anywhere on its way there: so in brightness, or in colour, everything is possible.
    """
    model = belief.model
    levels = (look.lstar, model.traits.floor_lstar, 100.0) if brightness else (model.target.lstar,)
    colours = (look.colour, *EXTREME_WHITES) if colour else (look.colour,)
    ends = [Look(level, look.colour) for level in levels] + [Look(levels[0], shade) for shade in colours]
    others = tuple(guarded(resting(end, now_ms, model.traits), now_ms, window_ms) for end in ends)
    return replace(belief, others=(*belief.others, *others))


def unpolled(belief: Belief, now_ms: int, window_ms: int, *, restored: bool) -> Belief:
    """Return the belief of a lamp that no poll has told of: it might be full on or off.

    One that is known from a checkpoint (``restored``) may have been told anything since.
    """
    if restored:
        return unsure(belief, belief.model.target, now_ms, window_ms, brightness=True, colour=True)
    model = guarded(belief.model, now_ms, window_ms)
    dark = resting(Look(0.0, POWER_ON_LOOK.colour), now_ms, model.traits)
    return Belief(model, (guarded(dark, now_ms, window_ms),))


def with_traits(belief: Belief, traits: LampTraits) -> Belief:
    """Return the belief once it is known what the lamp can be told.

    It goes on doing what it does. Only what was believed fainter than it can glow has been its floor.
    """

    def again(model: LampModel) -> LampModel:
        looks = [_not_below(look, traits.floor_lstar) for look in (model.start, model.target)]
        return replace(model, traits=traits, start=looks[0], target=looks[1])

    return replace(
        belief,
        model=again(belief.model),
        others=tuple(again(state) for state in belief.others),
        untaken=tuple(again(state) for state in belief.untaken),
    )


def _not_below(look: Look, floor_lstar: float) -> Look:
    return look if look.lstar <= 0.0 else Look(max(look.lstar, floor_lstar), look.colour)


def _one_future(a: LampModel, b: LampModel, now_ms: int) -> bool:
    if a.on != b.on or a.target != b.target:
        return False
    if a.end_ms <= now_ms and b.end_ms <= now_ms:
        return True
    return (a.start_ms, a.duration_ms, a.start) == (b.start_ms, b.duration_ms, b.start)


def _both_pasts(a: LampModel, b: LampModel, limits: Limits, now_ms: int) -> LampModel:
    """Return a lamp with one future and the pasts of both: it may have turned as either did."""
    pasts: dict[tuple[int, float, float, bool], Turns] = {}
    for turns in (*brought_up(a, limits, now_ms).turns, *brought_up(b, limits, now_ms).turns):
        same = pasts.get(turns.meaning)
        if same is None or same.guard_until_ms < turns.guard_until_ms:
            pasts[turns.meaning] = turns
    while len(pasts) > MOST_PASTS:
        _drop_nearest(pasts)
    return replace(a, turns=tuple(pasts.values()))


def _drop_nearest(pasts: dict[tuple[int, float, float, bool], Turns]) -> None:
    """Put the two pasts that differ least into one that turns first and may turn again last."""
    ordered = sorted(pasts)
    gaps = [
        (abs(a[1] - b[1]) + abs(a[2] - b[2]) if (a[0], a[3]) == (b[0], b[3]) else 9.0, a, b)
        for a, b in pairwise(ordered)
    ]
    _, a, b = min(gaps)
    one, other = pasts.pop(a), pasts.pop(b)
    guard_ms = max(one.guard_until_ms, other.guard_until_ms)
    low, high = min(one.low, other.low), max(one.high, other.high)
    both = replace(one, low=low, high=high, guard_until_ms=guard_ms)
    pasts[both.meaning] = both
