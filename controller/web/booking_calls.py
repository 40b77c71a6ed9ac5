"""HTTP: the calendar. A booking prepares a room before its time; it never starts a session."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Annotated, Protocol, TypeVar

from fastapi import APIRouter, Depends, HTTPException
from pydantic import Field

from controller.errors import RefusedError, StillroomError
from controller.web.access import Grant, Power
from controller.web.context import WebContext
from controller.web.said import SaidError
from controller.wire import Name, WireModel

T = TypeVar("T")


class BookedTime(Protocol):
    """A booking as the calendar keeps it (``controller.bookings.Booking``)."""

    @property
    def booking_id(self) -> str:
        """Its id."""
        ...

    @property
    def room(self) -> str:
        """Which room."""
        ...

    @property
    def profile(self) -> str:
        """Which profile is planned."""
        ...

    @property
    def at(self) -> datetime:
        """When the session is planned."""
        ...

    @property
    def prepare_minutes(self) -> int:
        """How long before that the room is made ready."""
        ...


class Calendar(Protocol):
    """The site's bookings (``controller.bookings.Bookings``)."""

    async def add(self, room: str, profile: str, at: datetime, prepare_minutes: int = 15) -> BookedTime:
        """Book."""
        ...

    async def list(self) -> tuple[BookedTime, ...]:
        """All bookings to come, the next first."""
        ...

    async def cancel(self, booking_id: str) -> None:
        """Cancel."""
        ...


class BookingRequest(WireModel):
    """Book a room: ``at`` in local time, or with its offset."""

    room: Name
    profile: Name
    at: datetime
    prepare_minutes: int = Field(default=15, ge=0, le=240)


class BookingLine(WireModel):
    """A booking in the list."""

    booking_id: str
    room: str
    profile: str
    at: datetime
    prepare_minutes: int


def _line(booking: BookedTime) -> BookingLine:
    return BookingLine(
        booking_id=booking.booking_id,
        room=booking.room,
        profile=booking.profile,
        at=booking.at,
        prepare_minutes=booking.prepare_minutes,
    )


def booking_calls(context: WebContext) -> APIRouter:
    """Return the routes; without a calendar they answer 404."""
    routes = APIRouter(prefix="/api/v1/bookings", tags=["bookings"])
    see = Depends(context.require(Power.SEE))
    prepare = context.require(Power.PREPARE)

    def calendar() -> Calendar:
        if context.calendar is None:
            raise HTTPException(404, "this site takes no bookings")
        return context.calendar

    @routes.get("", dependencies=[see])
    async def bookings() -> list[BookingLine]:
        """List the bookings to come."""
        return [_line(booking) for booking in await _said(calendar().list)]

    @routes.post("", status_code=201)
    async def book(request: BookingRequest, _grant: Annotated[Grant, Depends(prepare)]) -> BookingLine:
        """Book a room: its lights and bed come up before the time; the session is started by hand."""
        room = context.room(request.room)
        if request.profile not in {named.name for named in room.profiles()}:
            raise SaidError(422, "no profile '{profile}' in this room", profile=request.profile)
        taken = calendar()
        booked = await _said(
            lambda: taken.add(request.room, request.profile, request.at, request.prepare_minutes)
        )
        return _line(booked)

    @routes.delete("/{booking_id}", status_code=204)
    async def cancel(booking_id: str, _grant: Annotated[Grant, Depends(prepare)]) -> None:
        """Cancel a booking."""
        taken = calendar()
        await _said(lambda: taken.cancel(booking_id))

    return routes


async def _said(call: Callable[[], Awaitable[T]]) -> T:
    try:
        return await call()
    except RefusedError as error:
        raise SaidError.of(409, error) from None
    except StillroomError as error:
        raise HTTPException(409, str(error)) from None
