"""The MQTT messages that are not commands: prompts, their acknowledgements, events. Models and their JSON.

It decides what of a record may leave the room: never free text, never a note's chip, never the sheet.
"""

import re
from difflib import get_close_matches
from pathlib import PurePath
from typing import Any, Final, Literal
from uuid import NAMESPACE_URL, UUID, uuid5

from pydantic import Field, ValidationError
from pydantic_core import from_json, to_json

from controller.core.records import NoteTaken, Record, SceneTaken, SessionStarted
from controller.errors import RefusedError
from controller.ports import Prompt
from controller.record_codec import encode_body
from controller.wire import MAX_MESSAGE_BYTES, Name, PromptAckRequest, WireModel


class PromptMessage(WireModel):
    """A prompt on its way to a person: ``audio`` names a recording; after ``ttl_s`` it is not said."""

    id: Name
    text: str
    audio: str | None = None
    ttl_s: int = Field(ge=1)


class PromptAckMessage(WireModel):
    """What became of a prompt: by which device, and whether it was shown, spoken or put away."""

    id: Name
    by: str = Field(default="", max_length=64, description="role and device, never a person's name")
    result: Literal["shown", "spoken", "dismissed"]


class EventMessage(WireModel):
    """A journal record. ``record`` holds its fields, ``kind`` among them, without free text."""

    at_ms: int
    kind: str
    by: str
    session_id: str | None
    command_id: str | None
    record: dict[str, Any]


def encode_prompt(prompt: Prompt) -> bytes:
    """Return a prompt as it goes out."""
    message = PromptMessage(
        id=prompt.prompt_id,
        text=prompt.text,
        # The name alone: where this machine keeps its files is nobody's business.
        audio=None if prompt.audio is None else PurePath(prompt.audio).name,
        ttl_s=max(1, prompt.ttl_s),
    )
    return message.model_dump_json().encode()


def parse_ack(payload: bytes) -> PromptAckMessage:
    """Return the acknowledgement in a message.

    Raises:
        RefusedError: it is not one; the text says what was expected.
    """
    if len(payload) > MAX_MESSAGE_BYTES:
        raise RefusedError("too_large", f"an acknowledgement is at most {MAX_MESSAGE_BYTES} bytes")
    try:
        return PromptAckMessage.model_validate_json(payload)
    except ValidationError as error:
        known = list(PromptAckMessage.model_fields)
        lines = []
        for item in error.errors(include_url=False)[:5]:
            name = ".".join(str(part) for part in item["loc"])[:64]
            near = get_close_matches(name, known, n=1) if item["type"] == "extra_forbidden" else []
            lines.append(
                f"{name or 'message'}: {item['msg'][:120]}"
                + (f" (did you mean {near[0]!r}?)" if near else "")
            )
        raise RefusedError("invalid", "; ".join(lines)) from None


def ack_as_request(ack: PromptAckMessage, room: str) -> PromptAckRequest:
    """Return the command that an acknowledgement is. The same one twice has the same id: it counts once."""
    key = uuid5(NAMESPACE_URL, f"stillroom:{room}:{ack.id}:{ack.result}")
    return PromptAckRequest(id=key, command="prompt_ack", prompt_id=ack.id, result=ack.result)


_NOT_SLUG: Final = re.compile(r"[^a-z0-9_.-]+")


def device_name(by: str) -> str:
    """Return a device's name as the journal may hold it."""
    return _NOT_SLUG.sub("-", by.lower()).strip("-")[:40]


def find_id(payload: bytes) -> UUID | None:
    """Return the id in a message that is otherwise no command, so that its sender can tell its answer."""
    if len(payload) > MAX_MESSAGE_BYTES:
        return None
    try:
        plain = from_json(payload)
        return UUID(plain["id"]) if isinstance(plain, dict) and isinstance(plain.get("id"), str) else None
    except (ValueError, RecursionError):
        return None


def encode_event(record: Record) -> bytes:
    """Return a record as the event topic carries it.

    Raises:
        JournalError: a value in it cannot be written as JSON.
    """
    body = record.body
    match body:
        case SessionStarted():
            plain: dict[str, Any] = {
                "kind": body.kind,
                "session_id": body.session_id,
                "profile": body.score.profile_id,
                "title": body.score.title,
                "reviewed": body.score.reviewed,
                "length_ms": body.score.length_ms,
                "speed": body.speed,
            }
        case SceneTaken():
            plain = {"kind": body.kind, "scene": body.scene.name, "is_help": body.scene.is_help}
        case NoteTaken():
            plain = {"kind": body.kind, "note_id": body.note_id, "has_text": body.has_text}
        case _:
            plain = encode_body(body)
    return to_json(
        {
            "at_ms": record.at_ms,
            "kind": body.kind,
            "by": record.by,
            "session_id": record.session_id,
            "command_id": record.command_id,
            "record": plain,
        }
    )
