"""Edits keep the hand that wrote the file: property tests, and lines compared byte for byte."""

import copy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from controller.errors import InvalidFilesError
from profiles.validation import LIBRARY
from profiles.yaml_edit import EditRefusedError, edited, same, written
from profiles.yaml_emit import flow
from profiles.yaml_save import save
from profiles.yaml_source import compose, parse_document

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12) | st.sampled_from(
    [
        "yes",
        "off",
        "null",
        "~",
        "1",
        "0x10",
        "1e3",
        "- a",
        "a: b",
        "a #b",
        "{x}",
        "#",
        "it's",
        ' "q"',
        "2026-01-01",
        "",
    ]
)
SCALARS = st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.floats(-1e9, 1e9) | TEXT
KEYS = st.sampled_from(
    ["id", "title", "minutes", "light", "music", "cues", "zones", "a b", "5", "true"]
) | TEXT.filter(lambda text: text != "<<")
DATA = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=16,
)
FILES = st.dictionaries(KEYS, DATA, min_size=1, max_size=5)
SETTINGS = settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)


def shipped(name: str) -> str:
    return (LIBRARY / f"{name}.yaml").read_text(encoding="utf-8")


def data_of(text: str) -> Any:
    document = parse_document(text, "x.yaml")
    assert document.problems == ()
    return document.data


def untouched(before: str, after: str) -> tuple[list[str], list[str]]:
    """The lines of each that the other does not have, in order."""
    old, new = before.splitlines(keepends=True), after.splitlines(keepends=True)
    return [line for line in old if line not in new], [line for line in new if line not in old]


@SETTINGS
@given(FILES)
@example({"a": "\x85\u2028\ufeff", "b": "\U0001f33f", "c": "\x7f\x00"})
def test_what_is_written_reads_back_the_same(data: dict[str, Any]) -> None:
    assert same(data_of(written(data)), data)
    assert same(data_of(flow(data)), data)


@SETTINGS
@given(FILES, FILES)
def test_an_edit_says_exactly_the_new_data(old: dict[str, Any], new: dict[str, Any]) -> None:
    text = written(old)
    assert same(data_of(edited(text, new)), new)
    assert edited(text, old) == text


@st.composite
def profile_edits(draw: st.DrawFn) -> tuple[str, Any]:
    text = shipped(
        draw(st.sampled_from(["psilocybin", "mdma", "5-meo-dmt", "presets", "prompts", "demo-site"]))
    )
    data = data_of(text)
    for _ in range(draw(st.integers(1, 5))):
        _mutate(draw, data)
    return text, data


def _mutate(draw: st.DrawFn, data: Any) -> None:
    """Change one thing somewhere: a value, a key more or less, an item more, less or moved."""
    while True:
        inner = [
            v for v in (data.values() if isinstance(data, dict) else data) if isinstance(v, dict | list) and v
        ]
        if not inner or draw(st.integers(0, 3)) == 0:
            break
        data = draw(st.sampled_from(inner))
    action = draw(st.sampled_from(["set", "add", "remove", "move"]))
    if isinstance(data, dict):
        if action in ("add", "move"):
            data[draw(KEYS)] = draw(DATA)
        elif action == "remove" and len(data) > 1:
            del data[draw(st.sampled_from(sorted(data)))]
        else:
            data[draw(st.sampled_from(sorted(data)))] = draw(DATA)
    elif action == "add":
        data.insert(draw(st.integers(0, len(data))), draw(DATA))
    elif action == "remove":
        data.pop(draw(st.integers(0, len(data) - 1)))
    elif action == "move":
        data.insert(draw(st.integers(0, len(data) - 1)), data.pop(draw(st.integers(0, len(data) - 1))))
    else:
        data[draw(st.integers(0, len(data) - 1))] = draw(DATA)


@settings(SETTINGS, max_examples=12)
@given(profile_edits())
def test_any_edit_of_a_shipped_file_says_the_new_data(edit: tuple[str, Any]) -> None:
    text, data = edit
    assert same(data_of(edited(text, data)), data)


def test_one_number_changes_one_line() -> None:
    text = shipped("psilocybin")
    data = data_of(text)
    data["phases"][4]["light"]["kelvin"] = 2100
    _, come = untouched(text, edited(text, data))
    assert come == ["    light: {brightness_percent: 4, kelvin: 2100, fade_minutes: 20}\n"]
    after = edited(text, data).splitlines()
    assert [i for i, (a, b) in enumerate(zip(text.splitlines(), after, strict=True)) if a != b] == [49]


def test_a_moved_phase_takes_its_comments_along_and_leaves_every_other_line() -> None:
    text = shipped("psilocybin")
    data = data_of(text)
    data["phases"].insert(2, data["phases"].pop(5))
    after = edited(text, data)
    assert sorted(after.splitlines()) == sorted(text.splitlines())
    lines = after.splitlines()
    peak = lines.index("  - id: peak")
    assert lines[peak - 1] == "  # Nobody speaks here unless the therapist taps."
    assert lines[peak + 6] == "  - id: settle"


def test_a_moved_and_changed_phase_keeps_the_rest_of_its_lines() -> None:
    text = shipped("mdma")
    data = data_of(text)
    phase = data["phases"].pop(5)
    phase["minutes"] = 100
    data["phases"].append(phase)
    assert untouched(text, edited(text, data)) == (["    minutes: 120\n"], ["    minutes: 100\n"])


def test_a_removed_phase_takes_only_its_own_lines() -> None:
    text = shipped("psilocybin")
    data = data_of(text)
    del data["phases"][5]
    after = edited(text, data)
    start = text.index("  # Nobody speaks here")
    end = text.index("  # A silence from minute 10")
    assert after == text[:start] + text[end:]


def test_a_new_phase_and_a_new_key_leave_every_other_line() -> None:
    text = shipped("psilocybin")
    data = data_of(text)
    data["phases"].insert(
        3, {"id": "pause", "minutes": 5, "light": {"brightness_percent": 9, "kelvin": 2200}}
    )
    data["phases"][1]["title"] = "Intention: what for?"
    data["description"] = "Long."
    after = edited(text, data)
    kept = [line for line in after.splitlines() if line in text.splitlines()]
    assert [line for line in text.splitlines() if line] == [
        line for line in kept if line
    ]  # nothing lost, order kept
    assert '    title: "Intention: what for?"\n' in after
    assert "  - id: pause\n    minutes: 5\n    light: {brightness_percent: 9, kelvin: 2200}\n" in after


ODD = """\
# head

site:   "demo"     # the id
title: 'It''s ours'
notes: |
  two
    lines

rooms:
- id:  a            # first room
  k: [1, 2,   3]    # numbers
  flow: {x: 1,
         y: 2}  # wrapped
# about b
- id: b
  empty:
  long: a text that
    goes on
# the end
"""


def test_odd_layout_survives_edits_around_it() -> None:
    data = data_of(ODD)
    data["site"] = "clinic"
    data["title"] = "It's theirs"
    data["rooms"][0]["k"].append(4)
    data["rooms"][0]["flow"]["y"] = 5
    data["rooms"][1]["empty"] = "full"
    data["rooms"][1]["new"] = True
    expected = (
        ODD.replace('"demo"', '"clinic"')
        .replace("ours", "theirs")
        .replace("[1, 2,   3]", "[1, 2,   3, 4]")
        .replace("y: 2}", "y: 5}")
        .replace("empty:", "empty: full")
        .replace("    goes on\n", "    goes on\n  new: true\n")
    )
    assert edited(ODD, data) == expected


def test_a_part_the_form_does_not_know_is_kept() -> None:
    text = shipped("quiet-room") + "\n# ours\nx-clinic:\n    colour-chart:   [ a,b ,c ]   # keep\n"
    data = data_of(text)
    data["phases"][0]["minutes"] = 6
    assert edited(text, data) == text.replace("    minutes: 5\n", "    minutes: 6\n", 1)


def test_windows_line_ends_and_a_missing_last_one_are_kept(tmp_path: Path) -> None:
    text = "# c\r\na: 1  # one\r\nb:\r\n  - x\r\n  - y"
    data = data_of(text)
    data["b"].append("z")
    data["c"] = {"d": [1, {"e": {"f": 2}}]}
    after = edited(text, data)
    assert after.startswith("# c\r\na: 1  # one\r\nb:\r\n  - x\r\n  - y\r\n  - z\r\nc:")
    assert "\n" not in after.replace("\r\n", "")
    assert not after.endswith("\n")
    path = tmp_path / "bom.yaml"
    path.write_bytes(b"\xef\xbb\xbfa: 1\n")
    save(path, {"a": 2})
    assert path.read_bytes() == b"\xef\xbb\xbfa: 2\n"


def test_shared_parts_are_edited_only_where_that_changes_nothing_else() -> None:
    text = "low: &low {kelvin: 2000}\na: *low\nb: *low\nc: 1\n"
    data = data_of(text)
    assert data["a"] == {"kelvin": 2000}
    data = copy.deepcopy(data)
    data["c"] = 2
    assert edited(text, data) == text.replace("c: 1", "c: 2")
    data["b"] = {"kelvin": 2500}
    assert edited(text, data) == "low: &low {kelvin: 2000}\na: *low\nb: {kelvin: 2500}\nc: 2\n"
    data["low"]["kelvin"] = 1
    with pytest.raises(EditRefusedError):
        edited(text, data)


def test_merged_keys_can_be_overridden_in_place() -> None:
    text = "low: &low {kelvin: 2000, fade: 1}\na:\n  <<: *low  # as low\n  fade: 2\n"
    data = copy.deepcopy(data_of(text))
    data["a"]["kelvin"] = 2200
    assert edited(text, data) == text + "  kelvin: 2200\n"


def test_saving_is_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "p.yaml"
    path.write_text("a: [1\n", encoding="utf-8")
    with pytest.raises(InvalidFilesError):
        save(path, {"a": 2})
    assert path.read_text(encoding="utf-8") == "a: [1\n"
    path.write_text("a: 1 # x\n", encoding="utf-8")
    path.chmod(0o640)
    save(path, {"a": 2})
    assert path.read_text(encoding="utf-8") == "a: 2 # x\n"
    assert path.stat().st_mode & 0o777 == 0o640
    document = save(tmp_path / "new.yaml", {"profile": "x", "phases": [{"id": "a", "minutes": 1}]})
    assert document.problems == ()
    assert (tmp_path / "new.yaml").read_text(
        encoding="utf-8"
    ) == "profile: x\nphases: [{id: a, minutes: 1}]\n"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["new.yaml", "p.yaml"]


def test_the_node_tree_has_the_marks_the_editor_needs() -> None:
    node = compose("a: 1\n")
    assert node is not None
    assert (node.start_mark.index, node.end_mark.index) == (0, 5)


@pytest.mark.parametrize("word", ["yes", "No", "on", "OFF", "y"])
def test_words_that_other_programs_read_as_truths_are_quoted(word: str) -> None:
    assert flow(word) == f'"{word}"'
    assert edited("a: x\n", {"a": word}) == f'a: "{word}"\n'
