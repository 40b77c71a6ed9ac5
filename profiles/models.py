"""What a profile file may say: phases in order, each with minutes, light, music and prompts.

These are the words a person writes. What they mean for a room is ``profiles/compile.py``'s to say, and
what they refer to is checked by ``profiles/checks.py``. Nothing here reads a file.
"""

from collections.abc import Mapping
from typing import Annotated, Final, Literal

from pydantic import Field

from controller.core.score import Audience
from profiles.fields import AnchorId, FileModel, Id, Kelvin, Minutes, Percent, PositiveMinutes, Title

SILENCE: Final = "silence"
"""The pool that is none: silence by plan."""

ZONE_ROLES: Final = ("ceiling", "bedside", "path")
"""The zones that shipped profiles name. A room without one of them simply has no lamps there."""

MAX_PHASES: Final = 60


class ZoneLightModel(FileModel):
    """One zone's difference from the phase's light."""

    factor: Annotated[float, Field(ge=0.0, le=2.0)] | None = None
    """Share of the phase's brightness that this zone gets (luminance; 1 is the same)."""
    brightness_percent: Percent | None = None
    """This zone's own brightness, in percent of full luminance, instead of a share."""
    kelvin: Kelvin | None = None
    """This zone's own colour temperature; below 2200 K is amber."""


class LookModel(FileModel):
    """Where the room's light goes, and how slowly."""

    brightness_percent: Percent
    """Brightness of the room's main light, in percent of full luminance."""
    kelvin: Kelvin
    """Colour temperature; below 2200 K is amber."""
    fade_minutes: Minutes | None = None
    """Minutes from whatever was there to this look. Without it: a third of the time until the next look or
    the phase's end, at most 10 minutes."""
    zones: Mapping[Id, ZoneLightModel] = Field(default_factory=dict)
    """Zones that differ from the main light here."""


class LightStepModel(LookModel):
    """A further look inside the phase."""

    at_minute: PositiveMinutes
    """Minute of the phase at which this fade begins."""


class LightModel(LookModel):
    """A phase's light: one look from its start, and further ones if it has steps."""

    steps: Annotated[tuple[LightStepModel, ...], Field(max_length=100)] = ()
    """Further looks inside the phase, in order."""


class SilenceModel(FileModel):
    """A planned silence: once, from a minute to a minute, or again and again."""

    from_minute: Minutes | None = None
    """Minute of the phase at which the silence begins. With `every_minutes`: the first one's begin."""
    to_minute: PositiveMinutes | None = None
    """Minute of the phase at which the music comes back."""
    every_minutes: PositiveMinutes | None = None
    """Repeats: the length of one round. Without `from_minute` the silence closes each round."""
    for_minutes: PositiveMinutes | None = None
    """Repeats: how long each silence lasts."""


class MusicModel(FileModel):
    """What a phase wants to be heard."""

    pool: Id
    """The pool to play from, or `silence`."""
    mood: Annotated[str, Field(max_length=60)] | None = None
    """The mood in words; without it the pool's name."""
    energy: Annotated[float, Field(ge=0.0, le=1.0)] | None = None
    """How much is going on: 0 still, 1 driving."""
    level_dba: Annotated[float, Field(ge=20.0, le=85.0)] | None = None
    """Loudness in the room, dB(A), never above the room's ceiling."""
    words_allowed: bool = False
    """Whether songs with words may be chosen."""
    unbroken: bool = False
    """One piece without a change, through every phase in a row that asks for it from the same pool."""
    crossfade_s: Annotated[float, Field(ge=4.0, le=30.0)] = 12.0
    """Seconds of a crossfade between tracks and into this phase."""
    silences: Annotated[tuple[SilenceModel, ...], Field(max_length=100)] = ()
    """Planned silences inside the phase."""


class CueModel(FileModel):
    """A prompt to the client or a silent card to the therapist, by the phase's own clock."""

    prompt: Id
    """The prompt's key, from a prompts file."""
    at_minute: Minutes | None = None
    """Minute of the phase, once."""
    every_minutes: Annotated[float, Field(ge=1.0, le=1440.0)] | None = None
    """Again and again, this far apart."""
    from_minute: Minutes | None = None
    """Repeats: minute of the phase of the first one; without it one interval in."""
    until_minute: PositiveMinutes | None = None
    """Repeats: none after this minute of the phase; without it the phase's end."""
    audience: Audience | None = None
    """Who it is for, if not as the prompts file says."""
    ttl_s: Annotated[int, Field(ge=10, le=7200)] | None = None
    """Seconds after which it is too late to show it: 300 unless told."""


class AnchorCueModel(FileModel):
    """A card due some minutes after (negative: before) something happened."""

    anchor: AnchorId
    """The anchor it counts from."""
    minutes: Annotated[float, Field(ge=-1440.0, le=1440.0)]
    """Minutes after the anchor; negative is before."""
    prompt: Id
    """The prompt's key, from a prompts file."""
    audience: Audience | None = None
    """Who it is for, if not as the prompts file says."""
    ttl_s: Annotated[int, Field(ge=10, le=7200)] | None = None
    """Seconds after which it is too late to show it: 1800 unless told."""


class AnchorShiftModel(FileModel):
    """What an anchor changes: a phase becomes longer (negative: shorter)."""

    anchor: AnchorId
    """The anchor that, once marked, moves the plan."""
    phase: Id
    """The phase whose length changes."""
    minutes: Annotated[float, Field(ge=-720.0, le=720.0)]
    """By how many minutes."""


class PhaseModel(FileModel):
    """One phase of a session."""

    id: Id
    """Name of the phase in commands and records, unique in the profile."""
    title: Title | None = None
    """Name of the phase on the tablet; without it the id."""
    minutes: PositiveMinutes
    """How long it is planned to last."""
    light: LightModel
    """Its light."""
    music: MusicModel
    """Its music, or silence."""
    cues: Annotated[tuple[CueModel, ...], Field(max_length=100)] = ()
    """Its prompts and cards."""
    suppress_client_prompts: bool = False
    """No prompt to the client comes by itself in this phase; the therapist may still tap one."""
    light_frozen: bool = False
    """Once this phase's light has arrived nothing moves it but the therapist."""


class ProfileModel(FileModel):
    """A session profile: phases in order, and what the dose and the like do to the plan."""

    profile: Id
    """The profile's id, as in commands and file names."""
    title: Title
    """Its name on the tablet."""
    description: Annotated[str, Field(max_length=1000)] = ""
    """A few words for whoever chooses it."""
    status: Literal["unreviewed", "reviewed"] = "unreviewed"
    """`reviewed` once the clinic's leads have signed it."""
    reviewed_by: Annotated[tuple[Title, ...], Field(max_length=10)] = ()
    """Who signed it, by role, never by name."""
    minimum_minutes: Minutes = 0.0
    """Before this the session ends only by an explicit `end anyway`."""
    zone_factors: Mapping[Id, Annotated[float, Field(ge=0.0, le=2.0)]] = Field(default_factory=dict)
    """Share of each phase's brightness that a zone gets; zones not named get it all."""
    anchors: Mapping[AnchorId, Id] = Field(default_factory=dict)
    """Things that happen, such as the dose: each with the phase at whose start it is expected."""
    anchor_cues: Annotated[tuple[AnchorCueModel, ...], Field(max_length=200)] = ()
    """Cards that count from an anchor."""
    anchor_shifts: Annotated[tuple[AnchorShiftModel, ...], Field(max_length=60)] = ()
    """What an anchor does to later phases."""
    phases: Annotated[tuple[PhaseModel, ...], Field(min_length=1, max_length=MAX_PHASES)]
    """The phases, in order."""
