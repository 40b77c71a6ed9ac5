"""A password that stands in no site file: from a file of its own, the environment, or systemd's credentials.

It never lets a file be used that others on the machine can read, and never says a word of what is in it.
"""

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from controller.errors import UserError


@dataclass(frozen=True, slots=True)
class SecretSource:
    """Where a password is. At most one of them is given; empty means it is not there.

    ``file`` is a path; ``env`` a variable of the environment; ``credential`` one of systemd's, by the name
    after ``LoadCredential=``. ``plain`` is the password itself, as the site file may still have it.
    """

    plain: str = ""
    file: str = ""
    env: str = ""
    credential: str = ""


def read_secret(where: str, source: SecretSource, environ: Mapping[str, str] | None = None) -> str | None:
    """Return the password, or None where none is named. ``environ`` stands for the process's environment.

    Raises:
        UserError: two are named, or the one named is not there, empty, or open to others; one clear line.
    """
    env = os.environ if environ is None else environ
    named = {
        "password": source.plain,
        "password_file": source.file,
        "password_env": source.env,
        "password_credential": source.credential,
    }
    given = [name for name, value in named.items() if value]
    if len(given) > 1:
        raise UserError(f"{where}: {' and '.join(given)}: only one of them may be given")
    if source.plain:
        return source.plain
    if source.file:
        return _filled(f"{where}: password_file", _private(where, Path(source.file)))
    if source.env:
        if source.env not in env:
            raise UserError(f"{where}: password_env: the environment has no {source.env}")
        return _filled(f"{where}: password_env {source.env}", env[source.env])
    if source.credential:
        return _filled(f"{where}: password_credential", _credential(where, source.credential, env))
    return None


def _private(where: str, path: Path) -> str:
    try:
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode):
            raise UserError(f"{where}: password_file: {path} is not a file")
        if mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise UserError(
                f"{where}: password_file: others can read {path} (mode {stat.S_IMODE(mode):04o}): "
                "it has to be 0600"
            )
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not text"
        raise UserError(f"{where}: password_file: {path} cannot be read: {reason}") from None


def _credential(where: str, name: str, env: Mapping[str, str]) -> str:
    folder = env.get("CREDENTIALS_DIRECTORY", "")
    if not folder:
        raise UserError(
            f"{where}: password_credential: systemd has given no credentials (LoadCredential={name}:FILE in "
            "the unit)"
        )
    if "/" in name or name in (".", ".."):
        raise UserError(f"{where}: password_credential: {name!r} is a path; expected a credential's name")
    try:  # systemd itself sees to it that nobody else can read it
        return (Path(folder) / name).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not text"
        raise UserError(f"{where}: password_credential: {name} cannot be read: {reason}") from None


def _filled(where: str, text: str) -> str:
    # One line, as editors and `echo` leave it: its line end is not part of the password.
    password = text.removesuffix("\n").removesuffix("\r")
    if not password:
        raise UserError(f"{where}: there is no password in it")
    return password
