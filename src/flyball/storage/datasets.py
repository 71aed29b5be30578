"""Versioned data files that the ``dvc`` command reads: the port ``Datasets``.

What lies in the home is a DVC project without Git, laid out as DVC 3 does it:

- ``.dvc/config``: names the remote ``local``.
- ``.dvc/cache/files/md5/ab/cdef...``: every file, and every dataset version as a ``.dir`` listing.
- ``data/<model>/``: the version laid out; ``data/<model>.dvc`` names it.
- the remote, ``files/md5/...``: a second copy, which ``dvc pull`` uses. A directory gets it at
  once; S3 when it is pushed.

Hashes, listings and the layout are dvc-data's. Files are put in place by ``Landing``, which,
unlike dvc-data's own transfer, leaves no temporary file on a full disk.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from dvc_data.hashfile.hash_info import HashInfo
from dvc_data.hashfile.tree import Tree

from flyball.domain.names import check_model_name
from flyball.errors import ArtifactCorrupt, InvalidRequest, NotFound
from flyball.ports import Stored, Transferred
from flyball.storage.dvc_files import dvc_config, dvc_file, dvc_ignore
from flyball.storage.files import READ_ONLY, Landing, copy_whole, storing, sweep, taking_turns
from flyball.storage.objects import LISTING, ObjectFolder, checked, md5_of
from flyball.storage.remotes import OBJECTS, DirectoryRemote, remote_at

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_SMALL = 1 << 20
_LEFT_BEHIND = timedelta(days=1)


class DvcDatasets:
    """The port ``Datasets`` on a DVC project.

    Safe for several processes at once: who changes anything takes turns by a lock on a file of the
    home.

    Args:
        home: the DVC project's directory; made when the first file is kept.
        remote: the second copy: a directory, or ``s3://bucket/prefix``.

    Raises:
        ConfigurationError: the remote cannot be used.
    """

    def __init__(self, home: Path, remote: Path | str) -> None:
        self._home = home
        self._cache = ObjectFolder(home / ".dvc" / "cache" / OBJECTS)
        self._remote = remote_at(remote)
        beside = self._remote if isinstance(self._remote, DirectoryRemote) else None
        self._second = beside.objects if beside else None
        self._owned = beside is not None and beside.belongs_to(home)
        self._known: dict[str, tuple[int, ...]] = {}

    def keep(self, content: Path) -> str:
        """See ``Datasets.keep``. What is there and damaged is healed."""
        with storing(f"the data file {content.name}"):
            md5 = md5_of(content)
            with self._turn(), _or_nothing() as made:
                for folder in self._folders():
                    if folder.sound(md5):
                        folder.touch(md5)
                        continue
                    if not folder.place(md5).exists():
                        made.append(folder.place(md5))
                    folder.put(content, md5)
                self._known[md5] = _signature(self._cache.place(md5))
        return md5

    def lay_out(self, model: str, files: Mapping[str, str]) -> str:
        """See ``Datasets.lay_out``. Of files that lie there already only size and time are read."""
        check_model_name(model)
        for name in files:
            if not _NAME.fullmatch(name):
                raise InvalidRequest(f"{name!r} cannot name a file of a dataset")
        version, listing = _listed(files)
        folder = self._home / "data" / model
        with storing(f"the dataset {model}"), self._turn(), Landing() as landing:
            size = sum(self._arrive(landing, folder / name, md5) for name, md5 in files.items())
            for objects in self._folders():
                _write(landing, listing, objects.place(version), READ_ONLY)
            for path, content in (
                (self._home / ".dvc" / "config", dvc_config(self._home, self._remote)),
                (self._home / ".dvcignore", dvc_ignore(self._home)),
                (self._home / "data" / f"{model}.dvc", dvc_file(model, version, size, len(files))),
            ):
                _write(landing, content, path)
            folder.mkdir(parents=True, exist_ok=True)
            landing.land()
            for other in folder.iterdir():
                if other.name not in files and other.is_file():
                    other.unlink()
            self._sweep()
        return version.removesuffix(LISTING)

    def path(self, md5: str) -> Path:
        """See ``Datasets.path``. A damaged one is healed from a remote on this machine.

        Raises:
            StorageUnavailable: it cannot be read, or not be healed.
        """
        cached = self._cache.place(checked(md5))
        with storing(f"the data file {md5}"):
            if self._cache.sound(md5):
                return cached
            if self._second is not None and self._second.sound(md5):
                copy_whole(self._second.place(md5), cached, mode=READ_ONLY)
                return cached
        places = [folder.place(md5) for folder in self._folders()]
        if damaged := " and ".join(str(place) for place in places if place.exists()):
            raise ArtifactCorrupt(
                f"the data file {md5} is damaged in {damaged} and was not used; restore one of "
                "them from a backup, or ingest its source again"
            )
        if self._second is None:
            raise NotFound(
                f"the data file {md5} is not in the cache ({cached}); get it from the remote with "
                "`flyball data pull MODEL`"
            )
        raise NotFound(
            f"the data file {md5} is neither in the cache ({cached}) nor in the remote "
            f"({places[-1]}); restore it from a backup, or ingest its source again"
        )

    def push(self, md5s: Iterable[str]) -> Transferred:
        """See ``Datasets.push``. Listings go last: one that is there has all its files there."""
        sound = {oid: self.path(oid) for oid in _listings_last(md5s)}
        sizes = []
        with storing("the remote of the data"):
            for oid, cached in sound.items():
                if self._remote.upload(cached, oid):
                    sizes.append(cached.stat().st_size)
        return Transferred(objects=len(sizes), size=sum(sizes))

    def pull(self, md5s: Iterable[str]) -> Transferred:
        """See ``Datasets.pull``."""
        sizes = []
        for oid in _listings_last(md5s):
            with storing(f"the data file {oid}"), Landing() as landing:
                if self._cache.sound(oid):
                    continue
                arriving = landing.place(self._cache.place(oid))
                self._remote.download(oid, arriving)
                arriving.chmod(READ_ONLY)
                sizes.append(arriving.stat().st_size)
                landing.land()
        return Transferred(objects=len(sizes), size=sum(sizes))

    def listing(self, version: str) -> Mapping[str, str]:
        """See ``Datasets.listing``."""
        try:
            content = self.path(f"{version}{LISTING}").read_bytes()
        except NotFound:
            raise NotFound(
                f"the list of the files of the dataset version {version} is not here; get it with "
                "`flyball data pull MODEL VERSION`, if it was pushed"
            ) from None
        return {entry["relpath"]: entry["md5"] for entry in json.loads(content)}

    def stored(self) -> Mapping[str, Stored]:
        """See ``Datasets.stored``."""
        found: dict[str, Stored] = {}
        with storing("the list of the data files"):
            for folder in self._ours():
                for oid, status in folder.stored():
                    before = found.get(oid, Stored(size=0, kept_at=datetime.fromtimestamp(0, UTC)))
                    kept_at = max(before.kept_at, _kept_at(status))
                    found[oid] = Stored(size=before.size + status.st_size, kept_at=kept_at)
        return found

    def remove(self, md5s: Iterable[str], *, kept_before: datetime) -> Transferred:
        """See ``Datasets.remove``."""
        sizes = []
        for oid in md5s:
            places = [folder.place(oid) for folder in self._ours()]
            with storing(f"the data file {oid}"), self._turn():
                there = [place.stat() for place in places if place.is_file()]
                if there and all(_kept_at(status) < kept_before for status in there):
                    sizes.append(sum(status.st_size for status in there))
                    for place in places:
                        place.unlink(missing_ok=True)
        return Transferred(objects=len(sizes), size=sum(sizes))

    def _folders(self) -> list[ObjectFolder]:
        """The cache, and a remote on this machine."""
        return [self._cache] if self._second is None else [self._cache, self._second]

    def _ours(self) -> list[ObjectFolder]:
        """The folders in the home: a remote elsewhere may be shared with others."""
        return self._folders() if self._owned else [self._cache]

    @contextmanager
    def _turn(self) -> Iterator[None]:
        with taking_turns(self._home / ".dvc" / "tmp" / "flyball.lock"):
            yield

    def _arrive(self, landing: Landing, target: Path, md5: str) -> int:
        """Have a file of a version in the remote and the workspace; returns its size."""
        cached = self._cache.place(md5)
        if not cached.exists():
            self.path(md5)
        if not _same(target, cached, md5):
            if self._known.get(md5) != _signature(cached):
                self.path(md5)
                self._known[md5] = _signature(cached)
            landing.copy(cached, target)
        size = cached.stat().st_size
        if self._second is not None:
            second = self._second.place(md5)
            if not second.is_file() or second.stat().st_size != size:
                landing.copy(cached, second, mode=READ_ONLY)
        return size

    def _sweep(self) -> None:
        """Remove what killed processes left."""
        before = datetime.now(UTC) - _LEFT_BEHIND
        for objects in self._ours():
            sweep(objects.folder, before=before)


@contextmanager
def _or_nothing() -> Iterator[list[Path]]:
    """Paths that are removed again where not everything could be written."""
    made: list[Path] = []
    try:
        yield made
    except OSError:
        for path in made:
            path.unlink(missing_ok=True)
        raise


def _write(landing: Landing, content: bytes, target: Path, mode: int = 0o644) -> None:
    if not target.is_file() or target.read_bytes() != content:
        landing.write(content, target, mode=mode)


def _same(path: Path, cached: Path, md5: str) -> bool:
    """Whether a file of the workspace is the object: by its bytes, or, of a large one, its time."""
    if not path.is_file() or path.stat().st_size != cached.stat().st_size:
        return False
    if cached.stat().st_size < _SMALL:
        return md5_of(path) == md5
    return path.stat().st_mtime_ns == cached.stat().st_mtime_ns


def _signature(path: Path) -> tuple[int, ...]:
    """What changes when anybody writes to a file."""
    status = path.stat()
    return (status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


def _kept_at(status: os.stat_result) -> datetime:
    return datetime.fromtimestamp(status.st_ctime, UTC)


def _listings_last(md5s: Iterable[str]) -> list[str]:
    return sorted(dict.fromkeys(map(checked, md5s)), key=lambda oid: oid.endswith(LISTING))


def _listed(files: Mapping[str, str]) -> tuple[str, bytes]:
    """A dataset version as DVC names it (``<md5>.dir``), and the bytes of its listing."""
    tree = Tree()
    for name, md5 in files.items():
        tree.add((name,), None, HashInfo("md5", md5))
    tree.digest()
    return str(tree.oid), bytes(tree.as_bytes())
