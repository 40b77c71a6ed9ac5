"""The guide's examples are files: each is written out and validated, and a profile among them compiled."""

import re
from pathlib import Path

import pytest

from profiles.catalogue import load_catalogue, load_site
from profiles.compile import compile_score
from profiles.file_kinds import PROFILE, kind_of
from profiles.models import ProfileModel
from profiles.validation import LIBRARY, validate_paths
from profiles.yaml_source import checked, parse_document

GUIDE = Path(__file__).parents[2] / "docs" / "designer-guide.md"
CATALOGUE = load_catalogue()
ROOM = load_site(LIBRARY / "demo-site.yaml").room("garden")
EXAMPLES = re.findall(r"```yaml\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
POOLS = re.findall(r"^\| ([a-z]+) \|", (LIBRARY / "MOODS.md").read_text(encoding="utf-8"), re.MULTILINE)


@pytest.mark.parametrize("text", EXAMPLES, ids=lambda text: text.split("\n", 1)[0][:30])
def test_an_example_is_valid_and_compiles(tmp_path: Path, text: str) -> None:
    path = tmp_path / "example.yaml"
    path.write_text(text, encoding="utf-8")
    assert validate_paths([path], known_pools=POOLS, drivers=["hue"]) == ()
    document = parse_document(text, "example.yaml")
    if kind_of(document) is PROFILE:
        profile, _ = checked(document, ProfileModel)
        assert profile is not None
        score = compile_score(profile, ROOM, CATALOGUE.presets, CATALOGUE.prompts)
        assert score.length_ms > 0


def test_the_guide_has_an_example_of_every_kind() -> None:
    kinds = {kind.name for text in EXAMPLES if (kind := kind_of(parse_document(text, "x")))}
    assert kinds == {"profile", "presets", "prompts", "site"}


def test_the_guides_sample_errors_are_what_the_validator_says(tmp_path: Path) -> None:
    text = EXAMPLES[0].replace("30, kelvin:", "30, kelvn:").replace("prompt: water", "prompt: breth")
    path = tmp_path / "my-profile.yaml"
    path.write_text(text, encoding="utf-8")
    said = {re.sub(r"^.*my-profile\.yaml:\d+: ", "", str(problem)) for problem in validate_paths([path])}
    guide = GUIDE.read_text(encoding="utf-8")
    shown = set(re.findall(r"^my-profile\.yaml:\d+: (.*)$", guide, re.MULTILINE))
    assert len(shown) == 2
    assert shown <= said
