"""``stillroom`` and MQTT: the site's broker, a prompt device, the front desk's wall."""

import asyncio
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from controller.broker_config import BrokerTls
from controller.daemon.options import DEMO_SITE
from controller.errors import UserError

SiteOption = Annotated[Path | None, typer.Option(help="Site file; without one the demo site.")]
HostOption = Annotated[str, typer.Option(help="The broker's address.")]
PortOption = Annotated[int, typer.Option(min=1, max=65535, help="The broker's port.")]
UserOption = Annotated[str | None, typer.Option(help="Our user at the broker.")]
PasswordOption = Annotated[
    Path | None, typer.Option("--password-file", help="A file that holds the password and nothing else.")
]


def read_password_file(path: Path | None) -> str | None:
    """Return the password in a file, or None without one. A password is never an argument: others see those.

    Raises:
        UserError: the file cannot be read, or is empty.
    """
    if path is None:
        return None
    try:
        password = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: the password cannot be read: {getattr(error, 'strerror', error)}") from None
    if not password:
        raise UserError(f"{path}: there is no password in it")
    return password


def _broker_tls(cert: Path | None, key: Path | None, client_ca: Path | None) -> BrokerTls | None:
    if cert is not None and key is not None:
        authority = None if client_ca is None else str(client_ca.resolve())
        return BrokerTls(str(cert.resolve()), str(key.resolve()), authority)
    if cert is not None or key is not None or client_ca is not None:
        raise UserError("TLS needs both --tls-cert and --tls-key")
    return None


def broker_config(  # noqa: PLR0913, PLR0917 - each is an option on the command line
    site: SiteOption = None,
    folder: Annotated[Path, typer.Option(help="Where to write; make it the broker's own folder.")] = Path(
        "broker"
    ),
    host: Annotated[str | None, typer.Option("--listen", help="Address the broker listens on.")] = None,
    cert: Annotated[
        Path | None, typer.Option("--tls-cert", help="The broker's certificate; with it TLS.")
    ] = None,
    key: Annotated[Path | None, typer.Option("--tls-key", help="Its key.")] = None,
    client_ca: Annotated[
        Path | None, typer.Option("--client-ca", help="Every client must show a certificate this one signed.")
    ] = None,
    lights: Annotated[
        list[str] | None, typer.Option("--lights", help="Further topics of lamps, by how they begin.")
    ] = None,
    state_folder: Annotated[
        Path | None, typer.Option(help="Where Mosquitto keeps what must survive a kill; memory is best.")
    ] = None,
    run_as: Annotated[
        str | None, typer.Option(help="The user Mosquitto runs as, if started as root.")
    ] = None,
) -> None:
    """Write Mosquitto's configuration, access list and passwords; run again, it keeps the passwords."""
    from controller.broker_config import write_broker_config  # noqa: PLC0415
    from controller.daemon.broker import broker_plan  # noqa: PLC0415
    from controller.daemon.lights import known_drivers  # noqa: PLC0415 - the drivers load slowly
    from profiles.catalogue import load_site  # noqa: PLC0415

    tls = _broker_tls(cert, key, client_ca)
    loaded = load_site(site or DEMO_SITE, drivers=known_drivers())
    plan = broker_plan(
        loaded.site,
        host=host,
        tls=tls,
        more_prefixes=tuple(lights or ()),
        state_folder=state_folder,
        run_as=run_as,
    )
    written = write_broker_config(folder.resolve(), plan)
    for path in (written.conf, written.acl, written.passwords, written.credentials):
        typer.echo(f"wrote {path}")
    typer.echo(f"{len(written.made)} new passwords; each user's is in {written.credentials.name}")
    typer.echo(f"start it: mosquitto -c {written.conf}")
    if loaded.site.mqtt.users_folder is None and loaded.site.mqtt.username is None:
        typer.echo(f"then in the site file: mqtt: {{users_folder: {written.conf.parent}}}")


def prompt_device(  # noqa: PLR0913, PLR0917 - each is an option on the command line
    room: Annotated[str, typer.Option(help="The room whose client it speaks to.")],
    host: HostOption = "127.0.0.1",
    port: PortOption = 1883,
    name: Annotated[str, typer.Option(help="Its own name in the room, never a person's.")] = "prompt-1",
    username: UserOption = None,
    password_file: PasswordOption = None,
    ca_file: Annotated[
        Path | None, typer.Option("--tls-ca", help="Who signed the broker's certificate; with it TLS.")
    ] = None,
    page_port: Annotated[
        int, typer.Option(min=0, max=65535, help="Its page on this machine; 0 shows words in the terminal.")
    ] = 8090,
    recordings: Annotated[Path | None, typer.Option(help="Folder of the clinic's recordings.")] = None,
    data: Annotated[Path | None, typer.Option("--data", help="Folder that keeps what was shown.")] = None,
    speak: Annotated[bool, typer.Option("--speak/--no-speak", help="Speak the words too.")] = True,
) -> None:
    """Show and speak the client's prompts on this machine, until Ctrl-C."""
    from controller.daemon.options import default_data_dir  # noqa: PLC0415
    from hardware.mqtt_link import MqttTls  # noqa: PLC0415
    from hardware.prompt_device import PromptDeviceSettings, main  # noqa: PLC0415

    settings = PromptDeviceSettings(
        room,
        host,
        port,
        name,
        username,
        read_password_file(password_file),
        None if ca_file is None else MqttTls(str(ca_file)),
        state_folder=(data or default_data_dir()) / "prompt-device",
        recordings=recordings,
        page_port=page_port or None,
        speak=speak,
    )
    raise typer.Exit(main(settings))


def wall(
    host: HostOption = "127.0.0.1",
    port: PortOption = 1883,
    username: UserOption = None,
    password_file: PasswordOption = None,
    ca_file: Annotated[
        Path | None, typer.Option("--tls-ca", help="Who signed the broker's certificate; with it TLS.")
    ] = None,
    page_port: Annotated[
        int, typer.Option(min=0, max=65535, help="Its page on this machine; 0 takes any free port.")
    ] = 8081,
) -> None:
    """Show the front desk which rooms are in session, until Ctrl-C. Nothing of any client is on it."""
    from controller.clock import RealClock  # noqa: PLC0415
    from controller.daemon.wall import run_wall  # noqa: PLC0415
    from hardware.mqtt_link import MqttTls  # noqa: PLC0415

    def say(found: int) -> None:
        typer.echo(f"the wall is at http://127.0.0.1:{found}/")

    with suppress(KeyboardInterrupt):
        asyncio.run(
            run_wall(
                RealClock(),
                host,
                port,
                username=username,
                password=read_password_file(password_file),
                tls=None if ca_file is None else MqttTls(str(ca_file)),
                page_port=page_port,
                started=say,
            )
        )
