"""A room for the MQTT tests: it applies each command id once and counts."""

from collections.abc import Callable
from uuid import UUID

from controller.api import Listener, Named, RoomChange
from controller.core.commands import SessionSheet
from controller.core.records import Record, RecordBody, SessionHeld
from controller.core.snapshot import (
    MusicView,
    Ribbon,
    SessionView,
    Snapshot,
    ZoneView,
)
from controller.errors import RefusedError
from controller.ports import Clock, SessionSummary
from controller.wire import CommandRequest, Refusal, Reply


class MqttFakeRoom:
    """Fulfils ``RoomApi``. ``refuse`` names a command it refuses, ``break_on`` one that is a bug of ours."""

    def __init__(self, clock: Clock, room_id: str = "garden") -> None:
        self._clock = clock
        self._room_id = room_id
        self._listeners: list[Listener] = []
        self._answers: dict[UUID, Reply] = {}
        self.applied: list[tuple[CommandRequest, str]] = []
        self.refuse = ""
        self.break_on = ""
        self.revision = 1
        self.running = True
        self.trim_db = 0.0
        self.submitted = 0

    @property
    def room_id(self) -> str:
        return self._room_id

    @property
    def ids(self) -> list[UUID]:
        return [request.id for request, _ in self.applied]

    @property
    def names(self) -> list[str]:
        return [request.command for request, _ in self.applied]

    def snapshot(self) -> Snapshot:
        now = self._clock.now_ms()
        zone = ZoneView("ceiling", 45.0, 73.0, 2700, None, "#ffb46b", False, (), ())
        music = MusicView(
            "playing", "warm", "warm", 0.25, "Bowls", "", 0, 60_000, 48.0, self.trim_db, True, ()
        )
        return Snapshot(
            version=1,
            revision=self.revision,
            room=self._room_id,
            title="Garden room",
            now_ms=now,
            speed=1,
            session=self._session(now) if self.running else None,
            zones=(zone, ZoneView("path", 15.0, 46.0, 2000, None, "#ff8a12", False, (), ())),
            lamps=(),
            music=music,
            faults=(),
            prepared=True,
        )

    def _session(self, now: int) -> SessionView:
        return SessionView(
            session_id="s1",
            profile="quiet",
            title="Quiet room",
            unreviewed=True,
            status="running",
            started_at_ms=now - 600_000,
            session_ms=600_000,
            phase="sit",
            phase_title="Sit",
            phase_elapsed_ms=60_000,
            phase_left_ms=660_000,
            planned_end_ms=now + 1_800_000,
            minimum_ms=0,
            phases=(),
            anchors=(),
            eyeshades=False,
            headphones=False,
            touch="ask",
            scenes=(),
            next_cue=None,
            cards=(),
            undo=None,
            undo_until_ms=None,
        )

    async def submit(self, request: CommandRequest, by: str) -> Reply:
        self.submitted += 1
        if request.command == self.break_on:
            raise KeyError("a bug")
        known = self._answers.get(request.id)
        if known is not None:
            return known.model_copy(update={"repeated": True})
        if request.command == self.refuse:
            error = RefusedError("not_now", "not in this phase")
            reply = Reply(id=request.id, ok=False, refused=Refusal.of(error))
        else:
            self.applied.append((request, by))
            self.change(SessionHeld(), command_id=str(request.id))
            reply = Reply(
                id=request.id, ok=True, applied=(request.command,), journaled=True, revision=self.revision
            )
        self._answers[request.id] = reply
        return reply

    def change(self, *bodies: RecordBody, command_id: str | None = None) -> None:
        """Something happened in the room."""
        self.revision += 1
        records = tuple(Record(self._clock.now_ms(), "test", body, command_id, "s1") for body in bodies)
        for listener in tuple(self._listeners):
            listener(RoomChange(records))

    def watch(self, listener: Listener) -> Callable[[], None]:
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def ribbon(self, profile: str | None = None) -> Ribbon | None:
        return None

    def profiles(self) -> tuple[Named, ...]:
        return (Named("quiet", "Quiet room"), Named("psilocybin", "Psilocybin"))

    def pools(self) -> tuple[Named, ...]:
        return (Named("warm", "Warm"), Named("tender", "Tender"))

    def presets(self) -> tuple[Named, ...]:
        return (Named("dusk", "Dusk"),)

    def prompts(self) -> tuple[Named, ...]:
        return (Named("breath", "Breath"),)

    async def sessions(self) -> tuple[SessionSummary, ...]:
        return ()

    async def records(self, session_id: str) -> tuple[Record, ...]:
        return ()

    def set_sheet(self, sheet: SessionSheet, intention: str) -> None:
        raise RefusedError("not_here", "not over MQTT")
