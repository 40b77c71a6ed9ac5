"""Nothing on a command's way through the HTTP door leaves the event loop: a thread costs milliseconds."""

import inspect
from collections.abc import Iterator
from pathlib import Path

from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from controller.clock import ManualClock
from controller.web.access import Access
from controller.web.context import WebContext
from controller.web.room_calls import room_calls


def calls_of(dependant: Dependant) -> Iterator[object]:
    yield dependant.call
    for inner in dependant.dependencies:
        yield from calls_of(inner)


def test_every_part_of_the_command_route_runs_on_the_loop(tmp_path: Path) -> None:
    clock = ManualClock(1_000)
    context = WebContext({}, Access(tmp_path, clock, "135790"), tuple, clock, {}, {})
    routes = [route for route in room_calls(context).routes if isinstance(route, APIRoute)]
    command = next(route for route in routes if route.path.endswith("/commands"))
    calls = [call for call in calls_of(command.dependant) if call is not None]
    assert len(calls) >= 2, "the route, and who may"
    assert all(inspect.iscoroutinefunction(call) for call in calls)
