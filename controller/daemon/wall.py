"""``stillroom wall``: rooms of any broker on one page for the front desk's own machine. It only listens."""

import asyncio
from collections.abc import Callable
from secrets import token_hex

from controller.ports import Clock
from controller.wall import WallBoard
from controller.web.serving import serve
from controller.web.wall_calls import LOOPBACK, create_wall_app
from hardware.mqtt_link import MqttLink, MqttSettings, MqttTls


async def run_wall(
    clock: Clock,
    host: str,
    port: int,
    *,
    username: str | None = None,
    password: str | None = None,
    tls: MqttTls | None = None,
    page_port: int = 8081,
    started: Callable[[int], None] | None = None,
) -> None:
    """Show the wall until cancelled. A broker that is away is said on the page.

    Raises:
        UserError: the page's port is taken, or a TLS file cannot be read.
    """
    # No session is kept at the broker: all we want is retained or comes within seconds.
    settings = MqttSettings(
        host, port, f"stillroom-wall-{token_hex(6)}", username, password, tls, session_expiry_s=0
    )
    link = MqttLink(clock, settings)
    board = WallBoard(clock)
    board.listen(link)
    app = create_wall_app(board.lines, lambda: link.health, clock)
    async with asyncio.TaskGroup() as group:
        group.create_task(link.run())
        group.create_task(serve(app, LOOPBACK[0], page_port, started=started))
