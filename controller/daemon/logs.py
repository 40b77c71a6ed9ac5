"""Logs: systemd's journal with fields, else a file with one JSON object a line and short lines on a terminal.

Nothing of the client is ever logged. This module is the only one that reads in structlog, and no start waits
for it: lines said before wait in ``controller.log_lines``.
"""

import logging
import sys
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any, TextIO

import structlog

from controller.daemon.journald import JournalHandler, under_journal
from controller.log_lines import Level, log

MAX_BYTES = 5_000_000
KEPT = 3


def set_up_logs(data: Path, *, quiet_terminal: bool) -> None:
    """Open the log: the journal under systemd, else ``data/stillroom.log`` and, for warnings, stderr.

    ``quiet_terminal``: a panel has the terminal. Lines that waited are written first.
    """
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
    as_json = structlog.stdlib.ProcessorFormatter(
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        foreign_pre_chain=shared,
    )
    root = logging.getLogger()
    root.handlers.clear()
    root.setLevel(logging.INFO)
    if under_journal():
        handler: logging.Handler = JournalHandler()
    else:
        handler = RotatingFileHandler(
            data / "stillroom.log", maxBytes=MAX_BYTES, backupCount=KEPT, encoding="utf-8"
        )
        if not quiet_terminal:
            root.addHandler(_terminal(shared))
    handler.setFormatter(as_json)
    root.addHandler(handler)
    for chatty in ("uvicorn.access", "amqtt", "transitions", "apscheduler", "phue"):
        logging.getLogger(chatty).setLevel(logging.ERROR)
    lines = structlog.get_logger()

    def write(level: Level, event: str, fields: dict[str, object]) -> None:
        getattr(lines, level)(event, **fields)

    log.open(write)


def _terminal(shared: list[Any]) -> logging.Handler:
    terminal: logging.StreamHandler[TextIO] = logging.StreamHandler(sys.stderr)
    terminal.setLevel(logging.WARNING)
    terminal.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processor=structlog.processors.KeyValueRenderer(key_order=["event"]), foreign_pre_chain=shared
        )
    )
    return terminal
