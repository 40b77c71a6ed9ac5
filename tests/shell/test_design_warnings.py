"""Warnings while one designs: each appears when it should, and is gone when it should not."""

from pathlib import Path
from typing import Any

import pytest
from design_bench import Bench

from controller.core.envelope import Limits
from controller.core.light import Look, Mired
from controller.core.score import LightStep, MusicPlan, Phase, Score
from controller.design_checks import warnings_of
from controller.design_words import differences
from playlists.music_library import load_pools
from profiles.yaml_source import Plain


def score(*phases: Phase, **more: Any) -> Score:
    return Score("p", "P", True, phases, {"a": Look(50.0, Mired(400.0))}, minimum_ms=60_000, **more)


def phase(lstar: float, fade_s: float, *, mired: float = 400.0, minutes: float = 10.0) -> Phase:
    step = LightStep(0, round(fade_s * 1000), {"a": Look(lstar, Mired(mired))})
    return Phase("one", "One", round(minutes * 60_000), (step,), MusicPlan(None))


@pytest.fixture(scope="module")
def pools(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return load_pools(tmp_path_factory.mktemp("music"), ())


@pytest.mark.parametrize(
    ("lstar", "mired", "fade_s", "grave"),
    [
        (30.0, 400.0, 10.0, None),  # 20 L* at 2 L*/s: just right
        (30.0, 400.0, 9.9, False),
        (50.0, 440.0, 20.0, None),  # 40 mired at 2 mired/s: just right
        (50.0, 440.0, 19.0, False),
        (100.0, 400.0, 0.0, True),  # needs 25 s, and the phase has 20
    ],
)
def test_the_envelope_warns_exactly_where_it_will_hold(
    pools: Any, lstar: float, mired: float, fade_s: float, grave: bool | None
) -> None:
    one = phase(lstar, fade_s, mired=mired, minutes=20 / 60 if grave else 10)
    found = [w for w in warnings_of(score(one), pools, Limits()) if w.kind == "envelope"]
    assert [w.grave for w in found] == ([] if grave is None else [True, False] if grave else [False])


def test_each_kind_of_warning(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    data = bench.desk.profiles.open("evening", "garden").data

    def kinds(change: Any) -> set[str]:
        import copy

        draft = copy.deepcopy(data)
        change(draft)
        return {w.kind for w in bench.desk.profiles.check("evening", draft, "garden").warnings}

    assert kinds(lambda d: None) == {"coverage", "minimum", "unreviewed"}
    assert "minimum" not in kinds(lambda d: d.update(minimum_minutes=20))
    assert "level" in kinds(lambda d: d["phases"][0]["music"].update(level_dba=75))
    prompts = [{"prompt": "feet", "at_minute": 2}, {"prompt": "breath", "at_minute": 3}]
    assert "prompts" in kinds(lambda d: d["phases"][0].update(cues=prompts))
    silent = {"pool": "silence"}
    assert "coverage" not in kinds(lambda d: [p.update(music=silent) for p in d["phases"]])


def test_differences_leave_nothing_out() -> None:
    before: dict[str, Plain] = {
        "a": 1,
        "phases": [{"id": "x", "minutes": 3}, {"id": "y", "minutes": 4}],
        "gone": [1, 2],
    }
    after: dict[str, Plain] = {
        "a": True,
        "phases": [{"id": "y", "minutes": 4, "new": {"k": 1}}, {"id": "x", "minutes": 3}],
    }
    assert differences(before, before) == ()
    assert differences(before, after) == (
        "a: 1 → yes",
        "phase y, new: new, k 1",
        "phases: new order: y, x",
        "gone: taken out (was 1, 2)",
    )
