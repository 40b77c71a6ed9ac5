"""Records as JSON text and back, exactly: what the journal stores and the event topics carry.

The body's ``kind`` says which record it is. A field a record has gained since needs a default; a field it
has lost is passed over. This module never decides what is worth storing.
"""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic_core import PydanticSerializationError, from_json, to_json

from controller.core.records import Record, RecordBody
from controller.errors import JournalError

# NaN and infinities would be written as null and could not be read again: written as themselves, they can.
_BODY: TypeAdapter[RecordBody] = TypeAdapter(
    Annotated[RecordBody, Field(discriminator="kind")],
    config=ConfigDict(ser_json_inf_nan="constants", defer_build=True),
)


def encode_body(body: RecordBody) -> dict[str, Any]:
    """Return a record's body as plain JSON values.

    Raises:
        JournalError: a value in it cannot be written as JSON.
    """
    try:
        plain = _BODY.dump_python(body, mode="json", warnings=False, fallback=_mapping_as_dict)
    except (PydanticSerializationError, ValueError) as error:
        raise JournalError(f"a {body.kind} record cannot be written: {_first_line(error)}") from error
    if not isinstance(plain, dict):
        raise TypeError("a record's body is a JSON object")
    return plain


def decode_body(plain: Mapping[str, Any]) -> RecordBody:
    """Return the body that ``encode_body`` turned into plain values.

    Raises:
        JournalError: it is of no kind we know, or a field is missing or wrong.
    """
    try:
        return _BODY.validate_python(plain)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        if first["type"].startswith("union_tag"):
            raise JournalError(f"a journal record is of an unknown kind: {plain.get('kind')!r}") from error
        where = ".".join(str(part) for part in first["loc"])
        raise JournalError(f"a journal record cannot be read: {where}: {first['msg']}") from error


def encode_record(record: Record) -> str:
    """Return a record as one line of JSON.

    Raises:
        JournalError: a value in it cannot be written as JSON.
    """
    envelope = {
        "at_ms": record.at_ms,
        "by": record.by,
        "command_id": record.command_id,
        "session_id": record.session_id,
        "body": encode_body(record.body),
    }
    return to_json(envelope, inf_nan_mode="constants").decode()


def decode_record(text: str) -> Record:
    """Return the record that ``encode_record`` wrote.

    Raises:
        JournalError: the text is damaged or of a kind we do not know.
    """
    try:
        found = from_json(text)
    except ValueError as error:
        raise JournalError(f"a journal record cannot be read: {_first_line(error)}") from error
    match found:
        case {"at_ms": int(at_ms), "by": str(by), "body": dict(body)}:
            command_id, session_id = found.get("command_id"), found.get("session_id")
            return Record(at_ms, by, decode_body(body), command_id, session_id)
        case _:
            raise JournalError("a journal record cannot be read: it has no time, author or body")


def _mapping_as_dict(value: object) -> object:
    """Write read-only mappings (a compiled score has them) as what they are."""
    if isinstance(value, Mapping):
        return dict(value)
    raise ValueError(f"{type(value).__name__} has no JSON form")


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0]
