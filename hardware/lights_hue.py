"""The Hue driver as others see it: how to open a bridge, find one, and pair with one.

The work is in ``hardware/hue/``. It must never raise because a bridge is away: that is reported as it runs.
"""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final

from controller.errors import UserError
from controller.ports import Clock, FixtureConfig
from hardware.hue.driver import HueLights, HueOptions, LampCheck
from hardware.hue.pairing import FoundBridge, discover, pair
from hardware.hue.store import Credential, CredentialStore, store_in

__all__ = [
    "Credential",
    "CredentialStore",
    "FoundBridge",
    "HueLights",
    "LampCheck",
    "discover",
    "open_lights",
    "pair",
    "store_in",
]

_KINDS: Final = {item.name: type(item.default) for item in fields(HueOptions)}


def open_lights(
    bridge_id: str,
    address: str,
    options: Mapping[str, str | int | float | bool],
    fixtures: Sequence[FixtureConfig],
    store_dir: Path,
    clock: Clock,
) -> HueLights:
    """Return the lamps of the Hue bridge at ``address``: ``host``, ``host:port`` or a URL.

    Raises:
        UserError: an option is unknown or of the wrong kind. A bridge that is away raises nothing.
    """
    values: dict[str, Any] = {}
    for name, value in options.items():
        kind = _KINDS.get(name)
        if kind is None:
            near = get_close_matches(name, _KINDS, n=1)
            hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(_KINDS)}"
            raise UserError(f"bridge {bridge_id}: no option {name!r} ({hint})")
        good = isinstance(value, kind) or (
            kind is float and isinstance(value, int) and not isinstance(value, bool)
        )
        if not good:
            raise UserError(f"bridge {bridge_id}: option {name}: expected {kind.__name__}, found {value!r}")
        values[name] = value
    return HueLights(bridge_id, address, HueOptions(**values), fixtures, store_in(store_dir), clock)
