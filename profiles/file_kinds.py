"""The kinds of file a site has: how each is told from the others, read, and checked.

A kind from another room of the code (pools) is handed in as one more ``FileKind``; this module never
imports it.
"""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

from pydantic import BaseModel

from controller.errors import Problem
from profiles.checks import check_presets, check_prompts, check_site
from profiles.checks_profile import check_profile
from profiles.models import ProfileModel
from profiles.presets import PresetsFile
from profiles.prompts import PromptsFile
from profiles.references import Known
from profiles.site import SiteModel
from profiles.yaml_source import Document, checked, nearest

Check: TypeAlias = Callable[[Document, Known], tuple[Problem, ...]]


def _no_check(document: Document, known: Known) -> tuple[Problem, ...]:
    del document, known
    return ()


@dataclass(frozen=True, slots=True)
class FileKind:
    """One kind of file.

    ``key`` is the top-level key that only this kind has. ``check`` finds what the model cannot.
    ``validator``, if given, is asked instead of model and check, with the file's path. ``pools_of`` says
    which pools such a file brings.
    """

    name: str
    key: str
    model: type[BaseModel]
    check: Check = _no_check
    validator: Callable[[Path], Iterable[Problem]] | None = None
    pools_of: Callable[[Document], Collection[str]] | None = None

    def problems(self, document: Document, known: Known) -> tuple[Problem, ...]:
        """Return every fault of a document of this kind, in the order of its lines."""
        if self.validator is not None:
            return tuple(self.validator(Path(document.file)))
        _, faults = checked(document, self.model)
        if document.data is None:
            return faults
        found = dict.fromkeys((*faults, *self.check(document, known)))
        return tuple(sorted(found, key=lambda problem: problem.line or 0))


PROFILE: Final = FileKind("profile", "profile", ProfileModel, check_profile)
PRESETS: Final = FileKind("presets", "presets", PresetsFile, check_presets)
PROMPTS: Final = FileKind("prompts", "prompts", PromptsFile, check_prompts)
SITE: Final = FileKind("site", "site", SiteModel, check_site)

OWN_KINDS: Final = (PROFILE, PRESETS, PROMPTS, SITE)


def kind_of(document: Document, kinds: Collection[FileKind] = OWN_KINDS) -> FileKind | None:
    """Return the kind of a document by its top-level keys, or None."""
    if not isinstance(document.data, dict):
        return None
    # A site also has `presets`, `prompts` and `profiles`: the site is asked for first.
    ordered = sorted(kinds, key=lambda kind: kind.name != SITE.name)
    if "rooms" in document.data and SITE in kinds:
        return SITE
    if "phases" in document.data and PROFILE in kinds:
        return PROFILE
    return next((kind for kind in ordered if kind.key in document.data), None)


def unknown_kind(document: Document, kinds: Collection[FileKind]) -> Problem:
    """Return the fault of a document that is of no kind."""
    keys = [kind.key for kind in kinds]
    expected = ", ".join(f"`{key}`" for key in keys)
    if not isinstance(document.data, dict):
        return document.problem((), f"not a file of ours: expected keys with values, one of them {expected}")
    hints = (hint for key in document.data if (hint := nearest(key, keys)).startswith("did you"))
    return document.problem((), f"not a file of ours: expected one of the keys {expected}", next(hints, ""))
