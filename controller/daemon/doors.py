"""The rooms' doors: the tablets' web app, MQTT with its broker. One that cannot open is said."""

import asyncio
import socket
from collections.abc import Callable, Mapping
from pathlib import Path

import structlog

from controller.api import Rooms
from controller.bookings import Bookings
from controller.broker_config import broker_grants, read_broker_users, read_password, user_name
from controller.certificates import certificate_files
from controller.core.broker_access import BrokerRole
from controller.daemon.broker import broker_plan
from controller.daemon.options import RunOptions
from controller.daemon.rooms import SiteParts, tap_path
from controller.errors import StillroomError, UserError
from controller.mqtt_api import MqttApi, MqttPrompts
from controller.mqtt_homeassistant import Discovery
from controller.mqtt_topics import will_for
from controller.ports import Prompts
from controller.room_hardware import BrokerFacts, PromptDeviceFacts, TabletFacts
from controller.running_daemon import announce
from controller.web.access import Access, Role
from controller.web.app import create_app
from controller.web.fitting import Fitting
from controller.web.screens import PromptScreen
from controller.web.serving import Tls, bind, serve
from hardware.broker_embedded import EmbeddedBroker
from hardware.mqtt_link import MqttLink, MqttSettings
from hardware.mqtt_socket import MqttTls
from hardware.player.listening import stream_mix
from profiles.catalogue import LoadedSite

log = structlog.get_logger()

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
        mqtt = loaded.site.mqtt
        self._mqtt_port = options.mqtt_port if options.mqtt_port is not None else mqtt.port
        self._broker = embedded_broker(loaded, self._mqtt_port) if mqtt.host is None else None
        self._access = Access(shared.data, shared.clock)
        self._served = asyncio.Event()
        self._port = 0
        self._links: dict[str, MqttLink] = {}
        self._api: MqttApi | None = None
        self._fitting: Fitting | None = None

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

    def fit(self, fitting: Fitting) -> None:
        """Take the rooms' hardware, for the pages that set it up and check it."""
        self._fitting = fitting

    def tablet_facts(self) -> TabletFacts:
        """Return how many tablets and displays are paired and were heard of lately."""
        paired = sum(grant.role is Role.THERAPIST for grant in self._access.devices())
        seen, shown = (
            self._access.count_lately(role, SEEN_LATELY_MS) for role in (Role.THERAPIST, Role.DISPLAY)
        )
        return TabletFacts(paired, seen, shown)

    def broker_facts(self, room: str) -> BrokerFacts:
        """Return how a room finds its broker; names only, no passwords."""
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
        screens: Mapping[str, PromptScreen],
        health: Callable[[], tuple[str, ...]],
        report: Callable[[str, str | None], None],
        calendar: Bookings,
    ) -> None:
        """Open every door; returns once the web app listens.

        Raises:
            UserError: the web app cannot be served where the site says.
        """
        links = {room: self._link(room) for room in rooms}
        discovery = Discovery(self._loaded.site.mqtt.discovery)
        api = MqttApi(links, rooms, self._shared.clock, discovery=discovery, report=report)
        self._api = api
        group.create_task(api.run() if self._broker is None else self._run_with(self._broker, api, report))
        group.create_task(self._serve_web(rooms, screens, health, calendar))
        await self._served.wait()

    async def _run_with(
        self, broker: EmbeddedBroker, api: MqttApi, report: Callable[[str, str | None], None]
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

    async def _serve_web(
        self,
        rooms: Rooms,
        screens: Mapping[str, PromptScreen],
        health: Callable[[], tuple[str, ...]],
        calendar: Bookings,
    ) -> None:
        web, resolve = self._loaded.site.web, self._loaded.resolve
        tls = None
        if web.cert_file is not None and web.key_file is not None:
            tls = Tls(resolve(web.cert_file), resolve(web.key_file))
        app = create_app(
            rooms,
            self._access,
            health,
            self._shared.clock,
            screens=screens,
            secure=tls is not None,
            addresses=lambda: (self.address,),
            calendar=calendar,
            authority=self._authority(),
            listen=lambda room: stream_mix(tap_path(self._shared.data, room)),
            fitting=self._fitting,
        )
        port = self._options.port if self._options.port is not None else web.port
        await serve(app, web.host, port, tls=tls, started=self._listening)

    def _authority(self) -> Path | None:
        """Return our own authority's certificate, unless the site is served by somebody else's."""
        files, web = certificate_files(self._shared.data), self._loaded.site.web
        ours = web.cert_file is None or self._loaded.resolve(web.cert_file) == files.certificate
        return files.ca if ours else None

    def _listening(self, port: int) -> None:
        self._port = port
        host = "127.0.0.1" if self._loaded.site.web.host in ("0.0.0.0", "::") else self._loaded.site.web.host  # noqa: S104
        scheme = "http" if self._loaded.site.web.cert_file is None else "https"
        announce(self._shared.data, f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}")
        self._served.set()


def embedded_broker(loaded: LoadedSite, port: int) -> EmbeddedBroker:
    """Return the site's own broker, with the users that the site file names.

    Raises:
        UserError: it would be open to a network without users, or their folder cannot be read.
    """
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
