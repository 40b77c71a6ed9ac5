"""Finding Hue bridges on the local network and pairing with them by their link button.

Blocking; for the command line and, in a thread, the set-up page. It must never ask anybody outside the site's
network, and never pair without a person at the button.
"""

import threading
from dataclasses import dataclass
from typing import Final

from zeroconf import ServiceBrowser, ServiceInfo, ServiceListener, Zeroconf

from controller.errors import DriverError
from hardware.faults import DeviceError, Scope
from hardware.hue.bridge import Endpoint, PinnedBridge, fetch_fingerprint, parse_endpoint
from hardware.hue.store import Credential, CredentialStore

SERVICE: Final = "_hue._tcp.local."
DEVICE_TYPE: Final = "stillroom#controller"


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


def pair(address: str, store: CredentialStore, *, bridge_id: str) -> Credential:
    """Pair with the bridge at ``address`` and keep the credential under the site file's ``bridge_id``.

    An address without a scheme is tried over HTTPS first. The certificate seen now, with a person's hand on
    the button, is the one that is pinned.

    Raises:
        DriverError: the button was not pressed within 30 s (``may_retry``), or the bridge cannot be used.
        UserError: the credential cannot be kept.
    """
    endpoint = find_endpoint(address)
    bridge = PinnedBridge(bridge_id, endpoint, "none")
    try:
        reply = bridge.request("POST", "/api", {"devicetype": DEVICE_TYPE})
        username = _username(bridge_id, reply)
        config = bridge.request("GET", f"/api/{username}/config")
    finally:
        bridge.close()
    hue_id = str(config.get("bridgeid", "")) if isinstance(config, dict) else ""
    credential = Credential(username, str(endpoint), endpoint.pin, hue_id)
    store.save(bridge_id, credential)
    return credential


def find_endpoint(address: str) -> Endpoint:
    """Return how a bridge is to be spoken to: HTTPS with the certificate seen now, else HTTP.

    Raises:
        DriverError: it is no address, or HTTPS was asked for and is not there.
    """
    try:
        endpoint = parse_endpoint(address, None)
    except ValueError as fault:
        raise DeviceError(address, "pair", str(fault), scope=Scope.AWAY, may_retry=False) from fault
    if "//" in address and endpoint.scheme == "http":
        return endpoint
    port = endpoint.port if endpoint.scheme == "https" or ":" in address else 443
    secure = Endpoint("https", endpoint.host, port)
    try:
        return Endpoint("https", endpoint.host, port, fetch_fingerprint(secure))
    except DeviceError:
        if endpoint.scheme == "https":
            raise
        return endpoint


def _username(bridge_id: str, reply: object) -> str:
    items = reply if isinstance(reply, list) else []
    for item in items:
        success = item.get("success") if isinstance(item, dict) else None
        name = success.get("username") if isinstance(success, dict) else None
        if isinstance(name, str) and name:
            return name
    raise DeviceError(bridge_id, "pair", "the bridge gave us no name to use", scope=Scope.AWAY)
