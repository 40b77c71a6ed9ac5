"""Patterns: many sessions side by side, for whoever designs: tracks that are skipped, lights turned down.

Pure: accounts in, plain values out. It counts changes and never says who made them, nor anything of a client.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo

from controller.core import records as r
from controller.reports.account import Account


@dataclass(frozen=True, slots=True)
class Lived:
    """A session's account, with its records."""

    account: Account
    records: Sequence[r.Record]


@dataclass(frozen=True, slots=True)
class TrackPattern:
    """A track over all sessions."""

    track: str
    title: str
    pool: str
    heard: int
    skipped: int


@dataclass(frozen=True, slots=True)
class LightPattern:
    """Where people change the light: a profile's phase and a zone."""

    profile: str
    phase: str
    zone: str
    sessions: int
    """How many sessions had this phase."""
    dimmer: int
    brighter: int
    warmer: int
    cooler: int


@dataclass(frozen=True, slots=True)
class SpanPattern:
    """A room's or a week's sessions in one line; shares are of the whole time."""

    name: str
    sessions: int
    minutes: float
    as_designed: float
    overridden: float
    held: float
    changes_an_hour: float
    disturbances: int


@dataclass(frozen=True, slots=True)
class Patterns:
    """Everything side by side."""

    rooms: tuple[SpanPattern, ...]
    weeks: tuple[SpanPattern, ...]
    profiles: tuple[SpanPattern, ...]
    tracks: tuple[TrackPattern, ...]
    """Most skipped first."""
    light: tuple[LightPattern, ...]
    """Most changed first."""


def patterns_of(sessions: Sequence[Lived], zone: tzinfo | None = None) -> Patterns:
    """Return what these sessions have in common. Weeks are ISO weeks in ``zone``."""

    def week(account: Account) -> str:
        year, number, _ = (
            datetime.fromtimestamp(account.span.start_ms / 1000, UTC).astimezone(zone).isocalendar()
        )
        return f"{year}-W{number:02d}"

    accounts = [lived.account for lived in sessions]
    return Patterns(
        rooms=_spans((account.room, account) for account in accounts),
        weeks=_spans((week(account), account) for account in accounts),
        profiles=_spans((account.profile, account) for account in accounts),
        tracks=_tracks(accounts),
        light=_light(sessions),
    )


def _spans(named: Iterable[tuple[str, Account]]) -> tuple[SpanPattern, ...]:
    groups: dict[str, list[Account]] = defaultdict(list)
    for name, account in named:
        groups[name].append(account)
    found = []
    for name in sorted(groups):
        accounts = groups[name]
        whole = sum(a.shares.whole_ms for a in accounts)
        over = max(whole, 1)
        changes = sum(sum(a.commands.values()) for a in accounts)
        found.append(
            SpanPattern(
                name=name,
                sessions=len(accounts),
                minutes=round(whole / 60_000, 1),
                as_designed=round(sum(a.shares.as_designed_ms for a in accounts) / over, 3),
                overridden=round(sum(a.shares.overridden_ms for a in accounts) / over, 3),
                held=round(sum(a.shares.held_ms for a in accounts) / over, 3),
                changes_an_hour=round(changes * 3_600_000 / over, 1),
                disturbances=sum(len(a.disturbances) for a in accounts),
            )
        )
    return tuple(found)


def _tracks(accounts: Iterable[Account]) -> tuple[TrackPattern, ...]:
    heard: Counter[tuple[str, str, str]] = Counter()
    skipped: Counter[tuple[str, str, str]] = Counter()
    for account in accounts:
        for track in account.tracks:
            key = (track.track, track.title, track.pool)
            heard[key] += 1
            skipped[key] += track.skipped
    found = [TrackPattern(*key, heard=count, skipped=skipped[key]) for key, count in heard.items()]
    return tuple(sorted(found, key=lambda one: (-one.skipped / one.heard, -one.skipped, one.title)))


def _light(sessions: Iterable[Lived]) -> tuple[LightPattern, ...]:
    had: Counter[tuple[str, str]] = Counter()
    turned: Counter[tuple[str, str, str, str]] = Counter()
    for lived in sessions:
        profile = lived.account.profile
        for phase in {phase.phase for phase in lived.account.phases}:
            had[profile, phase] += 1
        phase = ""
        for record in lived.records:
            match record.body:
                case r.PhaseEntered(phase=entered):
                    phase = entered
                case r.LightTrimmed(zone=zone, delta_lstar=lstar, delta_mired=mired):
                    for way, by in (
                        ("dimmer", -lstar),
                        ("brighter", lstar),
                        ("warmer", mired),
                        ("cooler", -mired),
                    ):
                        if by > 0:
                            turned[profile, phase, zone, way] += 1
                case _:
                    pass
    places = sorted({key[:3] for key in turned})
    ways = ("dimmer", "brighter", "warmer", "cooler")
    found = [
        LightPattern(*place, had[place[0], place[1]], *(turned[(*place, way)] for way in ways))
        for place in places
    ]
    return tuple(sorted(found, key=lambda one: -(one.dimmer + one.brighter + one.warmer + one.cooler)))
