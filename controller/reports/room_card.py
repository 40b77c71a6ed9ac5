"""The room's card: what a clinic says of a room, for the setting report. Nothing of a client."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RoomCard:
    """A room in the clinic's words; an empty one is left for a person to fill in."""

    location: str = ""
    ambiance: str = ""
    nature: str = ""
    objects: str = ""
    lighting: str = ""
    bathroom: str = ""
    positions: str = ""
