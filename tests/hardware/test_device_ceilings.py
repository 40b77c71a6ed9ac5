"""Each device under its own ceiling, by name, from when it is opened; any other under the cautious cap."""

from collections.abc import Callable
from pathlib import Path
from typing import cast

import numpy as np
import pytest
from player_rig import noise

from hardware.player import outlet as outlets
from hardware.player.__main__ import parser
from hardware.player.chain import Chain
from hardware.player.client import PlayerConfig
from hardware.player.loudness import LoudnessMeter
from hardware.player.outlet import Outlet, SoundSystem
from hardware.player.portaudio import DeviceLostError
from hardware.player.units import BLOCK, RATE


class FakeStream:
    underruns = 0

    def __init__(self, name: str) -> None:
        self.name = name
        self.lost = False
        self.taken: list[bytes] = []

    def write(self, sound: bytes) -> None:
        if self.lost:
            raise DeviceLostError(self.name, "write", "gone")
        self.taken.append(sound)


class FakeSystem:
    silent = may_find_device = False

    def __init__(self, *names: str) -> None:
        self.names = list(names)

    def open(self, name: str | None, *, anew: bool = False) -> FakeStream:
        return FakeStream(self.names.pop(0))

    def close(self, stream: FakeStream) -> None:
        """Nothing to close."""


def outlet_on(system: FakeSystem, ceiling_lufs: float) -> Outlet:
    report: Callable[[str, str | None], None] = lambda _label, _problem: None  # noqa: E731
    return Outlet(
        "speakers", None, Chain(ceiling_lufs), cast("SoundSystem", system), report, speed=0.0,
        ceilings={"amp": -18.0, "phones": -30.0},
    )  # fmt: skip


def test_a_measured_device_has_its_own_ceiling_and_any_other_the_cautious_one() -> None:
    for name, ceiling in (("amp", -18.0), ("phones", -30.0), ("usb", -23.0)):
        outlet = outlet_on(FakeSystem(name), -23.0)
        assert outlet.chain.ceiling_lufs == ceiling
        outlet.close()


def test_a_device_that_changes_brings_its_ceiling_along(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outlets, "FIRST_RETRY_S", 0.0)
    outlet = outlet_on(FakeSystem("amp", "usb"), -23.0)
    block = np.zeros((BLOCK, 2), dtype=np.float32)
    cast("FakeStream", outlet._stream).lost = True
    for _ in range(20_000):
        outlet.play(outlet.process(block).tobytes())
        if outlet.name == "usb":
            break
    assert outlet.chain.ceiling_lufs == -23.0
    outlet.close()


@pytest.mark.parametrize("ceiling", [-30.0, -20.0])
def test_a_ceiling_that_is_changed_while_it_plays_holds(ceiling: float) -> None:
    chain, meter = Chain(-14.0), LoudnessMeter()
    sound = noise(6.0, 3, rms=0.2)
    chain.ceiling_lufs = ceiling
    for at in range(0, 6 * RATE - BLOCK, BLOCK):
        meter.measure(chain.process(sound[at : at + BLOCK]).copy())
    assert meter.short_term <= ceiling + 0.2


def test_the_ceilings_reach_the_process_by_its_command_line() -> None:
    config = PlayerConfig(Path("/run/p.sock"), ceilings={"USB Audio: - (hw:1,0)": -21.5})
    given = parser().parse_args(config.arguments(0.0)[3:])
    assert given.ceilings == {"USB Audio: - (hw:1,0)": -21.5}
    assert parser().parse_args(PlayerConfig(Path("/run/p.sock")).arguments(0.0)[3:]).ceilings == {}
