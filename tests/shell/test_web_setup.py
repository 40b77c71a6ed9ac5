"""Set-up and the room check over HTTP, around fake hardware: who may, what is said, in which words."""

import ast
import json
from pathlib import Path

import pytest
from check_fake_room import FakeHardware, lamp
from web_fake_fitting import FakeSite
from web_serving import served

import controller
from controller.check_lines import OUTPUTS, WHATS, lines_of
from controller.check_store import as_json, check_for_session, check_path, keep_check, last_check
from controller.clock import ManualClock
from controller.core.records import Record
from controller.core.room_check import CheckList, Outcome, begin, sentence
from controller.record_codec import decode_record, encode_record
from controller.web.access import Role
from controller.web.words import load_languages

HOUR_MS = 3_600_000


async def test_therapist_and_installer_may_check_and_others_may_not(tmp_path: Path) -> None:
    site = FakeSite()
    async with served(tmp_path, running=False, fit=site.fit) as found:
        for role in Role:
            may = role in (Role.THERAPIST, Role.INSTALLER)
            async with found.client(role) as web:
                assert ((await web.get("/rooms/garden/check")).status_code == 200) is may, role
                assert ((await web.get("/api/v1/rooms/garden/check")).status_code == 200) is may, role
                begun = await web.post("/api/v1/rooms/garden/check", json={"skip": ["lamps"]})
                assert begun.status_code in ((201, 409) if may else (403,)), (role, begun.text)
                stop = await web.delete("/api/v1/rooms/garden/check")
                assert stop.status_code == (204 if may else 403), role
        async with found.client(None) as web:
            assert (await web.get("/api/v1/rooms/garden/check")).status_code == 401


async def test_a_check_begins_refuses_a_second_and_takes_no_stray_answer(tmp_path: Path) -> None:
    site = FakeSite()
    async with served(tmp_path, running=False, fit=site.fit) as found, found.client() as web:
        path = "/api/v1/rooms/garden/check"
        assert (await web.get(path)).json() == {
            "room": "garden", "running": False, "profile": None,
            "began_at_ms": None, "ended_at_ms": None, "lines": [],
        }  # fmt: skip
        begun = (await web.post(path, json={"profile": "quiet-room"})).json()
        assert (begun["running"], begun["profile"]) == (True, "quiet-room")
        assert begun["lines"][0]["id"] == "lamp.ceiling-left.answers"
        again = await web.post(path, json={})
        assert (again.status_code, "already" in again.json()["detail"]) == (409, True)
        stray = await web.post(f"{path}/answers", json={"line": "lamps.power_cut", "answer": "yes"})
        assert stray.status_code == 409
        assert (await web.post(f"{path}/answers", json={"line": "x", "answer": "maybe"})).status_code == 422
        assert (await web.post(path.replace("garden", "cellar"), json={})).status_code == 404


async def test_a_site_without_hardware_says_so(tmp_path: Path) -> None:
    async with served(tmp_path, running=False) as found, found.client(Role.INSTALLER) as web:
        assert (await web.get("/api/v1/rooms/garden/hardware")).status_code == 404
        assert (await web.get("/api/v1/rooms/garden/check")).status_code == 404
        assert (await web.post("/api/v1/bridges/find")).status_code == 404


def ended(room: str = "garden") -> CheckList:
    hardware = FakeHardware(ManualClock())
    hardware.lamp_list = [lamp("path-door")]
    listed = begin(room, 1_000, lines_of(hardware, None))
    listed = listed.put("lamp.path-door.answers", Outcome.PASSED, sentence("at {percent} %", percent="20"))
    listed = listed.put("lamp.path-door.floor", Outcome.FAILED, sentence("stayed bright"))
    return listed.end(2_000, sentence("left out"))


def test_the_last_check_is_kept_and_goes_with_a_session_for_a_day(tmp_path: Path) -> None:
    assert check_for_session(tmp_path, "garden", 5_000) is None
    keep_check(tmp_path, ended())
    assert last_check(tmp_path, "garden") == json.loads(json.dumps(as_json(ended())))
    kept = check_for_session(tmp_path, "garden", 2_000 + 24 * HOUR_MS)
    assert kept is not None
    assert kept.checked_at_ms == 2_000
    said = {line.line_id: (line.outcome, line.message) for line in kept.lines}
    assert said["lamp.path-door.answers"] == ("passed", "at 20 %")
    assert said["lamp.path-door.floor"] == ("failed", "stayed bright")
    assert check_for_session(tmp_path, "garden", 2_001 + 24 * HOUR_MS) is None
    assert check_for_session(tmp_path, "garden", 1_000) is None, "not from the future"
    record = Record(5_000, "room", kept, None, "s1")
    assert decode_record(encode_record(record)) == record


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"lines": [{}], "ended_at_ms": 1}', '{"lines": [3]}'])
def test_a_damaged_file_costs_only_the_record(tmp_path: Path, text: str) -> None:
    path = check_path(tmp_path, "garden")
    path.parent.mkdir()
    path.write_text(text, encoding="utf-8")
    assert check_for_session(tmp_path, "garden", 2) is None


def test_a_disk_that_takes_nothing_costs_only_the_record(tmp_path: Path) -> None:
    (tmp_path / "checks").write_text("a file where the folder should be")
    keep_check(tmp_path, ended())
    assert last_check(tmp_path, "garden") is None


def spoken() -> set[str]:
    """Every sentence that the check's modules can say."""
    folder = Path(controller.__file__).parent
    found = {*WHATS.values(), *OUTPUTS.values()}
    for name in ("check_lines", "room_check", "daemon/lamp_trials", "daemon/sound_trials"):
        for node in ast.walk(ast.parse((folder / f"{name}.py").read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                strings = [arg.value for arg in node.args if isinstance(arg, ast.Constant)]
                if node.func.id == "sentence":
                    found.add(str(strings[0]))
                elif node.func.id == "Line":
                    found |= {str(words) for words in strings[2:]}
    return found


@pytest.mark.parametrize("code", ["de"])
def test_every_line_can_be_said_in_the_readers_language(code: str) -> None:
    words = load_languages()[code].words
    assert len(spoken()) > 60
    assert sorted(spoken() - words.keys()) == []
