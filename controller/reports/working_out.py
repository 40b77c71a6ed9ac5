"""Working out a session's account: its records, one after the other, with the state after each.

Pure: every time comes from a record. What a daemon, a part or a track of ours did wrong is listed as plainly
as what went well.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from controller.core import records as r
from controller.core.channels import Held
from controller.core.evolve import evolve
from controller.core.light import rgb_hex
from controller.core.session import fold, prompt_text
from controller.core.state import RoomState, ZoneCurve, new_room, zone_look
from controller.core.units import MS_PER_MIN
from controller.errors import UserError
from controller.reports.account import (
    Account,
    Disturbance,
    Ending,
    LightPoint,
    Moment,
    OverrideHeld,
    PhaseLived,
    PromptGiven,
    Shares,
    Span,
    TrackHeard,
    role_of,
)
from controller.reports.moments import moment_of

LIGHT_EVERY_MS = 2 * MS_PER_MIN
"""Between corners a light curve is sampled this often: enough for a drawing of eight hours."""
BY_ITSELF = frozenset({"score", "room"})
"""Who is not a person."""
OPEN = -1
"""The end of a stretch that still goes on."""
OVERRIDE = "override "
"""What an override's name begins with among the goings-on."""


def account_of(room: str, records: Sequence[r.Record], standing: Iterable[r.Record] = ()) -> Account:
    """Work out one session's account.

    ``records`` are the session's, in order, beginning with its start; ``standing`` what was recorded in the
    room before it (faults that were there when it began).

    Raises:
        UserError: the records do not begin with a session's start.
    """
    if not records or not isinstance(records[0].body, r.SessionStarted):
        raise UserError(f"{room}: these records do not begin with a session's start")
    start, started_at = records[0].body, records[0].at_ms
    last = fold(dict(start.score.resting), records).session
    ends = [record for record in records if isinstance(record.body, r.SessionEnded)]
    # An end that was taken back is not the end.
    ended = ends[-1] if ends and last is not None and last.status == "ended" else None
    end_ms = max((ended or records[-1]).at_ms, started_at)
    walk = _Walk(room, start, new_room(start.score.resting), started_at, end_ms, started_at)
    for record in standing:
        walk.fault(record.body, min(record.at_ms, started_at))
    for record in records:
        walk.take(record)
    reason = ended.body.reason if ended is not None and isinstance(ended.body, r.SessionEnded) else None
    return walk.account(reason or "not ended")


@dataclass(slots=True)
class _Walk:
    """Goes through a session record by record, with the state after each."""

    room: str
    start: r.SessionStarted
    state: RoomState
    at_ms: int
    end_ms: int
    at_start_ms: int
    spent: Counter[str] = field(default_factory=Counter)
    light: dict[str, list[LightPoint]] = field(default_factory=dict)
    phases: list[PhaseLived] = field(default_factory=list)
    tracks: list[TrackHeard] = field(default_factory=list)
    prompts: dict[str, PromptGiven] = field(default_factory=dict)
    left_out: Counter[str] = field(default_factory=Counter)
    moments: list[Moment] = field(default_factory=list)
    disturbances: list[Disturbance] = field(default_factory=list)
    commands: Counter[str] = field(default_factory=Counter)
    faults: dict[str, tuple[int, str]] = field(default_factory=dict)
    going: dict[str, tuple[int, str]] = field(default_factory=dict)
    """What goes on (an override's channel, ``held``, ``eyeshades`` …): since when, and whose it is."""
    closed: dict[str, list[tuple[Span, str]]] = field(default_factory=dict)
    jumped_to: str | None = None
    last_command: str | None = None

    # ------------------------------------------------------------ one record after the other

    def take(self, record: r.Record) -> None:
        """Take the next record."""
        at = min(max(record.at_ms, self.at_ms), self.end_ms)
        self._pass(at)
        self.state = evolve(self.state, record)
        self._note(record, at)
        self._follow(at)

    def _pass(self, until_ms: int) -> None:
        """Count the time since the last record, and draw the light of it."""
        length, session = until_ms - self.at_ms, self.state.session
        if length <= 0 or session is None:
            return
        held = session.status in {"held", "asking"}
        self.spent["held" if held else "overridden" if _overrides(self.state) else "designed"] += length
        for zone in self.state.zones:
            corners = ZoneCurve(self.state, zone).knots(self.at_ms, until_ms)
            evenly = range(self.at_ms, until_ms, LIGHT_EVERY_MS)
            drawn = self.light.setdefault(zone, [])
            for at in sorted({*corners, *evenly, until_ms}):
                look = zone_look(self.state, zone, at)
                drawn.append(LightPoint(at, round(look.percent, 2), rgb_hex(look)))
        self.at_ms = until_ms

    def _follow(self, at: int) -> None:
        """Open and close the stretches that the state shows now."""
        now = _goings_on(self.state)
        for name, (since, whose) in list(self.going.items()):
            if now.get(name) != whose:
                del self.going[name]
                self.closed.setdefault(name, []).append((Span(since, at), whose))
        for name, whose in now.items():
            self.going.setdefault(name, (at, whose))

    # ------------------------------------------------------------ what each kind of record says

    def _note(self, record: r.Record, at: int) -> None:
        body, by = record.body, role_of(record.by)
        if record.command_id not in {None, self.last_command} and by not in BY_ITSELF:
            self.commands[body.kind] += 1  # a command's first record names it
        self.last_command = record.command_id
        moment = moment_of(record, at)
        if moment is not None:
            self.moments.append(moment)
        match body:
            case r.PhaseJumped(phase=phase):
                self.jumped_to = phase
            case r.PhaseEntered(phase=phase):
                self._enter(phase, at, by_hand=self.jumped_to == phase)
            case r.CommandUndone():
                self._back_in_phase(at)
            case r.TrackStarted() | r.TrackSkipped() | r.TrackFailed():
                self._hear(body, at)
            case r.PromptCued() | r.PromptSuppressed() | r.PromptAcknowledged():
                self._prompt(body, at)
            case r.SessionRecovered(away_ms=away):
                what = f"the room's computer was away for {round(away / 1000)} s"
                self.disturbances.append(Disturbance("restart", what, Span(at - away, at)))
            case r.LampChangedByHand(fixture=fixture, attribute=attribute):
                self.disturbances.append(Disturbance("lamp by hand", f"{fixture}: {attribute}", Span(at, at)))
            case r.FaultRaised() | r.FaultCleared():
                self.fault(body, at)
            case _:
                pass

    def _enter(self, phase: str, at: int, *, by_hand: bool) -> None:
        planned = next(found for found in self.start.score.phases if found.phase_id == phase)
        reached: Literal["in time", "by hand"] = "by hand" if by_hand else "in time"
        self.jumped_to = None
        self.phases.append(PhaseLived(phase, planned.title, planned.length_ms, Span(at, OPEN), reached))

    def _back_in_phase(self, at: int) -> None:
        """After an undo the room may be in another phase than the one entered last."""
        session = self.state.session
        if session is not None and self.phases and self.phases[-1].phase != session.phase.phase_id:
            self._enter(session.phase.phase_id, at, by_hand=True)

    def _hear(self, body: r.TrackStarted | r.TrackSkipped | r.TrackFailed, at: int) -> None:
        last = self.tracks[-1] if self.tracks and self.tracks[-1].span.end_ms == OPEN else None
        match body:
            case r.TrackFailed(track_id=track, reason=reason):
                self.disturbances.append(Disturbance("track", f"{track}: {reason}", Span(at, at)))
            case r.TrackSkipped() if last is not None:
                self.tracks[-1] = replace(last, skipped=True)
            case r.TrackStarted():
                if last is not None:
                    self.tracks[-1] = replace(last, span=Span(last.span.start_ms, at))
                phase = self.phases[-1].phase if self.phases else ""
                heard = (body.track_id, body.title, body.artist, body.pool, phase)
                self.tracks.append(TrackHeard(*heard, span=Span(at, OPEN), skipped=False))
            case _:
                pass

    def _prompt(self, body: r.PromptCued | r.PromptSuppressed | r.PromptAcknowledged, at: int) -> None:
        match body:
            case r.PromptSuppressed(reason=reason):
                self.left_out[reason] += 1
            case r.PromptAcknowledged(prompt_id=prompt_id, result=result):
                given = self.prompts.get(prompt_id)
                if given is not None:
                    self.prompts[prompt_id] = replace(given, result=result, answered_at_ms=at)
            case r.PromptCued():
                # Words typed for once are free text: the records hold none of them, and so none stand here.
                words = prompt_text(self.start.score, body)
                self.prompts[body.prompt_id] = PromptGiven(
                    body.prompt, words, body.audience.value, at, body.cue_id is None, "", None
                )

    def fault(self, body: r.RecordBody, at: int) -> None:
        """Take note of a part that is not well, or is well again."""
        if not isinstance(body, r.FaultRaised | r.FaultCleared):
            return
        standing = self.faults.pop(body.part, None)
        if standing is not None and at > self.at_start_ms:
            since = max(standing[0], self.at_start_ms)
            self.disturbances.append(Disturbance("part", standing[1], Span(since, at)))
        if isinstance(body, r.FaultRaised):
            self.faults[body.part] = (at, f"{body.part}: {body.message}")

    # ------------------------------------------------------------ the end

    def account(self, ended: Ending) -> Account:
        """Return the account, everything still going on closed at the end."""
        end = self.end_ms
        self._pass(end)
        for name, (since, whose) in self.going.items():
            self.closed.setdefault(name, []).append((Span(since, end), whose))
        for since, message in self.faults.values():
            self.disturbances.append(Disturbance("part", message, Span(max(since, self.at_start_ms), end)))
        overrides = [
            OverrideHeld(name.removeprefix(OVERRIDE), whose, span)
            for name, stretches in self.closed.items()
            if name.startswith(OVERRIDE)
            for span, whose in stretches
        ]
        return Account(
            session_id=self.start.session_id,
            room=self.room,
            profile=self.start.score.profile_id,
            title=self.start.score.title,
            unreviewed=not self.start.score.reviewed,
            speed=self.start.speed,
            sheet=self.start.sheet,
            score=self.start.score,
            span=Span(self.at_start_ms, end),
            ended=ended,
            shares=Shares(self.spent["designed"], self.spent["overridden"], self.spent["held"]),
            phases=_phases(self.phases, end),
            tracks=tuple(
                replace(heard, span=Span(heard.span.start_ms, end)) if heard.span.end_ms == OPEN else heard
                for heard in self.tracks
            ),
            silences=self._stretches(f"{OVERRIDE}silence"),
            prompts=tuple(self.prompts.values()),
            left_out=dict(self.left_out),
            overrides=tuple(sorted(overrides, key=lambda found: (found.span.start_ms, found.channel))),
            holds=self._stretches("held"),
            moments=tuple(self.moments),
            disturbances=tuple(sorted(self.disturbances, key=lambda found: found.span.start_ms)),
            light={zone: tuple(points) for zone, points in self.light.items()},
            commands=dict(self.commands),
            eyeshades=self._stretches("eyeshades"),
            headphones=self._stretches("headphones"),
        )

    def _stretches(self, name: str) -> tuple[Span, ...]:
        return tuple(span for span, _ in self.closed.get(name, ()))


def _phases(entered: Sequence[PhaseLived], end: int) -> tuple[PhaseLived, ...]:
    ends = [*(phase.span.start_ms for phase in entered), end][1:]
    return tuple(
        replace(phase, span=Span(phase.span.start_ms, until))
        for phase, until in zip(entered, ends, strict=True)
    )


def _overrides(state: RoomState) -> dict[str, str]:
    """Return every channel that is a person's, with the role it is of."""
    session = state.session
    if session is None or session.status == "ended":
        return {}
    found: dict[str, str] = {f"scene {on.scene.name}": role_of(on.by) for on in state.scenes}
    for zone, over in state.lights.items():
        for channel, held in (("brightness", over.lstar), ("colour", over.colour)):
            if isinstance(held, Held) and held.scene is None:
                found[f"light {zone} {channel}"] = role_of(held.by)
    sound = state.sound
    if sound.volume.by:
        found["volume"] = role_of(sound.volume.by)
    if sound.mood is not None:
        found["mood"] = role_of(sound.mood.by)
    if sound.silence is not None:
        found["silence"] = role_of(sound.silence.by)
    return found


def _goings_on(state: RoomState) -> dict[str, str]:
    """Return what goes on now, each with whose it is."""
    session = state.session
    if session is None or session.status == "ended":
        return {}
    found = {f"{OVERRIDE}{name}": whose for name, whose in _overrides(state).items()}
    if session.status in {"held", "asking"}:
        found["held"] = ""
    if session.eyeshades:
        found["eyeshades"] = ""
    if session.headphones:
        found["headphones"] = ""
    return found
