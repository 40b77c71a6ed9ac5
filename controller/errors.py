"""The one error tree. Vendor exceptions are turned into these inside their driver and go no further."""

from dataclasses import dataclass


class StillroomError(Exception):
    """Whatever we raise on purpose. Its text is one clear line for a person."""


class UserError(StillroomError):
    """Something the user gave us is wrong; the command line exits with status 2."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One fault in one file: where, what was expected, and the nearest known name if one is near."""

    file: str
    line: int | None
    key: str
    message: str
    hint: str = ""

    def __str__(self) -> str:
        where = self.file if self.line is None else f"{self.file}:{self.line}"
        tail = f" ({self.hint})" if self.hint else ""
        return f"{where}: {self.key}: {self.message}{tail}" if self.key else f"{where}: {self.message}{tail}"


class InvalidFilesError(UserError):
    """One or more files cannot be used; carries every problem found, not only the first."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems


class PortInUseError(UserError):
    """A TCP port we were told to serve on belongs to another program."""


class RefusedError(StillroomError):
    """A command was refused; it changed nothing. ``code`` is stable for programs.

    ``sentence`` has a gap ``{name}`` for each of ``fields``, so that a page can say it in another language;
    ``hint`` goes behind it, for those who type names.
    """

    def __init__(self, code: str, sentence: str, *, hint: str = "", **fields: str | int) -> None:
        super().__init__(sentence.format(**fields) + hint if fields else sentence + hint)
        self.code = code
        self.sentence = sentence
        self.fields = fields


class DriverError(StillroomError):
    """A device did not do what was asked: which, what, and whether trying again may help."""

    def __init__(self, device: str, operation: str, message: str, *, may_retry: bool) -> None:
        super().__init__(f"{device}: {operation}: {message}")
        self.device = device
        self.operation = operation
        self.may_retry = may_retry


class JournalError(StillroomError):
    """The journal could not be written or read."""
