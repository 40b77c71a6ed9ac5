"""What the web app's fake room is and shows: one session at its third phase, or none yet."""

from collections.abc import Callable

from web_fake_plan import MIN, PLAN, POOLS, ZONES, lay_out, ribbon_of, zone_view

from controller import wire
from controller.api import Listener, Named, RoomChange
from controller.core import records as rec
from controller.core.commands import SessionSheet
from controller.core.snapshot import (
    AnchorView,
    CardView,
    CueView,
    FaultView,
    LampView,
    MusicView,
    OverrideView,
    PhaseView,
    Ribbon,
    SessionView,
    Snapshot,
)
from controller.errors import RefusedError
from controller.ports import Clock, SessionSummary


class FakeRoomState:
    """What a fake room is, and what it shows; ``FakeRoom`` adds what can be done to it."""

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
        self.zones = {zone: zone_view(zone, 10.0 if zone == "path" else 25.0, 2300) for zone in ZONES}
        self.trim_db = 0.0
        self.pool: str | None = None
        self.silent = False
        self.skipped = 0
        self.scenes: list[str] = []
        self.cards: list[CardView] = []
        self.faults: list[FaultView] = []
        self.held_at_ms: int | None = None
        self.anchors: list[str] = []
        self.music_short_ms = 0
        """By how much the music falls short of the session, as a dry run tells it."""
        self.known_anchors = ["dose"]
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

    def _phases(self, minutes: list[int] | None = None) -> tuple[PhaseView, ...]:
        return lay_out(minutes or self.minutes, self.session_ms())

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
            profile_anchors=tuple(
                AnchorView(name, 0 if name in self.anchors else None) for name in self.known_anchors
            ),
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

    def watch(self, listener: Listener) -> Callable[[], None]:
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def ribbon(self, profile: str | None = None) -> Ribbon | None:
        if profile is None and self._session() is None:
            return None
        if profile is not None and profile not in {item.name for item in self.profiles()}:
            return None
        if profile is not None:
            return ribbon_of(profile, [entry[2] for entry in PLAN], 0)
        return ribbon_of(self.profile, self.minutes, self.session_ms())

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

    def changed(self) -> None:
        """Tell everybody who watches."""
        self._revision += 1
        change = RoomChange(())
        for listener in list(self._listeners):
            listener(change)
