"""Waiting until something is so on a page, under a Content-Security-Policy that forbids ``eval``.

Playwright's ``wait_for_function`` looks once and then evaluates its text on the page: where it has to look
again, the policy refuses it. Asking anew from outside needs no leave.
"""

import asyncio
from typing import Any

LIMIT_S = 30.0


async def until_so(page: Any, expression: str, seconds: float = LIMIT_S) -> None:
    """Wait until a JavaScript expression is true on the page."""
    try:
        async with asyncio.timeout(seconds):
            while not await page.evaluate(expression):
                await asyncio.sleep(0.02)
    except TimeoutError:
        raise AssertionError(f"it did not come about: {expression}") from None
