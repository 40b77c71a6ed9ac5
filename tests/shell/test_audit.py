"""The audit log: every change to what was written is found."""

import json
import multiprocessing
from pathlib import Path

import pytest

from controller.audit import AuditError, AuditLog, audit_log


def filled(folder: Path, count: int = 4) -> AuditLog:
    log = audit_log(folder)
    for number in range(count):
        log.add(1_000 + number, "therapist", "session deleted", session=f"s{number}")
    return log


def test_what_is_written_is_read_in_order(tmp_path: Path) -> None:
    log = filled(tmp_path)
    assert [(line.number, line.detail["session"]) for line in log.lines()] == [
        (1, "s0"),
        (2, "s1"),
        (3, "s2"),
        (4, "s3"),
    ]
    assert log.path.stat().st_mode & 0o077 == 0
    assert "session deleted (session s3)" in str(log.lines()[-1])


def test_an_empty_folder_has_an_empty_log(tmp_path: Path) -> None:
    assert audit_log(tmp_path).lines() == ()


@pytest.mark.parametrize("harm", ["change", "take out", "cut off", "swap", "all gone", "forge the end"])
def test_every_harm_is_found(tmp_path: Path, harm: str) -> None:
    log = filled(tmp_path)
    lines = log.path.read_text().splitlines(keepends=True)
    match harm:
        case "change":
            lines[1] = lines[1].replace("s1", "s9")
        case "take out":
            del lines[1]
        case "cut off":
            del lines[-1]
        case "swap":
            lines[1], lines[2] = lines[2], lines[1]
        case "all gone":
            lines = []
        case _:
            lines[-1] = json.dumps({**json.loads(lines[-1]), "by": "nobody"}) + "\n"
    log.path.write_text("".join(lines))
    with pytest.raises(AuditError, match="audit"):
        log.lines()


def test_half_a_line_after_a_crash_costs_nothing_that_was_whole(tmp_path: Path) -> None:
    log = filled(tmp_path, 2)
    with log.path.open("a") as file:
        file.write('{"number": 3, "at_')
    log.add(9_000, "installer", "token issued")
    assert [line.what for line in log.lines()] == ["session deleted", "session deleted", "token issued"]


def add_some(folder: Path, who: str) -> None:
    for number in range(20):
        audit_log(folder).add(number, who, "token issued")


def test_two_programs_write_one_chain(tmp_path: Path) -> None:
    spawn = multiprocessing.get_context("spawn")
    writers = [spawn.Process(target=add_some, args=(tmp_path, who)) for who in ("a", "b")]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
    assert len(audit_log(tmp_path).lines()) == 40
