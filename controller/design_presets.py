"""Designing presets: each zone's look, in the file that says it, beside whatever else that file says.

A preset is saved on its own: what others change in the same file meanwhile is kept. ``help`` and ``path``
have their own places on the tablet and stay what they are.
"""

from dataclasses import dataclass

from controller.core.light import Look, rgb_hex
from controller.core.score import ZoneId
from controller.design_files import Origin, Source, checked_id, meaning_of, presets_in
from controller.design_profiles import Saved, with_changes
from controller.design_store import Version
from controller.design_words import differences
from controller.design_work import ConflictError, Draft, Workshop
from controller.errors import InvalidFilesError, Problem, UserError
from profiles.compile import compile_scenes
from profiles.file_kinds import PRESETS
from profiles.presets import PresetsFile
from profiles.yaml_edit import written
from profiles.yaml_source import Document, Plain, checked, parse_document


@dataclass(frozen=True, slots=True)
class ZoneSwatch:
    """A zone's look in a preset, in its true colour; None where the preset leaves the zone as it is."""

    zone: ZoneId
    brightness_percent: float | None
    swatch: str | None


@dataclass(frozen=True, slots=True)
class CheckedPreset:
    """What is to be said of a preset in a room, and how it looks there."""

    problems: tuple[Problem, ...]
    zones: tuple[ZoneSwatch, ...]


@dataclass(frozen=True, slots=True)
class PresetDesign:
    """A preset as it is opened. ``base`` is its version, for saving; "" for a new one."""

    name: str
    origin: Origin
    file: str
    base: str
    data: dict[str, Plain]
    checked: CheckedPreset


class PresetDesigns:
    """The presets of a site's rooms. Everything blocks: call it from a thread."""

    def __init__(self, workshop: Workshop) -> None:
        self._work = workshop

    def open(self, room: str, name: str) -> PresetDesign:
        """Return a preset to work on.

        Raises:
            UserError: there is no such preset or room, or its file cannot be read.
        """
        source = self._work.files.preset(room, name, self._work.catalogues.current)
        data = self._data(source, name) or {}
        return PresetDesign(
            name, source.origin, source.write.name, meaning_of(data), data, self.check(room, name, data)
        )

    def check(self, room: str, name: str, data: dict[str, Plain]) -> CheckedPreset:
        """Say what is to be said of a preset as it is being changed; nothing is written.

        Raises:
            UserError: there is no such room, or the file cannot be edited so.
        """
        model = self._work.files.site.room(room)
        alone = written({"presets": {name: data}})
        document = parse_document(alone, "presets")
        problems = PRESETS.problems(document, self._work.known())
        file = None if problems else checked(document, PresetsFile)[0]
        if file is None:
            return CheckedPreset(problems, ())
        looks = compile_scenes(model, file.presets)[name].looks
        return CheckedPreset((), tuple(_swatch(zone.id, looks.get(zone.id)) for zone in model.zones))

    def save(self, room: str, name: str, data: dict[str, Plain], base: str, role: str) -> Saved:
        """Save a preset over the version ``base`` ("" for a new one).

        Raises:
            ConflictError: the preset is another one by now.
            InvalidFilesError: it is not valid; every fault.
            UserError: it cannot be written or edited so.
        """
        checked_id(name)
        with self._work.lock:
            is_there = name in self._work.catalogues.current.presets_for(room)
            source = self._source(room, name, is_there=is_there)
            old = self._data(source, name) if is_there else None
            if ("" if old is None else meaning_of(old)) != base:
                raise ConflictError("" if old is None else meaning_of(old), self._since(name, base, old))
            if old is not None and meaning_of(old) == meaning_of(data):
                return Saved(0, base, unchanged=True, changes=())
            if old is not None:
                self._work.keep_found("preset", name, _alone(name, old), meaning_of(old))
            return self._put(source, name, old, data, role, "saved")

    def versions(self, name: str) -> tuple[tuple[Version, tuple[str, ...]], ...]:
        """Return a preset's versions, newest first, each with what it changed of the one before."""
        return with_changes(self._work.store.versions("preset", name))

    def restore(self, room: str, name: str, number: int, base: str, role: str) -> Saved:
        """Take up an old version as a new one.

        Raises:
            ConflictError: the preset is another one by now.
            UserError: there is no such version, or it cannot be written.
        """
        wanted = self._work.store.version("preset", name, number)
        if wanted is None:
            raise UserError(f"preset `{name}` has no version {number}")
        with self._work.lock:
            source = self._source(room, name, is_there=True)
            old = self._data(source, name) or {}
            if meaning_of(old) != base:
                raise ConflictError(meaning_of(old), ())
            data = presets_in(parse_document(wanted.text, "")).get(name)
            return self._put(source, name, old, data if isinstance(data, dict) else {}, role, "restored")

    def text_of(self, room: str, names: tuple[str, ...]) -> str | None:
        """Return a presets file's text with these presets in it, to be carried away; None without any."""
        found: dict[str, Plain] = {name: self.open(room, name).data for name in names}
        return written({"presets": found}) if found else None

    def bring_in(self, room: str, text: str, role: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Take presets from outside in; returns the names that were taken in and those that were left out.

        A name that is taken here already is left out: nothing of the clinic's is written over.

        Raises:
            InvalidFilesError: they are not valid here; every fault.
        """
        document = self.check_incoming(text)
        taken: list[str] = []
        left: list[str] = []
        for name, data in presets_in(document).items():
            if name in self._work.catalogues.current.presets_for(room) or not isinstance(data, dict):
                left.append(name)
            else:
                self.save(room, name, data, "", role)
                taken.append(name)
        return tuple(taken), tuple(left)

    def check_incoming(self, text: str) -> Document:
        """Return presets from outside, read.

        Raises:
            InvalidFilesError: they are not valid here; every fault.
        """
        document = parse_document(text, "presets.yaml")
        problems = PRESETS.problems(document, self._work.known())
        if problems:
            raise InvalidFilesError(problems)
        return document

    # ---------------------------------------------------------------- inside

    def _source(self, room: str, name: str, *, is_there: bool) -> Source:
        if is_there:
            return self._work.files.preset(room, name, self._work.catalogues.current)
        return self._work.files.new_preset(name)

    def _data(self, source: Source, name: str) -> dict[str, Plain] | None:
        document = source.document()
        found = None if document is None else presets_in(document).get(name)
        return found if isinstance(found, dict) else None

    def _since(self, name: str, base: str, now: dict[str, Plain] | None) -> tuple[str, ...]:
        if now is None:
            return ("it was taken out of its file",)
        known = [v for v in self._work.store.versions("preset", name) if v.meaning == base]
        if not known:
            return ()
        return differences(presets_in(parse_document(known[0].text, "")).get(name), now)

    def _put(
        self, source: Source, name: str, old: Plain, data: dict[str, Plain], role: str, event: str
    ) -> Saved:
        draft = self._draft(source, name, data)
        problems = self._work.faults(draft, PRESETS)
        if problems:
            raise InvalidFilesError(problems)
        kept = (_alone(name, data), meaning_of(data))
        number = self._work.put("preset", name, source, draft, kept=kept, role=role, event=event)
        changes = () if old is None else differences(old, data)
        return Saved(number, meaning_of(data), unchanged=False, changes=changes)

    def _draft(self, source: Source, name: str, data: dict[str, Plain]) -> Draft:
        """Return the file that is written, with this preset in it."""
        # A shipped preset that is changed goes into our own file, which may hold others already.
        target = Source(source.write if source.write.is_file() else None, source.write, source.origin)
        document: Document | None = target.document()
        whole = dict(document.data) if document is not None and isinstance(document.data, dict) else {}
        presets = {} if document is None else presets_in(document)
        whole["presets"] = {**presets, name: data}
        return self._work.draft(target, whole)


def _alone(name: str, data: dict[str, Plain]) -> str:
    return written({"presets": {name: data}})


def _swatch(zone: ZoneId, look: Look | None) -> ZoneSwatch:
    if look is None:
        return ZoneSwatch(zone, None, None)
    return ZoneSwatch(zone, round(look.percent, 2), rgb_hex(look))
