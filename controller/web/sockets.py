"""WebSockets: the live link of a tablet, and the client's prompt display.

A tablet's command is the same JSON as over HTTP, plus an optional ``link_ms``: the server's own count as
the tablet reckons it at the tap. A command that was under way longer than 5 s (held up by a bad link) is
refused, because the tablet has said by then that it was lost.
"""

import asyncio
import json
from typing import Any, Final

from fastapi import APIRouter, WebSocket, WebSocketDisconnect

from controller.api import RoomApi
from controller.errors import RefusedError
from controller.web.access import Grant, Power
from controller.web.context import WebContext
from controller.web.live import Feed, LiveRoom, encode
from controller.web.replies import carry_out, refusal
from controller.web.screens import PromptScreen
from controller.wire import MAX_MESSAGE_BYTES, CommandRequest, PromptAckRequest, parse_command

NOT_PAIRED: Final = 4401
FORBIDDEN: Final = 4403
NO_ROOM: Final = 4404
OLDEST_COMMAND_MS: Final = 5_000
MAX_IN_FLIGHT: Final = 32
DISPLAY_BEAT_MS: Final = 1_000


async def _admit(context: WebContext, socket: WebSocket, power: Power) -> Grant | None:
    """Accept a socket and return its grant; close it with a code that the page understands."""
    grant = context.grant_of(socket)
    await socket.accept()
    if grant is None:
        await socket.close(NOT_PAIRED, "not paired")
        return None
    if not grant.may(power):
        await socket.close(FORBIDDEN, f"the role {grant.role} may not do this")
        return None
    return grant


def _read(text: str, link_now_ms: int) -> CommandRequest:
    """Return the command in a tablet's message.

    Raises:
        RefusedError: it is none, or it is too old.
    """
    if len(text) > MAX_MESSAGE_BYTES:
        raise RefusedError("too_large", "a command is at most {bytes} bytes", bytes=MAX_MESSAGE_BYTES)
    try:
        message: Any = json.loads(text)
    except (ValueError, RecursionError):
        raise RefusedError("invalid", "the message is not JSON") from None
    if not isinstance(message, dict):
        raise RefusedError("invalid", "a command is a JSON object")
    link_ms = message.pop("link_ms", None)
    command = parse_command(message)
    if isinstance(link_ms, (int, float)) and link_now_ms - link_ms > OLDEST_COMMAND_MS:
        raise RefusedError("stale", "the command was under way for more than 5 s")
    return command


def _id_in(text: str) -> object:
    try:
        message: Any = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return message.get("id") if isinstance(message, dict) else None


async def _text_of(socket: WebSocket) -> str:
    """Return the next text message; a binary one counts as empty.

    Raises:
        WebSocketDisconnect: the other side is gone.
    """
    message = await socket.receive()
    if message["type"] == "websocket.disconnect":
        raise WebSocketDisconnect(message.get("code", 1005))
    return message.get("text") or ""


class _Tablet:
    """One tablet's live link."""

    def __init__(self, context: WebContext, socket: WebSocket, grant: Grant, room: RoomApi) -> None:
        self._context = context
        self._socket = socket
        self._grant = grant
        self._room = room
        self._live: LiveRoom = context.live[room.room_id]
        self._feed: Feed = self._live.join()
        self._in_flight = 0

    async def serve(self) -> None:
        """Serve until the tablet goes away or its token is taken back."""
        try:
            async with asyncio.TaskGroup() as tasks:
                sender = tasks.create_task(self._send())
                try:
                    while True:
                        self._take(await _text_of(self._socket), tasks)
                except (WebSocketDisconnect, RuntimeError):
                    sender.cancel()
        finally:
            self._live.leave(self._feed)

    async def _send(self) -> None:
        try:
            while True:
                message = await self._feed.next(self._live.whole)
                if not self._context.access.stands(self._grant):
                    await self._socket.close(NOT_PAIRED, "the token was taken back")
                    return
                await self._socket.send_text(message)
        except (WebSocketDisconnect, RuntimeError):
            return  # gone; the receiving side notices too and ends the rest

    def _take(self, text: str, tasks: asyncio.TaskGroup) -> None:
        try:
            command = self._admitted(text)
        except RefusedError as error:
            self._reply(refusal(error, _id_in(text)).model_dump(mode="json"))
            return
        self._in_flight += 1
        tasks.create_task(self._submit(command))

    def _admitted(self, text: str) -> CommandRequest:
        if not self._context.access.stands(self._grant):
            raise RefusedError("forbidden", "not paired any more")
        if not self._grant.may(Power.CONTROL):
            raise RefusedError("forbidden", "the role {role} may not do this", role=str(self._grant.role))
        if self._in_flight >= MAX_IN_FLIGHT:
            raise RefusedError("busy", "too many commands at once")
        return _read(text, self._live.link_ms())

    async def _submit(self, command: CommandRequest) -> None:
        try:
            reply = await carry_out(self._room, command, self._grant.by)
        finally:
            self._in_flight -= 1
        self._reply(reply.model_dump(mode="json"))

    def _reply(self, reply: dict[str, Any]) -> None:
        self._feed.answer(encode({"type": "reply", "reply": reply}))


class _Display:
    """One client's prompt display: it is sent prompts and says when one was shown, nothing else."""

    def __init__(self, context: WebContext, socket: WebSocket, grant: Grant, room: RoomApi) -> None:
        self._context = context
        self._socket = socket
        self._grant = grant
        self._room = room
        self._screen: PromptScreen = context.screens[room.room_id]

    async def serve(self) -> None:
        """Serve until the display goes away."""
        queue = self._screen.join()
        try:
            async with asyncio.TaskGroup() as tasks:
                senders = [tasks.create_task(self._prompts(queue)), tasks.create_task(self._beat())]
                try:
                    while True:
                        await self._acknowledge(await _text_of(self._socket))
                except (WebSocketDisconnect, RuntimeError):
                    for sender in senders:
                        sender.cancel()
        finally:
            self._screen.leave(queue)

    async def _prompts(self, queue: "asyncio.Queue[Any]") -> None:
        while True:
            shown = await queue.get()
            await self._say(
                {"type": "prompt", "id": shown.prompt_id, "text": shown.text, "ttl_s": shown.ttl_s}
            )

    async def _beat(self) -> None:
        clock = self._context.clock
        while self._context.access.stands(self._grant):
            await self._say({"type": "beat"})
            await clock.sleep_until(clock.now_ms() + DISPLAY_BEAT_MS * clock.speed)
        await self._socket.close(NOT_PAIRED, "the token was taken back")

    async def _say(self, message: dict[str, object]) -> None:
        try:
            await self._socket.send_text(encode(message))
        except (WebSocketDisconnect, RuntimeError):
            return  # gone; the receiving side ends this

    async def _acknowledge(self, text: str) -> None:
        try:
            command = parse_command(text)
        except RefusedError:
            return
        if isinstance(command, PromptAckRequest):
            self._screen.acknowledged(command.prompt_id)
            await carry_out(self._room, command, self._grant.by)


def socket_calls(context: WebContext) -> APIRouter:
    """Return the WebSocket routes."""
    routes = APIRouter(prefix="/api/v1/rooms")

    @routes.websocket("/{room}/live")
    async def live(socket: WebSocket, room: str) -> None:
        grant = await _admit(context, socket, Power.SEE)
        if grant is None:
            return
        target = context.rooms.get(room)
        if target is None:
            await socket.close(NO_ROOM, "no such room")
            return
        await _Tablet(context, socket, grant, target).serve()

    @routes.websocket("/{room}/display")
    async def display(socket: WebSocket, room: str) -> None:
        grant = await _admit(context, socket, Power.SHOW_PROMPTS)
        if grant is None:
            return
        target = context.rooms.get(room)
        if target is None:
            await socket.close(NO_ROOM, "no such room")
            return
        await _Display(context, socket, grant, target).serve()

    return routes
