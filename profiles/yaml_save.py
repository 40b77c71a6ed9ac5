"""Saving an edited file: whole or not at all, its comments and untouched lines as they were.

It never leaves a half-written file, and never widens who may read one.
"""

import os
import tempfile
from pathlib import Path
from typing import Final

from controller.errors import InvalidFilesError
from profiles.yaml_edit import edited, written
from profiles.yaml_source import Document, Plain, parse_document, read_document

_BOM: Final = b"\xef\xbb\xbf"


def save(path: Path, data: Plain) -> Document:
    """Make a file say ``data``, comments and untouched lines kept; written whole or not at all.

    A file that does not exist is written new.

    Raises:
        InvalidFilesError: the file that is there is not YAML.
        EditRefusedError: the file cannot be edited so; it is as it was.
        OSError: it cannot be written; it is as it was.
    """
    if path.exists():
        document = read_document(path)
        if document.problems:
            raise InvalidFilesError(document.problems)
        text = edited(document.text, data, str(path))
        start = _BOM if path.read_bytes().startswith(_BOM) else b""
    else:
        text, start = written(data), b""
    replace_file(path, start + text.encode("utf-8"))
    return parse_document(text, str(path))


def save_text(path: Path, text: str) -> None:
    """Make a file say exactly this text, whole or not at all; a mark of byte order it had stays.

    Raises:
        OSError: it cannot be written; it is as it was.
    """
    start = _BOM if path.exists() and path.read_bytes().startswith(_BOM) else b""
    replace_file(path, start + text.encode("utf-8"))


def replace_file(path: Path, content: bytes) -> None:
    """Put new content in a file's place in one step; who may read it stays as it was.

    Raises:
        OSError: it cannot be written; it is as it was.
    """
    path = path.resolve()  # a link stays a link
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        # A new file of mkstemp's is private; an edit must not change who may read the file.
        Path(name).chmod(path.stat().st_mode & 0o777 if path.exists() else 0o644)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
