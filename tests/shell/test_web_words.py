"""The catalogues: every sentence of every page is there, with the same gaps; Babel reads them."""

import re
from pathlib import Path

import pytest

from controller.web import pages
from controller.web.access import Role
from controller.web.words import LOCALE_DIR, choose, load_languages

WEB = Path(pages.__file__).parent
PATTERNS = {
    "templates/*.html": [
        r'_\("((?:[^"\\]|\\.)*)"\)',
        r"_\('((?:[^'\\]|\\.)*)'\)",
        r'\{\{ key\("\w+", "([^"]+)"',
        r'hint="([^"]+)"',
        r'call panel\("\w+", "([^"]+)"',
    ],
    "static/*.js": [
        r'\bt\(\s*"((?:[^"\\]|\\.)*)"',
        r'\btrim\("(\w+)"',
        r'command === "hold" \? "([^"]+)"',
        r"^const (?:ANCHORS|CODES|PARTS) .*$",
    ],
    "pages.py": [r'\bsay\("((?:[^"\\]|\\.)*)"\)'],
}


def sentences() -> set[str]:
    found = {words for _, words in pages.CHIPS} | {str(role) for role in Role}
    for files, patterns in PATTERNS.items():
        for path in WEB.glob(files):
            text = path.read_text(encoding="utf-8")
            for pattern in patterns:
                for match in re.findall(pattern, text, re.MULTILINE):
                    found |= set(re.findall(r': "([^"]+)"', match)) if match.startswith("const ") else {match}
    return found


def gaps(sentence: str) -> set[str]:
    return set(re.findall(r"\{\w+\}", sentence))


def test_extraction_finds_the_pages_words() -> None:
    found = sentences()
    assert {"Help light", "hold 1 s", "Dose taken", "Dimmer", "{name}: done", "Tears", "PIN"} <= found
    assert len(found) > 120


@pytest.mark.parametrize("code", [path.stem for path in LOCALE_DIR.glob("*.po")])
def test_catalogue_is_whole(code: str) -> None:
    words = load_languages()[code].words
    assert sorted(sentences() - words.keys()) == []
    for sentence, said in words.items():
        assert gaps(sentence) == gaps(said), sentence


def test_german_is_there() -> None:
    german = load_languages()["de"]
    assert (german.name, german.direction) == ("Deutsch", "ltr")
    assert german.say("Hold") == "Anhalten"
    assert german.say("not in the catalogue") == "not in the catalogue"


def test_a_right_to_left_catalogue_turns_the_page(tmp_path: Path) -> None:
    (tmp_path / "he.po").write_text('msgid ""\nmsgstr "Language: he\\n"\n\nmsgid "Hold"\nmsgstr "X"\n')
    assert load_languages(tmp_path)["he"].direction == "rtl"


@pytest.mark.parametrize(
    ("asked", "accepted", "code"),
    [
        (None, "", "en"),
        (None, "de-AT,de;q=0.9,en;q=0.5", "de"),
        ("en", "de", "en"),
        ("xx", "fr, de;q=0.4", "de"),
        ("../../etc", "x" * 5000, "en"),
    ],
)
def test_language_is_chosen(asked: str | None, accepted: str, code: str) -> None:
    assert choose(load_languages(), asked, accepted).code == code
