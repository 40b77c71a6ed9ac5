"""The rooms' doors: the tablets' web app, MQTT with its broker. One that cannot open is said.

They open in two steps: what takes a command first, then the pages and an embedded broker, which are read in
beside the rooms at work (docs/decisions/0020-two-steps-to-start.md).
"""

# What the second step needs is read in by it: no command waits for that.
# ruff: noqa: PLC0415

import asyncio
import socket
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from controller.api import Rooms
from controller.broker_config import broker_grants, read_broker_users, read_password, user_name
from controller.core.broker_access import BrokerRole
from controller.daemon.broker import broker_plan
from controller.daemon.options import RunOptions
from controller.daemon.rooms import SiteParts, tap_path
from controller.errors import StillroomError, UserError
from controller.mqtt_api import MqttApi, MqttPrompts
from controller.mqtt_homeassistant import Discovery
from controller.mqtt_topics import will_for
from controller.ports import Prompts
from controller.running_daemon import announce
from controller.web.access import Access, Role
from controller.web.early_door import App, EarlyDoor, Life
from controller.web.screens import PromptScreen
from controller.web.serving import Tls, bind, serve
from hardware.mqtt_link import MqttLink, MqttSettings
from hardware.mqtt_socket import MqttTls
from profiles.catalogue import LoadedSite

if TYPE_CHECKING:
    from controller.bookings import Bookings
    from controller.room_hardware import BrokerFacts, TabletFacts
    from controller.web.drawing import Drawing
    from controller.web.fitting import Fitting
    from hardware.broker_embedded import EmbeddedBroker

RETRY_MS = 5_000
SEEN_LATELY_MS = 600_000


def check_port(host: str, port: int) -> None:
    """Find out early whether we can serve there.

    Raises:
        PortInUseError: another program has the port.
        UserError: the address is none of this machine's.
    """
    if port:
        bind(host, port).close()


class Doors:
    """Web app, MQTT links and, where no broker is named, the broker itself."""

    def __init__(self, shared: SiteParts, loaded: LoadedSite, options: RunOptions) -> None:
        self._shared, self._loaded, self._options = shared, loaded, options
        self._drawing: Drawing | None = None
        mqtt = loaded.site.mqtt
        self._mqtt_port = options.mqtt_port if options.mqtt_port is not None else mqtt.port
        self._access = Access(shared.data, shared.clock)
        self._served = asyncio.Event()
        self._port = 0
        self._links: dict[str, MqttLink] = {}
        self._api: MqttApi | None = None
        self._fitting: Fitting | None = None
        self._early: EarlyDoor | None = None

    @property
    def pin(self) -> str:
        """The PIN that pairs a tablet."""
        return self._access.pin

    @property
    def address(self) -> str:
        """Where tablets connect."""
        web = self._loaded.site.web
        scheme = "http" if web.cert_file is None else "https"
        return f"{scheme}://{_own_address() if web.host in ('0.0.0.0', '::') else web.host}:{self._port}/"  # noqa: S104

    @property
    def certificate(self) -> Path | None:
        """The certificate that tablets are shown, if they are shown one."""
        file = self._loaded.site.web.cert_file
        return None if file is None else self._loaded.resolve(file)

    def fit(self, drawing: "Drawing", fitting: "Fitting") -> None:
        """Take the designer's desks and the rooms' hardware, for the pages that draw, set up and check."""
        self._drawing, self._fitting = drawing, fitting

    def tablet_facts(self) -> "TabletFacts":
        """Return how many tablets and displays are paired and were heard of lately."""
        from controller.room_hardware import TabletFacts

        paired = sum(grant.role is Role.THERAPIST for grant in self._access.devices())
        seen, shown = (
            self._access.count_lately(role, SEEN_LATELY_MS) for role in (Role.THERAPIST, Role.DISPLAY)
        )
        return TabletFacts(paired, seen, shown)

    def broker_facts(self, room: str) -> "BrokerFacts":
        """Return how a room finds its broker; names only, no passwords."""
        from controller.room_hardware import BrokerFacts, PromptDeviceFacts

        mqtt, link = self._loaded.site.mqtt, self._link(room)
        host = mqtt.host or _reachable(mqtt.listen)
        users = None
        if mqtt.users_folder is not None:
            users = tuple(broker_grants(broker_plan(self._loaded.site)))
        devices = () if self._api is None else self._api.prompt_devices(room)
        return BrokerFacts(
            address=f"{host}:{self._mqtt_port}",
            embedded=mqtt.host is None,
            encrypted=mqtt.tls is not None,
            up=link.up,
            problem=link.health,
            users=users,
            devices=tuple(PromptDeviceFacts(name, online) for name, online in devices),
        )

    def mqtt_prompts(self, room: str) -> Prompts:
        """Return a room's way to send prompts over MQTT."""
        return MqttPrompts(self._link(room), room)

    def prompt_device_present(self, room: str) -> bool:
        """Whether a prompt device in a room can be reached now."""
        return self._api is not None and self._api.prompt_device_present(room)

    def _link(self, room: str) -> MqttLink:
        if room not in self._links:
            mqtt, resolve = self._loaded.site.mqtt, self._loaded.resolve
            tls = None
            if mqtt.tls is not None:
                cert, key = mqtt.tls.cert_file, mqtt.tls.key_file
                tls = MqttTls(
                    str(resolve(mqtt.tls.ca_file)),
                    None if cert is None else str(resolve(cert)),
                    None if key is None else str(resolve(key)),
                )
            username = mqtt.username
            password = _secret(None if mqtt.password_file is None else resolve(mqtt.password_file))
            if mqtt.users_folder is not None and username is None:
                # Each room is a user of its own: whoever holds one room's password holds no other room.
                username = user_name(BrokerRole.CONTROLLER, room)
                password = read_password(resolve(mqtt.users_folder), username)
            settings = MqttSettings(
                host=mqtt.host or _reachable(mqtt.listen),
                port=self._mqtt_port,
                client_id=f"stillroom-{self._loaded.site.site}-{room}",
                username=username,
                password=password,
                tls=tls,
            )
            self._links[room] = MqttLink(self._shared.clock, settings, will_for(room))
        return self._links[room]

    async def open(
        self,
        group: asyncio.TaskGroup,
        rooms: Rooms,
        health: Callable[[], tuple[str, ...]],
        report: Callable[[str, str | None], None],
    ) -> None:
        """Open what takes commands; returns once the web door listens.

        Raises:
            UserError: the web app cannot be served where the site says.
        """
        web, resolve = self._loaded.site.web, self._loaded.resolve
        tls = None
        if web.cert_file is not None and web.key_file is not None:
            tls = Tls(resolve(web.cert_file), resolve(web.key_file))
        self._early = EarlyDoor(rooms, self._access, health)
        port = self._options.port if self._options.port is not None else web.port
        group.create_task(serve(self._early, web.host, port, tls=tls, started=self._listening))
        links = {room: self._link(room) for room in rooms}
        discovery = Discovery(self._loaded.site.mqtt.discovery)
        self._api = MqttApi(links, rooms, self._shared.clock, discovery=discovery, report=report)
        if self._loaded.site.mqtt.host is not None:
            group.create_task(self._run_on(self._api))
        await self._served.wait()

    async def open_rest(
        self,
        group: asyncio.TaskGroup,
        rooms: Rooms,
        screens: Mapping[str, PromptScreen],
        health: Callable[[], tuple[str, ...]],
        report: Callable[[str, str | None], None],
        calendar: "Bookings",
    ) -> None:
        """Open the pages and, where no broker is named, our own. What it reads in, a thread reads in.

        Raises:
            UserError: the broker's users cannot be read.
        """
        if self._api is not None and self._loaded.site.mqtt.host is None:
            broker = await asyncio.to_thread(embedded_broker, self._loaded, self._mqtt_port)
            group.create_task(self._run_with(broker, self._api, report))
        if self._drawing is not None:
            group.create_task(self._drawing.rehearsals.run())
        app, life = await asyncio.to_thread(self._make_app, rooms, screens, health, calendar)
        if self._early is not None:
            self._early.hand_over(app, life)

    async def _run_on(self, api: MqttApi) -> None:
        """Run the rooms' links to the site's broker.

        What they announce first names profiles and presets: a thread reads those in, so that the other door
        stays open meanwhile.
        """
        await asyncio.to_thread(lambda: self._shared.catalogue)
        await api.run()

    async def _run_with(
        self, broker: "EmbeddedBroker", api: MqttApi, report: Callable[[str, str | None], None]
    ) -> None:
        """Run the embedded broker and the rooms' links to it.

        While its port is another program's, the rooms go on without MQTT: we never speak to a broker that
        the site has not named.
        """
        clock = self._shared.clock
        while True:
            try:
                await broker.start()
                break
            except StillroomError as error:
                for room in self._links:
                    report(room, str(error))
            await clock.sleep_until(clock.now_ms() + RETRY_MS * clock.speed)
        for room in self._links:
            report(room, None)
        async with asyncio.TaskGroup() as group:
            group.create_task(broker.run())
            group.create_task(api.run())

    def _make_app(
        self,
        rooms: Rooms,
        screens: Mapping[str, PromptScreen],
        health: Callable[[], tuple[str, ...]],
        calendar: "Bookings",
    ) -> tuple[App, Life]:
        from controller.reports.own_process import ReportMaker
        from controller.web.app import create_app
        from hardware.player.listening import stream_mix

        web = self._loaded.site.web
        app = create_app(
            rooms,
            self._access,
            health,
            self._shared.clock,
            screens=screens,
            secure=web.cert_file is not None and web.key_file is not None,
            addresses=lambda: (self.address,),
            calendar=calendar,
            drawing=self._drawing,
            authority=self._authority(),
            reports=ReportMaker(self._shared.data, self._loaded.path),
            listen=lambda room: stream_mix(tap_path(self._shared.data, room)),
            fitting=self._fitting,
        )
        return app, lambda: app.router.lifespan_context(app)

    def _authority(self) -> Path | None:
        """Return our own authority's certificate, unless the site is served by somebody else's."""
        from controller.certificates import certificate_files

        files, web = certificate_files(self._shared.data), self._loaded.site.web
        ours = web.cert_file is None or self._loaded.resolve(web.cert_file) == files.certificate
        return files.ca if ours else None

    def _listening(self, port: int) -> None:
        self._port = port
        host = "127.0.0.1" if self._loaded.site.web.host in ("0.0.0.0", "::") else self._loaded.site.web.host  # noqa: S104
        scheme = "http" if self._loaded.site.web.cert_file is None else "https"
        announce(self._shared.data, f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}")
        self._served.set()


def embedded_broker(loaded: LoadedSite, port: int) -> "EmbeddedBroker":
    """Return the site's own broker, with the users that the site file names.

    Raises:
        UserError: it would be open to a network without users, or their folder cannot be read.
    """
    from hardware.broker_embedded import EmbeddedBroker

    mqtt = loaded.site.mqtt
    if mqtt.users_folder is not None:
        users = read_broker_users(loaded.resolve(mqtt.users_folder), broker_plan(loaded.site))
        return EmbeddedBroker(mqtt.listen, port, users=users)
    try:
        return EmbeddedBroker(mqtt.listen, port)
    except UserError:
        raise UserError(
            f"mqtt.listen: the embedded broker is not opened to {mqtt.listen} without users: run "
            "'stillroom broker-config' and name its folder as mqtt.users_folder"
        ) from None


def _reachable(listen: str) -> str:
    """Return where we ourselves find the embedded broker that listens there."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(listen, listen)  # noqa: S104 - read, not bound


def _secret(path: Path | None) -> str | None:
    if path is None:
        return None
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise UserError(f"{path}: the MQTT password cannot be read: {error.strerror}") from None


def _own_address() -> str:
    """This machine's address on its network, for the tablets; asks nobody (a UDP connect sends nothing)."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
            return str(probe.getsockname()[0])
        except OSError:
            return "127.0.0.1"
