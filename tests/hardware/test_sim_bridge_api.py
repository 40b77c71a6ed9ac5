"""The simulated bridge speaks the v1 API as strictly as a real one, and its controls do what they say."""

import json
import subprocess
import sys
from typing import Any

import pytest

from controller.core.light import Mired, Xy
from hardware.sim.bridge_api import handle
from hardware.sim.bridge_control import ControlError, control
from hardware.sim.bridge_model import SimulatedBridge, make_bridge


@pytest.fixture
def bridge() -> SimulatedBridge:
    return make_bridge(3, kinds=("colour", "ambiance", "dimmable"), users={"u": "test"})


def call(bridge: SimulatedBridge, method: str, path: str, data: object = None, now: float = 1000.0) -> Any:
    return handle(bridge, method, path, b"" if data is None else json.dumps(data).encode(), now).value


def test_pairing_wants_the_button(bridge: SimulatedBridge) -> None:
    assert call(bridge, "POST", "/api", {"devicetype": "t"})[0]["error"]["type"] == 101
    bridge.press(1_000.0)
    assert call(bridge, "POST", "/api", {"devicetype": "t"}, now=31_001.0)[0]["error"]["type"] == 101
    user = call(bridge, "POST", "/api", {"devicetype": "t"}, now=30_000.0)[0]["success"]["username"]
    assert "lights" in call(bridge, "GET", f"/api/{user}")
    assert call(bridge, "POST", "/api", {})[0]["error"]["type"] == 5


def test_strangers_see_only_the_short_config(bridge: SimulatedBridge) -> None:
    assert call(bridge, "GET", "/api/nobody/lights")[0]["error"]["type"] == 1
    assert call(bridge, "PUT", "/api/nobody/lights/1/state", {"on": True})[0]["error"]["type"] == 1
    short = call(bridge, "GET", "/api/config")
    assert short["bridgeid"] == bridge.bridge_id
    assert "whitelist" not in short
    assert "whitelist" in call(bridge, "GET", "/api/u/config")


@pytest.mark.parametrize(
    ("light", "data", "errors"),
    [
        (1, {"bri": 100}, {"bri": 201}),
        (1, {"on": True, "bri": 100, "ct": 300, "transitiontime": 4}, {}),
        (1, {"on": True, "bri": 255}, {"bri": 7}),
        (1, {"on": True, "bri": True}, {"bri": 7}),
        (1, {"on": True, "ct": 600}, {"ct": 7}),
        (1, {"on": True, "xy": [2, 0]}, {"xy": 7}),
        (1, {"on": True, "transitiontime": 70_000}, {"transitiontime": 7}),
        (2, {"on": True, "ct": 454, "xy": [0.4, 0.4]}, {"xy": 6}),
        (3, {"on": True, "bri": 9, "ct": 300}, {"ct": 6}),
        (3, {"nonsense": 1}, {"nonsense": 6}),
    ],
)
def test_each_parameter_is_taken_or_refused_on_its_own(
    bridge: SimulatedBridge, light: int, data: dict[str, object], errors: dict[str, int]
) -> None:
    reply = call(bridge, "PUT", f"/api/u/lights/{light}/state", data)
    assert len(reply) == len(data)
    found = {i["error"]["address"].rsplit("/")[-1]: i["error"]["type"] for i in reply if "error" in i}
    assert found == errors


def test_xy_beats_ct_and_a_lamp_clips_what_it_cannot_show(bridge: SimulatedBridge) -> None:
    call(bridge, "PUT", "/api/u/lights/1/state", {"on": True, "ct": 300, "xy": [0.5, 0.4]})
    assert bridge.lights[1].lamp.colour == Xy(0.5, 0.4)
    call(bridge, "PUT", "/api/u/lights/2/state", {"on": True, "ct": 500})
    assert bridge.lights[2].lamp.colour == Mired(454)
    state = call(bridge, "GET", "/api/u/lights/1")["state"]
    assert state["colormode"] == "xy"
    assert state["xy"] == [0.5, 0.4]


def test_readback_is_the_target_and_the_truth_is_elsewhere(bridge: SimulatedBridge) -> None:
    call(bridge, "PUT", "/api/u/lights/1/state", {"on": True, "bri": 254, "transitiontime": 100}, now=1000.0)
    assert call(bridge, "GET", "/api/u/lights/1", now=2000.0)["state"]["bri"] == 254
    live: Any = control(bridge, "GET", "/sim/live", {}, b"", 2000.0)
    assert live["lights"]["1"]["bri"] == pytest.approx(26.3)


def test_groups_are_made_changed_commanded_and_deleted(bridge: SimulatedBridge) -> None:
    number = call(bridge, "POST", "/api/u/groups/", {"name": "g", "lights": ["1", "3"]})[0]["success"]["id"]
    reply = call(bridge, "PUT", f"/api/u/groups/{number}/action", {"on": True, "bri": 50, "ct": 400})
    assert all("success" in item for item in reply)
    assert [bridge.lights[n].lamp.bri for n in (1, 2, 3)] == [50, 254, 50]
    call(bridge, "PUT", f"/api/u/groups/{number}", {"lights": ["2"]})
    assert call(bridge, "GET", f"/api/u/groups/{number}")["lights"] == ["2"]
    call(bridge, "PUT", "/api/u/groups/0/action", {"on": False, "transitiontime": 0}, now=9000.0)
    assert not any(light.lamp.on for light in bridge.lights.values())
    call(bridge, "DELETE", f"/api/u/groups/{number}")
    assert call(bridge, "GET", f"/api/u/groups/{number}")[0]["error"]["type"] == 3
    assert call(bridge, "POST", "/api/u/groups", {"lights": ["99"]})[0]["error"]["type"] == 7


def test_more_than_it_bears_is_refused(bridge: SimulatedBridge) -> None:
    answers = [
        handle(bridge, "PUT", "/api/u/lights/1/state", b'{"on":true}', 1000.0).status for _ in range(12)
    ]
    assert answers == [200] * 10 + [503] * 2
    assert handle(bridge, "PUT", "/api/u/lights/1/state", b'{"on":true}', 1100.0).status == 200


def test_startup_is_set_and_kept(bridge: SimulatedBridge) -> None:
    address = "/api/u/lights/1/config"
    assert "success" in call(bridge, "PUT", address, {"startup": {"mode": "powerfail"}})[0]
    assert call(bridge, "GET", "/api/u/lights/1")["config"]["startup"]["mode"] == "powerfail"
    assert call(bridge, "PUT", address, {"startup": {"mode": "disco"}})[0]["error"]["type"] == 7


def test_faults_are_counted_down(bridge: SimulatedBridge) -> None:
    control(bridge, "POST", "/sim/faults", {}, b'{"internal": 1, "drop": 1, "half": 1}', 0.0)
    state = {"on": True, "bri": 10, "ct": 400}
    assert call(bridge, "PUT", "/api/u/lights/1/state", state)[0]["error"]["type"] == 901
    assert all("success" in item for item in call(bridge, "PUT", "/api/u/lights/1/state", state))
    assert not bridge.lights[1].lamp.on, "dropped, though it said success"
    reply = call(bridge, "PUT", "/api/u/lights/1/state", state)
    assert [("error" in item) for item in reply] == [False, False, True]
    assert bridge.lights[1].lamp.bri == 10
    assert bridge.lights[1].lamp.colour != Mired(400)
    call(bridge, "PUT", "/api/u/lights/1/state", state)
    assert bridge.lights[1].lamp.colour == Mired(400)


def test_controls_refuse_what_they_do_not_know(bridge: SimulatedBridge) -> None:
    for method, path, body in [
        ("POST", "/sim/faults", b'{"no_such": 1}'),
        ("POST", "/sim/faults", b"["),
        ("POST", "/sim/lights/77", b"{}"),
        ("GET", "/sim/nothing", b""),
    ]:
        with pytest.raises(ControlError):
            control(bridge, method, path, {}, body, 0.0)


def test_bad_requests_get_the_apis_errors(bridge: SimulatedBridge) -> None:
    assert handle(bridge, "PUT", "/api/u/lights/1/state", b"{", 0.0).value[0]["error"]["type"] == 2  # type: ignore[index]
    assert call(bridge, "GET", "/api/u/lights/9")[0]["error"]["type"] == 3
    assert call(bridge, "DELETE", "/api/u/lights/1")[0]["error"]["type"] == 4


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--kinds", "lava"], "no lamp of kind 'lava'"),
        (["--lights", "0"], "1 to 63"),
        (["--https", "--cert", "/nonexistent", "--key", "/nonexistent"], "certificate"),
    ],
)
def test_the_program_says_what_it_cannot_use(arguments: list[str], words: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "hardware.sim.bridge", "--port", "0", *arguments],
        capture_output=True, text=True, timeout=20, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert words in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
