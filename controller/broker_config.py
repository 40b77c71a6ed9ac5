"""Files for Mosquitto as a site's broker: its configuration, its access list and its passwords.

It writes into a folder of ours and never touches the system's. Run again, it keeps the passwords that are
there and makes only what is missing. Who may do what comes from ``core/broker_access.py``; how Mosquitto
must be set for low latency and for losing nothing is docs/mqtt.md's to explain.
"""

import os
import re
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from controller.core.broker_access import (
    SALT_BYTES,
    BrokerRole,
    BrokerUser,
    Grants,
    grants_for,
    hash_password,
    wall_grants,
)
from controller.errors import InvalidFilesError, Problem, UserError

CONF_NAME: Final = "mosquitto.conf"
ACL_NAME: Final = "mosquitto.acl"
PASSWORDS_NAME: Final = "mosquitto.passwd"
CREDENTIALS_NAME: Final = "credentials.txt"
WALL_USER: Final = "wall"
"""The front desk's. No room's user has this name: theirs have a room before and a role behind."""

_LEVEL: Final = re.compile(r"^[A-Za-z0-9_.-]{1,64}$")
_PREFIX: Final = re.compile(r"^[A-Za-z0-9_.-]{1,64}(/[A-Za-z0-9_.-]{1,64}){0,4}$")

_SUFFIXES: Final = {
    BrokerRole.CONTROLLER: "controller",
    BrokerRole.PANEL: "panel",
    BrokerRole.PROMPT_DEVICE: "prompt",
    BrokerRole.VIEWER: "viewer",
    BrokerRole.HOME_AUTOMATION: "home",
}


@dataclass(frozen=True, slots=True)
class BrokerTls:
    """The broker's certificate and key; with ``client_ca_file`` every client must show one that it signed."""

    cert_file: str
    key_file: str
    client_ca_file: str | None = None


@dataclass(frozen=True, slots=True)
class BrokerPlan:
    """What the site wants of its broker.

    Mosquitto keeps what must survive a kill in ``state_folder``: in memory (``/run``), because it writes
    it at every change, and a disk's wait would be every message's wait.
    """

    rooms: tuple[str, ...]
    host: str = "127.0.0.1"
    port: int = 1883
    tls: BrokerTls | None = None
    light_prefixes: tuple[str, ...] = ()
    state_folder: str = "/run/mosquitto"
    run_as: str | None = None


@dataclass(frozen=True, slots=True)
class WrittenBroker:
    """What was written, and the passwords made now: besides here they are in ``credentials`` alone."""

    conf: Path
    acl: Path
    passwords: Path
    credentials: Path
    made: dict[str, str]


def user_name(role: BrokerRole, room: str) -> str:
    """Return the name of a room's user in a role."""
    return f"{room}-{_SUFFIXES[role]}"


def broker_grants(plan: BrokerPlan) -> dict[str, Grants]:
    """Return every user of the site's broker and what each may do."""
    rooms = {
        user_name(role, room): grants_for(role, room, light_prefixes=plan.light_prefixes)
        for room in plan.rooms
        for role in BrokerRole
    }
    return {WALL_USER: wall_grants(), **rooms}


def write_broker_config(folder: Path, plan: BrokerPlan) -> WrittenBroker:
    """Write the files into ``folder``, readable by its owner alone.

    Raises:
        InvalidFilesError: a room's or prefix's name cannot be in a topic.
        UserError: the folder cannot be written.
    """
    _check(plan)
    grants = broker_grants(plan)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        hashes = _read_hashes(folder / PASSWORDS_NAME)
        made = {name: secrets.token_urlsafe(18) for name in grants if name not in hashes}
        for name, password in made.items():
            hashes[name] = hash_password(password, secrets.token_bytes(SALT_BYTES))
        _write(folder / PASSWORDS_NAME, (f"{name}:{hashes[name]}" for name in grants))
        _write(folder / ACL_NAME, _acl_lines(grants))
        _write(folder / CONF_NAME, _conf_lines(folder, plan))
        known = _read_credentials(folder / CREDENTIALS_NAME)
        known.update(made)
        _write(folder / CREDENTIALS_NAME, (f"{name} {known[name]}" for name in grants if name in known))
    except OSError as error:
        raise UserError(f"{error.filename or folder}: cannot be written: {error.strerror or error}") from None
    return WrittenBroker(
        folder / CONF_NAME, folder / ACL_NAME, folder / PASSWORDS_NAME, folder / CREDENTIALS_NAME, made
    )


def read_broker_users(folder: Path, plan: BrokerPlan) -> tuple[BrokerUser, ...]:
    """Return the same users for the embedded broker, when it is opened to a network.

    Raises:
        UserError: there is no password file.
    """
    try:
        hashes = _read_hashes(folder / PASSWORDS_NAME)
    except OSError as error:
        raise UserError(f"{folder / PASSWORDS_NAME}: cannot be read: {error.strerror or error}") from None
    if not hashes:
        raise UserError(f"{folder / PASSWORDS_NAME}: not there yet; `stillroom broker-config` makes it")
    return tuple(
        BrokerUser(name, hashes[name], grants)
        for name, grants in broker_grants(plan).items()
        if name in hashes
    )


def read_password(folder: Path, name: str) -> str:
    """Return a user's own password, for the program that connects as that user.

    Raises:
        UserError: it is not there, or cannot be read.
    """
    path = folder / CREDENTIALS_NAME
    try:
        password = _read_credentials(path).get(name)
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror or error}") from None
    if password is None:
        raise UserError(f"{path}: there is no password of {name}; `stillroom broker-config` makes it")
    return password


def _check(plan: BrokerPlan) -> None:
    problems = [
        Problem(
            "stillroom.yaml",
            None,
            "rooms",
            f"{room!r} cannot be part of an MQTT topic",
            "letters, digits, - _ .",
        )
        for room in plan.rooms
        if not _LEVEL.match(room)
    ]
    problems += [
        Problem("stillroom.yaml", None, "mqtt.light_prefixes", f"{prefix!r} is not a topic's beginning")
        for prefix in plan.light_prefixes
        if not _PREFIX.match(prefix)
    ]
    for key, text in (("mqtt.host", plan.host), ("state_folder", plan.state_folder), *_paths(plan.tls)):
        if not text or not text.isprintable() or (key == "mqtt.host" and " " in text):
            problems.append(Problem("stillroom.yaml", None, key, f"{text!r} cannot stand in a configuration"))
    if problems:
        raise InvalidFilesError(tuple(problems))


def _paths(tls: BrokerTls | None) -> Sequence[tuple[str, str]]:
    if tls is None:
        return ()
    named = [("mqtt.tls.cert_file", tls.cert_file), ("mqtt.tls.key_file", tls.key_file)]
    if tls.client_ca_file is not None:
        named.append(("mqtt.tls.client_ca_file", tls.client_ca_file))
    return named


def _conf_lines(folder: Path, plan: BrokerPlan) -> Iterable[str]:
    yield "# Written by `stillroom broker-config`. Run it again rather than edit this file."
    yield f"listener {plan.port} {plan.host}"
    if plan.tls is not None:
        yield f"certfile {plan.tls.cert_file}"
        yield f"keyfile {plan.tls.key_file}"
        yield "tls_version tlsv1.2"
        if plan.tls.client_ca_file is not None:
            yield f"cafile {plan.tls.client_ca_file}"
            yield "require_certificate true"
            yield "# The certificate's common name is the user: no password is asked for beside it."
            yield "use_identity_as_username true"
    if plan.run_as is not None:
        yield f"user {plan.run_as}"
    yield "allow_anonymous false"
    # With client certificates Mosquitto takes the name from them and looks for no password.
    yield f"password_file {folder / PASSWORDS_NAME}"
    yield f"acl_file {folder / ACL_NAME}"
    yield "# Small messages leave at once: without this each may wait 40 ms."
    yield "set_tcp_nodelay true"
    yield "# What was acknowledged survives a kill."
    yield "persistence true"
    yield f"persistence_location {plan.state_folder.rstrip('/')}/"
    yield "autosave_on_changes true"
    yield "autosave_interval 1"
    yield "persistent_client_expiration 1h"
    yield "# Nobody can fill the broker or keep a dead connection."
    yield "message_size_limit 524288"
    yield "max_queued_messages 200"
    yield "max_inflight_messages 20"
    yield "max_keepalive 120"
    yield "max_connections 500"
    yield "log_dest stderr"
    yield "log_type error"
    yield "log_type warning"
    yield "log_type notice"


def _acl_lines(grants: dict[str, Grants]) -> Iterable[str]:
    yield "# Written by `stillroom broker-config`. Nobody without a name may do anything."
    for name, allowed in grants.items():
        yield ""
        yield f"user {name}"
        both = [topic for topic in allowed.read if topic in allowed.write]
        yield from (f"topic readwrite {topic}" for topic in both)
        yield from (f"topic read {topic}" for topic in allowed.read if topic not in both)
        yield from (f"topic write {topic}" for topic in allowed.write if topic not in both)


def _read_hashes(path: Path) -> dict[str, str]:
    if not path.exists():
        return {}
    pairs = (line.partition(":") for line in path.read_text(encoding="utf-8").splitlines())
    return {name: stored for name, _, stored in pairs if stored.startswith("$7$")}


def _read_credentials(path: Path) -> dict[str, str]:
    if not path.exists():
        return {}
    pairs = (line.partition(" ") for line in path.read_text(encoding="utf-8").splitlines())
    return {name: password for name, _, password in pairs if password}


def _write(path: Path, lines: Iterable[str]) -> None:
    """Replace a file in one step; nobody but its owner ever sees it."""
    beside = path.with_name(path.name + ".new")
    with os.fdopen(
        os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8"
    ) as file:
        file.write("\n".join(lines) + "\n")
    beside.replace(path)
