"""What the terminal shows of a room, on a recorded console."""

import asyncio
import io
from dataclasses import replace
from typing import cast

from rich.console import Console, RenderableType

from controller.api import RoomApi, Rooms
from controller.clock import ManualClock
from controller.core.snapshot import (
    SNAPSHOT_VERSION,
    CardView,
    CueView,
    FaultView,
    LampView,
    MusicView,
    OverrideView,
    PhaseView,
    SessionView,
    Snapshot,
    ZoneView,
)
from controller.terminal import TerminalInfo, duration, plain_line, render, show_rooms

INFO = TerminalInfo("http://192.0.2.7:8080", "493028", ("MQTT on port 1883",))

SESSION = SessionView(
    session_id="s1",
    profile="quiet_room",
    title="Quiet room",
    unreviewed=True,
    status="running",
    started_at_ms=0,
    session_ms=754_000,
    phase="breath",
    phase_title="Breath",
    phase_elapsed_ms=454_000,
    phase_left_ms=146_000,
    planned_end_ms=2_700_000,
    minimum_ms=0,
    phases=(
        PhaseView(0, "settle", "Settle", 0, 300_000, "past", "nature", 44.0),
        PhaseView(1, "breath", "Breath", 300_000, 600_000, "now", "drone", 42.0),
        PhaseView(2, "sit", "Sit", 900_000, 1_800_000, "next", None, 38.0),
    ),
    anchors=(),
    eyeshades=False,
    headphones=False,
    touch="ask",
    scenes=(),
    next_cue=CueView("c1", "breath", "client", "Let the out-breath be a little longer.", 834_000),
    cards=(CardView("p1", "water", "Offer water.", 0, 1_800_000),),
    undo=None,
    undo_until_ms=None,
)
MUSIC = MusicView(
    "playing", "drone", "calm", 0.15, "Low water", "the generator", 60_000, 240_000, 42.4, -2.0, False, ()
)
ROOM = Snapshot(
    version=SNAPSHOT_VERSION,
    revision=1,
    room="garden",
    title="Garden room",
    now_ms=0,
    speed=60,
    session=SESSION,
    zones=(
        ZoneView(
            "ceiling",
            18.2,
            50.0,
            2500,
            None,
            "#80512a",
            True,
            (OverrideView("brightness", "phase", "therapist"),),
            (),
        ),
        ZoneView("path", 0.0, 0.0, 2200, None, "#000000", False, (), ("path-left",)),
    ),
    lamps=(
        LampView("c1", "Ceiling 1", "ceiling", 18.2, "#80512a", True, False),
        LampView("c2", "Ceiling 2", "ceiling", 18.2, "#80512a", False, False),
        LampView("path-left", "Path", "path", 0.0, "#000000", True, True),
    ),
    music=MUSIC,
    faults=(FaultView("lights.hue", "the bridge does not answer", 0),),
    prepared=False,
)


def shown(what: RenderableType, *, colour: bool = False, width: int = 100) -> str:
    console = Console(
        record=True,
        file=io.StringIO(),
        width=width,
        force_terminal=colour,
        color_system="truecolor" if colour else None,
    )
    console.print(what)
    return console.export_text(styles=colour)


def test_the_panel_says_everything_that_is_asked_of_it() -> None:
    text = shown(render(ROOM, INFO))
    for words in (
        "Garden room",
        "Quiet room   12:34 of 45:00",
        "60 times as fast",
        "unreviewed",
        "Breath   7:34, 2:26 left",
        "██ ??",
        "ceiling 18 % 2500 K",
        "fading",
        "path 0 %",
        "Low water, the generator, 42 dB(A) (-2 dB)   1:00 of 4:00   not calibrated",
        "breath in 1:20 (client)",
        "Offer water.",
        "ceiling brightness: until the phase ends",
        "path: path-left changed at the lamp, left alone",
        "lights.hue: the bridge does not answer",
        "tablet http://192.0.2.7:8080   PIN 493028",
        "MQTT on port 1883",
    ):
        assert words in text, words


def test_a_lamp_is_shown_in_its_own_colour() -> None:
    assert "38;2;128;81;42m██" in shown(render(ROOM, INFO), colour=True)


def test_no_bright_or_blue_is_ever_shown() -> None:
    bare = replace(ROOM, lamps=())
    colours = {
        tuple(int(part) for part in code.split("m")[0].split(";")[-3:])
        for code in shown(render(bare, INFO), colour=True).split("\x1b[")
        if "38;2;" in code
    }
    assert colours
    assert all(red >= green >= blue and red < 220 for red, green, blue in colours)


def test_a_narrow_terminal_and_a_room_without_a_session_are_shown() -> None:
    text = shown(render(replace(ROOM, session=None, faults=(), prepared=True), INFO), width=40)
    assert "prepared, not started" in text
    assert all(len(line) <= 40 for line in text.splitlines())


def test_a_title_cannot_steer_the_terminal() -> None:
    nasty = replace(ROOM, music=replace(MUSIC, title="\x1b[2J[bold]boo\x07\nnext"))
    assert "\x1b[2J" not in shown(render(nasty, INFO), colour=True)
    assert "[bold]boo" in shown(render(nasty, INFO))
    assert "\n" not in plain_line(nasty)
    assert "\x1b" not in plain_line(nasty)


def test_the_plain_line() -> None:
    assert plain_line(ROOM) == (
        "Garden room | 12:34 of 45:00 | Breath, 2:26 left | ceiling 18 %, path 0 %"
        " | Low water, the generator, 42 dB(A) (-2 dB) | next breath in 1:20 (client)"
        " | ceiling brightness: until the phase ends | path: path-left changed at the lamp, left alone"
        " | FAULT lights.hue: the bridge does not answer"
    )
    idle = replace(ROOM, session=None, zones=(), faults=(), music=replace(MUSIC, state="silence"))
    assert plain_line(idle) == "Garden room | no session | silence"
    held = replace(ROOM, session=replace(SESSION, status="held"), zones=(), faults=())
    assert "12:34 of 45:00 held" in plain_line(held)


def test_durations() -> None:
    assert [duration(ms) for ms in (-5, 0, 59_999, 60_000, 3_599_999, 3_600_000, 36_061_000)] == [
        "0:00",
        "0:00",
        "0:59",
        "1:00",
        "59:59",
        "1:00:00",
        "10:01:01",
    ]


class OneRoom:
    """A room that only has a snapshot."""

    def __init__(self) -> None:
        self.now = ROOM

    def snapshot(self) -> Snapshot:
        return self.now


async def watched(console: Console, changes: tuple[tuple[int, Snapshot], ...], until_ms: int) -> None:
    room, clock = OneRoom(), ManualClock(1_000_000)
    rooms = cast("Rooms", {"garden": cast("RoomApi", room)})

    async def let_run(to_ms: int) -> None:
        while clock.now_ms() < to_ms:
            while clock.next_due_ms() is None:
                await asyncio.sleep(0.001)  # it is writing, in a thread
            clock.advance_to(min(to_ms, clock.next_due_ms() or to_ms))
            await clock.settle()

    showing = asyncio.ensure_future(show_rooms(rooms, INFO, clock, console))
    for at_ms, snapshot in changes:
        await let_run(1_000_000 + at_ms)
        room.now = snapshot
    await let_run(1_000_000 + until_ms)
    showing.cancel()
    await asyncio.gather(showing, return_exceptions=True)


async def test_without_a_terminal_lines_come_at_changes_and_now_and_then() -> None:
    file = io.StringIO()
    later = replace(ROOM, session=replace(SESSION, session_ms=760_000))
    held = replace(later, session=replace(SESSION, status="held"))
    await watched(Console(file=file, force_terminal=False, width=40), ((3_000, later), (9_000, held)), 75_000)
    lines = file.getvalue().splitlines()
    assert lines[:2] == ["tablet http://192.0.2.7:8080 PIN 493028", "MQTT on port 1883"]
    assert [" held" in line for line in lines[2:]] == [False, True, True, True]


async def test_a_terminal_that_can_only_print_gets_lines() -> None:
    file = io.StringIO()
    await watched(Console(file=file, force_terminal=True, _environ={"TERM": "dumb"}), (), 1_000)
    assert file.getvalue().startswith("tablet http://192.0.2.7:8080 PIN 493028")


async def test_on_a_terminal_the_panel_is_drawn_anew() -> None:
    file = io.StringIO()
    later = replace(ROOM, session=replace(SESSION, session_ms=999_000))
    terminal = {"TERM": "xterm-256color"}
    console = Console(
        file=file, force_terminal=True, width=100, height=40, color_system=None, _environ=terminal
    )
    await watched(console, ((1_000, later),), 3_000)
    assert "12:34 of" in file.getvalue()
    assert "16:39 of" in file.getvalue()
    assert file.getvalue().endswith("\x1b[?25h")  # the cursor is given back


class ClosedPipe(io.StringIO):
    """A reader that has gone."""

    def write(self, text: str) -> int:
        raise BrokenPipeError

    def fileno(self) -> int:
        raise io.UnsupportedOperation


async def test_a_reader_that_left_ends_the_showing_and_nothing_else() -> None:
    rooms = cast("Rooms", {"garden": cast("RoomApi", OneRoom())})
    for terminal in (False, True):
        console = Console(file=ClosedPipe(), force_terminal=terminal, _environ={"TERM": "xterm-256color"})
        console.on_broken_pipe = _exit  # type: ignore[method-assign]  # rich also redirects the real stdout
        await asyncio.wait_for(show_rooms(rooms, INFO, ManualClock(1), console), 5)


def _exit() -> None:
    raise SystemExit(1)
