"""Every store of dataset versions keeps the published contract; and what DVC on a disk adds."""

from __future__ import annotations

import os
import resource
from pathlib import Path

import pytest

from flyball.errors import ArtifactCorrupt, StorageUnavailable
from flyball.storage.datasets import DvcDatasets
from flyball.testing.datasets import DatasetsContract, a_file


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


class TestDvcDatasets(DatasetsContract):
    """The contract, on a DVC project."""

    @pytest.fixture
    def datasets(self, datasets: DvcDatasets) -> DvcDatasets:
        """The project of this file."""
        return datasets


class TestDamage:
    """What a damaged or lost file costs."""

    def test_a_damaged_cache_is_healed_from_the_remote(
        self, datasets: DvcDatasets, tmp_path: Path
    ) -> None:
        """The reader gets the true bytes and the cache is sound again."""
        md5 = datasets.add("games", {}, "a", a_file(tmp_path, "one")).files["a"]
        overwrite(datasets.path(md5), "bad")
        assert datasets.path(md5).read_text() == "one"

    def test_a_lost_cache_is_filled_from_the_remote(
        self, datasets: DvcDatasets, tmp_path: Path
    ) -> None:
        """As ``dvc pull`` would do."""
        md5 = datasets.add("games", {}, "a", a_file(tmp_path, "one")).files["a"]
        datasets.path(md5).unlink()
        assert datasets.path(md5).read_text() == "one"

    def test_bytes_damaged_everywhere_are_never_used(
        self, datasets: DvcDatasets, home: Path, tmp_path: Path
    ) -> None:
        """The error names both places."""
        md5 = datasets.add("games", {}, "a", a_file(tmp_path, "one")).files["a"]
        overwrite(datasets.path(md5), "bad")
        overwrite(home / "remote" / "files" / "md5" / md5[:2] / md5[2:], "bad")
        with pytest.raises(ArtifactCorrupt, match=r"cache.*remote"):
            datasets.path(md5)

    def test_adding_it_again_heals_both(
        self, datasets: DvcDatasets, home: Path, tmp_path: Path
    ) -> None:
        """So that ingesting the source again is a cure."""
        content = a_file(tmp_path, "one")
        md5 = datasets.add("games", {}, "a", content).files["a"]
        remote = home / "remote" / "files" / "md5" / md5[:2] / md5[2:]
        overwrite(datasets.path(md5), "bad")
        overwrite(remote, "bad")
        datasets.add("games", {}, "a", content)
        assert datasets.path(md5).read_text() == "one"
        assert remote.read_text() == "one"


class TestTheDisk:
    """What happens when it cannot be written."""

    def test_a_full_disk_leaves_the_dataset_as_it_was(
        self, datasets: DvcDatasets, home: Path, tmp_path: Path
    ) -> None:
        """No file is half-written, none is left over, and the next try succeeds.

        A limit on the size of files stands in for the full disk: the write fails half-way.
        """
        first = datasets.add("games", {}, "a", a_file(tmp_path, "one"))
        before = contents(home)
        large = a_file(tmp_path, "x" * 500_000)
        old = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, old[1]))
        try:
            with pytest.raises(StorageUnavailable, match="free space"):
                datasets.add("games", first.files, "b", large)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, old)
        assert contents(home) == before
        assert "b" in datasets.add("games", first.files, "b", large).files

    def test_a_file_in_the_way_leaves_the_dataset_as_it_was(
        self, datasets: DvcDatasets, home: Path, tmp_path: Path
    ) -> None:
        """Failing at the last moment, in the workspace, takes back what was written before."""
        (home / "data").mkdir(parents=True)
        (home / "data" / "games").write_text("not a folder")
        with pytest.raises(StorageUnavailable, match="cannot be stored"):
            datasets.add("games", {}, "a", a_file(tmp_path, "one"))
        assert contents(home) == {"data/games": b"not a folder"}

    @pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
    def test_a_read_only_home_is_said(
        self, datasets: DvcDatasets, home: Path, tmp_path: Path
    ) -> None:
        """With what to do about it."""
        home.mkdir()
        home.chmod(0o555)
        with pytest.raises(StorageUnavailable, match="permissions"):
            datasets.add("games", {}, "a", a_file(tmp_path, "one"))


class TestTheWorkspace:
    """What a person sees under ``data/``."""

    def test_holds_the_newest_version_and_nothing_else(
        self, datasets: DvcDatasets, home: Path, tmp_path: Path
    ) -> None:
        """A file of a version that lost a race does not stay."""
        first = datasets.add("games", {}, "a", a_file(tmp_path, "one"))
        datasets.add("games", first.files, "lost", a_file(tmp_path, "two"))
        datasets.add("games", first.files, "b", a_file(tmp_path, "three"))
        assert {path.name for path in (home / "data" / "games").iterdir()} == {"a", "b"}

    def test_keeps_what_a_user_set_in_the_dvc_config(
        self, datasets: DvcDatasets, home: Path, tmp_path: Path
    ) -> None:
        """Only the keys that Flyball needs are written."""
        (home / ".dvc").mkdir(parents=True)
        (home / ".dvc" / "config").write_text("[cache]\n    type = copy\n")
        datasets.add("games", {}, "a", a_file(tmp_path, "one"))
        text = (home / ".dvc" / "config").read_text()
        assert "type = copy" in text
        assert "no_scm = true" in text

    def test_a_remote_elsewhere_is_named_by_its_path(self, home: Path, tmp_path: Path) -> None:
        """One inside the home is named relative to it, so that the home can be moved."""
        DvcDatasets(home, tmp_path / "else").add("games", {}, "a", a_file(tmp_path, "one"))
        assert f"url = {tmp_path / 'else'}" in (home / ".dvc" / "config").read_text()
        DvcDatasets(home, home / "remote").add("games", {}, "a", a_file(tmp_path, "one"))
        assert "url = ../remote" in (home / ".dvc" / "config").read_text()
