"""The drawing of a session as it was: light in its true colours, music, prompts, notes, what was a person's.

Pure: an account in, one SVG document out; no clock, no file. It draws what the records say, faults of ours
included, and never a note's free text.
"""

from collections.abc import Iterable, Iterator
from xml.sax.saxutils import escape

from controller.core.units import MS_PER_MIN
from controller.reports.account import Account, LightPoint, Span, TrackHeard

WIDTH, LABELS, MARGIN = 1000, 96, 16
PHASES, ZONE, GAP, MUSIC, ROW, AXIS = 36, 56, 10, 34, 24, 26
GROUND, RAISED, EDGE = "#0b0806", "#171009", "#3a2917"
TEXT, BRIGHT, DIM, WARN = "#d3974f", "#e8ad62", "#a87a43", "#d9603b"
LETTER_PX = 6.2
BRIGHTEST_PERCENT = 50.0
"""A lane's full height: no room is brighter than this but by a person's word, and that may touch the top."""
LEAST_STOP = 0.001
TICKS_MIN = (5, 10, 15, 30, 60, 120)


def account_svg(account: Account) -> str:
    """Return the drawing of a session, one SVG document."""
    return "\n".join(_Drawing(account).lines()) + "\n"


class _Drawing:
    def __init__(self, account: Account) -> None:
        self.account = account
        self.left, self.right = MARGIN + LABELS, WIDTH - MARGIN
        self.light_y = MARGIN + PHASES
        self.music_y = self.light_y + len(account.light) * (ZONE + GAP)
        self.rows_y = self.music_y + MUSIC + GAP
        self.axis_y = self.rows_y + 4 * ROW + GAP
        self.height = self.axis_y + AXIS + MARGIN

    def x(self, at_ms: int) -> float:
        span = self.account.span
        share = (at_ms - span.start_ms) / max(span.length_ms, 1)
        return round(self.left + min(max(share, 0.0), 1.0) * (self.right - self.left), 1)

    def lines(self) -> Iterator[str]:
        account = self.account
        minutes = round(account.span.length_ms / MS_PER_MIN)
        yield (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {self.height}" role="img" '
            'font-family="system-ui, DejaVu Sans, sans-serif" font-size="11">'
        )
        yield f"<title>{escape(account.title)}: {minutes} minutes as they were</title>"
        yield f'<rect width="{WIDTH}" height="{self.height}" rx="10" fill="{GROUND}"/>'
        yield from self._phases()
        for index, (zone, points) in enumerate(account.light.items()):
            yield from self._zone(zone, points, self.light_y + index * (ZONE + GAP), index)
        yield from self._music()
        yield from self._rows()
        yield from self._axis()
        yield "</svg>"

    def _phases(self) -> Iterator[str]:
        rows_end = [0.0, 0.0]
        for phase in self.account.phases:
            x = self.x(phase.span.start_ms)
            yield f'<path d="M{x} {MARGIN + 2}V{self.axis_y}" stroke="{EDGE}"/>'
            row = 0 if x >= rows_end[0] else 1
            if x < rows_end[row]:
                continue
            rows_end[row] = x + LETTER_PX * len(phase.title) + 12
            yield _text(x + 4, MARGIN + 12 + 14 * row, phase.title, BRIGHT)
        for held in self.account.holds:
            x, end = self.x(held.start_ms), self.x(held.end_ms)
            width = round(max(end - x, 1), 1)
            yield (
                f'<rect x="{x}" y="{self.light_y - 4}" width="{width}" height="{self.axis_y - self.light_y}" '
                f'fill="{BRIGHT}" fill-opacity="0.10"><title>held</title></rect>'
            )

    def _zone(self, zone: str, points: tuple[LightPoint, ...], top: int, index: int) -> Iterator[str]:
        bottom = top + ZONE
        yield _text(MARGIN, top + ZONE / 2 + 4, zone, DIM)
        yield self._lane(top, ZONE)
        stops = "".join(_stops(points, self.account.span))
        across = f'gradientUnits="userSpaceOnUse" x1="{self.left}" x2="{self.right}" y1="0" y2="0"'
        yield f'<linearGradient id="was{index}" {across}>{stops}</linearGradient>'
        outline = " ".join(
            f"{self.x(p.at_ms)},{round(bottom - 10 - (ZONE - 16) * _share(p.percent), 1)}" for p in points
        )
        if outline:
            first, end = self.x(points[0].at_ms), self.x(points[-1].at_ms)
            corners = f"{first},{bottom - 6} {outline} {end},{bottom - 6}"
            yield f'<polygon points="{corners}" fill="url(#was{index})" fill-opacity="0.9"/>'
            yield f'<polyline points="{outline}" fill="none" stroke="{BRIGHT}" stroke-width="1"/>'
        mine = (f"light {zone} brightness", f"light {zone} colour")
        yield from self._bars(
            (o.span for o in self.account.overrides if o.channel in mine), bottom - 4, BRIGHT
        )

    def _lane(self, top: float, height: float) -> str:
        width = self.right - self.left
        return f'<rect x="{self.left}" y="{top}" width="{width}" height="{height}" fill="{RAISED}"/>'

    def _bars(self, spans: Iterable[Span], y: float, colour: str) -> Iterator[str]:
        for span in spans:
            x, end = self.x(span.start_ms), self.x(span.end_ms)
            width = round(max(end - x, 2.0), 1)
            yield f'<rect x="{x}" y="{y}" width="{width}" height="3" rx="1.5" fill="{colour}"/>'

    def _music(self) -> Iterator[str]:
        top, ends = self.music_y, 0.0
        yield _text(MARGIN, top + MUSIC / 2 + 4, "music", DIM)
        yield self._lane(top, MUSIC)
        for index, heard in enumerate(self.account.tracks):
            x, end = self.x(heard.span.start_ms), self.x(heard.span.end_ms)
            width = round(max(end - x - 0.8, 0.6), 1)
            yield (
                f'<rect x="{x}" y="{top + 4}" width="{width}" height="{MUSIC - 14}" fill="{DIM}" '
                f'fill-opacity="{0.55 if index % 2 else 0.38}"><title>{escape(_words(heard))}</title></rect>'
            )
            if x >= ends and end - x > LETTER_PX * len(heard.title) + 6:
                ends = end
                yield _text(x + 4, top + 18, heard.title, BRIGHT)
        sound = ("volume", "mood", "silence")
        mine = (o.span for o in self.account.overrides if o.channel in sound)
        yield from self._bars(mine, top + MUSIC - 5, BRIGHT)

    def _rows(self) -> Iterator[str]:
        account = self.account
        client = [(p.at_ms, p.prompt) for p in account.prompts if p.audience == "client"]
        cards = [(p.at_ms, p.prompt) for p in account.prompts if p.audience != "client"]
        notes = [(m.at_ms, m.what or "note") for m in account.moments if m.kind == "note"]
        faults = [(d.span.start_ms, d.what) for d in account.disturbances]
        rows = (("to client", client, BRIGHT), ("cards", cards, DIM), ("notes", notes, TEXT))
        for row, (label, marks, colour) in enumerate(rows):
            yield from self._row(label, marks, self.rows_y + row * ROW, colour, named=True)
        yield from self._row("disturbances", faults, self.rows_y + 3 * ROW, WARN, named=False)

    def _row(
        self, label: str, marks: list[tuple[int, str]], top: float, colour: str, *, named: bool
    ) -> Iterator[str]:
        y, ends = top + 11, 0.0
        yield _text(MARGIN, y + 4, label, DIM)
        for at_ms, words in marks:
            x = self.x(at_ms)
            yield f'<circle cx="{x}" cy="{y}" r="3.5" fill="{colour}"><title>{escape(words)}</title></circle>'
            if named and x >= ends and x + LETTER_PX * len(words) < self.right:
                ends = x + LETTER_PX * len(words) + 18
                yield _text(x + 7, y + 4, words, DIM)

    def _axis(self) -> Iterator[str]:
        whole = self.account.span.length_ms / MS_PER_MIN
        every = next((tick for tick in TICKS_MIN if whole / tick <= 13), TICKS_MIN[-1])
        for minute in range(0, int(whole) + 1, every):
            x = self.x(self.account.span.start_ms + minute * MS_PER_MIN)
            yield f'<path d="M{x} {self.axis_y}v5" stroke="{DIM}"/>'
            yield _text(x, self.axis_y + 18, f"{minute // 60}:{minute % 60:02d}", DIM, anchor="middle")


def _stops(points: tuple[LightPoint, ...], span: Span) -> Iterator[str]:
    """Give a gradient's stops: PDF readers want each clearly behind the one before."""
    last_share, last_swatch = -1.0, ""
    for point in points:
        share = round((point.at_ms - span.start_ms) / max(span.length_ms, 1), 4)
        if point.swatch != last_swatch and share >= last_share + LEAST_STOP:
            yield f'<stop offset="{share}" stop-color="{point.swatch}"/>'
            last_share, last_swatch = share, point.swatch


def _share(percent: float) -> float:
    return min(percent, BRIGHTEST_PERCENT) / BRIGHTEST_PERCENT


def _words(heard: TrackHeard) -> str:
    return f"{heard.title or heard.track}{f' by {heard.artist}' if heard.artist else ''} ({heard.pool})"


def _text(x: float, y: float, words: str, fill: str, *, anchor: str = "start") -> str:
    place = f'x="{round(x, 1)}" y="{round(y, 1)}"'
    return f'<text {place} fill="{fill}" text-anchor="{anchor}">{escape(words)}</text>'
