"""The plan that the web app's fake room follows: psilocybin in nine phases, three zones."""

from controller.core.light import Look, Mired, Xy, rgb_hex
from controller.core.snapshot import (
    CueView,
    PhaseView,
    Ribbon,
    RibbonMusic,
    RibbonPoint,
    RibbonZone,
    ZoneView,
)
from controller.core.units import lstar_from_percent, mired_from_kelvin

MIN = 60_000
PLAN = (
    # phase, title, minutes, percent, kelvin, pool, level
    ("arrival", "Arrival", 30, 45, 2700, "warm", 48),
    ("intention", "Intention", 30, 35, 2500, "sparse", 42),
    ("settle", "Settle", 25, 25, 2300, "reassuring", 50),
    ("onset", "Onset", 45, 10, 2200, "steady", 55),
    ("ascent", "Ascent", 40, 4, 2000, "building", 60),
    ("peak", "Peak", 90, 2, 2000, "vast", 62),
    ("descent", "Descent", 90, 4, 2000, "tender", 57),
    ("return", "Return", 70, 15, 2200, "light", 52),
    ("talk", "Talk", 60, 35, 2700, "faint", 40),
)
ZONES = ("ceiling", "bedside", "path")
POOLS = tuple(entry[5] for entry in PLAN)


def zone_view(
    zone: str, percent: float, kelvin: int | None, *, xy: tuple[float, float] | None = None
) -> ZoneView:
    lstar = lstar_from_percent(percent)
    colour = Xy(*xy) if xy else Mired(mired_from_kelvin(kelvin or 2200))
    swatch = rgb_hex(Look(lstar, colour))
    return ZoneView(zone, percent, lstar, None if xy else kelvin, xy, swatch, False, (), ())


def lay_out(minutes: list[int], at_ms: int) -> tuple[PhaseView, ...]:
    start, found = 0, []
    for slot, (entry, length) in enumerate(zip(PLAN, minutes, strict=True)):
        end = start + length * MIN
        state = "past" if at_ms >= end else "now" if at_ms >= start else "next"
        found.append(
            PhaseView(slot, entry[0], entry[1], start, length * MIN, state, entry[5], float(entry[6]))  # type: ignore[arg-type]
        )
        start = end
    return tuple(found)


def ribbon_of(profile: str, minutes: list[int], at_ms: int) -> Ribbon:
    phases = lay_out(minutes, at_ms)
    zones = []
    for zone in ZONES:
        points: list[RibbonPoint] = []
        for entry, phase in zip(PLAN, phases, strict=True):
            percent = entry[3] * (0.4 if zone == "path" else 1.0)
            swatch = rgb_hex(Look(lstar_from_percent(percent), Mired(mired_from_kelvin(entry[4]))))
            points.append(RibbonPoint(phase.start_ms + min(phase.length_ms // 3, 5 * MIN), percent, swatch))
            points.append(RibbonPoint(phase.start_ms + phase.length_ms, percent, swatch))
        zones.append(RibbonZone(zone, tuple(points)))
    music = tuple(
        RibbonMusic(p.start_ms, p.length_ms, p.pool, p.pool or "", 0.2 + 0.06 * p.slot, p.level_dba)
        for p in phases
    )
    cues = (
        CueView(
            "c1",
            "breath",
            "client",
            "Let the out-breath be a little longer.",
            phases[2].start_ms + 5 * MIN,
        ),
        CueView("c2", "trust", "client", "Trust it, let go, stay open.", phases[4].start_ms + 10 * MIN),
        CueView("c3", "pressure", "therapist", "Blood pressure.", phases[6].start_ms),
        CueView("c4", "senses", "client", "Five things you see …", phases[7].start_ms + 30 * MIN),
    )
    length = sum(minutes) * MIN
    return Ribbon(profile, length, 300 * MIN, phases, tuple(zones), music, cues)
