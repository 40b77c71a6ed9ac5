"""What the player's tests share: sounds to play, an engine driven block by block, looks at what came out."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile

from controller.ports import PlayerEvent, PlayItem
from hardware.player.chain import Chain
from hardware.player.engine import Engine, EngineConfig
from hardware.player.units import BLOCK, RATE, Block, silence

Sound = npt.NDArray[np.float32]


def noise(seconds: float, seed: int, rms: float = 0.1) -> Sound:
    return np.asarray(
        np.random.default_rng(seed).normal(0, rms, (round(seconds * RATE), 2)), dtype=np.float32
    )


def tone(seconds: float, hertz: float, amplitude: float = 0.2, rate: int = RATE) -> Sound:
    wave = amplitude * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)
    return np.stack([wave, wave], axis=1).astype(np.float32)


def write(path: Path, sound: Sound, rate: int = RATE, subtype: str | None = None) -> str:
    soundfile.write(path, sound, rate, subtype=subtype or ("FLOAT" if path.suffix == ".wav" else None))
    return str(path)


def item(name: str, path: str, **more: object) -> PlayItem:
    return PlayItem(**{"item_id": name, "track_id": f"track-{name}", "path": path, **more})  # type: ignore[arg-type]


def largest_step(sound: Sound) -> float:
    return float(np.abs(np.diff(sound, axis=0)).max(initial=0.0))


def longest_silence_s(sound: Sound, below: float = 1e-4) -> float:
    """The longest stretch in which no 10 ms reach ``below``."""
    window = RATE // 100
    loud = np.abs(sound[: len(sound) // window * window]).reshape(-1, window * 2).max(axis=1) >= below
    longest = run = 0
    for heard in loud:
        run = 0 if heard else run + 1
        longest = max(longest, run)
    return longest / 100


class EngineRig:
    """An engine that waits for its decoders, with what it played and said."""

    def __init__(self, *, programme_db: float = 0.0, ceiling_lufs: float = 0.0, **config: object) -> None:
        settings = {"programme_db": programme_db, "patient": True, "min_fade_ms": 50, **config}
        self.engine = Engine(EngineConfig(**settings))  # type: ignore[arg-type]
        self.chain = Chain(ceiling_lufs)
        self.mixed: list[Sound] = []
        self.out: list[Sound] = []
        self.events: list[PlayerEvent] = []

    def play(self, seconds: float, each_block: Callable[[int], None] | None = None) -> None:
        block = silence(BLOCK)
        for count in range(-(-round(seconds * RATE) // BLOCK)):
            if each_block is not None:
                each_block(count)
            self._settle()
            self.engine.render(block, self.chain.heard_lufs)
            self.mixed.append(block.copy())
            self.out.append(self.chain.process(block).copy())
            while self.engine.events:
                self.events.append(self.engine.events.popleft())

    def _settle(self) -> None:
        """Wait for decks that are opening, so that a run is the same every time."""
        sequencer = self.engine.sequencer
        for cued in (sequencer._next, sequencer._wanted[0] if sequencer._wanted else None):
            if cued is not None:
                cued.deck.wait_ready()
        bed = self.engine.mixer.bed.source
        bed._deck.wait_ready()  # type: ignore[attr-defined]

    @property
    def sound(self) -> Block:
        return np.concatenate(self.mixed)

    @property
    def heard(self) -> Block:
        return np.concatenate(self.out)

    def kinds(self) -> list[str]:
        return [event.kind for event in self.events]

    def close(self) -> None:
        self.engine.close()
