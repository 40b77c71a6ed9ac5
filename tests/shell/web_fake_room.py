"""A room for the web app's tests: it applies commands to a snapshot as a therapist would expect, at once."""

from collections.abc import Callable
from dataclasses import replace
from typing import assert_never

from controller import wire
from controller.api import Listener, Named, RoomChange
from controller.core import records as rec
from controller.core.commands import Scope, SessionSheet, Trim
from controller.core.light import Look, Mired, Xy, rgb_hex
from controller.core.snapshot import (
    CardView,
    CueView,
    FaultView,
    LampView,
    MusicView,
    OverrideView,
    PhaseView,
    Ribbon,
    RibbonMusic,
    RibbonPoint,
    RibbonZone,
    SessionView,
    Snapshot,
    ZoneView,
)
from controller.core.units import lstar_from_percent, mired_from_kelvin, percent_from_lstar
from controller.errors import RefusedError
from controller.ports import Clock, SessionSummary

MIN = 60_000
PLAN = (
    # phase, title, minutes, percent, kelvin, pool, level
    ("arrival", "Arrival", 30, 45, 2700, "warm", 48),
    ("intention", "Intention", 30, 35, 2500, "sparse", 42),
    ("settle", "Settle", 25, 25, 2300, "reassuring", 50),
    ("onset", "Onset", 45, 10, 2200, "steady", 55),
    ("ascent", "Ascent", 40, 4, 2000, "building", 60),
    ("peak", "Peak", 90, 2, 2000, "vast", 62),
    ("descent", "Descent", 90, 4, 2000, "tender", 57),
    ("return", "Return", 70, 15, 2200, "light", 52),
    ("talk", "Talk", 60, 35, 2700, "faint", 40),
)
ZONES = ("ceiling", "bedside", "path")
POOLS = tuple(entry[5] for entry in PLAN)


def _zone(
    zone: str, percent: float, kelvin: int | None, *, xy: tuple[float, float] | None = None
) -> ZoneView:
    lstar = lstar_from_percent(percent)
    colour = Xy(*xy) if xy else Mired(mired_from_kelvin(kelvin or 2200))
    swatch = rgb_hex(Look(lstar, colour))
    return ZoneView(zone, percent, lstar, None if xy else kelvin, xy, swatch, False, (), ())


class FakeRoom:
    """One room that needs nothing; ``fail`` makes the next command be refused."""

    def __init__(self, clock: Clock, room_id: str = "garden", *, running: bool = True) -> None:
        self._clock = clock
        self._room_id = room_id
        self._listeners: list[Listener] = []
        self._answered: dict[object, wire.Reply] = {}
        self._revision = 1
        self._log: list[rec.Record] = []
        self._undo: list[tuple[str, dict[str, object]]] = []
        self.commands: list[tuple[wire.CommandRequest, str]] = []
        self.sheet: SessionSheet | None = None
        self.intention = ""
        self.minutes = [entry[2] for entry in PLAN]
        self.zones = {zone: _zone(zone, 10.0 if zone == "path" else 25.0, 2300) for zone in ZONES}
        self.trim_db = 0.0
        self.pool: str | None = None
        self.silent = False
        self.skipped = 0
        self.scenes: list[str] = []
        self.cards: list[CardView] = []
        self.faults: list[FaultView] = []
        self.held_at_ms: int | None = None
        self.anchors: list[str] = []
        self.eyeshades = self.headphones = False
        self.prompts_sent: list[str] = []
        self.notes: list[tuple[str, str]] = []
        self.volume_override: OverrideView | None = None
        self.mood_override: OverrideView | None = None
        self.started_at_ms: int | None = None
        self.profile = "psilocybin"
        self.ended = False
        if running:
            self._start("psilocybin", 62 * MIN)

    def _start(self, profile: str, ago_ms: int = 0) -> None:
        self.profile = profile
        self.started_at_ms = self._clock.now_ms() - ago_ms
        self.ended = False
        self.held_ms = 0
        self.skew_ms = 0

    # -------------------------------------------------------------- RoomApi

    @property
    def room_id(self) -> str:
        return self._room_id

    def session_ms(self) -> int:
        assert self.started_at_ms is not None
        now = self.held_at_ms if self.held_at_ms is not None else self._clock.now_ms()
        return now - self.started_at_ms - self.held_ms + self.skew_ms

    def _phases(self, minutes: list[int] | None = None, at_ms: int | None = None) -> tuple[PhaseView, ...]:
        now, start, found = self.session_ms() if at_ms is None else at_ms, 0, []
        for slot, (entry, length) in enumerate(zip(PLAN, minutes or self.minutes, strict=True)):
            end = start + length * MIN
            state = "past" if now >= end else "now" if now >= start else "next"
            found.append(
                PhaseView(slot, entry[0], entry[1], start, length * MIN, state, entry[5], float(entry[6]))  # type: ignore[arg-type]
            )
            start = end
        return tuple(found)

    def _session(self) -> SessionView | None:
        if self.started_at_ms is None or self.ended:
            return None
        at = self.session_ms()
        phases = self._phases()
        now = next((phase for phase in phases if phase.state == "now"), phases[-1])
        length = sum(self.minutes) * MIN
        return SessionView(
            session_id="5f2e",
            profile=self.profile,
            title=self.profile.capitalize(),
            unreviewed=True,
            status="held" if self.held_at_ms is not None else "running",
            started_at_ms=self.started_at_ms,
            session_ms=at,
            phase=now.phase,
            phase_title=now.title,
            phase_elapsed_ms=at - now.start_ms,
            phase_left_ms=now.start_ms + now.length_ms - at,
            planned_end_ms=self._clock.now_ms() + length - at,
            minimum_ms=300 * MIN,
            phases=phases,
            anchors=tuple(self.anchors),
            eyeshades=self.eyeshades,
            headphones=self.headphones,
            touch="ask",
            scenes=tuple(self.scenes),
            next_cue=CueView(
                "c1", "breath", "client", "Let the out-breath be a little longer.", at + 9 * MIN
            ),
            cards=tuple(self.cards),
            undo=self._undo[-1][0] if self._undo else None,
            undo_until_ms=self._clock.now_ms() + 10_000 if self._undo else None,
        )

    def snapshot(self) -> Snapshot:
        overrides = tuple(o for o in (self.volume_override, self.mood_override) if o)
        entry = next((e for e in PLAN if e[5] == self.pool), PLAN[2])
        return Snapshot(
            version=1,
            revision=self._revision,
            room=self._room_id,
            title="Garden room",
            now_ms=self._clock.now_ms(),
            speed=self._clock.speed,
            session=self._session(),
            zones=tuple(self.zones.values()),
            lamps=tuple(
                LampView(
                    f"{zone}-{n}", f"{zone} {n}", zone, view.brightness_percent, view.swatch, True, False
                )
                for zone, view in self.zones.items()
                for n in (1, 2)
            ),
            music=MusicView(
                state="silence" if self.silent else "playing",
                pool=self.pool or entry[5],
                mood=self.pool or entry[5],
                energy=0.25,
                title=f"Slow water {self.skipped + 1}",
                artist="Stillroom",
                position_ms=65_000,
                length_ms=480_000,
                level_dba=50.0 + self.trim_db,
                trim_db=self.trim_db,
                calibrated=False,
                overrides=overrides,
            ),
            faults=tuple(self.faults),
            prepared=self.started_at_ms is None,
        )

    async def submit(self, request: wire.CommandRequest, by: str) -> wire.Reply:
        known = self._answered.get(request.id)
        if known is not None:
            return known.model_copy(update={"repeated": True})
        self.commands.append((request, by))
        try:
            reply = self._dry(request) if request.dry_run else self._apply(request, by)
        except RefusedError as error:
            refused = wire.Refusal(code=error.code, message=str(error))
            reply = wire.Reply(id=request.id, ok=False, revision=self._revision, refused=refused)
        if not request.dry_run:
            self._answered[request.id] = reply
        return reply

    def watch(self, listener: Listener) -> Callable[[], None]:
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def ribbon(self, profile: str | None = None) -> Ribbon | None:
        if profile is None and self._session() is None:
            return None
        if profile is not None and profile not in {item.name for item in self.profiles()}:
            return None
        minutes = [entry[2] for entry in PLAN] if profile else self.minutes
        phases = self._phases(minutes, 0 if profile else None)
        zones = []
        for zone in ZONES:
            points: list[RibbonPoint] = []
            for entry, phase in zip(PLAN, phases, strict=True):
                percent = entry[3] * (0.4 if zone == "path" else 1.0)
                swatch = rgb_hex(Look(lstar_from_percent(percent), Mired(mired_from_kelvin(entry[4]))))
                points.append(
                    RibbonPoint(phase.start_ms + min(phase.length_ms // 3, 5 * MIN), percent, swatch)
                )
                points.append(RibbonPoint(phase.start_ms + phase.length_ms, percent, swatch))
            zones.append(RibbonZone(zone, tuple(points)))
        music = tuple(
            RibbonMusic(p.start_ms, p.length_ms, p.pool, p.pool or "", 0.2 + 0.06 * p.slot, p.level_dba)
            for p in phases
        )
        cues = (
            CueView(
                "c1",
                "breath",
                "client",
                "Let the out-breath be a little longer.",
                phases[2].start_ms + 5 * MIN,
            ),
            CueView("c2", "trust", "client", "Trust it, let go, stay open.", phases[4].start_ms + 10 * MIN),
            CueView("c3", "pressure", "therapist", "Blood pressure.", phases[6].start_ms),
            CueView("c4", "senses", "client", "Five things you see …", phases[7].start_ms + 30 * MIN),
        )
        length = sum(minutes) * MIN
        return Ribbon(profile or self.profile, length, 300 * MIN, phases, tuple(zones), music, cues)

    def profiles(self) -> tuple[Named, ...]:
        return (
            Named("psilocybin", "Psilocybin", "480 min · nine phases", reviewed=False),
            Named("quiet_room", "Quiet room", "45 min · five phases", reviewed=True),
        )

    def pools(self) -> tuple[Named, ...]:
        return tuple(Named(pool, pool.capitalize(), "12 tracks") for pool in POOLS)

    def presets(self) -> tuple[Named, ...]:
        return (Named("path", "Bathroom path"), Named("help", "Help light"), Named("reading", "Reading"))

    def prompts(self) -> tuple[Named, ...]:
        return (
            Named("breath", "Breath", "Let the out-breath be a little longer than the in-breath."),
            Named("feet", "Feet", "Feel both feet meet the floor. Press, then soften."),
            Named("orient", "Orient", "You are in the room with us. It is afternoon. You are safe here."),
        )

    async def sessions(self) -> tuple[SessionSummary, ...]:
        return (SessionSummary("5f2e", self.profile, "Psilocybin", self.started_at_ms or 0, None, True),)

    async def records(self, session_id: str) -> tuple[rec.Record, ...]:
        return tuple(self._log)

    def set_sheet(self, sheet: SessionSheet, intention: str) -> None:
        if self._session() is not None:
            raise RefusedError("session_running", "the sheet is locked while a session runs")
        self.sheet, self.intention = sheet, intention

    # -------------------------------------------------------------- inside

    def changed(self) -> None:
        """Tell everybody who watches."""
        self._revision += 1
        change = RoomChange(self.snapshot(), ())
        for listener in list(self._listeners):
            listener(change)

    def _dry(self, request: wire.CommandRequest) -> wire.Reply:
        minutes = list(self.minutes)
        slot = self._now_slot()
        if isinstance(request, wire.ExtendRequest):
            minutes[slot] += round(request.minutes)
        elif isinstance(request, wire.NextPhaseRequest):
            phase = self._phases()[slot]
            minutes[slot] -= (phase.start_ms + phase.length_ms - self.session_ms()) // MIN
        phases = self._phases(minutes)
        preview = wire.Preview(
            planned_end_ms=self._clock.now_ms() + sum(minutes) * MIN - self.session_ms(),
            phases=tuple(
                wire.PlannedPhase(phase=p.phase, start_ms=p.start_ms, length_ms=p.length_ms) for p in phases
            ),
            music_coverage_ms=None,
        )
        return wire.Reply(id=request.id, ok=True, revision=self._revision, preview=preview)

    def _now_slot(self) -> int:
        return next((p.slot for p in self._phases() if p.state == "now"), len(PLAN) - 1)

    def _apply(self, request: wire.CommandRequest, by: str) -> wire.Reply:
        before = {
            "zones": dict(self.zones),
            "trim_db": self.trim_db,
            "pool": self.pool,
            "silent": self.silent,
            "minutes": list(self.minutes),
            "scenes": list(self.scenes),
            "volume_override": self.volume_override,
            "mood_override": self.mood_override,
        }
        body = self._do(request, by)
        if isinstance(request, wire.UndoRequest):
            _, earlier = self._undo.pop()
            for name, value in earlier.items():
                setattr(self, name, value)
        elif not isinstance(request, (wire.NoteRequest, wire.PromptRequest, wire.PromptAckRequest)):
            self._undo.append((request.command, before))
        self._log.append(rec.Record(self._clock.now_ms(), by, body, str(request.id), "5f2e"))
        self.changed()
        return wire.Reply(
            id=request.id, ok=True, applied=(body.kind,), journaled=True, revision=self._revision
        )

    def _need_session(self) -> None:
        if self._session() is None:
            raise RefusedError("no_session", "no session runs")

    def _do(self, request: wire.CommandRequest, by: str) -> rec.RecordBody:  # noqa: C901, PLR0911, PLR0912
        match request:
            case wire.StartRequest():
                if self._session() is not None:
                    raise RefusedError("session_running", "a session runs already")
                self._start(request.profile)
                return rec.SessionResumed()
            case wire.EndRequest():
                self._need_session()
                if self.session_ms() < 300 * MIN and not request.anyway:
                    raise RefusedError("before_minimum", "before the minimum of 300 min: end anyway?")
                self.ended = True
                return rec.SessionEnded("therapist")
            case wire.HoldRequest():
                self._need_session()
                self.held_at_ms = self._clock.now_ms()
                return rec.SessionHeld()
            case wire.ResumeRequest():
                if self.held_at_ms is None:
                    raise RefusedError("not_held", "the session is not held")
                self.held_ms += self._clock.now_ms() - self.held_at_ms
                self.held_at_ms = None
                return rec.SessionResumed()
            case wire.ExtendRequest():
                self._need_session()
                self.minutes[self._now_slot()] += round(request.minutes)
                return rec.PhaseExtended(PLAN[self._now_slot()][0], round(request.minutes * MIN))
            case wire.NextPhaseRequest() | wire.GotoPhaseRequest():
                self._need_session()
                slot = self._now_slot() + 1
                if isinstance(request, wire.GotoPhaseRequest):
                    slot = [entry[0] for entry in PLAN].index(request.phase)
                self.skew_ms += self._phases()[min(slot, len(PLAN) - 1)].start_ms - self.session_ms()
                return rec.PhaseJumped(PLAN[slot][0])
            case wire.AnchorRequest():
                self.anchors.append(request.anchor)
                return rec.AnchorMarked(request.anchor, self.session_ms())
            case wire.LightRequest() | wire.LightTrimRequest() | wire.LightReleaseRequest():
                return self._light(request, by)
            case wire.VolumeRequest() | wire.VolumeTrimRequest():
                self.trim_db = (
                    request.db if isinstance(request, wire.VolumeRequest) else self.trim_db + request.db
                )
                self.volume_override = OverrideView("volume", "until_released", by)
                return rec.VolumeSet(self.trim_db, Scope())
            case wire.MoodRequest():
                self.pool = request.pool
                self.mood_override = OverrideView("mood", "phase", by)
                return rec.MoodSet(request.pool, request.scope())
            case wire.SkipTrackRequest():
                self.skipped += 1
                return rec.TrackSkipped(12_000)
            case wire.SilenceRequest():
                self.silent = True
                return rec.SilenceBegan(6_000, None)
            case wire.SoundRequest():
                self.silent = False
                return rec.SoundReturned(6_000)
            case wire.SoundReleaseRequest():
                self.silent, self.pool, self.trim_db = False, None, 0.0
                self.volume_override = self.mood_override = None
                return rec.SoundReleased()
            case wire.PromptRequest():
                self.prompts_sent.append(request.prompt)
                return rec.PromptCued(str(request.id), request.prompt, request.audience, None, 300)
            case wire.PromptDeferRequest():
                return rec.PromptDeferred(request.cue, 0)
            case wire.PromptAckRequest():
                self.cards = [card for card in self.cards if card.prompt_id != request.prompt_id]
                return rec.PromptAcknowledged(request.prompt_id, request.result)
            case wire.SceneRequest():
                self.scenes.append(request.scene)
                return rec.SessionResumed()
            case wire.SceneReleaseRequest():
                self.scenes = [s for s in self.scenes if request.scene is not None and s != request.scene]
                return rec.SceneReleased(request.scene or "")
            case wire.EyeshadesRequest():
                self.eyeshades = request.on
                return rec.EyeshadesChanged(request.on)
            case wire.HeadphonesRequest():
                self.headphones = request.on
                return rec.HeadphonesChanged(request.on)
            case wire.NoteRequest():
                self.notes.append((request.chip, request.text))
                return rec.NoteTaken(str(request.id), request.chip, bool(request.text))
            case wire.UndoRequest():
                if not self._undo:
                    raise RefusedError("nothing_to_undo", "nothing to undo")
                return rec.CommandUndone(self._undo[-1][0])
            case _:
                assert_never(request)

    def _light(
        self, request: wire.LightRequest | wire.LightTrimRequest | wire.LightReleaseRequest, by: str
    ) -> rec.RecordBody:
        names = [request.zone] if request.zone else list(ZONES)
        if any(name not in self.zones for name in names):
            raise RefusedError("unknown_zone", f"no zone {request.zone!r}")
        for name in names:
            self.zones[name] = self._moved(self.zones[name], request, by)
        if isinstance(request, wire.LightReleaseRequest):
            return rec.LightReleased(names[0], 0)
        return rec.LightTrimmed(names[0], 0.0, 0.0, 0)

    def _moved(
        self,
        zone: ZoneView,
        request: wire.LightRequest | wire.LightTrimRequest | wire.LightReleaseRequest,
        by: str,
    ) -> ZoneView:
        percent, kelvin = zone.brightness_percent, zone.kelvin or 2200
        channels = {override.channel for override in zone.overrides}
        match request:
            case wire.LightReleaseRequest():
                return _zone(zone.zone, 25.0, 2300)
            case wire.LightRequest():
                if request.brightness is not None:
                    percent = request.brightness
                    channels.add("brightness")
                if request.kelvin is not None:
                    kelvin = round(request.kelvin)
                    channels.add("colour")
            case wire.LightTrimRequest(trim=Trim.DIMMER | Trim.BRIGHTER):
                step = 5 if request.trim is Trim.BRIGHTER else -5
                percent = percent_from_lstar(min(max(zone.lstar + step * request.steps, 1), 100))
                channels.add("brightness")
            case wire.LightTrimRequest():
                mired = mired_from_kelvin(kelvin) + (20 if request.trim is Trim.WARMER else -20)
                kelvin = round(1e6 / mired)
                channels.add("colour")
        held = tuple(OverrideView(channel, "until_released", by) for channel in sorted(channels))
        return replace(_zone(zone.zone, percent, kelvin), overrides=held)
