"""One contract for the player's engine and its virtual stand-in: the same commands, the same events.

The engine plays real files, block by block, as fast as it can; the stand-in reckons in room time.
The process around the engine is put to the same cases in tests/hardware/test_player_process.py.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

import numpy as np
import pytest
import soundfile

from controller.ports import (
    CrossfadeTo,
    ItemEnded,
    ItemFailed,
    ItemStarted,
    PlayerCommand,
    PlayerEvent,
    PlayItem,
    QueueItems,
    Route,
    SetLevel,
    Speak,
    Spoken,
)
from hardware.player.engine import Engine, EngineConfig
from hardware.player.units import BLOCK, RATE, silence
from hardware.sim.virtual_player import VirtualPlayer


class Rig(Protocol):
    events: list[tuple[int, PlayerEvent]]

    def send(self, command: PlayerCommand) -> None: ...
    def play(self, ms: int) -> None: ...
    def now_ms(self) -> int: ...
    def on_bed(self) -> bool: ...
    def item_id(self) -> str | None: ...
    def position_ms(self) -> int: ...
    def length_ms(self) -> int | None: ...
    def queue(self) -> tuple[str, ...]: ...
    def programme_db(self) -> float: ...


class EngineRig:
    def __init__(self) -> None:
        self._engine = Engine(EngineConfig(patient=True))
        self._blocks = 0
        self._block = silence(BLOCK)
        self.events: list[tuple[int, PlayerEvent]] = []

    def send(self, command: PlayerCommand) -> None:
        self._engine.put(command)
        self._render()
        sequencer = self._engine.sequencer
        for cued in (sequencer._next, sequencer._wanted[0] if sequencer._wanted else None):
            if cued is not None:
                cued.deck.wait_ready()
        self._render()

    def _render(self) -> None:
        self._engine.render(self._block, -70.0)
        self._blocks += 1
        while self._engine.events:
            self.events.append((self.now_ms(), self._engine.events.popleft()))

    def play(self, ms: int) -> None:
        for _ in range(round(ms * RATE / 1000 / BLOCK)):
            if (cued := self._engine.sequencer._next) is not None:
                cued.deck.wait_ready()
            self._render()

    def now_ms(self) -> int:
        return self._blocks * BLOCK * 1000 // RATE

    def on_bed(self) -> bool:
        return self._engine.view.on_bed

    def item_id(self) -> str | None:
        return self._engine.view.item_id

    def position_ms(self) -> int:
        return self._engine.view.position_ms

    def length_ms(self) -> int | None:
        return self._engine.view.length_ms

    def queue(self) -> tuple[str, ...]:
        return self._engine.view.queue

    def programme_db(self) -> float:
        return self._engine.view.programme_db

    def close(self) -> None:
        self._engine.close()


class HandClock:
    """A clock that stands until it is moved."""

    speed = 1

    def __init__(self) -> None:
        self.at_ms = 1_000_000

    def now_ms(self) -> int:
        return self.at_ms

    def local_time(self) -> datetime:
        return datetime.fromtimestamp(self.at_ms / 1000, UTC)

    async def sleep_until(self, at_ms: int) -> None:
        self.at_ms = max(self.at_ms, at_ms)

    def call_at(self, at_ms: int, callback: Callable[[], None]) -> Callable[[], None]:
        raise AssertionError("no player waits for a callback")


class VirtualRig:
    def __init__(self) -> None:
        self._clock = HandClock()
        self._player = VirtualPlayer(self._clock, is_playable=lambda item: Path(item.path).is_file())
        self.events: list[tuple[int, PlayerEvent]] = []

    def send(self, command: PlayerCommand) -> None:
        self._player.send(command)
        self._take()

    def _take(self) -> None:
        self.events += [(self._clock.at_ms, event) for event in self._player.tick()]

    def play(self, ms: int) -> None:
        end = self._clock.at_ms + ms
        while (due := self._player.next_due_ms()) is not None and due <= end:
            self._clock.at_ms = max(due, self._clock.at_ms)
            self._take()
        self._clock.at_ms = end
        self._take()

    def now_ms(self) -> int:
        return self._clock.at_ms

    def on_bed(self) -> bool:
        return self._player.status().on_bed

    def item_id(self) -> str | None:
        return self._player.status().item_id

    def position_ms(self) -> int:
        return self._player.status().position_ms

    def length_ms(self) -> int | None:
        return self._player.status().length_ms

    def queue(self) -> tuple[str, ...]:
        return self._player.status().queue

    def programme_db(self) -> float:
        return self._player.status().programme_db

    def close(self) -> None: ...


@pytest.fixture(params=["engine", "virtual"])
def rig(request: pytest.FixtureRequest) -> Iterator[Rig]:
    made = EngineRig() if request.param == "engine" else VirtualRig()
    yield made
    made.close()


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("music")
    for seconds in (3, 10, 40):
        soundfile.write(folder / f"{seconds}.flac", np.full((seconds * RATE, 2), 0.1), RATE)
    (folder / "broken.flac").write_text("not a sound")
    return folder


def item(name: str, files: Path, seconds: int = 10, fade_ms: int = 4_000) -> PlayItem:
    return PlayItem(
        name, f"track-{name}", str(files / f"{seconds}.flac"), end_ms=seconds * 1000, fade_ms=fade_ms
    )


def said(rig: Rig) -> list[str]:
    """Events as ``kind id``, statuses left out."""
    return [
        f"{event.kind} {event.item_id}"
        for _, event in rig.events
        if isinstance(event, ItemStarted | ItemEnded | ItemFailed)
    ]


def when(rig: Rig, text: str) -> int:
    for at, event in rig.events:
        if (
            isinstance(event, ItemStarted | ItemEnded | ItemFailed)
            and f"{event.kind} {event.item_id}" == text
        ):
            return at
    raise AssertionError(f"{text!r} did not happen: {said(rig)}")


NEAR_MS = 60


def test_a_queue_plays_in_order_and_crossfades_before_each_end(rig: Rig, files: Path) -> None:
    rig.send(QueueItems(tuple(item(name, files) for name in "abc")))
    begun = rig.now_ms()
    rig.play(30_000)
    assert said(rig) == ["started a", "started b", "ended a", "started c", "ended b", "ended c"]
    assert when(rig, "started b") - begun == pytest.approx(6_000, abs=NEAR_MS)
    assert when(rig, "ended a") - begun == pytest.approx(10_000, abs=NEAR_MS)
    assert when(rig, "started c") - begun == pytest.approx(12_000, abs=NEAR_MS)
    assert when(rig, "ended c") - begun == pytest.approx(22_000, abs=NEAR_MS)
    assert rig.on_bed()


def test_a_skip_crossfades_now_and_the_queue_goes_on_after_it(rig: Rig, files: Path) -> None:
    rig.send(QueueItems((item("a", files, 40), item("b", files))))
    rig.play(5_000)
    begun = rig.now_ms()
    rig.send(CrossfadeTo(item("x", files), 5_000))
    assert rig.item_id() == "x"
    rig.play(8_000)
    assert said(rig) == ["started a", "started x", "ended a", "started b"]
    assert when(rig, "ended a") - begun == pytest.approx(5_000, abs=NEAR_MS)


def test_a_skip_to_the_queues_own_item_takes_it_out_of_the_queue(rig: Rig, files: Path) -> None:
    rig.send(QueueItems((item("a", files, 40), item("b", files), item("c", files))))
    rig.play(2_000)
    rig.send(CrossfadeTo(item("b", files), 4_000))
    assert rig.item_id() == "b"
    assert rig.queue() == ("c",)


def test_a_skip_in_mid_fade(rig: Rig, files: Path) -> None:
    rig.send(QueueItems((item("a", files, 40),)))
    rig.play(6_000)
    rig.send(CrossfadeTo(item("b", files, 40), 8_000))
    rig.play(2_000)
    begun = rig.now_ms()
    rig.send(CrossfadeTo(item("c", files, 40), 4_000))
    rig.play(6_000)
    assert said(rig)[:3] == ["started a", "started b", "started c"]
    assert sorted(said(rig)[3:]) == ["ended a", "ended b"]
    assert when(rig, "ended a") - begun == pytest.approx(4_000, abs=NEAR_MS)
    assert when(rig, "ended b") - begun == pytest.approx(4_000, abs=NEAR_MS)


def test_the_shortest_skip_takes_four_seconds(rig: Rig, files: Path) -> None:
    rig.send(QueueItems((item("a", files, 40),)))
    rig.play(2_000)
    begun = rig.now_ms()
    rig.send(CrossfadeTo(item("b", files, 40), 0))
    rig.play(6_000)
    assert when(rig, "ended a") - begun == pytest.approx(4_000, abs=NEAR_MS)


def test_a_new_queue_replaces_what_follows_and_never_the_current(rig: Rig, files: Path) -> None:
    rig.send(QueueItems((item("a", files), item("b", files))))
    rig.play(1_000)
    rig.send(QueueItems((item("a", files), item("c", files))))
    assert rig.item_id() == "a"
    assert rig.queue() == ("c",)
    rig.play(8_000)
    assert said(rig) == ["started a", "started c"]


def test_an_emptied_queue_leads_to_the_bed(rig: Rig, files: Path) -> None:
    rig.send(QueueItems((item("a", files), item("b", files))))
    rig.play(1_000)
    rig.send(QueueItems(()))
    rig.play(10_000)
    assert said(rig) == ["started a", "ended a"]
    assert rig.on_bed()
    assert rig.item_id() is None


def test_an_item_for_the_bed_begins_at_once(rig: Rig, files: Path) -> None:
    rig.play(3_000)
    assert rig.on_bed()
    rig.send(QueueItems((item("a", files),)))
    assert not rig.on_bed()
    assert said(rig) == ["started a"]


@pytest.mark.parametrize("bad", ["broken.flac", "missing.flac"])
def test_a_bad_item_is_reported_and_passed_over(rig: Rig, files: Path, bad: str) -> None:
    if isinstance(rig, VirtualRig) and bad == "broken.flac":
        pytest.skip("the stand-in does not look into files")
    broken = replace(item("bad", files), path=str(files / bad))
    rig.send(QueueItems((item("a", files, 3, 1_000), broken, item("b", files))))
    rig.play(4_000)
    assert said(rig)[:2] in (["started a", "failed bad"], ["failed bad", "started a"])
    assert "started b" in said(rig)
    assert "ended bad" not in said(rig)


def test_a_skip_to_a_missing_item_goes_to_the_next_of_the_queue(rig: Rig, files: Path) -> None:
    rig.send(QueueItems((item("a", files, 40), item("b", files))))
    rig.play(2_000)
    rig.send(CrossfadeTo(replace(item("bad", files), path=str(files / "missing.flac")), 4_000))
    rig.play(500)
    assert said(rig) == ["started a", "failed bad", "started b"]


def test_a_skip_to_a_missing_item_with_nothing_queued_changes_nothing_heard(rig: Rig, files: Path) -> None:
    rig.send(QueueItems((item("a", files, 40),)))
    rig.play(2_000)
    rig.send(CrossfadeTo(replace(item("bad", files), path=str(files / "missing.flac")), 4_000))
    rig.play(500)
    assert said(rig) == ["started a", "failed bad"]
    assert rig.item_id() == "a"


def test_the_same_item_again_changes_nothing(rig: Rig, files: Path) -> None:
    rig.send(CrossfadeTo(item("a", files), 4_000))
    rig.play(2_000)
    rig.send(CrossfadeTo(item("a", files), 4_000))
    rig.play(500)
    assert said(rig) == ["started a"]
    assert rig.position_ms() == pytest.approx(2_500, abs=NEAR_MS)


def test_cuts_positions_and_lengths(rig: Rig, files: Path) -> None:
    cut = replace(item("a", files, 40), start_ms=5_000, end_ms=20_000, position_ms=3_000)
    rig.send(CrossfadeTo(cut, 4_000))
    rig.play(1_000)
    assert rig.position_ms() == pytest.approx(4_000, abs=NEAR_MS)
    assert rig.length_ms() == pytest.approx(15_000, abs=2)
    rig.play(13_000)
    assert said(rig) == ["started a", "ended a"]


def test_items_shorter_than_their_fades_are_all_heard(rig: Rig, files: Path) -> None:
    rig.send(QueueItems(tuple(item(name, files, 3, 12_000) for name in "abcd")))
    rig.play(9_000)
    assert [text for text in said(rig) if text.startswith("started")] == [
        f"started {name}" for name in "abcd"
    ]


def test_levels_move_evenly_and_rise_at_most_three_db_a_second(rig: Rig, files: Path) -> None:
    rig.send(SetLevel("programme", -20.0, 0))
    rig.play(100)
    assert rig.programme_db() == pytest.approx(-20.0, abs=0.1)
    rig.send(CrossfadeTo(item("a", files, 40), 4_000))
    rig.play(100)
    rig.send(SetLevel("programme", -30.0, 2_000))
    rig.play(1_000)
    assert rig.programme_db() == pytest.approx(-25.0, abs=0.3)
    rig.play(1_500)
    assert rig.programme_db() == pytest.approx(-30.0, abs=0.01)
    rig.send(SetLevel("programme", 0.0, 0))
    rig.play(2_000)
    assert rig.programme_db() == pytest.approx(-24.0, abs=0.3)
    rig.send(SetLevel("programme", -60.0, 0))
    rig.play(1_000)
    assert rig.programme_db() == pytest.approx(-44.0, abs=0.5)


def test_prompts_are_said_in_order(rig: Rig, files: Path) -> None:
    rig.send(Route(speakers=True, headphones=False))
    rig.send(Speak("one", str(files / "3.flac")))
    rig.send(Speak("two", str(files / "3.flac")))
    for _ in range(120):
        rig.play(100)
    assert [event.prompt_id for _, event in rig.events if isinstance(event, Spoken)] == ["one", "two"]
