"""Brings a calibration together: the room's own player plays noise, a person reads the meter.

It runs while no daemon does: the room's player is its own for the time. It must never begin loudly: the noise
comes up in five seconds, under the cautious cap, and stops by itself.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from controller.calibration import Calibration, measured, save_calibration
from controller.conductor import REFERENCE_LUFS
from controller.daemon.lights import known_drivers
from controller.errors import UserError
from controller.ports import Clock, CrossfadeTo, PlayerEvent, PlayerHealth, PlayerStatus, PlayItem, SetLevel
from controller.sound_meter import CAUTIOUS_K_DB, SILENT_DEVICE
from hardware.player.client import PlayerConfig, PlayerProcess
from hardware.player.process import lock_socket
from playlists.calibration_noise import NOISE_LUFS, render_noise
from profiles.catalogue import load_site
from profiles.site import limits_of

READ_AT_LUFS: Final = -26.0
FADE_MS: Final = 5_000
SETTLED_LU: Final = 0.5
SETTLE_MS: Final = 3_000
FIRST_SOUND_MS: Final = 30_000
LONGEST_MS: Final = 900_000
_STEP_MS: Final = 100
QUIETEST_READ_DBA: Final = 35.0
"""Less is the room's own noise."""
LOUDEST_READ_DBA: Final = 100.0


@dataclass(slots=True)
class _Heard:
    """What the player has said so far."""

    status: PlayerStatus | None = None
    problem: str | None = None
    steady_since_ms: int | None = None

    def take(self, event: PlayerEvent, now_ms: int) -> None:
        if isinstance(event, PlayerHealth):
            self.problem = event.message
        if not isinstance(event, PlayerStatus):
            return
        before, self.status = self.status, event
        near = before is not None and abs(event.loudness_lufs - before.loudness_lufs) <= SETTLED_LU / 2
        if not (near and abs(event.loudness_lufs - READ_AT_LUFS) < 2 * SETTLED_LU and event.device_ok):
            self.steady_since_ms = None
        elif self.steady_since_ms is None:
            self.steady_since_ms = now_ms

    def is_steady(self, now_ms: int) -> bool:
        return self.steady_since_ms is not None and now_ms - self.steady_since_ms >= SETTLE_MS


@dataclass(frozen=True, slots=True)
class CalibrationPlan:
    """What is measured: the player's configuration, and where the result goes."""

    config: PlayerConfig
    data: Path
    noise: Path


def plan_calibration(
    site_file: Path, room_id: str | None, data: Path, *, headphones: bool = False
) -> CalibrationPlan:
    """Return what to measure: a room's speakers, or its headphones.

    Raises:
        UserError: no such room, no such output, or nothing to play on.
    """
    loaded = load_site(site_file, drivers=known_drivers())
    model = loaded.site.rooms[0] if room_id is None else loaded.room(room_id)
    device = model.audio.headphones_output if headphones else model.audio.output
    if headphones and device is None:
        raise UserError(f"room {model.id!r} has no headphones in the site file (audio.headphones_output)")
    ceiling = limits_of(loaded.site, model).ceiling_dba - CAUTIOUS_K_DB
    config = PlayerConfig(
        socket=data / f"player-{model.id}.sock",
        device=device,
        ceiling_lufs=max(ceiling, READ_AT_LUFS + 1.0),
        reference_lufs=REFERENCE_LUFS,
        log=data / f"player-{model.id}.log",
    )
    return CalibrationPlan(config, data, data / "calibration-noise.flac")


@contextmanager
def _free_player(config: PlayerConfig) -> Iterator[None]:
    """Make sure that nobody plays in the room.

    Raises:
        UserError: the room's player runs.
    """
    config.socket.parent.mkdir(parents=True, exist_ok=True)
    lock = lock_socket(config.socket)
    if lock is None:
        raise UserError(
            "the room's player is running: end the session and stop the daemon first, then calibrate"
        )
    lock.close()
    yield


async def calibrate(
    plan: CalibrationPlan, clock: Clock, read_meter: Callable[[str], Awaitable[float]]
) -> Calibration:
    """Play the noise, let ``read_meter`` (told the device's name) read, store the result and return it.

    Raises:
        UserError: nothing can be heard there, the reading cannot be right, or it cannot be stored.
    """
    with _free_player(plan.config):
        await asyncio.to_thread(render_noise, plan.noise)
        player, heard = PlayerProcess(plan.config), _Heard()
        player.send(SetLevel("programme", READ_AT_LUFS - NOISE_LUFS, 0))
        failure: UserError | None = None
        async with asyncio.TaskGroup() as group:
            playing = group.create_task(player.run(lambda event: heard.take(event, clock.now_ms())))
            noise = group.create_task(_play_on(player, plan.noise, clock))
            try:
                result = await _measure(heard, clock, read_meter)
            except UserError as error:
                failure = error
            finally:
                noise.cancel()
                await player.close(stop_player=True)
                playing.cancel()
        if failure is not None:
            raise failure
        await asyncio.to_thread(save_calibration, plan.data, result)
        return result


async def _play_on(player: PlayerProcess, noise: Path, clock: Clock) -> None:
    """Play the noise over and over, each time into itself, for a quarter of an hour at most."""
    item = PlayItem(
        "noise-0", "calibration-noise", str(noise), fade_ms=FADE_MS, start_ms=2_000, end_ms=28_000
    )
    end_ms, count = clock.now_ms() + LONGEST_MS, 0
    while clock.now_ms() < end_ms:
        player.send(CrossfadeTo(replace(item, item_id=f"noise-{count}"), FADE_MS))
        count += 1
        await clock.sleep_until(clock.now_ms() + 20_000)


async def _measure(heard: _Heard, clock: Clock, read_meter: Callable[[str], Awaitable[float]]) -> Calibration:
    end_ms = clock.now_ms() + FIRST_SOUND_MS
    while not heard.is_steady(clock.now_ms()):
        status = heard.status
        if status is not None and status.device == SILENT_DEVICE:
            raise UserError("this machine has no sound device to calibrate")
        if clock.now_ms() > end_ms:
            raise UserError(f"the noise is not heard: {heard.problem or 'the sound device does not play'}")
        await clock.sleep_until(clock.now_ms() + _STEP_MS)
    if heard.status is None:
        raise UserError("the player says nothing")
    reading = await read_meter(heard.status.device)
    if not heard.is_steady(clock.now_ms()):
        raise UserError("the sound did not stay the same while it was read: calibrate again")
    if reading > LOUDEST_READ_DBA:
        raise UserError(f"{reading:g} dB(A) is too loud for a treatment room: turn the amplifier down")
    if reading < QUIETEST_READ_DBA:
        raise UserError(f"{reading:g} dB(A) cannot be told from the room's own noise: turn the amplifier up")
    day = clock.local_time().date().isoformat()
    return measured(heard.status.device, reading, heard.status.loudness_lufs, day)
