"""What the designer's profiles and presets share: the surroundings, drafts, and saving with conflicts seen.

Everything here blocks and may be called from any thread; one write goes on at a time. It must never write
what the daemon could not read again, and never over what somebody else saved meanwhile.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from controller.design_catalogue import LiveCatalogue
from controller.design_files import DesignFiles, Source
from controller.design_store import DesignStore, Kind
from controller.errors import InvalidFilesError, Problem, StillroomError, UserError
from controller.ports import Clock
from playlists.catalogue import Pools
from profiles.file_kinds import FileKind
from profiles.references import Known
from profiles.yaml_edit import edited, written
from profiles.yaml_save import save_text
from profiles.yaml_source import Document, Plain, parse_document

FOUND_BY = "file"
"""The role of a version that was found on disk: a person with an editor, or an installer."""


class ConflictError(StillroomError):
    """Somebody else saved meanwhile. ``theirs`` is that version; ``changes`` what it changed, in words."""

    def __init__(self, theirs: str, changes: tuple[str, ...]) -> None:
        super().__init__("somebody saved this meanwhile; nothing was written")
        self.theirs = theirs
        self.changes = changes


@dataclass(frozen=True, slots=True)
class Draft:
    """A file's text as it would be, read back."""

    text: str
    document: Document


@dataclass(frozen=True, slots=True)
class Workshop:
    """What designing needs: files, versions, the catalogue, the pools, the time."""

    files: DesignFiles
    store: DesignStore
    catalogues: LiveCatalogue
    pools: Callable[[], Pools]
    clock: Clock
    lock: threading.RLock = field(default_factory=threading.RLock)

    def known(self) -> Known:
        """Return the names that designs may refer to, as the daemon knows them when it reads the files."""
        site = self.files.site.site
        prompts = {key: prompt.audience.value for key, prompt in self.catalogues.current.prompts.items()}
        return Known(prompts=prompts, zones={zone.id for room in site.rooms for zone in room.zones})

    def draft(self, source: Source, data: Plain) -> Draft:
        """Return the file as it would be with this data: comments and untouched lines as they are.

        Raises:
            InvalidFilesError: the file that is there cannot be read.
            EditRefusedError: it cannot be changed so.
        """
        document, name = source.document(), source.write.name
        if document is None:
            text = written(data)
        elif document.problems:
            raise InvalidFilesError(document.problems)
        else:
            text = edited(document.text, data, name)
        return Draft(text, parse_document(text, name))

    def faults(self, draft: Draft, kind: FileKind) -> tuple[Problem, ...]:
        """Return every fault of a draft: what ``stillroom validate`` and the daemon would say of the file."""
        return kind.problems(draft.document, self.known())

    def put(
        self,
        kind: Kind,
        name: str,
        source: Source,
        draft: Draft,
        *,
        kept: tuple[str, str],
        role: str,
        event: str,
    ) -> int:
        """Write a draft, keep its version, read the catalogue again; returns the version's number.

        ``kept``: the version's own text and its meaning.

        Raises:
            UserError: it cannot be written; file and versions are as they were.
        """
        text, meaning = kept
        now = self.clock.now_ms()
        adding = self.store.adding(kind, name, text, meaning, role=role, event=event, at_ms=now)
        try:
            with adding as number:
                source.write.parent.mkdir(parents=True, exist_ok=True)
                save_text(source.write, draft.text)
        except OSError as error:
            raise UserError(f"{source.write}: cannot be written: {error.strerror or error}") from None
        self.catalogues.reload()
        return number

    def keep_found(self, kind: Kind, name: str, text: str, meaning: str) -> None:
        """Keep what lies on disk as a version, if nobody designed it here."""
        if self.store.newest_text(kind, name) == text:
            return
        adding = self.store.adding(
            kind, name, text, meaning, role=FOUND_BY, event="found", at_ms=self.clock.now_ms()
        )
        with adding:
            pass
