"""The fields that all files of a site share: ids, percentages, colour temperatures; and their base model.

It must never accept what it does not know: unknown keys, numbers out of bounds and not-a-number are refused.
"""

from typing import Annotated, Any, TypeAlias

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

ID_PATTERN = r"^[a-z0-9][a-z0-9_.-]*$"


class FileModel(BaseModel):
    """A part of a file that people write: frozen, extras forbidden, no silent conversions."""

    # Built when first used; what a field means is read when a schema is written. No start waits for either.
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, defer_build=True)


def _text_from_number(value: Any) -> Any:  # noqa: ANN401 (a validator sees whatever was written)
    """Read an unquoted number as text: ``address: 1`` means the lamp called 1."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


# 26 keeps a cue's key (stay, phase, prompt, minute) inside the wire's 64 characters.
Id: TypeAlias = Annotated[str, Field(min_length=1, max_length=26, pattern=ID_PATTERN)]
AnchorId: TypeAlias = Annotated[str, Field(min_length=1, max_length=20, pattern=ID_PATTERN)]
Title: TypeAlias = Annotated[str, Field(min_length=1, max_length=80)]
Text: TypeAlias = Annotated[str, Field(min_length=1, max_length=400)]
FilePath: TypeAlias = Annotated[str, Field(min_length=1, max_length=1000)]
Address: TypeAlias = Annotated[str, BeforeValidator(_text_from_number), Field(min_length=1, max_length=200)]
Percent: TypeAlias = Annotated[float, Field(ge=0.0, le=100.0)]
Kelvin: TypeAlias = Annotated[float, Field(ge=1500.0, le=6500.0)]
Minutes: TypeAlias = Annotated[float, Field(ge=0.0, le=1440.0)]
PositiveMinutes: TypeAlias = Annotated[float, Field(gt=0.0, le=1440.0)]
Language: TypeAlias = Annotated[str, Field(pattern=r"^[a-z]{2,3}(-[A-Z]{2})?$")]
Port: TypeAlias = Annotated[int, Field(ge=1, le=65535)]
