"""The files inside a zip archive, and the archives that are refused."""

from __future__ import annotations

import re
import stat
import zipfile
from pathlib import Path, PurePosixPath

from flyball.errors import DataQualityError, EnvironmentFailed
from flyball.storage.reading.packed import BOMB_FLOOR, BOMB_RATIO, ZIP, Part

MAX_MEMBERS = 10_000
_EMPTY_ZIP = b"PK\x05\x06"
_SPREADSHEET = "[Content_Types].xml"
_ENCRYPTED = 0x1
_DRIVE = re.compile(r"[A-Za-z]:")


def parts_of(path: Path, *, name: str, shown: str) -> list[Part]:
    """The tables in a local file: the file itself, or every file in a zip archive, by name.

    Args:
        name: which of the source's files it is; empty where it is the only one.
        shown: what messages call it.

    Raises:
        DataQualityError: empty, a damaged, encrypted or hostile archive, or a spreadsheet.
        EnvironmentFailed: it may not be read.
    """
    try:
        with path.open("rb") as file:
            magic = file.read(4)
    except OSError as error:
        raise EnvironmentFailed(
            f"{shown} cannot be read: {error.strerror or error}; check its permissions"
        ) from error
    if not magic:
        raise DataQualityError(f"{shown} is empty (0 bytes); fetch or export it again")
    if magic not in (ZIP, _EMPTY_ZIP):
        return [Part(path=path, name=name, shown=shown)]
    members = _members(path, shown)
    if len(members) == 1:
        return [Part(path=path, name=name, shown=f"{shown} ({members[0]})", member=members[0])]
    above = f"{name}/" if name else ""
    return [
        Part(path=path, name=above + member, shown=f"{shown} ({member})", member=member)
        for member in members
    ]


def _members(path: Path, shown: str) -> list[str]:
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
    except (zipfile.BadZipFile, NotImplementedError, OSError, ValueError) as error:
        raise DataQualityError(
            f"{shown} is a damaged zip archive or a spreadsheet ({error}); fetch it again, unpack "
            "it, or save the sheet as CSV, then ingest that"
        ) from None
    if any(entry.filename == _SPREADSHEET for entry in entries):
        raise DataQualityError(f"{shown} is a spreadsheet; save the sheet as CSV, then ingest that")
    if len(entries) > MAX_MEMBERS:
        raise DataQualityError(
            f"{shown} holds {len(entries):,} files, more than {MAX_MEMBERS:,}; unpack it, and pass "
            "the directory"
        )
    for entry in entries:
        _check(entry, shown)
    _check_size(sum(entry.file_size for entry in entries), path.stat().st_size, shown)
    names = sorted({entry.filename for entry in entries if not _is_passed_over(entry)})
    if not names:
        raise DataQualityError(f"{shown} is a zip archive without a file in it; pack it again")
    return names


def _check(entry: zipfile.ZipInfo, shown: str) -> None:
    """Refuse an entry that points out of its archive, is a link, or needs a password."""
    name = entry.filename
    what = ""
    if entry.flag_bits & _ENCRYPTED:
        what = "is encrypted; unpack it with its password, and pass the files"
    elif stat.S_ISLNK(entry.external_attr >> 16):
        what = "is a link and no file; pack the file that it points at"
    elif (
        name.startswith(("/", "\\"))
        or _DRIVE.match(name)
        or ".." in PurePosixPath(name.replace("\\", "/")).parts
    ):
        what = "points out of the archive, as a hostile one does; do not trust it"
    if what:
        raise DataQualityError(f"{shown}: its entry {name[:120]!r} {what}")


def _check_size(unpacked: int, packed: int, shown: str) -> None:
    if unpacked > max(BOMB_FLOOR, BOMB_RATIO * packed):
        raise DataQualityError(
            f"{shown}: the zip data grows over {BOMB_RATIO} times when unpacked "
            f"({unpacked:,} bytes), as an archive made to fill a disk does; unpack it yourself if "
            "you trust it, and pass what was in it"
        )


def _is_passed_over(entry: zipfile.ZipInfo) -> bool:
    """Directories, hidden files, and what macOS adds."""
    parts = PurePosixPath(entry.filename).parts
    return entry.is_dir() or any(part.startswith(".") for part in parts) or "__MACOSX" in parts
