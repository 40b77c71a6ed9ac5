"""Refused: the core's one exception, for a command it will not carry out. Nothing has changed when raised."""


class Refused(Exception):  # noqa: N818 - the field's word; it is not a fault
    """A command that is not allowed now: a stable code for programs, one clear line for a person."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
