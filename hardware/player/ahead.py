"""Sound made ready ahead: while nothing is due, eight periods at once, mixed and through the output's chain.

Waking for a period is then little more than handing its bytes on. A command, or anything about the device,
drops what was not played, and the next period is made anew: nothing is heard later for it. It must never
count as played what was not taken.
"""

from typing import Final

from hardware.player.chain import Chain
from hardware.player.engine import Engine
from hardware.player.units import GLIDE_FRAMES, PERIOD, Block, silence

REFUSED_PERIODS: Final = 8
"""How long it is left alone after the chain had to act: sound near a ceiling."""


class Ahead:
    """The periods that are ready for one output."""

    def __init__(self, engine: Engine, chain: Chain) -> None:
        self._engine, self._chain = engine, chain
        self._mix = silence(GLIDE_FRAMES)
        self._sound = self._mix[:0]
        self._frames = self._at = self._from = self._left_alone = 0

    def take(self, *, usable: bool = True) -> bytes | None:
        """Return the next period as the device gets it, or None if it has to be mixed."""
        if self._engine.commanded or not usable:
            self.drop()
            return None
        if self._at == self._frames and not self._make():
            return None
        self._from = self._at
        self._at = self._at + PERIOD
        return self.sound.tobytes()

    def drop(self) -> None:
        """What was taken was played; what was not never was."""
        if self._at:
            self._engine.pass_over(self._at)
            self._chain.pass_over(self._at)
        self._frames = self._at = self._from = 0

    @property
    def begins(self) -> bool:
        """Whether what was taken last is the first that was made ready: all before it is accounted for."""
        return self._from == 0

    @property
    def mixed(self) -> Block:
        """What was taken last as it was mixed, before the output's chain."""
        return self._mix[self._from : self._at]

    @property
    def sound(self) -> Block:
        """What was taken last as the device gets it."""
        return self._sound[self._from : self._at]

    def _make(self) -> bool:
        self.drop()
        if self._left_alone > 0:
            self._left_alone -= 1
            return False
        frames = self._engine.mix_ahead(self._mix, self._chain.heard_lufs)
        if frames == 0:
            return False
        sound = self._chain.look_ahead(self._mix[:frames])
        if sound is None:
            self._left_alone = REFUSED_PERIODS
            return False
        self._sound, self._frames = sound, frames
        return True
