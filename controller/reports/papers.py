"""Papers: a session's timeline and its setting report as one self-contained HTML file, or as PDF of the same.

They load nothing from anywhere and run no script. Free text stands in one only when its caller put it there.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, tzinfo
from functools import cache
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from controller.core.units import MS_PER_MIN
from controller.errors import UserError
from controller.reports.account import Account, PromptGiven, Span
from controller.reports.drawing import account_svg
from controller.reports.patterns import Patterns
from controller.reports.room_card import RoomCard
from controller.reports.setting import setting_items
from profiles.prompts import ENGLISH, fill

TEMPLATES: Final = Path(__file__).parent / "templates"


def timeline_html(
    account: Account, zone: tzinfo | None = None, notes: Mapping[str, str] | None = None
) -> str:
    """Return the timeline to take to integration. ``notes``: free text by note id, where it was asked for."""
    return _page("timeline.html", account, zone, notes=notes or {}, moments=account.moments)


def setting_html(account: Account, card: RoomCard, zone: tzinfo | None = None) -> str:
    """Return the setting report."""
    return _page("setting.html", account, zone, items=setting_items(account, card))


def patterns_html(found: Patterns) -> str:
    """Return sessions side by side as a page."""
    return _templates().get_template("patterns.html").render(found=found, css=_style())


def pdf_of(html: str) -> bytes:
    """Return a paper as PDF. It is made here: nothing is fetched.

    Raises:
        UserError: the machine lacks what makes PDF (Pango).
    """
    try:
        from weasyprint import HTML  # noqa: PLC0415 - a second to load, and needs a system library
    except OSError as error:
        raise UserError(f"PDF cannot be made here, Pango is missing ({error}); HTML can") from None
    made = HTML(string=html, url_fetcher=_nothing_from_outside).write_pdf()
    return bytes(made or b"")


def _nothing_from_outside(url: str, *_args: object, **_more: object) -> dict[str, Any]:
    raise UserError(f"a paper asked for {url[:80]}: papers load nothing")


@cache
def _templates() -> Environment:
    return Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )


def _style() -> Markup:
    return Markup((TEMPLATES / "paper.css").read_text(encoding="utf-8"))  # noqa: S704 - our own file


def _page(template: str, account: Account, zone: tzinfo | None, **more: object) -> str:
    start = datetime.fromtimestamp(account.span.start_ms / 1000, UTC).astimezone(zone)
    end = datetime.fromtimestamp(account.span.end_ms / 1000, UTC).astimezone(zone)

    def at(at_ms: int) -> str:
        minutes, seconds = divmod(max(at_ms - account.span.start_ms, 0) // 1000, 60)
        return f"{minutes // 60}:{minutes % 60:02d}:{seconds:02d}"

    def share(length_ms: int) -> str:
        return f"{100 * length_ms / max(account.shares.whole_ms, 1):.1f} %"

    return (
        _templates()
        .get_template(template)
        .render(
            account=account,
            css=_style(),
            drawing=Markup(account_svg(account)),  # noqa: S704 - escaped where it is made
            day=f"{start:%Y-%m-%d}",
            start=f"{start:%H:%M}",
            end=f"{end:%H:%M}",
            at=at,
            share=share,
            spoken=lambda given: _spoken(given, zone),
            length=_length,
            span=lambda found: _length(found.length_ms),
            seconds=_seconds,
            **more,
        )
    )


def _spoken(given: PromptGiven, zone: tzinfo | None) -> str:
    """Return a prompt's words as they were said: with the part of the day of their hour."""
    hour = datetime.fromtimestamp(given.at_ms / 1000, UTC).astimezone(zone).hour
    return fill(given.text or given.prompt, hour, ENGLISH)


def _length(length_ms: int) -> str:
    minutes = round(length_ms / MS_PER_MIN, 1)
    return f"{minutes:g} min"


def _seconds(span: Span) -> str:
    return f"{span.length_ms / 1000:.0f} s" if span.length_ms < 10 * MS_PER_MIN else _length(span.length_ms)
