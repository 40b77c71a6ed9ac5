"""Which sound there is, and the ALSA configuration that goes with it.

PortAudio aborts the whole process when ALSA offers no device at all, so the process never starts it without
a configuration that has at least one. It must never touch the user's own configuration files.
"""

import os
import socket
from pathlib import Path
from typing import Final

SYSTEM_CONFIG: Final = Path("/usr/share/alsa/alsa.conf")
CARDS: Final = Path("/proc/asound/cards")
SILENT: Final = "silent"
CONFIG_VARIABLE: Final = "ALSA_CONFIG_PATH"
_SILENT_PCM: Final = """
pcm.silent {
    type null
    hint { show on description "silent: takes sound and makes none" }
}
"""
_ONLY_SILENT: Final = (
    _SILENT_PCM
    + """
pcm.!default { type plug slave.pcm silent }
ctl.!default { type hw card 0 }
"""
)


def has_sound_device(cards: Path = CARDS) -> bool:
    """Return whether there is a sound card, or a PulseAudio or PipeWire server that answers."""
    return _has_card(cards) or _has_server()


def _has_card(cards: Path) -> bool:
    try:
        return any(line.lstrip()[:1].isdigit() for line in cards.read_text().splitlines())
    except OSError:
        return False


def _has_server() -> bool:
    return any(_answers(path) for path in _server_sockets())


def _server_sockets() -> list[str]:
    named = os.environ.get("PULSE_SERVER", "")
    if named:
        return [part.removeprefix("unix:") for part in named.split() if part.startswith(("unix:", "/"))]
    runtime = os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.getuid()}"
    return [f"{runtime}/pulse/native", "/run/pulse/native"]


def _answers(path: str) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(0.5)
        try:
            probe.connect(path)
        except OSError:
            return False
    return True


def write_config(folder: Path, *, silent: bool, system: Path = SYSTEM_CONFIG) -> Path:
    """Write a configuration with at least one device into ``folder`` and return its path.

    ``silent``: with nothing else in it; otherwise the system's own, and the silent one beside.
    """
    path = folder / ("alsa-silent.conf" if silent else "alsa.conf")
    text = _ONLY_SILENT if silent or not system.is_file() else f"<{system}>\n{_SILENT_PCM}"
    if not path.is_file() or path.read_text() != text:
        path.write_text(text)
    return path
