"""Pairs Hue bridges from the set-up page: fulfils ``controller.bridge_pairing.BridgePairing``.

The certificate seen now, with a person's hand on the button, is pinned; the credential is kept for its owner
alone. The running driver takes it up at its next try, which is made at once.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from controller.bridge_pairing import ButtonNotPressedError, Paired
from controller.daemon.rooms import OpenRoom
from controller.errors import DriverError, RefusedError, UserError
from controller.ports import Clock, Lights
from controller.room_hardware import FoundBridgeFacts
from hardware.hue.introduction import introduce
from hardware.lights_hue import Credential, HueLights, discover, pair, store_in
from profiles.site import BridgeModel, RoomModel

NOT_PRESSED: Final = "(error 101)"
IN_USE_MS: Final = 4_000
STEP_MS: Final = 100


@dataclass(frozen=True, slots=True)
class SitePairing:
    """All rooms' bridges."""

    rooms: Mapping[str, OpenRoom]
    models: Mapping[str, RoomModel]
    data: Path
    clock: Clock

    async def find(self) -> tuple[FoundBridgeFacts, ...]:
        """Listen for bridges for three seconds."""
        found = await asyncio.to_thread(discover)
        return tuple(FoundBridgeFacts(one.hue_id, one.address, one.model) for one in found)

    async def pair(self, room: str, bridge: str, address: str | None, *, replace: bool) -> Paired:
        """Try once to pair; see ``BridgePairing.pair``."""
        model, driver = self._bridge(room, bridge)
        kept = await asyncio.to_thread(self._kept, bridge)
        target = _target(model, address, kept)
        who = await asyncio.to_thread(introduce, target)
        if kept is not None and kept.hue_id and kept.hue_id.upper() != who.hue_id and not replace:
            raise RefusedError(
                "other_bridge",
                f"the bridge at {target} is {who.hue_id}; {bridge} has been {kept.hue_id.upper()} until now",
            )
        try:
            made = await asyncio.to_thread(pair, target, store_in(self.data), bridge_id=bridge)
        except DriverError as error:
            if NOT_PRESSED in str(error):
                raise ButtonNotPressedError(str(error)) from None
            raise
        return Paired(bridge, made.address, made.hue_id or who.hue_id, made.pin, await self._in_use(driver))

    def _bridge(self, room: str, bridge: str) -> tuple[BridgeModel, Lights]:
        models = self.models[room].bridges
        for model, driver in zip(models, self.rooms[room].lights.drivers, strict=True):
            if model.id == bridge:
                if model.driver != "hue":
                    raise RefusedError(
                        "not_paired", f"{bridge} is driven by {model.driver}: it is not paired"
                    )
                if model.options.get("username"):
                    raise RefusedError("not_paired", f"the site file names {bridge}'s username: take it out")
                return model, driver
        raise RefusedError("unknown_bridge", f"there is no bridge {bridge[:60]!r} in this room")

    def _kept(self, bridge: str) -> Credential | None:
        try:
            return store_in(self.data).load(bridge)
        except UserError:
            return None  # pairing anew is what its message asks for; the store says so if that fails too

    async def _in_use(self, driver: Lights) -> bool:
        """Let the driver try at once, and wait for it a little."""
        if not isinstance(driver, HueLights):
            return False
        end_ms = self.clock.now_ms() + IN_USE_MS * self.clock.speed
        driver.recheck()
        while driver.lane_state().away and self.clock.now_ms() < end_ms:
            await self.clock.sleep_until(self.clock.now_ms() + STEP_MS * self.clock.speed)
        return not driver.lane_state().away


def _target(model: BridgeModel, address: str | None, kept: Credential | None) -> str:
    """Return where to pair: where the site file says, if it says anything, for the driver will go there."""
    if model.address and address and _host(model.address) != _host(address):
        raise RefusedError(
            "other_address",
            f"the site file says that {model.id} is at {model.address}: pair there, or change the site file",
        )
    target = model.address or address or (kept.address if kept is not None else None)
    if not target:
        raise RefusedError("no_address", "choose a bridge that was found, or type its address")
    return target


def _host(address: str) -> tuple[str, int | None]:
    """Return host and port of an address; the port only where it is none of the usual two."""
    try:
        parts = urlsplit(address if "//" in address else f"//{address}")
        port = parts.port
    except ValueError:
        return address, None
    return parts.hostname or "", None if port in (80, 443) else port
