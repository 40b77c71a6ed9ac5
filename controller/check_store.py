"""Keeps each room's last check in the data folder, and gives it to the sessions that follow it.

One JSON file for each room, mode 0600, replaced whole. It holds names of things and what was found of them:
nothing of a client. A file that cannot be written or read costs the record of the check, never a session.
"""

import json
import logging
import os
from pathlib import Path
from typing import Any, Final

from controller.core.records import CheckedLine, RoomChecked
from controller.core.room_check import CheckList

FOLDER: Final = "checks"
FRESH_MS: Final = 24 * 3_600_000
"""A check this old says nothing of a session any more."""
_LOG: Final = logging.getLogger(__name__)


def check_path(data: Path, room: str) -> Path:
    """Return where a room's last check is kept."""
    return data / FOLDER / f"{room}.json"


def as_json(found: CheckList) -> dict[str, Any]:
    """Return a check as plain JSON values: for its file, for programs, for pages."""
    return {
        "room": found.room,
        "began_at_ms": found.began_at_ms,
        "ended_at_ms": found.ended_at_ms,
        "profile": found.profile,
        "lines": [
            {
                "id": line.line_id,
                "group": line.group,
                "subject": line.subject,
                "what": line.what,
                "outcome": line.outcome.value,
                "message": str(line.said),
                "sentence": line.said.text,
                "fields": dict(line.said.fields),
            }
            for line in found.lines
        ],
    }


def keep_check(data: Path, found: CheckList) -> None:
    """Keep a check as the room's last one."""
    path = check_path(data, found.room)
    beside = path.with_suffix(".new")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(as_json(found), file, ensure_ascii=False, indent=1)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except OSError as error:
        _LOG.warning("%s: the room check is not kept: %s", path, error.strerror or error)


def last_check(data: Path, room: str) -> dict[str, Any] | None:
    """Return the room's last check as it was kept, or None."""
    try:
        kept = json.loads(check_path(data, room).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return kept if isinstance(kept, dict) and isinstance(kept.get("lines"), list) else None


def check_for_session(data: Path, room: str, now_ms: int) -> RoomChecked | None:
    """Return what the journal of a session that starts now should have of the room's last check."""
    kept = last_check(data, room)
    try:
        if kept is None or not 0 <= now_ms - kept["ended_at_ms"] <= FRESH_MS:
            return None
        lines = tuple(
            CheckedLine(
                str(line["id"]),
                str(line["subject"]),
                str(line["what"]),
                line["outcome"],
                str(line["message"]),
            )
            for line in kept["lines"]
            if line["outcome"] in ("passed", "failed", "skipped")
        )
        return RoomChecked(int(kept["ended_at_ms"]), lines)
    except (KeyError, TypeError, ValueError):
        return None
