"""Moments: what a person noted or did at an instant, in plain words. Never a note's free text."""

from controller.core import records as r
from controller.core.units import MS_PER_MIN
from controller.reports.account import Moment, role_of


def moment_of(record: r.Record, at_ms: int) -> Moment | None:
    """Return a record's moment for the timeline, or None for what other lists of an account tell."""
    said = _said(record.body)
    if said is None:
        return None
    note_id = record.body.note_id if isinstance(record.body, r.NoteTaken) else None
    return Moment(at_ms, *said, role_of(record.by), note_id)


def _said(body: r.RecordBody) -> tuple[str, str] | None:
    found: tuple[str, str] | None = None
    match body:
        case r.NoteTaken(chip=chip):
            found = "note", chip.replace("_", " ")
        case r.AnchorMarked(anchor=anchor):
            found = "anchor", anchor.replace("_", " ")
        case r.SessionHeld():
            found = "held", ""
        case r.SessionResumed():
            found = "resumed", ""
        case r.PhaseExtended(delta_ms=delta):
            found = "extended", f"{delta / MS_PER_MIN:+g} min"
        case r.PhaseJumped(phase=phase):
            found = "went to", phase
        case r.TrackSkipped():
            found = "skipped a track", ""
        case r.SceneTaken(scene=scene):
            found = "scene", scene.name
        case r.EyeshadesChanged(on=on):
            found = "eyeshades", "on" if on else "off"
        case r.HeadphonesChanged(on=on):
            found = "headphones", "on" if on else "off"
        case r.CommandUndone():
            found = "undone", ""
        case _:
            pass
    return found
