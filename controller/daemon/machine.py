"""This machine, for the room check: is its clock set by the network, has its disk room, its certificate.

It only reads. What cannot be told is None, never a guess.
"""

import asyncio
import ctypes
import shutil
from pathlib import Path
from typing import Final

from controller.certificates import read_validity
from controller.errors import UserError
from controller.ports import Clock
from controller.room_hardware import CertificateFacts, MachineFacts

TIME_ERROR: Final = 5
"""What the kernel answers while no time server has set the clock (adjtimex(2))."""
_TIMEX_BYTES: Final = 512
"""More than a ``struct timex`` on any Linux; with its first field 0 nothing is changed."""


def clock_is_synchronised() -> bool | None:
    """Return whether the kernel counts its clock as set by a time server; None where it does not say."""
    try:
        state = ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.create_string_buffer(_TIMEX_BYTES))
    except (OSError, AttributeError):
        return None
    return None if state < 0 else state != TIME_ERROR


async def machine_facts(
    data: Path, certificate: Path | None, clock: Clock, clock_problem: str | None
) -> MachineFacts:
    """Return what there is to know of this machine. ``certificate``: what tablets are shown, if anything."""
    usage = await asyncio.to_thread(shutil.disk_usage, data)
    now = clock.local_time()
    found, problem = None, None
    if certificate is not None:
        try:
            made, until = await asyncio.to_thread(read_validity, certificate)
            found = CertificateFacts(
                made.date().isoformat(), until.date().isoformat(), (until - now.astimezone(until.tzinfo)).days
            )
        except UserError as error:
            problem = str(error)
    return MachineFacts(
        local_time=f"{now:%Y-%m-%d %H:%M}",
        clock_synchronised=clock_is_synchronised(),
        clock_problem=clock_problem,
        disk_free_bytes=usage.free,
        disk_total_bytes=usage.total,
        certificate=found,
        certificate_problem=problem,
    )
