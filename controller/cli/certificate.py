"""``stillroom make-certificate``: TLS for a clinic that has no certificate of its own."""

import socket
from pathlib import Path
from typing import Annotated

import typer

from controller.daemon.options import default_data_dir


def make_certificate(
    data: Annotated[
        Path | None, typer.Option("--data", help="Folder of the journal, tokens and music.")
    ] = None,
    host: Annotated[
        list[str] | None, typer.Option("--host", help="A name or address tablets use; may be repeated.")
    ] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Make a new one in the place of the old.")
    ] = False,
) -> None:
    """Make a certificate and the authority that signs it; print what the site file needs."""
    from controller.certificates import make_certificate as make  # noqa: PLC0415 - it loads slowly
    from controller.clock import RealClock  # noqa: PLC0415
    from controller.web.authority_calls import fingerprint  # noqa: PLC0415

    hosts = host or [f"{socket.gethostname().split('.')[0].lower()}.local", "localhost", "127.0.0.1"]
    folder = (data or default_data_dir()).resolve()
    files = make(folder, hosts, RealClock().local_time(), replace=replace)
    typer.echo(f"made for {', '.join(hosts)}. In the site file:")
    typer.echo(f'web: {{cert_file: "{files.certificate}", key_file: "{files.key}"}}')
    typer.echo("Tablets install the authority from the page /install-ca. Its SHA-256 fingerprint:")
    typer.echo(fingerprint(files.ca.read_text(encoding="ascii")))
