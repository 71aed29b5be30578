"""Where a second copy of the objects lies: a directory, or a bucket of S3 (``s3_remote``)."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from flyball.errors import ArtifactCorrupt, NotFound
from flyball.storage.objects import LISTING, ObjectFolder, md5_of

OBJECTS = "files/md5"
"""Where DVC 3 keeps objects in a cache and in a remote."""


class Remote(Protocol):
    """A second place for objects."""

    def url(self, home: Path) -> str:
        """How ``.dvc/config`` of a home names it."""
        ...

    def upload(self, source: Path, oid: str) -> bool:
        """Copy an object there; False where it was there, sound.

        Raises:
            OSError, StorageUnavailable: it cannot be stored there.
        """
        ...

    def download(self, oid: str, target: Path) -> None:
        """Write an object's bytes to a file, and make sure that they have its hash.

        Raises:
            NotFound: it is not there.
            ArtifactCorrupt: its bytes there do not have its hash.
            OSError, StorageUnavailable: it cannot be read, or not be written here.
        """
        ...


@dataclass(frozen=True, slots=True)
class DirectoryRemote:
    """A directory as a remote. The objects in it are as DVC lays them out."""

    directory: Path

    @property
    def objects(self) -> ObjectFolder:
        """The objects in it."""
        return ObjectFolder(self.directory / OBJECTS)

    def url(self, home: Path) -> str:
        """Relative where it lies in the home, so that the home can be moved."""
        home, remote = home.resolve(), self.directory.resolve()
        inside = remote.is_relative_to(home)
        return os.path.relpath(remote, home / ".dvc") if inside else str(remote)

    def belongs_to(self, home: Path) -> bool:
        """Whether it lies in the home, so that nobody else's objects can be in it."""
        return self.directory.resolve().is_relative_to(home.resolve())

    def upload(self, source: Path, oid: str) -> bool:
        """See ``Remote.upload``."""
        if self.objects.sound(oid):
            return False
        self.objects.put(source, oid)
        return True

    def download(self, oid: str, target: Path) -> None:
        """See ``Remote.download``."""
        there = self.objects.place(oid)
        if not there.is_file():
            raise NotFound(f"the object {oid} is not in the remote {self.directory}")
        shutil.copyfile(there, target)
        if md5_of(target) != oid.removesuffix(LISTING):
            raise ArtifactCorrupt(
                f"the object {oid} is damaged in the remote ({there}) and was not used; restore "
                "it from a backup, or push it again from where it is sound"
            )


def remote_at(location: Path | str) -> Remote:
    """The remote at ``s3://bucket/prefix`` or in a directory.

    Raises:
        ConfigurationError: an S3 URL without a bucket, or S3 is not installed.
    """
    if isinstance(location, str) and location.startswith("s3://"):
        from flyball.storage.s3_remote import S3Remote

        return S3Remote.at(location)
    return DirectoryRemote(Path(location))
