"""Every record survives the way to JSON text and back, exactly."""

import dataclasses
import types
from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from controller.core.commands import SessionSheet
from controller.core.light import Look, Mired, Xy
from controller.core.records import PhaseEntered, Record, RecordBody, SessionStarted
from controller.core.score import Score
from controller.errors import JournalError
from controller.record_codec import decode_body, decode_record, encode_body, encode_record


def any_of(hint: Any) -> st.SearchStrategy[Any]:
    """Any value of a type, every field of it filled (Hypothesis itself leaves defaults alone)."""
    origin, args = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return st.one_of([any_of(arg) for arg in args])
    if origin is Literal:
        return st.sampled_from(args)
    if origin is tuple:
        return st.lists(any_of(args[0]), max_size=2).map(tuple)
    if origin is Mapping:
        return st.dictionaries(st.text(max_size=5), any_of(args[1]), max_size=2)
    if dataclasses.is_dataclass(hint):
        return any_dataclass(hint)
    simple: dict[Any, st.SearchStrategy[Any]] = {
        int: st.integers(-(2**62), 2**62),
        float: st.floats(allow_nan=False),
        str: st.text(max_size=20),
        bool: st.booleans(),
        type(None): st.none(),
    }
    if isinstance(hint, type) and issubclass(hint, Enum):
        return st.sampled_from(hint)
    return simple[hint]


def any_dataclass(cls: Any) -> st.SearchStrategy[Any]:
    hints = get_type_hints(cls)
    return st.builds(cls, **{field.name: any_of(hints[field.name]) for field in dataclasses.fields(cls)})


KINDS = get_args(RecordBody)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_kind_of_record_comes_back_as_it_was(kind: Any) -> None:
    @settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
    @given(
        at_ms=st.integers(0, 2**62),
        by=st.text(),
        body=any_dataclass(kind),
        command_id=st.none() | st.text(),
        session_id=st.none() | st.text(),
    )
    def comes_back(at_ms: int, by: str, body: Any, command_id: str | None, session_id: str | None) -> None:
        record = Record(at_ms, by, body, command_id, session_id)
        text = encode_record(record)
        assert "\n" not in text
        again = decode_record(text)
        assert again == record
        assert type(again.body) is kind
        assert repr(again) == repr(record)  # 1 and 1.0 are equal; only one of them was written
        assert decode_body(encode_body(body)) == body

    comes_back()


def test_a_score_with_read_only_mappings_comes_back() -> None:
    score = Score(
        "p",
        "t",
        reviewed=False,
        phases=(),
        resting=MappingProxyType({"a": Look(3, Mired(400)), "b": Look(1, Xy(0.3, 0.4))}),
    )
    record = Record(1, "daemon", SessionStarted("s", score, SessionSheet()))
    assert decode_record(encode_record(record)) == record


def test_what_cannot_be_written_is_refused_in_one_line() -> None:
    with pytest.raises(JournalError, match="phase_entered record cannot be written") as caught:
        encode_body(PhaseEntered(object(), 1))  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[1]",
        '"x"',
        '{"at_ms": 1, "by": "x"}',
        '{"at_ms": 1, "by": "x", "body": {"kind": "nonsense"}}',
        '{"at_ms": 1, "by": "x", "body": {}}',
        '{"at_ms": 1, "by": "x", "body": {"kind": "phase_entered", "phase": "settle"}}',
    ],
)
def test_damaged_text_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(JournalError) as caught:
        decode_record(text)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 200


def test_a_record_with_a_field_too_many_is_still_read() -> None:
    text = encode_record(Record(1, "x", PhaseEntered("settle", 2))).replace(
        '"slot":2', '"slot":2,"later":true'
    )
    assert decode_record(text).body == PhaseEntered("settle", 2)
