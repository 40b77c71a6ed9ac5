"""What the site file may say: the clinic's rooms, their lamps, sound and network.

It holds no secret: passwords live in files it names. Its envelope can only be stricter than the shipped one.
"""

from collections.abc import Mapping
from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from controller.core.envelope import Limits
from profiles.fields import Address, FileModel, FilePath, Id, Language, Minutes, Port, Title
from profiles.presets import ZoneLookModel

SHIPPED = Limits()

Option: TypeAlias = bool | int | float | str


class BridgeModel(FileModel):
    """One bridge or bus of lamps."""

    id: Id
    """Its name in this room."""
    driver: Annotated[str, Field(min_length=1, max_length=60)]
    """`hue`, `simulated-hue`, `mqtt`, `sacn`, `lifx`, or another driver that is installed."""
    address: Address | None = None
    """Where it is: a host, host and port, or a topic; what the driver wants. Null: the driver finds it."""
    options: Mapping[Annotated[str, Field(max_length=60)], Option] = Field(default_factory=dict)
    """Whatever else the driver wants to know."""


class ZoneModel(FileModel):
    """A named group of lamps."""

    id: Id
    """Its name in profiles, presets and commands."""
    title: Title | None = None
    """Its name on the tablet; without it the id."""


class FixtureModel(FileModel):
    """One lamp."""

    id: Id
    """Its name in this room."""
    name: Title | None = None
    """Its name on the tablet; without it the id."""
    bridge: Id
    """The bridge it hangs on."""
    address: Address
    """The bridge's own name for it: a Hue light's number, a topic, a channel."""
    zone: Id
    """The zone it belongs to."""


class RestingModel(FileModel):
    """A room's look before a session, and its safe look when it has to ask."""

    zones: Mapping[Id, ZoneLookModel] = Field(default_factory=dict)
    """Looks of the zones that are named."""
    others: ZoneLookModel = ZoneLookModel(brightness_percent=20.0, kelvin=2500.0)
    """Look of the room's other zones."""


class AudioModel(FileModel):
    """A room's sound."""

    output: Annotated[str, Field(max_length=200)] | None = None
    """The speakers' sound device by name; null is the machine's own."""
    headphones_output: Annotated[str, Field(max_length=200)] | None = None
    """The headphones' sound device by name; null: there are none."""
    ceiling_dba: Annotated[float, Field(ge=40.0, le=SHIPPED.ceiling_dba)] = SHIPPED.ceiling_dba
    """The loudest this room may be, dB(A)."""
    k_db: Annotated[float, Field(ge=40.0, le=160.0)] | None = None
    """Calibration: the level in the room (dB SPL) less the programme's loudness (LUFS). Null is none."""
    headphones_k_db: Annotated[float, Field(ge=40.0, le=160.0)] | None = None
    """The same for the headphones."""
    speakers_trim_db: Annotated[float, Field(ge=-30.0, le=0.0)] = 0.0
    """How much quieter the speakers are than the score says, dB."""
    headphones_trim_db: Annotated[float, Field(ge=-30.0, le=0.0)] = 0.0
    """How much quieter the headphones are than the score says, dB."""
    speech: Literal["off", "recordings", "synthetic"] = "recordings"
    """Who speaks prompts to the client: nobody, the clinic's recordings, or those and else a machine."""


class MusicFilesModel(FileModel):
    """Where a room's music is."""

    folders: Annotated[tuple[FilePath, ...], Field(max_length=50)] = ()
    """Folders of music files, relative to this file. With none, the generated pieces play."""
    pools: Annotated[tuple[FilePath, ...], Field(max_length=50)] = ()
    """Pools files, relative to this file."""


CardText = Annotated[str, Field(max_length=1000)]


class RoomCardModel(FileModel):
    """What the setting report says of a room, in the clinic's words. Nothing of a client."""

    location: CardText = ""
    """Where it is, indoors or outdoors, town or country."""
    ambiance: CardText = ""
    """How the room is made to feel."""
    nature: CardText = ""
    """What of nature can be seen, heard or reached."""
    objects: CardText = ""
    """What is in it."""
    lighting: CardText = ""
    """Windows, and lamps that Stillroom does not drive."""
    bathroom: CardText = ""
    """How near, how private, how safe."""
    positions: CardText = ""
    """Where people sit and lie."""


class RoomModel(FileModel):
    """One treatment room."""

    id: Id
    """Its name in addresses and topics."""
    title: Title | None = None
    """Its name on the tablet; without it the id."""
    bridges: Annotated[tuple[BridgeModel, ...], Field(max_length=20)] = ()
    """Its bridges."""
    zones: Annotated[tuple[ZoneModel, ...], Field(min_length=1, max_length=40)]
    """Its zones. Shipped profiles and presets know `ceiling`, `bedside` and `path`."""
    fixtures: Annotated[tuple[FixtureModel, ...], Field(max_length=200)] = ()
    """Its lamps."""
    resting: RestingModel = RestingModel()
    """Its look before a session."""
    audio: AudioModel = AudioModel()
    """Its sound."""
    music: MusicFilesModel = MusicFilesModel()
    """Its music files."""
    presets: Annotated[tuple[FilePath, ...], Field(max_length=20)] = ()
    """Presets files, relative to this file; they come over the shipped ones."""
    card: RoomCardModel = RoomCardModel()
    """The room in words, for the setting report."""
    recovery_limit_minutes: Minutes = 10.0
    """After an outage shorter than this a session goes on by itself; else the room asks."""


class TlsFilesModel(FileModel):
    """TLS files for the broker."""

    ca_file: FilePath
    """The authority that signed the broker's certificate."""
    cert_file: FilePath | None = None
    """Our own certificate, if the broker wants one."""
    key_file: FilePath | None = None
    """Its key."""


class MqttModel(FileModel):
    """The MQTT broker."""

    host: Annotated[str, Field(min_length=1, max_length=253)] | None = None
    """The site's broker; null is one inside the daemon."""
    port: Port = 1883
    """The broker's port, the embedded one's too."""
    listen: Annotated[str, Field(min_length=1, max_length=253)] = "127.0.0.1"
    """Where the embedded broker listens."""
    username: Annotated[str, Field(min_length=1, max_length=100)] | None = None
    """Our user at the broker."""
    password_file: FilePath | None = None
    """A file that holds the password, readable by the daemon alone."""
    tls: TlsFilesModel | None = None
    """TLS to the broker; null is none."""
    users_folder: FilePath | None = None
    """The folder that `stillroom broker-config` wrote, relative to this file: each room's own user and
    password, and with the embedded broker everybody's. It opens to a network with this alone."""
    discovery: Literal["both", "device", "component", "off"] = "both"
    """What Home Assistant is told: a message a room (2024.11 and later), one an entity, both, or nothing."""


class WebModel(FileModel):
    """The tablet's web server."""

    host: Annotated[str, Field(min_length=1, max_length=253)] = "0.0.0.0"  # noqa: S104 (tablets are not on this machine)
    """Address to listen on: tablets reach it over the clinic's own network."""
    port: Port = 8080
    """Port to listen on."""
    cert_file: FilePath | None = None
    """TLS certificate; with it the server speaks HTTPS."""
    key_file: FilePath | None = None
    """Its key."""


class EnvelopeModel(FileModel):
    """The limits of safe change, only ever stricter than the shipped ones."""

    score_lstar_per_s: Annotated[float, Field(gt=0.0, le=SHIPPED.score_lstar_per_s)] = (
        SHIPPED.score_lstar_per_s
    )
    """Automatic light: lightness (L*) per second."""
    score_mired_per_s: Annotated[float, Field(gt=0.0, le=SHIPPED.score_mired_per_s)] = (
        SHIPPED.score_mired_per_s
    )
    """Automatic light: colour, mired per second."""
    therapist_lstar_per_s: Annotated[float, Field(gt=0.0, le=SHIPPED.therapist_lstar_per_s)] = (
        SHIPPED.therapist_lstar_per_s
    )
    """The therapist's light: lightness (L*) per second."""
    therapist_mired_per_s: Annotated[float, Field(gt=0.0, le=SHIPPED.therapist_mired_per_s)] = (
        SHIPPED.therapist_mired_per_s
    )
    """The therapist's light: colour, mired per second."""
    help_fade_ms: Annotated[int, Field(ge=SHIPPED.help_fade_ms, le=30_000)] = SHIPPED.help_fade_ms
    """The help light comes up in no less than this, ms."""
    help_percent: Annotated[float, Field(ge=10.0, le=SHIPPED.help_percent)] = SHIPPED.help_percent
    """The help light's brightness, percent of full luminance."""
    reversal_window_ms: Annotated[int, Field(ge=SHIPPED.reversal_window_ms, le=60_000)] = (
        SHIPPED.reversal_window_ms
    )
    """Brightness may turn round at most once in this time, ms."""
    reversal_luminance: Annotated[float, Field(gt=0.0, le=SHIPPED.reversal_luminance)] = (
        SHIPPED.reversal_luminance
    )
    """What counts as a change that turned round, share of full luminance."""
    gain_rise_db_per_s: Annotated[float, Field(gt=0.0, le=SHIPPED.gain_rise_db_per_s)] = (
        SHIPPED.gain_rise_db_per_s
    )
    """Music gets louder at most this fast, dB per second."""
    gain_fall_score_db_per_s: Annotated[float, Field(gt=0.0, le=SHIPPED.gain_fall_score_db_per_s)] = (
        SHIPPED.gain_fall_score_db_per_s
    )
    """Music gets quieter by itself at most this fast, dB per second."""
    gain_fall_therapist_db_per_s: Annotated[float, Field(gt=0.0, le=SHIPPED.gain_fall_therapist_db_per_s)] = (
        SHIPPED.gain_fall_therapist_db_per_s
    )
    """Music gets quieter by the therapist at most this fast, dB per second."""
    silence_fade_min_ms: Annotated[int, Field(ge=SHIPPED.silence_fade_min_ms, le=60_000)] = (
        SHIPPED.silence_fade_min_ms
    )
    """A fade to silence takes at least this, ms."""
    silence_fade_ms: Annotated[int, Field(ge=SHIPPED.silence_fade_ms, le=60_000)] = SHIPPED.silence_fade_ms
    """A fade to silence takes this unless told, ms."""
    crossfade_min_ms: Annotated[int, Field(ge=SHIPPED.crossfade_min_ms, le=SHIPPED.crossfade_max_ms)] = (
        SHIPPED.crossfade_min_ms
    )
    """The shortest crossfade, ms."""
    crossfade_max_ms: Annotated[int, Field(ge=SHIPPED.crossfade_min_ms, le=SHIPPED.crossfade_max_ms)] = (
        SHIPPED.crossfade_max_ms
    )
    """The longest crossfade, ms."""
    true_peak_dbtp: Annotated[float, Field(ge=-20.0, le=SHIPPED.true_peak_dbtp)] = SHIPPED.true_peak_dbtp
    """The highest true peak that leaves the player, dBTP."""
    ceiling_dba: Annotated[float, Field(ge=40.0, le=SHIPPED.ceiling_dba)] = SHIPPED.ceiling_dba
    """The loudest any room may be, dB(A)."""


class ArchiveModel(FileModel):
    """The archive of many rooms' sessions in PostgreSQL."""

    url_file: FilePath
    """A file with the database's address, `postgresql+psycopg://USER:PASSWORD@HOST/DATABASE`, readable by the
    daemon alone."""


class SiteModel(FileModel):
    """A site: a clinic and its rooms."""

    site: Id
    """The site's id."""
    title: Title | None = None
    """Its name on the tablet; without it the id."""
    language: Language = "en"
    """The language of prompts and cards."""
    timezone: Annotated[str, Field(max_length=60)] | None = None
    """The time zone by its IANA name; null is the machine's."""
    rooms: Annotated[tuple[RoomModel, ...], Field(min_length=1, max_length=400)]
    """The rooms."""
    profiles: Annotated[tuple[FilePath, ...], Field(max_length=50)] = ()
    """The clinic's own profiles, files or folders, relative to this file; they come over the shipped ones."""
    presets: Annotated[tuple[FilePath, ...], Field(max_length=20)] = ()
    """Presets files for all rooms, relative to this file."""
    prompts: Annotated[tuple[FilePath, ...], Field(max_length=20)] = ()
    """Prompts files, relative to this file; they come over the shipped ones."""
    mqtt: MqttModel = MqttModel()
    """The MQTT broker."""
    web: WebModel = WebModel()
    """The web server."""
    envelope: EnvelopeModel = EnvelopeModel()
    """The limits of safe change."""
    archive: ArchiveModel | None = None
    """Where sessions are archived; null is nowhere but in the rooms' own journals."""
    retention_days: Annotated[int, Field(ge=1, le=36_500)] | None = None
    """Sessions are deleted after this many days; null keeps them until somebody deletes them."""


def limits_of(site: SiteModel, room: RoomModel) -> Limits:
    """Return a room's envelope: the site's numbers under the room's own sound ceiling."""
    values = site.envelope.model_dump()
    values["ceiling_dba"] = min(site.envelope.ceiling_dba, room.audio.ceiling_dba)
    return Limits(**values)
