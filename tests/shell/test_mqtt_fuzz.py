"""Whatever comes in at a room's topics: no exception, no change, an answer that is one."""

import asyncio
import json
import logging
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mqtt_fuzz import ACK, COMMAND, Target, is_command, run, settle

from controller.mqtt_limits import MOST_ASKERS, QuietLog, RateLimit
from controller.mqtt_messages import device_name, find_id
from controller.mqtt_topics import may_answer_on
from controller.wire import Reply, command_names

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)
ALMOST = st.fixed_dictionaries(
    {"id": st.uuids().map(str) | JSON, "command": st.sampled_from(command_names()) | JSON},
    optional=dict.fromkeys(("zone", "brightness", "sent_at_ms", "prompt", "minutes", "text", "x"), JSON),
)
PAYLOADS = (
    st.binary(max_size=200) | JSON.map(json.dumps).map(str.encode) | ALMOST.map(json.dumps).map(str.encode)
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    payload=PAYLOADS,
    topic=st.sampled_from([COMMAND, ACK]),
    retain=st.booleans(),
    response=st.none() | st.text(max_size=30),
)
def test_anything_at_a_topic(payload: bytes, topic: str, retain: bool, response: str | None) -> None:
    async def throw() -> None:
        target = Target()
        await target.open()
        target.link.published.clear()
        target.throw(topic, payload, retain=retain, response=response)
        await settle()
        if topic == COMMAND and (retain or not is_command(payload)):
            assert target.room.submitted == 0
            answers = [sent for sent in target.link.published if sent[0] != "stillroom/garden/state"]
            assert len(answers) == (1 if payload else 0)
            for _, answer in answers:
                assert not Reply.model_validate_json(answer).ok
        await target.close()

    asyncio.run(throw())


async def test_many_payloads_leave_memory_flat() -> None:
    report = await run(6_000)
    assert report["thrown"] == 6_000
    assert isinstance(report["obeyed"], int)
    assert report["obeyed"] > 0


OURS = ["stillroom", "garden", "attic", "command", "reply", "state", "prompt", "client"]
LEVELS = st.sampled_from([*OURS, "x", "$SYS", "homeassistant", "zigbee2mqtt", "set"])


@given(topic=st.text(max_size=40) | st.lists(LEVELS, max_size=5).map("/".join))
def test_an_answer_never_goes_where_it_means_something(topic: str) -> None:
    if may_answer_on(topic, "garden"):
        levels = topic.split("/")
        assert not topic.startswith("$")
        assert "+" not in topic
        assert "#" not in topic
        assert levels[0] != "homeassistant"
        if levels[0] == "stillroom":
            assert levels[1] == "garden"
            assert levels[2] not in {"command", "state", "prompt", "event", "status"}


@given(payload=PAYLOADS)
def test_an_id_is_found_or_not(payload: bytes) -> None:
    assert find_id(payload) is None or isinstance(find_id(payload), UUID)


@given(by=st.text(max_size=64))
def test_a_devices_name_is_plain(by: str) -> None:
    assert len(device_name(by)) <= 40
    assert device_name(by).isascii()


def test_the_rate_is_kept_for_each_and_for_all() -> None:
    limit = RateLimit(10, 30, 0)
    assert sum(limit.allow("a", 0) for _ in range(100)) == 20
    assert sum(limit.allow("b", 0) for _ in range(100)) == 20
    assert sum(limit.allow("c", 0) for _ in range(100)) == 20
    assert sum(limit.allow("d", 0) for _ in range(100)) == 0
    assert sum(limit.allow("a", 1_000) for _ in range(100)) == 10
    for number in range(1_000):
        limit.allow(str(number), 2_000)
    assert len(limit._askers) == MOST_ASKERS


def test_the_log_is_quiet_and_counts(caplog: pytest.LogCaptureFixture) -> None:
    quiet = QuietLog(logging.getLogger("test-quiet"))
    for now in (0, 10, 20, 999, 1_000):
        quiet.warn("no", now)
    assert [record.getMessage() for record in caplog.records] == ["no", "no (and 3 more like it)"]
