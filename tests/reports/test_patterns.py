"""Sessions side by side: counted from what people did, in two rooms and two weeks."""

from dataclasses import replace
from datetime import UTC

import pytest
from core_records import a_start

from controller.core import records as r
from controller.core.records import Record
from controller.reports.patterns import Lived, patterns_of
from controller.reports.working_out import account_of

MINUTE = 60_000
WEEK = 7 * 24 * 60 * MINUTE


def lived(
    room: str, session: str, at: int, *changes: tuple[float, str, r.RecordBody], minutes: int = 60
) -> Lived:
    start = a_start(session)
    first = start.body.score.phases[0].phase_id  # type: ignore[union-attr]
    records = [
        replace(start, at_ms=at),
        Record(at, "therapist:a", r.PhaseEntered(first, 0), start.command_id),
    ]
    for number, (minute, by, body) in enumerate(changes):
        records.append(
            Record(at + round(minute * MINUTE), by, body, None if by == "score" else f"{session}{number}")
        )
    records.append(Record(at + minutes * MINUTE, "score", r.SessionEnded("planned")))
    records = [replace(record, session_id=session) for record in records]
    return Lived(account_of(room, records), records)


def test_skips_and_turned_lights_are_counted_over_sessions() -> None:
    harp, bell = r.TrackStarted("i", "harp", "warm", "Harp"), r.TrackStarted("j", "bell", "warm", "Bell")
    start = a_start("x" * 32)
    zone = next(iter(start.body.score.resting))  # type: ignore[union-attr]
    down = r.LightTrimmed(zone, -5.0, 0.0, 5_000)
    warm = r.LightTrimmed(zone, 0.0, 20.0, 5_000)
    at = 1_790_000_000_000
    found = patterns_of(
        [
            lived(
                "garden",
                "a" * 32,
                at,
                (1, "room", harp),
                (3, "therapist:x", r.TrackSkipped(12_000)),
                (3.2, "room", bell),
            ),
            lived(
                "garden",
                "b" * 32,
                at + WEEK,
                (1, "room", harp),
                (20, "therapist:x", down),
                (30, "therapist:y", down),
            ),
            lived("attic", "c" * 32, at + WEEK, (1, "room", bell), (10, "therapist:x", warm), minutes=30),
        ],
        UTC,
    )
    assert [(one.title, one.heard, one.skipped) for one in found.tracks] == [("Harp", 2, 1), ("Bell", 2, 0)]
    (light,) = found.light
    assert (light.zone, light.sessions, light.dimmer, light.warmer, light.brighter) == (zone, 3, 2, 1, 0)
    assert [(room.name, room.sessions, room.minutes) for room in found.rooms] == [
        ("attic", 1, 30),
        ("garden", 2, 120),
    ]
    assert [week.sessions for week in found.weeks] == [1, 2]
    garden = found.rooms[1]
    assert garden.overridden == pytest.approx(40 / 120, abs=0.001)
    assert garden.as_designed + garden.overridden + garden.held == pytest.approx(1)
    assert "x" not in {one.name for one in found.rooms}


def test_no_session_is_no_pattern() -> None:
    found = patterns_of([])
    assert found.rooms == ()
    assert found.tracks == ()
    assert found.light == ()
