"""Every store of dataset versions keeps the published contract; and what DVC on a disk adds."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from flyball.errors import ArtifactCorrupt, ConfigurationError, StorageUnavailable
from flyball.storage.datasets import DvcDatasets
from flyball.testing.datasets import (
    CollectionContract,
    DatasetsContract,
    RemoteContract,
    a_file,
    soon,
)
from s3_servers import Bucket


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """An installation's home."""
    return tmp_path / "home"


@pytest.fixture
def datasets(home: Path) -> DvcDatasets:
    """A DVC project with its remote in the home."""
    return DvcDatasets(home, home / "remote")


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below, with its bytes; the lock aside."""
    files = (path for path in folder.rglob("*") if path.is_file() and path.suffix != ".lock")
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def overwrite(path: Path, text: str) -> None:
    """Damage a read-only file."""
    path.chmod(0o644)
    path.write_text(text)


class Everything(DatasetsContract, RemoteContract, CollectionContract):
    """The whole contract."""


class TestARemoteInTheHome(Everything):
    """The default."""

    @pytest.fixture
    def datasets(self, datasets: DvcDatasets) -> DvcDatasets:
        """The project of this file."""
        return datasets


class TestARemoteElsewhere(Everything):
    """A directory, for example on another disk, which other homes may share."""

    @pytest.fixture
    def datasets(self, home: Path, tmp_path: Path) -> DvcDatasets:
        """A project whose second copy is outside."""
        return DvcDatasets(home, tmp_path / "elsewhere")

    def test_removes_what_is_told(self, datasets: DvcDatasets, tmp_path: Path) -> None:
        """Only from this home: another one may need the copy outside, which still heals."""
        md5 = datasets.keep(a_file(tmp_path, "one"))
        assert datasets.remove([md5], kept_before=soon()).objects == 1
        assert datasets.stored() == {}
        assert datasets.path(md5).read_text() == "one"


class TestARemoteInS3(Everything):
    """Which only ``push`` and ``pull`` talk to; on each S3 server in turn."""

    @pytest.fixture
    def datasets(self, home: Path, s3_bucket: Bucket) -> DvcDatasets:
        """A project with a bucket of its own."""
        return DvcDatasets(home, f"{s3_bucket.url}/some/where")


class TestAnImpossibleRemote:
    """Told before anything is stored."""

    def test_needs_a_bucket(self, home: Path) -> None:
        """The message shows how to write one."""
        with pytest.raises(ConfigurationError, match="s3://bucket/prefix"):
            DvcDatasets(home, "s3:///prefix")


class TestDamage:
    """What a damaged or lost file costs."""

    def test_a_damaged_cache_is_healed_from_the_remote(
        self, datasets: DvcDatasets, tmp_path: Path
    ) -> None:
        """The reader gets the true bytes and the cache is sound again."""
        md5 = datasets.keep(a_file(tmp_path, "one"))
        overwrite(datasets.path(md5), "bad")
        assert datasets.path(md5).read_text() == "one"

    def test_a_lost_cache_is_filled_from_the_remote(
        self, datasets: DvcDatasets, tmp_path: Path
    ) -> None:
        """As ``dvc pull`` would do."""
        md5 = datasets.keep(a_file(tmp_path, "one"))
        datasets.path(md5).unlink()
        assert datasets.path(md5).read_text() == "one"

    def test_bytes_damaged_everywhere_are_never_used(
        self, datasets: DvcDatasets, home: Path, tmp_path: Path
    ) -> None:
        """The error names both places."""
        md5 = datasets.keep(a_file(tmp_path, "one"))
        overwrite(datasets.path(md5), "bad")
        overwrite(home / "remote" / "files" / "md5" / md5[:2] / md5[2:], "bad")
        with pytest.raises(ArtifactCorrupt, match=r"cache.*remote"):
            datasets.path(md5)

    def test_adding_it_again_heals_both(
        self, datasets: DvcDatasets, home: Path, tmp_path: Path
    ) -> None:
        """So that ingesting the source again is a cure."""
        content = a_file(tmp_path, "one")
        md5 = datasets.keep(content)
        remote = home / "remote" / "files" / "md5" / md5[:2] / md5[2:]
        overwrite(datasets.path(md5), "bad")
        overwrite(remote, "bad")
        datasets.keep(content)
        assert datasets.path(md5).read_text() == "one"
        assert remote.read_text() == "one"


class TestTheDisk:
    """What happens when it cannot be written."""

    def test_a_full_disk_keeps_nothing(
        self, datasets: DvcDatasets, home: Path, tmp_path: Path
    ) -> None:
        """No file is half-written, none is left over, and the next try succeeds.

        A limit on the size of files stands in for the full disk: the write fails half-way.
        """
        datasets.lay_out("games", {"a": datasets.keep(a_file(tmp_path, "one"))})
        before = contents(home)
        large = a_file(tmp_path, "x" * 500_000)
        with files_up_to(100_000), pytest.raises(StorageUnavailable, match="free space"):
            datasets.keep(large)
        assert contents(home) == before
        assert datasets.path(datasets.keep(large)).stat().st_size == 500_000

    def test_a_full_disk_leaves_the_dataset_as_it_was(
        self, datasets: DvcDatasets, home: Path, tmp_path: Path
    ) -> None:
        """Also the files that would have been replaced or removed."""
        one, two = (datasets.keep(a_file(tmp_path, text)) for text in ("one", "two"))
        large = datasets.keep(a_file(tmp_path, "x" * 500_000))
        datasets.lay_out("games", {"a": one, "b": two})
        before = contents(home)
        with files_up_to(100_000), pytest.raises(StorageUnavailable, match="free space"):
            datasets.lay_out("games", {"a": two, "c": large})
        assert contents(home) == before
        datasets.lay_out("games", {"a": two, "c": large})
        assert (home / "data" / "games" / "a").read_text() == "two"

    def test_a_file_in_the_way_leaves_the_dataset_as_it_was(
        self, datasets: DvcDatasets, home: Path, tmp_path: Path
    ) -> None:
        """Failing at the last moment, in the workspace, takes back what was written before."""
        md5 = datasets.keep(a_file(tmp_path, "one"))
        (home / "data").mkdir(parents=True)
        (home / "data" / "games").write_text("not a folder")
        before = contents(home)
        with pytest.raises(StorageUnavailable, match="cannot be stored"):
            datasets.lay_out("games", {"a": md5})
        assert contents(home) == before

    @pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
    def test_a_read_only_home_is_said(
        self, datasets: DvcDatasets, home: Path, tmp_path: Path
    ) -> None:
        """With what to do about it."""
        home.mkdir()
        home.chmod(0o555)
        with pytest.raises(StorageUnavailable, match="permissions"):
            datasets.keep(a_file(tmp_path, "one"))

    def test_what_a_killed_process_left_is_swept(
        self, datasets: DvcDatasets, home: Path, tmp_path: Path
    ) -> None:
        """Once it is a day old: before that, it may still be arriving."""
        md5 = datasets.keep(a_file(tmp_path, "one"))
        folder = datasets.path(md5).parent
        old, young = folder / ".arriving-old", folder / ".arriving-young"
        for left in (old, young):
            left.write_text("half")
        long_ago = (datetime.now(UTC) - timedelta(days=2)).timestamp()
        os.utime(old, (long_ago, long_ago))
        datasets.lay_out("games", {"a": md5})
        assert not old.exists()
        assert young.exists()
        assert ".arriving" not in str(datasets.stored())


class TestTheWorkspace:
    """What a person sees under ``data/``."""

    def test_holds_the_version_and_nothing_else(
        self, datasets: DvcDatasets, home: Path, tmp_path: Path
    ) -> None:
        """A file of another version does not stay."""
        one, two = (datasets.keep(a_file(tmp_path, text)) for text in ("one", "two"))
        datasets.lay_out("games", {"a": one, "lost": two})
        datasets.lay_out("games", {"a": one, "b": two})
        assert {path.name for path in (home / "data" / "games").iterdir()} == {"a", "b"}

    @pytest.mark.parametrize("times", [1, 1_000_000], ids=["small", "large"])
    def test_a_name_can_get_other_bytes_of_the_same_size(
        self, datasets: DvcDatasets, home: Path, tmp_path: Path, times: int
    ) -> None:
        """As after a person was forgotten; and back again."""
        texts = ("one" * times, "two" * times)
        hashes = [datasets.keep(a_file(tmp_path, text)) for text in texts]
        for md5, text in [*zip(hashes, texts, strict=True)] * 2:
            datasets.lay_out("games", {"a": md5})
            assert (home / "data" / "games" / "a").read_text() == text

    @pytest.mark.parametrize("times", [1, 1_000_000], ids=["small", "large"])
    def test_repairs_what_a_person_changed(
        self, datasets: DvcDatasets, home: Path, tmp_path: Path, times: int
    ) -> None:
        """The workspace is a copy: to change it changes no dataset."""
        md5 = datasets.keep(a_file(tmp_path, "one" * times))
        datasets.lay_out("games", {"a": md5})
        (home / "data" / "games" / "a").write_text("two" * times)
        assert datasets.path(md5).read_text() == "one" * times
        datasets.lay_out("games", {"a": md5})
        assert (home / "data" / "games" / "a").read_text() == "one" * times

    def test_never_gets_damaged_bytes(
        self, datasets: DvcDatasets, home: Path, tmp_path: Path
    ) -> None:
        """Also when the cache broke since they were kept."""
        md5 = datasets.keep(a_file(tmp_path, "one"))
        overwrite(datasets.path(md5), "bad")
        datasets.lay_out("games", {"a": md5})
        assert (home / "data" / "games" / "a").read_text() == "one"

    def test_keeps_what_a_user_set_in_the_dvc_config(
        self, datasets: DvcDatasets, home: Path, tmp_path: Path
    ) -> None:
        """Only the keys that Flyball needs are written."""
        (home / ".dvc").mkdir(parents=True)
        (home / ".dvc" / "config").write_text("[cache]\n    type = copy\n")
        (home / ".dvcignore").write_text("mine\n")
        datasets.lay_out("games", {"a": datasets.keep(a_file(tmp_path, "one"))})
        text = (home / ".dvc" / "config").read_text()
        assert "type = copy" in text
        assert "no_scm = true" in text
        assert (home / ".dvcignore").read_text() == "mine\n"

    def test_the_remote_is_named_for_dvc(self, home: Path, tmp_path: Path) -> None:
        """One inside the home is named relative to it, so that the home can be moved."""
        content = a_file(tmp_path, "one")
        for remote, named in (
            (tmp_path / "else", f"url = {tmp_path / 'else'}"),
            (home / "remote", "url = ../remote"),
            ("s3://bucket/some/where/", "url = s3://bucket/some/where\n"),
        ):
            datasets = DvcDatasets(home, remote)
            datasets.lay_out("games", {"a": datasets.keep(content)})
            assert named in (home / ".dvc" / "config").read_text()


@contextmanager
def files_up_to(size: int) -> Iterator[None]:
    """No file can be larger meanwhile."""
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, old[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)
