"""The room check: a list of lines, each passed, failed or skipped, with one clear sentence.

Pure: it says what is asked of a room and keeps the answers. Who tries a lamp or reads a file is the shell's
business. A line is settled once; it must never turn from failed to passed.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final

Value = str | int


class Outcome(StrEnum):
    """What became of a line."""

    WAITING = "waiting"
    TRYING = "trying"
    ASKING = "asking"
    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"


SETTLED: Final = frozenset({Outcome.PASSED, Outcome.FAILED, Outcome.SKIPPED})


class Answer(StrEnum):
    """What a person may answer when asked."""

    YES = "yes"
    NO = "no"
    SKIP = "skip"


@dataclass(frozen=True, slots=True)
class Sentence:
    """One clear sentence with gaps ``{name}``, so that a page can say it in another language."""

    text: str
    fields: Mapping[str, Value] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.text.format(**self.fields) if self.fields else self.text


def sentence(text: str, **fields: Value) -> Sentence:
    """Return a sentence with its gaps' values."""
    return Sentence(text, fields)


NOTHING_YET: Final = Sentence("")


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that is checked. ``line_id`` is stable (``lamp.path-door.floor``).

    ``subject`` is a thing's own name, ``what`` the words for what is checked of it.
    """

    line_id: str
    group: str
    subject: str
    what: str
    outcome: Outcome = Outcome.WAITING
    said: Sentence = NOTHING_YET

    @property
    def is_settled(self) -> bool:
        """Whether its outcome is known."""
        return self.outcome in SETTLED


@dataclass(frozen=True, slots=True)
class CheckList:
    """A room's check: its lines in order, when it began and ended (room time, ms)."""

    room: str
    began_at_ms: int
    lines: tuple[Line, ...]
    ended_at_ms: int | None = None
    profile: str | None = None

    def line(self, line_id: str) -> Line:
        """Return a line.

        Raises:
            KeyError: there is none of that id.
        """
        found = next((line for line in self.lines if line.line_id == line_id), None)
        if found is None:
            raise KeyError(line_id)
        return found

    def put(self, line_id: str, outcome: Outcome, said: Sentence) -> "CheckList":
        """Return the list with what is known of a line now; one that is settled stays as it is."""
        return replace(
            self,
            lines=tuple(
                replace(line, outcome=outcome, said=said)
                if line.line_id == line_id and not line.is_settled
                else line
                for line in self.lines
            ),
        )

    def end(self, at_ms: int, said: Sentence) -> "CheckList":
        """Return the list ended: a line that a person was asked, or that nobody came to, counts as skipped.

        One that was being tried has failed: whatever it tried did not answer in time.
        """
        ended = self
        for line in self.lines:
            if not line.is_settled:
                late = line.outcome is Outcome.TRYING
                ended = ended.put(line.line_id, Outcome.FAILED if late else Outcome.SKIPPED, said)
        return replace(ended, ended_at_ms=at_ms)

    def count(self, outcome: Outcome) -> int:
        """How many lines have an outcome."""
        return sum(line.outcome is outcome for line in self.lines)

    @property
    def failed(self) -> tuple[Line, ...]:
        """The lines that failed."""
        return tuple(line for line in self.lines if line.outcome is Outcome.FAILED)

    @property
    def asking(self) -> Line | None:
        """The line that a person is asked now, if any."""
        return next((line for line in self.lines if line.outcome is Outcome.ASKING), None)


def begin(room: str, at_ms: int, lines: Iterable[Line], profile: str | None = None) -> CheckList:
    """Return a check that begins.

    Raises:
        ValueError: two lines have one id.
    """
    listed = tuple(lines)
    if len({line.line_id for line in listed}) != len(listed):
        raise ValueError("two lines of a room check have one id")
    return CheckList(room, at_ms, listed, profile=profile)
