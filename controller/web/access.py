"""Who may: the pairing PIN, the roles, and the tokens that tablets carry.

A token is 256 random bits; the store keeps only its SHA-256, so a stolen file opens nothing. This module
must never write a token or the PIN anywhere, and never let a role do what is not in ``POWERS``.
"""

import hashlib
import ipaddress
import json
import os
import secrets
import unicodedata
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from fcntl import LOCK_EX, flock
from pathlib import Path
from typing import Final

from controller.errors import StillroomError, UserError
from controller.ports import Clock

STORE_FILE: Final = "access.json"
MAX_NAME: Final = 40

FREE_TRIES: Final = 5
"""Wrong PINs a client may enter before it has to wait."""
FREE_TRIES_GLOBAL: Final = 25
"""Wrong PINs from everywhere before everybody has to wait: against one who changes addresses."""
FIRST_WAIT_MS: Final = 30_000
LONGEST_WAIT_MS: Final = 900_000
FORGET_AFTER_MS: Final = 3_600_000
"""An hour after the last wrong PIN a client starts anew."""


class Role(StrEnum):
    """What a device is for."""

    THERAPIST = "therapist"
    DESIGNER = "designer"
    INSTALLER = "installer"
    DISPLAY = "display"


class Power(StrEnum):
    """What a call needs."""

    SEE = "see"
    CONTROL = "control"
    PREPARE = "prepare"
    REPORT = "report"
    DESIGN = "design"
    INSTALL = "install"
    SHOW_PROMPTS = "show_prompts"
    WALL = "wall"


POWERS: Final[Mapping[Role, frozenset[Power]]] = {
    Role.THERAPIST: frozenset(
        {Power.SEE, Power.CONTROL, Power.PREPARE, Power.REPORT, Power.SHOW_PROMPTS, Power.WALL}
    ),
    Role.DESIGNER: frozenset({Power.SEE, Power.DESIGN}),
    Role.INSTALLER: frozenset({Power.SEE, Power.INSTALL}),
    Role.DISPLAY: frozenset({Power.SHOW_PROMPTS, Power.WALL}),
}

UNNAMED: Final[Mapping[Role, str]] = {
    Role.THERAPIST: "tablet",
    Role.DESIGNER: "desk",
    Role.INSTALLER: "laptop",
    Role.DISPLAY: "screen",
}
"""What a device is called that was given no name."""

PAIRED_BY_PIN: Final = frozenset({Role.THERAPIST, Role.DESIGNER, Role.DISPLAY})
"""Roles the PIN gives. An installer can shut others out, so that takes the command line."""


@dataclass(frozen=True, slots=True)
class Grant:
    """One paired device: its role and the device's name (never a person's)."""

    token_id: str
    role: Role
    name: str
    sha256: str
    created_at_ms: int

    def may(self, power: Power) -> bool:
        """Say whether the role has this power."""
        return power in POWERS[self.role]

    @property
    def by(self) -> str:
        """Who a command comes from, as the journal names it."""
        return f"{self.role}:{self.name}"


class PinRefusedError(StillroomError):
    """A PIN was wrong, or came too soon after wrong ones (``wait_ms`` is then more than 0)."""

    def __init__(self, sentence: str, wait_ms: int = 0, **fields: str | int) -> None:
        super().__init__(sentence.format(**fields))
        self.wait_ms = wait_ms
        self.sentence = sentence
        self.fields = fields


@dataclass(slots=True)
class _Tries:
    wrong: int = 0
    last_ms: int = 0
    blocked_until_ms: int = 0

    def count(self, now_ms: int, free: int) -> None:
        self.wrong += 1
        self.last_ms = now_ms
        if self.wrong >= free:
            wait = min(FIRST_WAIT_MS * 2 ** min(self.wrong - free, 10), LONGEST_WAIT_MS)
            self.blocked_until_ms = now_ms + wait

    def is_old(self, now_ms: int) -> bool:
        return now_ms - self.last_ms > FORGET_AFTER_MS


def _client_key(address: str) -> str:
    """One IPv6 user has a whole /64 of addresses: they count as one."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is None:
        return str(ipaddress.ip_network((parsed, 64), strict=False))
    return str(parsed)


class PinGuard:
    """The PIN and its patience. Waits are counted in real time, whatever the room's speed."""

    def __init__(self, clock: Clock, pin: str | None = None) -> None:
        self._clock = clock
        self._pin = pin or new_pin()
        self._clients: dict[str, _Tries] = {}
        self._everybody = _Tries()

    @property
    def pin(self) -> str:
        """Six digits, for the room's own screen only."""
        return self._pin

    def renew(self) -> str:
        """Make a new PIN; the old one opens nothing any more."""
        self._pin = new_pin()
        return self._pin

    def check(self, pin: str, client: str) -> None:
        """Accept the PIN.

        Raises:
            PinRefusedError: it is wrong, or the client has to wait; a right PIN does not shorten the wait.
        """
        now_ms = self._clock.now_ms() // self._clock.speed
        self._forget_old(now_ms)
        key = _client_key(client)
        tries = self._clients.get(key) or _Tries()
        wait_ms = max(tries.blocked_until_ms, self._everybody.blocked_until_ms) - now_ms
        if wait_ms > 0:
            raise PinRefusedError("too many wrong PINs; wait {n} s", wait_ms, n=-(-wait_ms // 1000))
        if secrets.compare_digest(pin.encode(), self._pin.encode()):
            self._clients.pop(key, None)
            return
        tries.count(now_ms, FREE_TRIES)
        self._clients[key] = tries
        self._everybody.count(now_ms, FREE_TRIES_GLOBAL)
        raise PinRefusedError("wrong PIN")

    def _forget_old(self, now_ms: int) -> None:
        for key in [key for key, tries in self._clients.items() if tries.is_old(now_ms)]:
            del self._clients[key]
        if self._everybody.is_old(now_ms):
            self._everybody = _Tries()


def new_pin() -> str:
    """Return six random digits."""
    return f"{secrets.randbelow(1_000_000):06d}"


def clean_name(name: str) -> str:
    """Return a device's name without control characters, in one line of at most 40."""
    kept = "".join(ch if unicodedata.category(ch)[0] != "C" else " " for ch in name)
    return " ".join(kept.split())[:MAX_NAME]


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


class TokenStore:
    """The paired devices, in one file of mode 0600 that is replaced whole.

    Several processes may hold it open (the daemon and ``stillroom token``): writers take a lock, readers
    notice a newer file by its status alone.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp: tuple[int, int] | None = None
        self._grants: dict[str, Grant] = {}
        self.reload()

    def reload(self) -> None:
        """Read the file if it changed.

        Raises:
            UserError: the file cannot be read; nobody is then let in by guess.
        """
        try:
            status = self._path.stat()
            stamp = (status.st_mtime_ns, status.st_ino)
            if stamp == self._stamp:
                return
            found = json.loads(self._path.read_text(encoding="utf-8"))
            grants = [Grant(**{**entry, "role": Role(entry["role"])}) for entry in found["tokens"]]
        except FileNotFoundError:
            self._stamp, self._grants = None, {}
            return
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise UserError(f"{self._path}: the paired devices cannot be read: {error}") from None
        self._stamp, self._grants = stamp, {grant.sha256: grant for grant in grants}

    def find(self, token: str) -> Grant | None:
        """Return the token's grant, if it has one. Found by its hash: timing tells nothing of the token."""
        return self._grants.get(_hash(token))

    def holds(self, grant: Grant) -> bool:
        """Say whether a grant still stands."""
        return grant.sha256 in self._grants

    def all(self) -> tuple[Grant, ...]:
        """Every grant, oldest first."""
        return tuple(sorted(self._grants.values(), key=lambda grant: grant.created_at_ms))

    def add(self, grant: Grant) -> None:
        """Store a grant."""
        with self._writing():
            self._grants[grant.sha256] = grant

    def remove(self, token_id: str) -> bool:
        """Take a grant back; say whether there was one."""
        with self._writing():
            kept = {key: grant for key, grant in self._grants.items() if grant.token_id != token_id}
            found = len(kept) < len(self._grants)
            self._grants = kept
        return found

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            lock = os.open(self._path.with_name(self._path.name + ".lock"), os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise UserError(f"{self._path}: cannot be written: {error.strerror or error}") from None
        try:
            flock(lock, LOCK_EX)
            self.reload()
            yield
            self._write()
        except OSError as error:
            raise UserError(f"{self._path}: cannot be written: {error.strerror or error}") from None
        finally:
            os.close(lock)

    def _write(self) -> None:
        text = json.dumps({"version": 1, "tokens": [asdict(grant) for grant in self.all()]}, indent=1)
        beside = self._path.with_name(self._path.name + ".new")
        with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        beside.chmod(0o600)
        beside.replace(self._path)
        status = self._path.stat()
        self._stamp = (status.st_mtime_ns, status.st_ino)


class Access:
    """The door: pairing, tokens, and what a token may do."""

    def __init__(self, data_dir: Path, clock: Clock, pin: str | None = None) -> None:
        self._clock = clock
        self._store = TokenStore(data_dir / STORE_FILE)
        self.guard = PinGuard(clock, pin)
        self._seen: dict[str, int] = {}
        self.problem: str | None = None
        """One line while the store's file cannot be read; those let in before stay in."""

    @property
    def pin(self) -> str:
        """The PIN to show on the room's own screen or terminal."""
        return self.guard.pin

    def pair(self, pin: str, name: str, client: str, role: Role = Role.THERAPIST) -> tuple[str, Grant]:
        """Return a new device's token for a right PIN.

        Raises:
            PinRefusedError: the PIN is wrong, has to wait, or does not give this role.
            UserError: the store cannot be written.
        """
        self.guard.check(pin, client)
        if role not in PAIRED_BY_PIN:
            raise PinRefusedError(
                "the PIN does not give the role {role}; use `stillroom token --role {role}`", role=str(role)
            )
        return self._issue(role, name)

    def issue_token(self, role: Role | str, name: str) -> str:
        """Return a new token for a role; for the command line, which needs no PIN.

        Raises:
            UserError: there is no such role, or the store cannot be written.
        """
        try:
            known = Role(role)
        except ValueError:
            roles = ", ".join(Role)
            raise UserError(f"role: expected one of {roles}, not {str(role)!r}") from None
        return self._issue(known, name)[0]

    def _issue(self, role: Role, name: str) -> tuple[str, Grant]:
        token = secrets.token_urlsafe(32)
        grant = Grant(
            token_id=secrets.token_hex(6),
            role=role,
            name=clean_name(name) or UNNAMED[role],
            sha256=_hash(token),
            created_at_ms=self._clock.now_ms(),
        )
        self._store.add(grant)
        return token, grant

    def grant_of(self, token: str | None) -> Grant | None:
        """Return what a token gives, or None. Sees tokens that another process made or took back."""
        if not token or len(token) > 200:
            return None
        self._refresh()
        grant = self._store.find(token)
        if grant is not None:
            self._seen[grant.token_id] = self._clock.now_ms()
        return grant

    def count_lately(self, role: Role, within_ms: int) -> int:
        """How many paired devices of a role have been heard of within so many real ms."""
        since_ms = self._clock.now_ms() - within_ms * self._clock.speed
        seen = [grant for grant in self._store.all() if self._seen.get(grant.token_id, -1) >= since_ms]
        return sum(grant.role is role for grant in seen)

    def stands(self, grant: Grant) -> bool:
        """Say whether a grant has not been taken back."""
        self._refresh()
        return self._store.holds(grant)

    def devices(self) -> tuple[Grant, ...]:
        """Every paired device, oldest first, without what opens the door."""
        self._refresh()
        return tuple(replace(grant, sha256="") for grant in self._store.all())

    def revoke(self, token_id: str) -> bool:
        """Take a device's token back, at once and for good; say whether there was one."""
        return self._store.remove(token_id)

    def _refresh(self) -> None:
        try:
            self._store.reload()
        except UserError as error:
            self.problem = str(error)
        else:
            self.problem = None
