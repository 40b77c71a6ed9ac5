"""One room: its inbox and its loop. Every command and every due instant goes through ``step`` here.

The effect goes out first (lamps woken, player told), its record is written alongside; the reply says both.
Nothing slow stands on that path: disk, broker and devices are reached through queues. It must never decide
what a command means: the core does.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

from controller.answers import Answers, preview, refusal
from controller.api import Listener, Named
from controller.clock import Alarm
from controller.core import commands as c
from controller.core import records as r
from controller.core.refusal import Refused
from controller.core.ribbon import ribbon_of_score, ribbon_of_timeline
from controller.core.score import FixtureId
from controller.core.session import (
    Event,
    Observed,
    PublishPrompt,
    StoreNote,
    Tick,
    step,
)
from controller.core.snapshot import Ribbon, Snapshot
from controller.core.view import Surroundings, make_snapshot
from controller.errors import JournalError, RefusedError
from controller.fault_board import FaultBoard
from controller.log_lines import log
from controller.ports import (
    ItemFailed,
    PlayerEvent,
    PlayerHealth,
    PlayerStatus,
    Prompt,
    SessionSummary,
    Spoken,
)
from controller.room_commands import to_command
from controller.room_heart import RoomHeart
from controller.room_news import RoomNews
from controller.room_parts import RoomParts, WakingSource
from controller.room_writer import RoomWriter, Write
from controller.wire import CommandRequest, Reply

JOURNAL_PATIENCE_S = 2.0
CHECKPOINT_MS = 2_000
ALIVE_MS = 10_000


class Room:
    """One room of the site; fulfils ``controller.api.RoomApi``."""

    def __init__(self, parts: RoomParts) -> None:
        self._parts = parts
        self._clock = parts.clock
        self._heart = RoomHeart(
            parts.resting, parts.clock, parts.desk, parts.conductor, parts.recovery_limit_ms
        )
        self._news = RoomNews()
        self._wake = Alarm(parts.clock)
        self._writer = RoomWriter(
            parts.journal,
            publish=self._publish,
            health=lambda message: self.part_health("journal", message),
            checkpoint=self._make_checkpoint,
        )
        self._answers = Answers()
        self._answered_before: frozenset[str] = frozenset()
        self._faults = FaultBoard()
        self._sheet, self._intention = c.SessionSheet(), ""
        self._checkpoint_ms = self._clock.now_ms()
        self._checkpointed = parts.desk.revision
        self.on_turn: Callable[[], None] = lambda: None
        """Called by the room's own loop each time it has turned; a watchdog is fed with it."""
        self.light_source = WakingSource(parts.desk, self._wake.set)
        parts.desk.on_manual = self._lamp_by_hand
        parts.desk.on_health = self.part_health

    # -- what doors see

    @property
    def room_id(self) -> str:
        """The room's id."""
        return self._parts.room_id

    @property
    def in_session(self) -> bool:
        """Whether a session has begun and not ended."""
        return self._heart.state.live_session is not None

    def snapshot(self) -> Snapshot:
        """The room's state now."""
        now = self._clock.now_ms()
        around = Surroundings(
            room=self._parts.room_id,
            title=self._parts.title,
            revision=self._news.revision,
            speed=self._clock.speed,
            lamps=self._parts.desk.lamp_views(now),
            playing=self._parts.conductor.playing(),
            heard=self._parts.meter.heard,
            faults=self._faults.views(),
            words=self._words,
        )
        return make_snapshot(self._heart.state, around, now)

    async def submit(self, request: CommandRequest, by: str) -> Reply:
        """Carry out one command; the same id again returns the first reply and changes nothing."""
        if request.dry_run:
            return self._preview(request, by)
        if str(request.id) in self._answered_before:
            # It was carried out by a daemon before this one; its records are in the journal.
            return Reply(id=request.id, ok=True, journaled=True, revision=self._news.revision, repeated=True)
        return await self._answers.once(request.id, lambda: self._carry_out(request, by))

    async def _carry_out(self, request: CommandRequest, by: str) -> Reply:
        try:
            command = self._command(request, by)
            write = self._handle(command)
            if isinstance(command.body, c.Start) and (checked := self._parts.checked()) is not None:
                self._handle(Observed(checked))
        except (Refused, RefusedError) as refused:
            return refusal(request.id, refused, self._news.revision)
        journaled = await self._written(write)
        records = () if write is None else write.records
        kinds = tuple(record.body.kind for record in records if record.command_id == command.command_id)
        return Reply(id=request.id, ok=True, applied=kinds, journaled=journaled, revision=self._news.revision)

    def _command(self, request: CommandRequest, by: str) -> c.Command:
        return to_command(request, by, self._parts.library, self._sheet, self._parts.new_session_id)

    async def _written(self, write: Write | None) -> bool:
        if write is None:
            return True
        try:
            async with asyncio.timeout(JOURNAL_PATIENCE_S):
                return await asyncio.shield(write.done)
        except TimeoutError:
            return False

    def _preview(self, request: CommandRequest, by: str) -> Reply:
        try:
            after = step(
                self._heart.state, self._command(request, by), self._clock.now_ms(), self._clock.speed
            ).state
        except (Refused, RefusedError) as refused:
            return refusal(request.id, refused, self._news.revision)
        planned = preview(after, self._clock.now_ms(), self._parts.library.music_ms)
        return Reply(id=request.id, ok=True, revision=self._news.revision, preview=planned)

    def watch(self, listener: Listener) -> Callable[[], None]:
        """Call ``listener`` at every change; returns what ends it."""
        return self._news.watch(listener)

    def ribbon(self, profile: str | None = None) -> Ribbon | None:
        """The plan of the session, or of a profile, for a drawing."""
        if profile is not None:
            try:
                return ribbon_of_score(self._parts.library.score(profile))
            except RefusedError:
                return None
        session = self._heart.state.session
        return None if session is None else ribbon_of_timeline(session.timeline, session.entered_slot)

    def profiles(self) -> tuple[Named, ...]:
        """The profiles that can be started here."""
        return self._parts.library.profiles()

    def pools(self) -> tuple[Named, ...]:
        """The pools music can come from."""
        return self._parts.library.pools()

    def presets(self) -> tuple[Named, ...]:
        """The room's presets."""
        return self._parts.library.presets()

    def prompts(self) -> tuple[Named, ...]:
        """The prompts that can be tapped, in the words that would be said now."""
        return tuple(replace(p, detail=self._words(p.detail)) for p in self._parts.library.prompts())

    async def sessions(self) -> tuple[SessionSummary, ...]:
        """Past and present sessions, newest first."""
        return await self._parts.journal.sessions()

    async def records(self, session_id: str) -> tuple[r.Record, ...]:
        """One session's records."""
        return await self._parts.journal.records(session_id)

    def set_sheet(self, sheet: c.SessionSheet, intention: str) -> None:
        """Fill the session sheet before the start.

        Raises:
            RefusedError: a session runs, and the sheet is locked.
        """
        if self._heart.state.live_session is not None:
            raise RefusedError("locked", "the session sheet is locked while a session runs")
        self._sheet, self._intention = sheet, intention

    # -- what the world tells it

    def prepare(self) -> None:
        """Bring lights and bed up for a booked session; a running one is left alone."""
        self._heart.prepare()
        self.part_health("music.pool", self._parts.conductor.problem)
        self._news.changed(())

    def part_health(self, part: str, message: str | None) -> None:
        """A part of the room is not well, in one clear line, or well again (None)."""
        news = self._faults.report(part, message, self._clock.now_ms())
        if news is not None:
            log.warning(news.kind, room=self.room_id, part=part, message=message)
            self._observe(news)

    def music_arrived(self) -> None:
        """Pools have grown: where the bed stands in for one, try again."""
        self._parts.conductor.pools_changed()
        self.part_health("music.pool", self._parts.conductor.problem)

    def faults(self) -> tuple[str, ...]:
        """What has failed, one line each."""
        return tuple(f"{self.room_id}: {line}" for line in self._faults.failures())

    def on_player(self, event: PlayerEvent) -> None:
        """Take the player's word."""
        for body in self._parts.conductor.on_event(event):
            self._observe(body)
        self.part_health("music.pool", self._parts.conductor.problem)
        match event:
            case PlayerHealth():
                self.part_health("player", event.message)
            case ItemFailed():
                self.part_health("music", f"{event.reason}; the next track or the bed took over")
            case Spoken():
                self._acknowledge(event.prompt_id)
            case PlayerStatus():
                if event.item_id is not None and not event.on_bed:
                    self.part_health("music", None)
                self._measure(event)
            case _:
                pass

    def _measure(self, status: PlayerStatus) -> None:
        meter, live = self._parts.meter, self._heart.state.live_session
        session = None if live is None else live.session_id
        if meter.hear(status, session, self._clock.now_ms(), self._clock.speed):
            self._parts.conductor.use_scale(meter.scale.k_db, meter.scale.ceiling_lufs)
        for part, message in meter.notices(silent_by_choice=self._parts.silent_by_choice):
            self.part_health(part, message)

    def _acknowledge(self, prompt_id: str) -> None:
        command = c.Command(f"spoken-{prompt_id}", "player", c.PromptAck(prompt_id, "spoken"))
        with suppress(Refused):
            self._handle(command)

    def _lamp_by_hand(self, fixture: FixtureId, attribute: str) -> None:
        if attribute in ("brightness", "colour", "power"):
            self._observe(r.LampChangedByHand(fixture, attribute))  # type: ignore[arg-type]

    def _observe(
        self, body: r.TrackStarted | r.TrackFailed | r.LampChangedByHand | r.FaultRaised | r.FaultCleared
    ) -> None:
        self._handle(Observed(body))

    # -- the heart

    def _handle(self, event: Event) -> Write | None:
        now = self._clock.now_ms()
        due_ms = self._heart.next_due_ms
        done = self._heart.step(event, now)
        if done.next_due_ms != due_ms:
            self._wake.set()
        session_id = None if self._heart.state.session is None else self._heart.state.session.session_id
        if isinstance(event, c.Command) and isinstance(event.body, c.Start) and self._intention:
            done = replace(
                done,
                effects=(*done.effects, StoreNote(f"intention-{session_id}", "intention", self._intention)),
            )
            self._sheet, self._intention = c.SessionSheet(), ""
        # Handed over first (it only waits in a queue): a fault that convergence finds comes after its cause.
        news = bool(done.records or done.effects)
        write = self._writer.put(now, session_id, done.records, done.effects) if news else None
        self._converge(now)
        if news:
            self._news.changed(done.records)
        return write

    def _converge(self, now: int) -> None:
        self._heart.converge(now)
        self.part_health("music.pool", self._parts.conductor.problem)

    # -- its life

    async def recover(self) -> None:
        """Rebuild the state from the journal; a session that was running goes on, or asks."""
        journal, heart = self._parts.journal, self._heart
        kept = await self._writer.load_checkpoint()
        heart.restore(kept)
        self._parts.meter.restore(kept.get("sound"))
        with suppress(
            JournalError
        ):  # a row of long ago that cannot be read must not keep a session from going on
            self._answered_before = frozenset(await journal.command_ids())
        try:
            records = await self._newest_records()
        except JournalError as error:
            self.part_health("journal", str(error))
            return
        session_id = next((rec.session_id for rec in records if rec.session_id is not None), "")
        event = heart.recover(kept, records, await journal.noted_prompts(session_id))
        if event is not None:
            log.info("room recovered", room=self.room_id, away_ms=heart.away_ms(kept, records))
            self._handle(event)

    async def _newest_records(self) -> tuple[r.Record, ...]:
        """The newest session's records and those since; if not all can be read, an open session's alone."""
        try:
            return await self._parts.journal.newest_session()
        except JournalError:
            return await self._parts.journal.open_session()

    async def run(self) -> None:
        """Serve until cancelled: tick at every due instant, write the journal."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._writer.run())
                await self._tick_for_ever()
        finally:
            await self._writer.flush()

    async def _tick_for_ever(self) -> None:
        while True:
            self._wake.clear()
            await self._wake.wait_until(self._due())
            # Being woken says only that something may be due earlier now. What is not due is not worked out.
            now = self._clock.now_ms()
            if self._heart.is_due(now):
                self._handle(Tick())
            self._heart.tick(now)
            if now >= self._checkpoint_due():
                self._checkpoint_ms, self._checkpointed = now, self._parts.desk.revision
                self._writer.put(now, None, (), ())
            self.on_turn()

    def turn_once(self) -> None:
        """Let the room's loop turn now, though nothing is due: ``on_turn`` then tells that it lives."""
        self._wake.set()

    def _due(self) -> int:
        due_ms = self._heart.due_ms()
        return self._checkpoint_due() if due_ms is None else min(due_ms, self._checkpoint_due())

    def _checkpoint_due(self) -> int:
        """Soon after a lamp was told something; else often enough to know how long a daemon was away."""
        told = self._parts.desk.revision != self._checkpointed
        return self._checkpoint_ms + (CHECKPOINT_MS if told else ALIVE_MS) * self._clock.speed

    def _make_checkpoint(self) -> dict[str, object]:
        return {**self._heart.checkpoint(), "sound": self._parts.meter.checkpoint()}

    def _publish(self, effect: PublishPrompt) -> None:
        audio = self._parts.library.prompt_audio(effect.prompt)
        prompt = Prompt(effect.prompt_id, self._words(effect.text), audio, effect.audience, effect.ttl_s)
        for channel in self._parts.prompts:
            channel.publish(prompt)

    def _words(self, text: str) -> str:
        return self._parts.library.words(text, self._clock.local_time().hour) if "{" in text else text
