"""What a prompts file may say: grounding words for the client and cards for the therapist, by key.

The words are kept with their placeholder; ``fill`` puts the part of the day in when a prompt goes out.
Nothing here reads a clock: the hour is an argument.
"""

from collections.abc import Mapping
from typing import Annotated, Final, Literal, TypeAlias

from pydantic import Field

from controller.core.score import Audience
from profiles.fields import FileModel, FilePath, Id, Language, Text

PartOfDay: TypeAlias = Literal["morning", "afternoon", "evening", "night"]

PLACEHOLDER: Final = "{part_of_day}"

ENGLISH: Final[Mapping[str, str]] = {
    "morning": "morning",
    "afternoon": "afternoon",
    "evening": "evening",
    "night": "night",
}


class PromptModel(FileModel):
    """One prompt."""

    audience: Audience
    """`client` (spoken or shown) or `therapist` (a silent card)."""
    text: Annotated[Mapping[Language, Text], Field(min_length=1)]
    """The words, per language. `{part_of_day}` becomes morning, afternoon, evening or night."""
    audio: FilePath | None = None
    """A recording, beside this file; it comes before synthetic speech. Only for the client."""


class PartsOfDayModel(FileModel):
    """What the parts of the day are called in one language."""

    morning: Text
    """From 5 to 12 o'clock."""
    afternoon: Text
    """From 12 to 18 o'clock."""
    evening: Text
    """From 18 to 22 o'clock."""
    night: Text
    """From 22 to 5 o'clock."""


class PromptsFile(FileModel):
    """A file of prompts."""

    prompts: Annotated[Mapping[Id, PromptModel], Field(min_length=1, max_length=200)]
    """Prompts by key."""
    parts_of_day: Mapping[Language, PartsOfDayModel] = Field(default_factory=dict)
    """What `{part_of_day}` becomes in each language; English is built in."""


def part_of_day(hour: int) -> PartOfDay:
    """Return the part of the day of an hour (0 to 23)."""
    if 5 <= hour < 12:
        return "morning"
    if 12 <= hour < 18:
        return "afternoon"
    return "evening" if 18 <= hour < 22 else "night"


def words_of(prompt: PromptModel, language: str) -> str:
    """Return a prompt's words in a language, or in a related one, or the first it has."""
    base = language.split("-", maxsplit=1)[0]
    for wanted in (language, base):
        if wanted in prompt.text:
            return prompt.text[wanted]
    related = [words for name, words in prompt.text.items() if name.split("-")[0] == base]
    return related[0] if related else prompt.text.get("en", next(iter(prompt.text.values())))


def fill(text: str, hour: int, names: Mapping[str, str] = ENGLISH) -> str:
    """Return a prompt's words with the part of the day of this hour (0 to 23) put in."""
    return text.replace(PLACEHOLDER, names[part_of_day(hour)])
