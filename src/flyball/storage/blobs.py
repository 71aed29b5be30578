"""Immutable directories in a folder, named by the digest of their content.

A blob lies at ``<root>/<first two digits>/<digest>/``; beside it ``<digest>.json`` lists its files.
The digest is the SHA-256 of that listing, so the listing proves itself and says which file of a
damaged blob is missing, added or changed.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import stat
import time
import uuid
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from flyball.domain.canonical import canonical_json
from flyball.errors import ArtifactCorrupt, InvalidRequest, NotFound
from flyball.storage.files import READ_ONLY, copy_whole, storing, sync_directory, write_whole

_DIGEST = re.compile(r"[0-9a-f]{64}")
_ABANDONED_AFTER_S = 24 * 3600.0


@dataclass(frozen=True, slots=True, order=True)
class _File:
    """One line of a listing: relative POSIX path, bytes, SHA-256 (hex)."""

    path: str
    size: int
    sha256: str


class FileBlobs:
    """The port ``Blobs`` on a folder. Safe for several processes at once."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def put(self, directory: Path) -> str:
        """Store a copy of a directory; returns its digest. All or nothing; twice is once.

        Raises:
            InvalidRequest: not a directory, empty, or it holds a link or a special file.
            StorageUnavailable: no space, no permission.
        """
        sources = _files(directory)
        with storing(f"artifact {directory.name}"):
            self._sweep()
            arriving = self._root / ".arriving" / uuid.uuid4().hex
            try:
                for path in sources:
                    copy_whole(path, arriving / path.relative_to(directory), mode=READ_ONLY)
                listing = _canonical(_listing(arriving))
                digest = hashlib.sha256(listing).hexdigest()
                self._settle(arriving, digest, listing)
            finally:
                _remove(arriving)
        return digest

    def get(self, digest: str, *, verify: bool = True) -> Path:
        """A read-only directory with that content.

        Raises:
            NotFound: no such content.
            ArtifactCorrupt: names the file that is missing, added or changed.
            StorageUnavailable: it cannot be read.
        """
        place = self._place(digest)
        if not place.is_dir():
            raise NotFound(
                f"there is no artifact {digest} in {self._root}; restore it from a backup, "
                "or train the version again (`flyball train`)"
            )
        if verify:
            with storing(f"artifact {digest}"):
                damage = self._damage(place, digest)
            if damage:
                raise ArtifactCorrupt(
                    f"artifact {digest} is damaged: {damage}; it was not used. Restore "
                    f"{place} from a backup, or train the version again (`flyball train`)"
                )
        return place

    def _place(self, digest: str) -> Path:
        if not _DIGEST.fullmatch(digest):
            raise NotFound(f"{digest!r} is not the digest of an artifact (64 hex digits)")
        return self._root / digest[:2] / digest

    def _settle(self, arriving: Path, digest: str, listing: bytes) -> None:
        """Give a complete copy its name. A damaged blob of that name makes room for it."""
        place = self._place(digest)
        if place.is_dir():
            if not self._damage(place, digest):
                return
            place.chmod(0o755)  # a folder that is moved must be writable
            place.rename(self._root / ".arriving" / uuid.uuid4().hex)
        write_whole(listing, place.with_name(f"{digest}.json"), mode=READ_ONLY)
        for folder in _folders(arriving):
            sync_directory(folder)
        # Another process may have been first with the same content: then its copy stays.
        with suppress(FileExistsError):
            _rename_new(arriving, place)
        for folder in _folders(place):
            folder.chmod(0o555)
        sync_directory(place.parent)

    def _damage(self, place: Path, digest: str) -> str:
        """What is wrong with a stored blob, in words; empty where it is sound."""
        try:
            found = _listing(place)
        except InvalidRequest as error:
            return str(error)
        if hashlib.sha256(_canonical(found)).hexdigest() == digest:
            return ""
        recorded = _recorded(place.with_name(f"{digest}.json"), digest)
        if recorded is None:
            return "its content and its listing both differ from its digest"
        return _difference(recorded, found)

    def _sweep(self) -> None:
        """Remove what killed processes left behind a day ago or earlier."""
        for left in (self._root / ".arriving").glob("*"):
            with suppress(FileNotFoundError):
                if time.time() - left.stat().st_mtime > _ABANDONED_AFTER_S:
                    _remove(left)


def _files(directory: Path) -> list[Path]:
    """All files below, sorted. Raises InvalidRequest for what a blob cannot hold."""
    if not directory.is_dir():
        raise InvalidRequest(f"{directory} is not a directory; an artifact is one")
    files = []
    for path in sorted(directory.rglob("*")):
        kind = path.lstat().st_mode
        if stat.S_ISREG(kind):
            files.append(path)
        elif not stat.S_ISDIR(kind):
            raise InvalidRequest(
                f"{path.relative_to(directory)} in {directory} is a link or a special file; "
                "an artifact holds plain files only, so replace it by its content"
            )
    if not files:
        raise InvalidRequest(f"{directory} holds no file; there is nothing to store")
    return files


def _listing(directory: Path) -> list[_File]:
    lines = []
    for path in _files(directory):
        with path.open("rb") as reader:
            sha = hashlib.file_digest(reader, "sha256").hexdigest()
        lines.append(_File(path.relative_to(directory).as_posix(), path.stat().st_size, sha))
    return sorted(lines)


def _canonical(listing: list[_File]) -> bytes:
    return canonical_json(listing)


def _recorded(path: Path, digest: str) -> list[_File] | None:
    """The listing beside a blob, or None where it is missing or itself damaged."""
    try:
        content = path.read_bytes()
    except OSError:
        return None
    if hashlib.sha256(content).hexdigest() != digest:
        return None
    return [_File(**line) for line in json.loads(content)]


def _difference(recorded: list[_File], found: list[_File]) -> str:
    wanted, have = ({file.path: file for file in files} for files in (recorded, found))
    words = [f"{path} is missing" for path in wanted.keys() - have.keys()]
    words += [f"{path} was added" for path in have.keys() - wanted.keys()]
    words += [
        f"{path} was changed" for path in wanted.keys() & have.keys() if wanted[path] != have[path]
    ]
    return ", ".join(sorted(words))


def _folders(directory: Path) -> list[Path]:
    return [directory, *(path for path in directory.rglob("*") if path.is_dir())]


def _rename_new(source: Path, target: Path) -> None:
    """Rename a directory, or raise FileExistsError where the target is there already."""
    try:
        source.rename(target)
    except OSError as error:
        if target.is_dir():
            raise FileExistsError(str(target)) from error
        raise


def _remove(directory: Path) -> None:
    for folder in _folders(directory) if directory.is_dir() else ():
        with suppress(OSError):
            os.chmod(folder, 0o755)  # noqa: S103 - on its way out
    shutil.rmtree(directory, ignore_errors=True)
