"""What the clinic designs: its files, who signed what, and the catalogue that follows from both."""

from dataclasses import dataclass
from pathlib import Path

from controller.design_catalogue import LiveCatalogue
from controller.design_files import DesignFiles
from controller.design_store import DesignStore
from profiles.catalogue import LoadedSite


@dataclass(frozen=True, slots=True)
class Designs:
    """The designs of a site."""

    files: DesignFiles
    store: DesignStore
    catalogues: LiveCatalogue


def open_designs(loaded: LoadedSite, data: Path) -> Designs:
    """Open them; blocking.

    Raises:
        InvalidFilesError: a shipped file is broken.
    """
    files, store = DesignFiles(loaded, data), DesignStore(data / "designs.sqlite")
    return Designs(files, store, LiveCatalogue(files.catalogue, store.signed_roles))
