"""The terminal's view of the rooms: a live panel, or plain lines where there is no terminal.

It only looks: it takes no commands and decides nothing. Writing to a terminal may block (Ctrl-S, a full
pipe), so it is done in a thread and never holds up a room.
"""

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, TypeAlias

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from controller.api import Rooms
from controller.core.snapshot import MusicView, OverrideView, SessionView, Snapshot
from controller.core.units import MS_PER_S
from controller.ports import Clock

REFRESH_MS: Final = 500
"""How often the panel is drawn anew, real ms."""
PLAIN_LEAST_MS: Final = 2_000
"""Plain lines are never closer together than this, real ms …"""
PLAIN_MOST_MS: Final = 30_000
"""… and, when nothing changes, not further apart than this."""
RIBBON_CELLS: Final = 48

# Dark-friendly: the room may be dark and this screen in sight.
AMBER: Final = "#d2913c"
DIM: Final = "#8a6230"
FAINT: Final = "#54401f"
FAULT: Final = "bold #cf6a4a"


@dataclass(frozen=True, slots=True)
class TerminalInfo:
    """What is the same all along: where tablets connect, with which PIN, and other lines worth knowing."""

    address: str
    pin: str
    notes: tuple[str, ...] = ()


def render(snapshot: Snapshot, info: TerminalInfo) -> RenderableType:
    """Return one room as a panel."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style=DIM, justify="right", no_wrap=True)
    grid.add_column(style=AMBER, ratio=1)
    for label, value in _rows(snapshot):
        grid.add_row(label, value)
    footer = Text(f"tablet {_clean(info.address)}   PIN {_clean(info.pin)}", style=AMBER)
    for note in info.notes:
        footer.append(f"\n{_clean(note)}", style=DIM)
    title = Text(f"stillroom · {_clean(snapshot.title or snapshot.room)}", style=AMBER)
    return Panel(
        Group(grid, Text(), footer), title=title, title_align="left", border_style=FAINT, padding=(1, 2)
    )


_Row: TypeAlias = tuple[str, RenderableType]


def _rows(snapshot: Snapshot) -> Iterable[_Row]:
    session = snapshot.session
    if session is None:
        yield "session", Text("prepared, not started" if snapshot.prepared else "none")
    else:
        yield "session", _session(session, snapshot.speed)
        yield (
            "phase",
            Text(
                f"{_clean(session.phase_title)}   {duration(session.phase_elapsed_ms)}, "
                f"{duration(session.phase_left_ms)} left"
            ),
        )
        yield "", _ribbon(session)
    yield "lamps", _lamps(snapshot)
    yield "music", _music(snapshot.music)
    if session is not None:
        yield "next cue", Text(_next_cue(session))
        for card in session.cards:
            yield "card", Text(_clean(card.text))
    for line in _override_lines(snapshot):
        yield "by hand", Text(line)
    for fault in snapshot.faults:
        yield "fault", Text(f"{_clean(fault.part)}: {_clean(fault.message)}", style=FAULT)


def _session(session: SessionView, speed: int) -> Text:
    text = Text(
        f"{_clean(session.title)}   {duration(session.session_ms)} of {duration(_length_ms(session))}"
    )
    if session.status != "running":
        text.append(f"   {session.status}", style="bold")
    if speed != 1:
        text.append(f"   {speed} times as fast", style=DIM)
    if session.unreviewed:
        text.append("   unreviewed", style=DIM)
    return text


def _length_ms(session: SessionView) -> int:
    return max((phase.start_ms + phase.length_ms for phase in session.phases), default=0)


def _ribbon(session: SessionView) -> Text:
    """All phases in one line, each as long as it lasts; what has passed is dim, what comes is faint."""
    whole_ms, text = max(_length_ms(session), 1), Text()
    for phase in session.phases:
        cells = max(1, round(RIBBON_CELLS * phase.length_ms / whole_ms))
        passed_ms = min(max(session.session_ms - phase.start_ms, 0), phase.length_ms)
        filled = round(cells * passed_ms / max(phase.length_ms, 1))
        text.append("━" * filled, style=AMBER if phase.state == "now" else DIM)
        text.append("━" * (cells - filled), style=FAINT)
        text.append(" ")
    return text


def _lamps(snapshot: Snapshot) -> RenderableType:
    table = Table.grid(padding=(0, 2))
    for zone in snapshot.zones:
        cell = Text(f"{_clean(zone.zone)} ", style=AMBER)
        cell.append(f"{zone.brightness_percent:.0f} %", style=AMBER)
        if zone.kelvin is not None and zone.brightness_percent > 0:
            cell.append(f" {zone.kelvin} K", style=DIM)
        swatches = Text()
        for lamp in snapshot.lamps:
            if lamp.zone == zone.zone:
                mark = "██" if lamp.reachable else "??"
                swatches.append(mark, style=lamp.swatch if lamp.reachable else FAULT)
                swatches.append(" ")
        arrow = Text("fading" if zone.fading else "", style=DIM)
        table.add_row(swatches, cell, arrow)
    return table


def _music(music: MusicView) -> Text:
    text = Text(_music_words(music))
    if music.length_ms:
        text.append(f"   {duration(music.position_ms)} of {duration(music.length_ms)}", style=DIM)
    if not music.calibrated:
        text.append("   not calibrated", style=DIM)
    return text


def _music_words(music: MusicView) -> str:
    level = f"{music.level_dba:.0f} dB(A)"
    if music.trim_db:
        level += f" ({music.trim_db:+.0f} dB)"
    match music.state:
        case "stopped":
            return "stopped"
        case "silence":
            return "silence"
        case "bed":
            return f"the bed, {level}"
        case "playing":
            title = _clean(music.title) or _clean(music.pool or "")
            by = f", {_clean(music.artist)}" if music.artist else ""
            return f"{title}{by}, {level}"


def _next_cue(session: SessionView) -> str:
    cue = session.next_cue
    if cue is None:
        return "none"
    when = duration(max(cue.due_ms - session.session_ms, 0))
    return f"{_clean(cue.prompt)} in {when} ({cue.audience})"


def _override_lines(snapshot: Snapshot) -> Iterable[str]:
    for zone in snapshot.zones:
        for override in zone.overrides:
            yield f"{_clean(zone.zone)} {_override(override)}"
        if zone.changed_by_hand:
            fixtures = _clean(", ".join(zone.changed_by_hand))
            yield f"{_clean(zone.zone)}: {fixtures} changed at the lamp, left alone"
    for override in snapshot.music.overrides:
        yield f"music {_override(override)}"


def _override(override: OverrideView) -> str:
    match override.scope:
        case "until_released":
            lasts = "until released"
        case "phase":
            lasts = "until the phase ends"
        case "minutes":
            lasts = "for a while"
    scene = f", {_clean(override.scene)}" if override.scene else ""
    return f"{_clean(override.channel)}{scene}: {lasts}"


def plain_line(snapshot: Snapshot) -> str:
    """Return one room as one line without colours."""
    parts = [_clean(snapshot.title or snapshot.room)]
    session = snapshot.session
    if session is None:
        parts.append("prepared" if snapshot.prepared else "no session")
    else:
        status = "" if session.status == "running" else f" {session.status}"
        parts.append(f"{duration(session.session_ms)} of {duration(_length_ms(session))}{status}")
        parts.append(f"{_clean(session.phase_title)}, {duration(session.phase_left_ms)} left")
    parts.append(", ".join(f"{_clean(zone.zone)} {zone.brightness_percent:.0f} %" for zone in snapshot.zones))
    parts.append(_music_words(snapshot.music))
    if session is not None and session.next_cue is not None:
        parts.append(f"next {_next_cue(session)}")
    parts.extend(_override_lines(snapshot))
    parts.extend(f"FAULT {_clean(fault.part)}: {_clean(fault.message)}" for fault in snapshot.faults)
    return " | ".join(part for part in parts if part)


def news_key(snapshot: Snapshot) -> object:
    """Return what makes a plain line worth printing when it differs from the last one's."""
    session = snapshot.session
    return (
        None if session is None else (session.session_id, session.status, session.phase, len(session.cards)),
        snapshot.music.state,
        snapshot.music.title,
        tuple(_override_lines(snapshot)),
        tuple((fault.part, fault.message) for fault in snapshot.faults),
    )


def duration(ms: int) -> str:
    """Return a length of time as ``m:ss`` or ``h:mm:ss``."""
    seconds = max(ms, 0) // MS_PER_S
    minutes, hours = seconds // 60 % 60, seconds // 3600
    return f"{hours}:{minutes:02}:{seconds % 60:02}" if hours else f"{minutes}:{seconds % 60:02}"


def _clean(text: str) -> str:
    """A track's title may hold anything; only what is printable reaches the terminal."""
    return "".join(character if character.isprintable() else " " for character in text)


async def show_rooms(rooms: Rooms, info: TerminalInfo, clock: Clock, console: Console) -> None:
    """Show all rooms until cancelled: a live panel on a terminal, plain lines anywhere else.

    If the terminal goes away (a closed pipe or window) it returns: the rooms go on unseen.
    """
    show = _show_live if console.is_terminal and not console.is_dumb_terminal else _show_plain
    # rich turns a broken pipe into SystemExit; a reader who left must not end a session.
    with suppress(OSError, SystemExit):
        await show(rooms, info, clock, console)


async def _real_pause(clock: Clock, real_ms: int) -> None:
    await clock.sleep_until(clock.now_ms() + real_ms * clock.speed)


async def _show_live(rooms: Rooms, info: TerminalInfo, clock: Clock, console: Console) -> None:
    def panels() -> RenderableType:
        return Group(*(render(room.snapshot(), info) for room in rooms.values()))

    live = Live(panels(), console=console, auto_refresh=False, transient=False)
    await asyncio.to_thread(live.start, refresh=True)
    try:
        while True:
            await _real_pause(clock, REFRESH_MS)
            await asyncio.to_thread(live.update, panels(), refresh=True)
    finally:
        live.stop()


async def _show_plain(rooms: Rooms, info: TerminalInfo, clock: Clock, console: Console) -> None:
    def write(line: str) -> None:
        console.print(Text(line), soft_wrap=True)

    for line in (f"tablet {info.address} PIN {info.pin}", *info.notes):
        await asyncio.to_thread(write, _clean(line))
    last: dict[str, tuple[object, int]] = {}
    while True:
        for name, room in rooms.items():
            snapshot, now_ms = room.snapshot(), clock.now_ms()
            news, (old_news, old_ms) = news_key(snapshot), last.get(name, (None, 0))
            if news != old_news or now_ms - old_ms >= PLAIN_MOST_MS * clock.speed:
                last[name] = (news, now_ms)
                await asyncio.to_thread(write, plain_line(snapshot))
        await _real_pause(clock, PLAIN_LEAST_MS)
