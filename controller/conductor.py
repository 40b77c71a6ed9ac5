"""The conductor: makes the player play what the room should hear.

It compares the core's ``MusicTarget`` with what the player has, chooses tracks ahead of time, and moves the
programme's level inside the envelope. It does no I/O, reads no file and never waits: commands to the player
are handed over and forgotten. It must never leave the player without something to play next.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from controller.core import records as r
from controller.core.envelope import Authority, Limits
from controller.core.gain_envelope import GainModel, approve_gain, clamp_crossfade, gain_at
from controller.core.music import MusicTarget
from controller.core.units import SILENT_DB
from controller.core.view import Playing
from controller.music_request import Chooser, ChosenTrack, TrackRequest
from controller.ports import (
    Clock,
    CrossfadeTo,
    ItemEnded,
    ItemFailed,
    ItemStarted,
    PlayerCommand,
    PlayerEvent,
    PlayerStatus,
    PlayItem,
    QueueItems,
    Route,
    SetLevel,
)

__all__ = ["Chooser", "ChosenTrack", "Conductor", "TrackRequest"]

REFERENCE_LUFS: Final = -23.0
"""Every track is brought to this loudness (EBU R 128) by its own gain; the programme bus sets the level."""
UNCALIBRATED_K_DB: Final = 83.0
"""SPL = LUFS + K. With no calibration: a cautious guess, so that 60 dB(A) asks for the reference loudness."""
QUEUE_AHEAD: Final = 3
LEAST_HEARD_MS: Final = 30_000
"""No track is begun for less than this before its phase ends: the bed carries the room over."""
SCORE_LEVEL_MS: Final = 12_000
THERAPIST_LEVEL_MS: Final = 1_000
FAILED_REST_MS: Final = 600_000
"""A track that could not be played is tried again after this long (real ms): its disk may be back."""
RESUME_WAIT_MS: Final = 1_500
"""After a restart the player, which played on, says within this time what it is playing."""


@dataclass(frozen=True, slots=True)
class _Entry:
    item: PlayItem
    pool: str


def _asks_anew(before: MusicTarget, target: MusicTarget) -> bool:
    """Whether what follows the current track must be planned again: a phase, a hold, an extension."""
    held = (before.phase_left_ms is None) != (target.phase_left_ms is None)
    return held or (before.slot, before.phase_ms) != (target.slot, target.phase_ms)


class Conductor:
    """One room's music. Every method is called on the room's loop."""

    def __init__(
        self,
        chooser: Chooser,
        send: Callable[[PlayerCommand], None],
        clock: Clock,
        limits: Limits,
        *,
        k_db: float | None,
        seed: str = "",
    ) -> None:
        self._chooser, self._send, self._clock = chooser, send, clock
        self._limits = limits.at_speed(clock.speed)
        self._k_db = UNCALIBRATED_K_DB if k_db is None else k_db
        self._ceiling_lufs = limits.ceiling_dba - self._k_db
        self._seed = seed
        self._gain = GainModel(clock.now_ms())
        self._level: tuple[float, int] | None = None
        self._target: MusicTarget | None = None
        self._target_ms = 0
        self._history: tuple[str, ...] = ()
        self._entries: dict[str, _Entry] = {}
        self._queue: tuple[str, ...] = ()
        self._current: str | None = None
        self._skipped: list[tuple[str, int]] = []
        self._status: PlayerStatus | None = None
        self._count = 0
        self._adopt_until_ms: int | None = None
        self._failed: dict[str, int] = {}
        self._touches = 0
        self.problem: str | None = None
        """Why the bed plays where a pool was asked for, in one clear line, or None."""

    def adopt(self, history: Sequence[str]) -> None:
        """After a restart: let what the player is playing go on, if it says so in time."""
        self._history = tuple(history)
        self._adopt_until_ms = self._clock.now_ms() + RESUME_WAIT_MS * self._clock.speed

    def follow(self, target: MusicTarget) -> None:
        """Make the player play ``target``. Cheap when nothing has changed."""
        before, self._target = self._target, target
        self._target_ms = self._clock.now_ms()
        if self._adopt_until_ms is not None:
            if self._clock.now_ms() < self._adopt_until_ms and self._status is None:
                # Not a word to the player before it has said how loud it is: from there the level moves on.
                return
            self._adopt(target)
            before = target
        if before is None or (before.pool, before.mood) != (target.pool, target.mood):
            self._change_pool(before, target)
        elif target.skips != before.skips:
            self._skip(target, back=target.skips < before.skips)
        elif before.silent and not target.silent and self._is_idle():
            self._start_fresh(target, target.crossfade_ms)
        elif _asks_anew(before, target):
            self._plan_queue(target)
        if before is None or (before.headphones, before.to_speakers) != (
            target.headphones,
            target.to_speakers,
        ):
            self._send(Route(speakers=target.to_speakers, headphones=target.headphones))
        self._move_level(target)

    def pools_changed(self) -> None:
        """Tracks have come in: if the bed stands in for a pool, begin to play it."""
        if self.problem is not None and self._target is not None and self._target.pool is not None:
            self._start_fresh(self._target, self._target.crossfade_ms)

    def tick(self) -> None:
        """Give up waiting for a player to say what it has been playing."""
        if self._adopt_until_ms is None:
            return
        if self._target is not None:
            self.follow(self._target)
        elif self._clock.now_ms() >= self._adopt_until_ms:
            self._adopt_until_ms = None

    def next_due_ms(self) -> int | None:
        """Room time at which ``tick`` has something to do, or None."""
        return self._adopt_until_ms

    def on_event(self, event: PlayerEvent) -> tuple[r.TrackStarted | r.TrackFailed, ...]:
        """Take the player's word; returns what belongs in the journal."""
        match event:
            case PlayerStatus():
                first = self._status is None
                self._status = event
                if first and self._adopt_until_ms is not None and self._target is not None:
                    self.follow(self._target)
                return ()
            case ItemStarted():
                return self._started(event)
            case ItemEnded():
                if self._current == event.item_id:
                    self._current = None
                return ()
            case ItemFailed():
                self._failed[event.track_id] = self._clock.now_ms()
                self._queue = tuple(item for item in self._queue if item != event.item_id)
                if self._target is not None and not self._target.unbroken:
                    self._plan_queue(self._target)
                return (r.TrackFailed(event.track_id, event.reason),)
            case _:
                return ()

    def playing(self) -> Playing:
        """What is heard now, for the snapshot."""
        status = self._status
        if status is None:
            return Playing()
        if status.item_id is None or status.on_bed:
            silent = status.programme_db <= SILENT_DB
            return Playing("stopped" if silent and not status.on_bed else "bed")
        entry = self._entries.get(status.item_id)
        title, artist = ("", "") if entry is None else (entry.item.title, entry.item.artist)
        return Playing("playing", title, artist, status.position_ms, status.length_ms)

    def position(self) -> tuple[str, int] | None:
        """Item and position now, for a checkpoint, or None."""
        status = self._status
        return None if status is None or status.item_id is None else (status.item_id, status.position_ms)

    # -- what to play

    def _started(self, event: ItemStarted) -> tuple[r.TrackStarted, ...]:
        if event.item_id == self._current:
            return ()
        self._current = event.item_id
        if self._status is not None:
            self._status = replace(self._status, item_id=event.item_id, position_ms=0, on_bed=False)
        self._queue = tuple(item for item in self._queue if item != event.item_id)
        self._history = (*self._history, event.track_id)
        entry = self._entries.get(event.item_id)
        if self._target is not None and len(self._queue) < QUEUE_AHEAD - 1:
            self._plan_queue(self._target)
        if entry is None:
            return (r.TrackStarted(event.item_id, event.track_id, ""),)
        return (
            r.TrackStarted(event.item_id, event.track_id, entry.pool, entry.item.title, entry.item.artist),
        )

    def _adopt(self, target: MusicTarget) -> None:
        self._adopt_until_ms = None
        status = self._status
        if status is not None:
            self._gain = GainModel(self._clock.now_ms(), status.programme_db, status.programme_db)
        self._touches = target.touches
        self._current = None if status is None else status.item_id
        if self._current is None and not target.silent:
            self._start_fresh(target, target.crossfade_ms)
        elif status is not None and self._current is not None:
            self._remember(status, self._current)
            self._queue = status.queue
            self._plan_queue(target)

    def _remember(self, status: PlayerStatus, item_id: str) -> None:
        """Learn again what is playing, and tell the player's client, which forgot it with the old daemon.

        A crossfade to the item that plays changes nothing that is heard.
        """
        track = None if status.track_id is None else self._chooser.find(status.track_id)
        if track is not None:
            item = self._entry(track, item_id).item
            self._send(CrossfadeTo(replace(item, position_ms=status.position_ms), item.fade_ms))

    def _is_idle(self) -> bool:
        return self._current is None or (self._status is not None and self._status.on_bed)

    def _change_pool(self, before: MusicTarget | None, target: MusicTarget) -> None:
        if target.pool is None:
            # Nothing is asked for: silence fades the programme out; the bed is behind the current track.
            self.problem = None
            self._set_queue(())
            return
        fade = target.crossfade_ms
        if before is not None and before.slot == target.slot:
            fade = max(fade, 12_000)
        self._start_fresh(target, fade)

    def _start_fresh(self, target: MusicTarget, fade_ms: int) -> None:
        if target.pool is None:
            return
        entries = self._choose(target, QUEUE_AHEAD, 0)
        if not entries:
            self._set_queue(())
            return
        first = entries[0]
        self._crossfade(first.item, fade_ms)
        self._set_queue(entries[1:])

    def _crossfade(self, item: PlayItem, fade_ms: int) -> None:
        fade = clamp_crossfade(fade_ms, self._limits)
        self._send(CrossfadeTo(replace(item, fade_ms=fade), fade))

    def _skip(self, target: MusicTarget, *, back: bool) -> None:
        if back and self._skipped:
            item_id, position_ms = self._skipped.pop()
            entry = self._entries.get(item_id)
            if entry is not None:
                self._crossfade(self._again(entry, position_ms).item, target.skip_fade_ms)
                return
        if not back:
            here = self.position()
            if here is not None:
                self._skipped = [*self._skipped[-7:], here]
            self._start_fresh(target, target.skip_fade_ms)

    def _again(self, entry: _Entry, position_ms: int) -> _Entry:
        self._count += 1
        item = replace(entry.item, item_id=f"{entry.item.item_id}r{self._count}", position_ms=position_ms)
        again = _Entry(item, entry.pool)
        self._entries[item.item_id] = again
        return again

    def _plan_queue(self, target: MusicTarget) -> None:
        after_ms, left = self._current_left_ms(), self._phase_left_ms(target)
        over = left is not None and left - after_ms < LEAST_HEARD_MS
        if target.pool is None or over:
            self._set_queue(())
            return
        self._set_queue(self._choose(target, QUEUE_AHEAD, after_ms))

    def _phase_left_ms(self, target: MusicTarget) -> int | None:
        """What is left of the phase now, real ms: the target may be some time old."""
        if target.phase_left_ms is None:
            return None
        age_ms = self._clock.now_ms() - self._target_ms
        return max(target.phase_left_ms - age_ms, 0) // self._clock.speed

    def _current_left_ms(self) -> int:
        """How long the current track still sounds, real ms; what follows it is planned for the rest."""
        entry = None if self._current is None else self._entries.get(self._current)
        if entry is None or entry.item.end_ms is None:
            return 0
        whole = entry.item.end_ms - entry.item.start_ms
        status = self._status
        if status is not None and status.on_bed:
            return 0  # it fades out into the bed
        heard = status.position_ms if status is not None and status.item_id == self._current else 0
        return max(whole - heard, 0)

    def _set_queue(self, entries: Sequence[_Entry]) -> None:
        items = tuple(entry.item for entry in entries)
        queue = tuple(item.item_id for item in items)
        if queue == self._queue == ():
            return
        self._queue = queue
        self._send(QueueItems(items))

    def _choose(self, target: MusicTarget, count: int, after_ms: int) -> list[_Entry]:
        speed = self._clock.speed
        left, phase = self._phase_left_ms(target), target.phase_ms
        request = TrackRequest(
            pool=target.pool or "",
            energy=target.energy,
            words_allowed=target.words_allowed,
            unbroken=target.unbroken,
            history=self._history,
            remaining_ms=None if left is None else left - after_ms,
            phase_ms=None if phase is None else phase // speed,
            crossfade_ms=target.crossfade_ms,
            excluded_pools=target.excluded_pools,
            excluded_tracks=(*target.excluded_tracks, *self._lately_failed()),
            count=count,
            seed=self._seed,
        )
        entries = []
        for track in self._chooser.choose(request):
            self._count += 1
            entries.append(self._entry(track, f"{self._clock.now_ms():x}-{self._count}"))
        self.problem = (
            None if entries else f"pool {target.pool!r} has nothing that may be played now: the bed plays"
        )
        return entries

    def _entry(self, track: ChosenTrack, item_id: str) -> _Entry:
        item = PlayItem(
            item_id=item_id,
            track_id=track.track_id,
            path=track.path,
            gain_db=track.gain_db,
            start_ms=track.start_ms,
            end_ms=track.end_ms,
            fade_ms=clamp_crossfade(track.fade_ms, self._limits),
            title=track.title,
            artist=track.artist,
        )
        self._entries[item_id] = entry = _Entry(item, track.pool)
        return entry

    def _lately_failed(self) -> tuple[str, ...]:
        """Tracks that could not be played a moment ago: chosen again at once, they would fail for ever."""
        since = self._clock.now_ms() - FAILED_REST_MS * self._clock.speed
        self._failed = {track: at for track, at in self._failed.items() if at > since}
        return tuple(self._failed)

    # -- how loud

    def use_scale(self, k_db: float, ceiling_lufs: float) -> None:
        """Another sound device plays, or one that was measured: dB(A) mean another gain from now on."""
        self._k_db, self._ceiling_lufs = k_db, ceiling_lufs
        if self._target is not None:
            self._move_level(self._target)

    def _move_level(self, target: MusicTarget) -> None:
        wanted = SILENT_DB
        over_ms = target.silence_fade_ms
        # A person's volume that was set an hour ago does not make the score's next change a person's.
        authority = target.authority if target.touches != self._touches else Authority.SCORE
        self._touches = target.touches
        if not target.silent:
            dba = min(target.level_with_trim_dba, self._limits.ceiling_dba)
            lufs = min(dba - self._k_db, self._ceiling_lufs)
            wanted = max(lufs - REFERENCE_LUFS, SILENT_DB + 1.0)
            over_ms = self._level_fade_ms(target, authority)
        level = (wanted, target.silence_fade_ms if target.silent else 0)
        if level == self._level:
            return
        self._level = level
        now, speed = self._clock.now_ms(), self._clock.speed
        ceiling_db = self._ceiling_lufs - REFERENCE_LUFS
        self._gain, ramp = approve_gain(
            self._gain, wanted, over_ms * speed, authority, self._limits, now, ceiling_db
        )
        self._send(SetLevel("programme", ramp.level_db, ramp.over_ms // speed))

    def _level_fade_ms(self, target: MusicTarget, authority: Authority) -> int:
        if gain_at(self._gain, self._clock.now_ms()) <= SILENT_DB:
            return target.return_fade_ms
        return SCORE_LEVEL_MS if authority is Authority.SCORE else THERAPIST_LEVEL_MS
