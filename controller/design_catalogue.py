"""The catalogue as it is now: read again when a design was saved, and held to what was signed.

A profile that says ``reviewed`` counts as reviewed only in the very version that two roles signed, once
anybody has signed a version of it here. It must never take a profile away because another is broken.
"""

from collections.abc import Callable
from dataclasses import replace

from controller.design_files import meaning_of
from controller.errors import Problem
from profiles.catalogue import Catalogue
from profiles.models import ProfileModel
from profiles.yaml_source import read_document

NEEDED_ROLES = 2

Signed = Callable[[str, str], tuple[str, ...] | None]
"""Of a profile's id and meaning: the roles that signed it, or None where no version was ever signed here."""


class LiveCatalogue:
    """Everything that can be chosen, read again on request. ``reload`` blocks: call it from a thread."""

    def __init__(self, load: Callable[[], Catalogue], signed: Signed | None = None) -> None:
        self._load, self._signed = load, signed
        self._current = self._sealed(load())

    @property
    def current(self) -> Catalogue:
        """The catalogue now."""
        return self._current

    def reload(self) -> None:
        """Read everything again.

        Raises:
            InvalidFilesError: a shipped file is broken; what was read before stays.
        """
        self._current = self._sealed(self._load())

    def _sealed(self, catalogue: Catalogue) -> Catalogue:
        profiles: dict[str, ProfileModel] = {}
        problems: list[Problem] = []
        for name, profile in catalogue.profiles.items():
            profiles[name] = profile
            if self._signed is None or profile.status != "reviewed":
                continue
            document = read_document(catalogue.files[name])
            roles = self._signed(name, meaning_of(document.data))
            if roles is not None and len(set(roles)) < NEEDED_ROLES:
                profiles[name] = profile.model_copy(update={"status": "unreviewed", "reviewed_by": ()})
                problems.append(
                    document.problem(("status",), "was changed since it was signed: it counts as unreviewed")
                )
        return replace(catalogue, profiles=profiles, problems=(*catalogue.problems, *problems))
