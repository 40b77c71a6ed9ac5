"""Loudspeakers and headphones on two sound servers, both recorded: each its own trim, mute and faults."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from player_capture import Daemon, PulseSink, Sound, daemon, wait_until
from player_rig import item, write

from controller.ports import CrossfadeTo, PlayerHealth, Route, SetLevel
from hardware.player.client import PlayerConfig
from hardware.player.units import RATE

pytestmark = [
    pytest.mark.real_time,
    pytest.mark.skipif(shutil.which("pulseaudio") is None, reason="needs pulseaudio"),
]
LEVEL = 0.3
SPEAKERS_DB, PHONES_DB = -6.0, -12.0
STEP_BOUND = 1e-2
"""A hard cut is ten times that. Where the recording lost some ms of a fade it is bent; sample for sample
it is proven elsewhere."""
PATIENCE_S = 30.0
Sinks = dict[str, PulseSink]


@pytest.fixture
def place() -> Iterator[Path]:
    """A short path: a Unix socket's name may be 107 bytes long."""
    folder = Path(tempfile.mkdtemp(prefix="two"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def sinks(place: Path) -> Iterator[Sinks]:
    made = {}
    for name in ("speakers", "phones"):
        (place / name).mkdir()
        made[name] = PulseSink(place / name)
        made[name].start()
    yield made
    for sink in made.values():
        sink.kill()


@pytest.fixture
def room(place: Path, sinks: Sinks) -> Iterator[Daemon]:
    """A player that plays a constant to both, settled at its level."""
    alsa = place / "two.conf"
    alsa.write_text(
        "".join(
            f'pcm.{name} {{ type pulse device "room" server "unix:{sink.folder}/native" }}\n'
            for name, sink in sinks.items()
        )
        + "pcm.!default { type null }\nctl.!default { type hw card 0 }\n"
    )
    bed = write(place / "nothing.wav", np.zeros((RATE, 2), dtype=np.float32))
    config = PlayerConfig(
        place / "s",
        bed=Path(bed),
        device="speakers",
        headphones="phones",
        ceiling_lufs=0.0,
        speakers_trim_db=SPEAKERS_DB,
        headphones_trim_db=PHONES_DB,
        environment={"ALSA_CONFIG_PATH": str(alsa), "JACK_NO_START_SERVER": "1"},
    )
    path = write(place / "a.wav", np.full((240 * RATE, 2), LEVEL, dtype=np.float32))
    with daemon(config) as made:
        made.send(SetLevel("programme", 0.0, 0), CrossfadeTo(item("a", path, fade_ms=1000), 4000))
        made.start()
        for name, trim_db in (("speakers", SPEAKERS_DB), ("phones", PHONES_DB)):
            until_level(sinks[name], trim_db)
        yield made


def now(sink: PulseSink) -> float:
    """The largest sample of the last 0.1 s that was recorded."""
    sound = sink.sound()[-RATE // 10 :]
    return float(np.abs(sound).max(initial=0.0))


def until_level(sink: PulseSink, trim_db: float) -> None:
    level = LEVEL * 10 ** (trim_db / 20)
    wait_until(lambda: abs(now(sink) - level) < 1e-4, PATIENCE_S)


def largest_click(sound: Sound) -> float:
    """The largest step between two samples that are heard.

    Where the sink ran dry (a busy machine) is no click of ours: there the samples are nothing at all.
    """
    mono = sound[:, 0].astype(np.float64)
    heard = np.abs(mono) > 1e-7
    both = heard[1:] & heard[:-1]
    return float(np.abs(np.diff(mono))[both].max(initial=0.0))


def healths(room: Daemon) -> list[str | None]:
    return [event.message for event in room.events if isinstance(event, PlayerHealth)]


def test_each_has_its_trim_and_its_mute(room: Daemon, sinks: Sinks) -> None:
    room.send(Route(speakers=True, headphones=False))
    wait_until(lambda: now(sinks["phones"]) == 0.0, PATIENCE_S)
    assert now(sinks["speakers"]) == pytest.approx(LEVEL * 10 ** (SPEAKERS_DB / 20), abs=1e-4)
    room.send(Route(speakers=False, headphones=True))
    until_level(sinks["phones"], PHONES_DB)
    wait_until(lambda: now(sinks["speakers"]) == 0.0, PATIENCE_S)
    for sink in sinks.values():
        assert largest_click(sink.sound()) < STEP_BOUND
    # The speakers never moved while the headphones went: from the first full level to their own mute.
    sound = sinks["speakers"].sound()[:, 0]
    level = LEVEL * 10 ** (SPEAKERS_DB / 20)
    full = np.flatnonzero(np.abs(sound - level) < 1e-5)
    between = sound[full[0] : full[-1]]
    assert np.abs(between[between > 1e-7] - level).max() < 1e-4


@pytest.mark.parametrize(
    ("lost", "other", "label"), [("phones", "speakers", "headphones"), ("speakers", "phones", "speakers")]
)
def test_one_lost_leaves_the_other_unharmed_and_comes_back_gently(
    room: Daemon, sinks: Sinks, lost: str, other: str, label: str
) -> None:
    assert room.status is not None
    pid = room.player.pid
    before = len(sinks[other].sound())
    sinks[lost].kill()
    wait_until(lambda: room.status is not None and not room.status.device_ok, PATIENCE_S)
    wait_until(lambda: any(label in (message or "") for message in healths(room)), PATIENCE_S)
    away = room.status.position_ms
    wait_until(lambda: room.status is not None and room.status.position_ms > away + 1500, PATIENCE_S)
    sinks[lost].start()
    wait_until(lambda: room.status is not None and room.status.device_ok, PATIENCE_S)
    wait_until(lambda: healths(room)[-1] is None, PATIENCE_S)
    until_level(sinks[lost], SPEAKERS_DB if lost == "speakers" else PHONES_DB)
    assert room.player.pid == pid, "the same process"
    assert not [message for message in healths(room) if message is not None and label not in message]
    unharmed = sinks[other].sound()[before:]
    assert largest_click(unharmed) < STEP_BOUND
    level = LEVEL * 10 ** ((SPEAKERS_DB if other == "speakers" else PHONES_DB) / 20)
    heard = unharmed[np.abs(unharmed[:, 0]) > 1e-7, 0]
    assert np.abs(heard - level).max() < 1e-4, "at its own level all the while"
    back = sinks[lost].sound()[:, 0]
    begins = int(np.flatnonzero(np.abs(back) > 1e-7)[0])
    assert largest_click(back[begins:, None]) < STEP_BOUND
    assert np.abs(back[begins : begins + RATE]).max() < 0.45 * np.abs(back).max(), (
        "it comes up in five seconds"
    )
