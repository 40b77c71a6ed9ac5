"""What the therapist asked for last, on every channel: kept apart from the core, in the simplest way.

It reads commands, not records, so a wrong default, a wrong scope or a lost override shows.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from sim_lamps import BrokenPromiseError

from controller.core import commands as c
from controller.core import records as r
from controller.core.light import Colour, Mired, colour_distance_mired
from controller.core.music import music_target
from controller.core.score import Scene
from controller.core.state import RoomState, zone_look
from controller.core.units import clamp, lstar_from_percent

MIN = 60_000
Value = float | Colour | str | bool | None
Key = tuple[str, str]
NEVER_UNDONE = (c.Undo, c.Note, c.PromptAck, c.PromptNow)


@dataclass(frozen=True, slots=True)
class Want:
    """A value that holds from ``settle_ms`` on. ``value`` None: asked for relative to a moving score."""

    value: Value
    settle_ms: int
    until_ms: int | None = None
    until_slot: int | None = None
    scene: str | None = None
    beneath: "Want | None" = None


@dataclass(slots=True)
class Wants:
    """Everything asked for and not taken back."""

    channels: dict[Key, Want] = field(default_factory=dict)
    scenes: tuple[tuple[str, int | None, float], ...] = ()
    undo: tuple[tuple[str, "Wants"], ...] = ()

    def copy(self) -> "Wants":
        return Wants(dict(self.channels), self.scenes, self.undo)

    def expire(self, now_ms: int, slot: int | None) -> None:
        """Drop what its own time, or the phase's end, has taken back."""
        for name, until, _ in self.scenes:
            if until is not None and now_ms >= until:
                self._scene_off(name, now_ms)
        for key, want in list(self.channels.items()):
            timed = want.until_ms is not None and now_ms >= want.until_ms
            if timed or (want.until_slot is not None and want.until_slot != slot):
                del self.channels[key]

    def heed(self, command: c.Command, records: Iterable[r.Record], state: RoomState, now_ms: int) -> None:
        """Take in a command that was carried out; ``state`` is the one before it."""
        before = Wants(dict(self.channels), self.scenes)
        body = command.body
        if isinstance(body, c.Start):
            self.channels, self.scenes = {}, ()
            self.undo = ((command.command_id, Wants()),)
            return
        session = state.live_session
        slot = None if session is None else session.entered_slot
        self._take(body, records, state, now_ms, slot)
        if not isinstance(body, NEVER_UNDONE):
            self.undo = (*self.undo, (command.command_id, before))[-8:]

    def _take(
        self, body: c.Body, records: Iterable[r.Record], state: RoomState, now_ms: int, slot: int | None
    ) -> None:
        match body:
            case c.Light():
                self._light(body, state, now_ms, slot)
            case c.LightTrim():
                for record in records:
                    if isinstance(record.body, r.LightTrimmed):
                        self._trim(record.body.zone, body, now_ms)
            case c.LightRelease():
                for zone in self._zones(body.zone, state):
                    self.channels.pop((zone, "lstar"), None)
                    self.channels.pop((zone, "colour"), None)
            case c.TakeScene():
                self._scene_on(body.scene, state, now_ms)
            case c.SceneRelease():
                for name, _, _ in reversed(self.scenes):
                    if body.name in (None, name):
                        self._scene_off(name, now_ms)
            case c.Undo():
                self._take_back(state, now_ms)
            case _:
                self._sound(body, now_ms, slot)

    def _zones(self, zone: str | None, state: RoomState) -> tuple[str, ...]:
        return state.zones if zone is None else (zone,)

    def _until(self, scope: c.Scope, now_ms: int, slot: int | None) -> tuple[int | None, int | None]:
        match scope.kind:
            case c.ScopeKind.MINUTES:
                return now_ms + round((scope.minutes or 0) * MIN), None
            case c.ScopeKind.PHASE:
                return None, slot
            case _:
                return None, None

    def _light(self, body: c.Light, state: RoomState, now_ms: int, slot: int | None) -> None:
        settle = now_ms + (5_000 if body.fade_ms is None else body.fade_ms)
        until = self._until(body.scope, now_ms, slot)
        for zone in self._zones(body.zone, state):
            if body.brightness_percent is not None:
                value = lstar_from_percent(body.brightness_percent)
                self.channels[zone, "lstar"] = Want(value, settle, *until)
            if body.colour is not None:
                self.channels[zone, "colour"] = Want(body.colour, settle, *until)

    def _trim(self, zone: str, body: c.LightTrim, now_ms: int) -> None:
        bright = body.trim in (c.Trim.BRIGHTER, c.Trim.DIMMER)
        sign = 1 if body.trim in (c.Trim.BRIGHTER, c.Trim.WARMER) else -1
        key = (zone, "lstar" if bright else "colour")
        old = self.channels.get(key, Want(None, 0))
        value: Value = None
        if bright and isinstance(old.value, float):
            value = clamp(old.value + sign * 5.0 * body.steps, 0.0, 100.0)
        elif isinstance(old.value, Mired):
            low, high = min(old.value.value, 153.0), max(old.value.value, 500.0)
            value = Mired(clamp(old.value.value + sign * 25.0 * body.steps, low, high))
        self.channels[key] = Want(value, now_ms + 5_000, old.until_ms, old.until_slot)

    def _scene_on(self, scene: Scene, state: RoomState, now_ms: int) -> None:
        for zone, look in scene.looks.items():
            for name, value in (("lstar", look.lstar), ("colour", look.colour)):
                if zone not in state.lights:
                    continue
                old = self.channels.get((zone, name))
                beneath = old.beneath if old is not None and old.scene == scene.name else old
                self.channels[zone, name] = Want(
                    value,
                    now_ms + scene.fade_ms,
                    scene=scene.name,
                    beneath=beneath,
                )
        until = None if scene.returns_after_ms is None else now_ms + scene.returns_after_ms
        others = tuple(on for on in self.scenes if on[0] != scene.name)
        self.scenes = (*others, (scene.name, until, scene.music_db))

    def _scene_off(self, name: str, now_ms: int) -> None:
        self.scenes = tuple(on for on in self.scenes if on[0] != name)
        for key, want in list(self.channels.items()):
            if want.scene == name:
                if want.beneath is None:
                    del self.channels[key]
                else:
                    self.channels[key] = replace(want.beneath, settle_ms=now_ms + 5_000)
            elif want.beneath is not None and want.beneath.scene == name:
                self.channels[key] = replace(want, beneath=want.beneath.beneath)

    def _take_back(self, state: RoomState, now_ms: int) -> None:
        point = state.undo[-1]
        if not self.undo or self.undo[-1][0] != point.command_id:
            raise BrokenPromiseError("undo", f"{point.name} is taken back, which was not the last command")
        then = self.undo[-1][1]
        channels = dict(then.channels)
        for key, want in then.channels.items():
            if self.channels.get(key) != want:
                channels[key] = replace(want, settle_ms=now_ms + 5_000)
        self.channels, self.scenes, self.undo = channels, then.scenes, self.undo[:-1]

    def _sound(self, body: c.Body, now_ms: int, slot: int | None) -> None:
        match body:
            case c.Volume():
                until = self._until(body.scope, now_ms, slot)
                self.channels["", "volume"] = Want(clamp(body.trim_db, -40.0, 12.0), now_ms, *until)
            case c.VolumeTrim():
                value = clamp(self.trim_db + body.delta_db, -40.0, 12.0)
                self.channels["", "volume"] = Want(value, now_ms)
            case c.Mood():
                self.channels["", "mood"] = Want(body.pool, now_ms, *self._until(body.scope, now_ms, slot))
            case c.Silence():
                until_ms = None if body.minutes is None else now_ms + round(body.minutes * MIN)
                self.channels["", "silence"] = Want(True, now_ms, until_ms)
            case c.Sound():
                self.channels.pop(("", "silence"), None)
            case c.SoundRelease():
                for name in ("volume", "mood", "silence"):
                    self.channels.pop(("", name), None)
            case _:
                pass

    @property
    def trim_db(self) -> float:
        """The volume asked for, dB over the score's."""
        want = self.channels.get(("", "volume"))
        return want.value if want is not None and isinstance(want.value, float | int) else 0.0

    def check(self, state: RoomState, now_ms: int) -> None:
        """The room's plan is what was asked for last."""
        looks = {zone: zone_look(state, zone, now_ms) for zone in state.zones}
        for (zone, name), want in self.channels.items():
            if not zone or now_ms < want.settle_ms or want.value is None:
                continue
            look = looks[zone]
            if name == "lstar":
                right = isinstance(want.value, float) and abs(look.lstar - want.value) < 1e-6
            else:
                right = isinstance(want.value, Mired | type(look.colour)) and (
                    colour_distance_mired(look.colour, want.value) < 0.01
                )
            if not right:
                raise BrokenPromiseError("newest word", f"{zone} {name} is {look}, asked for {want}")
        self._check_sound(state, now_ms)

    def _check_sound(self, state: RoomState, now_ms: int) -> None:
        target, session = music_target(state, now_ms), state.live_session
        scene_db = sum(db for _, _, db in self.scenes) if session is not None else 0.0
        if abs(target.trim_db - scene_db - self.trim_db) > 1e-6:
            raise BrokenPromiseError(
                "newest word", f"the volume is {target.trim_db}, asked for {self.trim_db}"
            )
        silence, mood = self.channels.get(("", "silence")), self.channels.get(("", "mood"))
        if silence is not None and not target.silent:
            raise BrokenPromiseError("newest word", "there is music though silence was asked for")
        if session is None or session.status == "asking":
            return
        if mood is not None and (target.pool != mood.value or (silence is None and target.silent)):
            raise BrokenPromiseError("newest word", f"pool {target.pool} plays, asked for {mood.value}")
