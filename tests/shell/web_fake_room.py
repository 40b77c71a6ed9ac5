"""A room for the web app's tests: it applies commands to a snapshot as a therapist would expect, at once."""

from dataclasses import replace
from typing import assert_never

from web_fake_plan import MIN, PLAN, ZONES, zone_view
from web_fake_state import FakeRoomState

from controller import wire
from controller.core import records as rec
from controller.core.commands import Scope, Trim
from controller.core.snapshot import (
    OverrideView,
    ZoneView,
)
from controller.core.units import mired_from_kelvin, percent_from_lstar
from controller.errors import RefusedError


class FakeRoom(FakeRoomState):
    """One room that needs nothing."""

    async def submit(self, request: wire.CommandRequest, by: str) -> wire.Reply:
        known = self._answered.get(request.id)
        if known is not None:
            return known.model_copy(update={"repeated": True})
        self.commands.append((request, by))
        try:
            reply = self._dry(request) if request.dry_run else self._apply(request, by)
        except RefusedError as error:
            refused = wire.Refusal.of(error)
            reply = wire.Reply(id=request.id, ok=False, revision=self._revision, refused=refused)
        if not request.dry_run:
            self._answered[request.id] = reply
        return reply

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
            music_coverage_ms=sum(minutes) * MIN - self.session_ms() - self.music_short_ms,
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
            case (
                wire.StartRequest()
                | wire.EndRequest()
                | wire.HoldRequest()
                | wire.ResumeRequest()
                | wire.ExtendRequest()
                | wire.NextPhaseRequest()
                | wire.GotoPhaseRequest()
            ):
                return self._session_command(request)
            case (
                wire.VolumeRequest()
                | wire.VolumeTrimRequest()
                | wire.MoodRequest()
                | wire.SkipTrackRequest()
                | wire.SilenceRequest()
                | wire.SoundRequest()
                | wire.SoundReleaseRequest()
            ):
                return self._sound_command(request, by)
            case wire.AnchorRequest():
                self.anchors.append(request.anchor)
                return rec.AnchorMarked(request.anchor, self.session_ms())
            case wire.LightRequest() | wire.LightTrimRequest() | wire.LightReleaseRequest():
                return self._light(request, by)
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

    def _session_command(
        self,
        request: wire.StartRequest
        | wire.EndRequest
        | wire.HoldRequest
        | wire.ResumeRequest
        | wire.ExtendRequest
        | wire.NextPhaseRequest
        | wire.GotoPhaseRequest,
    ) -> rec.RecordBody:
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
            case _:
                assert_never(request)

    def _sound_command(
        self,
        request: wire.VolumeRequest
        | wire.VolumeTrimRequest
        | wire.MoodRequest
        | wire.SkipTrackRequest
        | wire.SilenceRequest
        | wire.SoundRequest
        | wire.SoundReleaseRequest,
        by: str,
    ) -> rec.RecordBody:
        match request:
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
                return zone_view(zone.zone, 25.0, 2300)
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
        return replace(zone_view(zone.zone, percent, kelvin), overrides=held)
