"""Versioned data files that the ``dvc`` command reads: the port ``Datasets``.

What lies in the home is a DVC project without Git, laid out as DVC 3 does it:

- ``.dvc/config``: names the remote ``local``.
- ``.dvc/cache/files/md5/ab/cdef...``: every file, and every dataset version as a ``.dir`` listing.
- ``data/<model>/``: the newest version's files; ``data/<model>.dvc`` names that version.
- the remote, ``files/md5/...``: a second copy of the cache, which ``dvc pull`` and ``path`` use.

Hashes, listings and the layout are dvc-data's. Files are put in place by ``copy_whole``, which,
unlike dvc-data's own transfer, leaves no temporary file on a full disk.
"""

from __future__ import annotations

import configparser
import io
import os
import re
from collections.abc import Mapping
from pathlib import Path

from dvc_data.hashfile.db.local import LocalHashFileDB
from dvc_data.hashfile.hash import file_md5
from dvc_data.hashfile.hash_info import HashInfo
from dvc_data.hashfile.tree import Tree
from dvc_objects.fs.local import localfs

from flyball.domain.names import check_model_name
from flyball.errors import ArtifactCorrupt, BatchConflict, InvalidRequest, NotFound
from flyball.ports import DatasetFiles
from flyball.storage.files import READ_ONLY, copy_whole, storing, taking_turns, write_whole

_MD5 = re.compile(r"[0-9a-f]{32}")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_IGNORE = b"# Only data/ is dvc's; it need not look at the rest of this home.\n/*\n!/data\n"
_REMOTE = "'remote \"local\"'"


class DvcDatasets:
    """The port ``Datasets`` on a DVC project.

    Safe for several processes at once: additions take turns by a lock on a file of the home.

    Args:
        home: the DVC project's directory; made on the first addition.
        remote: the directory of the second copy.
    """

    def __init__(self, home: Path, remote: Path) -> None:
        self._home = home
        self._remote_dir = remote
        self._cache = LocalHashFileDB(localfs, str(home / ".dvc" / "cache" / "files" / "md5"))
        self._remote = LocalHashFileDB(localfs, str(remote / "files" / "md5"))

    def add(self, model: str, files: Mapping[str, str], name: str, content: Path) -> DatasetFiles:
        """Add one file to a model's dataset; cache, remote and workspace then hold the version.

        Raises:
            BatchConflict: ``files`` has other bytes under that name.
            InvalidRequest: the name cannot be a file's.
            NotFound, ArtifactCorrupt: an earlier file is nowhere sound.
            StorageUnavailable: no space, no permission; the dataset is as it was.
        """
        check_model_name(model)
        if not _NAME.fullmatch(name):
            raise InvalidRequest(f"{name!r} cannot name a file of a dataset")
        with (
            storing(f"{name} of the dataset {model}"),
            taking_turns(self._home / ".dvc" / "tmp" / "flyball.lock"),
        ):
            md5 = str(file_md5(str(content), name="md5"))
            if files.get(name, md5) != md5:
                raise BatchConflict(
                    f"the dataset {model} has a file {name} with other content, which is kept; "
                    "add this one under another name"
                )
            after = {**files, name: md5}
            made: list[Path] = []
            try:
                self._keep(md5, content, made)
                version = self._publish(model, after, name, made)
            except OSError:
                for path in made:
                    path.unlink(missing_ok=True)
                raise
        return DatasetFiles(version=version.removesuffix(".dir"), files=after)

    def path(self, md5: str) -> Path:
        """A local, read-only file with that DVC hash. A damaged one is healed from the remote.

        Raises:
            NotFound: neither in the cache nor in the remote.
            ArtifactCorrupt: the bytes there do not have that hash.
            StorageUnavailable: it cannot be read, or not be healed.
        """
        if not _MD5.fullmatch(md5):
            raise NotFound(f"{md5!r} is not a DVC hash (32 hex digits)")
        with storing(f"the data file {md5}"):
            cached, remote = self._places(md5)
            if _sound(cached, md5):
                return cached
            if _sound(remote, md5):
                copy_whole(remote, cached, mode=READ_ONLY)
                return cached
        if cached.exists() or remote.exists():
            damaged = " and ".join(str(place) for place in (cached, remote) if place.exists())
            raise ArtifactCorrupt(
                f"the data file {md5} is damaged in {damaged} and was not used; restore one of "
                "them from a backup, or ingest its source again"
            )
        raise NotFound(
            f"the data file {md5} is neither in the cache ({cached}) nor in the remote "
            f"({remote}); restore it from a backup, or ingest its source again"
        )

    def _keep(self, md5: str, content: Path, made: list[Path]) -> None:
        """Bytes into cache and remote, unless they are there and sound."""
        for place in self._places(md5):
            if not _sound(place, md5):
                copy_whole(content, place, mode=READ_ONLY)
                made.append(place)

    def _publish(self, model: str, files: Mapping[str, str], added: str, made: list[Path]) -> str:
        """Lay down a version: its listing, the remote's copy, the workspace, the ``.dvc`` file.

        Only the file ``added`` is read again: whoever uses an earlier one calls ``path``, which
        verifies it.
        """
        folder = self._home / "data" / model
        size = 0
        for name, md5 in files.items():
            cached, remote = self._places(md5)
            if not cached.exists():
                self.path(md5)
            for place, mode in ((remote, READ_ONLY), (folder / name, None)):
                if not (_sound(place, md5) if name == added else _same_size(place, cached)):
                    copy_whole(cached, place, mode=mode)
                    made.append(place)
            size += cached.stat().st_size
        version, listing = _listed(files)
        for place in self._places(version):
            if not place.exists() or place.read_bytes() != listing:
                write_whole(listing, place, mode=READ_ONLY)
                made.append(place)
        self._configure()
        content = _dvc_file(model, version, size, len(files))
        write_whole(content, self._home / "data" / f"{model}.dvc")
        for other in folder.iterdir():
            if other.name not in files and other.is_file():
                other.unlink()
        return version

    def _places(self, oid: str) -> tuple[Path, Path]:
        """Where an object lies in the cache and in the remote."""
        return Path(self._cache.oid_to_path(oid)), Path(self._remote.oid_to_path(oid))

    def _configure(self) -> None:
        """Write what ``dvc`` must know into ``.dvc/config``; what else stands there stays."""
        path = self._home / ".dvc" / "config"
        config = configparser.RawConfigParser(strict=False)
        config.read_string(path.read_text(encoding="utf-8") if path.exists() else "")
        wanted = {
            "core": {
                "no_scm": "true",
                "analytics": "false",
                "check_update": "false",
                "remote": "local",
            },
            _REMOTE: {"url": self._remote_url()},
        }
        config.read_dict(wanted)
        text = io.StringIO()
        config.write(text)
        content = text.getvalue().encode()
        if not path.exists() or path.read_bytes() != content:
            write_whole(content, path)
        ignore = self._home / ".dvcignore"
        if not ignore.exists():
            write_whole(_IGNORE, ignore)

    def _remote_url(self) -> str:
        """Relative where the remote lies in the home, so that the home can be moved."""
        home, remote = self._home.resolve(), self._remote_dir.resolve()
        inside = remote.is_relative_to(home)
        return os.path.relpath(remote, home / ".dvc") if inside else str(remote)


def _sound(path: Path, md5: str) -> bool:
    return path.is_file() and file_md5(str(path), name="md5") == md5


def _same_size(path: Path, other: Path) -> bool:
    return path.is_file() and path.stat().st_size == other.stat().st_size


def _listed(files: Mapping[str, str]) -> tuple[str, bytes]:
    """A dataset version as DVC names it (``<md5>.dir``), and the bytes of its listing."""
    tree = Tree()
    for name, md5 in files.items():
        tree.add((name,), None, HashInfo("md5", md5))
    tree.digest()
    return str(tree.oid), bytes(tree.as_bytes())


def _dvc_file(model: str, version: str, size: int, count: int) -> bytes:
    return (
        "outs:\n"
        f"- md5: {version}\n"
        f"  size: {size}\n"
        f"  nfiles: {count}\n"
        "  hash: md5\n"
        f"  path: {model}\n"
    ).encode()
