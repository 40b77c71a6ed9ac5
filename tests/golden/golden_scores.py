"""How a score is written down for comparison, and what writes the golden files anew.

``.venv/bin/python tests/golden/golden_scores.py`` writes one file for each shipped profile, compiled for the
demo room, and one for the demo room's scenes. Look at the difference before committing it: it is what
clinics will see and hear.
"""

import json
from pathlib import Path
from typing import Any

from controller.core.light import Look, Mired
from controller.core.score import Phase, Scene, Score
from profiles.catalogue import Catalogue, LoadedSite, load_catalogue, load_site
from profiles.validation import LIBRARY

FOLDER = Path(__file__).parent


def load() -> tuple[Catalogue, LoadedSite]:
    site = load_site(LIBRARY / "demo-site.yaml")
    return load_catalogue(site), site


def golden_texts() -> dict[str, str]:
    """Every golden file's text by its name."""
    catalogue, site = load()
    room = site.room("garden")
    texts = {}
    for profile_id in catalogue.profiles:
        texts[f"{profile_id}.json"] = _lines(score_data(catalogue.score(profile_id, room, "en")))
    scenes = catalogue.score("quiet-room", room, "en").scenes
    texts["demo-scenes.json"] = _lines({name: scene_data(scene) for name, scene in scenes.items()})
    return texts


def score_data(score: Score) -> dict[str, Any]:
    """A score as plain data: every field of it but its scenes, times in ms, looks as ``percent@kelvin``."""
    return {
        "profile": score.profile_id,
        "title": score.title,
        "reviewed": score.reviewed,
        "length_ms": score.length_ms,
        "minimum_ms": score.minimum_ms,
        "resting": looks(score.resting),
        "anchors": dict(score.anchors),
        "anchor_cues": [
            [c.cue_id, c.anchor, c.offset_ms, c.prompt, c.text, c.audience.value, c.ttl_s]
            for c in score.anchor_cues
        ],
        "anchor_shifts": [[s.anchor, s.phase, s.delta_ms] for s in score.anchor_shifts],
        "phases": [_phase(phase) for phase in score.phases],
        "prompts": dict(score.prompts),
    }


def _phase(phase: Phase) -> dict[str, Any]:
    music = phase.music
    return {
        "phase": phase.phase_id,
        "title": phase.title,
        "length_ms": phase.length_ms,
        "light": [[step.offset_ms, step.fade_ms, looks(step.looks)] for step in phase.light],
        "light_frozen": phase.light_frozen,
        "music": {
            "pool": music.pool,
            "mood": music.mood,
            "energy": music.energy,
            "level_dba": music.level_dba,
            "words_allowed": music.words_allowed,
            "unbroken": music.unbroken,
            "crossfade_ms": music.crossfade_ms,
            "silences": [[silence.from_ms, silence.to_ms] for silence in music.silences],
        },
        "cues": [[c.cue_id, c.offset_ms, c.prompt, c.text, c.audience.value, c.ttl_s] for c in phase.cues],
        "client_prompts_suppressed": phase.client_prompts_suppressed,
    }


def scene_data(scene: Scene) -> dict[str, Any]:
    return {
        "looks": looks(scene.looks),
        "fade_ms": scene.fade_ms,
        "music_db": scene.music_db,
        "to_speakers": scene.to_speakers,
        "returns_after_ms": scene.returns_after_ms,
        "is_help": scene.is_help,
    }


def looks(zones: Any) -> dict[str, str]:
    return {zone: _look(look) for zone, look in zones.items()}


def _look(look: Look) -> str:
    # Six decimals: far below any lamp's step, and the same on every machine's arithmetic.
    percent = f"{look.percent:.6f}".rstrip("0").rstrip(".")
    if isinstance(look.colour, Mired):
        return f"{percent}@{1e6 / look.colour.value:.3f}".rstrip("0").rstrip(".")
    return f"{percent}@xy({look.colour.x:.6f},{look.colour.y:.6f})"


def _lines(value: Any, indent: int = 0) -> str:
    """JSON with short parts in one line, so that a difference is read at a glance."""
    return _json(value, indent) + "\n"


def _json(value: Any, indent: int) -> str:
    short = json.dumps(value, ensure_ascii=False)
    if not isinstance(value, dict | list) or not value or (len(short) + indent <= 110 and not _deep(value)):
        return short
    pad = " " * (indent + 1)
    if isinstance(value, dict):
        parts = [f"{pad}{json.dumps(key)}: {_json(part, indent + 1)}" for key, part in value.items()]
        return "{\n" + ",\n".join(parts) + "\n" + " " * indent + "}"
    return "[\n" + ",\n".join(pad + _json(part, indent + 1) for part in value) + "\n" + " " * indent + "]"


def _deep(value: Any) -> bool:
    parts = value.values() if isinstance(value, dict) else value
    return any(isinstance(part, dict) and len(part) > 4 for part in parts)


if __name__ == "__main__":
    for name, text in golden_texts().items():
        (FOLDER / name).write_text(text, encoding="utf-8")
