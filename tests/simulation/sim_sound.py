"""The player as a process that can be killed, with what it is told held against the envelope of sound."""

from dataclasses import dataclass
from random import Random

from sim_lamps import BrokenPromiseError

from controller.clock import ManualClock
from controller.conductor import ChosenTrack, TrackRequest
from controller.core.music import MusicTarget
from controller.ports import CrossfadeTo, PlayerCommand, PlayerEvent, PlayItem, SetLevel
from hardware.player.wishes import Wishes
from hardware.sim.virtual_player import VirtualPlayer

MUTE_DB = -60.0
CEILING_DB = 70.0 - 83.0 + 23.0
"""Highest programme level under 70 dB(A), at the K of an uncalibrated device."""
SILENCE_ALLOWED_MS = 2_000
BED_ALLOWED_MS = 120_000
HAND_MS = 60_000


class Pools:
    """Chooses tracks: some pools have nothing, some tracks cannot be played."""

    def __init__(self, rng: Random, pools: tuple[str, ...]) -> None:
        self.rng = rng
        self.tracks = {
            pool: [(f"{pool}-{i}", rng.randrange(40_000, 900_000)) for i in range(rng.choice((0, 1, 4, 9)))]
            for pool in pools
        }
        names = [track for tracks in self.tracks.values() for track, _ in tracks]
        self.broken = set(rng.sample(names, len(names) // 5)) if rng.random() < 0.5 else set()

    def choose(self, request: TrackRequest) -> list[ChosenTrack]:
        tracks = [t for t in self.tracks.get(request.pool, ()) if t[0] not in request.excluded_tracks]
        if request.pool in request.excluded_pools or not tracks:
            return []
        first = len(request.history) % len(tracks)
        turn = (tracks[first:] + tracks[:first])[: request.count]
        return [
            ChosenTrack(name, request.pool, f"{name}.flac", -2.0, 0, ms, name, "", request.crossfade_ms)
            for name, ms in turn
        ]

    def find(self, track_id: str) -> ChosenTrack | None:
        for pool, tracks in self.tracks.items():
            for name, ms in tracks:
                if name == track_id:
                    return ChosenTrack(name, pool, f"{name}.flac", -2.0, 0, ms, name, "", 12_000)
        return None

    def good(self, pool: str, target: MusicTarget) -> bool:
        """Whether there is something in a pool that can be played."""
        mine = {name for name, _ in self.tracks.get(pool, ())} - self.broken - set(target.excluded_tracks)
        return pool not in target.excluded_pools and bool(mine)


@dataclass
class Gain:
    """The programme's level as it was asked for, in straight lines."""

    at_ms: int
    start: float = MUTE_DB
    end: float = MUTE_DB
    over_ms: int = 0

    def at(self, now_ms: int) -> float:
        if self.over_ms <= 0 or now_ms >= self.at_ms + self.over_ms:
            return self.end
        return self.start + (self.end - self.start) * (now_ms - self.at_ms) / self.over_ms


class Speaker:
    """The player's process, the daemon's side of it (its real ``Wishes``), and the checks."""

    def __init__(self, clock: ManualClock, pools: Pools) -> None:
        self.clock, self.pools = clock, pools
        self.player: VirtualPlayer | None = self._fresh(MUTE_DB)
        self.wishes = Wishes()
        self.gain = Gain(clock.now_ms())
        self.hand_ms = -HAND_MS
        self.starts_ms: int | None = None
        self._mute_since: int | None = None
        self._bed_since: int | None = None
        self._loud_since: int | None = None
        self._asked = (0, 0)

    def _fresh(self, programme_db: float) -> VirtualPlayer:
        return VirtualPlayer(self.clock, is_playable=self._playable, programme_db=programme_db)

    def _playable(self, item: PlayItem) -> bool:
        return item.track_id not in self.pools.broken

    def _s(self) -> float:
        return self.clock.now_ms() / 1000

    def send(self, command: PlayerCommand) -> None:
        """Take a command from the conductor."""
        if isinstance(command, SetLevel) and command.bus == "programme":
            self._check_level(command)
        if isinstance(command, CrossfadeTo) and not 4_000 <= command.fade_ms <= 30_000:
            raise BrokenPromiseError("sound", f"a crossfade of {command.fade_ms} ms")
        self.wishes.remember(command, linked=self.player is not None, now_s=self._s())
        if self.player is not None:
            self.player.send(command)

    def _check_level(self, told: SetLevel) -> None:
        now = self.clock.now_ms()
        live = self.gain.at(now)
        per_s = (told.level_db - live) / max(told.over_ms, 1) * 1000
        if abs(told.level_db - live) > 0.01:
            falls = 20.0 if now - self.hand_ms <= HAND_MS else 6.0
            if per_s > 3.003 or per_s < -falls * 1.001:
                raise BrokenPromiseError(
                    "sound", f"the programme moves {per_s:.1f} dB/s, from {live:.1f}: {told}"
                )
            if told.level_db <= MUTE_DB and told.over_ms < 3_000:
                raise BrokenPromiseError("sound", f"silence in {told.over_ms} ms")
        if told.level_db > CEILING_DB + 1e-6:
            raise BrokenPromiseError("sound", f"{told.level_db} dB is above the room's ceiling")
        self.gain = Gain(now, live, told.level_db, told.over_ms)

    def kill(self, for_ms: int) -> None:
        """The process dies; its keeper starts it again."""
        self.player, self.starts_ms = None, self.clock.now_ms() + for_ms

    def next_due_ms(self, *, linked: bool) -> int | None:
        if self.player is None and not linked:
            return None
        return self.starts_ms if self.player is None else self.player.next_due_ms()

    def tick(self, *, linked: bool) -> list[PlayerEvent]:
        """Go on; return what the daemon hears. While the daemon is dead nobody starts the player again."""
        if (
            self.player is None
            and linked
            and self.starts_ms is not None
            and self.starts_ms <= self.clock.now_ms()
        ):
            self.player, self.starts_ms = self._fresh(self.wishes.programme_db(self._s())), None
            for command in self.wishes.to_bring_back(self._s()):
                self.player.send(command)
        if self.player is None:
            return []
        happened = [*self.player.tick(), self.player.status()]
        if not linked:
            return []
        for event in happened:
            self.wishes.observe(event, self._s())
        return happened

    def daemon_died(self) -> None:
        """Whoever comes after knows nothing of the wishes before; a dead player then starts mute."""
        self.wishes = Wishes()
        if self.player is None:
            self.gain = Gain(self.clock.now_ms())

    def check(self, target: MusicTarget) -> None:
        """Never silent by failure; silent where silence is wanted; never on the bed for long without need."""
        now = self.clock.now_ms()
        mute = self.player is None or (self.gain.end <= MUTE_DB and self.gain.at(now) <= MUTE_DB)
        self._mute_since = self._since(self._mute_since, mute and not target.silent)
        if self._mute_since is not None and now - self._mute_since > SILENCE_ALLOWED_MS:
            raise BrokenPromiseError(
                "silence", f"nothing is heard for {now - self._mute_since} ms: {self.gain}"
            )
        asked = (target.silence_fade_ms, target.touches)
        if asked != self._asked:
            self._asked, self._loud_since = asked, None
        self._loud_since = self._since(self._loud_since, target.silent and self.gain.at(now) > MUTE_DB)
        longest = max(target.silence_fade_ms, 12_000) + 4_000
        if self._loud_since is not None and now - self._loud_since > longest:
            raise BrokenPromiseError(
                "newest word", f"no silence {now - self._loud_since} ms after it was asked for"
            )
        wanted = not target.silent and target.pool is not None and self.pools.good(target.pool, target)
        over = target.phase_left_ms is not None and target.phase_left_ms < 60_000
        on_bed = self.player is not None and self.player.status().on_bed
        self._bed_since = self._since(self._bed_since, on_bed and wanted and not over)
        if self._bed_since is not None and now - self._bed_since > BED_ALLOWED_MS:
            raise BrokenPromiseError(
                "silence", f"the bed plays for {now - self._bed_since} ms though there is music"
            )

    def reset(self) -> None:
        """The daemon is away: what it would answer for begins anew when it is back."""
        self._mute_since = self._bed_since = self._loud_since = None

    def _since(self, since: int | None, holds: bool) -> int | None:
        if not holds:
            return None
        return self.clock.now_ms() if since is None else since
