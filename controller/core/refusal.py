"""Refused: the core's one exception, for a command it will not carry out. Nothing has changed when raised."""


class Refused(Exception):  # noqa: N818 - the field's word; it is not a fault
    """A command that is not allowed now: a stable code for programs, one clear line for a person.

    ``sentence`` has a gap ``{name}`` for each of ``fields``, so that a page can say it in another language.
    ``hint`` (the nearest name that is known) goes behind it, for those who type names.
    """

    def __init__(self, code: str, sentence: str, *, hint: str = "", **fields: str | int) -> None:
        self.code = code
        self.sentence = sentence
        self.fields = fields
        self.message = sentence.format(**fields) + hint if fields else sentence + hint
        super().__init__(self.message)
