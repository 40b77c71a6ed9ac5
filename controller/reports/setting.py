"""The setting report: what a session's records say of its setting, item by item, and what a person must add.

The items are those of the ReSPCT guidelines that concern the room and the session, 1 to 17 (Pronovost-Morgan,
Greenway, Roseman and others, Nature Medicine 2025, https://respctguidelines.com), named in our words. What is
known carries its source. It never guesses: what no record holds is left to a person, and says so.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from controller.core.units import MS_PER_MIN
from controller.reports.account import Account, Span
from controller.reports.room_card import RoomCard

JOURNAL, PROFILE, SHEET, CARD = "journal", "profile", "session sheet", "room card"


@dataclass(frozen=True, slots=True)
class Known:
    """One thing that is known, and where from."""

    what: str
    source: str


@dataclass(frozen=True, slots=True)
class SettingItem:
    """One item of the guidelines: what is known of it, and what a person must fill in (empty: nothing)."""

    number: int
    name: str
    known: tuple[Known, ...]
    to_fill_in: str


def setting_items(account: Account, card: RoomCard) -> tuple[SettingItem, ...]:
    """Return the seventeen items for a session in a room."""
    parts = (*_room(card), *_light_and_senses(account, card), *_session(account, card))
    return tuple(sorted(parts, key=lambda item: item.number))


def _room(card: RoomCard) -> tuple[SettingItem, ...]:
    return (
        _item(1, "Location", [_card(card.location)], "Where the trial took place, and what surrounds it."),
        _item(2, "Ambiance", [_card(card.ambiance)], "How the team made the room feel."),
        _item(3, "Access to nature", [_card(card.nature)], "What of nature could be seen, heard or reached."),
        _item(4, "Objects and decorations", [_card(card.objects)], "What was in the room."),
        _item(7, "Bathroom", [_card(card.bathroom)], "How near, how private, how safe it was."),
    )


def _light_and_senses(account: Account, card: RoomCard) -> tuple[SettingItem, ...]:
    light = [Known(_light(zone, points), JOURNAL) for zone, points in _levels(account).items()]
    changed = [o for o in account.overrides if o.channel.startswith(("light ", "scene "))]
    light.append(
        Known(
            f"Dimmable and tunable from a tablet; a person changed it {_times(len(changed))}, "
            f"for {_minutes(_whole([o.span for o in changed]))} in all.",
            JOURNAL,
        )
    )
    senses = [
        Known(f"Eyeshades on for {_minutes(_whole(account.eyeshades))}.", JOURNAL),
        Known(f"Headphones on for {_minutes(_whole(account.headphones))}.", JOURNAL),
        Known(f"Eyeshades planned: {_yes(account.sheet.eyeshades_planned)}.", SHEET),
        Known(f"Headphones planned: {_yes(account.sheet.headphones_planned)}.", SHEET),
    ]
    return (
        _item(5, "Lighting", [*light, _card(card.lighting)], "Daylight, and lamps Stillroom does not drive."),
        _item(6, "Sensory reduction", senses, "Anything else that shut out light or sound."),
    )


def _session(account: Account, card: RoomCard) -> tuple[SettingItem, ...]:
    present = ", ".join(account.sheet.present_roles)
    sheet = [Known(f"Present, by role: {present}.", SHEET)] if present else []
    phases = ", ".join(f"{p.title} {_minutes(p.span.length_ms)}" for p in account.phases)
    procedures = sorted({m.what for m in account.moments if m.kind == "note" and m.what})
    cards = [p for p in account.prompts if p.audience != "client"]
    return (
        _item(8, "People and their roles", sheet, "How many people, who came and went, their training."),
        _item(9, "Positions", [_card(card.positions)], "Where people sat or lay in this session."),
        _item(
            10,
            "Focus and activities",
            [Known(f"Phases as they were: {phases}.", JOURNAL)],
            "Inward or outward, and what was done.",
        ),
        _item(11, "Music", _music(account), "What the client brought or asked for."),
        _item(
            12, "Interventions", _interventions(account), "Words, touch and support that nobody noted here."
        ),
        _item(13, "The client's say", _agency(account), "What else the client could decide."),
        _item(14, "Dosing", _dosing(account), "Substance, dose and route: Stillroom holds none of these."),
        _item(
            15,
            "Procedures",
            [
                Known(f"Cards shown to the therapist: {len(cards)}.", JOURNAL),
                *([Known(f"Noted with the time: {', '.join(procedures)}.", JOURNAL)] if procedures else []),
            ],
            "Measurements and their results.",
        ),
        _item(
            16,
            "Before and after",
            [
                Known(
                    f"The session lasted {_minutes(account.span.length_ms)}, ended: {account.ended}.", JOURNAL
                ),
                Known(f"Planned length: {_minutes(account.score.length_ms)}.", PROFILE),
            ],
            "Preparation, how the client left, integration.",
        ),
        _item(17, "Disturbances", _disturbances(account), "What came from outside the room."),
    )


def _music(account: Account) -> list[Known]:
    pools = sorted({track.pool for track in account.tracks})
    skipped = sum(track.skipped for track in account.tracks)
    return [
        Known(f"{len(account.tracks)} tracks, listed with their times; pools: {', '.join(pools)}.", JOURNAL),
        Known(f"Skipped by a person: {skipped}.", JOURNAL),
        Known(f"Silences asked for: {len(account.silences)}, {_minutes(_whole(account.silences))}.", JOURNAL),
        Known(f"Music with words: {'allowed' if account.sheet.words_allowed else 'not wanted'}.", SHEET),
    ]


def _interventions(account: Account) -> list[Known]:
    client = [p for p in account.prompts if p.audience == "client"]
    tapped = sum(p.tapped for p in client)
    touch = [m for m in account.moments if m.kind == "note" and m.what.startswith("touch")]
    known = [Known(f"Prompts to the client: {len(client)}, {tapped} of them by a person's tap.", JOURNAL)]
    known += [Known(f"Noted: {m.what}, {_clock(m.at_ms, account)}.", JOURNAL) for m in touch]
    return known


def _agency(account: Account) -> list[Known]:
    sheet = account.sheet
    excluded = ", ".join((*sheet.excluded_pools, *sheet.excluded_tracks))
    known = [Known(f"Touch, agreed before the start and locked: {sheet.touch}.", SHEET)]
    if excluded:
        known.append(Known(f"Music the client did not want: {excluded}.", SHEET))
    known.append(
        Known(f"Changes made on request or by judgement: {sum(account.commands.values())}.", JOURNAL)
    )
    return known


def _dosing(account: Account) -> list[Known]:
    return [
        Known(f"{m.what}: {_clock(m.at_ms, account)} after the start.", JOURNAL)
        for m in account.moments
        if m.kind == "anchor"
    ]


def _disturbances(account: Account) -> list[Known]:
    if not account.disturbances:
        return [Known("None of our own making was recorded.", JOURNAL)]
    return [
        Known(f"{_clock(d.span.start_ms, account)}, {_lasting(d.span)}: {d.what}", JOURNAL)
        for d in account.disturbances
    ]


# ---------------------------------------------------------------- words


def _item(number: int, name: str, known: Sequence[Known | None], to_fill_in: str) -> SettingItem:
    return SettingItem(number, name, tuple(one for one in known if one is not None), to_fill_in)


def _card(words: str) -> Known | None:
    return Known(words, CARD) if words else None


def _levels(account: Account) -> dict[str, tuple[float, float, float]]:
    """Return each zone's least, time-weighted mean and greatest brightness, percent."""
    found: dict[str, tuple[float, float, float]] = {}
    for zone, points in account.light.items():
        if len(points) < 2:  # a session of no length
            continue
        area = sum((b.at_ms - a.at_ms) * (a.percent + b.percent) / 2 for a, b in pairwise(points))
        whole = points[-1].at_ms - points[0].at_ms
        levels = [point.percent for point in points]
        found[zone] = (min(levels), area / max(whole, 1), max(levels))
    return found


def _light(zone: str, levels: tuple[float, float, float]) -> str:
    least, mean, most = levels
    return f"{zone}: {least:.0f} to {most:.0f} % of its lamps' brightness, {mean:.0f} % on average."


def _whole(spans: Sequence[Span]) -> int:
    """Return how long any of the stretches lasted, overlaps counted once, ms."""
    total, reached = 0, 0
    for span in sorted(spans, key=lambda one: one.start_ms):
        total += max(span.end_ms - max(span.start_ms, reached), 0)
        reached = max(reached, span.end_ms)
    return total


def _minutes(length_ms: int) -> str:
    return f"{round(length_ms / MS_PER_MIN)} min"


def _clock(at_ms: int, account: Account) -> str:
    minutes = max(at_ms - account.span.start_ms, 0) // MS_PER_MIN
    return f"{minutes // 60}:{minutes % 60:02d}"


def _lasting(span: Span) -> str:
    if not span.length_ms:
        return "at once over"
    long = span.length_ms >= 10 * MS_PER_MIN
    return _minutes(span.length_ms) if long else f"{round(span.length_ms / 1000)} s"


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def _yes(flag: bool) -> str:
    return "yes" if flag else "no"
