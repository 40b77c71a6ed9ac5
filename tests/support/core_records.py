"""Records for tests that need a session in a journal."""

from controller.core.commands import SessionSheet
from controller.core.light import look_from_percent
from controller.core.records import Record, SessionStarted
from controller.core.score import MusicPlan, Phase, Score


def a_start(session_id: str) -> Record:
    """A session of one phase began at 0."""
    phase = Phase("sit", "Sit", 60_000, (), MusicPlan(pool=None))
    score = Score("small", "Small", False, (phase,), {"ceiling": look_from_percent(20, 2500)})
    return Record(0, "therapist:a", SessionStarted(session_id, score, SessionSheet()), "start", session_id)
