"""The command line as a person meets it: what it prints, where, and its exit status."""

import asyncio
import json
from pathlib import Path

import pytest

from controller.cli import main
from controller.core.records import Record, SessionHeld
from controller.journal import journal_path, open_journal

PLANNED = {
    "arrival": 0,
    "intention": 30,
    "settle": 60,
    "onset": 85,
    "ascent": 130,
    "peak": 170,
    "descent": 260,
    "return": 350,
    "talk": 420,
}


def run(*words: str, monkeypatch: pytest.MonkeyPatch) -> int:
    """Run ``stillroom`` in this process; its exit status."""
    monkeypatch.setattr("sys.argv", ["stillroom", *words])
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0)


def test_rehearse_brings_every_phase_at_its_exact_time(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run("rehearse", "psilocybin", "--json", f"--data={tmp_path}", monkeypatch=monkeypatch) == 0
    report = json.loads(capsys.readouterr().out)
    entered = {
        row["what"]: row["session_ms"] for row in report["happenings"] if row["kind"] == "phase_entered"
    }
    assert entered == {phase: minute * 60_000 for phase, minute in PLANNED.items()}
    assert report["ended_ms"] == 480 * 60_000
    assert report["unreviewed"] is True
    assert report["tracks"] > 60
    assert all(count < 150 for count in report["lamp_commands"].values())
    spoken = [row["what"] for row in report["happenings"] if row["kind"] == "prompt_cued"]
    assert not any("{part_of_day}" in words for words in spoken)


def test_two_rehearsals_are_alike(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    reports = []
    for _ in range(2):
        run("rehearse", "quiet-room", "--json", f"--data={tmp_path}", monkeypatch=monkeypatch)
        reports.append({**json.loads(capsys.readouterr().out), "wall_s": 0})
    assert reports[0] == reports[1]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("rehearse", "psilocibin"), "psilocybin"),
        (("rehearse", "psilocybin", "--speed", "fast"), "--speed"),
        (("rehearse", "no-such-file.yaml"), "no such profile file"),
        (("token", "--role", "therapst"), "therapist"),
        (("preview", "mdma", "-o", "x.bmp"), ".svg"),
        (("report", "nobody"), "nobody"),
    ],
)
def test_what_a_person_gets_wrong_is_one_clear_line_and_status_2(
    words: tuple[str, ...],
    expected: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("STILLROOM_DATA", str(tmp_path))
    assert run(*words, monkeypatch=monkeypatch) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert expected in said


def test_validate_names_file_line_and_key_of_every_fault(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = tmp_path / "bad.yaml"
    bad.write_text("profile: bad\ntitle: Bad\nphases:\n  - {id: a, title: A, minuts: 3}\ncolour: red\n")
    assert run("validate", str(bad), monkeypatch=monkeypatch) == 2
    said = capsys.readouterr().err
    assert f"{bad}:4" in said
    assert "minutes" in said
    assert f"{bad}:5" in said
    assert run("validate", "--json", str(bad), monkeypatch=monkeypatch) == 2
    assert json.loads(capsys.readouterr().out)["ok"] is False
    good = Path(__file__).parents[2] / "profiles" / "library"
    assert run("validate", str(good), monkeypatch=monkeypatch) == 0


def test_preview_draws_an_svg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawing = tmp_path / "mdma.svg"
    assert run("preview", "mdma", "-o", str(drawing), monkeypatch=monkeypatch) == 0
    assert drawing.read_text(encoding="utf-8").startswith("<svg")


def test_report_prints_a_session_from_the_journal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from core_records import a_start

    async def write() -> None:
        journal = await open_journal(journal_path(tmp_path, "garden"))
        await journal.append((a_start("s" * 32), Record(5, "therapist:a", SessionHeld(), "c", "s" * 32)))
        await journal.close()

    asyncio.run(write())
    assert run("report", "last", "--json", f"--data={tmp_path}", monkeypatch=monkeypatch) == 0
    assert [row["body"]["kind"] for row in json.loads(capsys.readouterr().out)] == [
        "session_started",
        "session_held",
    ]
