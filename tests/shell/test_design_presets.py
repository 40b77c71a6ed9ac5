"""Designing presets: one is saved beside the others in its file; bundles go out and come in whole or not."""

import io
import zipfile
from pathlib import Path

import pytest
from design_bench import PRESETS, Bench, lines_that_differ

from controller.design_bundle import MAX_FILE_BYTES, Bundle, packed, unpacked
from controller.design_work import ConflictError
from controller.errors import InvalidFilesError, UserError
from profiles.validation import LIBRARY
from profiles.yaml_source import Plain

DUSK: dict[str, Plain] = {"title": "Dusk", "others": {"brightness_percent": 12, "kelvin": 2000}}


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_one_preset_is_changed_and_nothing_else_in_the_file(bench: Bench) -> None:
    presets = bench.desk.presets
    design = presets.open("garden", "dusk")
    presets.save("garden", "dusk", DUSK, design.base, "designer")
    changed = lines_that_differ(PRESETS, bench.presets.read_text(encoding="utf-8"))
    assert changed == [
        "-    others: {brightness_percent: 8, kelvin: 2000}",
        "+    others: {brightness_percent: 12, kelvin: 2000}",
    ]
    found = bench.desk.catalogues.current.presets_for("garden")["dusk"].others
    assert found is not None
    assert found.brightness_percent == 12
    (_, changes), _ = presets.versions("dusk")
    assert changes == ("presets dusk others brightness: 8 % → 12 %",)


def test_a_shipped_preset_goes_to_a_file_of_our_own(bench: Bench) -> None:
    before = (LIBRARY / "presets.yaml").read_text(encoding="utf-8")
    for name in ("rest", "talk"):
        design = bench.desk.presets.open("garden", name)
        bench.desk.presets.save("garden", name, {**design.data, "fade_s": 9}, design.base, "designer")
    assert (LIBRARY / "presets.yaml").read_text(encoding="utf-8") == before
    now = bench.desk.catalogues.current.presets_for("garden")
    assert (now["rest"].fade_s, now["talk"].fade_s, now["tidy"].fade_s) == (9, 9, 30)


def test_somebody_elses_preset_in_the_same_file_is_no_conflict_but_the_same_one_is(bench: Bench) -> None:
    presets = bench.desk.presets
    dusk, reading = presets.open("garden", "dusk"), presets.open("garden", "reading")
    presets.save("garden", "reading", {**reading.data, "fade_s": 9}, reading.base, "designer")
    presets.save("garden", "dusk", DUSK, dusk.base, "designer")
    with pytest.raises(ConflictError) as error:
        presets.save("garden", "dusk", {**DUSK, "title": "Mine"}, dusk.base, "designer")
    assert error.value.changes == ("others brightness: 8 % → 12 %",)


def test_a_preset_that_is_not_valid_is_refused(bench: Bench) -> None:
    with pytest.raises(InvalidFilesError):
        bench.desk.presets.save("garden", "empty", {"title": "Empty"}, "", "designer")
    helping: dict[str, Plain] = {"others": {"brightness_percent": 50}, "is_help": True}
    with pytest.raises(InvalidFilesError):
        bench.desk.presets.save("garden", "glare", helping, "", "designer")
    assert not (bench.folder / "data" / "designs" / "presets.yaml").exists()


def test_a_check_shows_each_zone_in_its_colour(bench: Bench) -> None:
    data: dict[str, Plain] = {"zones": {"ceiling": {"brightness_percent": 40, "colour": "#ff8a3d"}}}
    zones = {z.zone: z.swatch for z in bench.desk.presets.check("garden", "draft", data).zones}
    assert zones["ceiling"] is not None
    assert zones["bedside"] is None


def test_an_old_preset_comes_back(bench: Bench) -> None:
    presets = bench.desk.presets
    base = presets.save("garden", "dusk", DUSK, presets.open("garden", "dusk").base, "designer").base
    presets.restore("garden", "dusk", 1, base, "designer")
    assert presets.open("garden", "dusk").data["others"] == {"brightness_percent": 8, "kelvin": 2000}


# ---------------------------------------------------------------- one file to carry


def test_a_design_goes_out_and_comes_in_elsewhere_with_its_comments(bench: Bench, tmp_path: Path) -> None:
    desk = bench.desk
    content = desk.profiles.export("evening", desk.presets.text_of("garden", ("dusk",)))
    assert content == desk.profiles.export("evening", desk.presets.text_of("garden", ("dusk",)))
    other = tmp_path / "other"
    other.mkdir()
    there = Bench(other)
    with pytest.raises(UserError, match="already"):
        there.desk.bring_in(content, "garden", None, "designer")
    there.presets.write_text("presets:\n  x: {others: {brightness_percent: 1}}\n", encoding="utf-8")
    there.open()
    profile, taken, left = there.desk.bring_in(content, "garden", "their-evening", "designer")
    assert (profile, taken, left) == ("their-evening", ("dusk",), ())
    text = (other / "data" / "designs" / "profiles" / "their-evening.yaml").read_text(encoding="utf-8")
    assert lines_that_differ(bench.text, text) == [
        "-profile: evening      # do not rename: the front desk books it by this id",
        "+profile: their-evening      # do not rename: the front desk books it by this id",
    ]


def test_signatures_do_not_travel(bench: Bench) -> None:
    for role in ("designer", "therapist"):
        bench.desk.profiles.sign("evening", bench.desk.profiles.open("evening", "garden").base, role)
    content = bench.desk.profiles.export("evening", None)
    bench.desk.bring_in(content, "garden", "copy", "designer")
    assert bench.desk.catalogues.current.profile("evening").status == "reviewed"
    assert bench.desk.catalogues.current.profile("copy").status == "unreviewed"


def zipped(**members: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name.replace("__", "/").replace("_yaml", ".yaml"), content)
    return stream.getvalue()


def renamed(content: bytes, old: bytes, new: bytes) -> bytes:
    assert len(old) == len(new)
    return content.replace(old, new)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"x" * (MAX_FILE_BYTES + 1), "larger than"),
        (zipped(profile_yaml=b"\n" * 50_000_000), "unfolds"),
        (zipped(**{"..__..__etc__passwd": b"root"}), "does not belong"),
        (renamed(zipped(profile_yaml=b"a: 1"), b"profile.yaml", b"/etc/passwd\x00"), "archive"),
        (zipped(profile_yaml=b"a: 1", presets_yaml=b"b: 1", more_yaml=b"c: 1"), "at most"),
        (zipped(), "expected"),
        (zipped(profile_yaml=b"\xff\xfe\x00"), "nor text"),
        (zipped(profile_yaml=b"profile: x")[:-30], "damaged"),
        (b"PK nothing", "damaged"),
        (b"\xff\xfe\x00", "nor text"),
    ],
)
def test_what_is_no_design_is_refused(content: bytes, words: str) -> None:
    with pytest.raises(UserError, match=words):
        unpacked(content)


def test_a_header_that_lies_about_its_size_unfolds_no_further() -> None:
    content = zipped(profile_yaml=b"\n" * 5_000_000)
    size = (5_000_000).to_bytes(4, "little")
    with pytest.raises(UserError):
        unpacked(content.replace(size, (100).to_bytes(4, "little")))


def test_a_bundle_is_what_was_packed() -> None:
    bundle = Bundle("profile: x  # ä\n", None)
    assert unpacked(packed(bundle)) == bundle
    assert unpacked(b"profile: x\n") == Bundle("profile: x\n", None)


def test_a_profile_from_outside_that_is_not_valid_brings_nothing_in(bench: Bench) -> None:
    with pytest.raises(InvalidFilesError):
        bench.desk.bring_in(b"profile: theirs\ntitle: Theirs\n", "garden", None, "designer")
    assert not (bench.folder / "data" / "designs").exists()


def test_a_bundle_with_faulty_presets_brings_in_nothing_of_it(bench: Bench) -> None:
    content = zipped(profile_yaml=bench.text.encode(), presets_yaml=b"presets:\n  x: {title: No light}\n")
    with pytest.raises(InvalidFilesError):
        bench.desk.bring_in(content, "garden", "theirs", "designer")
    assert "theirs" not in bench.desk.catalogues.current.profiles
