"""Pools and tracks as values: what a pool file may say, and what was measured of an audio file.

It must never open an audio file: ``analysis`` measures, ``pool_files`` reads YAML.

Loudness is in LUFS (EBU R128), peaks in dBTP, lengths in ms, energy from 0 (still) to 1 (driving).
"""

from enum import StrEnum
from pathlib import PurePath
from typing import Annotated, Final, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

TARGET_LUFS: Final = -23.0
"""Every track is brought to this; the daemon then sets the programme's level over it."""
CEILING_DBTP: Final = -1.0
"""A track's own gain never lifts its true peak over this."""
MONO_DB: Final = 3.0103
"""A mono file comes from both loudspeakers: that much louder than R128 says of the file."""

Energy = Annotated[float, Field(ge=0.0, le=1.0)]
Name = Annotated[str, Field(min_length=1, max_length=120)]
FileName = Annotated[str, Field(min_length=1, max_length=4096)]
PoolName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$", max_length=60)]


class Curve(StrEnum):
    """How a phase's energy moves while a pool plays through it."""

    LEVEL = "level"
    RISING = "rising"
    FALLING = "falling"
    ARCH = "arch"


class Frozen(BaseModel):
    """The base of all: frozen, nothing unknown let in."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class TrackEntry(Frozen):
    """One track as a pool file names it; what is left out comes from the file's tags and the analysis."""

    file: FileName
    """The audio file, relative to the pool file."""
    title: str | None = None
    """Its title; without it the file's own tag."""
    artist: str | None = None
    """Who made it; without it the file's own tag."""
    has_words: bool | None = None
    """Whether words are sung or spoken in it; null: nobody has said."""
    energy: Energy | None = None
    """From 0 (still) to 1 (driving); without it what was measured."""
    gain_db: Annotated[float, Field(ge=-30.0, le=12.0)] = 0.0
    """Added to the loudness correction: for a track that still feels too loud or too soft."""


class EnergyRange(Frozen):
    """The least and the most energy of a pool's tracks."""

    low: Energy = 0.0
    """The least."""
    high: Energy = 1.0
    """The most."""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.low > self.high:
            message = f"low ({self.low}) is above high ({self.high})"
            raise ValueError(message)
        return self


class Pool(Frozen):
    """A playlist whose tracks share a mood.

    ``files`` are glob patterns under the pool file's folder; ``tracks`` name files one by one and win
    where both match. ``generated`` names pieces that our own code makes.
    """

    pool: PoolName
    """Its id, that profiles name."""
    title: Name
    """Its name on the tablet."""
    mood: Name
    """The mood its tracks share, in a word."""
    energy: EnergyRange = EnergyRange()
    """How much energy its tracks have."""
    curve: Curve = Curve.LEVEL
    """How the energy moves while it plays through a phase."""
    words_allowed: bool = False
    """Tracks may have sung or spoken words; one that does not say is then taken to have them."""
    tracks: tuple[TrackEntry, ...] = ()
    """Files one by one."""
    files: tuple[Name, ...] = ()
    """Files by patterns like `*.flac`, relative to this file."""
    generated: tuple[PoolName, ...] = ()
    """Pieces that Stillroom makes itself."""

    @model_validator(mode="after")
    def _has_music(self) -> Self:
        if not (self.tracks or self.files or self.generated):
            message = "names no music: give 'tracks' (files) or 'files' (patterns like '*.flac')"
            raise ValueError(message)
        return self


class Track(Frozen):
    """One audio file with all that is known of it. ``track_id`` is a hash of the file's whole content.

    ``integrated_lufs`` is what EBU R128 says of the file as it is; ``gain_db`` is what playing it needs.
    ``short_term_max_lufs`` is its loudest three seconds.
    """

    track_id: str
    path: str
    length_ms: Annotated[int, Field(gt=0)]
    rate_hz: Annotated[int, Field(gt=0)]
    channels: Annotated[int, Field(gt=0)]
    integrated_lufs: float
    range_lu: Annotated[float, Field(ge=0.0)]
    short_term_max_lufs: float
    true_peak_dbtp: float
    lead_silence_ms: Annotated[int, Field(ge=0)] = 0
    tail_silence_ms: Annotated[int, Field(ge=0)] = 0
    energy: Energy = 0.0
    title: str = ""
    artist: str = ""
    has_words: bool | None = None
    extra_gain_db: float = 0.0
    generated: bool = False

    @property
    def gain_db(self) -> float:
        """The gain that brings it to ``TARGET_LUFS`` in the room, its true peak staying under -1 dBTP."""
        heard_lufs = self.integrated_lufs + (MONO_DB if self.channels == 1 else 0.0)
        wanted = TARGET_LUFS - heard_lufs + self.extra_gain_db
        return min(wanted, CEILING_DBTP - self.true_peak_dbtp)

    @property
    def loudest_over_programme_db(self) -> float:
        """How far its loudest three seconds stand over the programme's level once the gain is applied."""
        heard = self.short_term_max_lufs + (MONO_DB if self.channels == 1 else 0.0)
        return heard + self.gain_db - TARGET_LUFS

    @property
    def start_ms(self) -> int:
        """Where its sound begins, ms into the file."""
        return self.lead_silence_ms

    @property
    def end_ms(self) -> int:
        """Where its sound ends, ms into the file."""
        return self.length_ms - self.tail_silence_ms

    @property
    def sounding_ms(self) -> int:
        """How long it sounds, the silent edges left out."""
        return self.end_ms - self.start_ms

    @property
    def name(self) -> str:
        """Its title, or its file's name."""
        return self.title or PurePath(self.path).stem
