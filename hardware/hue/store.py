"""Where the credentials of paired bridges are kept: one JSON file, readable by its owner alone.

It must never be phue's file, and never be written by phue.
"""

import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from controller.errors import UserError

FILE_NAME: Final = "hue-credentials.json"


@dataclass(frozen=True, slots=True)
class Credential:
    """What pairing gave us: the user the bridge knows us by, where it was, and its certificate's pin."""

    username: str
    address: str = ""
    pin: str | None = None
    hue_id: str = ""


@dataclass(frozen=True, slots=True)
class CredentialStore:
    """The credentials of all paired bridges, by the site file's bridge id."""

    path: Path

    def load(self, bridge_id: str) -> Credential | None:
        """Return a bridge's credential, or None while it is not paired.

        Raises:
            UserError: the file cannot be read.
        """
        entry = self._read().get(bridge_id)
        if entry is None:
            return None
        username = entry.get("username")
        if not isinstance(username, str) or not username:
            raise UserError(f"{self.path}: {bridge_id}: username: expected a text; pair the bridge again")
        pin = entry.get("pin")
        return Credential(
            username=username,
            address=str(entry.get("address", "")),
            pin=pin if isinstance(pin, str) and pin else None,
            hue_id=str(entry.get("hue_id", "")),
        )

    def save(self, bridge_id: str, credential: Credential) -> None:
        """Keep a bridge's credential; whole or not at all, mode 0600 from its first byte.

        Raises:
            UserError: it cannot be written.
        """
        everything: dict[str, Mapping[str, object]] = dict(self._read())
        everything[bridge_id] = asdict(credential)
        folder = self.path.parent
        try:
            folder.mkdir(parents=True, exist_ok=True)
            # mkstemp makes files of mode 0600.
            handle, name = tempfile.mkstemp(dir=folder, prefix=f".{self.path.name}.")
            try:
                with os.fdopen(handle, "w", encoding="utf-8") as file:
                    json.dump(everything, file, indent=2)
                    file.flush()
                    os.fsync(file.fileno())
                Path(name).replace(self.path)
            except OSError:
                Path(name).unlink(missing_ok=True)
                raise
        except OSError as fault:
            raise UserError(f"{self.path}: cannot keep the bridge's credentials: {fault.strerror}") from fault

    def _read(self) -> dict[str, dict[str, object]]:
        try:
            text = self.path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return {}
        except OSError as fault:
            raise UserError(f"{self.path}: cannot be read: {fault.strerror}") from fault
        try:
            data = json.loads(text)
        except ValueError as fault:
            raise UserError(f"{self.path}: is not JSON: {fault}; pair the bridges again") from fault
        if not isinstance(data, dict):
            raise UserError(f"{self.path}: expected a JSON object; pair the bridges again")
        return {key: value for key, value in data.items() if isinstance(value, dict)}


def store_in(folder: Path) -> CredentialStore:
    """Return the store in a data folder."""
    return CredentialStore(folder / FILE_NAME)
