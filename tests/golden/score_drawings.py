"""Draws the shipped scores for docs/scores.md.

``.venv/bin/python tests/golden/score_drawings.py`` writes docs/pictures/scores/*.svg anew.
"""

from pathlib import Path

from golden_scores import load

from controller.preview import preview_svg

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs" / "pictures" / "scores"


def drawings() -> dict[str, str]:
    """Every drawing by its file's name."""
    catalogue, site = load()
    room = site.room("garden")
    return {f"{name}.svg": preview_svg(catalogue.score(name, room, "en")) for name in catalogue.profiles}


def main() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, text in drawings().items():
        (FOLDER / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
