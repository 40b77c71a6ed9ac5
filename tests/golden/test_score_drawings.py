"""docs/scores.md draws every shipped score, and draws it as it is now."""

from xml.etree import ElementTree as ET

import pytest
from golden_scores import load
from score_drawings import FOLDER, ROOT, drawings

from controller.preview import preview_svg


@pytest.fixture(scope="module")
def drawn() -> dict[str, str]:
    return drawings()


def test_the_drawings_are_of_the_profiles_as_they_are(drawn: dict[str, str]) -> None:
    kept = {path.name: path.read_text(encoding="utf-8") for path in FOLDER.glob("*.svg")}
    assert set(kept) == set(drawn)
    old = [name for name, text in drawn.items() if kept[name] != text]
    assert not old, f"draw them again with tests/golden/score_drawings.py: {old}"


def test_the_page_shows_each_of_them(drawn: dict[str, str]) -> None:
    page = (ROOT / "docs" / "scores.md").read_text(encoding="utf-8")
    assert [name for name in drawn if f"pictures/scores/{name}" not in page] == []


def test_a_drawing_is_well_formed_and_says_that_it_is_unreviewed(drawn: dict[str, str]) -> None:
    for text in drawn.values():
        root = ET.fromstring(text)
        assert root.tag.endswith("svg")
        assert "unreviewed" in "".join(root.itertext())


def test_names_that_look_like_markup_stay_text() -> None:
    from dataclasses import replace

    catalogue, site = load()
    score = catalogue.score("quiet-room", site.room("garden"), "en")
    text = preview_svg(replace(score, title="<b>&co"))
    assert "<b>&co" in "".join(ET.fromstring(text).itertext())
