"""A room's heart: its state, and lamps and player led by it. What goes through it takes no time.

``Room`` gives it a loop, a journal and doors; the simulation drives it through virtual time. It must never
wait, write or publish, and never decide what a command means: the core does.
"""

from collections.abc import Mapping, Sequence

from controller.conductor import Conductor
from controller.core import commands as c
from controller.core import records as r
from controller.core.light import Look
from controller.core.music import music_target
from controller.core.score import ZoneId
from controller.core.session import Event, Recovered, Step, Tick, fold, prepare, step
from controller.core.state import RoomState, ZoneCurve, new_room, zone_authority, zone_curves
from controller.light_desk import LightDesk
from controller.ports import Clock


class RoomHeart:
    """One room's state and what follows from it. ``recovery_limit_ms`` is real time."""

    def __init__(
        self,
        resting: Mapping[ZoneId, Look],
        clock: Clock,
        desk: LightDesk,
        conductor: Conductor,
        recovery_limit_ms: int,
    ) -> None:
        self.state: RoomState = new_room(resting)
        self.next_due_ms: int | None = None
        """Room time of the next ``Tick``."""
        self._resting, self._clock, self._desk, self._conductor = dict(resting), clock, desk, conductor
        self._limit_ms = recovery_limit_ms * clock.speed
        self._followed: tuple[object, ...] = ()

    def step(self, event: Event, now_ms: int) -> Step:
        """Take one event into the state. Lamps and player follow at ``converge``.

        Raises:
            Refused: a command that is not allowed now; nothing has changed.
        """
        done = step(self.state, event, now_ms, self._clock.speed)
        self.state, self.next_due_ms = done.state, done.next_due_ms
        if isinstance(event, c.Command) and isinstance(event.body, c.LightRelease | c.Resume):
            self._desk.release_manual(getattr(event.body, "zone", None))
        return done

    def prepare(self) -> None:
        """Bring lights and bed up for a booked session; a running one is left alone."""
        self.state = prepare(self.state)
        self.converge(self._clock.now_ms())

    def converge(self, now_ms: int) -> None:
        """Lead lamps and player by the state. ``now_ms`` is the step's own time."""
        # A person's word that fades in no time is nobody's a millisecond later: it would lose lane and speed.
        state = self.state
        session = state.session
        plan = (
            state.lights,
            state.prepared,
            None if session is None else (session.timeline, session.status, session.held_total_ms),
        )
        if plan != self._followed:
            self._followed = plan
            curves: dict[ZoneId, ZoneCurve] = zone_curves(state)
            self._desk.follow(curves, {zone: zone_authority(state, zone, now_ms) for zone in curves})
        self._conductor.follow(music_target(state, now_ms))

    def restore(self, kept: Mapping[str, object]) -> None:
        """Take up a checkpoint of the lamps; wait for the player to say what it plays."""
        lamps = kept.get("lamps")
        self._desk.restore(lamps if isinstance(lamps, dict) else {})
        self._conductor.adopt(())

    def away_ms(self, kept: Mapping[str, object], records: Sequence[r.Record]) -> int:
        """For how long nobody led the room, as far as the checkpoint and the records tell."""
        alive_ms = kept.get("alive_ms")
        last_ms = records[-1].at_ms if records else 0
        alive_ms = max(alive_ms if isinstance(alive_ms, int) else 0, last_ms)
        return max(self._clock.now_ms() - alive_ms, 0)

    def recover(
        self, kept: Mapping[str, object], records: Sequence[r.Record], sent: Sequence[str] = ()
    ) -> Event | None:
        """Rebuild the state from the newest session's records and those after it.

        ``sent`` are prompts of that session which went out without a record.
        Returns what is to be stepped now: a session that runs goes on, or asks; a room at rest keeps what it
        was told, unless that was too long ago. None: begin afresh.
        """
        away_ms = self.away_ms(kept, records)
        too_long = away_ms > self._limit_ms
        state = fold(self._resting, records)
        if state.live_session is not None:
            self.state = state
            self._conductor.adopt(state.live_session.played)
            return Recovered(away_ms, too_long, tuple(sent))
        if not records or too_long:
            return None
        self.state = state
        return Tick()

    def due_ms(self) -> int | None:
        """Room time at which ``tick`` has something to do."""
        times = (self.next_due_ms, self._desk.next_due_ms(), self._conductor.next_due_ms())
        return min((at for at in times if at is not None), default=None)

    def is_due(self, now_ms: int) -> bool:
        """Whether a ``Tick`` is due."""
        return _has_come(self.next_due_ms, now_ms)

    def tick(self, now_ms: int) -> None:
        """Let lamps and player do what is due. What is not due is not worked out."""
        if _has_come(self._desk.next_due_ms(), now_ms):
            self._desk.tick()
        if _has_come(self._conductor.next_due_ms(), now_ms):
            self._conductor.tick()

    def checkpoint(self) -> dict[str, object]:
        """Return what a restart needs beside the records."""
        return {
            "alive_ms": self._clock.now_ms(),
            "lamps": self._desk.checkpoint(),
            "player": self._conductor.position(),
        }


def _has_come(due_ms: int | None, now_ms: int) -> bool:
    return due_ms is not None and now_ms >= due_ms
