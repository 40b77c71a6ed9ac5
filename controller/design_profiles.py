"""Designing profiles: open, check as one goes, save, take up an old version, sign, carry away and bring in.

It edits the data a file says and nothing else of it. Whatever it writes says ``unreviewed`` until two roles
have signed that very version.
"""

from copy import deepcopy
from dataclasses import dataclass

from controller.core.ribbon import ribbon_of_score
from controller.core.snapshot import Ribbon
from controller.design_bundle import Bundle, packed
from controller.design_catalogue import NEEDED_ROLES
from controller.design_checks import DesignWarning, warnings_of
from controller.design_files import Origin, Source, checked_id, meaning_of, version_of
from controller.design_store import Signature, Version
from controller.design_words import differences
from controller.design_work import ConflictError, Draft, Workshop
from controller.errors import InvalidFilesError, Problem, UserError
from profiles.compile import compile_score
from profiles.file_kinds import PROFILE
from profiles.models import ProfileModel
from profiles.site import limits_of
from profiles.yaml_edit import edited
from profiles.yaml_source import Plain, checked, parse_document

UNREVIEWED = "unreviewed"


@dataclass(frozen=True, slots=True)
class Checked:
    """What is to be said of a draft. ``ribbon`` is None while it cannot be compiled."""

    problems: tuple[Problem, ...]
    warnings: tuple[DesignWarning, ...]
    ribbon: Ribbon | None


@dataclass(frozen=True, slots=True)
class ProfileDesign:
    """A profile as it is opened. ``base`` is the file's version, for saving; "" for a new one."""

    profile_id: str
    origin: Origin
    file: str
    base: str
    data: dict[str, Plain]
    checked: Checked
    signatures: tuple[Signature, ...]


@dataclass(frozen=True, slots=True)
class Saved:
    """What a save did. ``unchanged``: the file says so already, and nothing was written."""

    number: int
    base: str
    unchanged: bool
    changes: tuple[str, ...]


class ProfileDesigns:
    """The profiles of a site. Everything blocks: call it from a thread."""

    def __init__(self, workshop: Workshop) -> None:
        self._work = workshop

    def open(self, profile_id: str, room: str) -> ProfileDesign:
        """Return a profile to work on, seen in a room.

        Raises:
            UserError: there is no such profile or room, or its file cannot be read.
        """
        source, text, data = self._read(profile_id)
        draft = Draft(text, parse_document(text, source.write.name))
        signatures = self._work.store.signatures(profile_id, meaning_of(data))
        checked = self._checked(draft, room)
        return ProfileDesign(
            profile_id, source.origin, source.write.name, version_of(text), data, checked, signatures
        )

    def check(self, profile_id: str, data: dict[str, Plain], room: str) -> Checked:
        """Say what is to be said of a profile as it is being changed; nothing is written.

        Raises:
            UserError: there is no such room, or the file cannot be edited so.
        """
        source = self._source(profile_id)
        old = None if source.read is None else self._read(profile_id)[2]
        return self._checked(self._work.draft(source, _unsigned(old, data)), room)

    def save(self, profile_id: str, data: dict[str, Plain], base: str, role: str) -> Saved:
        """Save a profile over the version ``base`` ("" for a new one).

        Raises:
            ConflictError: the file is another one by now.
            InvalidFilesError: it is not valid; every fault.
            UserError: it cannot be written or edited so.
        """
        if data.get("profile") != checked_id(profile_id):
            raise UserError(f"profile: expected `{profile_id}`: a copy under another id is a new profile")
        with self._work.lock:
            source = self._source(profile_id)
            if source.read is None:
                if base:
                    raise ConflictError("", ("the profile's file is gone",))
                return self._write(profile_id, source, None, _unsigned(None, data), role, "saved")
            _, text, old = self._read(profile_id)
            if version_of(text) != base:
                known = self._text_of(profile_id, base)
                before = None if known is None else parse_document(known, "").data
                raise ConflictError(version_of(text), () if before is None else differences(before, old))
            return self._write(profile_id, source, old, _unsigned(old, data), role, "saved")

    def versions(self, profile_id: str) -> tuple[tuple[Version, tuple[str, ...]], ...]:
        """Return a profile's versions, newest first, each with what it changed of the one before."""
        return with_changes(self._work.store.versions("profile", profile_id))

    def restore(self, profile_id: str, number: int, base: str, role: str) -> Saved:
        """Take up an old version: its data and its comments, as a new version.

        Raises:
            ConflictError: the file is another one by now.
            UserError: there is no such version, or it cannot be written.
        """
        with self._work.lock:
            source, text, old = self._read(profile_id)
            wanted = self._work.store.version("profile", profile_id, number)
            if wanted is None:
                raise UserError(f"profile `{profile_id}` has no version {number}")
            if version_of(text) != base:
                raise ConflictError(version_of(text), ())
            self._work.keep_found("profile", profile_id, text, meaning_of(old))
            document = parse_document(wanted.text, source.write.name)
            data = dict(document.data) if isinstance(document.data, dict) else {}
            draft = _redone(wanted.text, self._signed_as(profile_id, data), source.write.name)
            return self._put(profile_id, source, old, draft, role, "restored")

    def sign(self, profile_id: str, base: str, role: str) -> tuple[Signature, ...]:
        """Sign the very version that is there; with the second role the file says ``reviewed``.

        Raises:
            ConflictError: the file is another one by now.
            UserError: it cannot be written.
        """
        with self._work.lock:
            source, text, data = self._read(profile_id)
            if version_of(text) != base:
                raise ConflictError(version_of(text), ())
            meaning = meaning_of(data)
            if self._work.catalogues.current.profile(profile_id).status == "reviewed":
                raise UserError("this version is signed already")
            self._work.keep_found("profile", profile_id, text, meaning)
            self._work.store.sign(profile_id, meaning, role, self._work.clock.now_ms())
            signed = self._signed_as(profile_id, data)
            if signed != data:
                draft = self._work.draft(source, signed)
                self._put(profile_id, source, data, draft, role, "signed")
            else:
                self._work.catalogues.reload()
            return self._work.store.signatures(profile_id, meaning)

    def export(self, profile_id: str, presets: str | None) -> bytes:
        """Return a profile, with a presets file's text, as one file to carry away."""
        return packed(Bundle(self._read(profile_id)[1], presets))

    def bring_in(self, text: str, as_id: str | None, role: str) -> str:
        """Take a profile from outside in under a new id; returns the id.

        Raises:
            InvalidFilesError: it is not a valid profile here; every fault.
            UserError: there is a profile of this id already.
        """
        document = parse_document(text, "the file")
        if document.problems or not isinstance(document.data, dict):
            raise InvalidFilesError(document.problems or (document.problem((), "not a profile"),))
        name = checked_id(as_id or str(document.data.get("profile", "")))
        with self._work.lock:
            if name in self._work.catalogues.current.profiles:
                raise UserError(f"there is a profile `{name}` already: bring it in under another id")
            data = {**_without_signatures(document.data), "profile": name, "status": UNREVIEWED}
            source = self._work.files.new_profile(name)
            draft = _redone(text, data, source.write.name)
            self._put(name, source, None, draft, role, "imported")
        return name

    # ---------------------------------------------------------------- inside

    def _source(self, profile_id: str) -> Source:
        catalogue = self._work.catalogues.current
        if profile_id in catalogue.files:
            return self._work.files.profile(profile_id, catalogue)
        source = self._work.files.new_profile(profile_id)
        if source.write.exists():
            raise UserError(f"{source.write.name} is there already and cannot be read: mend it by hand")
        return source

    def _read(self, profile_id: str) -> tuple[Source, str, dict[str, Plain]]:
        source = self._work.files.profile(profile_id, self._work.catalogues.current)
        document = source.document()
        if document is None or document.problems or not isinstance(document.data, dict):
            problems = () if document is None else document.problems
            raise InvalidFilesError(problems or (Problem(source.write.name, None, "", "cannot be read"),))
        return source, document.text, document.data

    def _text_of(self, profile_id: str, base: str) -> str | None:
        versions = self._work.store.versions("profile", profile_id)
        return next((v.text for v in versions if version_of(v.text) == base), None)

    def _checked(self, draft: Draft, room_id: str) -> Checked:
        room, site = self._work.files.site.room(room_id), self._work.files.site.site
        problems = self._work.faults(draft, PROFILE)
        model = None if problems else checked(draft.document, ProfileModel)[0]
        if model is None:
            return Checked(problems, (), None)
        catalogue = self._work.catalogues.current
        score = compile_score(model, room, catalogue.presets_for(room_id), catalogue.prompts, site.language)
        found = warnings_of(score, self._work.pools(), limits_of(site, room))
        return Checked((), found, ribbon_of_score(score))

    def _signed_as(self, profile_id: str, data: dict[str, Plain]) -> dict[str, Plain]:
        """Return the data with the status that its signatures give it."""
        roles = [s.role for s in self._work.store.signatures(profile_id, meaning_of(data))]
        if len(set(roles)) < NEEDED_ROLES:
            return {**_without_signatures(data), "status": UNREVIEWED}
        named: list[Plain] = [*dict.fromkeys(roles)]
        return {**data, "status": "reviewed", "reviewed_by": named}

    def _write(
        self, name: str, source: Source, old: Plain, data: dict[str, Plain], role: str, event: str
    ) -> Saved:
        return self._put(name, source, old, self._work.draft(source, data), role, event)

    def _put(self, name: str, source: Source, old: Plain, draft: Draft, role: str, event: str) -> Saved:
        problems = self._work.faults(draft, PROFILE)
        if problems:
            raise InvalidFilesError(problems)
        before = source.document()
        if before is not None and before.text == draft.text and source.read == source.write:
            newest = next(iter(self._work.store.versions("profile", name)), None)
            return Saved(0 if newest is None else newest.number, version_of(draft.text), True, ())
        if before is not None:
            self._work.keep_found("profile", name, before.text, meaning_of(before.data))
        kept = (draft.text, meaning_of(draft.document.data))
        number = self._work.put("profile", name, source, draft, kept=kept, role=role, event=event)
        changes = () if old is None else differences(old, draft.document.data)
        return Saved(number, version_of(draft.text), unchanged=False, changes=changes)


def with_changes(versions: tuple[Version, ...]) -> tuple[tuple[Version, tuple[str, ...]], ...]:
    """Return versions, newest first, each with what it changed of the one before it."""
    read = [parse_document(version.text, "").data for version in versions]
    before: list[Plain] = [*read[1:], None][: len(read)]
    return tuple(
        (version, () if old is None else differences(old, new))
        for version, new, old in zip(versions, read, before, strict=True)
    )


def _unsigned(old: dict[str, Plain] | None, data: dict[str, Plain]) -> dict[str, Plain]:
    """Return data with the status it may have: the file's own where nothing else changed, else unreviewed.

    A form never signs: whatever it says of status and signatures is passed over.
    """
    data = deepcopy(data)
    if old is not None and meaning_of(old) == meaning_of(data):
        return old
    plain = _without_signatures(data)
    return {**plain, "status": UNREVIEWED} if old is None or "status" in old else plain


def _without_signatures(data: dict[str, Plain]) -> dict[str, Plain]:
    return {key: value for key, value in data.items() if key != "reviewed_by"} | (
        {"status": UNREVIEWED} if "status" in data else {}
    )


def _redone(text: str, data: dict[str, Plain], file: str) -> Draft:
    changed = edited(text, data, file)
    return Draft(changed, parse_document(changed, file))
