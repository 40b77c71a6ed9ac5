"""Designing profiles: what is saved, what stays, who signed, what changed, and who was first."""

from pathlib import Path
from typing import Any

import pytest
from design_bench import EVENING, Bench, lines_that_differ

from controller.design_files import meaning_of
from controller.design_work import ConflictError
from controller.errors import InvalidFilesError, UserError
from profiles.validation import LIBRARY, validate_paths
from profiles.yaml_source import parse_document


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def opened(bench: Bench, profile: str = "evening") -> tuple[dict[str, Any], str]:
    design = bench.desk.profiles.open(profile, "garden")
    return design.data, design.base


def saved(bench: Bench, change: Any, profile: str = "evening", role: str = "designer") -> str:
    data, base = opened(bench, profile)
    change(data)
    return bench.desk.profiles.save(profile, data, base, role).base


def lengthen(minutes: int, phase: int = 1) -> Any:
    return lambda data: data["phases"][phase].update(minutes=minutes)


# ---------------------------------------------------------------- saving


def test_only_the_changed_line_is_touched(bench: Bench) -> None:
    saved(bench, lengthen(45))
    assert lines_that_differ(EVENING, bench.text) == ["-    minutes: 40", "+    minutes: 45"]


def test_a_new_phase_leaves_every_line_and_every_unknown_part(bench: Bench) -> None:
    def insert(data: dict[str, Any]) -> None:
        music = {"pool": "nature", "energy": 0.1, "level_dba": 40}
        light = {"brightness_percent": 15, "kelvin": 2200}
        data["phases"].insert(2, {"id": "wake", "minutes": 5, "light": light, "music": music})

    saved(bench, insert)
    assert not [line for line in lines_that_differ(EVENING, bench.text) if line.startswith("-")]
    data: Any = parse_document(bench.text, "x").data
    assert [phase["id"] for phase in data["phases"]] == ["arrive", "rest", "wake", "close"]
    assert data["anchor_cues"] == [{"anchor": "dose", "minutes": 5, "prompt": "bp"}]


def test_what_is_saved_is_at_once_what_can_be_started(bench: Bench) -> None:
    saved(bench, lengthen(45))
    assert sum(p.minutes for p in bench.desk.catalogues.current.profile("evening").phases) == 65
    bench.open()
    assert sum(p.minutes for p in bench.desk.catalogues.current.profile("evening").phases) == 65


def test_what_is_not_valid_is_not_saved_and_every_fault_is_said(bench: Bench) -> None:
    def spoil(data: dict[str, Any]) -> None:
        data["phases"][0]["cues"][0]["prompt"] = "no-such"
        data["phases"][1]["light"]["kelvin"] = 90_000

    with pytest.raises(InvalidFilesError) as error:
        saved(bench, spoil)
    assert {p.key for p in error.value.problems} == {"phases[0].cues[0].prompt", "phases[1].light.kelvin"}
    assert bench.text == EVENING
    assert bench.desk.workshop.store.versions("profile", "evening") == ()


def test_a_check_says_what_validate_says_and_writes_nothing(bench: Bench) -> None:
    data, _ = opened(bench)
    data["phases"][1]["minutes"] = 10
    checked = bench.desk.profiles.check("evening", data, "garden")
    said = {(p.line, p.key, p.message) for p in checked.problems}
    assert bench.text == EVENING
    bench.file.write_text(EVENING.replace("minutes: 40", "minutes: 10"), encoding="utf-8")
    assert {(p.line, p.key, p.message) for p in validate_paths([bench.file])} == said != set()


def test_what_cannot_be_written_is_said_and_leaves_no_version(bench: Bench) -> None:
    (bench.folder / "data" / "designs").write_text("in the way", encoding="utf-8")
    with pytest.raises(UserError, match="cannot be written"):
        saved(bench, lengthen(12), "quiet-room")
    kept = [version.event for version, _ in bench.desk.profiles.versions("quiet-room")]
    assert kept == ["found"]
    assert bench.desk.catalogues.current.profile("quiet-room").phases[1].minutes == 10


# ---------------------------------------------------------------- somebody else


def test_a_save_over_somebody_elses_is_refused_and_says_what_they_changed(bench: Bench) -> None:
    data, base = opened(bench)
    saved(bench, lengthen(50))
    lengthen(25)(data)
    with pytest.raises(ConflictError) as error:
        bench.desk.profiles.save("evening", data, base, "designer")
    assert error.value.changes == ("phase rest, length: 40 min → 50 min",)
    assert "minutes: 50" in bench.text
    bench.desk.profiles.save("evening", data, error.value.theirs, "designer")
    assert "minutes: 25" in bench.text
    kept = [version.text for version, _ in bench.desk.profiles.versions("evening")]
    assert any("minutes: 50" in text for text in kept)


def test_a_file_that_was_edited_by_hand_meanwhile_is_not_written_over(bench: Bench) -> None:
    data, base = opened(bench)
    bench.file.write_text(EVENING.replace("title: Evening", "title: Dusk"), encoding="utf-8")
    with pytest.raises(ConflictError):
        bench.desk.profiles.save("evening", data, base, "designer")
    assert "title: Dusk" in bench.text


def test_two_new_ones_of_the_same_name_are_not_one(bench: Bench) -> None:
    data, _ = opened(bench)
    fresh = {**data, "profile": "fresh"}
    bench.desk.profiles.save("fresh", fresh, "", "designer")
    with pytest.raises(ConflictError):
        bench.desk.profiles.save("fresh", {**fresh, "title": "Another"}, "", "designer")


# ---------------------------------------------------------------- what is shipped, and what is new


def test_a_shipped_profile_is_never_touched_its_copy_takes_its_place(bench: Bench) -> None:
    shipped = LIBRARY / "quiet-room.yaml"
    before = shipped.read_text(encoding="utf-8")
    saved(bench, lengthen(12, phase=1), "quiet-room")
    assert shipped.read_text(encoding="utf-8") == before
    ours = (bench.folder / "data" / "designs" / "profiles" / "quiet-room.yaml").read_text(encoding="utf-8")
    assert lines_that_differ(before, ours) == ["-    minutes: 10", "+    minutes: 12"]
    assert bench.desk.catalogues.current.profile("quiet-room").phases[1].minutes == 12


@pytest.mark.parametrize("name", ["../evil", "a/b", ".hidden", "", "A", "x" * 27, "a..b", "nul\0"])
def test_a_name_from_outside_is_no_path(bench: Bench, name: str) -> None:
    data, _ = opened(bench)
    with pytest.raises(UserError):
        bench.desk.profiles.save(name, {**data, "profile": name}, "", "designer")
    assert not [p for p in bench.folder.rglob("*.yaml") if "evil" in p.name]


# ---------------------------------------------------------------- versions


def test_versions_say_who_when_and_what(bench: Bench) -> None:
    saved(bench, lengthen(45))
    bench.clock.advance_by(60_000)

    def more(data: dict[str, Any]) -> None:
        data["phases"][0]["light"]["brightness_percent"] = 25
        data["phases"][0]["cues"] = []
        data["title"] = "Late evening"

    saved(bench, more)
    (newest, changes), (middle, one), (first, none) = bench.desk.profiles.versions("evening")
    assert (first.event, first.role, none) == ("found", "file", ())
    assert (middle.event, middle.role, one) == ("saved", "designer", ("phase rest, length: 40 min → 45 min",))
    assert newest.at_ms - middle.at_ms == 60_000
    assert changes == (
        "title: Evening → “Late evening”",
        "phase arrive, light brightness: 30 % → 25 %",
        "phase arrive, cues feet 2: taken out",
    )


def test_an_old_version_comes_back_with_its_comments(bench: Bench) -> None:
    saved(bench, lengthen(45))
    base = saved(bench, lambda data: data["phases"].pop(0))
    assert "first the feet" not in bench.text
    bench.desk.profiles.restore("evening", 1, base, "designer")
    assert bench.text == EVENING
    assert bench.desk.profiles.versions("evening")[0][0].event == "restored"


def test_saving_without_a_change_is_no_version(bench: Bench) -> None:
    base = saved(bench, lengthen(45))
    assert saved(bench, lambda data: None) == base
    assert len(bench.desk.profiles.versions("evening")) == 2


# ---------------------------------------------------------------- signing


def status(bench: Bench) -> str:
    return bench.desk.catalogues.current.profile("evening").status


def sign(bench: Bench, *roles: str) -> None:
    for role in roles:
        bench.desk.profiles.sign("evening", opened(bench)[1], role)


def test_unreviewed_goes_only_with_two_roles_under_that_very_version(bench: Bench) -> None:
    sign(bench, "designer", "designer")
    assert status(bench) == "unreviewed"
    sign(bench, "therapist")
    assert status(bench) == "reviewed"
    changed = lines_that_differ(EVENING, bench.text)
    assert changed == ["-status: unreviewed", "+status: reviewed", "+reviewed_by: [designer, therapist]"]


def test_a_change_needs_both_again_and_going_back_needs_none(bench: Bench) -> None:
    sign(bench, "designer", "therapist")
    base = saved(bench, lengthen(45))
    assert status(bench) == "unreviewed"
    assert "reviewed_by" not in bench.text
    sign(bench, "designer")
    assert status(bench) == "unreviewed"
    bench.desk.profiles.restore("evening", 1, opened(bench)[1], "designer")
    assert status(bench) == "reviewed"
    assert base


def test_a_form_cannot_sign(bench: Bench) -> None:
    def claim(data: dict[str, Any]) -> None:
        data.update(status="reviewed", reviewed_by=["clinical lead", "medical lead"], title="Signed")

    saved(bench, claim)
    assert status(bench) == "unreviewed"
    assert "lead" not in bench.text


def test_a_signed_file_that_was_changed_by_hand_counts_as_unreviewed(bench: Bench) -> None:
    sign(bench, "designer", "therapist")
    bench.file.write_text(bench.text.replace("minutes: 40", "minutes: 41"), encoding="utf-8")
    bench.open()
    assert status(bench) == "unreviewed"
    assert any("changed since it was signed" in p.message for p in bench.desk.catalogues.current.problems)
    bench.file.write_text(bench.text.replace("minutes: 41", "minutes: 40  # as before"), encoding="utf-8")
    bench.open()
    assert status(bench) == "reviewed"


def test_comments_order_and_numbers_forms_are_no_change_of_meaning() -> None:
    data = parse_document(EVENING, "x").data
    again = parse_document(
        EVENING.replace("minutes: 40", "minutes: 40.0").replace("# nor", "# not"), "x"
    ).data
    assert meaning_of(data) == meaning_of(again)
    other = parse_document(EVENING.replace("minutes: 40", "minutes: 40.5"), "x").data
    assert meaning_of(other) != meaning_of(data)
