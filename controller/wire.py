"""The wire: commands and replies as JSON, the same over HTTP, WebSocket and MQTT.

It turns what came from outside into the core's commands and never lets anything else through:
unknown fields are refused with the nearest name, numbers have bounds, text has a length.
"""

import re
from difflib import get_close_matches
from typing import Annotated, Any, ClassVar, Literal, Protocol, TypeAlias
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from controller.core import commands as core
from controller.core.light import Colour, Mired, Xy
from controller.core.score import Audience
from controller.core.units import mired_from_kelvin
from controller.errors import RefusedError

MAX_TEXT = 2_000
MAX_MESSAGE_BYTES = 16_384

Zone: TypeAlias = Annotated[str | None, Field(default=None, max_length=64)]
FadeS: TypeAlias = Annotated[float | None, Field(default=None, ge=0.0, le=3600.0, description="seconds")]
Name: TypeAlias = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[a-z0-9][a-z0-9_.:-]*$")]


class WireModel(BaseModel):
    """Frozen, and extras forbidden."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class _Base(WireModel):
    # Built once, with the union below. A call's own body is not put off: FastAPI would build it at the
    # first request, and pydantic would then complain of FastAPI's own field.
    model_config = ConfigDict(defer_build=True)

    id: UUID
    sent_at_ms: int | None = Field(
        default=None, description="Unix ms at the sender; older than 5 s is refused"
    )
    dry_run: bool = Field(default=False, description="answer what would change, change nothing")


class _Scoped(_Base):
    until: Literal["released", "phase", "minutes"] = "released"
    minutes: float | None = Field(default=None, gt=0, le=720)

    def scope(self) -> core.Scope:
        """The override's scope; ``minutes`` alone implies a scope of minutes."""
        if self.until == "minutes" or self.minutes is not None:
            return core.Scope(core.ScopeKind.MINUTES, self.minutes or 10.0)
        return core.Scope(core.ScopeKind.PHASE) if self.until == "phase" else core.UNTIL_RELEASED


class _Dragged(_Scoped):
    gesture: UUID | None = Field(
        default=None, description="the drag this is a step of; undo takes all its steps back together"
    )

    def gesture_name(self) -> str | None:
        """The gesture's id as the core knows it."""
        return None if self.gesture is None else str(self.gesture)


class StartRequest(_Base):
    """Start a profile; with ``rehearsal_speed`` as a rehearsal, its plan run together so many times."""

    command: Literal["start"]
    profile: Name
    rehearsal_speed: int | None = Field(
        default=None, ge=1, le=100, description="a rehearsal in the real room, so many times as fast"
    )


class EndRequest(_Base):
    """End the session; before the profile's minimum only with ``anyway``."""

    command: Literal["end"]
    anyway: bool = False


class HoldRequest(_Base):
    """Stop session time."""

    command: Literal["hold"]


class ResumeRequest(_Base):
    """Let session time run on."""

    command: Literal["resume"]


class ExtendRequest(_Base):
    """Lengthen the phase by minutes (negative: shorten)."""

    command: Literal["extend"]
    minutes: float = Field(default=10.0, ge=-240, le=240)


class NextPhaseRequest(_Base):
    """Go to the next phase."""

    command: Literal["next_phase"]


class GotoPhaseRequest(_Base):
    """Go to a phase by id."""

    command: Literal["goto_phase"]
    phase: Name


class AnchorRequest(_Base):
    """Mark the dose, or the supplement given or declined."""

    command: Literal["anchor"]
    anchor: Name
    minutes_ago: float = Field(default=0.0, ge=0, le=600)


class LightRequest(_Dragged):
    """Set a zone's light (all zones without one)."""

    command: Literal["light"]
    zone: Zone
    brightness: float | None = Field(default=None, ge=0, le=100, description="percent of full luminance")
    kelvin: float | None = Field(default=None, ge=1000, le=10_000)
    colour: str | tuple[float, float] | None = Field(default=None, description="'#rrggbb' or CIE [x, y]")
    fade_s: FadeS


class LightTrimRequest(_Base):
    """Dimmer, brighter, warmer, cooler."""

    command: Literal["light_trim"]
    trim: core.Trim
    zone: Zone
    steps: int = Field(default=1, ge=1, le=10)


class LightReleaseRequest(_Base):
    """Give a zone (or all) back to the score."""

    command: Literal["light_release"]
    zone: Zone
    fade_s: FadeS


class VolumeRequest(_Dragged):
    """Set the volume, dB over the score."""

    command: Literal["volume"]
    db: float = Field(ge=-40, le=12)


class VolumeTrimRequest(_Base):
    """Louder or quieter by some dB."""

    command: Literal["volume_trim"]
    db: float = Field(ge=-12, le=12)


class MoodRequest(_Scoped):
    """Play from another pool."""

    command: Literal["mood"]
    pool: Name
    until: Literal["released", "phase", "minutes"] = "phase"


class SkipTrackRequest(_Base):
    """Crossfade to the next track."""

    command: Literal["skip_track"]
    fade_s: FadeS


class SilenceRequest(_Base):
    """Fade the music out."""

    command: Literal["silence"]
    fade_s: FadeS
    minutes: float | None = Field(default=None, gt=0, le=720)


class SoundRequest(_Base):
    """Bring the music back."""

    command: Literal["sound"]
    fade_s: FadeS


class SoundReleaseRequest(_Base):
    """Give volume, mood and silence back to the score."""

    command: Literal["sound_release"]


class PromptRequest(_Base):
    """Cue a prompt now."""

    command: Literal["prompt"]
    prompt: Name
    text: str | None = Field(default=None, max_length=300)
    audience: Audience = Audience.CLIENT


class PromptDeferRequest(_Base):
    """Put a waiting cue off."""

    command: Literal["prompt_defer"]
    cue: Name
    minutes: float = Field(default=5.0, gt=0, le=120)


class PromptAckRequest(_Base):
    """Say what became of a prompt (the tablet's cards use it)."""

    command: Literal["prompt_ack"]
    prompt_id: Name
    result: Literal["shown", "spoken", "dismissed"] = "dismissed"


class SceneRequest(_Base):
    """Take a scene: ``path``, ``help`` or a preset."""

    command: Literal["scene"]
    scene: Name


class SceneReleaseRequest(_Base):
    """Take a scene off; without a name all."""

    command: Literal["scene_release"]
    scene: Annotated[str | None, Field(default=None, max_length=64)]


class EyeshadesRequest(_Base):
    """Eyeshades on or off."""

    command: Literal["eyeshades"]
    on: bool


class HeadphonesRequest(_Base):
    """Headphones on or off."""

    command: Literal["headphones"]
    on: bool


class NoteRequest(_Base):
    """A note chip, free text, or both."""

    command: Literal["note"]
    chip: str = Field(default="", max_length=64)
    text: str = Field(default="", max_length=MAX_TEXT)


class UndoRequest(_Base):
    """Take back the last command."""

    command: Literal["undo"]


CommandRequest: TypeAlias = Annotated[
    StartRequest
    | EndRequest
    | HoldRequest
    | ResumeRequest
    | ExtendRequest
    | NextPhaseRequest
    | GotoPhaseRequest
    | AnchorRequest
    | LightRequest
    | LightTrimRequest
    | LightReleaseRequest
    | VolumeRequest
    | VolumeTrimRequest
    | MoodRequest
    | SkipTrackRequest
    | SilenceRequest
    | SoundRequest
    | SoundReleaseRequest
    | PromptRequest
    | PromptDeferRequest
    | PromptAckRequest
    | SceneRequest
    | SceneReleaseRequest
    | EyeshadesRequest
    | HeadphonesRequest
    | NoteRequest
    | UndoRequest,
    Field(discriminator="command"),
]


class PlannedPhase(WireModel):
    """A phase in a preview: session times in ms."""

    phase: str
    start_ms: int
    length_ms: int


class Preview(WireModel):
    """What a command would change (``dry_run``)."""

    planned_end_ms: int
    phases: tuple[PlannedPhase, ...]
    music_coverage_ms: int | None = Field(
        default=None, description="for how much of what is planned from now on no piece comes round again"
    )


class Refused(Protocol):
    """What refused a command, in the core or in the shell."""

    code: str
    sentence: str
    fields: dict[str, str | int]


class Refusal(WireModel):
    """Why a command was refused: a stable code and one clear line.

    ``sentence`` and ``fields`` are the same line for a page in another language: ``{name}`` in the
    sentence stands for the field of that name.
    """

    code: str
    message: str
    sentence: str = ""
    fields: dict[str, str | int] = Field(default_factory=dict)

    @classmethod
    def of(cls, refused: Refused) -> "Refusal":
        """Return a refusal as it goes out."""
        return cls(code=refused.code, message=str(refused), sentence=refused.sentence, fields=refused.fields)


class Reply(WireModel):
    """The answer to a command: what was applied, whether it is on disk, or why it was refused."""

    OK: ClassVar[str] = "ok"
    id: UUID | None
    ok: bool
    applied: tuple[str, ...] = ()
    journaled: bool = False
    revision: int = 0
    repeated: bool = Field(default=False, description="this id was answered before; nothing changed now")
    refused: Refusal | None = None
    preview: Preview | None = None


_ADAPTER: TypeAdapter[CommandRequest] = TypeAdapter(CommandRequest)
_COMMANDS: dict[str, type[_Base]] = {
    cls.model_fields["command"].annotation.__args__[0]: cls  # type: ignore[union-attr]
    for cls in (*_Base.__subclasses__(), *_Scoped.__subclasses__(), *_Dragged.__subclasses__())
    if "command" in cls.model_fields
}


def command_names() -> tuple[str, ...]:
    """Every command's name on the wire."""
    return tuple(sorted(_COMMANDS))


def parse_command(payload: bytes | str | dict[str, Any]) -> CommandRequest:
    """Return the command in a message.

    Raises:
        RefusedError: it is not one; the text says which field and what was expected.
    """
    if isinstance(payload, (bytes, str)) and len(payload) > MAX_MESSAGE_BYTES:
        raise RefusedError("too_large", "a command is at most {bytes} bytes", bytes=MAX_MESSAGE_BYTES)
    try:
        if isinstance(payload, dict):
            return _ADAPTER.validate_python(payload)
        return _ADAPTER.validate_json(payload)
    except ValidationError as error:
        raise RefusedError("invalid", _explain(error)) from None
    except (ValueError, RecursionError):
        raise RefusedError("invalid", "the message is not JSON") from None


def _explain(error: ValidationError) -> str:
    lines = []
    for item in error.errors(include_url=False)[:5]:
        path = [str(part) for part in item["loc"]]
        given = path[0] if path and path[0] in _COMMANDS else ""
        field = ".".join(path[1:] if given else path)
        if item["type"] == "extra_forbidden":
            known = list(_COMMANDS[given].model_fields) if given else []
            lines.append(f"unknown field {path[-1][:64]!r}{_nearest(path[-1], known)}")
        elif item["type"] == "union_tag_invalid":
            tag = str(item.get("ctx", {}).get("tag", ""))[:64]
            lines.append(f"unknown command {tag!r}{_nearest(tag, list(_COMMANDS))}")
        elif item["type"] == "union_tag_not_found":
            lines.append("field 'command' is missing")
        else:
            lines.append(f"{field or 'message'}: {item['msg'][:160]}")
    return "; ".join(lines)


def _nearest(name: str, known: list[str]) -> str:
    near = get_close_matches(name, known, n=1)
    return f" (did you mean {near[0]!r}?)" if near else ""


_HEX = re.compile(r"^#[0-9a-fA-F]{6}$")


def parse_colour(request: LightRequest) -> Colour | None:
    """Return the colour a light request asks for, from ``kelvin``, hex or xy.

    Raises:
        RefusedError: both were given, or the colour cannot be read.
    """
    if request.kelvin is not None and request.colour is not None:
        raise RefusedError("invalid", "give kelvin or colour, not both")
    if request.kelvin is not None:
        return Mired(mired_from_kelvin(request.kelvin))
    if request.colour is None:
        return None
    if isinstance(request.colour, str):
        if not _HEX.match(request.colour):
            raise RefusedError("invalid", "colour: expected '#rrggbb' or [x, y]")
        return _xy_from_hex(request.colour)
    x, y = request.colour
    if not (0.0 <= x <= 0.8 and 0.01 <= y <= 0.9 and x + y <= 1.0):
        raise RefusedError("invalid", "colour: [x, y] is outside the CIE diagram")
    return Xy(x, y)


def _xy_from_hex(text: str) -> Xy:
    """Chromaticity of an sRGB colour (IEC 61966-2-1)."""
    linear = []
    for index in (1, 3, 5):
        channel = int(text[index : index + 2], 16) / 255
        linear.append(channel / 12.92 if channel <= 0.04045 else ((channel + 0.055) / 1.055) ** 2.4)
    red, green, blue = linear
    x = 0.4124 * red + 0.3576 * green + 0.1805 * blue
    y = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    z = 0.0193 * red + 0.1192 * green + 0.9505 * blue
    total = x + y + z
    return Xy(0.3127, 0.3290) if total <= 0 else Xy(x / total, y / total)
