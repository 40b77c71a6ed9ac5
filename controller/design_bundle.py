"""A design as one file to carry from clinic to clinic: a zip with a profile and the presets that go with it.

Nothing from outside becomes a path: members are known by two fixed names and read in memory, each only up to
its limit, whatever the archive claims. A plain YAML profile is taken too. Signatures never travel.
"""

import io
import zipfile
import zlib
from dataclasses import dataclass
from typing import Final

from controller.errors import UserError

MAX_FILE_BYTES: Final = 60_000
"""The whole archive: the web app takes no larger message."""
MAX_MEMBER_BYTES: Final = 200_000
MAX_MEMBERS: Final = 2
PROFILE_MEMBER: Final = "profile.yaml"
PRESETS_MEMBER: Final = "presets.yaml"
_MEMBERS: Final = (PROFILE_MEMBER, PRESETS_MEMBER)
_METHODS: Final = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_EPOCH: Final = (1980, 1, 1, 0, 0, 0)
"""The same design is the same file, whenever it is packed."""


@dataclass(frozen=True, slots=True)
class Bundle:
    """What a file brings: a profile's text, a presets file's text, or both."""

    profile: str | None
    presets: str | None


def packed(bundle: Bundle) -> bytes:
    """Return a bundle as one zip file."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in ((PROFILE_MEMBER, bundle.profile), (PRESETS_MEMBER, bundle.presets)):
            if text is not None:
                member = zipfile.ZipInfo(name, _EPOCH)
                member.compress_type = zipfile.ZIP_DEFLATED
                member.external_attr = 0o644 << 16
                archive.writestr(member, text.encode("utf-8"))
    return stream.getvalue()


def unpacked(content: bytes) -> Bundle:
    """Return what a file brings: one of our zips, or a profile as plain YAML.

    Raises:
        UserError: it is neither, or more than we will hold.
    """
    if len(content) > MAX_FILE_BYTES:
        raise UserError(f"the file is larger than {MAX_FILE_BYTES // 1000} kB: no design of ours is")
    if not content.startswith(b"PK"):
        return Bundle(_text(content, "the file"), None)
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return _read(archive)
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, RuntimeError):
        # RuntimeError: locked, or a method of packing that Python does not know.
        raise UserError("the file is a damaged archive, or none of ours") from None


def _read(archive: zipfile.ZipFile) -> Bundle:
    members = archive.infolist()
    names = [member.filename for member in members]
    if len(members) > MAX_MEMBERS or len(set(names)) < len(names):
        raise UserError(f"expected at most {MAX_MEMBERS} files in the archive: {', '.join(_MEMBERS)}")
    for member in members:
        if member.filename not in _MEMBERS:
            raise UserError(f"{member.filename[:60]!r} does not belong into a design's archive")
        if member.flag_bits & 1 or member.compress_type not in _METHODS:
            raise UserError(f"{member.filename}: locked, or packed in a way that is not ours")
    found = {member.filename: _member(archive, member) for member in members}
    bundle = Bundle(found.get(PROFILE_MEMBER), found.get(PRESETS_MEMBER))
    if bundle == Bundle(None, None):
        raise UserError(f"expected {' or '.join(_MEMBERS)} in the archive")
    return bundle


def _member(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> str:
    # The header may lie about the size: no more than the limit is ever unpacked.
    with archive.open(member) as stream:
        content = stream.read(MAX_MEMBER_BYTES + 1)
    if len(content) > MAX_MEMBER_BYTES:
        raise UserError(f"{member.filename} unfolds into more than {MAX_MEMBER_BYTES // 1000} kB")
    return _text(content, member.filename)


def _text(content: bytes, name: str) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UserError(f"{name} is neither an archive of ours nor text") from None
