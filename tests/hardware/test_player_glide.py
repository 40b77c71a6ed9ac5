"""Gliding: what is made ready ahead is what the mixer would have played, and any command drops the rest."""

import threading
from pathlib import Path
from time import sleep

import numpy as np
import pytest
from player_rig import Sound, item, noise, tone, write

from controller.ports import CrossfadeTo, PlayerCommand, PlayItem, QueueItems, Route, SetLevel, Speak
from hardware.player.ahead import Ahead
from hardware.player.chain import Chain
from hardware.player.deck import Cut, Deck
from hardware.player.engine import Engine, EngineConfig
from hardware.player.limiter import SEGMENT, Limiter
from hardware.player.units import BLOCK, GLIDE_FRAMES, PERIOD, RATE, silence

Commands = dict[int, PlayerCommand]


class Player:
    """The process's loop without its process: an engine, a chain, and what is made ready ahead, or not."""

    def __init__(self, path: Path, *, gliding: bool, ceiling_lufs: float = 0.0) -> None:
        bed = write(path / "bed.wav", noise(20, 99, 0.02))
        self.engine = Engine(EngineConfig(bed=bed, programme_db=0.0, patient=True, min_fade_ms=50))
        self.engine.mixer.bed.source._deck.wait_ready()  # type: ignore[attr-defined]
        self.engine.sequencer._open_deck = self._open
        self.chain = Chain(ceiling_lufs)
        self.ahead = Ahead(self.engine, self.chain)
        self._gliding = gliding
        self.parts: list[Sound] = []
        self.glided: list[bool] = []

    def play(self, seconds: float, commands: Commands) -> Sound:
        block = silence(PERIOD)
        for at in range(len(self.parts) * PERIOD, round(seconds * RATE) // PERIOD * PERIOD, PERIOD):
            if at in commands:
                self.engine.put(commands[at])
            self._fill()
            sound = self.ahead.take() if self._gliding else None
            self.glided.append(sound is not None)
            if sound is None:
                self.engine.render(block, -23.0)
                self.parts.append(self.chain.process(block).copy())
            else:
                self.parts.append(np.frombuffer(sound, dtype=np.float32).reshape(-1, 2).copy())
        return np.concatenate(self.parts)

    def _open(self, wanted: PlayItem) -> Deck:
        """Open a deck and wait for it, so that both ways begin everything at the same frame."""
        deck = self.engine._open(wanted)
        deck.wait_ready()
        return deck

    def _fill(self) -> None:
        """Let the decoders get ahead, as they are in real time."""
        decks = [voice.source for voice in self.engine.mixer.voices]
        for deck in (*decks, self.engine.mixer.bed.source._deck):  # type: ignore[attr-defined]
            while isinstance(deck, Deck) and deck.ahead < GLIDE_FRAMES and not deck._done:
                deck._wake()
                sleep(0.001)

    def close(self) -> None:
        self.engine.close()


def both(
    path: Path, seconds: float, commands: Commands
) -> tuple[Sound, Sound, list[bool], list[tuple[str, str]]]:
    """What is played with gliding and without, which periods glided, and what was reported."""
    sounds: list[Sound] = []
    reports: list[list[tuple[str, str]]] = []
    glided: list[bool] = []
    for gliding in (True, False):
        player = Player(path, gliding=gliding)
        sounds.append(player.play(seconds, commands))
        reports.append(
            [(type(event).__name__, getattr(event, "item_id", "")) for event in player.engine.events]
        )
        glided = glided or player.glided
        player.close()
    assert reports[0] == reports[1]
    return sounds[0], sounds[1], glided, reports[0]


def pieces(path: Path, count: int, seconds: float) -> list[str]:
    return [write(path / f"{seed}.wav", noise(seconds, seed, 0.05)) for seed in range(count)]


def test_crossfades_and_the_bed_glide_sample_for_sample(tmp_path: Path) -> None:
    items = tuple(
        item(str(i), p, fade_ms=1700 + 311 * i, gain_db=-1.5 * i)
        for i, p in enumerate(pieces(tmp_path, 3, 8))
    )
    gliding, mixed, glided, reports = both(tmp_path, 26.0, {0: QueueItems(items)})
    assert np.array_equal(gliding, mixed)
    assert sum(glided) > 0.8 * len(glided), "crossfades and the bed too"
    assert [name for kind, name in reports if kind == "ItemStarted"] == ["0", "1", "2"]
    assert [name for kind, name in reports if kind == "ItemEnded"] == ["0", "1", "2"]


def test_commands_at_any_period_leave_what_the_mixer_plays(tmp_path: Path) -> None:
    first, second, third = pieces(tmp_path, 3, 14)
    prompt = write(tmp_path / "p.wav", noise(0.5, 1, 0.01))
    commands: Commands = {
        0: CrossfadeTo(item("a", first), 50),
        101 * PERIOD: QueueItems((item("b", second, fade_ms=3000),)),
        103 * PERIOD: SetLevel("programme", -6.0, 400),
        185 * PERIOD: CrossfadeTo(item("c", third), 4000),
        190 * PERIOD: SetLevel("master", -3.0, 0),
        233 * PERIOD: Speak("p", prompt),
        330 * PERIOD: Route(speakers=True, headphones=False),
    }
    gliding, mixed, glided, _ = both(tmp_path, 12.0, commands)
    assert np.array_equal(gliding, mixed)
    assert 0.2 < sum(glided) / len(glided) < 0.9


@pytest.mark.parametrize("after", range(1, 9))
def test_a_command_is_heard_from_the_next_period_on(tmp_path: Path, after: int) -> None:
    path = write(tmp_path / "a.wav", np.full((10 * RATE, 2), 0.25, dtype=np.float32))
    player = Player(tmp_path, gliding=True)
    player.play(3.0, {0: CrossfadeTo(item("a", path), 50)})
    while not player.ahead.begins:
        player.play((len(player.parts) + 1) * PERIOD / RATE, {})
    at = len(player.parts) + after - 1
    player.play((at + 2) * PERIOD / RATE, {at * PERIOD: SetLevel("programme", -20.0, 0)})
    assert player.glided[at - 1]
    assert not player.glided[at]
    lower = np.flatnonzero(np.concatenate(player.parts)[:, 0] < 0.2499)
    assert lower[lower > RATE][0] - at * PERIOD <= 256 + 8, "the limiter's delay, and nothing more"
    player.close()


def test_silence_and_a_muted_output_glide_too(tmp_path: Path) -> None:
    path = pieces(tmp_path, 1, 30)[0]
    player = Player(tmp_path, gliding=True)
    quiet = SetLevel("programme", -60.0, 3000)
    sound = player.play(8.0, {0: CrossfadeTo(item("a", path), 50), 60 * PERIOD: quiet})
    assert all(player.glided[-20:])
    assert not sound[-10 * PERIOD :].any()
    assert player.engine.view.position_ms > 7000, "the music goes on unheard"
    player.close()
    muted = Player(tmp_path, gliding=True)
    muted.chain.route(on=False)
    sound = muted.play(6.0, {0: CrossfadeTo(item("a", path), 50)})
    assert all(muted.glided[-20:])
    assert not sound[-10 * PERIOD :].any()
    muted.close()


def test_sound_near_a_ceiling_is_never_made_ready_ahead(tmp_path: Path) -> None:
    path = write(tmp_path / "loud.wav", np.clip(noise(8, 1, 0.3), -1, 1))
    sounds = []
    for gliding in (True, False):
        player = Player(tmp_path, gliding=gliding, ceiling_lufs=-20.0)
        sounds.append(player.play(6.0, {0: CrossfadeTo(item("a", path), 50)}))
        assert not any(player.glided[20:])
        player.close()
    assert np.array_equal(sounds[0], sounds[1])
    hot = write(tmp_path / "hot.wav", tone(8, 200, 0.95))
    player = Player(tmp_path, gliding=True)
    player.play(6.0, {0: CrossfadeTo(item("a", hot), 50)})
    assert not any(player.glided[20:]), "the limiter may have to act"
    player.close()


def test_the_meter_reads_the_same_either_way(tmp_path: Path) -> None:
    path = pieces(tmp_path, 1, 12)[0]
    readings = []
    for gliding in (True, False):
        player = Player(tmp_path, gliding=gliding)
        player.play(8 * GLIDE_FRAMES * 6 / RATE, {0: CrossfadeTo(item("a", path), 50)})
        player.ahead.drop()
        readings.append((player.chain.loudness_lufs, player.chain.take_peak_dbfs()))
        player.close()
    assert readings[0][0] == pytest.approx(readings[1][0], abs=0.1)
    assert readings[0][1] == pytest.approx(readings[1][1], abs=0.01)


def test_the_limiter_looks_ahead_only_where_it_would_do_nothing() -> None:
    looked = 0
    for seed in range(60):
        random = np.random.default_rng(seed)
        loudness = 10 ** random.uniform(-1.2, -0.6)
        sound = (random.normal(0, loudness, (SEGMENT + 4 * PERIOD, 2))).astype(np.float32)
        fresh = sound[SEGMENT:].copy()
        limited = silence(4 * PERIOD)
        acting = Limiter()
        acting.process(fresh, limited)
        if Limiter().look_ahead(sound):
            looked += 1
            assert acting.reduction_db == 0.0
            assert np.array_equal(sound[: 4 * PERIOD], limited)
    assert 10 < looked < 50


class Stuttering:
    """A file whose decoder stands still after some seconds."""

    rate: int = RATE

    def __init__(self, seconds: float) -> None:
        self.frames: int | None = 60 * RATE
        self._left = round(seconds * RATE)
        self.free = threading.Event()

    def seek(self, frame: int) -> None:
        """Always at its beginning."""

    def read(self, frames: int) -> Sound:
        if self._left <= 0:
            self.free.wait(20)
        self._left -= frames
        return np.full((frames, 2), 0.1, dtype=np.float32)

    def close(self) -> None:
        """Nothing is open."""


def test_a_deck_is_sure_only_of_what_it_has_less_a_second() -> None:
    reader = Stuttering(3.0)
    deck = Deck(lambda: reader, Cut())
    block = silence(PERIOD)
    deck.wait_ready()
    seen = 0
    while deck.ahead < PERIOD and seen < 1_000_000:
        seen += 1
    while deck.ahead >= PERIOD:
        before = deck.frames_read
        deck.peek(block)
        assert deck.frames_read == before
        assert (block == np.float32(0.1)).all()
        deck.pass_over(PERIOD)
    assert deck.error is None
    assert deck.frames_read <= 2.3 * RATE
    deck.close()
    reader.free.set()


def test_the_chain_gives_the_same_for_a_period_as_for_two_blocks() -> None:
    sound = np.concatenate((noise(1.0, 1, 0.02), noise(2.0, 2, 0.5), noise(1.0, 3, 0.02)))
    sound = sound[: len(sound) // PERIOD * PERIOD]
    outs = []
    for frames in (BLOCK, PERIOD):
        chain = Chain(-20.0)
        parts = [chain.process(sound[at : at + frames]).copy() for at in range(0, len(sound), frames)]
        outs.append(np.concatenate(parts))
    assert np.abs(outs[0] - outs[1]).max() < 0.02
    assert np.array_equal(outs[0][: RATE // 2], outs[1][: RATE // 2]), "what is calm is passed on as it is"
