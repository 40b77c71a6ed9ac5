"""Answers to commands, the same at every HTTP and WebSocket door. Knows no framework but Starlette."""

import asyncio
from collections.abc import Mapping
from typing import Final
from uuid import UUID

from starlette.responses import Response

from controller.api import RoomApi
from controller.errors import RefusedError, StillroomError
from controller.metrics import COMMAND_S
from controller.wire import CommandRequest, Refusal, Reply

_STATUS: Final[Mapping[str, int]] = {"invalid": 422, "too_large": 413, "forbidden": 403}


def reply_response(reply: Reply) -> Response:
    """Return a reply with the status that fits it: 200, or 409, 413, 422 with the reason."""
    status = 200 if reply.refused is None else _STATUS.get(reply.refused.code, 409)
    return Response(reply.model_dump_json(), status, media_type="application/json")


def refusal(error: RefusedError, command_id: object = None) -> Reply:
    """Return the reply to a message that never became a command."""
    return Reply(id=_uuid_or_none(command_id), ok=False, refused=Refusal.of(error))


async def carry_out(room: RoomApi, command: CommandRequest, by: str) -> Reply:
    """Submit a command; what the room raises becomes a refusal, so that a tablet always has an answer."""
    now_s = asyncio.get_running_loop().time
    begun_s = now_s()
    try:
        return await room.submit(command, by)
    except RefusedError as error:
        return refusal(error, str(command.id))
    except StillroomError as error:
        return refusal(RefusedError("failed", str(error)), str(command.id))
    finally:
        COMMAND_S.observe(now_s() - begun_s)


def _uuid_or_none(found: object) -> UUID | None:
    try:
        return UUID(found) if isinstance(found, str) else None
    except ValueError:
        return None
