"""Pairing with Hue bridges by their link button.

Blocking; for the command line and, in a thread, the set-up page. It must never ask anybody outside the site's
network, and never pair without a person at the button.
"""

from typing import Final

from hardware.faults import DeviceError, Scope
from hardware.hue.bridge import Endpoint, PinnedBridge, fetch_fingerprint, parse_endpoint
from hardware.hue.store import Credential, CredentialStore

DEVICE_TYPE: Final = "stillroom#controller"


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
