"""A design desk on a site of its own: a clinic's file with comments, presets, and nothing running."""

from dataclasses import dataclass, field
from pathlib import Path

import profiles
from controller.clock import ManualClock
from controller.design_desk import DesignDesk, open_desk
from playlists.music_library import load_pools
from profiles.catalogue import load_site

DEMO = Path(profiles.__file__).parent / "library" / "demo-site.yaml"

EVENING = """\
# Our evening, as agreed in March.   Two spaces before this.
profile: evening      # do not rename: the front desk books it by this id
title: Evening
status: unreviewed

zone_factors: {ceiling: 0.5,   path: 0.4}   # three spaces, on purpose
anchors: {dose: rest}
anchor_cues:
  - {anchor: dose, minutes: 5, prompt: bp}   # the form has no field for this

phases:
  - id: arrive
    minutes: 10
    light: {brightness_percent: 30, kelvin: 2500}
    music: {pool: nature, energy: 0.15, level_dba: 44}
    cues:
      # first the feet
      - {prompt: feet, at_minute: 2}

  # The long one.
  - id: rest
    title: "Resting"
    minutes: 40
    light:
      brightness_percent: 6
      kelvin: 2000
      steps:
        - {at_minute: 20, brightness_percent: 4, kelvin: 2000}   # nor for this
    music: {pool: drone, energy: 0.15, level_dba: 42, crossfade_s: 20}
    suppress_client_prompts: true

  - id: close
    minutes: 10
    light: {brightness_percent: 35, kelvin: 2700}
    music: {pool: silence}
"""

PRESETS = """\
# Ours.
presets:
  dusk:   # for the evening
    title: Dusk
    others: {brightness_percent: 8, kelvin: 2000}
  reading:
    zones:
      bedside: {brightness_percent: 40, kelvin: 2700}
"""


@dataclass
class Bench:
    """A folder with a site, and its desk."""

    folder: Path
    clock: ManualClock = field(default_factory=lambda: ManualClock(1_900_000_000_000))
    desk: DesignDesk = field(init=False)

    def __post_init__(self) -> None:
        site = DEMO.read_text(encoding="utf-8") + "\nprofiles: [ours]\npresets: [presets.yaml]\n"
        (self.folder / "stillroom.yaml").write_text(site, encoding="utf-8")
        (self.folder / "ours").mkdir()
        self.file.write_text(EVENING, encoding="utf-8")
        self.presets.write_text(PRESETS, encoding="utf-8")
        self.open()

    def open(self) -> None:
        """Open the desk as a daemon would at its start."""
        loaded = load_site(self.folder / "stillroom.yaml")
        (self.folder / "data").mkdir(exist_ok=True)
        pools = load_pools(self.folder / "data", ())
        self.desk = open_desk(loaded, self.folder / "data", lambda: pools, self.clock)

    @property
    def file(self) -> Path:
        return self.folder / "ours" / "evening.yaml"

    @property
    def presets(self) -> Path:
        return self.folder / "presets.yaml"

    @property
    def text(self) -> str:
        return self.file.read_text(encoding="utf-8")


def lines_that_differ(before: str, after: str) -> list[str]:
    """The lines of ``after`` that ``before`` has not, in order."""
    import difflib

    found = difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=0)
    return [line for line in found if line[:1] in "+-" and line[:3] not in ("+++", "---")]
