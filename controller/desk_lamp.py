"""One lamp at the light desk: what is believed of it, when it needs a command, and what polls mean.

It must never send while its state is worth waiting for, and never take back what a hand did.
"""

from typing import Final

from controller.core.curves import Curve, Pinned, alike, alike_ahead
from controller.core.envelope import Authority, Limits, Transition, approve_light
from controller.core.fade_planner import (
    SPREAD_LSTAR,
    Plan,
    authority_left,
    is_gentle,
    on_curve,
    plan_next,
)
from controller.core.lamp_belief import (
    POWER_ON_LOOK,
    Belief,
    commanded,
    found,
    guarded,
    possible,
    refused,
    settled,
    taken,
    unpolled,
    unsent,
    unsure,
)
from controller.core.lamp_model import look_at, resting
from controller.core.lamp_watch import (
    SETTLE_MS,
    Attribute,
    PowerCuts,
    Reading,
    differences,
    looks_like_power_on,
    looks_lost,
    read_look,
    reading_of,
    told_brightness,
    told_colour,
)
from controller.core.light import Look
from controller.core.score import ZoneId
from controller.lamp_checkpoint import LampMemory, traits_of
from controller.lamp_news import ByHand, LampHealth, News
from controller.ports import FixtureInfo, LampCommand, LampReport

LEARN_MS: Final = 1_500
"""How long (real ms) a lamp known only from a checkpoint, or not at all, waits for its first poll."""
BACKOFF_MS: Final = 250
BACKOFF_MAX_MS: Final = 15_000
REWAKE_MS: Final = 2_000
"""A driver that did not come for a lamp's command is reminded after this long (real ms)."""
ANSWER_MS: Final = 3_000
"""After this long (real ms) without an answer a command is in doubt, and the next is made all the same."""
FAILURES_TOLD: Final = 3
LOST_RETRIES: Final = 2


class DeskLamp:
    """One lamp. ``limits`` are in room time; ``speed`` is the clock's."""

    def __init__(self, info: FixtureInfo, zone: ZoneId, limits: Limits, speed: int, now_ms: int) -> None:
        self.info = info
        self.zone = zone
        self.belief = Belief(resting(POWER_ON_LOOK, now_ms, traits_of(info)))
        self.curve: Curve | None = None
        self.authority = Authority.SCORE
        self.due_ms: int | None = None
        self.woken_ms: int | None = None
        self.known = self.restored = False
        self.reachable = info.reachable
        self.hand: frozenset[Attribute] = frozenset()
        self.commands = 0
        self._limits, self._speed = limits, speed
        self._asked_ms: int | None = None
        self._sent_ms: int | None = None
        self._retry_ms = self._failures = self._lost = 0
        self._in_flight: LampCommand | None = None
        self._suspects: frozenset[Attribute] = frozenset()
        self._agreed: Look | None = None
        self._power_cuts = PowerCuts(self._speed)
        self._told_unwell = False
        self._new_word, self._word = False, Authority.SCORE

    # ------------------------------------------------------------ the curve

    def follow(self, curve: Curve | None, word: Authority, now_ms: int) -> bool:
        """Take a new curve on somebody's word; returns whether that freed it from a hand."""
        old, self.curve = self.curve, curve
        if curve is None:
            self.due_ms, self.woken_ms, self._asked_ms = None, None, None
            self.authority = Authority.SCORE
            return False
        if word is Authority.SCORE and old is not None:
            self._lend_no_speed(old, now_ms)
        raised = word not in (Authority.SCORE, self.authority) and not self._does_right(old, curve, now_ms)
        freed = word is not Authority.SCORE and bool(self.hand)
        if raised or freed:
            self.authority = word
        if freed:
            self.hand, self._suspects = frozenset(), frozenset()
        by_person = word is not Authority.SCORE
        heard = old is None or (by_person and not alike_ahead(old, curve, now_ms))
        right = old is not None and self._runs_right(old, curve, now_ms)
        if raised or freed or heard or not right:
            self.wake_at(now_ms)
        if raised or freed or heard or not (right or by_person):
            self._new_word, self._word = True, word
        return freed

    def release(self, authority: Authority, now_ms: int) -> None:
        """Let it follow again after a hand changed it."""
        self.hand, self._suspects = frozenset(), frozenset()
        if authority is not Authority.SCORE:
            self.authority = authority
        self.wake_at(now_ms)

    @property
    def lane(self) -> Authority:
        """Whose lane its next command takes: a new word's own, and the score's for what only carries on.

        A person's change so gentle that the score's limits hold for it is still a person's.
        """
        return self._word if self._new_word else Authority.SCORE

    def wake_at(self, at_ms: int) -> None:
        """Plan again at an instant."""
        self.due_ms, self.woken_ms = at_ms, None
        if self._asked_ms is None:
            self._asked_ms = at_ms

    def due_at(self, *, woken: bool) -> int | None:
        """Room time at which it may need a command; ``woken``: its driver asks, so needs no reminding."""
        if self.due_ms is None or self.curve is None or not self.reachable or self._left_alone():
            return None
        at_ms = max(self.due_ms, self._retry_ms)
        if not self.known:
            # Not even a person's word goes before it: what was kept is older than the last command may be.
            at_ms = max(at_ms, (self._asked_ms or 0) + LEARN_MS * self._speed)
        if self._in_flight is not None and self._sent_ms is not None and not self._new_word:
            # Its answer is worth waiting for; a person's newer word is not kept waiting.
            at_ms = max(at_ms, self._sent_ms + ANSWER_MS * self._speed)
        if self.woken_ms is not None and not woken:
            at_ms = max(at_ms, self.woken_ms + REWAKE_MS * self._speed)
        return at_ms

    def plan(self, now_ms: int) -> Plan | None:
        """Return what it needs now; with nothing to send, ``due_ms`` is put to when to look again."""
        if self.curve is None:
            return None
        if not self.known:
            self._guess(now_ms)
        self.belief = settled(self.belief, self._limits, now_ms)
        states = possible(self.belief, self._limits, now_ms)
        curve = self._pinned(self.curve, now_ms)
        if self.belief.certain:
            self.authority = authority_left(states[0], curve, self.authority, self._limits, now_ms)
        at_once = self._new_word and self._word is not Authority.SCORE
        plan = plan_next(states[0], curve, self.authority, self._limits, now_ms, states[1:], at_once=at_once)
        if plan.look is None:
            self.due_ms, self.woken_ms = max(plan.next_at_ms, now_ms + 1), None
        return plan

    def command(self, now_ms: int) -> LampCommand | None:
        """Return the command to send at this instant, taken as begun, or None."""
        plan = self.plan(now_ms)
        self.woken_ms = None
        if plan is None or plan.look is None:
            return None
        states = possible(self.belief, self._limits, now_ms)
        approval = approve_light(
            states[0], plan.look, plan.duration_ms, self.authority, self._limits, now_ms, states[1:]
        )
        soonest = now_ms + self._limits.transition_step_ms
        if approval.transition is None:
            again_ms = plan.next_at_ms if approval.again_ms is None else approval.again_ms
            self.due_ms = max(again_ms, soonest)
            return None
        stretched = approval.transition.duration_ms > plan.duration_ms
        self.due_ms = max(approval.model.end_ms if stretched else plan.next_at_ms, soonest)
        if approval.again_ms is not None:
            self.due_ms = max(approval.again_ms, soonest)
        # Of a wish in two steps, such as on at the floor and up, the second is as urgent.
        self._new_word = self._new_word and approval.again_ms is not None
        self.belief = commanded(self.belief, approval, self._limits, now_ms)
        return self._sent(approval.transition, now_ms)

    # ------------------------------------------------------------ what became of it

    def delivered(self, command: LampCommand) -> list[News]:
        """The whole command was taken."""
        if self._in_flight != command:
            return []
        self._in_flight, self._failures = None, 0
        self.belief = taken(self.belief)
        return self._unwell(None)

    def failed(self, command: LampCommand, message: str, now_ms: int) -> list[News]:
        """It was not, or not surely, taken: both futures are kept and a fresh command follows soon."""
        if self._in_flight != command:
            return []
        self._in_flight = None
        self.belief = refused(self.belief, self._limits, now_ms)
        wait_ms = min(BACKOFF_MS * 2 ** min(self._failures, 8), BACKOFF_MAX_MS)
        self._failures += 1
        self._retry_ms = now_ms + wait_ms * self._speed
        self.wake_at(now_ms)
        return self._unwell(message) if self._failures >= FAILURES_TOLD else []

    def withdrawn(self, command: LampCommand, now_ms: int) -> None:
        """Nothing of it was sent: the lamp is as it would be without it."""
        if self._in_flight != command:
            return
        self._in_flight = None
        self.belief = unsent(self.belief, self._limits, now_ms)
        self.commands -= 1
        self.wake_at(now_ms)

    def bridge_well(self, now_ms: int) -> None:
        """Its bridge answers again: no reason to wait any longer."""
        if self._failures:
            self._failures, self._retry_ms, self.woken_ms = 0, now_ms, None

    def observed(self, report: LampReport, now_ms: int) -> list[News]:
        """Take what a poll found; returns what somebody should hear of."""
        if not report.reachable:
            self.reachable = False
            return self._unwell(f"{self.info.name or self.info.fixture} does not answer")
        reading = reading_of(report.on, report.percent, report.mired, report.xy)
        if not self.reachable:
            return self._came_back(reading, now_ms)
        if not self.known:
            self._learn(reading, now_ms)
            return []
        if self.curve is None:
            if self.belief.certain and now_ms >= self.belief.model.end_ms + SETTLE_MS * self._speed:
                self._rest(read_look(reading, self.belief.model.target), now_ms)
            return []
        return self._watch(reading, now_ms)

    def memory(self, now_ms: int) -> LampMemory | None:
        """Return what a restart should know; None while nothing is known."""
        if not self.known and not self.restored:
            return None
        states = possible(self.belief, self._limits, now_ms)
        return LampMemory(states[0], self.hand, states[1:])

    def remember(self, memory: LampMemory, now_ms: int) -> None:
        """Take up what was known before a restart. A first poll is still waited for."""
        window_ms = self._limits.reversal_window_ms
        others = tuple(guarded(state, now_ms, window_ms) for state in memory.others)
        self.belief = Belief(guarded(memory.model, now_ms, window_ms), others)
        self.hand, self.restored, self.known = memory.hand, True, False

    # ------------------------------------------------------------ inside

    @property
    def _one_colour(self) -> bool:
        return self.info.mired_range is None and not self.info.has_colour

    def _left_alone(self) -> bool:
        return "power" in self.hand or self.hand >= {"brightness", "colour"}

    def _pinned(self, curve: Curve, now_ms: int) -> Curve:
        """The curve as far as it concerns this lamp: not where a hand was, no colours if it has none."""
        if not self.hand and not self._one_colour:
            return curve
        look = look_at(self.belief.model, now_ms)
        return Pinned(
            curve,
            look.lstar if "brightness" in self.hand else None,
            look.colour if "colour" in self.hand or self._one_colour else None,
        )

    def _lend_no_speed(self, curve: Curve, now_ms: int) -> None:
        """What a person asked for may have been reached long ago: it lends the score no speed."""
        if self.authority is not Authority.SCORE and self.belief.certain:
            model, lived = self.belief.model, self._pinned(curve, now_ms)
            self.authority = authority_left(model, lived, self.authority, self._limits, now_ms)

    def _runs_right(self, old: Curve, new: Curve, now_ms: int) -> bool:
        """Say whether its running transition was planned for what the new curve says as well."""
        if self.due_ms is None or self.belief.model.end_ms <= now_ms:
            return False
        end_ms = max(min(self.belief.model.end_ms, self.due_ms), now_ms)
        if not alike(old, new, (now_ms, (now_ms + end_ms) // 2, end_ms)):
            return False
        self.due_ms = end_ms
        return True

    def _does_right(self, old: Curve | None, new: Curve, now_ms: int) -> bool:
        """Say whether the lamp is on a curve that only came again: that is no new word."""
        if old is None or not self.belief.certain or not alike_ahead(old, new, now_ms):
            return False
        return on_curve(self.belief.model, new, self._limits, now_ms, slack=SPREAD_LSTAR)

    def _guess(self, now_ms: int) -> None:
        """No poll came in time."""
        window_ms = self._limits.reversal_window_ms
        self.belief = unpolled(self.belief, now_ms, window_ms, restored=self.restored)
        self.known = True

    def _learn(self, reading: Reading, now_ms: int) -> None:
        """The first poll. After a restart it tells the last target, which may be a newer one than we kept."""
        look = read_look(reading, self.belief.model.target)
        window_ms = self._limits.reversal_window_ms
        if not self.restored or reading.on is False:
            self.belief = found(look, self.belief, now_ms, window_ms)
        else:
            target = self.belief.model.target
            bright = told_brightness(reading, target)
            same_colour = told_colour(reading, target, self.info.mired_range)
            doubt = {"brightness": not bright, "colour": not same_colour}
            if any(doubt.values()) or now_ms < self.belief.model.end_ms:
                # A newer command may have brought it there, even to the same end sooner.
                told = look if any(doubt.values()) else target
                self.belief = unsure(self.belief, told, now_ms, window_ms, **doubt)
        self.known, self.woken_ms = True, None

    def _came_back(self, reading: Reading, now_ms: int) -> list[News]:
        """It answers again: from a power cut, at full brightness, or it never was away."""
        if self.authority is Authority.THERAPIST and self.curve is not None:
            # What a person asked for while it was away: once her ramp is over, it lends no speed.
            gentle = is_gentle(self.curve, self._limits, now_ms)
            self.authority = Authority.SCORE if gentle else self.authority
        self.reachable, self.known, self._failures, self._retry_ms = True, True, 0, now_ms
        self.hand, self._suspects = frozenset(), frozenset()
        self._in_flight = None
        model = self.belief.model
        window_ms = self._limits.reversal_window_ms
        as_we_left_it = reading.on is None or not differences(
            model, reading, now_ms, 0, self.info.mired_range, has_colour=False
        )
        if as_we_left_it and model.on:
            # The bridge may only say what it remembers; the lamp may be at full brightness all the same.
            full = guarded(resting(POWER_ON_LOOK, now_ms, model.traits), now_ms, window_ms)
            self.belief = Belief(model, (*possible(self.belief, self._limits, now_ms)[1:], full))
        else:
            self.belief = found(read_look(reading, POWER_ON_LOOK), self.belief, now_ms, window_ms)
        if self.curve is not None:
            self.wake_at(now_ms)
        return self._unwell(None)

    def _watch(self, reading: Reading, now_ms: int) -> list[News]:
        """Judge a poll of a lamp that is ours to lead."""
        settle_ms = SETTLE_MS * self._speed
        if self.belief.untaken or (self._sent_ms is not None and now_ms < self._sent_ms + settle_ms):
            return []
        model = self.belief.model
        states = possible(self.belief, self._limits, now_ms)
        cut = all(looks_like_power_on(reading, state) for state in states)
        if cut and not self.hand and self._power_cuts.is_another(now_ms):
            self._rest(POWER_ON_LOOK, now_ms)
            self.wake_at(now_ms)
            return []
        if not self.belief.certain:
            return []
        seen = differences(
            model, reading, now_ms, settle_ms, self.info.mired_range, has_colour=self.info.has_colour
        )
        before, self._suspects = self._suspects, seen
        if self.hand & seen:
            self._rest(read_look(reading, model.target), now_ms)
        confirmed = (seen & before) - self.hand
        if not seen:
            self._lost, self._agreed = 0, read_look(reading, model.target)
            self._power_cuts.over = self._power_cuts.over or now_ms >= model.end_ms
        if not confirmed:
            return []
        unmoved = looks_lost(reading, self._agreed) or looks_lost(reading, self.belief.earlier)
        if not self.hand and unmoved and self._lost < LOST_RETRIES:
            self._lost += 1
            self._rest(read_look(reading, model.target), now_ms)
            self.wake_at(now_ms)
            return []
        self.hand |= confirmed
        self._rest(read_look(reading, model.target), now_ms)
        self.wake_at(now_ms)
        return [ByHand(attribute) for attribute in sorted(confirmed)]

    def _rest(self, look: Look, now_ms: int) -> None:
        self.belief = found(look, self.belief, now_ms, self._limits.reversal_window_ms)

    def _sent(self, transition: Transition, now_ms: int) -> LampCommand:
        self.commands += 1
        self._sent_ms = now_ms
        self._in_flight = LampCommand(self.info.fixture, transition, self.authority)
        return self._in_flight

    def _unwell(self, message: str | None) -> list[News]:
        if (message is not None) == self._told_unwell:
            return []
        self._told_unwell = message is not None
        return [LampHealth(message)]
