"""The conductor: what follows what, how loud, and what a restart may touch."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import pytest

from controller.clock import ManualClock
from controller.conductor import FAILED_REST_MS, RESUME_WAIT_MS, Conductor
from controller.core.envelope import Authority, Limits
from controller.core.music import MusicTarget
from controller.core.units import SILENT_DB
from controller.music_request import ChosenTrack, TrackRequest
from controller.ports import (
    CrossfadeTo,
    ItemFailed,
    ItemStarted,
    PlayerCommand,
    PlayerStatus,
    SetLevel,
)

START_MS = 1_700_000_000_000
MIN = 60_000
TARGET = MusicTarget(
    pool="warm",
    mood="warm",
    energy=0.3,
    words_allowed=False,
    unbroken=False,
    level_dba=50.0,
    trim_db=0.0,
    silent=False,
    authority=Authority.SCORE,
    silence_fade_ms=6_000,
    return_fade_ms=6_000,
    crossfade_ms=12_000,
    slot=0,
    phase_left_ms=60 * MIN,
    phase_ms=60 * MIN,
    excluded_pools=(),
    excluded_tracks=(),
    skips=0,
    skip_fade_ms=8_000,
    headphones=False,
    to_speakers=True,
)


@dataclass
class Desk:
    """A conductor, what it sent, and what it asked for."""

    clock: ManualClock = field(default_factory=lambda: ManualClock(START_MS))
    sent: list[PlayerCommand] = field(default_factory=list)
    asked: list[TrackRequest] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.conductor = Conductor(self, self.sent.append, self.clock, Limits(), k_db=None)

    def choose(self, request: TrackRequest) -> Sequence[ChosenTrack]:
        self.asked.append(request)
        names = [n for n in ("one", "two", "three") if n not in request.excluded_tracks]
        return [
            ChosenTrack(n, request.pool, f"{n}.flac", 0.0, 0, 5 * MIN, n, "", request.crossfade_ms)
            for n in names[: request.count]
        ]

    def find(self, track_id: str) -> ChosenTrack | None:
        return ChosenTrack(track_id, "warm", f"{track_id}.flac", 0.0, 0, 5 * MIN, track_id, "", 12_000)

    def crossfades(self) -> list[CrossfadeTo]:
        return [command for command in self.sent if isinstance(command, CrossfadeTo)]

    def levels(self) -> list[SetLevel]:
        return [c for c in self.sent if isinstance(c, SetLevel) and c.bus == "programme"]


def status(item_id: str | None, track_id: str | None, programme_db: float) -> PlayerStatus:
    return PlayerStatus(
        item_id=item_id,
        track_id=track_id,
        position_ms=MIN,
        length_ms=5 * MIN,
        queue=(),
        programme_db=programme_db,
        peak_dbfs=-20.0,
        loudness_lufs=-30.0,
        on_bed=item_id is None,
        device="room",
        device_ok=True,
        frames_written=0,
        underruns=0,
    )


def test_a_broken_track_rests_and_is_tried_again_later() -> None:
    desk = Desk()
    desk.conductor.follow(TARGET)
    first = desk.crossfades()[0].item
    assert first.track_id == "one"
    desk.conductor.on_event(ItemFailed(first.item_id, "one", "it cannot be played"))
    assert desk.asked[-1].excluded_tracks == ("one",)
    desk.clock.advance_by(FAILED_REST_MS + 1)
    desk.conductor.follow(replace(TARGET, skips=1))
    assert "one" not in desk.asked[-1].excluded_tracks


def test_a_skip_and_another_pool_are_crossfades_inside_the_limits() -> None:
    desk = Desk()
    desk.conductor.follow(TARGET)
    desk.conductor.follow(replace(TARGET, skips=1, skip_fade_ms=1))
    desk.conductor.follow(replace(TARGET, skips=1, pool="vast", mood="vast", crossfade_ms=5_000))
    fades = [fade.fade_ms for fade in desk.crossfades()]
    assert fades[1] == 4_000, "a skip is never a cut"
    assert fades[2] >= 12_000, "a mood asked for in a phase comes slowly"


@pytest.mark.parametrize("touched", [False, True])
def test_only_a_word_just_said_moves_the_level_at_a_persons_speed(touched: bool) -> None:
    desk = Desk()
    by_hand = replace(TARGET, authority=Authority.THERAPIST, touches=1, level_dba=70.0, trim_db=12.0)
    desk.conductor.follow(by_hand)
    desk.clock.advance_by(MIN)
    desk.conductor.follow(replace(by_hand, level_dba=30.0, trim_db=-10.0, touches=2 if touched else 1))
    told = desk.levels()[-1]
    per_s = (desk.levels()[-2].level_db - told.level_db) / told.over_ms * 1000
    assert per_s <= (20.0 if touched else 6.0)
    desk.conductor.follow(replace(by_hand, silent=True, touches=3, silence_fade_ms=500))
    silence = desk.levels()[-1]
    assert silence.level_db == SILENT_DB
    assert silence.over_ms >= 3_000


def test_after_a_restart_the_player_is_left_alone_until_it_has_said_what_it_plays() -> None:
    desk = Desk()
    desk.conductor.adopt(("zero",))
    desk.conductor.follow(TARGET)
    assert desk.sent == []
    desk.conductor.on_event(status("kept", "two", -12.0))
    assert all(fade.item.track_id == "two" for fade in desk.crossfades()), "what plays goes on"
    assert all(abs(level.level_db + 12.0) / level.over_ms * 1000 <= 3.0 for level in desk.levels())


def test_a_player_that_says_nothing_is_given_music_all_the_same() -> None:
    desk = Desk()
    desk.conductor.adopt(())
    desk.conductor.follow(TARGET)
    desk.clock.advance_by(RESUME_WAIT_MS)
    desk.conductor.tick()
    assert desk.crossfades()


def test_a_player_that_plays_nothing_after_a_restart_is_given_music() -> None:
    desk = Desk()
    desk.conductor.adopt(())
    desk.conductor.follow(TARGET)
    desk.conductor.on_event(status(None, None, SILENT_DB))
    assert desk.crossfades(), "both died: the bed is not all there is"


def test_what_began_is_journaled_once() -> None:
    desk = Desk()
    desk.conductor.follow(TARGET)
    item = desk.crossfades()[0].item
    began = desk.conductor.on_event(ItemStarted(item.item_id, item.track_id))
    assert [record.track_id for record in began] == ["one"]
    assert desk.conductor.on_event(ItemStarted(item.item_id, item.track_id)) == ()
