"""The documents keep up with the code: examples are valid, links lead somewhere, decisions are listed."""

import re
from pathlib import Path

import pytest

from playlists.pool_files import parse_pool
from profiles.catalogue import load_site

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_the_guides_examples_are_valid(tmp_path: Path) -> None:
    guide = (ROOT / "docs" / "installer-guide.md").read_text(encoding="utf-8")
    site, pool = re.findall(r"```yaml\n(.*?)```", guide, re.DOTALL)
    file = tmp_path / "stillroom.yaml"
    file.write_text(site, encoding="utf-8")
    (tmp_path / "music").mkdir()
    loaded = load_site(file, drivers=("hue",))
    assert [room.id for room in loaded.site.rooms] == ["garden"]
    found, problems = parse_pool(pool, "pool.yaml")
    assert found is not None
    assert problems == ()


def test_every_decision_is_listed() -> None:
    listing = (ROOT / "docs" / "decisions" / "README.md").read_text(encoding="utf-8")
    for page in (ROOT / "docs" / "decisions").glob("[0-9]*.md"):
        assert f"]({page.name})" in listing, f"add a line for {page.name} to docs/decisions/README.md"
