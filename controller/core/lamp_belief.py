"""What we believe of a lamp when we cannot be sure: every state it might be in.

A command whose answer never came may have been taken or not. Until that is known both futures are kept, and
the envelope must be safe from each. They fall together again once a delivered transition has run out.
This module must never drop a state because it is inconvenient; only when it can no longer differ.
"""

from dataclasses import dataclass, replace
from typing import Final

from controller.core.envelope import Approval
from controller.core.lamp_model import LampModel, LampTraits, Turns, look_at, luminance_at, resting
from controller.core.light import Look, Mired, colour_distance_mired
from controller.core.units import luminance_from_lstar

MOST_STATES: Final = 16
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


def commanded(belief: Belief, approval: Approval, now_ms: int) -> Belief:
    """Return the belief once an approved transition is on its way."""
    states = possible(belief, now_ms)
    return Belief(approval.model, approval.others, states, belief.model.target)


def taken(belief: Belief) -> Belief:
    """Return the belief once the bridge has taken the command in flight."""
    return replace(belief, untaken=())


def refused(belief: Belief, now_ms: int) -> Belief:
    """Return the belief once the command in flight failed: perhaps not taken, perhaps taken all the same."""
    if not belief.untaken:
        return belief
    states = distinct((*belief.untaken, belief.model, *belief.others), now_ms)
    return Belief(states[0], states[1:], (), None)


def unsent(belief: Belief, now_ms: int) -> Belief:
    """Return the belief once the command in flight turns out never to have been sent: as it was before."""
    if not belief.untaken:
        return belief
    states = distinct(belief.untaken, now_ms)
    return Belief(states[0], states[1:], (), None)


def possible(belief: Belief, now_ms: int) -> tuple[LampModel, ...]:
    """Return every state the lamp might be in, the likeliest first."""
    return distinct((belief.model, *belief.others, *belief.untaken), now_ms)


def settled(belief: Belief, now_ms: int) -> Belief:
    """Return the belief with states that have become the same put together."""
    if not belief.others:
        return belief
    states = distinct((belief.model, *belief.others), now_ms)
    return replace(belief, model=states[0], others=states[1:])


def distinct(states: tuple[LampModel, ...], now_ms: int) -> tuple[LampModel, ...]:
    """Return states without those that can no longer differ; at most ``MOST_STATES``, the outermost ones."""
    kept: list[LampModel] = []
    for state in states:
        for index, other in enumerate(kept):
            if _one_future(state, other, now_ms):
                kept[index] = replace(other, turns=_both(state, other, now_ms))
                break
        else:
            kept.append(state)
    if len(kept) <= MOST_STATES:
        return tuple(kept)
    first = kept[0]
    colour = look_at(first, now_ms).colour
    outermost = [
        first,
        min(kept, key=lambda lamp: luminance_at(lamp, now_ms)),
        max(kept, key=lambda lamp: luminance_at(lamp, now_ms)),
        min(kept, key=lambda lamp: lamp.target.lstar),
        max(kept, key=lambda lamp: lamp.target.lstar),
        max(kept, key=lambda lamp: colour_distance_mired(colour, look_at(lamp, now_ms).colour)),
    ]
    return tuple(state for index, state in enumerate(outermost) if state not in outermost[:index])


def guarded(model: LampModel, now_ms: int, window_ms: int) -> LampModel:
    """Return a lamp of which the last turn is not known: it may have been just now."""
    luminance = luminance_at(model, now_ms)
    return replace(model, turns=Turns(0, luminance, luminance, now_ms + window_ms, known=False))


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


def _both(a: LampModel, b: LampModel, now_ms: int) -> Turns:
    if a.turns == b.turns:
        return a.turns
    # Extremes that a transition reached since they were noted count as well.
    levels = [luminance_from_lstar(lamp.start.lstar) for lamp in (a, b)]
    levels += [luminance_at(lamp, now_ms) for lamp in (a, b)]
    low = min(a.turns.low, b.turns.low, *levels)
    high = max(a.turns.high, b.turns.high, *levels)
    trend = a.turns.trend if a.turns.trend == b.turns.trend else 0
    known = a.turns.known and b.turns.known
    return Turns(trend, low, high, max(a.turns.guard_until_ms, b.turns.guard_until_ms), known)
