"""Finding Hue bridges on the local network by mDNS.

Blocking. It must never ask anybody outside the site's network. Read in only when somebody looks for a bridge:
zeroconf takes time that no start of the daemon should pay for.
"""

import threading
from dataclasses import dataclass
from typing import Final

from zeroconf import ServiceBrowser, ServiceInfo, ServiceListener, Zeroconf

from controller.errors import DriverError

SERVICE: Final = "_hue._tcp.local."


@dataclass(frozen=True, slots=True)
class FoundBridge:
    """A bridge that announced itself."""

    hue_id: str
    host: str
    port: int
    model: str

    @property
    def address(self) -> str:
        """The address as the site file has it."""
        return f"https://{self.host}:{self.port}" if self.port == 443 else f"{self.host}:{self.port}"


class _Listener(ServiceListener):
    """Gathers announcements; called on zeroconf's own thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._found: dict[str, FoundBridge] = {}

    def add_service(self, zc: Zeroconf, type_: str, name: str) -> None:
        info = zc.get_service_info(type_, name, timeout=1000)
        found = None if info is None else read_announcement(info)
        if found is not None:
            with self._lock:
                self._found[found.hue_id or found.host] = found

    def update_service(self, zc: Zeroconf, type_: str, name: str) -> None:
        self.add_service(zc, type_, name)

    def remove_service(self, zc: Zeroconf, type_: str, name: str) -> None:
        """A bridge that says goodbye while we look is still worth showing."""

    def found(self) -> tuple[FoundBridge, ...]:
        with self._lock:
            return tuple(sorted(self._found.values(), key=lambda bridge: (bridge.hue_id, bridge.host)))


def read_announcement(info: ServiceInfo) -> FoundBridge | None:
    """Return what an mDNS announcement says of a bridge; None if it names no address."""
    addresses = info.parsed_addresses()
    if not addresses or not info.port:
        return None
    address = next((a for a in addresses if ":" not in a), addresses[0])
    texts = {key.decode("utf-8", "replace"): value for key, value in info.properties.items()}
    return FoundBridge(
        hue_id=(texts.get("bridgeid") or b"").decode("utf-8", "replace").upper(),
        host=f"[{address}]" if ":" in address else address,
        port=info.port,
        model=(texts.get("modelid") or b"").decode("utf-8", "replace"),
    )


def discover(timeout_s: float = 3.0) -> tuple[FoundBridge, ...]:
    """Listen for bridges for ``timeout_s`` seconds.

    Raises:
        DriverError: this machine has no network to listen on.
    """
    try:
        zeroconf = Zeroconf()
    except OSError as fault:
        raise DriverError("mDNS", "discover", f"cannot listen: {fault.strerror}", may_retry=True) from fault
    try:
        listener = _Listener()
        ServiceBrowser(zeroconf, SERVICE, listener)
        threading.Event().wait(timeout_s)
        return listener.found()
    finally:
        zeroconf.close()
