"""An error that a page can say in the reader's language: a sentence, and what stands in its gaps.

It only carries words; it must never carry a token, a PIN or anything of a client.
"""

from collections.abc import Mapping
from typing import Protocol

from fastapi import HTTPException, Request
from fastapi.responses import JSONResponse


class Sentence(Protocol):
    """What has a sentence with gaps, and their values."""

    sentence: str
    fields: dict[str, str | int]


class SaidError(HTTPException):
    """An answer with an error status: ``detail`` for programs, ``sentence`` and ``fields`` for pages."""

    def __init__(
        self,
        status: int,
        sentence: str,
        headers: Mapping[str, str] | None = None,
        **fields: str | int,
    ) -> None:
        super().__init__(status, sentence.format(**fields), dict(headers or {}))
        self.sentence = sentence
        self.fields = fields

    @classmethod
    def of(cls, status: int, error: Sentence, headers: Mapping[str, str] | None = None) -> "SaidError":
        """Return the answer for an error that knows its sentence."""
        return cls(status, error.sentence, headers, **error.fields)


async def say(_request: Request, error: Exception) -> JSONResponse:
    """Answer with a ``SaidError``."""
    assert isinstance(error, SaidError)  # noqa: S101 - registered for nothing else
    body = {"detail": error.detail, "sentence": error.sentence, "fields": error.fields}
    return JSONResponse(body, error.status_code, error.headers)
