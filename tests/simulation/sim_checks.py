"""The promises, held against every step."""

from dataclasses import dataclass, field

from sim_daemon import Happened
from sim_disk import Broker
from sim_lamps import BrokenPromiseError, EyeLamp
from sim_score import LAMPS, REST
from sim_wants import Wants

from controller.core import commands as c
from controller.core import records as r
from controller.core.evolve import evolve
from controller.core.light import colour_distance_mired
from controller.core.score import Audience
from controller.core.session import PublishPrompt
from controller.core.state import RoomState, SessionState, new_room, zone_look
from controller.core.units import lstar_from_luminance, luminance_from_lstar

LIGHT_WORDS = (
    c.Light, c.LightTrim, c.LightRelease, c.TakeScene, c.SceneRelease, c.Undo, c.Resume, c.Start,
)  # fmt: skip
SOUND_WORDS = (
    c.Volume, c.VolumeTrim, c.Mood, c.SkipTrack, c.Silence, c.Sound, c.SoundRelease,
    c.TakeScene, c.SceneRelease, c.Undo,
)  # fmt: skip


OFF_MS = 10_000


@dataclass
class Checks:
    """What the checks remember between steps."""

    wants: Wants = field(default_factory=Wants)
    shadow: RoomState = field(default_factory=lambda: new_room(REST))
    session_id: str | None = None
    session_ms: int = 0
    last_at_ms: int = 0
    late: bool = False
    commanded: bool = False
    cued: set[str] = field(default_factory=set)
    issued: set[str] = field(default_factory=set)

    def step(self, what: Happened, now: int) -> None:
        """Hold one step against what it must not do."""
        event, done = what.event, what.done
        self.commanded = self.commanded or isinstance(event, c.Command)
        for record in done.records:
            self._record(record, now)
        if done.state != self.shadow:
            raise BrokenPromiseError("fold", f"the records do not give the state after {event}")
        self._effects(done.effects, done.records)
        self._session(done.state.session, now)
        if isinstance(event, c.Command):
            mine = tuple(rec for rec in done.records if rec.command_id == event.command_id)
            if not mine:
                raise BrokenPromiseError("journal", f"a command without a record: {event}")
            before = self._before(what)
            self.wants.expire(now, _slot(before))
            self.wants.heed(event, mine, before, now)

    def _before(self, what: Happened) -> RoomState:
        """The state the command met: what fell due before it has happened already."""
        event, state = what.event, what.before
        for record in what.done.records:
            if isinstance(event, c.Command) and record.command_id == event.command_id:
                break
            state = evolve(state, record)
        return state

    def _record(self, record: r.Record, now: int) -> None:
        if record.at_ms != now or record.at_ms < self.last_at_ms:
            raise BrokenPromiseError("time", f"a record of another time: {record}")
        self.last_at_ms = record.at_ms
        session = self.shadow.live_session
        if record.by == "score" and session is not None:
            self._by_score(record, session, now)
        self.shadow = evolve(self.shadow, record)

    def _by_score(self, record: r.Record, session: SessionState, now: int) -> None:
        body, at = record.body, session.session_ms(now)
        exact = not (self.late or self.commanded)
        if isinstance(body, r.PhaseEntered) and exact and at != session.timeline.slots[body.slot].start_ms:
            raise BrokenPromiseError("on time", f"{body.phase} entered at {at}: {session.timeline.slots}")
        if isinstance(body, r.SessionEnded) and exact and at != session.due_end_ms():
            raise BrokenPromiseError("on time", f"ended at {at}, due at {session.due_end_ms()}")
        if isinstance(body, r.PromptCued) and body.cue_id is not None:
            self._cue(body, body.cue_id, session, at, exact=exact)

    def _cue(self, body: r.PromptCued, key: str, session: SessionState, at: int, *, exact: bool) -> None:
        if body.audience is Audience.CLIENT and session.phase.client_prompts_suppressed:
            raise BrokenPromiseError("peak", f"{key} goes to the client in {session.phase.phase_id}")
        slot, _, name = key.partition(".")
        if slot == "a" or key in session.deferred:
            return
        index = int(slot)
        offset = next(cue.offset_ms for cue in session.timeline.phase_of(index).cues if cue.cue_id == name)
        late = at - session.timeline.slots[index].start_ms - offset
        if (exact and late) or (body.audience is Audience.CLIENT and late > 60_000):
            raise BrokenPromiseError("on time", f"{key} goes out {late} ms late")

    def _effects(self, effects: tuple[object, ...], records: tuple[r.Record, ...]) -> None:
        journaled = {rec.body.prompt_id for rec in records if isinstance(rec.body, r.PromptCued)}
        for effect in effects:
            if not isinstance(effect, PublishPrompt):
                continue
            if effect.prompt_id not in journaled:
                raise BrokenPromiseError("once", f"prompt {effect.prompt_id} goes out without a record")
            journaled.discard(effect.prompt_id)
            if effect.prompt_id in self.issued:
                raise BrokenPromiseError("once", f"prompt {effect.prompt_id} was cued twice")
            self.issued.add(effect.prompt_id)
        if journaled:
            raise BrokenPromiseError("once", f"prompts {journaled} were cued and do not go out")

    def _session(self, session: SessionState | None, now: int) -> None:
        if session is None:
            return
        at = session.session_ms(now)
        if session.session_id != self.session_id:
            self.session_id, self.session_ms = session.session_id, 0
        if at < self.session_ms:
            raise BrokenPromiseError("session time", f"ran back from {self.session_ms} to {at}")
        self.session_ms = at

    def after_instant(self, state: RoomState, now: int) -> None:
        """When everything due has been done: the plan is what was asked for, and no cue was forgotten."""
        self.wants.expire(now, _slot(state))
        self.wants.check(state, now)
        self.late = self.commanded = False
        session = state.live_session
        if session is None or not session.runs:
            return
        at, slot = session.session_ms(now), session.slot
        if at > slot.end_ms and session.entered_slot + 1 < len(session.timeline.slots):
            raise BrokenPromiseError("on time", f"still in {session.phase.phase_id} at {at}: {slot}")
        for cue in session.phase.cues:
            key = f"{session.entered_slot}.{cue.cue_id}"
            due = session.deferred.get(key, slot.start_ms + cue.offset_ms)
            if due <= at and cue.offset_ms < slot.length_ms and key not in session.cued:
                raise BrokenPromiseError("on time", f"cue {key} was forgotten at {at}, due {due}")

    def crashed(self, wants: Wants | None, alive_ms: int, *, lost: bool) -> None:
        """The daemon died; what was not on the disk is not held against the next one."""
        self.wants = Wants() if wants is None else wants.copy()
        session = self.shadow.session
        if lost:
            self.session_ms = 0
        elif session is not None:
            # It holds and asks from the last instant that the disk knows of, not from its death.
            self.session_ms = min(self.session_ms, session.session_ms(alive_ms))

    def recovered(self, records: list[r.Record], broker: Broker) -> None:
        """A new daemon begins from these records."""
        self.shadow = new_room(REST)
        for record in records:
            self.shadow = evolve(self.shadow, record)
        # What never left the daemon before it died is cued again, if it is not too late.
        self.issued &= broker.published
        self.late = True


def _slot(state: RoomState) -> int | None:
    session = state.live_session
    return None if session is None else session.entered_slot


def check_lamp(lamp: EyeLamp, state: RoomState, now: int, *, whites: bool, certain: bool) -> bool:
    """Whether a lamp is on its plan, in brightness and colour. A calm one that is not breaks the promise."""
    wish, eye = zone_look(state, LAMPS[lamp.name], now), lamp.look(now)
    floor = lstar_from_luminance(1 / 254)
    # A lamp told to be off is off, not left glowing: it had time for the last step.
    dark = wish.lstar <= 0.0 and zone_look(state, LAMPS[lamp.name], now - OFF_MS).lstar <= 0.0
    near = eye.lstar <= 0.0 if dark else _near(eye.lstar, wish.lstar, floor)
    calm = now >= lamp.calm_from_ms and lamp.powered and lamp.reachable and not (lamp.blind or lamp.by_hand)
    calm = calm and (certain or now >= lamp.doubt_until_ms)
    if calm and not near:
        raise BrokenPromiseError("plan", f"{lamp.name} shows {eye}, the plan is {wish}")
    if wish.lstar < floor or not lamp.level.at(now):
        return near
    same = colour_distance_mired(wish.colour, eye.colour) <= 12.0
    if whites and calm and now >= lamp.tint_calm_from_ms and not same:
        raise BrokenPromiseError("plan", f"{lamp.name} shows {eye}, the plan is {wish}")
    return near and same


def _near(eye: float, wish: float, floor: float) -> bool:
    """Within 1.2 L* and half a step of the plan; below a lamp's floor it glows at the floor or is off."""
    if wish < floor and eye <= floor:
        return True
    wish = max(wish, floor)
    y = luminance_from_lstar(wish)
    return abs(eye - wish) <= 1.2 + lstar_from_luminance(y + 0.6 / 254) - lstar_from_luminance(y)


def touched_zones(command: c.Command, records: tuple[r.Record, ...]) -> set[str]:
    """The zones whose light a command was about."""
    body = command.body
    if isinstance(body, c.TakeScene):
        return set(body.scene.looks) & set(REST)
    if isinstance(body, c.Undo | c.SceneRelease | c.Resume | c.Start):
        return set(REST)
    found = set()
    for record in records:
        if isinstance(record.body, r.LightHeld | r.LightTrimmed | r.LightReleased):
            found.add(record.body.zone)
    return found


def fade_of(body: c.Body) -> int:
    """How long the ramp of a light word takes, ms."""
    match body:
        case c.Light():
            return 5_000 if body.fade_ms is None else body.fade_ms
        case c.LightRelease():
            return 10_000 if body.fade_ms is None else body.fade_ms
        case c.TakeScene():
            return body.scene.fade_ms
        case _:
            return 5_000
