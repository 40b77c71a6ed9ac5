"""The preview: a whole session drawn as one SVG, light, music and prompts over time. Dark and amber.

It lays out what the ribbon says and nothing else; it reads no clock and no file, so the same plan is always
the same drawing.
"""

from collections.abc import Iterator
from xml.sax.saxutils import escape

from controller.core.ribbon import ribbon_of_score
from controller.core.score import Score
from controller.core.snapshot import Ribbon, RibbonMusic, RibbonZone
from controller.core.units import MS_PER_MIN

WIDTH, MARGIN, LABELS = 960, 20, 84
TITLE, PHASES, LANE, GAP, MUSIC, CUES, AXIS = 34, 38, 54, 8, 66, 30, 26
GROUND, RAISED, EDGE, TEXT, BRIGHT, DIM = "#0b0806", "#150f0a", "#3a2917", "#d3974f", "#e8ad62", "#a87a43"
LETTER_PX = 6.4
FULL_DBA, LEAST_DBA = 70.0, 30.0
TICKS_MIN = (5, 10, 15, 30, 60, 120)


def preview_svg(score: Score) -> str:
    """Return the drawing of a score as it is written, one SVG document."""
    return ribbon_svg(ribbon_of_score(score), score.title, reviewed=score.reviewed)


def ribbon_svg(ribbon: Ribbon, title: str, *, reviewed: bool) -> str:
    """Return the drawing of a session's plan."""
    return "\n".join(_Drawing(ribbon, title, reviewed=reviewed).lines()) + "\n"


class _Drawing:
    def __init__(self, ribbon: Ribbon, title: str, *, reviewed: bool) -> None:
        self.ribbon, self.title, self.reviewed = ribbon, title, reviewed
        self.left, self.right = MARGIN + LABELS, WIDTH - MARGIN
        self.light_y = MARGIN + TITLE + PHASES
        self.music_y = self.light_y + len(ribbon.zones) * (LANE + GAP)
        self.cues_y = self.music_y + MUSIC + GAP
        self.axis_y = self.cues_y + 2 * CUES + GAP
        self.height = self.axis_y + AXIS + MARGIN

    def x(self, session_ms: int) -> float:
        share = session_ms / max(self.ribbon.length_ms, 1)
        return round(self.left + share * (self.right - self.left), 1)

    def lines(self) -> Iterator[str]:
        minutes = round(self.ribbon.length_ms / MS_PER_MIN)
        unsigned = "" if self.reviewed else " · unreviewed"
        yield (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {self.height}" width="{WIDTH}" '
            f'height="{self.height}" role="img" font-family="system-ui, sans-serif" font-size="11">'
        )
        yield f"<title>{escape(self.title)}: {minutes} minutes of light, music and prompts</title>"
        yield f'<rect width="{WIDTH}" height="{self.height}" fill="{GROUND}"/>'
        yield _text(MARGIN, MARGIN + 14, self.title, BRIGHT, size=17)
        yield _text(self.right, MARGIN + 14, f"{minutes} min{unsigned}", DIM, anchor="end")
        yield from self._phases()
        for index, zone in enumerate(self.ribbon.zones):
            yield from self._zone(zone, self.light_y + index * (LANE + GAP), index)
        yield from self._music()
        yield from self._cues()
        yield from self._axis()
        yield "</svg>"

    def _phases(self) -> Iterator[str]:
        top, rows_end = MARGIN + TITLE, [0.0, 0.0]
        for phase in self.ribbon.phases:
            x = self.x(phase.start_ms)
            yield f'<path d="M{x} {top + 4}V{self.axis_y}" stroke="{EDGE}" stroke-width="1"/>'
            row = 0 if x >= rows_end[0] else 1
            if x < rows_end[row]:
                continue
            rows_end[row] = x + LETTER_PX * len(phase.title) + 10
            yield _text(x + 4, top + 13 + 14 * row, phase.title, TEXT)

    def _zone(self, zone: RibbonZone, top: int, index: int) -> Iterator[str]:
        bottom, brightest = top + LANE, 50.0
        yield _text(MARGIN, top + LANE / 2 + 4, zone.zone, DIM)
        yield self._lane(top, LANE)
        stops, last = [], ""
        for point in zone.points:
            if point.swatch != last:
                share = round(point.session_ms / max(self.ribbon.length_ms, 1), 4)
                stops.append(f'<stop offset="{share}" stop-color="{point.swatch}"/>')
            last = point.swatch
        yield f'<linearGradient id="light{index}">{"".join(stops)}</linearGradient>'
        outline = []
        for point in zone.points:
            height = (LANE - 8) * min(point.brightness_percent, brightest) / brightest
            outline.append(f"{self.x(point.session_ms)},{round(bottom - 4 - height, 1)}")
        corners = f"{self.left},{bottom} {' '.join(outline)} {self.right},{bottom}"
        yield f'<polygon points="{corners}" fill="url(#light{index})" fill-opacity="0.85"/>'
        yield f'<polyline points="{" ".join(outline)}" fill="none" stroke="{BRIGHT}" stroke-width="1"/>'

    def _lane(self, top: int, height: int) -> str:
        width = self.right - self.left
        return f'<rect x="{self.left}" y="{top}" width="{width}" height="{height}" fill="{RAISED}"/>'

    def _music(self) -> Iterator[str]:
        top, ends = self.music_y, 0.0
        yield _text(MARGIN, top + MUSIC / 2 + 4, "music", DIM)
        yield self._lane(top, MUSIC)
        for block in self.ribbon.music:
            x, end = self.x(block.start_ms), self.x(block.start_ms + block.length_ms)
            if block.pool is None:
                dashes = f'stroke="{EDGE}" stroke-width="2" stroke-dasharray="2 4"'
                yield f'<path d="M{x} {top + MUSIC - 2}H{end}" {dashes}/>'
                continue
            yield from self._block(block, x, end, top)
            if x + 4 >= ends and end - x > LETTER_PX * len(block.mood) + 6:
                ends = x + LETTER_PX * len(block.mood) + 8
                yield _text(x + 4, top + 13, block.mood, TEXT)

    def _block(self, block: RibbonMusic, x: float, end: float, top: int) -> Iterator[str]:
        share = min(max((block.level_dba - LEAST_DBA) / (FULL_DBA - LEAST_DBA), 0.05), 1.0)
        height = round((MUSIC - 20) * share, 1)
        deep = round(0.2 + 0.6 * block.energy, 2)
        yield (
            f'<rect x="{x}" y="{round(top + MUSIC - height, 1)}" width="{round(max(end - x - 1, 0.5), 1)}" '
            f'height="{height}" fill="{DIM}" fill-opacity="{deep}">'
            f"<title>{escape(block.mood)}, {block.level_dba:g} dB(A)</title></rect>"
        )

    def _cues(self) -> Iterator[str]:
        for row, (audience, label) in enumerate((("client", "to client"), ("therapist", "cards"))):
            y, ends = self.cues_y + row * CUES + 12, 0.0
            yield _text(MARGIN, y + 4, label, DIM)
            for cue in self.ribbon.cues:
                if cue.audience != audience:
                    continue
                x = self.x(cue.due_ms)
                filled = BRIGHT if audience == "client" else "none"
                yield (
                    f'<circle cx="{x}" cy="{y}" r="3.5" fill="{filled}" stroke="{BRIGHT}">'
                    f"<title>{escape(cue.text)}</title></circle>"
                )
                if x >= ends:
                    ends = x + LETTER_PX * len(cue.prompt) + 16
                    yield _text(x + 7, y + 4, cue.prompt, DIM)

    def _axis(self) -> Iterator[str]:
        whole = self.ribbon.length_ms / MS_PER_MIN
        every = next((tick for tick in TICKS_MIN if whole / tick <= 13), TICKS_MIN[-1])
        for minute in range(0, int(whole) + 1, every):
            x = self.x(minute * MS_PER_MIN)
            yield f'<path d="M{x} {self.axis_y}v5" stroke="{DIM}"/>'
            yield _text(x, self.axis_y + 18, f"{minute // 60}:{minute % 60:02d}", DIM, anchor="middle")


def _text(x: float, y: float, words: str, fill: str, *, anchor: str = "start", size: int = 11) -> str:
    return (
        f'<text x="{round(x, 1)}" y="{round(y, 1)}" fill="{fill}" text-anchor="{anchor}" '
        f'font-size="{size}">{escape(words)}</text>'
    )
