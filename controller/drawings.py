"""A drawing of ours (SVG) as a picture or as a page: PNG and PDF, by CairoSVG.

It draws only what we laid out ourselves: no file and no address that a drawing names is ever opened.
"""

from typing import Final

from controller.errors import UserError

SUFFIXES: Final = (".svg", ".png", ".pdf")
PNG_SCALE: Final = 2.0
"""Pixels of a picture for one unit of the drawing: sharp on paper and on dense screens."""


def drawn(svg: str, suffix: str) -> bytes:
    """Return a drawing in the form that a file name's suffix asks for (``.svg``, ``.png``, ``.pdf``).

    Raises:
        UserError: there is no such form, or the machine lacks what it takes.
    """
    suffix = suffix.lower()
    if suffix not in SUFFIXES:
        raise UserError(f"a drawing is written as {', '.join(SUFFIXES)}, not as {suffix or 'no suffix'!r}")
    if suffix == ".svg":
        return svg.encode("utf-8")
    try:
        import cairosvg  # noqa: PLC0415 - loads a system library that only pictures need
    except (ImportError, OSError) as error:
        raise UserError(
            f"{suffix[1:].upper()} needs Cairo (Debian: apt-get install libcairo2): {_first_line(error)}"
        ) from None
    text = svg.encode("utf-8")
    # Not `unsafe`: what a drawing may name elsewhere is not fetched, and entities of its own are refused.
    found: bytes | None
    if suffix == ".png":
        found = cairosvg.svg2png(bytestring=text, scale=PNG_SCALE, unsafe=False)
    else:
        found = cairosvg.svg2pdf(bytestring=text, unsafe=False)
    return found or b""


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [""])[0]
