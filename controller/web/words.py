"""The pages' words in other languages: gettext catalogues, read as they are (no compiled files).

English is the source: a sentence without a translation stays English. The words of profiles, prompts and
refusals come from elsewhere and are not translated here.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from babel import Locale
from babel.messages.pofile import read_po

LOCALE_DIR: Final = Path(__file__).parent / "locale"
SOURCE: Final = "en"


@dataclass(frozen=True, slots=True)
class Language:
    """One language: its code, its own name, which way it is written, its words."""

    code: str
    name: str
    direction: str
    words: Mapping[str, str]

    def say(self, sentence: str) -> str:
        """Return a sentence in this language."""
        return self.words.get(sentence) or sentence


def load_languages(folder: Path = LOCALE_DIR) -> dict[str, Language]:
    """Return English and every language with a catalogue ``<code>.po`` in the folder."""
    languages = {SOURCE: _language(SOURCE, {})}
    for path in sorted(folder.glob("*.po")):
        with path.open("rb") as file:
            catalogue = read_po(file, locale=path.stem)
        words = {
            str(message.id): str(message.string)
            for message in catalogue
            if message.id and message.string and not message.fuzzy
        }
        languages[path.stem] = _language(path.stem, words)
    return languages


def _language(code: str, words: Mapping[str, str]) -> Language:
    locale = Locale.parse(code)
    direction = "rtl" if locale.character_order == "right-to-left" else "ltr"
    return Language(code, locale.get_display_name(locale) or code, direction, words)


def choose(languages: Mapping[str, Language], asked: str | None, accepted: str) -> Language:
    """Return the language asked for, else the first that the browser accepts, else English."""
    wanted: list[str] = [asked] if asked else []
    wanted += [part.partition(";")[0].strip() for part in accepted.split(",")]
    for code in wanted:
        found = languages.get(code) or languages.get(code.partition("-")[0].lower())
        if found is not None:
            return found
    return languages[SOURCE]
