"""Whatever the server answers to a tablet can be said in every catalogue's language."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import controller
from controller.core import commands as c
from controller.core.decide import decide
from controller.core.refusal import Refused
from controller.core.state import new_room
from controller.errors import RefusedError
from controller.web.words import LOCALE_DIR, load_languages
from controller.wire import Refusal

ROOT = Path(controller.__file__).parent
SENTENCE_AT = {
    "Refused": 1,
    "RefusedError": 1,
    "SaidError": 1,
    "HTTPException": 1,
    "PinRefusedError": 0,
}
"""What a tablet may be answered with, and where in the call its sentence stands."""
NOT_FOR_TABLETS = ("cli", "daemon", "mqtt_api.py", "mqtt_messages.py", "terminal.py")
CODES = {"invalid", "failed", "unknown_profile"}
"""Codes whose words come from elsewhere (a parser, a file): the page says what the code means."""


def answers() -> Iterator[tuple[str, ast.Call, ast.expr]]:
    """Every call that makes an answer, where it is, and its sentence."""
    for path in sorted(ROOT.rglob("*.py")):
        if path.relative_to(ROOT).parts[0] in NOT_FOR_TABLETS:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
                continue
            at = SENTENCE_AT.get(node.func.id)
            if at is not None and len(node.args) > at:
                yield f"{path.relative_to(ROOT)}:{node.lineno}", node, node.args[at]


def constants(sentence: ast.expr) -> list[str] | None:
    """The sentences an expression may be, or None if they are made as it runs."""
    if isinstance(sentence, ast.IfExp):
        parts = [constants(part) for part in (sentence.body, sentence.orelse)]
        return None if None in parts else [text for part in parts if part for text in part]
    if isinstance(sentence, ast.Constant) and isinstance(sentence.value, str):
        return [sentence.value]
    return None


def sentences() -> set[str]:
    """Every sentence of every answer."""
    from controller.core import decide as rules

    found = set(rules._AT_LIMIT.values())
    for _, _, sentence in answers():
        found.update(constants(sentence) or [])
    return found


def test_the_answers_are_found() -> None:
    found = sentences()
    assert {"wrong PIN", "no session is running in this room", "the role {role} may not do this"} <= found
    assert len(found) > 50


@pytest.mark.parametrize("code", [path.stem for path in LOCALE_DIR.glob("*.po")])
def test_every_answer_is_in_the_catalogue(code: str) -> None:
    words = load_languages()[code].words
    assert sorted(sentences() - words.keys()) == []


def test_no_answer_is_put_together_where_no_catalogue_can_find_it() -> None:
    """A sentence is a constant with gaps, or its code says enough."""
    loose = []
    for where, call, sentence in answers():
        if constants(sentence) is not None or ast.unparse(sentence) == "_AT_LIMIT[body.trim]":
            continue
        if where.startswith(("design_", "web/design_")):
            continue  # a designer is told what her file's checks say, line by line
        codes = {node.value for node in call.args if isinstance(node, ast.Constant)}
        if not codes & CODES and not ast.unparse(sentence).startswith(("str(", "error.")):
            loose.append(f"{where}: {ast.unparse(sentence)}")
    assert loose == []


def test_the_codes_meaning_is_on_the_page() -> None:
    script = (ROOT / "web" / "static" / "words.js").read_text(encoding="utf-8")
    line = re.search(r"^const CODES = \{(.*)\};$", script, re.MULTILINE)
    assert line is not None
    assert set(re.findall(r"(\w+): \"", line[1])) == CODES


def test_a_refusal_goes_out_with_its_sentence_and_fields() -> None:
    with pytest.raises(Refused) as caught:
        decide(new_room({}), c.Command("1", "therapist:a", c.Light("ceilling", 10.0)), 0)
    sent = Refusal.of(caught.value)
    assert sent.sentence == "unknown zone '{zone}'"
    assert sent.fields == {"zone": "ceilling"}
    assert sent.message.startswith("unknown zone 'ceilling' (known: ")
    curly = Refusal.of(RefusedError("failed", "a {brace} of somebody else's"))
    assert (curly.message, curly.fields) == ("a {brace} of somebody else's", {})
