"""Logs: one JSON object a line in a file, short lines on a terminal. Nothing of the client is ever logged."""

import logging
import sys
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any, TextIO

import structlog

MAX_BYTES = 5_000_000
KEPT = 3


def set_up_logs(data: Path, *, quiet_terminal: bool) -> None:
    """Send logs to ``data/stillroom.log``; warnings also to stderr unless a panel has the terminal."""
    shared: list[Any] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        cache_logger_on_first_use=True,
    )
    root = logging.getLogger()
    root.handlers.clear()
    root.setLevel(logging.INFO)
    file = RotatingFileHandler(data / "stillroom.log", maxBytes=MAX_BYTES, backupCount=KEPT, encoding="utf-8")
    file.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processor=structlog.processors.JSONRenderer(), foreign_pre_chain=shared
        )
    )
    root.addHandler(file)
    if not quiet_terminal:
        terminal: logging.StreamHandler[TextIO] = logging.StreamHandler(sys.stderr)
        terminal.setLevel(logging.WARNING)
        terminal.setFormatter(
            structlog.stdlib.ProcessorFormatter(
                processor=structlog.processors.KeyValueRenderer(key_order=["event"]), foreign_pre_chain=shared
            )
        )
        root.addHandler(terminal)
    for chatty in ("uvicorn.access", "amqtt", "transitions", "apscheduler", "phue"):
        logging.getLogger(chatty).setLevel(logging.ERROR)
