"""Passwords of lamps' brokers: kept out of the site file, and out of others' reach."""

from pathlib import Path

import pytest

from controller.clock import ManualClock
from controller.errors import UserError
from controller.ports import FixtureConfig
from hardware.lights_mqtt import open_lights
from hardware.secret_source import SecretSource, read_secret


def kept(folder: Path, text: str, mode: int = 0o600) -> str:
    path = folder / "lamps.password"
    path.write_text(text)
    path.chmod(mode)
    return str(path)


def test_a_file_of_its_own_is_read_without_its_line_end(tmp_path: Path) -> None:
    assert read_secret("bridge lamps", SecretSource(file=kept(tmp_path, " se cret \n")), {}) == " se cret "


def test_the_environment_and_systemds_credentials_are_read(tmp_path: Path) -> None:
    (tmp_path / "lamps").write_text("given by systemd\n")
    env = {"LAMPS_PASSWORD": "from outside", "CREDENTIALS_DIRECTORY": str(tmp_path)}
    assert read_secret("b", SecretSource(env="LAMPS_PASSWORD"), env) == "from outside"
    assert read_secret("b", SecretSource(credential="lamps"), env) == "given by systemd"


def test_without_any_there_is_none_and_in_the_site_file_it_still_may_stand() -> None:
    assert read_secret("b", SecretSource(), {}) is None
    assert read_secret("b", SecretSource(plain="x"), {}) == "x"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o660])
def test_a_file_that_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    with pytest.raises(UserError, match=rf"others can read .*lamps.password .*{mode:04o}.* 0600") as told:
        read_secret("bridge lamps", SecretSource(file=kept(tmp_path, "hush", mode)), {})
    assert "hush" not in str(told.value)


@pytest.mark.parametrize(
    ("source", "env", "words"),
    [
        (SecretSource(file="/nowhere/at/all"), {}, "/nowhere/at/all cannot be read: No such file"),
        (SecretSource(file="/"), {}, "password_file: / is not a file"),
        (SecretSource(env="LAMPS"), {}, "password_env: the environment has no LAMPS"),
        (SecretSource(env="LAMPS"), {"LAMPS": ""}, "password_env LAMPS: there is no password in it"),
        (SecretSource(credential="lamps"), {}, "systemd has given no credentials .LoadCredential=lamps:FILE"),
        (SecretSource(credential="../x"), {"CREDENTIALS_DIRECTORY": "/run"}, "'../x' is a path"),
        (SecretSource(credential="no"), {"CREDENTIALS_DIRECTORY": "/run"}, "no cannot be read: No such file"),
        (SecretSource(plain="a", env="B"), {"B": "b"}, "password and password_env: only one of them"),
    ],
)
def test_each_fault_is_one_clear_line(source: SecretSource, env: dict[str, str], words: str) -> None:
    with pytest.raises(UserError, match=words) as told:
        read_secret("bridge lamps", source, env)
    assert str(told.value).startswith("bridge lamps: ")
    assert "\n" not in str(told.value)


def test_an_empty_file_is_no_password(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no password in it"):
        read_secret("b", SecretSource(file=kept(tmp_path, "\n")), {})


def test_the_lamps_link_takes_it_from_there(tmp_path: Path) -> None:
    """The driver hands its options on: a wrong file is said when the bridge is opened, with its name."""
    lamps = (FixtureConfig("f", "lamp"),)

    def opened(**options: str) -> object:
        return open_lights("lamps", "broker.local", options, lamps, tmp_path, ManualClock())

    assert opened(username="room", password_file=kept(tmp_path, "x"))
    with pytest.raises(UserError, match="bridge lamps: password_file: /no/where cannot be read"):
        opened(username="room", password_file="/no/where")
    with pytest.raises(UserError, match="bridge lamps: a password is given, but no username"):
        opened(password_file=kept(tmp_path, "x"))
